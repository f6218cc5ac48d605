/*
 * The composition of sealpostd: opens everything, runs the poll loop, drains and closes. One per
 * process.
 */
#ifndef SP_SERVER_SERVER_H
#define SP_SERVER_SERVER_H

#include "base/log.h"
#include "server/settings.h"

struct server;

#define SERVER_NAME "sealpostd " SEALPOST_VERSION

/*
 * Loads the certificates, opens database and files, listens. SETTINGS, which come from SOURCE and
 * are changed by reloads, and all else must outlive the server. On error one sentence in MESSAGE.
 * The caller has blocked the signals that server_run() takes (server_block_signals()).
 */
SP_CHECK enum sp_error server_new(const struct settings_source *source, struct settings *settings,
                                  struct log *log, struct server **out, char *message,
                                  size_t capacity);
/*
 * Serves until SIGTERM or SIGINT, then drains: what is under way is finished, sessions are told,
 * all is closed. SIGHUP, or a change of their files, loads settings, certificates and revocation
 * lists again. SP_OK, or SP_EIO when durability or poll(2) was lost.
 */
SP_CHECK enum sp_error server_run(struct server *server);
void server_free(struct server *server); /* NULL is allowed */

/* Blocks SIGTERM, SIGINT and SIGHUP for this thread and those it will start, and ignores SIGPIPE.
 */
void server_block_signals(void);

#endif
