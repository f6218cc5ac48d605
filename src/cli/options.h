/*
 * The command line: which options there are, which command was named, what is left as its
 * arguments. Called by main() once. Never prints, never reads the environment or a file.
 */
#ifndef SP_CLI_OPTIONS_H
#define SP_CLI_OPTIONS_H

#include "base/base.h"

struct command;

enum option {
    /* of every command */
    OPTION_SERVER,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_CA,
    OPTION_PROFILE,
    OPTION_JSON,
    OPTION_PLAIN,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_NO_COLOR,
    OPTION_NO_INPUT,
    OPTION_TIMEOUT,
    OPTION_PASSPHRASE_FILE,
    OPTION_HELP,
    OPTION_VERSION,
    /* of some */
    OPTION_LINES,
    OPTION_AFTER,
    OPTION_SINCE,
    OPTION_FOLLOW,
    OPTION_OUTPUT,
    OPTION_FORCE,
    OPTION_NAME,
    OPTION_COMMANDS,
    OPTION_MEMBER,
    OPTION_ROLE,
    OPTION_ROOMS,
    OPTION_DAYS,
    OPTION_RENEW,
    OPTION_FROM,
    OPTION_CSV,
    OPTION_FILES,
    OPTION_DEVICE,
    OPTION_SEAL,
    OPTION_BEFORE,
    OPTION_AROUND,
    OPTION_ALL,
    OPTION_QUEUE,
    OPTION_OFFLINE,
    OPTION_ACCEPT_HISTORY,
    OPTION_UNREAD,
    OPTION_COUNT
};

#define OPTION_BIT(option) (UINT64_C(1) << (option))

enum option_type { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER };

struct option_spec {
    enum option option;
    enum option_type type;
    const char *name;  /* without the dashes */
    const char *value; /* what help calls its value; NULL for a flag */
    const char *summary;
    uint64_t maximum; /* of a number; the minimum is 0 */
    bool everywhere;  /* every command takes it */
    char letter;      /* '\0': none */
};

const struct option_spec *option_spec(enum option option);

struct options {
    const struct command *command;  /* NULL: none was named, or only a group */
    const char *group;              /* the group that was named without a command, or NULL */
    const char *text[OPTION_COUNT]; /* NULL: not given; "" for a flag; borrowed from argv */
    uint64_t number[OPTION_COUNT];  /* of those that are numbers */
    char **args;                    /* of the command, in argv */
    int arg_count;
};

static inline bool option_given(const struct options *options, enum option option)
{
    return options->text[option] != NULL;
}

/*
 * Options may stand before the command, after it, and between its arguments; "--" ends them, "-" is
 * an argument. ARGV is rearranged, and *OUT points into it. SP_EINVALID with a sentence in MESSAGE:
 * an unknown or repeated option, one that the command does not take, a missing or bad value, an
 * unknown command, too few or too many arguments. With --help or --version nothing else is judged
 * but the options themselves. *OUT is filled in as far as it was read even then.
 */
SP_CHECK enum sp_error options_parse(int argc, char **argv, struct options *out, char *message,
                                     size_t capacity);

#endif
