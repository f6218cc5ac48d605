/*
 * The control socket: STATE/control, mode 0600, for the account that the server runs as and for
 * root, whom the kernel names (SO_PEERCRED). One request a connection: a line, "status"; the answer
 * is one line of JSON. It is served by a thread of its own, which asks the poll thread for a look
 * at what only that knows, so that nobody waits for whoever asks.
 *
 * fsck and backup do not need it: they read beside the server.
 */
#ifndef SP_SERVER_CONTROL_H
#define SP_SERVER_CONTROL_H

#include "base/log.h"
#include "base/queue.h"
#include "domain/domain.h"
#include "session/hub.h"

struct control;

struct control_config {
    const char *state; /* directory */
    const char *team;
    struct domain *domain;
    struct wake *wake; /* of the poll loop, which then calls control_serve() */
    struct log *log;
};

/* What CONFIG points to, but for its strings, must outlive it. SP_EFILE, SP_EIO, SP_ENOMEM; a
 * sentence in REASON. */
SP_CHECK enum sp_error control_start(const struct control_config *config, struct control **out,
                                     char *reason, size_t capacity);
/* Poll thread: whether something is asked for; NULL is allowed. And what it is. Never blocks. */
bool control_is_asked(const struct control *control);
void control_serve(struct control *control, const struct hub *hub, size_t connections,
                   size_t unauthenticated);
/* Ends the thread, takes the socket away. NULL is allowed. */
void control_stop(struct control *control);

/* The client's side: REQUEST's answer, a line of JSON, freed by the caller. SP_EUNREACHABLE: no
 * server is there. SP_EFORBIDDEN, SP_EIO, SP_ENOMEM. */
SP_CHECK enum sp_error control_ask(const char *state, const char *request, char **out);

#endif
