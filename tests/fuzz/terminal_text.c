/*
 * Text of others on its way to a terminal, into JSON and into the log: whatever came in, what comes
 * out is valid, harmless, and for JSON the same text when it is read back.
 */
#include <stdio.h>
#include <string.h>

#include "names.h"

#include "base/escape.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Valid UTF-8 without control characters (but newline and tab, if KEEP) and bidirectional ones. */
static void require_harmless(const char *text, size_t size, bool keep)
{
    const uint8_t *at = (const uint8_t *)text;

    while (size > 0) {
        uint32_t c = 0;
        size_t step = oracle_next(at, size, &c);

        require(step > 0);
        require(!oracle_is_bidi(c));
        require(!oracle_is_control(c) || (keep && (c == '\n' || c == '\t')));
        at += step;
        size -= step;
    }
}

static bool is_valid(const uint8_t *data, size_t size)
{
    while (size > 0) {
        uint32_t c = 0;
        size_t step = oracle_next(data, size, &c);

        if (step == 0) {
            return false;
        }
        data += step;
        size -= step;
    }
    return true;
}

static char *allocate(size_t size)
{
    char *memory = malloc(size);

    require(memory != NULL);
    return memory;
}

static void try_terminal(const char *text, size_t size, bool keep, size_t cut)
{
    size_t capacity = 4 * size + 1; /* the worst case of the header: more must not be needed */
    char *whole = allocate(capacity);
    char *again = allocate(capacity);
    char *part = allocate(cut + 1);
    size_t used = escape_for_terminal(text, size, keep, whole, capacity);
    size_t part_used = escape_for_terminal(text, size, keep, part, cut + 1);

    require(used < capacity && used >= size && strlen(whole) == used);
    require_harmless(whole, used, keep);
    require(escape_for_terminal(whole, used, keep, again, capacity) == used); /* is harmless now */
    require(memcmp(whole, again, used) == 0);
    require(part_used <= cut && part[part_used] == '\0');
    require(part_used <= used && memcmp(whole, part, part_used) == 0);
    require_harmless(part, part_used, keep);
    free(part);
    free(again);
    free(whole);
}

/* The four digits of a \u escape. */
static uint32_t read_unit(const char *at)
{
    unsigned unit = 0;

    require(strspn(at, "0123456789ABCDEFabcdef") >= 4);
    require(sscanf(at, "%4x", &unit) == 1); // NOLINT(cert-err34-c): checked above
    return unit;
}

static size_t encode(uint32_t c, char out[4])
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = length; i-- > 1; c >>= 6) {
        out[i] = (char)(0x80 | (c & 0x3f));
    }
    out[0] = (char)(lead[length] | c);
    return length;
}

/* One escape of JSON at *AT, which starts with a backslash; its character into OUT. */
static size_t read_escape(const char **at, char out[4])
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char letter = (*at)[1];
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);
    uint32_t unit = 0;

    if (found != NULL) {
        *at += 2;
        out[0] = meanings[found - letters];
        return 1;
    }
    require(letter == 'u');
    unit = read_unit(*at + 2);
    *at += 6;
    if (unit >= 0xd800 && unit < 0xe000) {
        uint32_t low = 0;

        require(unit < 0xdc00 && (*at)[0] == '\\' && (*at)[1] == 'u');
        low = read_unit(*at + 2);
        require(low >= 0xdc00 && low < 0xe000);
        *at += 6;
        unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
    }
    return encode(unit, out);
}

/* JSON's reader: returns the length of the text in OUT, which has room for as much as JSON. */
static size_t read_json(const char *json, char *out)
{
    size_t used = 0;

    while (*json != '\0') {
        require((unsigned char)*json >= 0x20 && *json != '"');
        if (*json == '\\') {
            char character[4];
            size_t length = read_escape(&json, character);

            memcpy(out + used, character, length);
            used += length;
        } else {
            out[used++] = *json++;
        }
    }
    return used;
}

static void try_json(const char *text, size_t size, size_t cut)
{
    size_t capacity = 6 * size + 1;
    char *whole = allocate(capacity);
    char *back = allocate(capacity);
    char *part = allocate(cut + 1);
    size_t used = escape_for_json(text, size, whole, capacity);
    size_t part_used = escape_for_json(text, size, part, cut + 1);
    size_t back_used = 0;

    require(used < capacity && strlen(whole) == used);
    require_harmless(whole, used, false);
    back_used = read_json(whole, back);
    if (is_valid((const uint8_t *)text, size)) {
        require(back_used == size && memcmp(back, text, size) == 0);
    }
    require(part_used <= cut && part_used <= used && memcmp(whole, part, part_used) == 0);
    require(part[part_used] == '\0');
    (void)read_json(part, back); /* cut between characters, it still is JSON */
    free(part);
    free(back);
    free(whole);
}

static void try_log(const char *text, size_t size, size_t cut)
{
    char *out = allocate(cut + 1);
    size_t used = 0;

    require(log_value(text, size, out, cut + 1) == out);
    used = strlen(out);
    require(used <= cut);
    require_harmless(out, used, false);
    if (used > 0 && out[0] == '"') {
        require(used >= 2 && strchr(out + 1, '"') == out + used - 1);
    } else {
        require(strpbrk(out, " =\"") == NULL);
    }
    free(out);
}

/* The first byte says where to cut; the rest is the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut = size > 0 ? data[0] : 0;
    const char *text = (const char *)data + (size > 0 ? 1 : 0);
    size_t text_size = size > 0 ? size - 1 : 0;

    try_terminal(text, text_size, false, cut);
    try_terminal(text, text_size, true, cut);
    try_json(text, text_size, cut);
    try_log(text, text_size, cut);
    return 0;
}
