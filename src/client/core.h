/*
 * The protocol core of libsealpost: bytes in, notices out; requests in, bytes out. It knows no
 * socket, no TLS and no poll; the only descriptors it touches are those of files that are sent or
 * fetched. One struct core serves one client, connection after connection.
 *
 * Nothing queues: a notice is decoded out of the input when it is asked for, and input that has no
 * room is not read. Called by client.c, the requests of ask.c, the tests and the fuzzer.
 */
#ifndef SP_CLIENT_CORE_H
#define SP_CLIENT_CORE_H

#include "base/clock.h"
#include "client/convert.h"
#include "client/reason.h"
#include "sealpost/client.h"
#include "sealpost/store.h"
#include "wire/frame.h"

/* Three of the largest frames and some small ones. */
#define CORE_INPUT_BYTES (128 * 1024UL)
/* Requests that wait to be sent; behind it is room for what the core itself has to say. */
#define CORE_OUTPUT_BYTES (256 * 1024UL)
#define CORE_RESERVE_BYTES 16384UL
/* Below this much waiting output, file data is added. */
#define CORE_LOW_WATER_BYTES 16384UL
#define CORE_TRANSFERS LIMIT_TRANSFERS_PER_SESSION
#define CORE_REQUESTS (LIMIT_COMMANDS_PER_SESSION + CORE_TRANSFERS)
#define PING_ANSWER_TIMEOUT_MS 30000

enum core_phase {
    CORE_IDLE,    /* no connection */
    CORE_WELCOME, /* waiting for the server to let us in */
    CORE_OPEN,    /* logged in */
    CORE_ENDED,   /* over; results and SP_NOTICE_CLOSED are still to be given out */
};

/* What a request expects as its answer. Bits, so that a handler can name several. */
enum ask {
    ASK_EVENT = 1,     /* EVENT_RESULT */
    ASK_FOLLOW = 2,    /* FOLLOWING */
    ASK_LIST = 4,      /* ROW_…, LIST_END */
    ASK_DONE = 8,      /* DONE */
    ASK_STATUS = 16,   /* STATUS_RESULT */
    ASK_UPLOAD = 32,   /* see upload.c */
    ASK_DOWNLOAD = 64, /* see download.c */
    ASK_INVITE = 128,  /* INVITED */
    ASK_MARK = 256,    /* MARKED */
    ASK_ANY = 511,
};

struct request {
    uint32_t number; /* 0: a free slot */
    uint16_t stream;
    enum ask ask;
    bool live;                 /* ASK_FOLLOW */
    bool page;                 /* likewise: may end before the head */
    bool catching_up;          /* likewise: what was missed is read first … */
    bool reconciling;          /* … and compared with what had been seen … */
    bool check;                /* … and that is all that was wanted … */
    sealpost_v1_Follow follow; /* … or else this is asked for then */
    struct id known;           /* ASK_FOLLOW: the log, if the store knows it … */
    uint64_t seen;             /* … and the last event that it knew when this went out … */
    uint64_t after;            /* … and the head to catch up from */
    bool too_much;             /* likewise: what was missed is not read after it */
    unsigned again;            /* likewise: how often what came had left something out */
    bool unfollow;             /* ASK_DONE: of UNFOLLOW */
    struct id log;             /* likewise */
    sealpost_v1_List list;     /* ASK_LIST: what to ask for the next page */
    bool page_has_rows;        /* likewise */
    int64_t list_stamp_ms;     /* likewise: when it began */
    struct transfer *transfer; /* ASK_UPLOAD, ASK_DOWNLOAD; owned */
};

struct core {
    const struct clock *clock;
    const struct peer_names *names;
    int64_t certificate_not_after_ms;
    enum core_phase phase;
    bool leaving; /* BYE is in the output: nothing may follow it */

    struct buffer input;
    struct buffer output;
    bool input_over; /* the connection is over when the input is used up */
    enum sp_error end_error;
    char end_text[REASON_BYTES];

