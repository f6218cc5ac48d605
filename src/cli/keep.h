/*
 * The device's store, as the commands use it: opened with the settings, the outbox sent along with
 * whatever is asked for, and what there is to say about either. A store that cannot be used costs a
 * warning and nothing else, unless the command is about it.
 */
#ifndef SP_CLI_KEEP_H
#define SP_CLI_KEEP_H

#include "cli/cli.h"

#define EXIT_KEPT 75

/* Opens the store, unless it is open; after cli_prepare(). Warns if that fails, but not if it is
 * only not there. */
void keep_open(struct cli *cli, enum sp_store_mode mode);
/* The same for what is about the store alone: that there is none is no error, and cli->store then
 * NULL; that it cannot be opened is. 0, or the exit code. */
int keep_open_existing(struct cli *cli);
/* Warns if what was read could not be kept. */
void keep_close(struct cli *cli);

/* Sends what waits in the outbox, on a connection that is there, and says what came of it. Nothing
 * that fails here makes the command fail. */
void keep_drain(struct cli *cli);

/* An sp_drain_fn that says which entries were refused; CONTEXT is the cli. */
void keep_say_entry(void *context, const struct sp_outbox_entry *entry, enum sp_error error,
                    const struct sp_notice *result);
/* "sent 3 messages from the outbox"; nothing if none was. */
void keep_say_sent(struct cli *cli, uint64_t sent);

/*
 * The entry NUMBER stays in the outbox, because of ERROR: says so, in JSON on standard output, too.
 * WHAT as in "not posted to den yet". Returns EXIT_KEPT.
 */
int keep_say_kept(struct cli *cli, uint64_t number, enum sp_error error, const char *what);

/* The entry NUMBER (0: none) is over: with SP_OK, RESULT is what came of it; else it is forgotten,
 * unless it is KEPT. */
void keep_settle(struct cli *cli, uint64_t number, bool kept, enum sp_error error,
                 const struct sp_notice *result);

/*
 * cli_fail() with "WHAT LOG", for what may have failed because the log's history is not the one
 * that was seen: then the hint says how to decide.
 */
int keep_fail(struct cli *cli, enum sp_error error, const char *subject, const char *what,
              const char *log);

/* The word for a kind of entry, in JSON and plain. */
const char *keep_kind_name(enum sp_outbox_kind kind);

#endif
