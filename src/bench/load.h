/*
 * A load: sessions in rooms, some of which send. It logs in, makes and joins the rooms, follows
 * them, sends in the pattern that is asked for, and counts what arrives. The same against sealpostd
 * and against the bare server, which speaks as much of the protocol as is needed here.
 *
 * Every event is counted and its sequence number checked, by reading headers only; of a sample of
 * the sessions the text is looked at as well, and how long it was under way.
 */
#ifndef SP_BENCH_LOAD_H
#define SP_BENCH_LOAD_H

#include "bench/client.h"
#include "bench/histogram.h"
#include "bench/lab.h"
#include "bench/process.h"

#define LOAD_SLOTS 64 /* messages that one session may have on their way */

struct sender {
    unsigned in_flight;
    uint64_t free_slots; /* a bit for each; stream number = index + 1 */
    uint64_t sent_ns[LOAD_SLOTS];
};

struct member_session {
    struct client client;
    struct sender *sender; /* NULL: it only reads */
    uint32_t room;
    bool sampled;
    bool following;
    uint64_t next_sequence; /* that must come */
};

struct load_result {
    double seconds;
    uint64_t deliveries;
    uint64_t posts;      /* acknowledged */
    uint64_t records;    /* TLS records that all that came in */
    uint64_t late_posts; /* of a paced load: not sent in time, since too many were in flight */
    struct process_cost server;
    struct process_cost generator;
    bool complete; /* everybody got everything in the end */
    struct histogram delivery_ns;
    struct histogram answer_ns;
};

struct load {
    struct loop loop;
    struct lab *lab;
    struct pattern pattern;
    bool is_bare;
    bool has_readers;
    struct member_session *sessions;
    size_t session_count;
    size_t sender_count;
    uint64_t *room_heads; /* the last event known, of each room */
    uint64_t answers;     /* to requests of the preparation */
    bool measuring;
    bool sending;
    uint64_t paced_ns;  /* when the next message is due */
    size_t next_sender; /* whose turn it is */
    uint64_t next_id;
    uint64_t broken; /* events that did not fit */
    char *text;
    struct load_result result;
};

/*
 * Connects the sessions of PATTERN and brings them into their rooms. IS_BARE: against the bare
 * server. Without HAS_READERS only those who send are there, and nobody follows. On error it was
 * said why; load_close() all the same.
 */
SP_CHECK enum sp_error load_open(struct lab *lab, const struct pattern *pattern, bool is_bare,
                                 bool has_readers, struct load *out);
void load_close(struct load *load);

/* Sends for a second that is not measured and for SECONDS that are, then waits until all has
 * arrived. */
SP_CHECK enum sp_error load_run(struct load *load, uint64_t seconds);

/* The pieces of load_run(), for who has more to do in the same loop. load_pump() sends what is due,
 * and returns after how many nanoseconds it wants to be called again. */
void load_start_sending(struct load *load);
uint64_t load_pump(struct load *load);
void load_begin_measuring(struct load *load);
void load_end_measuring(struct load *load);

/* load_run.c: what comes in answer to what was sent, and events; for load.c. */
void load_take_frame(struct load *load, struct member_session *session, const struct frame *frame);

/* What makes a request exactly once; here it need not be secret, only new, and as scattered as
 * random numbers, since the server keeps an index of it. */
void load_fill_once(sealpost_v1_Once *once, uint64_t number);
/* Room number NUMBER's name. */
void load_room_name(uint64_t number, char *out, size_t capacity);

#endif
