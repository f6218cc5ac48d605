/*
 * What comes out of the domain, in one order: events, replies, changes of access. Nothing in it is
 * shown or acknowledged before the commit that it belongs to. A command's reply comes after
 * its events. The domain allocates; the session layer frees.
 */
#ifndef SP_DOMAIN_PUBLICATION_H
#define SP_DOMAIN_PUBLICATION_H

#include "base/base.h"
#include "base/queue.h"
#include "domain/command.h"
#include "event/event.h"

enum publication_kind {
    PUBLISH_REPLY,
    PUBLISH_EVENT,
    PUBLISH_ACCESS_ENDED, /* this member may no longer read this log */
    PUBLISH_SHUT_OUT,     /* this member, or this device of it, may not be here any more */
    PUBLISH_ERASED,       /* salts and bodies of these events are gone: forget them */
    PUBLISH_READ_STATE,   /* of this member in this room, for all its sessions */
    PUBLISH_DISCARD,      /* the file of this blob was erased: unlink it, then COMMAND_DISCARDED */
};

enum reply_kind {
    REPLY_ERROR, /* error, detail */
    REPLY_LOGIN,
    REPLY_EVENT,
    REPLY_FOLLOW,
    REPLY_OFFER,
    REPLY_STORED,
    REPLY_LIST,
    REPLY_FILE,
    REPLY_PAGE,
    REPLY_ENROLLED,
    REPLY_INVITED,
    REPLY_DONE,
    REPLY_READ_STATE,
};

/* One committed event, ready to be encoded for the wire by anybody. */
struct event_record {
    int64_t log_number;
    uint64_t sequence;
    char author[LIMIT_USERNAME_BYTES + 1]; /* "" when the server made it */
    bool erased;                           /* then no salt and no body */
    uint8_t header[EVENT_HEADER_BYTES];
    uint8_t salt[SALT_BYTES];
    size_t body_size;
    uint8_t *body; /* inside the same allocation as the record */
};

/* The record that holds an event of BODY_SIZE bytes, zeroed. SP_ENOMEM. Freed with free(). */
SP_CHECK enum sp_error event_record_new(size_t body_size, struct event_record **out);

struct log_info {
    int64_t number; /* the store's; of this database only, never on the wire */
    struct id id;
    enum log_kind kind;
    char name[LIMIT_LOG_NAME_BYTES + 1]; /* of a submission log: its box's */
    uint64_t head_sequence;
    struct digest head; /* the chain up to there */
};

/* How far a member has read a room. */
struct read_state {
    struct log_info log; /* head_…: what the numbers count up to */
    uint64_t sequence;   /* the marker: up to here it has read */
    uint64_t unread;     /* messages and files after it that are not erased */
    uint32_t mentions;   /* of these, messages that mention it; at most LIMIT_UNREAD_MENTIONS */
};

struct file_info {
    struct id id;
    struct id log;
    uint64_t sequence;
    char log_name[LIMIT_LOG_NAME_BYTES + 1]; /* of the room, or of the box */
    char member[LIMIT_USERNAME_BYTES + 1];   /* who sent it */
    char name[LIMIT_FILE_NAME_BYTES + 1];
    uint64_t size;
    struct digest sha256;
    int64_t time_ms;
    uint32_t bucket; /* 0: the bytes are in the database */
};

enum row_kind { ROW_LOG, ROW_MEMBER, ROW_FILE, ROW_DEVICE, ROW_INVITATION };

struct device_info {
    int64_t number;
    struct id id;
    char username[LIMIT_USERNAME_BYTES + 1];
    char label[LIMIT_LABEL_BYTES + 1];
    struct digest fingerprint; /* of its newest certificate */
    int64_t not_after_ms;      /* likewise */
    int64_t first_seen_ms;
    int64_t last_seen_ms;
    int64_t revoked_ms; /* 0: it is not */
};

struct invitation_info {
    char username[LIMIT_USERNAME_BYTES + 1];
    enum role role;
    bool device; /* for another device of a member */
    int64_t created_ms;
    int64_t expires_ms;
    char created_by[LIMIT_USERNAME_BYTES + 1]; /* "": the server */
};

