/*
 * sealpost chat: one connection, many things under way. chat.c is the loop and the connection,
 * chat_task.c what is under way; how it is talked to is a face: lines for people (chat_line.c),
 * JSON for bots (chat_json.c). Nothing here blocks but reading a file that is sent and resolving a
 * name.
 */
#ifndef SP_CLI_CHAT_H
#define SP_CLI_CHAT_H

#include "cli/keep.h"
#include "cli/line_reader.h"
#include "cli/target.h"

#define CHAT_MAX_TASKS 32 /* below what a server lets wait; no input is read while they do */
#define CHAT_TAG_BYTES 256
#define CHAT_RECENT_LINES 20

enum task_kind { TASK_ACTION, TASK_FOLLOW, TASK_UNFOLLOW, TASK_LOGS, TASK_MEMBERS, TASK_FILES };

/* Something asked for whose answer has not come. */
struct task {
    struct task *next;
    enum task_kind kind;
    struct action action; /* of TASK_ACTION; its log and text point to what is below */
    char log[LIMIT_LOG_NAME_BYTES + 1];
    char *text;               /* owned; may be NULL */
    struct target target;     /* of a file: where it goes, which is asked for first */
    char *path;               /* of a file; owned */
    bool looking;             /* of a file: REQUEST asks what the target is */
    bool looked;              /* likewise: that is known */
    char tag[CHAT_TAG_BYTES]; /* JSON: the command's id as it is to be given back; "": none */
    const char *name;         /* JSON: of the command; static */
    uint64_t after;           /* of TASK_FOLLOW, as in struct sp_follow */
    uint64_t last;
    bool only_new;         /* likewise: show nothing that is there already */
    bool first;            /* the one that chat was started for: if it fails, chat ends */
    bool silent;           /* asked for by chat itself */
    bool maybe_done;       /* an attempt was cut off */
    uint64_t number;       /* in the outbox, until it is done; 0: it is not there */
    bool fresh;            /* it has been put there just now */
    bool kept;             /* it is over, and stays in the outbox */
    uint32_t request;      /* 0: not asked (again) yet */
    int64_t not_before_ms; /* monotonic; after "busy" */
    uint64_t rows;
};

/* A log whose events we see. */
struct followed {
    struct followed *next;
    char log[LIMIT_LOG_NAME_BYTES + 1];
    uint8_t id[SP_ID_BYTES];
    uint64_t last;   /* sequence number of the last event that came */
    uint64_t hidden; /* those up to this are not shown */
    uint64_t shown;  /* the last one that was shown where a person reads */
    uint64_t marked; /* up to there the server was told that it is read */
    uint64_t first;  /* the first one that was shown there */
    uint32_t asking; /* the request that asks where the marker is; 0: none */
    bool is_room;    /* and so has one */
    bool is_known;   /* where it was at the start */
    bool has_gap;    /* between that and what is shown */
};

struct chat;

struct chat_face {
    void (*line)(struct chat *chat, char *line, size_t size);
    void (*line_too_long)(struct chat *chat);
    /* LINE is the beginning of one of which a terminal has dropped the rest. */
    void (*line_cut)(struct chat *chat, const char *line, size_t size);
    /* TASK is over, with ERROR; of SP_OK, NOTICE is the result. */
    void (*done)(struct chat *chat, struct task *task, enum sp_error error, const char *text,
                 const struct sp_notice *notice);
    void (*row)(struct chat *chat, struct task *task, const struct sp_row *row);
    void (*online)(struct chat *chat);
    void (*offline)(struct chat *chat, enum sp_error error, const char *text);
    void (*read_state)(struct chat *chat, const struct sp_log *log,
                       const struct sp_read_state *read);
    void (*follow_ended)(struct chat *chat, const char *log, enum sp_error error, const char *text);
};

extern const struct chat_face chat_line_face;
extern const struct chat_face chat_json_face;

