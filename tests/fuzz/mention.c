/* Mentions: against the rule written down a second time, as one look at each '@'. */
#include "names.h"

#include <string.h>

#include "base/mention.h"
#include "base/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_mark(uint8_t c)
{
    return c == '.' || c == '_' || c == '-';
}

/* The length of the name that the '@' at AT mentions, or 0. */
static size_t mentioned(const uint8_t *data, size_t size, size_t at)
{
    uint8_t before = at > 0 ? data[at - 1] : ' ';
    size_t end = at + 1;

    if (is_letter(before) || is_mark(before) || (before >= 'A' && before <= 'Z') || before == '@') {
        return 0;
    }
    while (end < size && (is_letter(data[end]) || (is_mark(data[end]) && end > at + 1))) {
        end++;
    }
    while (data[end - 1] == '.' || data[end - 1] == '-') {
        end--;
    }
    return end - at - 1 <= LIMIT_USERNAME_BYTES ? end - at - 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mentions mentions;
    size_t found = 0;

    mentions_find((const char *)data, size, &mentions);
    require(mentions.count <= LIMIT_MENTIONS);
    for (size_t at = 0; at < size; at++) {
        size_t length = data[at] == '@' ? mentioned(data, size, at) : 0;
        size_t known = 0;

        if (length == 0) {
            continue;
        }
        while (known < found && (strlen(mentions.names[known]) != length ||
                                 memcmp(mentions.names[known], data + at + 1, length) != 0)) {
            known++;
        }
        if (known == found && found < LIMIT_MENTIONS) { /* the next new one */
            require(found < mentions.count && strlen(mentions.names[found]) == length &&
                    memcmp(mentions.names[found], data + at + 1, length) == 0);
            require(name_check_username(mentions.names[found], length) == SP_OK);
            found++;
        }
    }
    require(found == mentions.count);
    return 0;
}
