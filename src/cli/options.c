#include "cli/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/escape.h"
#include "cli/command.h"

#define SHOWN_BYTES 64
#define MAX_TIMEOUT_S 86400
#define MAX_LINES 1000000

static const struct option_spec specs[OPTION_COUNT] = {
    {OPTION_SERVER, OPTION_TEXT, "server", "HOST:PORT", "the server", 0, true, '\0'},
    {OPTION_CERT, OPTION_TEXT, "cert", "FILE|DIR",
     "your certificate; of a directory: its cert.pem, key.pem and ca.pem", 0, true, '\0'},
    {OPTION_KEY, OPTION_TEXT, "key", "FILE", "its private key", 0, true, '\0'},
    {OPTION_CA, OPTION_TEXT, "ca", "FILE", "the team's root certificate", 0, true, '\0'},
    {OPTION_PROFILE, OPTION_TEXT, "profile", "P",
     "read the settings of profile P instead of 'default'", 0, true, '\0'},
    {OPTION_JSON, OPTION_FLAG, "json", NULL, "print one JSON object a line", 0, true, '\0'},
    {OPTION_PLAIN, OPTION_FLAG, "plain", NULL, "no colour, no columns, one item a line", 0, true,
     '\0'},
    {OPTION_QUIET, OPTION_FLAG, "quiet", NULL, "say only what went wrong", 0, true, 'q'},
    {OPTION_VERBOSE, OPTION_FLAG, "verbose", NULL, "say more", 0, true, 'v'},
    {OPTION_NO_COLOR, OPTION_FLAG, "no-color", NULL, "no colour", 0, true, '\0'},
    {OPTION_NO_INPUT, OPTION_FLAG, "no-input", NULL, "never read standard input", 0, true, '\0'},
    {OPTION_TIMEOUT, OPTION_NUMBER, "timeout", "S",
     "give up after S seconds in which nothing moved (30)", MAX_TIMEOUT_S, true, '\0'},
    {OPTION_PASSPHRASE_FILE, OPTION_TEXT, "passphrase-file", "F",
     "the passphrase of a sealed private key is the first line of F", 0, true, '\0'},
    {OPTION_HELP, OPTION_FLAG, "help", NULL, "show this help", 0, true, 'h'},
    {OPTION_VERSION, OPTION_FLAG, "version", NULL, "show the version", 0, true, '\0'},
    {OPTION_LINES, OPTION_NUMBER, "lines", "N", "this many events", MAX_LINES, false, 'n'},
    {OPTION_AFTER, OPTION_NUMBER, "after", "SEQ", "events with a greater sequence number than SEQ",
     LIMIT_SEQUENCE, false, '\0'},
    {OPTION_SINCE, OPTION_TEXT, "since", "T",
     "events since T: '2026-11-22', '2026-11-22 16:30', RFC 3339, or '90m', '12h', '3d' ago", 0,
     false, '\0'},
    {OPTION_FOLLOW, OPTION_FLAG, "follow", NULL, "go on with new events as they come", 0, false,
     'f'},
    {OPTION_OUTPUT, OPTION_TEXT, "output", "PATH|-", "write it to PATH, or to standard output", 0,
     false, 'o'},
    {OPTION_FORCE, OPTION_FLAG, "force", NULL,
     "replace what is there already; device revoke: even the one in use", 0, false, '\0'},
    {OPTION_NAME, OPTION_TEXT, "name", "NAME", "call the file NAME instead of PATH's last part", 0,
     false, '\0'},
    {OPTION_COMMANDS, OPTION_FLAG, "commands", NULL,
     "lines that begin with '/' are commands even from a pipe or a file", 0, false, '\0'},
    {OPTION_MEMBER, OPTION_TEXT, "member", "NAME|*", "of this member; device list: * is everybody",
     0, false, '\0'},
    {OPTION_ROLE, OPTION_TEXT, "role", "ROLE", "member (if not given) or administrator", 0, false,
     '\0'},
    {OPTION_ROOMS, OPTION_TEXT, "rooms", "LIST",
     "rooms to be in from the start, and boxes, with commas between them", 0, false, '\0'},
    {OPTION_DAYS, OPTION_NUMBER, "days", "N", "the code is good for N days (7)",
     LIMIT_INVITATION_VALID_MS / 86400000, false, '\0'},
    {OPTION_RENEW, OPTION_FLAG, "renew", NULL,
     "make a new code where one is open; that one is void", 0, false, '\0'},
    {OPTION_FROM, OPTION_TEXT, "from", "FILE|-", "invite everybody of a CSV file: name,role,rooms",
     0, false, '\0'},
    {OPTION_CSV, OPTION_FLAG, "csv", NULL, "print name,role,status,expires,code", 0, false, '\0'},
    {OPTION_FILES, OPTION_TEXT, "files", "DIR", "write each code into DIR/NAME.txt", 0, false,
     '\0'},
    {OPTION_DEVICE, OPTION_TEXT, "device", "LABEL",
     "call this device LABEL instead of the host's name", 0, false, '\0'},
    {OPTION_SEAL, OPTION_FLAG, "seal", NULL, "keep the private key under a passphrase", 0, false,
     '\0'},
    {OPTION_BEFORE, OPTION_NUMBER, "before", "SEQ",
     "the last events with a smaller sequence number than SEQ", LIMIT_SEQUENCE, false, '\0'},
    {OPTION_AROUND, OPTION_NUMBER, "around", "SEQ", "events with number SEQ in their middle",
     LIMIT_SEQUENCE, false, '\0'},
    {OPTION_ALL, OPTION_FLAG, "all", NULL, "log: every event, from the first; outbox: every entry",
     0, false, '\0'},
    {OPTION_QUEUE, OPTION_FLAG, "queue", NULL,
     "if the server cannot be reached, keep it in the outbox", 0, false, '\0'},
    {OPTION_OFFLINE, OPTION_FLAG, "offline", NULL, "show what this device has seen; do not connect",
     0, false, '\0'},
    {OPTION_ACCEPT_HISTORY, OPTION_FLAG, "accept-history", NULL,
     "take the server's history, although it is not the one that was seen", 0, false, '\0'},
    {OPTION_UNREAD, OPTION_FLAG, "unread", NULL, "what you have not read yet", 0, false, '\0'},
};

