#include "base/escape.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define ZERO_WIDTH_JOINER 0x200d
#define ESCAPE_BYTES 16 /* the longest is "\u{10FFFF}", or a pair "\uHHHH\uHHHH" and a NUL */

enum glyph_kind { GLYPH_PLAIN, GLYPH_HIDDEN, GLYPH_INVALID };

/* What is escaped, copied or cut as one: a character, a byte that is none, or a joiner of an emoji
 * sequence with the emoji that it joins (cut apart, it would join what we print next). */
struct glyph {
    enum glyph_kind kind;
    const char *text;
    size_t size;
    int32_t codepoint; /* 0 for GLYPH_INVALID */
};

struct scanner {
    const char *at;
    size_t left;
    bool in_emoji; /* the last glyph was an emoji, perhaps with modifiers */
};

/* The size of the joiner at the scanner and of the emoji behind it, if it stands between two. */
static size_t joined_size(const struct scanner *scanner, size_t joiner_size)
{
    int32_t next = 0;
    size_t step = utf8_next(scanner->at + joiner_size, scanner->left - joiner_size, &next);

    return scanner->in_emoji && step > 0 && utf8_is_pictographic(next) ? joiner_size + step : 0;
}

static bool next_glyph(struct scanner *scanner, struct glyph *glyph)
{
    size_t joined = 0;

    if (scanner->left == 0) {
        return false;
    }
    glyph->kind = GLYPH_PLAIN;
    glyph->text = scanner->at;
    glyph->size = utf8_next(scanner->at, scanner->left, &glyph->codepoint);
    if (glyph->codepoint == ZERO_WIDTH_JOINER) {
        joined = joined_size(scanner, glyph->size);
    }
    if (glyph->size == 0) {
        glyph->kind = GLYPH_INVALID;
        glyph->size = 1;
        scanner->in_emoji = false;
    } else if (joined > 0) {
        glyph->size = joined;
    } else if (utf8_is_hidden(glyph->codepoint)) {
        glyph->kind = GLYPH_HIDDEN;
        scanner->in_emoji = false;
    } else {
        scanner->in_emoji = utf8_is_pictographic(glyph->codepoint) ||
                            (scanner->in_emoji && utf8_is_extending(glyph->codepoint));
    }
    scanner->at += glyph->size;
    scanner->left -= glyph->size;
    return true;
}

struct output {
    char *text;
    size_t size;
    size_t capacity;
};

/* All of it or nothing; false when it does not fit. One byte stays for the NUL. */
static bool put(struct output *output, const char *text, size_t size)
{
    if (size >= output->capacity - output->size) {
        return false;
    }
    memcpy(output->text + output->size, text, size);
    output->size += size;
    return true;
}

/* Writes GLYPH as the format has it into ESCAPED; returns the length, or 0 to take it as it is. */
typedef size_t (*escape_fn)(const struct glyph *glyph, char escaped[ESCAPE_BYTES]);

static size_t escape_text(const char *text, size_t size, escape_fn escape, char *out,
                          size_t capacity)
{
    struct scanner scanner = {.at = text, .left = size};
    struct output output = {.text = out, .capacity = capacity};
    struct glyph glyph;

    if (capacity == 0) {
        return 0;
    }
    while (next_glyph(&scanner, &glyph)) {
        char escaped[ESCAPE_BYTES];
        size_t escaped_size = escape(&glyph, escaped);
        bool fits = escaped_size > 0 ? put(&output, escaped, escaped_size)
                                     : put(&output, glyph.text, glyph.size);

        if (!fits) {
            break;
        }
    }
    out[output.size] = '\0';
    return output.size;
}

static size_t terminal_line(const struct glyph *glyph, char escaped[ESCAPE_BYTES])
{
    if (glyph->kind == GLYPH_PLAIN) {
        return 0;
    }
    if (glyph->kind == GLYPH_INVALID || glyph->codepoint < 0x80) {
        return (size_t)snprintf(escaped, ESCAPE_BYTES, "\\x%02X", (unsigned char)glyph->text[0]);
    }
    return (size_t)snprintf(escaped, ESCAPE_BYTES, "\\u{%04X}", (unsigned)glyph->codepoint);
}

static size_t terminal_lines(const struct glyph *glyph, char escaped[ESCAPE_BYTES])
{
    if (glyph->codepoint == '\n' || glyph->codepoint == '\t') {
        return 0;
    }
    return terminal_line(glyph, escaped);
}

size_t escape_for_terminal(const char *text, size_t size, bool keep_newlines, char *out,
                           size_t capacity)
{
    return escape_text(text, size, keep_newlines ? terminal_lines : terminal_line, out, capacity);
}

static size_t json_string(const struct glyph *glyph, char escaped[ESCAPE_BYTES])
{
    static const char special[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = NULL;
    unsigned codepoint = (unsigned)glyph->codepoint;

    if (glyph->kind == GLYPH_INVALID) {
        return (size_t)snprintf(escaped, ESCAPE_BYTES, "\xef\xbf\xbd"); /* U+FFFD */
    }
    found = codepoint > 0 && codepoint < 0x80 ? strchr(special, (int)codepoint) : NULL;
    if (found != NULL) {
        return (size_t)snprintf(escaped, ESCAPE_BYTES, "\\%c", letters[found - special]);
    }
    if (glyph->kind == GLYPH_PLAIN) {
        return 0;
    }
    if (codepoint > 0xffff) { /* as a surrogate pair: RFC 8259, section 7 */
        codepoint -= 0x10000;
        return (size_t)snprintf(escaped, ESCAPE_BYTES, "\\u%04X\\u%04X",
                                0xd800 | (codepoint >> 10 & 0x3ff), 0xdc00 | (codepoint & 0x3ff));
    }
    return (size_t)snprintf(escaped, ESCAPE_BYTES, "\\u%04X", codepoint);
}

size_t escape_for_json(const char *text, size_t size, char *out, size_t capacity)
{
    return escape_text(text, size, json_string, out, capacity);
}
