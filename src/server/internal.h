/* What the files of src/server share. Nobody else includes it. */
#ifndef SP_SERVER_INTERNAL_H
#define SP_SERVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "domain/domain.h"
#include "files/files.h"
#include "server/address.h"
#include "server/control.h"
#include "server/issue.h"
#include "server/pollset.h"
#include "server/server.h"
#include "server/watch.h"
#include "session/hub.h"
#include "tls/authority.h"
#include "tls/stream.h"

#define PEER_BYTES 64 /* "[addr]:port" */
#define LISTENERS 8
#define CLOSING_TIMEOUT_MS 2000 /* for the peer to read what was said last */

enum connection_state {
    CONNECTION_HANDSHAKE,
    CONNECTION_SERVING,
    CONNECTION_CLOSING, /* everything was said; waiting until the peer has read it */
    CONNECTION_DEAD,    /* freed by the loop */
};

struct connection {
    struct source source;
    struct server *server;
    struct stream *stream;
    struct session *session;
    struct address *address; /* until it is logged in; NULL afterwards */
    enum connection_state state;
    int fd;
    uint64_t number; /* the session's, for the log; 0: none yet */
    bool decided;    /* whether it is let in was logged */
    bool joins;      /* has no certificate yet, and may only ask for one */
    char peer[PEER_BYTES];
    bool input_left; /* the last read was not the last there is: TLS may hold bytes that poll does
                        not see */
    int64_t deadline_ms;  /* monotonic: of the handshake, of closing */
    uint64_t taken_bytes; /* by the peer's TCP, when that last moved */
    int64_t moved_ms;     /* when that was */
    struct connection *prev, *next;
    struct connection *prev_newcomer, *next_newcomer; /* while ADDRESS is not NULL */
};

struct listener {
    struct source source;
    struct server *server;
    int fd;
};

/* Loading settings and authority anew, on a thread of its own. */
struct reload {
    pthread_t thread;
    bool running;
    bool again; /* asked for while it ran: what it has read may be old */
    atomic_bool done;
    /* What the thread makes. */
    struct settings settings;
    struct authority *authority;
    struct watch watch;
    enum sp_error error;
    char reason[SETTINGS_MESSAGE_BYTES];
    /* The poll thread's. */
    int64_t due_ms;     /* monotonic: when to begin; 0: nothing has changed */
    int64_t refresh_ms; /* when to look whether the CA must make something anew; 0: never */
    int64_t retry_ms;   /* how long until a directory that is not there is looked for again */
    bool retrying;      /* it was nothing but that */
    char last_reason[SETTINGS_MESSAGE_BYTES]; /* of the last failure; "" after a success */
};

struct server {
    const struct settings_source *source;
    struct settings *settings; /* changed by reload_finish() only, when no thread reads them */
    const struct clock *clock;
    struct log *log;
    struct authority *authority;
    struct issuer *issuer; /* NULL: nobody can join by a code */
    struct issue_port issue;
    struct domain *domain;
    struct files *files;
    struct hub *hub;
    struct control *control; /* NULL: there is none */
    struct pollset pollset;
    struct wake wake;
    struct source wake_source;
    int signal_fd;
    struct source signal_source;
    struct listener listeners[LISTENERS];
    size_t listener_count;
    bool accepting;
    bool any_dead;           /* among the connections, to be freed at the end of the turn */
    int64_t accept_again_ms; /* monotonic; 0: no pause */
    struct connection *connections;
    struct address_table *addresses;
    struct connection *newcomers; /* who is not logged in yet, oldest first */
    size_t unauthenticated;       /* how many these are */
    size_t joining;               /* how many of these join */
    uint64_t turned_away; /* connections of addresses that have too many, since the last sweep */
    uint64_t crowded_out; /* handshakes that made room for younger ones, since then */
    int64_t now_ms;       /* monotonic, of this turn */
    int64_t swept_ms;
    bool stopping;
    int64_t stop_deadline_ms;
    atomic_int fatal;   /* enum sp_error: durability was lost */
    struct watch watch; /* of the files behind the settings */
    struct source watch_source;
    struct reload reload;
    struct connection *judging;          /* the next to be judged after a reload; NULL: all were */
    uint8_t input[32768];                /* for all connections, one after the other */
    uint8_t output[STREAM_RECORD_BYTES]; /* likewise */
};

/* connection.c */
/* Takes ADDRESS over, and FD unless it fails. SP_ENOMEM. */
SP_CHECK enum sp_error connection_new(struct server *server, int fd, struct address *address,
                                      const char *peer);
/* Reads, carries out, writes: one fair turn. */
void connection_turn(struct connection *connection);
/* Deadlines, idleness, expiry, at WALL_MS. */
void connection_sweep(struct connection *connection, int64_t wall_ms);
/* Ends the session with ERROR and its sentence; a connection without one is cut. */
void connection_end(struct connection *connection, enum sp_error error);
/* Judges the certificate by the server's present authority. */
void connection_judge(struct connection *connection, int64_t wall_ms);
void connection_free(struct connection *connection);
/* Makes room for the next; whoever means it needs a moment only. JOINS: among those that join, else
 * among all that are not logged in. */
void connection_cut_oldest(struct server *server, bool joins);

/* What connection.c and connection_join.c share. */
void connection_set_state(struct connection *connection, enum connection_state state);
/* It does not count as unauthenticated any more: it is logged in, or over. */
void connection_release_address(struct connection *connection, bool failed);
/* There is no room for a session: the client is told so. */
void connection_refuse(struct connection *connection, enum sp_error error);

/* connection_join.c */
void connection_begin_join(struct connection *connection);
/* Once, when it is known what came of it. */
void connection_log_join(struct connection *connection);

/* listener.c */
SP_CHECK enum sp_error listener_open_all(struct server *server, char *message, size_t capacity);
void listener_close_all(struct server *server);
/* Accepts or not, as there is room: never spins on what it cannot take. */
void listener_update(struct server *server);

/* reload.c */
SP_CHECK enum sp_error reload_load(const struct settings *settings, const struct clock *clock,
                                   struct authority **out, char *reason, size_t capacity);
/* Watches the files from now on. Without inotify the server goes on, and the log says so. */
void reload_watch(struct server *server);
void reload_start(struct server *server);
/* Swaps in what the thread has loaded, if it is good. */
void reload_finish(struct server *server);
/* Every turn: begins what is due, and judges some of the sessions if the authority is new. */
void reload_tick(struct server *server);
/* Milliseconds until reload_tick() wants to be called; -1: no hurry. */
int reload_timeout_ms(const struct server *server);
/* Frees what a reload has left, after waiting for its thread. */
void reload_deinit(struct server *server);
void reload_warn_stale(struct server *server);
/* Where clients find the server, as the settings have it, for the hub. */
void reload_tell_host(struct server *server);

#endif
