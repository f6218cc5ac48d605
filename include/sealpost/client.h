/*
 * libsealpost: a Sealpost client for programs and bots.
 *
 * The library never owns the event loop, starts no thread and installs no handler. A program asks
 * for the descriptor and what to poll it for, calls sp_client_service() when poll says so, and
 * takes notices one by one with sp_client_next() until there are none:
 *
 *     sp_client_connect(client);
 *     for (;;) {
 *         struct pollfd p = {sp_client_fd(client), sp_client_poll_events(client), 0};
 *         poll(&p, 1, sp_client_timeout_ms(client));
 *         sp_client_service(client);
 *         while (sp_client_next(client, &notice)) { ... }
 *     }
 *
 * or uses the blocking helpers of sealpost/blocking.h. What is not taken is not read from the
 * socket either: a slow program slows the server's sending down, and nothing piles up.
 *
 * Thread rules: a client may be used by one thread at a time; different clients are independent.
 * Pointers in a notice are valid until the next call on the same client.
 *
 * Requests are numbered; each ends with exactly one SP_NOTICE_RESULT of its number, also when the
 * connection is lost (then with SP_EDISCONNECTED: the outcome is unknown; ask again with the same
 * struct sp_once).
 */
#ifndef SEALPOST_CLIENT_H
#define SEALPOST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sealpost/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SP_ID_BYTES 16
#define SP_DIGEST_BYTES 32
#define SP_SALT_BYTES 32

struct sp_client;

/*
 * Asked for the passphrase of the sealed private key file PATH (see sealpost/join.h): writes it
 * with a NUL into OUT, of CAPACITY bytes, which the library wipes after use. SP_EPASSPHRASE: there
 * is none to be had; SP_ECANCELLED.
 */
typedef enum sp_error (*sp_passphrase_fn)(void *context, const char *path, char *out,
                                          size_t capacity);

struct sp_client_config {
    const char *host;       /* DNS name or IP address; the server's certificate must be for it */
    uint16_t port;          /* 0: 7643 */
    const char *ca_file;    /* PEM: the team's root certificate */
    const char *cert_file;  /* PEM: the device's certificate, then its issuing CA */
    const char *key_file;   /* PEM: its private key; readable by its owner only */
    int connect_timeout_ms; /* for connecting, handshake and WELCOME together; 0: 15,000 */
    const char *program;    /* not sent; for future use; may be NULL */
    sp_passphrase_fn passphrase; /* for a sealed key, called by sp_client_new(); may be NULL */
    void *passphrase_context;
};

/*
 * Makes a client and loads and checks the certificate files (RFC 5280). Does not connect. *OUT is
 * the caller's, to be freed with sp_client_free(). On error *OUT is NULL and MESSAGE has a sentence
 * that names the file and what to do.
 */
SP_API SP_CHECK enum sp_error sp_client_new(const struct sp_client_config *config,
                                            struct sp_client **out, char *message, size_t capacity);
SP_API void sp_client_free(struct sp_client *client); /* NULL is allowed; cuts the connection */

/*
 * Begins to connect (TCP, then TLS 1.3 with ALPN "sealpost/1"). Name resolution (getaddrinfo)
 * blocks here, nothing later does. Returns at once; SP_NOTICE_LOGIN or SP_NOTICE_CLOSED follows.
 * May be called again after SP_NOTICE_CLOSED: follows must then be asked for again. SP_EINVALID:
 * there is a connection already.
 */
SP_API SP_CHECK enum sp_error sp_client_connect(struct sp_client *client);

SP_API int sp_client_fd(const struct sp_client *client); /* -1: not connected */
SP_API short
sp_client_poll_events(const struct sp_client *client); /* POLLIN and POLLOUT as needed */
/* Milliseconds until sp_client_service() must be called even if poll says nothing; 0: now, -1:
 * never. */
SP_API int sp_client_timeout_ms(const struct sp_client *client);
/* Moves bytes both ways, as far as possible without blocking; reads and hashes files of transfers.
 */
