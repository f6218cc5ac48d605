/*
 * The oracle of the kill test: what was asked of a server, what it answered, and what its logs
 * show. Acknowledged: there exactly once, byte for byte, where it was said to be. Refused: not
 * there. Not answered: there whole or not, and not doubled by asking again. And whatever a client
 * has once been shown stays as it was, and where its marker was it is not before.
 *
 * Each request and each answer is a line of a journal, which is synced before the request leaves.
 */
#ifndef TESTS_FAULT_PROMISES_H
#define TESTS_FAULT_PROMISES_H

#include <stdio.h>

#include "base/base.h"
#include "sealpost/client.h"

enum promise_kind {
    PROMISE_TEXT,
    PROMISE_FILE,
    PROMISE_INTRUSION, /* a text for a room that its author is not in: to be refused */
    PROMISE_CONFLICT,  /* another text under a client id that was used: to be refused */
};

enum promise_outcome {
    OUTCOME_UNKNOWN,
    OUTCOME_ACKNOWLEDGED,
    OUTCOME_REFUSED,
};

struct promise {
    struct sp_once once;
    enum promise_kind kind;
    uint32_t number; /* what its content is made of */
    unsigned client;
    size_t size;
    struct digest digest; /* of the content */
    enum promise_outcome outcome;
    unsigned found;        /* so often it is in the log */
    unsigned found_before; /* when it was asked for */
    uint64_t found_at;     /* the last of these */
    uint64_t sequence;     /* where the answer says that it is */
    uint8_t hash[SP_DIGEST_BYTES];
    uint8_t file[SP_ID_BYTES];
    bool verified; /* its bytes were got back */
};

struct promises {
    struct promise **all;
    size_t count;
    size_t capacity;
    struct promise **by_id; /* open addressing */
    size_t slots;
    uint8_t (*shown)[SP_DIGEST_BYTES]; /* the chain up to each event that anybody has seen */
    uint64_t shown_count;
    uint64_t shown_capacity;
    uint64_t counted; /* events up to here are in the promises' FOUND */
    FILE *journal;
    bool journal_dirty;
    char trouble[256]; /* the first promise that was broken; empty: none */
    uint64_t acknowledged, refused, repeated, retried, got_back;
    uint64_t marked; /* markers that were acknowledged */
};

void promises_init(struct promises *promises, const char *journal);
void promises_deinit(struct promises *promises);

/* Says what is wrong, if nothing was before. */
void promises_blame(struct promises *promises, const char *format, ...) PRINTF_LIKE(2, 3);

/* A new one of CLIENT's, of SIZE bytes, in the journal. OTHER: whose client id a conflict takes. */
struct promise *promises_make(struct promises *promises, enum promise_kind kind, unsigned client,
                              size_t size, const struct promise *other);
/* What PROMISE sends: its SIZE bytes, to be freed by the caller. */
char *promise_content(const struct promise *promise);
/* The journal reaches the disk. Before anything leaves. */
void promises_sync(struct promises *promises);

/* A request for PROMISE has ended so. */
void promises_answered(struct promises *promises, struct promise *promise,
                       const struct sp_notice *result);
/* CLIENT was shown an event of the log. */
void promises_shown(struct promises *promises, unsigned client, const struct sp_event *event);
/* Everything up to the log's head has been shown to somebody: is everything there that must be? */
void promises_check(struct promises *promises);
/* Counts from the log's start again. */
void promises_recount(struct promises *promises);

#endif
