/* What the files of src/session share. Nobody else includes it. */
#ifndef SP_SESSION_INTERNAL_H
#define SP_SESSION_INTERNAL_H

#include <utlist.h>

#include "base/table.h"
#include "session/hub.h"
#include "session/session.h"
#include "session/tail.h"
#include "wire/frame.h"

/* Origins that are no session: replies to them go to a transfer or to a read of the tail. */
#define ORIGIN_TRANSFER UINT32_MAX
#define ORIGIN_READ (UINT32_MAX - 1)

/* Unsent answers beyond which a session's requests are not read any more, and that it may never
 * have. */
#define OUTPUT_PAUSE_BYTES ((size_t)64 * 1024)
#define OUTPUT_MAXIMUM_BYTES ((size_t)1024 * 1024)

enum session_state {
    SESSION_LOGGING_IN,
    SESSION_JOINING, /* no member yet: ENROL is all that it may say */
    SESSION_OPEN,
    SESSION_ENDED
};

/* A log that somebody follows. */
struct channel {
    int64_t log_number;
    struct id log;
    uint64_t head; /* the last sequence number that was published */
    struct cursor *followers;
    unsigned reads;          /* of the store, under way */
    uint64_t born;           /* hub->erasures when it was made */
    uint64_t erased_at;      /* hub->erasures after its last one; 0: none */
    uint64_t erased_through; /* up to this sequence number */
    bool fresh;              /* in the hub's list: has events that its followers were not told of */
    struct channel *prev_fresh, *next_fresh;
    UT_hash_handle hh;
};

/* Where one session stands in one log. */
struct cursor {
    struct session *session;
    struct channel *channel;
    uint64_t next;
    uint64_t until; /* UINT64_MAX: live */
    bool pending;   /* in its session's pending list: may have something to send */
    bool waiting;   /* for a read of the store */
    struct cursor *prev, *next_follower;
    struct cursor *prev_of_session, *next_of_session;
    struct cursor *prev_pending, *next_pending;
};

struct session {
    struct hub *hub;
    void *owner;
    uint64_t number;
    uint32_t slot;
    uint32_t generation;
    enum session_state state;
    enum sp_error end_reason;
    struct actor actor;
    struct join *join;               /* of a joining one; owned */
    struct presence_entry *presence; /* its member's, once it is logged in */
    int64_t not_after_ms;
    struct buffer in;  /* a frame that is not all there, or that cannot be carried out yet */
    struct buffer out; /* answers; never events or file data */
    unsigned waiting;  /* requests that wait for their answer, weighted */
    bool stalled;      /* in the hub's stalled list: a queue was full */
    bool ready;        /* in the hub's ready list */
    bool watches_presence;
    bool pinged;
    uint64_t presence_seen;
    uint64_t read_seen;  /* up to which change of its member's read state it was told */
    int64_t noted_ms;    /* monotonic: when the domain was told last that it is here */
    int64_t received_ms; /* monotonic: when the last byte came */
    int64_t partial_ms;  /* when the first byte of a frame came that is not all there; 0: none */
    struct cursor *cursors;
    unsigned cursor_count;
    struct cursor *pending;
    struct transfer *transfers;
    unsigned transfer_count;
    struct session *prev_ready, *next_ready;
    struct session *prev_stalled, *next_stalled;
    struct session *prev_of_member, *next_of_member;
};

enum transfer_phase {
    UPLOAD_OFFERING,   /* the domain decides whether it may */
    UPLOAD_WAITING,    /* for credit from the pool */
    UPLOAD_PREPARING,  /* the worker reserves space */
    UPLOAD_RECEIVING,  /* DATA */
    UPLOAD_COMMITTING, /* the worker verifies and syncs */
    UPLOAD_STORING,    /* the domain makes the event */
    UPLOAD_WITHDRAWN,  /* it came to nothing; the domain is still to be told */
    DOWNLOAD_ASKING,   /* the readers look it up */
    DOWNLOAD_SENDING,  /* DATA */
};

