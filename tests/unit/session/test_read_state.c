/* Read state reaches all sessions of a member, however slow; and who was here last is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "session/fixture.h"

#define TAIL_BYTES ((size_t)1 << 20)

static struct fixture fixture;
static struct peer alice;
static struct peer bob;
static struct frame frame;
static union message message;

/* A room "r" with alice, who made it, and bob. */
static int set_up(void **state)
{
    (void)state;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_login(&fixture, "bob", &bob);
    peer_create_room(&alice, "r");
    peer_join(&bob, "r");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    peer_close(&alice);
    peer_close(&bob);
    fixture_close(&fixture);
    return 0;
}

static void post(const char *room, const char *text)
{
    peer_post(&alice, 5, room, text);
    peer_expect(&alice, FRAME_EVENT_RESULT, &frame, &message);
}

static void mark(struct peer *peer, const char *room, uint64_t sequence)
{
    const sealpost_v1_MarkRead request = {
        .has_log = true, .log = log_named(room), .sequence = sequence};

    peer_send(peer, FRAME_MARK_READ, 6, &request, NULL, 0);
}

static void assert_state(uint64_t sequence, uint64_t head, uint64_t unread, uint32_t mentions)
{
    assert_string_equal(message.read_state.log.name, "r");
    assert_int_equal(message.read_state.log.head_sequence, head);
    assert_int_equal(message.read_state.sequence, sequence);
    assert_int_equal(message.read_state.unread, unread);
    assert_int_equal(message.read_state.mentions, mentions);
}

/* How many READ_STATEs are there for PEER; the last one is in message. */
static size_t count_states(struct peer *peer)
{
    union message last;
    size_t count = 0;

    fixture_settle(&fixture);
    peer_pull(peer);
    while (peer_has_frame(peer)) {
        peer_next(peer, &frame, &message);
        if (frame.type == FRAME_READ_STATE) {
            assert_int_equal(frame.stream, 0);
            last = message;
            count++;
        }
    }
    if (count > 0) {
        message = last;
    }
    return count;
}

static void all_sessions_are_told(void **state)
{
    struct peer phone;

    (void)state;
    peer_login(&fixture, "bob", &phone);
    post("r", "hello @bob");
    peer_expect(&bob, FRAME_READ_STATE, &frame, &message);
    assert_state(2, 3, 1, 1);
    peer_expect(&phone, FRAME_READ_STATE, &frame, &message);
    assert_state(2, 3, 1, 1);
    post("r", "nobody");
    mark(&phone, "r", 3);
    peer_expect(&phone, FRAME_READ_STATE, &frame, &message);
    assert_state(3, 4, 1, 0);
    peer_expect(&phone, FRAME_MARKED, &frame, &message);
    assert_int_equal(frame.stream, 6);
    assert_state(3, 4, 1, 0);
    assert_int_equal(count_states(&phone), 0);
    assert_int_equal(count_states(&bob), 1);
    assert_state(3, 4, 1, 0);
    mark(&bob, "r", 2); /* nothing moves, and nobody is told */
    peer_expect(&bob, FRAME_MARKED, &frame, &message);
    assert_state(3, 4, 1, 0);
    assert_int_equal(count_states(&bob) + count_states(&phone) + count_states(&alice), 0);
    peer_close(&phone);
}

static void who_comes_later_asks(void **state)
{
    const sealpost_v1_List list = {.what = sealpost_v1_List_What_LOGS};
    struct peer phone;

    (void)state;
    post("r", "hello @bob");
    assert_int_equal(count_states(&bob), 1);
    peer_login(&fixture, "bob", &phone);
    assert_int_equal(count_states(&phone), 0);
    peer_send(&phone, FRAME_LIST, 7, &list, NULL, 0);
    peer_expect(&phone, FRAME_ROW_LOG, &frame, &message);
    assert_int_equal(message.row_log.read, 2);
    assert_int_equal(message.row_log.unread, 1);
    assert_int_equal(message.row_log.mentions, 1);
    peer_close(&phone);
}

