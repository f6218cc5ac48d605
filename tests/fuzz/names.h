/*
 * UTF-8 by the table of RFC 3629, section 4, and nothing else: the second opinion that the targets
 * for names and for text hold our functions against. Shares no code with them.
 */
#ifndef SP_TESTS_FUZZ_NAMES_H
#define SP_TESTS_FUZZ_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Not assert(), which a release build leaves out. */
static inline void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* The length of the character at DATA, 0 if there is no valid one. */
static inline size_t oracle_next(const uint8_t *data, size_t size, uint32_t *codepoint)
{
    static const struct {
        uint8_t first_from, first_to, second_from, second_to, length, bits;
    } rows[] = {
        {0x00, 0x7f, 0x00, 0x00, 1, 0x7f}, {0xc2, 0xdf, 0x80, 0xbf, 2, 0x1f},
        {0xe0, 0xe0, 0xa0, 0xbf, 3, 0x0f}, {0xe1, 0xec, 0x80, 0xbf, 3, 0x0f},
        {0xed, 0xed, 0x80, 0x9f, 3, 0x0f}, {0xee, 0xef, 0x80, 0xbf, 3, 0x0f},
        {0xf0, 0xf0, 0x90, 0xbf, 4, 0x07}, {0xf1, 0xf3, 0x80, 0xbf, 4, 0x07},
        {0xf4, 0xf4, 0x80, 0x8f, 4, 0x07},
    };

    for (size_t i = 0; size > 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (data[0] < rows[i].first_from || data[0] > rows[i].first_to || rows[i].length > size) {
            continue;
        }
        *codepoint = data[0] & rows[i].bits;
        for (size_t j = 1; j < rows[i].length; j++) {
            uint8_t from = j == 1 ? rows[i].second_from : 0x80;
            uint8_t to = j == 1 ? rows[i].second_to : 0xbf;

            if (data[j] < from || data[j] > to) {
                return 0;
            }
            *codepoint = *codepoint << 6 | (data[j] & 0x3f);
        }
        return rows[i].length;
    }
    return 0;
}

static inline bool oracle_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

static inline bool oracle_is_bidi(uint32_t c)
{
    return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

#endif
