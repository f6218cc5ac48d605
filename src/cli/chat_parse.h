/* What a line typed into chat means. Nothing that begins with '/', whatever blanks are before it,
 * is ever text: what was meant as a command is not posted. */
#ifndef SP_CLI_CHAT_PARSE_H
#define SP_CLI_CHAT_PARSE_H

#include "base/base.h"

enum chat_verb {
    CHAT_NOTHING, /* an empty line */
    CHAT_TEXT,    /* to be posted */
    CHAT_UNKNOWN, /* a command that there is not */
    CHAT_HELP,
    CHAT_JOIN,
    CHAT_LEAVE,
    CHAT_ROOMS,
    CHAT_MEMBERS,
    CHAT_FILES,
    CHAT_TOPIC,
    CHAT_READ,
    CHAT_SEND,
    CHAT_QUIT
};

struct chat_input {
    enum chat_verb verb;
    const char *text; /* of TEXT; of a command its argument, "" if it has none; of UNKNOWN the word;
                         all in LINE and not NUL-terminated */
    size_t size;
    const char *mistake; /* NULL, or what is wrong with the argument; static */
};

void chat_parse(const char *line, size_t size, struct chat_input *out);

/* The lines of /help, in order; NULL behind the last. */
const char *chat_help_line(size_t index);

#endif
