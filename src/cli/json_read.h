/*
 * A strict reader of one flat JSON object (RFC 8259) whose members are strings, numbers, true,
 * false or null: what a bot writes to "sealpost chat --json". Refuses everything else, with a
 * sentence that says what. Allocates nothing.
 */
#ifndef SP_CLI_JSON_READ_H
#define SP_CLI_JSON_READ_H

#include "base/base.h"

#define JSON_MAX_MEMBERS 16

enum json_type { JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

struct json_member {
    const char *key; /* NUL-terminated */
    enum json_type type;
    const char *text; /* of a string: decoded, valid UTF-8, no NUL in it, NUL-terminated; of
                         anything else as it stands there, not NUL-terminated */
    size_t size;
};

struct json_object {
    struct json_member members[JSON_MAX_MEMBERS];
    size_t count;
};

/*
 * Reads SIZE bytes of TEXT, which are changed: strings are decoded in place, and *OUT points into
 * them. On error SP_EINVALID, *OUT is empty and *REASON a static sentence, else NULL.
 */
SP_CHECK enum sp_error json_read(char *text, size_t size, struct json_object *out,
                                 const char **reason);

/* The member called KEY, or NULL. */
const struct json_member *json_find(const struct json_object *object, const char *key);

/* A whole number from 0 to MAXIMUM without fraction and exponent. SP_EINVALID. */
SP_CHECK enum sp_error json_member_u64(const struct json_member *member, uint64_t maximum,
                                       uint64_t *out);

#endif
