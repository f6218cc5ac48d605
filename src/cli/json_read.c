#include "cli/json_read.h"

#include <string.h>

#include "base/config.h"
#include "base/name.h"

#define MAX_NUMBER_BYTES 32

struct scanner {
    char *at;
    char *end;
    const char *reason;
};

static enum sp_error refuse(struct scanner *scanner, const char *reason)
{
    scanner->reason = reason;
    return SP_EINVALID;
}

static void skip_space(struct scanner *scanner)
{
    while (scanner->at < scanner->end && (*scanner->at == ' ' || *scanner->at == '\t' ||
                                          *scanner->at == '\n' || *scanner->at == '\r')) {
        scanner->at++;
    }
}

static bool accept(struct scanner *scanner, char c)
{
    if (scanner->at < scanner->end && *scanner->at == c) {
        scanner->at++;
        return true;
    }
    return false;
}

/* Four hexadecimal digits. */
static enum sp_error read_hex4(struct scanner *scanner, uint32_t *out)
{
    uint8_t bytes[2] = {0};

    *out = 0;
    if (scanner->end - scanner->at < 4) {
        return refuse(scanner, "a cut \\u escape");
    }
    {
        char digits[5] = {scanner->at[0], scanner->at[1], scanner->at[2], scanner->at[3], '\0'};

        if (hex_decode(digits, bytes, sizeof(bytes)) != SP_OK) {
            return refuse(scanner, "a \\u escape without four hexadecimal digits");
        }
    }
    scanner->at += 4;
    *out = (uint32_t)bytes[0] << 8 | bytes[1];
    return SP_OK;
}

/* What stands behind "\u", with the second half of a surrogate pair. */
static enum sp_error read_codepoint(struct scanner *scanner, uint32_t *out)
{
    uint32_t low = 0;
    enum sp_error error = read_hex4(scanner, out);

    if (error != SP_OK || *out < 0xd800 || *out > 0xdfff) {
        return error;
    }
    if (*out > 0xdbff || !accept(scanner, '\\') || !accept(scanner, 'u')) {
        return refuse(scanner, "half a surrogate pair");
    }
    error = read_hex4(scanner, &low);
    if (error == SP_OK && (low < 0xdc00 || low > 0xdfff)) {
        return refuse(scanner, "half a surrogate pair");
    }
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return error;
}

/* As UTF-8 to *TO, which moves; never longer than the escape was. */
static void put_codepoint(char **to, uint32_t codepoint)
{
    if (codepoint < 0x80) {
        *(*to)++ = (char)codepoint;
        return;
    }
    if (codepoint < 0x800) {
        *(*to)++ = (char)(0xc0 | codepoint >> 6);
    } else {
        if (codepoint < 0x10000) {
            *(*to)++ = (char)(0xe0 | codepoint >> 12);
        } else {
            *(*to)++ = (char)(0xf0 | codepoint >> 18);
            *(*to)++ = (char)(0x80 | (codepoint >> 12 & 0x3f));
        }
        *(*to)++ = (char)(0x80 | (codepoint >> 6 & 0x3f));
    }
    *(*to)++ = (char)(0x80 | (codepoint & 0x3f));
}

static enum sp_error read_escape(struct scanner *scanner, char **to)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const char *found = NULL;
    uint32_t codepoint = 0;
    enum sp_error error = SP_OK;

    if (scanner->at >= scanner->end) {
        return refuse(scanner, "a string without an end");
    }
    if (accept(scanner, 'u')) {
        error = read_codepoint(scanner, &codepoint);
        if (error == SP_OK) {
            put_codepoint(to, codepoint);
        }
        return error;
    }
    found = *scanner->at == '\0' ? NULL : strchr(letters, *scanner->at);
    if (found == NULL) {
        return refuse(scanner, "an escape that JSON does not have");
    }
    scanner->at++;
    *(*to)++ = values[found - letters];
    return SP_OK;
}

/* A string, decoded to where it stands. */
static enum sp_error read_string(struct scanner *scanner, const char **text, size_t *size)
{
    char *start = scanner->at;
    char *to = start;

    if (!accept(scanner, '"')) {
        return refuse(scanner, "a string was expected");
    }
    for (;;) {
        enum sp_error error = SP_OK;

        if (scanner->at >= scanner->end) {
            return refuse(scanner, "a string without an end");
        }
        if (accept(scanner, '"')) {
            break;
        }
        if ((unsigned char)*scanner->at < 0x20) {
            return refuse(scanner, "a control character in a string");
        }
        if (accept(scanner, '\\')) {
            error = read_escape(scanner, &to);
        } else {
            *to++ = *scanner->at++;
        }
        if (error != SP_OK) {
            return error;
        }
    }
    *text = start;
    *size = (size_t)(to - start);
    *to = '\0'; /* there is room: two quotes were read */
    if (name_check_text(*text, *size) != SP_OK) {
        return refuse(scanner, "a string that is not valid UTF-8 or has a NUL");
    }
    return SP_OK;
}

