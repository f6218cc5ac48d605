/*
 * What a session asks of the domain. A command knows no wire: it names who asks, what for, and the
 * origin to which the reply goes back. The session allocates it, the queue carries it, and whoever
 * executes it frees it.
 */
#ifndef SP_DOMAIN_COMMAND_H
#define SP_DOMAIN_COMMAND_H

#include "base/base.h"
#include "base/queue.h"

/* Writing commands and those that must be in order with access run on the domain's thread, the
 * others on a reader. */
enum command_kind {
    /* domain */
    COMMAND_LOGIN,       /* → REPLY_LOGIN */
    COMMAND_ROOM_CREATE, /* → REPLY_EVENT; log.name */
    COMMAND_ROOM_JOIN,   /* → REPLY_EVENT; log. Joined already: repeated, the head's event */
    COMMAND_ROOM_LEAVE,  /* → REPLY_EVENT; log */
    COMMAND_TOPIC,       /* → REPLY_EVENT; log, body: the text, may be empty */
    COMMAND_POST,        /* → REPLY_EVENT; log, body: the text */
    COMMAND_FOLLOW,      /* → REPLY_FOLLOW; log, follow */
    COMMAND_BOX_CREATE,  /* → REPLY_EVENT; log.name */
    COMMAND_OFFER,  /* → REPLY_OFFER; log, file. May the actor put it there? Nothing is written */
    COMMAND_STORE,  /* → REPLY_STORED; log, file, blob: the bytes are durable, make the event */
    COMMAND_ENROL,  /* → REPLY_ENROLLED; enrol, body: the certificate request. No actor */
    COMMAND_INVITE, /* → REPLY_INVITED; invite, body: names of logs with spaces between them */
    COMMAND_DEVICE_REVOKE, /* → REPLY_DONE; device */
    COMMAND_MEMBER_SET,    /* → REPLY_DONE; member */
    COMMAND_RETENTION,     /* → REPLY_EVENT; log, retention */
    COMMAND_ERASE,         /* no reply. Internal: one step of erasing what is not kept */
    COMMAND_MARK_READ,     /* → REPLY_READ_STATE; log, read_up_to */
    COMMAND_SEEN,          /* no reply; body: struct seen_note, so many as there are */
    COMMAND_DISCARDED,     /* no reply; file.file, file.bucket: a blob that was erased is gone */
    COMMAND_OFFER_END,     /* no reply; client_id: an offer that led to nothing */
    /* readers */
    COMMAND_LIST_LOGS,    /* → REPLY_LIST of ROW_LOG: rooms and boxes that the actor may see */
    COMMAND_LIST_MEMBERS, /* → REPLY_LIST of ROW_MEMBER: the team, or the roster of log when given
                           */
    COMMAND_LIST_FILES, /* → REPLY_LIST of ROW_FILE: of a room, or of a box as far as the actor may
                           see */
    COMMAND_LIST_DEVICES,     /* → REPLY_LIST of ROW_DEVICE; list.member: whose */
    COMMAND_LIST_INVITATIONS, /* → REPLY_LIST of ROW_INVITATION: those that are open */
    COMMAND_FILE,             /* → REPLY_FILE; file_prefix */
    COMMAND_READ, /* → REPLY_PAGE; read. Internal: fills the tail; access was decided by FOLLOW */
};

/* Where the reply goes: a session and, within it, the request's tag. Opaque to the domain. */
struct origin {
    uint32_t session;
    uint32_t generation;
    uint32_t tag;
};

/* What a member is in the team. The numbers are stored, and part of the protocol. */
enum role { ROLE_MEMBER = 0, ROLE_ADMINISTRATOR = 1 };

/* Who asks, as REPLY_LOGIN told the session. All zero: the server itself, or whoever joins. */
struct actor {
    int64_t member;
    int64_t device;
    struct id device_id;
    enum role role;
    char username[LIMIT_USERNAME_BYTES + 1];
};

/* A log by its name, or by its id when the name is empty. */
struct log_key {
    char name[LIMIT_LOG_NAME_BYTES + 1];
    struct id id;
};

struct command_login {
    char username[LIMIT_USERNAME_BYTES + 1];
    struct digest fingerprint;
    uint8_t serial[SERIAL_BYTES];
    size_t serial_bytes;
    struct digest issuer;
    int64_t not_after_ms;
};