const struct option_spec *option_spec(enum option option)
{
    return &specs[option];
}

struct parser {
    struct options *out;
    int argc;
    char **argv;
    int at;   /* the next of ARGV */
    int kept; /* arguments so far, moved to the front of ARGV */
    char *message;
    size_t capacity;
};

static enum sp_error refuse(struct parser *parser, const char *format, ...) PRINTF_LIKE(2, 3);

static enum sp_error refuse(struct parser *parser, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(parser->message, parser->capacity, format, arguments);
    va_end(arguments);
    return SP_EINVALID;
}

/* "unknown option 'WORD'" and the like; WORD may hold anything. */
static enum sp_error refuse_word(struct parser *parser, const char *what, const char *word)
{
    char shown[SHOWN_BYTES];

    (void)escape_for_terminal(word, strlen(word), false, shown, sizeof(shown));
    return refuse(parser, "%s '%s'", what, shown);
}

static const struct option_spec *find_long(const char *name, size_t size)
{
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        if (strlen(specs[i].name) == size && memcmp(specs[i].name, name, size) == 0) {
            return &specs[i];
        }
    }
    return NULL;
}

static const struct option_spec *find_letter(char letter)
{
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        if (specs[i].letter != '\0' && specs[i].letter == letter) {
            return &specs[i];
        }
    }
    return NULL;
}

/* VALUE is NULL when the option stands alone: then the next word is it. */
static enum sp_error take_option(struct parser *parser, const struct option_spec *spec,
                                 const char *value)
{
    struct options *out = parser->out;

    if (out->text[spec->option] != NULL) {
        return refuse(parser, "the option --%s was given twice", spec->name);
    }
    if (spec->type == OPTION_FLAG) {
        if (value != NULL) {
            return refuse(parser, "the option --%s takes no value", spec->name);
        }
        out->text[spec->option] = "";
        return SP_OK;
    }
    if (value == NULL) {
        if (parser->at >= parser->argc) {
            return refuse(parser, "the option --%s needs a value: %s", spec->name, spec->value);
        }
        value = parser->argv[parser->at++];
    }
    if (spec->type == OPTION_NUMBER &&
        config_parse_u64(value, 0, spec->maximum, &out->number[spec->option]) != SP_OK) {
        return refuse(parser, "the value of --%s is not a number from 0 to %llu", spec->name,
                      (unsigned long long)spec->maximum);
    }
    out->text[spec->option] = value;
    return SP_OK;
}

