#include "cli/chat_parse.h"

#include <string.h>

enum argument { ARGUMENT_NONE, ARGUMENT_MAY, ARGUMENT_MUST };

static const struct {
    const char *word;
    enum chat_verb verb;
    enum argument argument;
    const char *help;
} verbs[] = {
    {"help", CHAT_HELP, ARGUMENT_NONE, "/help            these lines"},
    {"join", CHAT_JOIN, ARGUMENT_MUST, "/join ROOM       come into a room and talk there"},
    {"leave", CHAT_LEAVE, ARGUMENT_MAY, "/leave [ROOM]    leave it"},
    {"rooms", CHAT_ROOMS, ARGUMENT_NONE, "/rooms           list the rooms"},
    {"members", CHAT_MEMBERS, ARGUMENT_MAY, "/members [ROOM]  list who is in it"},
    {"files", CHAT_FILES, ARGUMENT_MAY, "/files [ROOM]    list its files"},
    {"topic", CHAT_TOPIC, ARGUMENT_MAY, "/topic [TEXT]    show or set the topic"},
    {"read", CHAT_READ, ARGUMENT_MAY, "/read [ROOM]     mark all of it as read, on all devices"},
    {"send", CHAT_SEND, ARGUMENT_MUST, "/send PATH       send a file to the room"},
    {"quit", CHAT_QUIT, ARGUMENT_NONE, "/quit            end"},
};

static const char last_help[] =
    "//text           post '/text'; every other line is posted as it is";

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t blanks_before(const char *text, size_t size)
{
    size_t count = 0;

    while (count < size && is_blank(text[count])) {
        count++;
    }
    return count;
}

static size_t word_size(const char *text, size_t size)
{
    size_t count = 0;

    while (count < size && !is_blank(text[count])) {
        count++;
    }
    return count;
}

/* WORD is what stands behind the '/'; the argument is in OUT already. */
static void find_verb(const char *word, size_t size, struct chat_input *out)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (strlen(verbs[i].word) != size || memcmp(verbs[i].word, word, size) != 0) {
            continue;
        }
        out->verb = verbs[i].verb;
        if (verbs[i].argument == ARGUMENT_NONE && out->size > 0) {
            out->mistake = "takes nothing behind it";
        } else if (verbs[i].argument == ARGUMENT_MUST && out->size == 0) {
            out->mistake = "needs something behind it; see /help";
        }
        return;
    }
    out->verb = CHAT_UNKNOWN;
    out->text = word;
    out->size = size;
}

void chat_parse(const char *line, size_t size, struct chat_input *out)
{
    size_t blanks = blanks_before(line, size);
    const char *word = line + blanks;
    size_t left = size - blanks;
    size_t word_bytes = 0;

    *out = (struct chat_input){.verb = CHAT_TEXT, .text = line, .size = size};
    if (left == 0) {
        out->verb = CHAT_NOTHING;
        return;
    }
    if (word[0] != '/') {
        return;
    }
    if (left > 1 && word[1] == '/') {
        out->text = word + 1;
        out->size = left - 1;
        return;
    }
    word_bytes = word_size(word, left);
    out->text = word + word_bytes;
    out->size = left - word_bytes;
    blanks = blanks_before(out->text, out->size);
    out->text += blanks;
    out->size -= blanks;
    while (out->size > 0 && is_blank(out->text[out->size - 1])) {
        out->size--;
    }
    find_verb(word + 1, word_bytes - 1, out);
}

const char *chat_help_line(size_t index)
{
    if (index < COUNT_OF(verbs)) {
        return verbs[index].help;
    }
    return index == COUNT_OF(verbs) ? last_help : NULL;
}
