/* Sessions: requests and answers, following, back-pressure; all without sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/body.h"
#include "event/event.h"
#include "session/fixture.h"

#define TAIL_BYTES (1 << 20)

static struct frame frame;
static union message message;

/* The text of the EVENT in FRAME, which must be number SEQUENCE. */
static void expect_event(struct peer *peer, uint64_t sequence, const char *text)
{
    peer_expect(peer, FRAME_EVENT, &frame, &message);
    struct event_view view;
    assert_int_equal(event_view_parse(frame.raw.data, frame.raw.size, &view), SP_OK);
    assert_int_equal(event_view_verify(&view), SP_OK);
    assert_int_equal(view.header.sequence, sequence);
    struct body body;
    assert_int_equal(body_parse(view.body, &body), SP_OK);
    if (text != NULL) {
        assert_int_equal(body.text.size, strlen(text));
        assert_memory_equal(body.text.data, text, strlen(text));
    }
}

static void expect_error(struct peer *peer, uint16_t stream, enum sp_error error)
{
    fixture_settle(peer->fixture);
    do {
        peer_next(peer, &frame, &message);
    } while (frame.type != FRAME_ERROR);
    assert_int_equal(frame.stream, stream);
    assert_int_equal(message.error.error, error);
}

static void two_members_talk(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    struct peer bob;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_login(&fixture, "bob", &bob);
    peer_create_room(&alice, "general");
    peer_join(&bob, "general");
    peer_follow(&alice, "general", 0, true);
    expect_event(&alice, 1, NULL);
    expect_event(&alice, 2, NULL);
    peer_follow(&bob, "general", 2, true);
    peer_post(&bob, 3, "general", "hello");
    peer_post(&alice, 3, "general", "hello yourself");
    expect_event(&alice, 3, "hello");
    assert_string_equal(message.event.author, "bob");
    expect_event(&alice, 4, "hello yourself");
    expect_event(&bob, 3, "hello");
    expect_event(&bob, 4, "hello yourself");
    assert_string_equal(message.event.author, "alice");
    fixture_settle(&fixture);
    peer_close(&alice);
    peer_close(&bob);
    fixture_close(&fixture);
}

static void a_page_ends_by_itself(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    for (int i = 0; i < 9; i++) {
        peer_post(&alice, 3, "general", "x");
    }
    peer_follow(&alice, "general", 7, false);
    expect_event(&alice, 8, "x");
    expect_event(&alice, 9, "x");
    expect_event(&alice, 10, "x");
    peer_post(&alice, 3, "general", "after the page");
    peer_expect(&alice, FRAME_EVENT_RESULT, &frame, &message);
    fixture_settle(&fixture);
    assert_false(peer_has_frame(&alice));
    peer_follow(&alice, "general", 11, false); /* nothing is there */
    assert_false(peer_has_frame(&alice));
    peer_close(&alice);
    fixture_close(&fixture);
}

static void whoever_leaves_reads_no_further(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    struct peer bob;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_login(&fixture, "bob", &bob);
    peer_create_room(&alice, "general");
    peer_join(&bob, "general");
    peer_follow(&bob, "general", 2, true);
    sealpost_v1_Write leave = {
        .has_once = true, .once = peer_once(&bob), .has_log = true, .log = log_named("general")};
    peer_send(&bob, FRAME_LEAVE, 4, &leave, NULL, 0);
    peer_expect(&bob, FRAME_FOLLOW_ENDED, &frame, &message);
    assert_int_equal(message.follow_ended.error, SP_ENOTJOINED);
    peer_post(&alice, 3, "general", "not for bob");
    fixture_settle(&fixture);
    while (peer_has_frame(&bob)) {
        peer_next(&bob, &frame, &message);
        assert_int_not_equal(frame.type, FRAME_EVENT);
    }
    peer_post(&bob, 5, "general", "may I?");
    expect_error(&bob, 5, SP_ENOTJOINED);
    peer_close(&alice);
    peer_close(&bob);
    fixture_close(&fixture);
}