SP_API void sp_client_service(struct sp_client *client);

/* Says goodbye: what was requested is sent, then BYE and close_notify; SP_NOTICE_CLOSED follows. */
SP_API void sp_client_close(struct sp_client *client);

/* How far a connection has got; what it failed with means another thing at each. */
enum sp_stage {
    SP_STAGE_CONNECT = 0, /* the name, TCP */
    SP_STAGE_TLS = 1,     /* the handshake: an error about a certificate is about the server's */
    SP_STAGE_LOGIN = 2,   /* the server judges us: such an error is about ours */
};
/* Of the present connection, or of the last one. */
SP_API enum sp_stage sp_client_stage(const struct sp_client *client);

/* The device's own certificate, as it was loaded. */
struct sp_certificate {
    const char *username; /* "" if it names none; valid as long as the client */
    const char *team;     /* likewise */
    int64_t not_before_ms;
    int64_t not_after_ms;
};
SP_API void sp_client_certificate(const struct sp_client *client, struct sp_certificate *out);

enum sp_notice_type {
    SP_NOTICE_LOGIN = 1, /* the server let us in; .login */
    SP_NOTICE_CLOSED,    /* the connection is over; .error (SP_OK after sp_client_close()), .text */
    SP_NOTICE_RESULT,    /* a request is done; .request, .error, .text, and the member that fits the
                            request */
    SP_NOTICE_ROW,       /* a row of a list; .request, .row */
    SP_NOTICE_EVENT,     /* an event of a followed log; .event */
    SP_NOTICE_FOLLOW_ENDED, /* the server ended a follow; .log, .error */
    SP_NOTICE_PRESENCE,     /* .presence */
    SP_NOTICE_PROGRESS,     /* of a transfer; .request, .progress */
    SP_NOTICE_READ_STATE,   /* of a room, changed by any device of the member; .log, .read */
    SP_NOTICE_HISTORY, /* a log lacks what the store (sealpost/store.h) had seen; .log, .history */
};

/* What a member is in the team. */
enum sp_role { SP_ROLE_MEMBER = 0, SP_ROLE_ADMINISTRATOR = 1 };

struct sp_login {
    const char *server; /* name and version */
    const char *team;
    const char *username;
    uint8_t device[SP_ID_BYTES];
    uint8_t incarnation[SP_ID_BYTES];
    int64_t time_ms;                  /* the server's clock */
    uint64_t text_bytes;              /* the longest message */
    uint64_t file_bytes;              /* the largest file */
    int64_t certificate_not_after_ms; /* of the device's own certificate */
    enum sp_role role;
};

enum sp_log_kind { SP_LOG_ROOM = 1, SP_LOG_BOX = 4, SP_LOG_SUBMISSION = 5 };

struct sp_log {
    uint8_t id[SP_ID_BYTES];
    enum sp_log_kind kind;
    const char *name;
    uint64_t head_sequence;
    uint8_t head[SP_DIGEST_BYTES];
};

/* The kinds are docs/PROTOCOL.md's; others may come and are to be passed over. */
enum sp_event_kind {
    SP_EVENT_MESSAGE = 1,
    SP_EVENT_LOG_CREATED = 2,
    SP_EVENT_JOINED = 3,
    SP_EVENT_LEFT = 4,
    SP_EVENT_TOPIC = 5,
    SP_EVENT_FILE = 6,
    SP_EVENT_RETENTION = 7,
};

struct sp_file {
    uint8_t id[SP_ID_BYTES];
    const char *name; /* its sender's data: escape it before showing it, never use it as a path */
    const char *log_name; /* "" in an event */
    const char *member;
    uint64_t sequence;
    uint64_t size;
    uint8_t sha256[SP_DIGEST_BYTES];
    int64_t time_ms;
};

/* How much of its messages and files a room keeps. 0: no limit. */
struct sp_retention {
    uint64_t seconds; /* what is older is erased */
    uint64_t events;  /* what is further back than that many events */
};