struct command_follow {
    uint64_t after;  /* events with a greater sequence number; ignored when LAST is given */
    uint64_t last;   /* that many before the head; 0: not given */
    uint64_t before; /* only events with a smaller one, COUNT of them; 0: not given */
    uint64_t around; /* COUNT events with this one in their middle; 0: not given */
    uint64_t count;  /* 0: to the head, or to BEFORE from the start */
};

struct command_file {
    char name[LIMIT_FILE_NAME_BYTES + 1];
    uint64_t size; /* UINT64_MAX in an offer: not known yet */
    bool has_sha256;
    struct digest sha256;
    /* COMMAND_STORE: where the bytes are. */
    struct id file;  /* event_file_id() */
    uint32_t bucket; /* of src/files; 0: the bytes are the command's body (at most
                        LIMIT_INLINE_FILE_BYTES) */
};

struct command_enrol {
    uint8_t secret[JOIN_SECRET_BYTES];
    char label[LIMIT_LABEL_BYTES + 1];
};

struct command_invite {
    struct digest secret_digest; /* command_join_digest() */
    char username[LIMIT_USERNAME_BYTES + 1];
    enum role role;
    int64_t valid_ms; /* 0: INVITATION_VALID_MS */
    bool renew;
    bool device; /* for another device of the member; "": of the actor */
};

struct command_member {
    char username[LIMIT_USERNAME_BYTES + 1];
    bool disabled;
};

/* How much of its messages and files a log keeps. 0: no limit. */
struct retention_rule {
    uint64_t seconds; /* what is older is erased */
    uint64_t events;  /* what is further back than that many events */
};

/* In a COMMAND_SEEN: DEVICE was logged in then. */
struct seen_note {
    int64_t device; /* its number */
    int64_t wall_ms;
};

struct command_read {
    int64_t log_number;
    uint64_t from; /* the first sequence number */
    uint32_t count;
};

struct publication;

struct command {
    struct queue_item item;
    enum command_kind kind;
    struct publication *answer; /* made together with the command, so that whatever runs out, there
                                   is something to answer with; the domain's to fill and take */
    struct origin origin;
    struct actor actor;
    int64_t received_ms; /* wall clock when it was decoded; decides deadlines and stamps events */
    struct id client_id; /* of commands that make an event: makes it exactly once */
    uint8_t salt[SALT_BYTES]; /* chosen by the client; see docs/PROTOCOL.md, "Exactly once" */
    struct log_key log;
    union {
        struct command_login login;
        struct command_follow follow;
        struct command_file file;
        struct command_read read;
        struct command_enrol enrol;
        struct command_invite invite;
        struct command_member member;
        struct id device;
        struct retention_rule retention;
        int64_t erase_ms;    /* monotonic: when it was made */
        uint64_t read_up_to; /* a sequence number; beyond the head: the head */
        struct {
            char digits[ID_HEX_BYTES]; /* hexadecimal, 6 digits at least */
        } file_prefix;
        struct {
            uint64_t after; /* rows after this key, as the last row gave it */
            uint32_t limit; /* at most LIMIT_PAGE_ROWS; 0: that */
            char member[LIMIT_USERNAME_BYTES + 1]; /* "": the actor, "*": everybody */
        } list;
    };
    size_t body_size;
    uint8_t body[]; /* text of POST and TOPIC; bytes of an inline file */
};

/* Zeroed but for KIND and the body's size (its bytes are the caller's to fill in). SP_ENOMEM. */
SP_CHECK enum sp_error command_new(enum command_kind kind, size_t body_size, struct command **out);
void command_free(struct command *command); /* NULL is allowed */
/* What is kept of a join code's secret: SHA-256("sealpost join secret 1" 00 secret). SP_EINTERNAL.
 */
SP_CHECK enum sp_error command_join_digest(const uint8_t secret[JOIN_SECRET_BYTES],
                                           struct digest *out);
/* Whether KIND is executed by the domain's thread (else by a reader). */
bool command_is_for_domain(enum command_kind kind);
/* Whether nobody waits for its reply, which is not published. */
bool command_is_silent(enum command_kind kind);

#endif
