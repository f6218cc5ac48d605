/*
 * Mentions in a message: "@bob". The server counts them, and clients mark them, by the same rule,
 * which docs/PROTOCOL.md, "Read state", has in words. Pure; any thread.
 */
#ifndef SP_BASE_MENTION_H
#define SP_BASE_MENTION_H

#include "base/base.h"

/* The names that a text mentions, each once, in the order in which they come first. */
struct mentions {
    size_t count;
    char names[LIMIT_MENTIONS][LIMIT_USERNAME_BYTES + 1];
};

/*
 * Looks at SIZE bytes of any kind at TEXT. A mention is an '@' with a name of a member
 * (base/name.h) right behind it, as long as it goes; '.' and '-' at its end are taken for
 * punctuation. An '@' that stands right behind an ASCII letter, a digit, '.', '_', '-' or another
 * '@' is none: it is an address's. Beyond LIMIT_MENTIONS names no more are taken.
 */
void mentions_find(const char *text, size_t size, struct mentions *out);

/* Whether USERNAME is among those of TEXT. */
bool mentions_has(const char *text, size_t size, const char *username);

#endif