struct sp_event {
    uint8_t log[SP_ID_BYTES];
    const char *log_name; /* as FOLLOW's answer gave it */
    uint64_t sequence;
    int64_t time_ms;
    uint16_t kind;
    const char *author; /* a username; "" for the server */
    uint8_t device[SP_ID_BYTES];
    uint8_t client_id[SP_ID_BYTES];
    bool erased;         /* then there is no text and no file */
    const char *text;    /* NUL-terminated UTF-8, its sender's data; "" if the kind has none */
    size_t text_bytes;   /* without the NUL */
    struct sp_file file; /* of SP_EVENT_FILE */
    struct sp_retention retention; /* of SP_EVENT_RETENTION */
    uint8_t
        commitment[SP_DIGEST_BYTES]; /* of the header, as is BODY_BYTES: to what is erased too */
    uint32_t body_bytes;
    uint8_t
        hash[SP_DIGEST_BYTES]; /* the log's chain up to this event, as computed and checked here */
};

struct sp_progress {
    uint64_t done;  /* bytes, never fewer than before */
    uint64_t total; /* UINT64_MAX: not known */
};

/* What a log does not hold any more after a backup was restored, or a changed history accepted. */
struct sp_history {
    uint64_t seen;    /* the last event that had been seen */
    uint64_t first;   /* the first that is missing, or another now */
    uint64_t missing; /* how many of those that had been seen */
    uint64_t own;     /* messages of this device among them: they are in the outbox now, held */
};

struct sp_presence {
    const char *username;
    bool online;
    int64_t last_seen_ms; /* of who has gone offline: when */
};

/*
 * How far the member has read a room, the same for all its devices. It counts up to a head: the
 * log's head_sequence beside it. What comes after that as an event is for the program to add:
 * messages and files of others, and own ones too if UNREAD is not 0.
 */
struct sp_read_state {
    uint64_t sequence; /* up to here it is read */
    uint64_t unread;   /* messages and files after it, without those that were erased */
    uint32_t mentions; /* of these, messages that mention the member; counted up to 1,000 */
};

enum sp_row_type { SP_ROW_LOG = 1, SP_ROW_MEMBER, SP_ROW_FILE, SP_ROW_DEVICE, SP_ROW_INVITATION };

/* What somebody logs in from. */
struct sp_device {
    uint8_t id[SP_ID_BYTES];
    const char *username;
    const char *label; /* its owner's data: escape it before showing it; "": it has none */
    uint8_t fingerprint[SP_DIGEST_BYTES]; /* SHA-256 of its newest certificate */
    int64_t first_seen_ms;
    int64_t last_seen_ms; /* when it was logged in last, to about a minute */
    int64_t not_after_ms; /* of its newest certificate */
    int64_t revoked_ms;   /* 0: it is not */
    uint32_t sessions;    /* live ones */
    bool current;         /* it is this one */
};

/* A join code that was given out and not used yet. */
struct sp_invitation {
    const char *username;
    enum sp_role role;
    bool device; /* for another device of a member */
    int64_t created_ms;
    int64_t expires_ms;
    const char *created_by; /* "": the server */
    const char *host;       /* of a result: where to join; "": where this client has connected */
    uint16_t port;          /* likewise */
    bool repeated;          /* of a result: it was there already */
};

struct sp_row {
    enum sp_row_type type;
    struct sp_log log;               /* SP_ROW_LOG */
    const char *topic;               /* likewise */
    uint32_t members;                /* likewise */
    struct sp_retention retention;   /* likewise */
    bool joined;                     /* likewise: in the room, or owner of the box */
    struct sp_read_state read;       /* likewise, of a room that one is in */
    const char *username;            /* SP_ROW_MEMBER */
    bool owner;                      /* likewise */
    bool online;                     /* likewise */
    int64_t last_seen_ms;            /* likewise: when it left; 0: it is online, or never was */
    enum sp_role role;               /* likewise */
    bool disabled;                   /* likewise; only administrators are shown who is */
    struct sp_file file;             /* SP_ROW_FILE */
    struct sp_device device;         /* SP_ROW_DEVICE */
    struct sp_invitation invitation; /* SP_ROW_INVITATION */
};

