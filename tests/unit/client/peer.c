#include "unit/client/peer.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"

const struct slice nothing = {NULL, 0};

static const struct peer_names names = {"server.test", 7643, "root.pem", "alice.pem"};

struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){data, size};
}

int peer_setup_unwelcome(void **state)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    assert_non_null(peer);
    peer->core = &peer->client.core;
    clock_settable_init(&peer->clock, 1000000);
    core_init(peer->core, &peer->clock.clock, &names);
    buffer_init(&peer->says, 64UL << 20);
    buffer_init(&peer->heard, 64UL << 20);
    peer->step = SIZE_MAX;
    core_start(peer->core);
    *state = peer;
    return 0;
}

int peer_setup(void **state)
{
    struct sp_notice notice;

    peer_setup_unwelcome(state);
    peer_welcome(*state);
    peer_notice(*state, SP_NOTICE_LOGIN, &notice);
    return 0;
}

int peer_setup_byte_by_byte(void **state)
{
    struct sp_notice notice;

    peer_setup_unwelcome(state);
    ((struct peer *)*state)->step = 1;
    peer_welcome(*state);
    peer_notice(*state, SP_NOTICE_LOGIN, &notice);
    return 0;
}

int peer_teardown(void **state)
{
    struct peer *peer = *state;

    core_deinit(peer->core);
    buffer_deinit(&peer->says);
    buffer_deinit(&peer->heard);
    free(peer);
    return 0;
}

void peer_say(struct peer *peer, enum frame_type type, uint16_t stream, const void *message,
              struct slice raw)
{
    assert_int_equal(frame_append(&peer->says, type, stream, message, raw), SP_OK);
}

void peer_welcome(struct peer *peer)
{
    sealpost_v1_Welcome welcome = {
        .protocol = 1,
        .server = "sealpostd test",
        .team = "test",
        .username = "alice",
        .time_ms = 1234567,
        .has_limits = true,
        .limits = {.text_bytes = 16384,
                   .file_bytes = 1 << 20,
                   .requests = 64,
                   .transfers = 8,
                   .idle_ms = 90000},
    };

    memset(welcome.device, 0xd1, sizeof(welcome.device));
    peer_say(peer, FRAME_WELCOME, 0, &welcome, nothing);
}

/* One piece each way. False: nothing moved. */
static bool move(struct peer *peer)
{
    uint8_t *room = NULL;
    bool moved = false;

    core_tick(peer->core);
    if (!peer->deaf) {
        struct slice output = core_output(peer->core);

        if (output.size > 0) {
            assert_int_equal(buffer_append(&peer->heard, output.data, output.size), SP_OK);
            core_sent(peer->core, output.size);
            moved = true;
        }
    }
    size_t size = core_input_room(peer->core, &room);
    size = size < peer->says.size ? size : peer->says.size;
    size = size < peer->step ? size : peer->step;
    if (size > 0) {
        memcpy(room, buffer_data(&peer->says), size);
        buffer_consume(&peer->says, size);
        core_received(peer->core, size);
        moved = true;
    }
    return moved;
}

bool peer_next(struct peer *peer, struct sp_notice *notice)
{
    do {
        if (core_next(peer->core, notice)) {
            assert_non_null(notice->text);
            return true;
        }
    } while (move(peer) || core_has_input(peer->core));
    return false;
}

void peer_notice(struct peer *peer, enum sp_notice_type type, struct sp_notice *notice)
{
    assert_true(peer_next(peer, notice));
    if (notice->type != type) {
        print_error("notice of type %d: %s\n", (int)notice->type, notice->text);
    }
    assert_int_equal(notice->type, type);
}

void peer_result(struct peer *peer, uint32_t request, enum sp_error error, struct sp_notice *notice)
{
    do {
        assert_true(peer_next(peer, notice));
    } while (notice->type == SP_NOTICE_PROGRESS);
    assert_int_equal(notice->type, SP_NOTICE_RESULT);
    assert_int_equal(notice->request, request);
    assert_string_equal(sp_error_name(notice->error), sp_error_name(error));
    assert_true(error == SP_OK || notice->text[0] != '\0');
}

void peer_no_notice(struct peer *peer)
{
    struct sp_notice notice;

    assert_false(peer_next(peer, &notice));
}

/* Looks at the core's next frame. SP_EAGAIN: there is none. */
static enum sp_error listen(struct peer *peer, struct frame *frame, size_t *used)
{
    enum sp_error error = SP_EAGAIN;

    do {
        error = frame_parse(buffer_data(&peer->heard), peer->heard.size, frame, used);
    } while (error == SP_EAGAIN && move(peer));
    return error;
}

