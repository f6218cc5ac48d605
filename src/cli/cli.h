/* What a command is given, and what most of them need. */
#ifndef SP_CLI_CLI_H
#define SP_CLI_CLI_H

#include "cli/command.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/settings.h"

#define EXIT_INTERRUPTED 130
#define EXIT_USAGE 2

struct cli {
    const struct options *options;
    struct output out;
    struct settings settings;
    struct session session;
    struct sp_store *store; /* NULL: there is none, or it is not wanted */
    bool prepared;
    const volatile int *stop;
};

/* getenv(3), as an environment_fn. */
const char *cli_environment(void *context, const char *name);

/* The argument number INDEX of the command, or NULL. */
const char *cli_argument(const struct cli *cli, int index);

/* The argument number INDEX as the name of a room or box, without its '#'; NULL, and that has been
 * said, if it is none. */
const char *cli_log_argument(struct cli *cli, int index);
const char *log_name_of(const char *text); /* the same for any text, silently */

/* Reads the settings. 0, or the exit code after it was said what is wrong with them. May be called
 * again. */
int cli_prepare(struct cli *cli);

/* The two halves of cli_open(), for those who go on without a connection. After cli_prepare(). */
SP_CHECK enum sp_error cli_connect(struct cli *cli);
int cli_say_unreachable(struct cli *cli, enum sp_error error);

/* Reads the settings, connects and logs in, and sends what waits in the outbox. 0, or the exit code
 * after it was said why not. */
int cli_open(struct cli *cli);
/* The same, but goes on trying for the timeout when the server cannot be reached. */
int cli_open_patiently(struct cli *cli);

/*
 * Says "sealpost: error: WHAT: why", a hint with SUBJECT (may be ""), and that the outcome is
 * unknown if it is; returns the exit code. Why is session.text, or the error's own sentence.
 */
int cli_fail(struct cli *cli, enum sp_error error, const char *subject, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* A mistake in how the command was called: says it, and where help is; returns EXIT_USAGE. */
int cli_usage(struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Reads FD to its end, at most MAXIMUM bytes. *OUT is the caller's, to be freed with free().
 * SP_ETOOLARGE, SP_EFILE, SP_ENOMEM, SP_ECANCELLED.
 */
SP_CHECK enum sp_error cli_read_all(struct cli *cli, int fd, size_t maximum, char **out,
                                    size_t *size);

/* Whether the command may read standard input. */
bool cli_may_read_input(const struct cli *cli);

/* Up to where ROOM is read. 0, or the exit code after it was said why it is not known. cmd_read.c
 */
int cli_find_marker(struct cli *cli, const char *room, uint64_t *marker);
/* Ends the connection, and says whether what was read could not be kept. */
void cli_close(struct cli *cli);

struct action;
/* Carries ACTION out on the room or box that the first argument names, and says so. cmd_room.c */
int room_act(struct cli *cli, struct action *action);

#endif