/* The session that does not read costs a cursor; the tail forgets, the store does not. */
static void a_slow_reader_loses_nothing(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct fixture fixture;
    struct peer alice;
    struct peer slow;
    fixture_open(&fixture, 256 * 1024);
    peer_login(&fixture, "alice", &alice);
    peer_login(&fixture, "slow", &slow);
    peer_create_room(&alice, "general");
    peer_join(&slow, "general");
    peer_follow(&slow, "general", 2, true);
    for (int i = 0; i < COUNT; i++) {
        char text[64];
        snprintf(text, sizeof text, "message %d", i);
        peer_post(&alice, 3, "general", text);
        if (i % 32 == 31) {
            fixture_settle(&fixture);
            peer_pull(&alice);
            buffer_consume(&alice.received, alice.received.size);
        }
    }
    fixture_settle(&fixture);
    for (int i = 0; i < COUNT; i++) {
        char text[64];
        snprintf(text, sizeof text, "message %d", i);
        expect_event(&slow, (uint64_t)i + 3, text);
    }
    fixture_settle(&fixture);
    assert_false(peer_has_frame(&slow));
    peer_close(&alice);
    peer_close(&slow);
    fixture_close(&fixture);
}

static void one_byte_at_a_time_is_the_same(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    struct buffer bytes;
    buffer_init(&bytes, 65536);
    sealpost_v1_Create create = {.has_once = true, .once = peer_once(&alice), .name = "general"};
    sealpost_v1_Write post = {
        .has_once = true, .once = peer_once(&alice), .has_log = true, .log = log_named("general")};
    struct slice none = {NULL, 0};
    assert_int_equal(frame_append(&bytes, FRAME_ROOM_CREATE, 9, &create, none), SP_OK);
    assert_int_equal(frame_append(&bytes, FRAME_POST, 10, &post, slice_of_string("one by one")),
                     SP_OK);
    assert_int_equal(frame_append(&bytes, FRAME_STATUS, 11, NULL, none), SP_OK);
    for (size_t i = 0; i < bytes.size; i++) {
        session_receive(alice.session, buffer_data(&bytes) + i, 1);
    }
    buffer_deinit(&bytes);
    peer_expect(&alice, FRAME_STATUS_RESULT, &frame,
                &message); /* answered at once, the others by commit */
    peer_expect(&alice, FRAME_EVENT_RESULT, &frame, &message);
    assert_int_equal(frame.stream, 9);
    peer_expect(&alice, FRAME_EVENT_RESULT, &frame, &message);
    assert_int_equal(frame.stream, 10);
    assert_int_equal(message.event_result.sequence, 2);
    peer_close(&alice);
    fixture_close(&fixture);
}

static void a_malformed_frame_ends_only_this_session(void **state)
{
    (void)state;
    static const uint8_t bad[][FRAME_HEADER_BYTES] = {
        {0xff, 0xff, 0, 0, 21, 0, 0, 1}, /* too long */
        {0, 0, 0, 0, 21, 9, 0, 1},       /* the reserved byte */
        {0, 0, 0, 0, 21, 0, 0, 0},       /* a request on stream 0 */
        {0, 0, 0, 0, 3, 0, 0, 1},        /* a ping on a stream */
    };
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct peer mallory;
        peer_login(&fixture, "mallory", &mallory);
        session_receive(mallory.session, bad[i], sizeof bad[i]);
        assert_true(session_ended(mallory.session));
        peer_expect(&mallory, FRAME_BYE, &frame, &message);
        assert_int_equal(message.bye.error, SP_EPROTOCOL);
        assert_false(session_wants_input(mallory.session));
        session_receive(mallory.session, bad[i], sizeof bad[i]); /* has no effect any more */
        assert_false(peer_has_frame(&mallory));
        peer_close(&mallory);
    }
    static const uint8_t unknown[FRAME_HEADER_BYTES] = {0, 0, 0, 0, 250, 0, 0, 7};
    session_receive(alice.session, unknown, sizeof unknown);
    expect_error(&alice, 7, SP_EUNSUPPORTED);
    assert_true(session_is_open(alice.session));
    peer_close(&alice);
    fixture_close(&fixture);
}

/* A session has a bounded number of requests under way; what comes beyond waits where it is, and is
 * not lost. */