    struct request requests[CORE_REQUESTS];
    size_t request_count; /* in all */
    size_t transfer_count;
    size_t request_limit; /* as announced, without transfers */
    size_t transfer_limit;
    uint32_t last_number;
    size_t turn; /* whose file data comes next: index of requests[] */
    struct follow *follows;
    struct sp_store *store; /* NULL: nothing is kept. Not ours */
    struct caught_up {      /* to be given out, or to be gone on with */
        uint32_t request;   /* 0: nothing */
        struct id log;
        int kind;
        uint64_t head_sequence;
        struct digest head;
        struct sp_history history; /* missing 0: nothing to tell */
    } caught_up;

    int64_t idle_ms;
    int64_t last_received_ms;
    int64_t ping_deadline_ms; /* 0: no PING of ours is unanswered */

    /* What the last notice points to. */
    union message message;
    sealpost_v1_FileInfo file; /* of a transfer that is done */
    char text[REASON_BYTES];
    char reason[REASON_BYTES];           /* of what a request function has refused */
    char strings[CONVERT_STRINGS_BYTES]; /* an event's */
    char log_name[LIMIT_LOG_NAME_BYTES + 1];
    size_t presence_at; /* the next change of message.presence to be given out */
    size_t presence_count;
};

/* CLOCK and NAMES are kept. */
void core_init(struct core *core, const struct clock *clock, const struct peer_names *names);
void core_deinit(struct core *core);

/* A new connection begins. Not while one is under way. */
void core_start(struct core *core);

/*
 * Room for received bytes at *OUT; returns how many, 0 if none are wanted now. Then core_received()
 * with how many came.
 */
size_t core_input_room(struct core *core, uint8_t **out);
void core_received(struct core *core, size_t size);
/* Whether core_input_room() would give any. */
bool core_wants_input(const struct core *core);

/* No more bytes will come: when the input is used up the connection is over, because of ERROR. */
void core_input_end(struct core *core, enum sp_error error, const char *text);

/* The connection is over now; what has been received is dropped. The first call counts. */
void core_stop(struct core *core, enum sp_error error, const char *text);
/* The same because the peer does what it must not: with BYE. */
void core_fail(struct core *core, enum sp_error error, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same because of our own trouble, e.g. SP_ENOMEM; its text is ERROR's. */
void core_fail_own(struct core *core, enum sp_error error);

/* Says BYE; no more requests. Without a login the connection is over at once. */
void core_goodbye(struct core *core);

/* What is to be sent next, file data included; borrowed until the next call. Then core_sent(). */
struct slice core_output(struct core *core);
void core_sent(struct core *core, size_t size);
/* Whether core_output() would give any. */
bool core_has_output(const struct core *core);

/* Timers, and hashing that nobody's bytes drive. Before core_output(), whenever something happened
 * or core_timeout_ms() is up. */
void core_tick(struct core *core);
int core_timeout_ms(const struct core *core); /* 0: now; -1: never */

/* Whether core_next() has something to work on. */
bool core_has_input(const struct core *core);

/* As sp_client_next(). */
bool core_next(struct core *core, struct sp_notice *out);

/* ---- For the other files of the core ---- */

/*
 * Begins a request: a slot and a stream of its own, and the frame in the output. SP_EDISCONNECTED,
 * SP_EBUSY, SP_ENOMEM.
 */
SP_CHECK enum sp_error core_request(struct core *core, enum ask ask, enum frame_type type,
                                    const void *message, struct slice raw, struct request **out);
void core_request_end(struct core *core, struct request *request);     /* frees its transfer, too */
struct request *core_request_find(struct core *core, uint32_t number); /* NULL: there is none */

/* A frame that the core sends by itself; there is always room. */
void core_send(struct core *core, enum frame_type type, uint16_t stream, const void *message);

/* An empty notice with no pointer NULL. */
void core_notice(struct sp_notice *out, enum sp_notice_type type, uint32_t request);
/* A result with an error; TEXT is copied; empty: ERROR's own. */
void core_result(struct core *core, struct sp_notice *out, uint32_t request, enum sp_error error,
                 const char *text);

#endif