struct transfer_chunk {
    struct transfer_chunk *prev, *next;
    uint8_t *data; /* owned */
    size_t size;
    size_t sent;
};

struct transfer {
    struct hub *hub; /* it may outlive its session */
    uint64_t token;
    struct session *session; /* NULL: gone, or it has had its answer */
    uint16_t stream;
    enum transfer_phase phase;
    struct actor actor;
    struct command *command; /* owned; the queue was full when it was to be submitted */
    /* uploads */
    struct id client_id;
    uint8_t salt[SALT_BYTES];
    struct log_key log;
    struct command_file file;
    struct upload *upload;
    uint8_t *content; /* owned: an inline file's bytes on their way to the domain */
    uint64_t size;    /* as stored */
    struct presence_entry *member;
    int64_t moved_ms;    /* monotonic: when DATA came last */
    uint64_t pool_bytes; /* taken from the hub's pool, and from what one member may take of it */
    uint64_t credit;     /* what the sender may still send, or, in a download, what we may */
    uint64_t received;   /* bytes so far */
    uint64_t credit_due; /* written and not given back yet */
    /* downloads */
    struct download *download;
    struct file_info info;
    struct transfer_chunk *chunks;
    uint64_t to_send;
    uint64_t to_ask;
    unsigned asked; /* reads under way */
    uint64_t asked_bytes;
    uint64_t offset;
    struct transfer *prev, *next; /* of the session */
    UT_hash_handle hh;            /* by token */
};

struct store_read {
    uint32_t id;
    int64_t log_number;
    uint64_t from;
    uint32_t count;
    uint64_t erasures; /* hub->erasures when it was asked for */
    struct store_read *prev, *next;
};

/* What may be done now, and how fast it comes back. */
struct allowance {
    int64_t tokens_milli; /* times 1,000 */
    int64_t refilled_ms;  /* monotonic: when that was right */
};

/* What is known of a member who is, or has been, logged in. */
struct presence_entry {
    int64_t member;
    char username[LIMIT_USERNAME_BYTES + 1];
    unsigned sessions;
    struct session *live;     /* those sessions */
    int64_t last_seen_ms;     /* wall: when the last of them ended; 0: it has some */
    struct read_entry *reads; /* see read_state.c; none without sessions */
    struct read_entry *reads_by_version;
    uint64_t read_version; /* of the newest of them */
    uint64_t version;      /* when it last changed */
    struct allowance messages;
    struct allowance marks;
    uint64_t pool_bytes;                /* of the uploads' pool, in all its sessions */
    struct presence_entry *prev, *next; /* by version, oldest first */
    UT_hash_handle hh;
};

struct presence {
    struct presence_entry *members;
    struct presence_entry *by_version;
    uint64_t version;
    uint64_t published; /* what sessions may see */
    int64_t published_ms;
    unsigned online_count;
    struct seen_note notes[LIMIT_SEEN_NOTES]; /* that the domain has not got yet */
    size_t note_count;
    int64_t noted_ms;   /* monotonic: when the pass over all sessions got to … */
    uint32_t note_slot; /* … this one */
    bool lively;        /* something has changed since it was published */
};

struct hub {
    struct hub_config config;
    struct session **slots;
    uint32_t *generations;
    uint32_t slot_count;
    size_t session_count;
    uint64_t next_session_number;
    struct session *ready;
    struct session *stalled;
    struct channel *channels;
    struct channel *fresh;
    struct tail *tail;
    struct store_read *reads;
    uint32_t next_read;
    uint64_t store_reads;
    uint64_t erasures; /* that were published: what was read before one may be what it erased */
    bool starved;      /* reads of the store were refused */
    struct transfer *transfers;
    uint64_t next_token;
    unsigned held_commands;     /* transfers whose command was refused */
    unsigned waiting_uploads;   /* for the pool */
    uint64_t upload_pool_bytes; /* in use */
    uint64_t download_pool_bytes;
    struct presence presence;
    int64_t started_ms;
    int64_t now_ms; /* monotonic, of this turn */
    int64_t crl_next_update_ms;
};