struct sp_status {
    const char *server;
    int64_t time_ms;
    int64_t started_ms;
    uint32_t sessions;
    uint32_t members_online;
    uint32_t waiting_commands;
    uint64_t commits;
    uint64_t last_commit_us;
    int64_t crl_next_update_ms;
    int64_t certificate_not_after_ms;
};

struct sp_notice {
    enum sp_notice_type type;
    uint32_t request;
    enum sp_error error;
    const char
        *text; /* a sentence for the user about ERROR, from the server or from here; never NULL */
    struct sp_login login;
    struct sp_log log; /* results of create, join, leave, topic, post, follow; FOLLOW_ENDED */
    uint64_t sequence; /* of the event that was made; of a follow: the first that comes */
    uint64_t last;     /* of a follow without LIVE: the last that comes */
    int64_t time_ms;   /* of the event that was made */
    uint8_t hash[SP_DIGEST_BYTES]; /* the chain up to the event that was made */
    uint32_t retry_after_ms; /* with SP_ESLOWDOWN and the like: when to ask again; 0: not said */
    bool repeated;           /* the event was there already */
    struct sp_event event;
    struct sp_row row;
    struct sp_presence presence;
    struct sp_read_state read; /* READ_STATE, and result of sp_mark_read(); its room in .log */
    struct sp_progress progress;
    struct sp_file file; /* results of send and get */
    struct sp_status status;
    struct sp_invitation invitation; /* result of sp_invite() */
    struct sp_history history;
};

/*
 * The next notice into *OUT. False: there is none now. Decodes from what sp_client_service() has
 * read; internal frames (pings, credit, file data) are dealt with on the way.
 */
SP_API bool sp_client_next(struct sp_client *client, struct sp_notice *out);

/* What makes an event exactly once. Keep it as long as the outcome is unknown, and give it again.
 */
struct sp_once {
    uint8_t client_id[SP_ID_BYTES];
    uint8_t salt[SP_SALT_BYTES];
};
SP_API void sp_once_new(struct sp_once *once);

/*
 * Requests. All return SP_OK with the request's number, or with 0: SP_EINVALID, SP_ENAME (a name
 * that is not allowed), SP_ETOOLARGE (a text that no server takes), SP_EDISCONNECTED (not logged
 * in), SP_EBUSY (too many wait; let bytes move and take notices first), SP_ENOMEM. LOG is a name
 * ("general", "#general") or the 32 hexadecimal digits of a log's id. ONCE may be NULL: then a
 * fresh one is used, and a repetition after a lost connection may double the event.
 */
SP_API SP_CHECK enum sp_error sp_room_create(struct sp_client *client, const struct sp_once *once,
                                             const char *name, uint32_t *request);
SP_API SP_CHECK enum sp_error sp_box_create(struct sp_client *client, const struct sp_once *once,
                                            const char *name, uint32_t *request);
SP_API SP_CHECK enum sp_error sp_join(struct sp_client *client, const struct sp_once *once,
                                      const char *log, uint32_t *request);
SP_API SP_CHECK enum sp_error sp_leave(struct sp_client *client, const struct sp_once *once,
                                       const char *log, uint32_t *request);
SP_API SP_CHECK enum sp_error sp_topic(struct sp_client *client, const struct sp_once *once,
                                       const char *log, const char *topic, size_t size,
                                       uint32_t *request);
/* Owners, and administrators. */
SP_API SP_CHECK enum sp_error sp_set_retention(struct sp_client *client, const struct sp_once *once,
                                               const char *log,
                                               const struct sp_retention *retention,
                                               uint32_t *request);
SP_API SP_CHECK enum sp_error sp_post(struct sp_client *client, const struct sp_once *once,
                                      const char *log, const char *text, size_t size,
                                      uint32_t *request);

