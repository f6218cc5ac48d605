/* One JSON object a line (RFC 8259), for what the administrator's commands print with --json and
 * what goes over the control socket. Text goes through base/escape.h. */
#ifndef SP_SERVER_JSON_H
#define SP_SERVER_JSON_H

#include <stdio.h>

#include "base/base.h"

struct json {
    FILE *file;
    bool first; /* of the innermost object */
};

void json_open(struct json *json, FILE *file); /* { */
void json_close(struct json *json);            /* } and a newline */
void json_object_open(struct json *json, const char *key);
void json_object_close(struct json *json);
void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_time(struct json *json, const char *key, int64_t wall_ms); /* RFC 3339 */
void json_id(struct json *json, const char *key, const struct id *id);

#endif
