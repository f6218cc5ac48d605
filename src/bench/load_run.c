/* Of a load: sending, receiving, measuring. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"

/* Where a message's text stands in the raw part of an EVENT frame: header, salt, tag and length
 * (docs/PROTOCOL.md, "Events"). It begins with the time of sending, in hexadecimal. */
#define EVENT_KIND_AT 2
#define EVENT_SEQUENCE_AT 24
#define EVENT_TEXT_AT (104 + 32 + 3)
#define TIME_DIGITS 16
#define KIND_MESSAGE 1

#define WARM_UP_NS UINT64_C(1000000000)
#define SETTLE_TIMEOUT_NS UINT64_C(20000000000)
#define IDLE_NS UINT64_C(100000000)

static uint64_t read_u64(const uint8_t *at)
{
    uint64_t number = 0;
    memcpy(&number, at, sizeof number);
    return __builtin_bswap64(number);
}

static void write_time(uint64_t ns, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = TIME_DIGITS - 1; i >= 0; i--) {
        out[i] = digits[ns & 15];
        ns >>= 4;
    }
}

static uint64_t read_time(const uint8_t *at)
{
    uint64_t ns = 0;
    for (int i = 0; i < TIME_DIGITS; i++) {
        ns = ns << 4 | (uint64_t)(at[i] <= '9' ? at[i] - '0' : at[i] - 'a' + 10);
    }
    return ns;
}

/* A message that is looked at: its length, its end, and when it was sent. */
static void inspect(struct load *load, struct slice raw)
{
    size_t size = EVENT_TEXT_AT + (size_t)load->pattern.bytes;
    if (raw.size != size || (load->pattern.bytes > TIME_DIGITS && raw.data[size - 1] != 'x')) {
        load->broken++;
        return;
    }
    if (load->measuring) {
        uint64_t sent_ns = read_time(raw.data + EVENT_TEXT_AT);
        uint64_t now = now_ns();
        histogram_add(&load->result.delivery_ns, now > sent_ns ? now - sent_ns : 0);
    }
}

static void take_event(struct load *load, struct member_session *session, struct slice raw)
{
    if (raw.size < EVENT_TEXT_AT) {
        load->broken++;
        return;
    }
    uint64_t sequence = read_u64(raw.data + EVENT_SEQUENCE_AT);
    if (session->next_sequence != 0 && sequence != session->next_sequence) {
        load->broken++;
    }
    session->next_sequence = sequence + 1;
    bool is_message = raw.data[EVENT_KIND_AT] == 0 && raw.data[EVENT_KIND_AT + 1] == KIND_MESSAGE;
    if (is_message) {
        load->result.deliveries += load->measuring;
        if (session->sampled) {
            inspect(load, raw);
        }
    }
}

static void take_post_answer(struct load *load, struct member_session *session,
                             const struct frame *frame)
{
    union message message;
    unsigned slot = frame->stream - 1U;
    struct sender *sender = session->sender;
    if (sender == NULL || frame_decode(frame, &message) != SP_OK) {
        load->broken++;
        return;
    }
    if (load->measuring) {
        load->result.posts++;
        histogram_add(&load->result.answer_ns, now_ns() - sender->sent_ns[slot]);
    }
    sender->free_slots |= UINT64_C(1) << slot;
    sender->in_flight--;
    uint64_t *head = &load->room_heads[session->room];
    if (message.event_result.sequence > *head) {
        *head = message.event_result.sequence;
    }
}

static void complain(struct load *load, const struct frame *frame)
{
    union message message;
    if (load->broken++ == 0) {
        bool told = frame->type == FRAME_ERROR && frame_decode(frame, &message) == SP_OK;
        (void)fprintf(stderr, "sealpost-bench: error: %s: %s\n", frame_name(frame->type),
                      told ? message.error.text : "unexpected");
    }
}

/* DUE_NS is when it should be sent; what comes late by our own fault counts as time under way. */
static void post(struct load *load, struct member_session *session, uint64_t due_ns)
{
    struct sender *sender = session->sender;
    unsigned slot = (unsigned)__builtin_ctzll(sender->free_slots);
    sealpost_v1_Write write = {.has_once = true, .has_log = true};
    load_fill_once(&write.once, ++load->next_id);
    load_room_name(session->room, write.log.name, sizeof write.log.name);
    write_time(due_ns, load->text);
    sender->free_slots &= ~(UINT64_C(1) << slot);
    sender->in_flight++;
    sender->sent_ns[slot] = due_ns;
    const struct slice text = {(const uint8_t *)load->text, (size_t)load->pattern.bytes};
    client_send(&load->loop, &session->client, FRAME_POST, (uint16_t)(slot + 1), &write, text);
}

