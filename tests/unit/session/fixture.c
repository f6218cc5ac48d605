#include "session/fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void nothing(void *context)
{
    (void)context;
}

static void fatal(void *context, enum sp_error error)
{
    (void)context;
    fail_msg("durability lost: %s", sp_error_name(error));
}

static void open_with(struct fixture *fixture, size_t tail_bytes, uint32_t max_sessions,
                      uint32_t message_rate, uint32_t message_burst)
{
    *fixture = (struct fixture){0};
    char reason[256];
    signer_init(&fixture->signer, &fixture->port);
    clock_settable_init(&fixture->clock, INT64_C(1800000000000));
    strcpy(fixture->directory, "/tmp/sealpost-session-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    struct domain_config domain = {
        .path = ":memory:",
        .team = "test",
        .admit_ca = true,
        .issue = &fixture->port,
        .clock = &fixture->clock.clock,
        .notify = nothing,
        .fatal = fatal,
    };
    assert_int_equal(domain_open(&domain, &fixture->domain, reason, sizeof reason), SP_OK);
    struct files_config files = {
        .directory = fixture->directory,
        .workers = 1,
        .notify = nothing,
    };
    assert_int_equal(files_open(&files, &fixture->files, reason, sizeof reason), SP_OK);
    assert_int_equal(files_start(fixture->files), SP_OK);
    struct hub_config hub = {
        .team = "test",
        .server = "test server",
        .max_sessions = max_sessions,
        .max_file_bytes = LIMIT_FILE_BYTES,
        .tail_bytes = tail_bytes,
        .public_host = "chat.example.org",
        .public_port = 7000,
        .message_rate = message_rate,
        .message_burst = message_burst,
        .clock = &fixture->clock.clock,
        .domain = fixture->domain,
        .files = fixture->files,
    };
    assert_int_equal(hub_new(&hub, &fixture->hub), SP_OK);
}

void fixture_open(struct fixture *fixture, size_t tail_bytes)
{
    open_with(fixture, tail_bytes, 64, 0, 1);
}

void fixture_open_large(struct fixture *fixture, size_t tail_bytes, uint32_t max_sessions)
{
    open_with(fixture, tail_bytes, max_sessions, 0, 1);
}