struct chat {
    struct cli *cli;
    const struct chat_face *face;
    struct line_reader input;
    struct task *tasks; /* in the order in which they were asked for */
    size_t task_count;
    size_t window; /* how many, besides files, may wait for their answers at a time */
    struct followed *followed;
    char room[LIMIT_LOG_NAME_BYTES + 1]; /* lines go there; "": nowhere yet */
    bool gone;                           /* we are not in that room any more */
    uint64_t recent;                     /* events to show of a room when it is joined */
    bool reading;                        /* standard input is not over */
    bool interactive;                    /* standard input is a terminal */
    bool commands;                       /* lines may be commands */
    bool marks;                          /* a person reads what is shown */
    int64_t mark_at_ms; /* monotonic: when the server is told; 0: nothing to tell */
    bool quit;
    bool drain_due;        /* logged in anew: what waits in the outbox goes first */
    int code;              /* what chat exits with */
    int64_t connect_at_ms; /* monotonic; 0: connected, or connecting */
    int64_t offline_since_ms;
    int backoff_ms;
};

/* A new task at the end of the list; NULL when memory runs out (that was said). LOG may be "". */
struct task *task_new(struct chat *chat, enum task_kind kind, const char *log);
/* Puts TASK before all others. */
void task_hurry(struct chat *chat, struct task *task);
/* Gives TASK a copy of SIZE bytes as its action's text. SP_ENOMEM. */
SP_CHECK enum sp_error task_set_text(struct task *task, const char *text, size_t size);
/* Puts TASK, a text to be posted, into the outbox, before it is asked for. Without one it is posted
 * all the same. */
void task_keep(struct chat *chat, struct task *task);
/* What was put there just now is not there. */
void tasks_are_not_kept(struct chat *chat);
/* Sends what waits in the outbox, that of tasks included, which are then over. As
 * sp_outbox_drain(). */
SP_CHECK enum sp_error tasks_drain(struct chat *chat, sp_notice_fn other);
/* Ends TASK with an error before it was asked for, and frees it. */
void task_refuse(struct chat *chat, struct task *task, enum sp_error error, const char *text);
/* Asks for all that can be asked for now. */
void tasks_start(struct chat *chat);
/* Milliseconds until tasks_start() has something to do; -1: nothing but the server's answers. */
int tasks_timeout_ms(const struct chat *chat);
/* A notice about a task; false if it is about none. */
bool tasks_take(struct chat *chat, const struct sp_notice *notice);
/* The connection is lost: what is under way is to be asked for again. */
void tasks_disconnected(struct chat *chat);
/* All fail with ERROR. */
void tasks_fail(struct chat *chat, enum sp_error error, const char *text);
void tasks_free(struct chat *chat);

/* The log that is followed under that name, or NULL. */
struct followed *followed_find(struct chat *chat, const char *log);
/* TASK, a TASK_FOLLOW, has been answered. */
void followed_add(struct chat *chat, const struct task *task, const struct sp_notice *notice);
void followed_remove(struct chat *chat, const char *log);
/* After a new login: all of them are asked for again, from where they were. */
void followed_resume(struct chat *chat);
void followed_free(struct chat *chat);

/* chat_read.c: FOLLOWED is new, and FIRST the first event of it that is shown. */
void read_begin(struct chat *chat, struct followed *followed, uint64_t first);
/* The event SEQUENCE of it was shown. */
void read_shown(struct chat *chat, struct followed *followed, uint64_t sequence);
/* Tells the server what was shown, if it is time; and at the end, at once. */
void read_tell(struct chat *chat);
void read_tell_last(struct chat *chat);       /* waits for a moment if a signal ends it */
int read_timeout_ms(const struct chat *chat); /* until read_tell() has something to do; -1: never */
bool read_take(struct chat *chat, const struct sp_notice *notice); /* false: it is not about that */
/* LOG is read so far, by whatever device. */
void read_came(struct chat *chat, const char *log, const struct sp_read_state *read);
void read_disconnected(struct chat *chat);
/* The team's history is another one: an older copy was put back. */
void read_restored(struct chat *chat);

/* Opens PATH to be sent by TASK, under NAME or its own. On error a sentence in TEXT. */
SP_CHECK enum sp_error task_open_file(struct task *task, const char *path, const char *name,
                                      char *text, size_t capacity);

#endif
