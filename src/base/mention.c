#include "base/mention.h"

#include <string.h>

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Whether an '@' behind C belongs to what C is part of. Bytes of other letters do not count: some
 * scripts put no space before a mention. */
static bool is_address_byte(char c)
{
    return is_name_byte(c) || (c >= 'A' && c <= 'Z') || c == '@';
}

/* How long the name at the start of the text is; 0: there is none. */
static size_t name_length(const char *text, size_t size)
{
    size_t length = 0;

    if (size == 0 || !is_name_start(text[0])) {
        return 0;
    }
    while (length < size && is_name_byte(text[length])) {
        length++;
    }
    while (text[length - 1] == '.' || text[length - 1] == '-') {
        length--; /* ends at the first byte at the latest, which is neither */
    }
    return length <= LIMIT_USERNAME_BYTES ? length : 0;
}

static bool has(const struct mentions *mentions, const char *name, size_t length)
{
    for (size_t i = 0; i < mentions->count; i++) {
        if (strlen(mentions->names[i]) == length && memcmp(mentions->names[i], name, length) == 0) {
            return true;
        }
    }
    return false;
}

void mentions_find(const char *text, size_t size, struct mentions *out)
{
    size_t at = 0;

    out->count = 0;
    while (at < size && out->count < LIMIT_MENTIONS) {
        const char *sign = memchr(text + at, '@', size - at);
        if (sign == NULL) {
            return;
        }
        bool is_first = sign == text;
        at = (size_t)(sign - text) + 1;
        size_t length = name_length(text + at, size - at);
        if (length > 0 && (is_first || !is_address_byte(sign[-1])) && !has(out, sign + 1, length)) {
            char *name = out->names[out->count++];
            memcpy(name, sign + 1, length);
            name[length] = '\0';
        }
        at += length;
    }
}

bool mentions_has(const char *text, size_t size, const char *username)
{
    struct mentions mentions;

    mentions_find(text, size, &mentions);
    return has(&mentions, username, strlen(username));
}