static void too_many_requests_wait(void **state)
{
    (void)state;
    enum { COUNT = 3 * LIMIT_COMMANDS_PER_SESSION };
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    struct buffer bytes;
    buffer_init(&bytes, 65536);
    for (int i = 0; i < COUNT; i++) {
        sealpost_v1_Write post = {.has_once = true,
                                  .once = peer_once(&alice),
                                  .has_log = true,
                                  .log = log_named("general")};
        assert_int_equal(
            frame_append(&bytes, FRAME_POST, (uint16_t)(i + 1), &post, slice_of_string("x")),
            SP_OK);
    }
    session_receive(alice.session, buffer_data(&bytes), bytes.size);
    buffer_deinit(&bytes);
    assert_false(session_wants_input(alice.session));
    for (int i = 0; i < COUNT; i++) {
        peer_expect(&alice, FRAME_EVENT_RESULT, &frame, &message);
        assert_int_equal(frame.stream, i + 1);
        assert_int_equal(message.event_result.sequence, i + 2);
    }
    assert_true(session_wants_input(alice.session));
    peer_close(&alice);
    fixture_close(&fixture);
}

/* Sends COUNT requests of TYPE in one go, and counts the answers of type LAST that come to a client
 * who reads all of them. */
static int count_pipelined(struct peer *peer, enum frame_type type, int count, enum frame_type last)
{
    struct buffer bytes;
    buffer_init(&bytes, 65536);
    for (int i = 0; i < count; i++) {
        assert_int_equal(
            frame_append(&bytes, type, (uint16_t)(i + 1), NULL, (struct slice){NULL, 0}), SP_OK);
    }
    session_receive(peer->session, buffer_data(&bytes), bytes.size);
    buffer_deinit(&bytes);
    int seen = 0;
    for (int i = 0; i < 100; i++) {
        fixture_settle(peer->fixture);
        while (peer_has_frame(peer)) {
            peer_next(peer, &frame, &message);
            seen += frame.type == last ? 1 : 0;
        }
    }
    return seen;
}

/* Requests that wait because answers have no room are carried out when there is room, without
 * anything more coming. */
static void pipelined_requests_are_all_answered(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    for (int i = 0; i < LIMIT_PAGE_ROWS; i++) {
        char name[LIMIT_LOG_NAME_BYTES + 1];
        snprintf(name, sizeof name, "room%060d", i);
        peer_create_room(&alice, name);
    }
    assert_int_equal(count_pipelined(&alice, FRAME_STATUS, 2000, FRAME_STATUS_RESULT), 2000);
    assert_int_equal(count_pipelined(&alice, FRAME_LIST, 64, FRAME_LIST_END), 64);
    assert_true(session_wants_input(alice.session));
    peer_close(&alice);
    fixture_close(&fixture);
}

/* The domain's queue is full: the sessions that feed it stop being read, and go on by themselves.
 */
static void a_full_queue_stalls_and_recovers(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    for (int i = 0; i < LIMIT_WAITING_COMMANDS; i++) {
        struct command *filler = NULL;
        assert_int_equal(command_new(COMMAND_OFFER_END, 0, &filler), SP_OK);
        assert_int_equal(domain_submit(fixture.domain, filler), SP_OK);
    }
    peer_post(&alice, 5, "general", "waits");
    assert_false(session_wants_input(alice.session));
    hub_tick(fixture.hub);
    assert_false(session_wants_input(alice.session));
    assert_int_not_equal(hub_timeout_ms(fixture.hub), -1);
    peer_expect(&alice, FRAME_EVENT_RESULT, &frame, &message);
    assert_int_equal(frame.stream, 5);
    assert_true(session_wants_input(alice.session));
    peer_close(&alice);
    fixture_close(&fixture);
}

static void expect_posts(struct peer *peer, int taken)
{
    for (int i = 0; i < taken; i++) {
        peer_post(peer, 3, "general", "x");
        peer_expect(peer, FRAME_EVENT_RESULT, &frame, &message);
    }
    peer_post(peer, 4, "general", "one too many");
    expect_error(peer, 4, SP_ESLOWDOWN);
}

/* All sessions of a member share what it may send; others have their own. */
static void too_fast_is_told_when_to_come_again(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    struct peer again;
    struct peer bob;
    fixture_open_limited(&fixture, 10, 20);
    peer_login(&fixture, "alice", &alice);
    peer_login(&fixture, "alice", &again);
    peer_login(&fixture, "bob", &bob);
    again.next_id = 1000;
    peer_create_room(&alice, "general");
    expect_posts(&alice, 19);
    assert_in_range(message.error.retry_after_ms, 1, 101);
    peer_post(&again, 4, "general", "from another device");
    expect_error(&again, 4, SP_ESLOWDOWN);
    peer_join(&bob, "general");
    clock_settable_advance(&fixture.clock, message.error.retry_after_ms);
    fixture_settle(&fixture);
    expect_posts(&alice, 1);
    clock_settable_advance(&fixture.clock, 3600000);
    fixture_settle(&fixture);
    expect_posts(&alice, 20); /* never more than the burst */
    peer_close(&alice);
    peer_close(&again);
    peer_close(&bob);
    fixture_close(&fixture);
}

