/*
 * UTF-8 (RFC 3629), a character at a time, and which characters are not what they seem. For the
 * parts of base that check names and make text harmless; others use name.h and escape.h. Never
 * normalizes or folds.
 */
#ifndef SP_BASE_UTF8_H
#define SP_BASE_UTF8_H

#include "base/base.h"

/*
 * The first character of TEXT: returns its length, 1 to 4 bytes, and sets *CODEPOINT. 0 when SIZE
 * is 0 or TEXT does not start with a valid character (overlong forms, surrogates, cut ones).
 */
size_t utf8_next(const char *text, size_t size, int32_t *codepoint);

/* C0, DEL and C1. */
bool utf8_is_control(int32_t codepoint);

/* The marks, embeddings, overrides and isolates of the Unicode bidirectional algorithm (UAX 9). */
bool utf8_is_bidi_control(int32_t codepoint);

/*
 * What cannot be seen but may change what is seen: control and format characters, separators of
 * lines and paragraphs, fillers, tags, variation selectors but for 15 and 16 (the emoji ones).
 */
bool utf8_is_hidden(int32_t codepoint);

/* Extended_Pictographic, and what may follow one (Extend), as in UAX 29, rule GB11. */
bool utf8_is_pictographic(int32_t codepoint);
bool utf8_is_extending(int32_t codepoint);

#endif