/* As many as may be in flight. */
static void post_all(struct load *load, struct member_session *session)
{
    while (load->sending && load->pattern.rate == 0 && session->sender != NULL &&
           session->sender->free_slots != 0 && load->loop.failed == 0) {
        post(load, session, now_ns());
    }
}

void load_take_frame(struct load *load, struct member_session *session, const struct frame *frame)
{
    union message message;
    switch (frame->type) {
    case FRAME_EVENT:
        take_event(load, session, frame->raw);
        break;
    case FRAME_EVENT_RESULT:
        if (frame->stream > LOAD_SLOTS) {
            load->answers++;
        } else {
            take_post_answer(load, session, frame);
            post_all(load, session);
        }
        break;
    case FRAME_FOLLOWING:
        session->following = true;
        session->next_sequence =
            frame_decode(frame, &message) == SP_OK ? message.following.first : 0;
        load->answers++;
        break;
    case FRAME_WELCOME:
        load->answers++;
        break;
    default:
        complain(load, frame);
        break;
    }
}

void load_start_sending(struct load *load)
{
    load->sending = true;
    load->paced_ns = now_ns();
    for (size_t i = 0; i < load->sender_count; i++) {
        post_all(load, &load->sessions[i]);
    }
}

uint64_t load_pump(struct load *load)
{
    if (!load->sending || load->pattern.rate == 0) {
        return IDLE_NS;
    }
    uint64_t interval_ns = 1000000000 / load->pattern.rate;
    uint64_t now = now_ns();
    while (load->paced_ns <= now) {
        struct member_session *session = &load->sessions[load->next_sender];
        load->next_sender = (load->next_sender + 1) % load->sender_count;
        if (session->sender->free_slots != 0) {
            post(load, session, load->paced_ns);
        } else {
            load->result.late_posts += load->measuring;
        }
        load->paced_ns += interval_ns;
    }
    now = now_ns();
    return load->paced_ns > now ? load->paced_ns - now : 0;
}

void load_begin_measuring(struct load *load)
{
    memset(&load->result, 0, sizeof load->result);
    load->result.server = process_cost(load->lab->server);
    load->result.generator = process_cost(0);
    load->result.seconds = (double)now_ns();
    load->result.records = load->loop.records;
    load->measuring = true;
}

void load_end_measuring(struct load *load)
{
    struct load_result *result = &load->result;
    load->measuring = false;
    result->records = load->loop.records - result->records;
    result->seconds = ((double)now_ns() - result->seconds) / 1e9;
    result->server = process_cost_since(load->lab->server, result->server);
    result->generator = process_cost_since(0, result->generator);
}

static void run_for(struct load *load, uint64_t ns)
{
    uint64_t deadline_ns = now_ns() + ns;
    while (now_ns() < deadline_ns && load->loop.failed == 0) {
        loop_turn(&load->loop, load_pump(load));
    }
}

static bool all_has_arrived(const struct load *load)
{
    for (size_t i = 0; i < load->session_count; i++) {
        const struct member_session *session = &load->sessions[i];
        bool waits = session->sender != NULL && session->sender->in_flight > 0;
        bool lacks =
            session->following && session->next_sequence <= load->room_heads[session->room];
        if (waits || lacks) {
            return false;
        }
    }
    return true;
}

enum sp_error load_run(struct load *load, uint64_t seconds)
{
    load_start_sending(load);
    run_for(load, WARM_UP_NS);
    load_begin_measuring(load);
    run_for(load, seconds * 1000000000);
    load_end_measuring(load);
    load->sending = false;
    uint64_t deadline_ns = now_ns() + SETTLE_TIMEOUT_NS;
    while (!all_has_arrived(load) && now_ns() < deadline_ns && load->loop.failed == 0) {
        loop_turn(&load->loop, IDLE_NS);
    }
    load->result.complete = all_has_arrived(load) && load->broken == 0;
    if (!load->result.complete) {
        (void)fprintf(stderr,
                      "sealpost-bench: error: not everything has arrived, or it did not fit "
                      "(%llu events)\n",
                      (unsigned long long)load->broken);
        return SP_EINTERNAL;
    }
    return SP_OK;
}