/* session.c */
/* Appends a frame to the session's answers; a session whose answers do not fit ends. */
void session_send(struct session *session, enum frame_type type, uint16_t stream,
                  const void *message);
void session_send_error(struct session *session, uint16_t stream, enum sp_error error,
                        const char *text);
/* SP_ESLOWDOWN, with when to come again. */
void session_send_slow_down(struct session *session, uint16_t stream, uint32_t retry_after_ms);
/* Carries out what is kept of the input, as far as it can be. */
void session_continue(struct session *session);

/* request.c */
/*
 * Carries out one frame. SP_OK: done, or answered with an error. SP_EAGAIN: a queue is full, try
 * the same frame again later. SP_EPROTOCOL: the session must end.
 */
SP_CHECK enum sp_error request_handle(struct session *session, const struct frame *frame);
/* What a reply's tag holds besides the stream: whether a follow is live, and what the request
 * counts for while it waits. */
#define TAG_STREAM(tag) ((uint16_t)((tag)&0xffff))
#define TAG_IS_LIVE(tag) (((tag) >> 16 & 1) != 0)
#define TAG_WEIGHT(tag) ((tag) >> 24)
#define TAG(stream, live, weight) \
    ((uint32_t)(stream) | ((live) ? UINT32_C(1) << 16 : 0) | (uint32_t)(weight) << 24)

/* join.c: what a session that joins says and is told. Errors as of request_handle(). */
SP_CHECK enum sp_error join_begin(struct session *session); /* SP_ENOMEM */
SP_CHECK enum sp_error join_handle(struct session *session, const struct frame *frame);
void join_reply(struct session *session, const struct reply *reply);
/* The answer to a wrong code, when it has been kept back long enough. */
void join_tick(struct session *session, int64_t now_ms);
void join_free(struct session *session);

/* answer.c */
void answer_send(struct session *session, const struct reply *reply);
void answer_fill_log(sealpost_v1_LogInfo *out, const struct log_info *info);
void answer_fill_file(sealpost_v1_FileInfo *out, const struct file_info *info);

/* follow.c */
SP_CHECK enum sp_error follow_begin(struct session *session, const struct reply *reply,
                                    uint64_t until);
void follow_end(struct cursor *cursor);
struct cursor *follow_find(struct session *session, const struct id *log);
void follow_published(struct hub *hub, const struct event_record *record);
/* Tells the followers of what was published: once, however many events there were. */
void follow_tell(struct hub *hub);
void follow_access_ended(struct hub *hub, int64_t member, int64_t log_number);
void follow_page(struct hub *hub,
                 const struct reply *reply); /* REPLY_PAGE, or an error for a read */
/* Salts and bodies of these events are gone. */
void follow_erased(struct hub *hub, int64_t log_number, uint64_t first, uint64_t last);
void follow_pull(struct session *session, struct writer *writer);
void follow_retry(struct hub *hub);

/* upload.c and download.c; transfer.c has what they share */
struct transfer *transfer_find(struct session *session, uint16_t stream);
SP_CHECK enum sp_error transfer_open(struct session *session, uint16_t stream,
                                     enum transfer_phase phase, struct transfer **out);
void transfer_close(struct transfer *transfer);
/* The session has its last answer on this stream: the transfer belongs to nobody from now on. */
void transfer_orphan(struct transfer *transfer);
/* Submits, or keeps the command until there is room. Takes COMMAND over. */
void transfer_submit(struct transfer *transfer, struct command *command);
void transfer_retry(struct hub *hub);
struct origin transfer_origin(const struct transfer *transfer);
void transfer_reply(struct hub *hub, struct reply *reply);
void transfer_completed(struct hub *hub, struct files_completion *completion);
void transfer_session_gone(struct transfer *transfer);

SP_CHECK enum sp_error upload_offer(struct session *session, const struct frame *frame,
                                    const sealpost_v1_Offer *offer);
