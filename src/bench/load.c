/* Of a load: who is in which room, and how they get there. */
#include "bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTS_AT_A_TIME 64
#define PREPARE_TIMEOUT_NS UINT64_C(120000000000)
#define SAMPLED_SESSIONS 64

/* Streams of the preparation; 1 to LOAD_SLOTS are messages. The bare server takes the room from
 * that of FOLLOW. */
#define STREAM_ROOM 999
#define STREAM_FOLLOW 1000

void load_fill_once(sealpost_v1_Once *once, uint64_t number)
{
    uint64_t words[2] = {number * UINT64_C(0x9e3779b97f4a7c15), number};
    memset(once->salt, 0x5a, sizeof once->salt);
    memcpy(once->salt, &number, sizeof number);
    memcpy(once->client_id, words, sizeof words);
}

void load_room_name(uint64_t number, char *out, size_t capacity)
{
    (void)snprintf(out, capacity, "room-%llu", (unsigned long long)number);
}

static void take_frame(struct loop *loop, struct client *client, const struct frame *frame)
{
    struct load *load = CONTAINER_OF(loop, struct load, loop);
    load_take_frame(load, CONTAINER_OF(client, struct member_session, client), frame);
}

/* Turns the loop until WANTED answers have come, at least. */
static enum sp_error wait_for_answers(struct load *load, uint64_t wanted)
{
    uint64_t deadline_ns = now_ns() + PREPARE_TIMEOUT_NS;
    while (load->answers < wanted && load->loop.failed == 0 && now_ns() < deadline_ns) {
        loop_turn(&load->loop, 100000000);
    }
    if (load->answers < wanted) {
        (void)fprintf(stderr, "sealpost-bench: error: the sessions do not get into their rooms\n");
        return SP_EINTERNAL;
    }
    return SP_OK;
}

static enum sp_error connect_all(struct load *load)
{
    enum sp_error error = SP_OK;
    for (size_t i = 0; error == SP_OK && i < load->session_count; i++) {
        /* The members of a room differ, as far as there are enough of them. */
        uint64_t member = (i / load->pattern.rooms + i) % load->lab->options->members;
        struct member_session *session = &load->sessions[i];
        error = client_connect(&load->loop, &session->client, load->lab->members[member],
                               load->lab->port, take_frame);
        if (error == SP_OK && i >= CONNECTS_AT_A_TIME) {
            error = wait_for_answers(load, i + 1 - CONNECTS_AT_A_TIME);
        }
    }
    return error == SP_OK ? wait_for_answers(load, load->session_count) : error;
}

static void enter(struct load *load, struct member_session *session, enum frame_type type)
{
    const struct slice nothing = {NULL, 0};
    if (type == FRAME_ROOM_CREATE) {
        sealpost_v1_Create create = {.has_once = true};
        load_fill_once(&create.once, ++load->next_id);
        load_room_name(session->room, create.name, sizeof create.name);
        client_send(&load->loop, &session->client, type, STREAM_ROOM, &create, nothing);
    } else if (type == FRAME_JOIN) {
        sealpost_v1_Write join = {.has_once = true, .has_log = true};
        load_fill_once(&join.once, ++load->next_id);
        load_room_name(session->room, join.log.name, sizeof join.log.name);
        client_send(&load->loop, &session->client, type, STREAM_ROOM, &join, nothing);
    } else {
        sealpost_v1_Follow follow = {.has_log = true, .last = 1, .live = true};
        load_room_name(session->room, follow.log.name, sizeof follow.log.name);
        client_send(&load->loop, &session->client, type, (uint16_t)(STREAM_FOLLOW + session->room),
                    &follow, nothing);
    }
}

/* Sessions FIRST to END - 1, each its request, and the answers. */
static enum sp_error enter_all(struct load *load, size_t first, size_t end, enum frame_type type)
{
    enum sp_error error = SP_OK;
    load->answers = 0;
    for (size_t i = first; error == SP_OK && i < end; i++) {
        enter(load, &load->sessions[i], type);
        if (i - first >= CONNECTS_AT_A_TIME) {
            error = wait_for_answers(load, i - first + 1 - CONNECTS_AT_A_TIME);
        }
    }
    return error == SP_OK && end > first ? wait_for_answers(load, end - first) : error;
}

/* The first session of each room makes it, the others join. */
static enum sp_error prepare_rooms(struct load *load)
{
    size_t rooms = load->pattern.rooms < load->session_count ? (size_t)load->pattern.rooms
                                                             : load->session_count;
    enum sp_error error = SP_OK;
    if (!load->is_bare) {
        error = enter_all(load, 0, rooms, FRAME_ROOM_CREATE);
        if (error == SP_OK) {
            error = enter_all(load, rooms, load->session_count, FRAME_JOIN);
        }
    }
    if (error == SP_OK && (load->has_readers)) {
        error = enter_all(load, 0, load->session_count, FRAME_FOLLOW);
    }
    return error;
}

static enum sp_error make_sessions(struct load *load)
{
    const struct pattern *pattern = &load->pattern;
    load->session_count = (size_t)(load->has_readers ? pattern->sessions : pattern->senders);
    load->sender_count =
        (size_t)(pattern->senders < load->session_count ? pattern->senders : load->session_count);
    load->sessions = calloc(load->session_count, sizeof *load->sessions);
    load->room_heads = calloc(pattern->rooms, sizeof *load->room_heads);
    load->text = malloc(pattern->bytes + 1);
    if (load->sessions == NULL || load->room_heads == NULL || load->text == NULL) {
        return SP_ENOMEM;
    }
    memset(load->text, 'x', pattern->bytes);
    size_t step = load->session_count / SAMPLED_SESSIONS + 1;
    uint64_t slots =
        pattern->in_flight >= LOAD_SLOTS ? UINT64_MAX : (UINT64_C(1) << pattern->in_flight) - 1;
    for (size_t i = 0; i < load->session_count; i++) {
        struct member_session *session = &load->sessions[i];
        session->room = (uint32_t)(i % pattern->rooms);
        session->sampled = i % step == 0 || pattern->rate > 0;
        if (i < load->sender_count) {
            session->sender = calloc(1, sizeof *session->sender);
            if (session->sender == NULL) {
                return SP_ENOMEM;
            }
            session->sender->free_slots = slots;
        }
    }
    return SP_OK;
}

enum sp_error load_open(struct lab *lab, const struct pattern *pattern, bool is_bare,
                        bool has_readers, struct load *out)
{
    memset(out, 0, sizeof *out);
    out->lab = lab;
    out->pattern = *pattern;
    out->is_bare = is_bare;
    out->has_readers = has_readers;
    process_pin(lab_generator_cpu(lab));
    enum sp_error error = loop_init(&out->loop);
    if (error == SP_OK) {
        error = make_sessions(out);
    }
    if (error == SP_OK) {
        error = connect_all(out);
    }
    if (error == SP_OK) {
        error = prepare_rooms(out);
    }
    return error;
}

void load_close(struct load *load)
{
    for (size_t i = 0; load->sessions != NULL && i < load->session_count; i++) {
        client_close(&load->sessions[i].client);
        free(load->sessions[i].sender);
    }
    free(load->sessions);
    free(load->room_heads);
    free(load->text);
    load->sessions = NULL;
    load->room_heads = NULL;
    load->text = NULL;
    loop_deinit(&load->loop);
}