static enum sp_error take_long(struct parser *parser, const char *word)
{
    size_t size = strcspn(word + 2, "=");
    const struct option_spec *spec = find_long(word + 2, size);

    if (spec == NULL) {
        return refuse_word(parser, "unknown option", word);
    }
    return take_option(parser, spec, word[2 + size] == '=' ? word + 2 + size + 1 : NULL);
}

/* "-q", "-qv", "-n5", "-n 5". */
static enum sp_error take_letters(struct parser *parser, const char *word)
{
    for (const char *at = word + 1; *at != '\0'; at++) {
        const struct option_spec *spec = find_letter(*at);
        enum sp_error error = SP_OK;

        if (spec == NULL) {
            return refuse_word(parser, "unknown option", word);
        }
        if (spec->type != OPTION_FLAG) {
            return take_option(parser, spec, at[1] == '\0' ? NULL : at + 1);
        }
        error = take_option(parser, spec, NULL);
        if (error != SP_OK) {
            return error;
        }
    }
    return SP_OK;
}

static enum sp_error take_words(struct parser *parser)
{
    bool ended = false;
    enum sp_error error = SP_OK;

    while (parser->at < parser->argc && error == SP_OK) {
        char *word = parser->argv[parser->at++];

        if (ended || word[0] != '-' || word[1] == '\0') {
            parser->argv[parser->kept++] = word;
        } else if (strcmp(word, "--") == 0) {
            ended = true;
        } else if (word[1] == '-') {
            error = take_long(parser, word);
        } else {
            error = take_letters(parser, word);
        }
    }
    return error;
}

/* Finds the command that the first one or two words name, and takes them off the arguments. */
static enum sp_error take_command(struct parser *parser)
{
    struct options *out = parser->out;
    bool lenient = option_given(out, OPTION_HELP) || option_given(out, OPTION_VERSION);

    out->args = parser->argv;
    out->arg_count = parser->kept;
    if (out->arg_count == 0) {
        return lenient ? SP_OK : refuse(parser, "no command was given");
    }
    out->command = command_find(out->args[0], NULL);
    if (out->command == NULL && command_is_group(out->args[0])) {
        out->group = out->args[0];
        if (out->arg_count == 1) {
            return lenient ? SP_OK : refuse(parser, "'%s' needs a command", out->group);
        }
        out->command = command_find(out->args[0], out->args[1]);
        if (out->command == NULL) {
            return refuse_word(parser, "unknown command", out->args[1]);
        }
        out->args++;
        out->arg_count--;
    }
    if (out->command == NULL) {
        return refuse_word(parser, "unknown command", out->args[0]);
    }
    out->args++;
    out->arg_count--;
    return SP_OK;
}

static enum sp_error check_fit(struct parser *parser)
{
    const struct options *out = parser->out;
    const struct command *command = out->command;

    if (command == NULL || option_given(out, OPTION_HELP) || option_given(out, OPTION_VERSION)) {
        return SP_OK;
    }
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        if (out->text[i] != NULL && !specs[i].everywhere &&
            (command->options & OPTION_BIT(i)) == 0) {
            return refuse(parser, "'%s' does not take the option --%s", command->name,
                          specs[i].name);
        }
    }
    if (out->arg_count < command->min_args) {
        return refuse(parser, "'%s' needs: %s", command->name, command->arguments);
    }
    if (command->max_args >= 0 && out->arg_count > command->max_args) {
        return refuse_word(parser, "too many arguments: quote what belongs together, from",
                           out->args[command->max_args]);
    }
    if (option_given(out, OPTION_JSON) && option_given(out, OPTION_PLAIN)) {
        return refuse(parser, "--json and --plain exclude each other");
    }
    return SP_OK;
}

enum sp_error options_parse(int argc, char **argv, struct options *out, char *message,
                            size_t capacity)
{
    struct parser parser = {
        .out = out, .argc = argc, .argv = argv, .at = 1, .message = message, .capacity = capacity};
    enum sp_error error = SP_OK;

    *out = (struct options){0};
    error = take_words(&parser);
    if (error == SP_OK) {
        error = take_command(&parser);
    }
    if (error == SP_OK) {
        error = check_fit(&parser);
    }
    return error;
}
