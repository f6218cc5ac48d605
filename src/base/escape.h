/*
 * Text of others, made harmless for a terminal or for a script. What is shown can neither move the
 * cursor, nor set colours, nor turn the reading direction around; what is printed as JSON is JSON.
 */
#ifndef SP_BASE_ESCAPE_H
#define SP_BASE_ESCAPE_H

#include "base/base.h"

/*
 * TEXT for a terminal into OUT as a NUL-terminated string: control characters, invalid UTF-8,
 * bidirectional and other invisible format characters become \xHH or \u{HHHH}; with KEEP_NEWLINES
 * '\n' and '\t' stay. Joiners inside emoji sequences (U+200D) stay. Cut between characters at
 * CAPACITY - 1 bytes. Returns the length. Worst case: 4 bytes out for 1 byte in.
 */
size_t escape_for_terminal(const char *text, size_t size, bool keep_newlines, char *out,
                           size_t capacity);

/*
 * TEXT as the inside of a JSON string (RFC 8259, section 7), without the quotes, NUL-terminated;
 * invalid UTF-8 becomes U+FFFD, and what escape_for_terminal() would not let through \uHHHH, since
 * people look at JSON on terminals, too. Cut between characters at CAPACITY - 1 bytes. Returns the
 * length. Worst case: 6 bytes out for 1 byte in.
 */
size_t escape_for_json(const char *text, size_t size, char *out, size_t capacity);

#endif
