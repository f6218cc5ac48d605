/*
 * The hub: all sessions, the logs that they follow, the shared tail, presence and transfers, on one
 * poll thread. It takes what the domain and the file workers publish, and marks the sessions that
 * have something to send.
 *
 * Memory only: commands and jobs go out through the bounded queues of domain and files, and what
 * these refuse is tried again by hub_tick(), while the sessions that feed it are not read from.
 */
#ifndef SP_SESSION_HUB_H
#define SP_SESSION_HUB_H

#include "base/clock.h"
#include "base/log.h"
#include "domain/domain.h"
#include "files/files.h"
#include "session/session.h"

struct hub_config {
    const char *team;
    const char *server; /* name and version, for WELCOME */
    uint32_t max_sessions;
    uint64_t max_file_bytes;
    uint32_t message_rate;  /* events that one member may make, a second; 0: any number */
    uint32_t message_burst; /* and at once, after some silence */
    size_t tail_bytes;
    char public_host[LIMIT_HOST_BYTES + 1]; /* where clients find the server; "": not told */
    uint16_t public_port;
    const struct clock *clock;
    struct log *log;       /* may be NULL */
    struct domain *domain; /* not owned, as are the following */
    struct files *files;
};

SP_CHECK enum sp_error hub_new(const struct hub_config *config, struct hub **out);
/* All sessions must be gone. NULL is allowed. */
void hub_free(struct hub *hub);

/* Takes everything that domain and files have published. Call after their notify. */
void hub_take(struct hub *hub);

/* The time of this turn of the loop, monotonic: before anything else is called in it. */
void hub_set_time(struct hub *hub, int64_t now_ms);
/* What has to be tried again, and presence. Call once every turn. */
void hub_tick(struct hub *hub);
/* Milliseconds after which hub_tick() wants to be called; -1: no hurry. */
int hub_timeout_ms(const struct hub *hub);

/* The next session that may have something to send, or that may be read from again; NULL: none. */
struct session *hub_next_ready(struct hub *hub);
size_t hub_ready_count(const struct hub *hub);
/* Puts SESSION back among the ready ones: it had more to send than its turn allows. */
void hub_mark_ready(struct session *session);

/* Other limits than those of the configuration, from now on; sessions know the ones of their
 * WELCOME. */
void hub_set_limits(struct hub *hub, uint64_t max_file_bytes, uint32_t message_rate,
                    uint32_t message_burst);

size_t hub_session_count(const struct hub *hub);
/* How many sessions DEVICE (its number) has. */
uint32_t hub_count_sessions(const struct hub *hub, int64_t device);
/* Uploads whose commit is under way although their session may be gone: a server that drains waits
 * for them. */
size_t hub_busy_count(const struct hub *hub);

struct hub_status {
    size_t sessions;
    unsigned members_online;
    size_t tail_bytes;
    uint64_t store_reads; /* pages that the tail did not have, since the start */
    size_t uploads_waiting;
    int64_t started_ms; /* wall */
};
void hub_get_status(const struct hub *hub, struct hub_status *out);

/* For STATUS: when the first revocation list grows stale. */
/* For INVITED: where clients find the server; HOST "": not told. */
void hub_set_public_host(struct hub *hub, const char *host, uint16_t port);
void hub_set_crl_next_update(struct hub *hub, int64_t wall_ms);

#endif
