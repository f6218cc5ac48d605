#include "server/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"

#define EXPANSION 6 /* of escape_for_json() */

static void put_string(struct json *json, const char *text)
{
    size_t size = strlen(text);
    char *escaped = malloc(size * EXPANSION + 1);
    if (escaped != NULL) {
        (void)escape_for_json(text, size, escaped, size * EXPANSION + 1);
    }
    fprintf(json->file, "\"%s\"", escaped != NULL ? escaped : "");
    free(escaped);
}

static void put_key(struct json *json, const char *key)
{
    fprintf(json->file, "%s\"%s\":", json->first ? "" : ",", key);
    json->first = false;
}

void json_open(struct json *json, FILE *file)
{
    *json = (struct json){.file = file, .first = true};
    fputc('{', file);
}

void json_close(struct json *json)
{
    fputs("}\n", json->file);
}

void json_object_open(struct json *json, const char *key)
{
    put_key(json, key);
    fputc('{', json->file);
    json->first = true;
}

void json_object_close(struct json *json)
{
    fputc('}', json->file);
    json->first = false;
}

void json_string(struct json *json, const char *key, const char *value)
{
    put_key(json, key);
    put_string(json, value);
}

void json_number(struct json *json, const char *key, uint64_t value)
{
    put_key(json, key);
    fprintf(json->file, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    fputs(value ? "true" : "false", json->file);
}

void json_time(struct json *json, const char *key, int64_t wall_ms)
{
    char text[RFC3339_BYTES];
    clock_format_rfc3339(wall_ms, text);
    json_string(json, key, text);
}

void json_id(struct json *json, const char *key, const struct id *id)
{
    char hex[ID_HEX_BYTES];
    hex_encode(id->bytes, ID_BYTES, hex);
    json_string(json, key, hex);
}