/* Asks for answers that it does not take, until it is not read from any more. */
static void choke(struct peer *peer)
{
    const sealpost_v1_Ping ping = {.token = UINT64_MAX};

    while (session_wants_input(peer->session)) {
        peer_send(peer, FRAME_PING, 0, &ping, NULL, 0);
    }
}

static void a_slow_session_gets_the_last(void **state)
{
    struct peer phone;

    (void)state;
    peer_login(&fixture, "bob", &phone);
    choke(&phone);
    for (uint64_t i = 3; i < 60; i++) {
        post("r", "@bob");
        mark(&bob, "r", i);
        peer_expect(&bob, FRAME_MARKED, &frame, &message);
    }
    assert_int_equal(count_states(&phone), 1);
    assert_state(59, 59, 0, 0);
    peer_close(&phone);
}

/* What is kept for a session that takes nothing has a maximum; the others get all of it. */
static void a_session_too_far_behind_ends(void **state)
{
    struct peer phone;
    size_t told = 0;

    (void)state;
    peer_login(&fixture, "bob", &phone);
    choke(&phone);
    for (unsigned i = 0; i <= LIMIT_READ_STATES; i++) {
        char name[16];
        assert_true(session_is_open(phone.session));
        (void)snprintf(name, sizeof name, "room-%u", i);
        peer_create_room(&alice, name);
        peer_join(&bob, name);
        post(name, "@bob");
        told += count_states(&bob);
    }
    assert_int_equal(told, LIMIT_READ_STATES + 1);
    assert_true(session_ended(phone.session));
    assert_int_equal(session_end_reason(phone.session), SP_EIDLE);
    peer_close(&phone);
}

static void whoever_left_is_told_nothing(void **state)
{
    const sealpost_v1_Write leave = {
        .has_once = true, .once = peer_once(&bob), .has_log = true, .log = log_named("r")};
    struct peer phone;

    (void)state;
    peer_login(&fixture, "bob", &phone);
    choke(&phone);
    post("r", "@bob");
    assert_int_equal(count_states(&bob), 1);
    peer_send(&bob, FRAME_LEAVE, 8, &leave, NULL, 0);
    peer_expect(&bob, FRAME_EVENT_RESULT, &frame, &message);
    assert_int_equal(count_states(&phone), 0);
    peer_close(&phone);
}

static void mistakes_are_told(void **state)
{
    sealpost_v1_MarkRead request = sealpost_v1_MarkRead_init_zero;

    (void)state;
    peer_send(&bob, FRAME_MARK_READ, 6, &request, NULL, 0);
    peer_expect(&bob, FRAME_ERROR, &frame, &message);
    assert_int_equal(message.error.error, SP_EINVALID);
    mark(&bob, "nowhere", 1);
    peer_expect(&bob, FRAME_ERROR, &frame, &message);
    assert_int_equal(message.error.error, SP_ENOTFOUND);
}

/* Marking is a write: of one member so many a second, whatever session they come from. */
static void too_many_marks_are_slowed_down(void **state)
{
    struct peer phone;

    (void)state;
    peer_login(&fixture, "bob", &phone);
    for (unsigned i = 0; i < LIMIT_MARKS_BURST; i++) {
        mark(i % 2 == 0 ? &bob : &phone, "r", 1);
        peer_expect(i % 2 == 0 ? &bob : &phone, FRAME_MARKED, &frame, &message);
    }
    mark(&phone, "r", 1);
    peer_expect(&phone, FRAME_ERROR, &frame, &message);
    assert_int_equal(frame.stream, 6);
    assert_int_equal(message.error.error, SP_ESLOWDOWN);
    assert_in_range(message.error.retry_after_ms, 1, 1000 / LIMIT_MARKS_PER_SECOND + 1);
    mark(&alice, "r", 1); /* others have their own */
    peer_expect(&alice, FRAME_MARKED, &frame, &message);
    clock_settable_advance(&fixture.clock, 1000 / LIMIT_MARKS_PER_SECOND + 1);
    fixture_settle(&fixture);
    mark(&bob, "r", 1);
    peer_expect(&bob, FRAME_MARKED, &frame, &message);
    peer_close(&phone);
}

/* ---- Who was here last ---- */