struct sp_follow {
    uint64_t after; /* events with a greater sequence number */
    uint64_t last;  /* if not 0: instead, that many before the head */
    bool live;      /* go on with new ones; else stop at the head of now */
    /* A page of history, without LIVE: at most COUNT events, 0: all (not with AROUND) … */
    uint64_t count;
    uint64_t before; /* … the last of those with a smaller sequence number; 0: not given */
    uint64_t around; /* … with this sequence number in their middle; 0: not given */
};
/* The result's log.head_sequence is the last event that was there already; a page goes from its
 * sequence to its last, and is empty if that is smaller. Events are checked
 * against the log's chain as they come. */
SP_API SP_CHECK enum sp_error sp_follow(struct sp_client *client, const char *log,
                                        const struct sp_follow *follow, uint32_t *request);
/*
 * With a store: whether LOG is still the one that was seen; reads on at most one event. SP_OK with
 * .log, SP_EINTEGRITY. Without one, or for a log that is not known, only what .log is. Ends a
 * follow of the log.
 */
SP_API SP_CHECK enum sp_error sp_check_log(struct sp_client *client, const char *log,
                                           uint32_t *request);
SP_API SP_CHECK enum sp_error sp_unfollow(struct sp_client *client, const uint8_t log[SP_ID_BYTES],
                                          uint32_t *request);

/*
 * The room is read up to SEQUENCE; beyond the head counts as the head, and a marker that is further
 * already stays where it is. The result, which has .log and .read, comes when that is durable; all
 * sessions of the member that are connected, this one too, also get SP_NOTICE_READ_STATE if it has
 * changed. Once a second is often enough.
 */
SP_API SP_CHECK enum sp_error sp_mark_read(struct sp_client *client, const char *log,
                                           uint64_t sequence, uint32_t *request);

/* All rows, however many pages they take. LOG may be NULL for members of the team. */
SP_API SP_CHECK enum sp_error sp_list_logs(struct sp_client *client, uint32_t *request);
SP_API SP_CHECK enum sp_error sp_list_members(struct sp_client *client, const char *log,
                                              uint32_t *request);
SP_API SP_CHECK enum sp_error sp_list_files(struct sp_client *client, const char *log,
                                            uint32_t *request);
SP_API SP_CHECK enum sp_error sp_watch_presence(struct sp_client *client, bool on,
                                                uint32_t *request);
SP_API SP_CHECK enum sp_error sp_get_status(struct sp_client *client, uint32_t *request);

/*
 * Sends what FD gives, from its current offset to its end, as a file called NAME to a room or a
 * box. A regular file's size is announced; of a pipe it need not be known. FD stays the caller's
 * and must stay open until the result. A regular file's offset does not move, so that the same FD
 * can be given again after a lost connection. At once SP_EFILE for what cannot be read; as result
 * SP_EFILE when reading fails, SP_ECHANGED if a regular file's size changes while it is read. The
 * result comes when the server has verified and stored it: .file and .hash are then set.
 */
SP_API SP_CHECK enum sp_error sp_send(struct sp_client *client, const struct sp_once *once,
                                      const char *log, const char *name, int fd, uint32_t *request);
/*
 * Gets the file with that id (hexadecimal, 6 digits at least) and writes it to FD (blocking
 * writes). The result is SP_OK only when the SHA-256 is right; until then FD holds nothing to be
 * trusted. sp_get_file() gives it its name only then.
 */
SP_API SP_CHECK enum sp_error sp_get(struct sp_client *client, const char *id, int fd,
                                     uint32_t *request);
/* Ends a transfer; its result is then SP_ECANCELLED, unless it was too late. Of other requests it
 * does nothing. */
SP_API void sp_cancel(struct sp_client *client, uint32_t request);

/* More about the error that a request function has just returned, or "". Valid until the next call.
 */
SP_API const char *sp_client_reason(const struct sp_client *client);

/* "libsealpost 0.1.0". Static. */
SP_API const char *sp_version(void);

#ifdef __cplusplus
}
#endif

#endif