/* A byte now and then keeps no session alive: a frame must arrive whole in time. */
static void a_frame_that_drips_ends_the_session(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    static const uint8_t header[FRAME_HEADER_BYTES] = {0, 0, 1, 0, FRAME_POST, 0, 0, 1};
    session_receive(alice.session, header, sizeof header);
    for (int64_t ms = 0; ms <= PARTIAL_FRAME_TIMEOUT_MS; ms += 5000) {
        assert_false(session_ended(alice.session));
        session_receive(alice.session, header, 1);
        session_check_idle(alice.session, clock_monotonic_ms(&fixture.clock.clock));
        clock_settable_advance(&fixture.clock, 5000);
        fixture_settle(&fixture);
    }
    assert_true(session_ended(alice.session));
    assert_int_equal(session_end_reason(alice.session), SP_EIDLE);
    peer_close(&alice);
    fixture_close(&fixture);
}

static void presence_tells_changes(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    struct peer bob;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    sealpost_v1_WatchPresence watch = {.on = true};
    peer_send(&alice, FRAME_WATCH_PRESENCE, 1, &watch, NULL, 0);
    clock_settable_advance(&fixture.clock, 1100);
    peer_expect(&alice, FRAME_PRESENCE, &frame, &message);
    assert_int_equal(message.presence.changes_count, 1);
    assert_string_equal(message.presence.changes[0].username, "alice");
    peer_login(&fixture, "bob", &bob);
    clock_settable_advance(&fixture.clock, 1100);
    peer_expect(&alice, FRAME_PRESENCE, &frame, &message);
    assert_string_equal(message.presence.changes[0].username, "bob");
    assert_true(message.presence.changes[0].online);
    peer_close(&bob);
    clock_settable_advance(&fixture.clock, 1100);
    peer_expect(&alice, FRAME_PRESENCE, &frame, &message);
    assert_string_equal(message.presence.changes[0].username, "bob");
    assert_false(message.presence.changes[0].online);
    peer_close(&alice);
    fixture_close(&fixture);
}

static void who_says_nothing_is_asked_and_then_let_go(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    clock_settable_advance(&fixture.clock, PING_AFTER_IDLE_MS);
    fixture_settle(&fixture);
    session_check_idle(alice.session, clock_monotonic_ms(&fixture.clock.clock));
    peer_expect(&alice, FRAME_PING, &frame, &message);
    sealpost_v1_Ping pong = message.ping;
    peer_send(&alice, FRAME_PONG, 0, &pong, NULL, 0);
    clock_settable_advance(&fixture.clock, IDLE_TIMEOUT_MS - 1);
    session_check_idle(alice.session, clock_monotonic_ms(&fixture.clock.clock));
    assert_false(session_ended(alice.session));
    clock_settable_advance(&fixture.clock, 1);
    session_check_idle(alice.session, clock_monotonic_ms(&fixture.clock.clock));
    assert_true(session_ended(alice.session));
    assert_int_equal(session_end_reason(alice.session), SP_EIDLE);
    peer_close(&alice);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_members_talk),
        cmocka_unit_test(a_page_ends_by_itself),
        cmocka_unit_test(whoever_leaves_reads_no_further),
        cmocka_unit_test(a_slow_reader_loses_nothing),
        cmocka_unit_test(one_byte_at_a_time_is_the_same),
        cmocka_unit_test(a_malformed_frame_ends_only_this_session),
        cmocka_unit_test(too_many_requests_wait),
        cmocka_unit_test(pipelined_requests_are_all_answered),
        cmocka_unit_test(a_full_queue_stalls_and_recovers),
        cmocka_unit_test(too_fast_is_told_when_to_come_again),
        cmocka_unit_test(a_frame_that_drips_ends_the_session),
        cmocka_unit_test(presence_tells_changes),
        cmocka_unit_test(who_says_nothing_is_asked_and_then_let_go),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