/* What LIST MEMBERS says of bob. */
static int64_t seen_in_members(void)
{
    const sealpost_v1_List list = {.what = sealpost_v1_List_What_MEMBERS};

    peer_send(&alice, FRAME_LIST, 7, &list, NULL, 0);
    do {
        peer_expect(&alice, FRAME_ROW_MEMBER, &frame, &message);
    } while (strcmp(message.row_member.username, "bob") != 0);
    return message.row_member.last_seen_ms;
}

/* What is stored of PEER's device, and so outlives the server. */
static int64_t stored(struct peer *peer)
{
    const sealpost_v1_List list = {.what = sealpost_v1_List_What_DEVICES};

    peer_send(peer, FRAME_LIST, 7, &list, NULL, 0);
    peer_expect(peer, FRAME_ROW_DEVICE, &frame, &message);
    return message.row_device.last_seen_ms;
}

static int64_t wall_ms(void)
{
    return clock_wall_ms(&fixture.clock.clock);
}

static void last_seen_is_when_the_last_session_ended(void **state)
{
    const sealpost_v1_WatchPresence watch = {.on = true};
    struct peer phone;

    (void)state;
    peer_send(&alice, FRAME_WATCH_PRESENCE, 1, &watch, NULL, 0);
    peer_login(&fixture, "bob", &phone);
    clock_settable_advance(&fixture.clock, 1100);
    peer_expect(&alice, FRAME_PRESENCE, &frame, &message);
    assert_int_equal(message.presence.changes[0].last_seen_ms, 0);
    clock_settable_advance(&fixture.clock, 3000);
    peer_close(&phone);
    fixture_settle(&fixture);
    assert_int_equal(seen_in_members(), 0); /* it is here */
    clock_settable_advance(&fixture.clock, 3000);
    int64_t end_ms = wall_ms();
    peer_close(&bob);
    clock_settable_advance(&fixture.clock, 1100);
    peer_expect(&alice, FRAME_PRESENCE, &frame, &message);
    assert_string_equal(message.presence.changes[0].username, "bob");
    assert_false(message.presence.changes[0].online);
    assert_int_equal(message.presence.changes[0].last_seen_ms, end_ms);
    assert_int_equal(seen_in_members(), end_ms);
    peer_login(&fixture, "bob", &bob);
    assert_int_equal(seen_in_members(), 0);
}

static void it_outlives_the_server_to_about_a_minute(void **state)
{
    int64_t login_ms = wall_ms();
    struct peer phone;

    (void)state;
    assert_int_equal(stored(&bob), login_ms);
    for (unsigned i = 0; i < 200; i++) {
        clock_settable_advance(&fixture.clock, 1000);
        fixture_settle(&fixture);
        assert_true(wall_ms() - stored(&bob) <= SEEN_INTERVAL_MS + 10000);
    }
    clock_settable_advance(&fixture.clock, 15000);
    hub_set_time(fixture.hub, clock_monotonic_ms(&fixture.clock.clock));
    int64_t end_ms = wall_ms();
    peer_close(&bob);
    fixture_settle(&fixture);
    clock_settable_advance(&fixture.clock, 1000);
    fixture_settle(&fixture);
    peer_login(&fixture, "bob", &bob); /* so soon that its login is not written down */
    assert_int_equal(stored(&bob), end_ms);
    peer_login(&fixture, "bob", &phone);
    clock_settable_advance(&fixture.clock, 2000);
    peer_close(&phone); /* a short one costs no write */
    fixture_settle(&fixture);
    clock_settable_advance(&fixture.clock, 1000);
    fixture_settle(&fixture);
    assert_int_equal(stored(&bob), end_ms);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_sessions_are_told),
        TEST(who_comes_later_asks),
        TEST(a_slow_session_gets_the_last),
        TEST(a_session_too_far_behind_ends),
        TEST(whoever_left_is_told_nothing),
        TEST(mistakes_are_told),
        TEST(too_many_marks_are_slowed_down),
        TEST(last_seen_is_when_the_last_session_ended),
        TEST(it_outlives_the_server_to_about_a_minute),
    };

    return cmocka_run_group_tests_name("session_read_state", tests, NULL, NULL);
}
