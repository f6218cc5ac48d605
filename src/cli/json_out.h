/*
 * One JSON object a line (RFC 8259), written member by member. Called by whatever prints with
 * --json. Text of others goes through base/escape.h.
 */
#ifndef SP_CLI_JSON_OUT_H
#define SP_CLI_JSON_OUT_H

#include <stdio.h>

#include "base/base.h"

struct json_out {
    FILE *file;
    bool first; /* of the innermost object */
};

void json_open(struct json_out *json, FILE *file, const char *type); /* {"type":"TYPE" */
void json_close(struct json_out *json);                              /* } and a newline */
void json_object_open(struct json_out *json, const char *key);
void json_object_close(struct json_out *json);

void json_string(struct json_out *json, const char *key, const char *value);
void json_text(struct json_out *json, const char *key, const char *value, size_t size);
void json_number(struct json_out *json, const char *key, uint64_t value);
void json_bool(struct json_out *json, const char *key, bool value);
void json_hex(struct json_out *json, const char *key, const uint8_t *data, size_t size);
void json_time(struct json_out *json, const char *key, int64_t wall_ms); /* RFC 3339 */
/* VALUE is JSON already; "" stands for null. */
void json_verbatim(struct json_out *json, const char *key, const char *value);

#endif