struct row {
    enum row_kind kind;
    uint64_t key; /* for the next page's "after" */
    union {
        struct {
            struct log_info info;
            char topic[LIMIT_TOPIC_BYTES + 1];
            uint32_t member_count;
            struct retention_rule retention;
            bool joined;   /* the actor is in it, or owns it */
            uint64_t read; /* this and the next: of struct read_state; 0 unless joined */
            uint64_t unread;
            uint32_t mentions;
        } log;
        struct {
            int64_t number;
            char username[LIMIT_USERNAME_BYTES + 1];
            bool owner; /* of the log that was asked about */
            enum role role;
            bool disabled;
            int64_t last_seen_ms; /* when a device of it was logged in, about; 0: never */
        } member;
        struct file_info file;
        struct device_info device;
        struct invitation_info invitation;
    };
};

struct reply {
    enum reply_kind kind;
    struct origin origin;
    enum sp_error error; /* SP_OK unless REPLY_ERROR */
    char detail[160];    /* a sentence for the user, may be empty; never secret, never of other
                            people's logs */
    union {
        struct {
            struct actor actor;
            struct id incarnation;
            bool new_device;
        } login;
        struct {                 /* EVENT and STORED */
            struct log_info log; /* head_… as of this event */
            uint64_t sequence;
            int64_t time_ms;
            struct digest hash;    /* the chain up to this event */
            bool repeated;         /* it was there already: the first result */
            struct file_info file; /* STORED */
        } event;
        struct {
            struct log_info
                log;        /* head_… as of now: what was there when following began ends there */
            uint64_t first; /* the sequence number that comes first; head + 1 if there is none */
            uint64_t last;  /* the page's end; first - 1: it is empty */
            struct digest before; /* the chain up to first - 1 */
        } follow;
        struct {
            struct log_info log;
            struct id file;
            bool stored; /* it is stored already: FILE_INFO is the first result */
            struct file_info info;
            struct digest hash; /* likewise: the chain up to its event */
        } offer;
        struct {
            struct row *rows; /* owned */
            size_t count;
            bool more;
        } list;
        struct {
            struct file_info info;
            uint8_t *content; /* owned; NULL unless the bytes are in the database */
        } file;
        struct {
            int64_t log_number;
            uint64_t from;
            struct event_record **events; /* owned, consecutive from FROM; both levels */
            size_t count;
        } page;
        struct {
            struct actor actor; /* who has joined, with the new device */
            struct digest fingerprint;
            uint8_t serial[SERIAL_BYTES];
            size_t serial_bytes;
            int64_t not_after_ms;
            bool repeated;
            uint8_t *chain; /* owned: the certificate and its issuing CA, DER */
            size_t size;
        } enrolled;
        struct {
            char username[LIMIT_USERNAME_BYTES + 1];
            int64_t expires_ms;
            bool repeated;
        } invited;
        struct read_state read_state;
    };
};

struct publication {
    struct queue_item item;
    enum publication_kind kind;
    union {
        struct reply *reply;        /* owned */
        struct event_record *event; /* owned */
        struct {
            int64_t member;
            int64_t log_number;
        } access;
        struct {
            int64_t member;
            struct read_state *state; /* owned */
        } read;
        struct {
            int64_t member;
            int64_t device; /* 0: all of the member's */
            enum sp_error error;
        } shut_out;
        struct {
            int64_t log_number;
            uint64_t first; /* sequence numbers; state events among them are not erased */
            uint64_t last;
        } erased;
        struct {
            uint32_t bucket;
            struct id file;
        } discard;
    };
};

SP_CHECK enum sp_error reply_new(enum reply_kind kind, const struct origin *origin,
                                 struct reply **out);
void reply_free(struct reply *reply);  /* with all that it owns; NULL is allowed */
void reply_clear(struct reply *reply); /* an empty REPLY_ERROR again; only the origin stays */
/*
 * REPLY_ERROR with ERROR; origin and detail stay, and an empty detail says what of COMMAND it is
 * about.
 */
void reply_fail(struct reply *reply, const struct command *command, enum sp_error error);
void publication_free(struct publication *publication); /* likewise */

#endif
