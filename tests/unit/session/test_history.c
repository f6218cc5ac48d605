/* History: pages with an end, a crowd that reads the same, and what was erased meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/event.h"
#include "session/fixture.h"
#include "session/internal.h"

#define TAIL_BYTES (1 << 20)

static struct fixture fixture;
static struct peer alice;
static struct frame frame;
static union message message;

/* A room "general" with COUNT events. */
static void open_with(int count)
{
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    for (int i = 1; i < count; i++) {
        peer_post(&alice, 3, "general", "some words");
        if (i % 32 == 0) {
            fixture_settle(&fixture);
            peer_pull(&alice);
        }
    }
    fixture_settle(&fixture);
    peer_pull(&alice);
    buffer_consume(&alice.received, alice.received.size);
}

static int set_up(void **state)
{
    (void)state;
    fixture_open(&fixture, TAIL_BYTES);
    open_with(20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    peer_close(&alice);
    fixture_close(&fixture);
    return 0;
}

/* What FOLLOW brings, as text: "first-last", then whether exactly those events came. */
static void check_page(sealpost_v1_Follow follow, uint64_t first, uint64_t last)
{
    struct event_view view;
    follow.has_log = true;
    follow.log = log_named("general");
    peer_send(&alice, FRAME_FOLLOW, 2, &follow, NULL, 0);
    peer_expect(&alice, FRAME_FOLLOWING, &frame, &message);
    assert_int_equal(message.following.first, first);
    assert_int_equal(message.following.last, last);
    for (uint64_t sequence = first; sequence <= last; sequence++) {
        peer_expect(&alice, FRAME_EVENT, &frame, &message);
        assert_int_equal(event_view_parse(frame.raw.data, frame.raw.size, &view), SP_OK);
        assert_int_equal(view.header.sequence, sequence);
    }
    fixture_settle(&fixture);
    assert_false(peer_has_frame(&alice));
    assert_null(alice.session->cursors);
}

static void pages_have_an_end(void **state)
{
    (void)state;
    check_page((sealpost_v1_Follow){.before = 21, .count = 5}, 16, 20);
    check_page((sealpost_v1_Follow){.before = 16, .count = 5}, 11, 15);
    check_page((sealpost_v1_Follow){.before = 4, .count = 5}, 1, 3);
    check_page((sealpost_v1_Follow){.before = 1, .count = 5}, 1, 0);
    check_page((sealpost_v1_Follow){.before = 900, .count = 2}, 19, 20);
    check_page((sealpost_v1_Follow){.before = 8}, 1, 7);
    check_page((sealpost_v1_Follow){.around = 10, .count = 5}, 8, 12);
    check_page((sealpost_v1_Follow){.around = 10, .count = 1}, 10, 10);
    check_page((sealpost_v1_Follow){.around = 2, .count = 9}, 1, 9);
    check_page((sealpost_v1_Follow){.around = 19, .count = 5}, 17, 20);
    check_page((sealpost_v1_Follow){.around = 700, .count = 3}, 19, 20);
    check_page((sealpost_v1_Follow){.after = 3, .count = 4}, 4, 7);
    check_page((sealpost_v1_Follow){.after = 18, .count = 4}, 19, 20);
    check_page((sealpost_v1_Follow){.after = 20, .count = 4}, 21, 20);
    check_page((sealpost_v1_Follow){.last = 6, .count = 2}, 15, 16);
    check_page((sealpost_v1_Follow){.count = UINT64_MAX}, 1, 20);
    check_page((sealpost_v1_Follow){.before = UINT64_MAX, .count = UINT64_MAX}, 1, 20);
    check_page((sealpost_v1_Follow){.around = UINT64_MAX, .count = UINT64_MAX}, 1, 20);
}

static void what_is_no_page(void **state)
{
    static const sealpost_v1_Follow bad[] = {
        {.before = 5, .live = true},
        {.around = 5, .count = 3, .live = true},
        {.count = 3, .live = true},
        {.around = 5},
        {.before = 5, .after = 1},
        {.before = 5, .around = 5, .count = 1},
        {.around = 5, .last = 1, .count = 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        sealpost_v1_Follow follow = bad[i];
        follow.has_log = true;
        follow.log = log_named("general");
        peer_send(&alice, FRAME_FOLLOW, 2, &follow, NULL, 0);
        peer_next(&alice, &frame, &message);
        assert_int_equal(frame.type, FRAME_ERROR);
        assert_int_equal(message.error.error, SP_EINVALID);
    }
}

static uint64_t store_reads(void)
{
    struct hub_status status;
    hub_get_status(fixture.hub, &status);
    return status.store_reads;
}

/* A thousand members come back at once, and each has missed all of two thousand events. */
static void a_crowd_costs_few_reads(void **state)
{
    enum { CROWD = 1000, EVENTS = 2000 };
    static struct peer crowd[CROWD];
    char name[16];
    (void)state;
    fixture_open_large(&fixture, TAIL_BYTES, CROWD + 1);
    open_with(EVENTS);
    for (int i = 0; i < CROWD; i++) {
        snprintf(name, sizeof name, "m%d", i);
        peer_login(&fixture, name, &crowd[i]);
        peer_join(&crowd[i], "general");
    }
    assert_int_equal(store_reads(), 0);
    uint64_t joined = EVENTS + CROWD;
    sealpost_v1_Follow follow = {.has_log = true, .log = log_named("general")};
    for (int i = 0; i < CROWD; i++) {
        peer_send(&crowd[i], FRAME_FOLLOW, 2, &follow, NULL, 0);
    }
    for (int round = 0; round < 200; round++) {
        fixture_settle(&fixture);
        for (int i = 0; i < CROWD; i++) {
            peer_pull(&crowd[i]);
        }
    }
    for (int i = 0; i < CROWD; i++) {
        uint64_t events = 0;
        while (peer_has_frame(&crowd[i])) {
            peer_next(&crowd[i], &frame, &message);
            events += frame.type == FRAME_EVENT ? 1 : 0;
        }
        assert_int_equal(events, joined);
        peer_close(&crowd[i]);
    }
    /* Each block of the tail is read once, for all of them. */
    assert_in_range(store_reads(), joined / TAIL_BLOCK_EVENTS, joined / TAIL_BLOCK_EVENTS + 4);
    peer_close(&alice);
    fixture_close(&fixture);
}

static void keep(uint64_t events)
{
    sealpost_v1_Retention retention = {.has_once = true,
                                       .once = peer_once(&alice),
                                       .has_log = true,
                                       .log = log_named("general"),
                                       .keep_events = events};
    peer_send(&alice, FRAME_RETENTION, 4, &retention, NULL, 0);
    peer_expect(&alice, FRAME_EVENT_RESULT, &frame, &message);
}

/* Of the events that come for "everything": how many have a body. */
static unsigned bodies_of_all(void)
{
    struct event_view view;
    unsigned bodies = 0;
    sealpost_v1_Follow follow = {.has_log = true, .log = log_named("general")};
    peer_send(&alice, FRAME_FOLLOW, 2, &follow, NULL, 0);
    peer_expect(&alice, FRAME_FOLLOWING, &frame, &message);
    uint64_t last = message.following.last;
    for (uint64_t sequence = 1; sequence <= last; sequence++) {
        peer_expect(&alice, FRAME_EVENT, &frame, &message);
        assert_int_equal(event_view_parse(frame.raw.data, frame.raw.size, &view), SP_OK);
        assert_int_equal(event_view_verify(&view), SP_OK);
        assert_int_equal(view.header.sequence, sequence);
        bodies += view.salt != NULL ? 1 : 0;
    }
    return bodies;
}

static void what_is_erased_leaves_the_tail(void **state)
{
    (void)state;
    assert_int_equal(bodies_of_all(), 20);
    struct hub_status before;
    struct hub_status after;
    hub_get_status(fixture.hub, &before);
    keep(3);
    fixture_settle(&fixture);
    hub_get_status(fixture.hub, &after);
    assert_true(after.tail_bytes < before.tail_bytes);
    assert_int_equal(bodies_of_all(), 1 + 3); /* how it began, two posts, and the rule itself */
    assert_int_equal(bodies_of_all(), 1 + 3);
}

/* A reader had the page in its hands when the events on it were erased. */
static void what_is_erased_does_not_come_back(void **state)
{
    (void)state;
    sealpost_v1_Follow follow = {.has_log = true, .log = log_named("general")};
    struct hub_status before;
    struct hub_status after;
    peer_send(&alice, FRAME_FOLLOW, 2, &follow, NULL, 0);
    assert_int_equal(domain_step(fixture.domain), SP_OK);
    hub_take(fixture.hub);
    peer_pull(&alice); /* nothing is in the tail: it asks for a page */
    hub_get_status(fixture.hub, &before);
    assert_int_equal(before.store_reads, 1);
    assert_int_equal(domain_step(fixture.domain), SP_OK); /* the page is read … */
    follow_erased(fixture.hub, alice.session->cursors->channel->log_number, 2, 9);
    hub_take(fixture.hub); /* … and comes too late */
    hub_get_status(fixture.hub, &after);
    assert_int_equal(after.tail_bytes, before.tail_bytes);
    peer_expect(&alice, FRAME_FOLLOWING, &frame, &message);
    for (int i = 0; i < 20; i++) {
        peer_expect(&alice, FRAME_EVENT, &frame, &message);
    }
    hub_get_status(fixture.hub, &after);
    assert_int_equal(after.store_reads, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_have_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_page, set_up, tear_down),
        cmocka_unit_test(a_crowd_costs_few_reads),
        cmocka_unit_test_setup_teardown(what_is_erased_leaves_the_tail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_erased_does_not_come_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
