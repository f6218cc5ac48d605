/*
 * A scripted server for the core, in memory: what it says is written down first, and handed to the
 * core in pieces of any size; what the core says is taken frame by frame.
 */
#ifndef TESTS_UNIT_CLIENT_PEER_H
#define TESTS_UNIT_CLIENT_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/internal.h"
#include "event/body.h"
#include "event/event.h"

struct peer {
    struct sp_client client; /* only its core is used */
    struct core *core;       /* that */
    struct clock_settable clock;
    struct buffer says;  /* not handed over yet */
    struct buffer heard; /* of the core, not looked at yet */
    size_t step;         /* bytes handed over at a time */
    bool deaf;           /* takes nothing from the core */
};

/* cmocka setups: a peer that has let the client in, as *STATE. */
int peer_setup(void **state);              /* hands over everything at once */
int peer_setup_byte_by_byte(void **state); /* and this, one byte at a time */
int peer_setup_unwelcome(void **state);    /* nothing said yet */
int peer_teardown(void **state);

extern const struct slice nothing;
struct slice slice_of(const void *data, size_t size);

void peer_say(struct peer *peer, enum frame_type type, uint16_t stream, const void *message,
              struct slice raw);
void peer_welcome(struct peer *peer);

/* Moves bytes until there is a notice. False: nothing more comes of what was said. */
bool peer_next(struct peer *peer, struct sp_notice *notice);
/* The next notice; it must be of TYPE. */
void peer_notice(struct peer *peer, enum sp_notice_type type, struct sp_notice *notice);
/* The next result must be REQUEST's; progress before it is passed over. */
void peer_result(struct peer *peer, uint32_t request, enum sp_error error,
                 struct sp_notice *notice);
void peer_no_notice(struct peer *peer);

/* Moves bytes, and takes the core's next frame, which must be of TYPE; its stream is returned. RAW
 * may be NULL; what it points to is valid until the next call. */
uint16_t peer_hear(struct peer *peer, enum frame_type type, union message *message,
                   struct slice *raw);
void peer_hear_nothing(struct peer *peer);

/* What is left of the connection: results, and then CLOSED with ERROR. */
void peer_closed(struct peer *peer, enum sp_error error, struct sp_notice *notice);

/* A log whose events the server makes up. */
struct history {
    struct id log;
    const char *name;
    uint64_t sequence; /* of the newest event */
    struct digest head;
};
void history_init(struct history *history, const char *name);
/* The next event, with BODY, into OUT; returns its size. */
size_t history_add(struct history *history, uint16_t kind, const struct body *body, uint8_t *out,
                   size_t capacity);
sealpost_v1_LogInfo history_info(const struct history *history);
/* Makes a message with TEXT and says it. */
void peer_say_message(struct peer *peer, struct history *history, const char *text);

/* A digest of DATA. */
struct digest digest_bytes(const void *data, size_t size);

#endif