void fixture_open_limited(struct fixture *fixture, uint32_t message_rate, uint32_t message_burst)
{
    open_with(fixture, 1 << 20, 64, message_rate, message_burst);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void fixture_close(struct fixture *fixture)
{
    hub_free(fixture->hub);
    files_close(fixture->files);
    domain_close(fixture->domain);
    assert_int_equal(nftw(fixture->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void fixture_settle(struct fixture *fixture)
{
    for (int i = 0; i < 8; i++) {
        assert_int_equal(domain_step(fixture->domain), SP_OK);
        hub_set_time(fixture->hub, clock_monotonic_ms(&fixture->clock.clock));
        hub_take(fixture->hub);
        hub_tick(fixture->hub);
    }
}

void fixture_settle_files(struct fixture *fixture)
{
    for (int i = 0; i < 20; i++) {
        fixture_settle(fixture);
        usleep(2000);
    }
}

void peer_login(struct fixture *fixture, const char *username, struct peer *out)
{
    *out = (struct peer){.fixture = fixture};
    buffer_init(&out->received, (size_t)64 << 20);
    struct command_login login = {.serial_bytes = 1, .not_after_ms = INT64_MAX};
    snprintf(login.username, sizeof login.username, "%s", username);
    snprintf((char *)login.fingerprint.bytes, sizeof login.fingerprint.bytes, "%s", username);
    assert_int_equal(session_new(fixture->hub, &login, out, &out->session), SP_OK);
    assert_false(session_wants_input(out->session)); /* the server speaks first */
    struct frame frame;
    union message message;
    peer_expect(out, FRAME_WELCOME, &frame, &message);
    assert_string_equal(message.welcome.username, username);
    assert_string_equal(message.welcome.team, "test");
    assert_true(session_is_open(out->session));
}

void peer_join_team(struct fixture *fixture, struct peer *out)
{
    *out = (struct peer){.fixture = fixture};
    buffer_init(&out->received, (size_t)64 << 20);
    assert_int_equal(session_new_join(fixture->hub, out, &out->session), SP_OK);
}

void peer_close(struct peer *peer)
{
    session_free(peer->session);
    buffer_deinit(&peer->received);
}

void peer_send(struct peer *peer, enum frame_type type, uint16_t stream, const void *message,
               const void *raw, size_t raw_size)
{
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_FRAME_BYTES);
    struct slice raw_part = {raw, raw_size};
    assert_int_equal(frame_append(&buffer, type, stream, message, raw_part), SP_OK);
    session_receive(peer->session, buffer_data(&buffer), buffer.size);
    buffer_deinit(&buffer);
}

void peer_pull(struct peer *peer)
{
    for (;;) {
        uint8_t record[16384];
        struct writer writer;
        writer_init(&writer, record, sizeof record);
        session_pull(peer->session, &writer);
        if (writer_used(&writer) == 0) {
            return;
        }
        assert_int_equal(buffer_append(&peer->received, record, writer_used(&writer)), SP_OK);
    }
}

static bool take(struct peer *peer, struct frame *frame, union message *message)
{
    static uint8_t copy[LIMIT_FRAME_BYTES];
    size_t used = 0;
    if (frame_parse(buffer_data(&peer->received), peer->received.size, frame, &used) != SP_OK) {
        return false;
    }
    memcpy(copy, buffer_data(&peer->received), used);
    buffer_consume(&peer->received, used);
    assert_int_equal(frame_parse(copy, used, frame, &used), SP_OK);
    assert_true(frame_known(frame->type, FROM_SERVER));
    assert_int_equal(frame_decode(frame, message), SP_OK);
    return true;
}

bool peer_has_frame(struct peer *peer)
{
    peer_pull(peer);
    return peer->received.size > 0;
}

void peer_next(struct peer *peer, struct frame *frame, union message *message)
{
    peer_pull(peer);
    if (!take(peer, frame, message)) {
        fail_msg("no frame");
    }
}

void peer_expect(struct peer *peer, enum frame_type type, struct frame *frame,
                 union message *message)
{
    for (int attempt = 0; attempt < 2000; attempt++) {
        fixture_settle(peer->fixture);
        peer_pull(peer);
        while (take(peer, frame, message)) {
            if (frame->type == type) {
                return;
            }
            if (frame->type == FRAME_ERROR) {
                fail_msg("ERROR %u (%s) instead of %s", message->error.error, message->error.text,
                         frame_name((uint8_t)type));
            }
        }
        usleep(1000);
    }
    fail_msg("no %s came", frame_name((uint8_t)type));
}

sealpost_v1_Once peer_once(struct peer *peer)
{
    sealpost_v1_Once once = {.client_id = {1}};
    memcpy(once.client_id + 4, &(uint32_t){++peer->next_id}, 4);
    memset(once.salt, 7, sizeof once.salt);
    return once;
}

sealpost_v1_LogKey log_named(const char *name)
{
    sealpost_v1_LogKey key = {0};
    snprintf(key.name, sizeof key.name, "%s", name);
    return key;
}

void peer_create_room(struct peer *peer, const char *name)
{
    sealpost_v1_Create create = {.has_once = true, .once = peer_once(peer)};
    snprintf(create.name, sizeof create.name, "%s", name);
    peer_send(peer, FRAME_ROOM_CREATE, 1, &create, NULL, 0);
    struct frame frame;
    union message message;
    peer_expect(peer, FRAME_EVENT_RESULT, &frame, &message);
}

void peer_join(struct peer *peer, const char *name)
{
    sealpost_v1_Write join = {
        .has_once = true, .once = peer_once(peer), .has_log = true, .log = log_named(name)};
    peer_send(peer, FRAME_JOIN, 1, &join, NULL, 0);
    struct frame frame;
    union message message;
    peer_expect(peer, FRAME_EVENT_RESULT, &frame, &message);
}

void peer_post(struct peer *peer, uint16_t stream, const char *room, const char *text)
{
    sealpost_v1_Write post = {
        .has_once = true, .once = peer_once(peer), .has_log = true, .log = log_named(room)};
    peer_send(peer, FRAME_POST, stream, &post, text, strlen(text));
}

void peer_follow(struct peer *peer, const char *room, uint64_t after, bool live)
{
    sealpost_v1_Follow follow = {
        .has_log = true, .log = log_named(room), .after = after, .live = live};
    peer_send(peer, FRAME_FOLLOW, 2, &follow, NULL, 0);
    struct frame frame;
    union message message;
    peer_expect(peer, FRAME_FOLLOWING, &frame, &message);
}