uint16_t peer_hear(struct peer *peer, enum frame_type type, union message *message,
                   struct slice *raw)
{
    static uint8_t kept[LIMIT_RAW_BYTES];
    union message ignored;
    struct frame frame;
    size_t used = 0;

    assert_int_equal(listen(peer, &frame, &used), SP_OK);
    assert_string_equal(frame_name(frame.type), frame_name((uint8_t)type));
    assert_true(frame_known(frame.type, FROM_CLIENT));
    assert_int_equal(frame_decode(&frame, message != NULL ? message : &ignored), SP_OK);
    if (frame.raw.size > 0) {
        memcpy(kept, frame.raw.data, frame.raw.size);
    }
    if (raw != NULL) {
        *raw = slice_of(kept, frame.raw.size);
    }
    uint16_t stream = frame.stream;
    buffer_consume(&peer->heard, used);
    return stream;
}

void peer_hear_nothing(struct peer *peer)
{
    struct frame frame;
    size_t used = 0;

    assert_int_equal(listen(peer, &frame, &used), SP_EAGAIN);
    assert_int_equal(peer->heard.size, 0);
}

void peer_closed(struct peer *peer, enum sp_error error, struct sp_notice *notice)
{
    do {
        assert_true(peer_next(peer, notice));
    } while (notice->type == SP_NOTICE_RESULT || notice->type == SP_NOTICE_PROGRESS);
    assert_int_equal(notice->type, SP_NOTICE_CLOSED);
    assert_string_equal(sp_error_name(notice->error), sp_error_name(error));
    assert_true(error == SP_OK || notice->text[0] != '\0');
    assert_int_equal(peer->core->phase, CORE_IDLE);
    assert_int_equal(peer->core->request_count, 0);
    assert_int_equal(peer->core->transfer_count, 0);
    assert_null(peer->core->follows);
    struct sp_notice more;
    assert_false(core_next(peer->core, &more));
}

/* ---- Logs ---- */

void history_init(struct history *history, const char *name)
{
    *history = (struct history){.name = name};
    memset(history->log.bytes, name[0], sizeof(history->log.bytes));
    assert_int_equal(event_chain_start(&history->log, &history->head), SP_OK);
}

size_t history_add(struct history *history, uint16_t kind, const struct body *body, uint8_t *out,
                   size_t capacity)
{
    struct event_header header = {
        .kind = kind,
        .log = history->log,
        .sequence = ++history->sequence,
        .time_ms = 1000 + (int64_t)history->sequence,
    };
    uint8_t *salt = out + EVENT_HEADER_BYTES;
    uint8_t *content = salt + SALT_BYTES;
    struct writer writer;

    memset(header.author.bytes, 0xd2, sizeof(header.author.bytes));
    memset(salt, 0x5a, SALT_BYTES);
    writer_init(&writer, content, capacity - EVENT_HEADER_BYTES - SALT_BYTES);
    body_write(&writer, body);
    assert_int_equal(writer_finish(&writer), SP_OK);
    struct slice bytes = slice_of(content, writer_used(&writer));
    header.body_bytes = (uint32_t)bytes.size;
    assert_int_equal(event_commitment(salt, bytes, &header.commitment), SP_OK);
    event_header_encode(&header, out);
    assert_int_equal(event_chain_next(&history->head, out, &history->head), SP_OK);
    return EVENT_HEADER_BYTES + SALT_BYTES + bytes.size;
}

sealpost_v1_LogInfo history_info(const struct history *history)
{
    sealpost_v1_LogInfo info = {.kind = SP_LOG_ROOM, .head_sequence = history->sequence};

    memcpy(info.id, history->log.bytes, sizeof(info.id));
    memcpy(info.head, history->head.bytes, sizeof(info.head));
    strncpy(info.name, history->name, sizeof(info.name) - 1);
    return info;
}

void peer_say_message(struct peer *peer, struct history *history, const char *text)
{
    static uint8_t event[EVENT_HEADER_BYTES + SALT_BYTES + LIMIT_EVENT_BODY_BYTES];
    struct body body = {.text = slice_of_string(text)};
    sealpost_v1_Event message = {.author = "bob"};

    size_t size = history_add(history, EVENT_MESSAGE, &body, event, sizeof(event));
    peer_say(peer, FRAME_EVENT, 0, &message, slice_of(event, size));
}

struct digest digest_bytes(const void *data, size_t size)
{
    struct slice part = slice_of(data, size);
    struct digest digest;

    assert_int_equal(digest_of(&part, 1, &digest), SP_OK);
    return digest;
}