static size_t skip_digits(struct scanner *scanner)
{
    const char *start = scanner->at;

    while (scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9') {
        scanner->at++;
    }
    return (size_t)(scanner->at - start);
}

/* RFC 8259, section 6. */
static enum sp_error read_number(struct scanner *scanner, struct json_member *member)
{
    bool good = false;

    member->type = JSON_NUMBER;
    member->text = scanner->at;
    (void)accept(scanner, '-');
    good = accept(scanner, '0') || skip_digits(scanner) > 0;
    if (good && accept(scanner, '.')) {
        good = skip_digits(scanner) > 0;
    }
    if (good && (accept(scanner, 'e') || accept(scanner, 'E'))) {
        if (!accept(scanner, '+')) {
            (void)accept(scanner, '-');
        }
        good = skip_digits(scanner) > 0;
    }
    member->size = (size_t)(scanner->at - member->text);
    return good ? SP_OK : refuse(scanner, "a number that JSON does not have");
}

static enum sp_error read_word(struct scanner *scanner, struct json_member *member)
{
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        size_t size = strlen(words[i].word);

        if ((size_t)(scanner->end - scanner->at) >= size &&
            memcmp(scanner->at, words[i].word, size) == 0) {
            member->type = words[i].type;
            member->text = scanner->at;
            member->size = size;
            scanner->at += size;
            return SP_OK;
        }
    }
    return refuse(scanner, "a value that is none");
}

static enum sp_error read_value(struct scanner *scanner, struct json_member *member)
{
    if (scanner->at >= scanner->end) {
        return refuse(scanner, "a value is missing");
    }
    switch (*scanner->at) {
    case '"':
        member->type = JSON_STRING;
        return read_string(scanner, &member->text, &member->size);
    case '{':
    case '[':
        return refuse(scanner, "an array or object inside: only plain values are expected");
    case 't':
    case 'f':
    case 'n':
        return read_word(scanner, member);
    default:
        return read_number(scanner, member);
    }
}

static enum sp_error read_member(struct scanner *scanner, struct json_object *object)
{
    struct json_member member = {0};
    size_t size = 0;
    enum sp_error error = SP_OK;

    if (object->count == JSON_MAX_MEMBERS) {
        return refuse(scanner, "too many members");
    }
    skip_space(scanner);
    error = read_string(scanner, &member.key, &size);
    if (error != SP_OK) {
        return error;
    }
    if (json_find(object, member.key) != NULL) {
        return refuse(scanner, "a member that was given before");
    }
    skip_space(scanner);
    if (!accept(scanner, ':')) {
        return refuse(scanner, "a ':' was expected");
    }
    skip_space(scanner);
    error = read_value(scanner, &member);
    if (error == SP_OK) {
        object->members[object->count++] = member;
        skip_space(scanner);
    }
    return error;
}

static enum sp_error read_object(struct scanner *scanner, struct json_object *object)
{
    enum sp_error error = SP_OK;

    skip_space(scanner);
    if (!accept(scanner, '{')) {
        return refuse(scanner, "an object was expected");
    }
    skip_space(scanner);
    if (!accept(scanner, '}')) {
        do {
            error = read_member(scanner, object);
        } while (error == SP_OK && accept(scanner, ','));
        if (error != SP_OK) {
            return error;
        }
        if (!accept(scanner, '}')) {
            return refuse(scanner, "a ',' or '}' was expected");
        }
    }
    skip_space(scanner);
    return scanner->at == scanner->end ? SP_OK : refuse(scanner, "something behind the object");
}

enum sp_error json_read(char *text, size_t size, struct json_object *out, const char **reason)
{
    struct scanner scanner = {.at = text, .end = text + size};
    enum sp_error error = SP_OK;

    *out = (struct json_object){0};
    error = read_object(&scanner, out);
    if (error != SP_OK) {
        *out = (struct json_object){0};
    }
    *reason = scanner.reason;
    return error;
}

const struct json_member *json_find(const struct json_object *object, const char *key)
{
    for (size_t i = 0; i < object->count; i++) {
        if (strcmp(object->members[i].key, key) == 0) {
            return &object->members[i];
        }
    }
    return NULL;
}

enum sp_error json_member_u64(const struct json_member *member, uint64_t maximum, uint64_t *out)
{
    char digits[MAX_NUMBER_BYTES];

    *out = 0;
    if (member->type != JSON_NUMBER || member->size >= sizeof(digits)) {
        return SP_EINVALID;
    }
    memcpy(digits, member->text, member->size);
    digits[member->size] = '\0';
    return config_parse_u64(digits, 0, maximum, out);
}
