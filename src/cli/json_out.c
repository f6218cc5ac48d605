#include "cli/json_out.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"

#define WORST_ESCAPE_BYTES 6 /* out for 1 in */
#define SHORT_BYTES 256

static void put_key(struct json_out *json, const char *key)
{
    (void)fprintf(json->file, "%s\"%s\":", json->first ? "" : ",", key);
    json->first = false;
}

void json_open(struct json_out *json, FILE *file, const char *type)
{
    json->file = file;
    json->first = true;
    (void)fputc('{', file);
    json_string(json, "type", type);
}

void json_close(struct json_out *json)
{
    (void)fputs("}\n", json->file);
}

void json_object_open(struct json_out *json, const char *key)
{
    put_key(json, key);
    (void)fputc('{', json->file);
    json->first = true;
}

void json_object_close(struct json_out *json)
{
    (void)fputc('}', json->file);
    json->first = false;
}

void json_string(struct json_out *json, const char *key, const char *value)
{
    json_text(json, key, value, strlen(value));
}

void json_text(struct json_out *json, const char *key, const char *value, size_t size)
{
    char few[WORST_ESCAPE_BYTES * SHORT_BYTES + 1];
    char *many = NULL;
    char *escaped = few;
    size_t capacity = sizeof(few);

    if (size > SHORT_BYTES) {
        capacity = WORST_ESCAPE_BYTES * size + 1;
        many = malloc(capacity);
        if (many == NULL) { /* rather no member than half a text */
            return;
        }
        escaped = many;
    }
    put_key(json, key);
    (void)escape_for_json(value, size, escaped, capacity);
    (void)fprintf(json->file, "\"%s\"", escaped);
    free(many);
}

void json_number(struct json_out *json, const char *key, uint64_t value)
{
    put_key(json, key);
    (void)fprintf(json->file, "%" PRIu64, value);
}

void json_bool(struct json_out *json, const char *key, bool value)
{
    put_key(json, key);
    (void)fputs(value ? "true" : "false", json->file);
}

void json_hex(struct json_out *json, const char *key, const uint8_t *data, size_t size)
{
    char hex[DIGEST_HEX_BYTES] = "";

    if (size <= DIGEST_BYTES) {
        hex_encode(data, size, hex);
    }
    put_key(json, key);
    (void)fprintf(json->file, "\"%s\"", hex);
}

void json_time(struct json_out *json, const char *key, int64_t wall_ms)
{
    char text[RFC3339_BYTES];

    clock_format_rfc3339(wall_ms, text);
    put_key(json, key);
    (void)fprintf(json->file, "\"%s\"", text);
}

void json_verbatim(struct json_out *json, const char *key, const char *value)
{
    put_key(json, key);
    (void)fputs(value[0] == '\0' ? "null" : value, json->file);
}
