/* The reader of JSON objects: what it takes is inside the input, and written out again it is read
 * as the same. */
#include <stdio.h>
#include <string.h>

#include "names.h"

#include "cli/json_out.h"
#include "cli/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_member(const struct json_member *member, const char *start, size_t size)
{
    require(member->text >= start && member->text + member->size <= start + size);
    require(member->key >= start && member->key < start + size);
    if (member->type == JSON_STRING) {
        require(strlen(member->text) == member->size);
        for (size_t at = 0; at < member->size;) {
            uint32_t codepoint = 0;
            size_t step =
                oracle_next((const uint8_t *)member->text + at, member->size - at, &codepoint);

            require(step > 0 && codepoint != 0);
            at += step;
        }
    }
}

/* The strings of OBJECT, written by json_out.c and read again. */
static void check_again(const struct json_object *object)
{
    struct json_object again;
    struct json_out json;
    const char *reason = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    size_t count = 0;

    require(file != NULL);
    json_open(&json, file, "again");
    for (size_t i = 0; i < object->count && count < JSON_MAX_MEMBERS - 1; i++) {
        char key[16];

        if (object->members[i].type == JSON_STRING) {
            (void)snprintf(key, sizeof(key), "m%zu", count++);
            json_text(&json, key, object->members[i].text, object->members[i].size);
        }
    }
    json_close(&json);
    require(fclose(file) == 0);
    require(json_read(text, size, &again, &reason) == SP_OK);
    require(again.count == count + 1);
    count = 1;
    for (size_t i = 0; i < object->count && count < again.count; i++) {
        if (object->members[i].type == JSON_STRING) {
            require(strcmp(object->members[i].text, again.members[count++].text) == 0);
        }
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object object;
    const char *reason = NULL;
    char *copy = malloc(size == 0 ? 1 : size);
    enum sp_error error = SP_OK;

    require(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    error = json_read(copy, size, &object, &reason);
    require(error == SP_OK || error == SP_EINVALID);
    require((error == SP_OK) == (reason == NULL));
    require(error == SP_OK || object.count == 0);
    for (size_t i = 0; i < object.count; i++) {
        check_member(&object.members[i], copy, size);
    }
    if (error == SP_OK) {
        check_again(&object);
    }
    free(copy);
    return 0;
}