SP_CHECK enum sp_error upload_data(struct transfer *transfer, struct slice raw);
SP_CHECK enum sp_error upload_commit(struct transfer *transfer, const sealpost_v1_Commit *commit);
void upload_cancel(struct transfer *transfer, enum sp_error error, const char *text);
void upload_reply(struct transfer *transfer, const struct reply *reply);
void upload_completed(struct transfer *transfer, struct files_completion *completion);
/* Phase UPLOAD_WAITING: begins if there is credit now, else SP_OK as well. An error: it is to be
 * cancelled. */
SP_CHECK enum sp_error upload_prepare(struct transfer *transfer);

SP_CHECK enum sp_error download_get(struct session *session, const struct frame *frame,
                                    const sealpost_v1_Get *get);
void download_credit(struct transfer *transfer, uint64_t bytes);
void download_reply(struct transfer *transfer, struct reply *reply);
void download_completed(struct transfer *transfer, struct files_completion *completion);
void download_pull(struct session *session, struct writer *writer);
void download_ask(struct transfer *transfer);

/* read_state.c */
SP_CHECK enum sp_error request_mark_read(struct session *session, const struct frame *frame,
                                         const union message *message);
void read_state_fill(sealpost_v1_ReadState *out, const struct read_state *state);
/* The member NUMBER has another read state in a room, or none any more. */
void read_state_published(struct hub *hub, int64_t number, const struct read_state *state);
void read_state_ended(struct hub *hub, int64_t number, int64_t log_number);
/* Sends what the session has not been told, as far as its answers have room. */
void read_state_pull(struct session *session);
void read_state_forget(struct presence_entry *member);

/* presence.c */
/* NULL: it was never logged in. */
struct presence_entry *presence_find(const struct hub *hub, int64_t member);
/* When MEMBER, whom the store saw at STORED_MS, was here last; 0: it is, or never was. */
int64_t presence_last_seen(const struct hub *hub, int64_t member, int64_t stored_ms);
/* Tells the domain who has been here, as far as it has not been told. */
void presence_flush(struct hub *hub);
/* SP_ENOMEM. */
SP_CHECK enum sp_error presence_login(struct session *session);
void presence_logout(struct session *session);
bool presence_is_online(const struct hub *hub, int64_t member);
/*
 * Takes one message from what the session's member may send (a token bucket that all its sessions
 * share). 0, or after how many milliseconds there will be one.
 */
uint32_t presence_take_message(struct session *session);
/* It was not sent after all. */
void presence_return_message(struct session *session);
/* The same for MARK_READs. */
uint32_t presence_take_mark(struct session *session);
void presence_return_mark(struct session *session);
void presence_tick(struct hub *hub);
/* Sends what has changed since the session saw it last, as far as its answers have room. */
void presence_pull(struct session *session);
void presence_deinit(struct hub *hub);

/* request_team.c: entries of request.c's table. */
SP_CHECK enum sp_error request_invite(struct session *session, const struct frame *frame,
                                      const union message *message);
SP_CHECK enum sp_error request_device_revoke(struct session *session, const struct frame *frame,
                                             const union message *message);
SP_CHECK enum sp_error request_member_set(struct session *session, const struct frame *frame,
                                          const union message *message);

/* request.c: fills in what every command has. SP_ENOMEM. */
SP_CHECK enum sp_error request_new_command(const struct session *session, enum command_kind kind,
                                           uint16_t stream, size_t body_size, struct command **out);
/* A LogKey of the wire. SP_EINVALID. */
SP_CHECK enum sp_error request_log_key(bool present, const sealpost_v1_LogKey *key,
                                       struct log_key *out);
/* What makes it exactly once. SP_EINVALID when it is missing. */
SP_CHECK enum sp_error request_once(bool present, const sealpost_v1_Once *once,
                                    struct id *client_id, uint8_t salt[SALT_BYTES]);
/* Hands COMMAND to the domain. SP_EAGAIN: full; the session is stalled and COMMAND is freed.
 * SP_ESHUTDOWN likewise. */
SP_CHECK enum sp_error request_submit(struct session *session, struct command *command);

#endif
