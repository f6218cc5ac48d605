/*
 * The connection under the core: dialling, TLS handshake, moving bytes, saying goodbye. A state
 * machine that never waits; client.c says when to take a step.
 */
#ifndef SP_CLIENT_LINK_H
#define SP_CLIENT_LINK_H

#include "client/connect.h"
#include "client/core.h"
#include "tls/stream.h"

enum link_state {
    LINK_DOWN,
    LINK_DIALLING,
    LINK_HANDSHAKE,
    LINK_UP,
    LINK_GOODBYE, /* our close_notify is on its way; the server's is waited for */
};

struct link {
    enum link_state state;
    enum sp_stage stage; /* how far this connection has got, or the last one */
    struct core *core;
    const struct peer_names *names;
    struct authority *authority;
    struct dial dial;
    int fd; /* -1: none */
    struct stream *stream;
    int64_t deadline_ms; /* until when we must be logged in, or have said goodbye */
    bool more;           /* TLS may hold bytes that poll(2) does not see */
    uint64_t moved_bytes;
};

/* All are kept. */
void link_init(struct link *link, struct core *core, const struct peer_names *names,
               struct authority *authority);
void link_deinit(struct link *link);

/* Begins to connect; the core has been started. Blocks in name resolution. A failure goes to the
 * core. */
void link_start(struct link *link, int timeout_ms);

/* Goes on as far as possible. */
void link_service(struct link *link);

/* After the core has ended: sends what it has left to say, as far as the socket takes it at once,
 * and closes. */
void link_close(struct link *link);

int link_fd(const struct link *link);
short link_poll_events(const struct link *link);
int link_timeout_ms(const struct link *link);
uint64_t link_bytes_moved(const struct link *link);

#endif
