/* Followed logs: what fits is shown, what does not ends the connection. */
#include "unit/client/peer.h"

#include <string.h>

/* FOLLOW, and FOLLOWING with what HISTORY holds then; events from FIRST on, whose head before is
 * BEFORE. */
static uint32_t follow(struct peer *peer, const struct history *history, bool live, uint64_t first,
                       const struct digest *before)
{
    const struct sp_follow how = {.after = first - 1, .live = live};
    sealpost_v1_Following following = {
        .has_log = true, .log = history_info(history), .first = first};
    union message message;
    uint32_t request = 0;

    memcpy(following.before, before->bytes, sizeof(following.before));
    assert_int_equal(sp_follow(&peer->client, history->name, &how, &request), SP_OK);
    uint16_t stream = peer_hear(peer, FRAME_FOLLOW, &message, NULL);
    assert_int_equal(message.follow.after, first - 1);
    assert_int_equal(message.follow.live, live);
    peer_say(peer, FRAME_FOLLOWING, stream, &following, nothing);
    return request;
}

static void expect_message(struct peer *peer, const char *text, uint64_t sequence,
                           struct sp_notice *notice)
{
    peer_notice(peer, SP_NOTICE_EVENT, notice);
    assert_string_equal(notice->event.text, text);
    assert_int_equal(notice->event.text_bytes, strlen(text));
    assert_int_equal(notice->event.sequence, sequence);
    assert_int_equal(notice->event.kind, SP_EVENT_MESSAGE);
    assert_string_equal(notice->event.author, "bob");
}

static void expect_broken(struct peer *peer, const char *room, const char *event)
{
    struct sp_notice notice;
    union message message;

    peer_closed(peer, SP_EINTEGRITY, &notice);
    assert_non_null(strstr(notice.text, room));
    assert_non_null(strstr(notice.text, event));
    peer_hear(peer, FRAME_BYE, &message, NULL);
    assert_int_equal(message.bye.error, SP_EINTEGRITY);
}

static void test_follow_from_the_start(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct digest start;
    struct sp_notice notice;

    history_init(&history, "general");
    start = history.head;
    struct history server = history; /* the same log, three events on */
    static uint8_t scratch[1024];
    for (size_t i = 0; i < 3; i++) {
        struct body body = {.text = slice_of_string("hello")};
        history_add(&server, EVENT_MESSAGE, &body, scratch, sizeof(scratch));
    }
    uint32_t request = follow(peer, &server, true, 1, &start);
    for (size_t i = 0; i < 3; i++) {
        peer_say_message(peer, &history, "hello");
    }
    peer_result(peer, request, SP_OK, &notice);
    assert_int_equal(notice.sequence, 1);
    assert_int_equal(notice.log.head_sequence, 3);
    for (uint64_t i = 1; i <= 3; i++) {
        expect_message(peer, "hello", i, &notice);
        assert_string_equal(notice.event.log_name, "general");
        assert_memory_equal(notice.event.log, history.log.bytes, ID_BYTES);
    }
    assert_memory_equal(notice.event.hash, server.head.bytes, DIGEST_BYTES);
    peer_say_message(peer, &history, "live");
    expect_message(peer, "live", 4, &notice);
    assert_memory_equal(notice.event.hash, history.head.bytes, DIGEST_BYTES);
}

static void test_page_ends_by_itself(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct digest start;
    struct sp_notice notice;

    history_init(&history, "general");
    start = history.head;
    struct history server = history;
    static uint8_t scratch[1024];
    struct body body = {.text = slice_of_string("one")};
    history_add(&server, EVENT_MESSAGE, &body, scratch, sizeof(scratch));
    follow(peer, &server, false, 1, &start);
    peer_say_message(peer, &history, "one");
    peer_say_message(peer, &history, "not asked for");
    peer_notice(peer, SP_NOTICE_RESULT, &notice);
    expect_message(peer, "one", 1, &notice);
    peer_no_notice(peer);
    assert_null(peer->core->follows);
    follow(peer, &server, false, 2, &server.head); /* nothing is there */
    peer_notice(peer, SP_NOTICE_RESULT, &notice);
    assert_int_equal(notice.sequence, 2);
    assert_null(peer->core->follows);
}

/* A live follow of a log at event 5. */
static void begin(struct peer *peer, struct history *history, struct sp_notice *notice)
{
    history_init(history, "general");
    history->sequence = 5;
    memset(history->head.bytes, 0x77, sizeof(history->head.bytes));
    follow(peer, history, true, 6, &history->head);
    peer_notice(peer, SP_NOTICE_RESULT, notice);
}

static void test_gap(void **state)
{
    struct history history;
    struct sp_notice notice;

    begin(*state, &history, &notice);
    history.sequence++;
    peer_say_message(*state, &history, "7");
    expect_broken(*state, "general", "event 7");
}

static void test_repetition(void **state)
{
    struct history history;
    struct sp_notice notice;

    begin(*state, &history, &notice);
    peer_say_message(*state, &history, "6");
    history.sequence--;
    peer_say_message(*state, &history, "6 again");
    expect_message(*state, "6", 6, &notice);
    expect_broken(*state, "general", "event 6");
}

static void test_changed_body(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    uint8_t event[512];
    struct body body = {.text = slice_of_string("pay 100")};
    sealpost_v1_Event message = {.author = "bob"};

    begin(peer, &history, &notice);
    size_t size = history_add(&history, EVENT_MESSAGE, &body, event, sizeof(event));
    event[size - 1] = '9';
    peer_say(peer, FRAME_EVENT, 0, &message, slice_of(event, size));
    expect_broken(peer, "general", "event 6");
}

static void test_changed_header(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct digest start;
    struct sp_notice notice;
    uint8_t event[512];
    struct body body = {.text = slice_of_string("hello")};
    sealpost_v1_Event message = {.author = "bob"};

    history_init(&history, "general");
    start = history.head;
    size_t size = history_add(&history, EVENT_MESSAGE, &body, event, sizeof(event));
    follow(peer, &history, true, 1, &start);
    event[39] ^= 1; /* the time: only the announced head tells */
    peer_say(peer, FRAME_EVENT, 0, &message, slice_of(event, size));
    peer_notice(peer, SP_NOTICE_RESULT, &notice);
    expect_broken(peer, "general", "event 1");
}

static void test_wrong_start(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct digest wrong = {{1}};
    struct sp_notice notice;

    history_init(&history, "general");
    history.sequence = 5;
    uint32_t request = follow(peer, &history, true, 1, &wrong);
    peer_result(peer, request, SP_EDISCONNECTED, &notice);
    expect_broken(peer, "general", "event 0");
}

static void test_head_that_is_not_the_one_before(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct digest wrong = {{1}};

    history_init(&history, "general");
    history.sequence = 5;
    follow(peer, &history, true, 6, &wrong);
    expect_broken(peer, "general", "event 5");
}

static void test_follow_again_with_another_past(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;

    begin(peer, &history, &notice);
    history.head.bytes[0] ^= 1;
    follow(peer, &history, true, 6, &history.head);
    expect_broken(peer, "general", "event 5");
}

static void test_follow_again(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;

    begin(peer, &history, &notice);
    follow(peer, &history, true, 6, &history.head);
    peer_notice(peer, SP_NOTICE_RESULT, &notice);
    peer_say_message(peer, &history, "6");
    expect_message(peer, "6", 6, &notice);
    peer_no_notice(peer);
}

static void test_impossible_numbers(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;

    history_init(&history, "general");
    history.sequence = 5;
    follow(peer, &history, true, 7, &history.head);
    peer_closed(peer, SP_EPROTOCOL, &notice);
}

static void test_not_an_event(void **state)
{
    struct peer *peer = *state;
    struct sp_notice notice;
    sealpost_v1_Event message = {.author = "bob"};

    peer_say(peer, FRAME_EVENT, 0, &message, slice_of("short", 5));
    peer_closed(peer, SP_EPROTOCOL, &notice);
}

static void test_log_that_is_not_followed(void **state)
{
    struct peer *peer = *state;
    struct history history;

    history_init(&history, "other");
    peer_say_message(peer, &history, "x");
    peer_no_notice(peer);
}

static void test_file_event(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    static uint8_t event[1024];
    struct body body = {.name = slice_of_string("report.pdf"),
                        .has_file = true,
                        .file = {{0xf1}},
                        .has_size = true,
                        .size = 123456789,
                        .has_sha256 = true,
                        .sha256 = {{0x5a}}};
    sealpost_v1_Event message = {.author = "bob"};

    begin(peer, &history, &notice);
    size_t size = history_add(&history, EVENT_FILE, &body, event, sizeof(event));
    peer_say(peer, FRAME_EVENT, 0, &message, slice_of(event, size));
    peer_notice(peer, SP_NOTICE_EVENT, &notice);
    assert_int_equal(notice.event.kind, SP_EVENT_FILE);
    assert_string_equal(notice.event.text, "");
    assert_string_equal(notice.event.file.name, "report.pdf");
    assert_string_equal(notice.event.file.member, "bob");
    assert_string_equal(notice.event.file.log_name, "");
    assert_int_equal(notice.event.file.size, 123456789);
    assert_int_equal(notice.event.file.id[0], 0xf1);
    assert_int_equal(notice.event.file.sha256[0], 0x5a);
    assert_int_equal(notice.event.file.sequence, 6);
}

static void test_erased_event(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    uint8_t event[512];
    struct body body = {.text = slice_of_string("gone")};
    sealpost_v1_Event message = {.author = "bob"};

    begin(peer, &history, &notice);
    history_add(&history, EVENT_MESSAGE, &body, event, sizeof(event));
    peer_say(peer, FRAME_EVENT, 0, &message, slice_of(event, EVENT_HEADER_BYTES));
    peer_say_message(peer, &history, "after");
    peer_notice(peer, SP_NOTICE_EVENT, &notice);
    assert_true(notice.event.erased);
    assert_string_equal(notice.event.text, "");
    expect_message(peer, "after", 7, &notice);
}

static void test_longest_text(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    static char text[LIMIT_TEXT_BYTES + 1];

    memset(text, 'm', sizeof(text) - 1);
    begin(peer, &history, &notice);
    peer_say_message(peer, &history, text);
    expect_message(peer, text, 6, &notice);
}

static void test_unknown_kind_and_body(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    uint8_t event[512];
    struct body body = {.name = slice_of_string("x")};
    sealpost_v1_Event message = {.author = ""};

    begin(peer, &history, &notice);
    size_t size = history_add(&history, 999, &body, event, sizeof(event));
    peer_say(peer, FRAME_EVENT, 0, &message, slice_of(event, size));
    peer_notice(peer, SP_NOTICE_EVENT, &notice);
    assert_int_equal(notice.event.kind, 999);
    assert_string_equal(notice.event.text, "");
    assert_string_equal(notice.event.author, "");
}

static void test_follow_ended(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    sealpost_v1_FollowEnded ended = {.error = SP_ENOTJOINED};

    begin(peer, &history, &notice);
    memcpy(ended.log, history.log.bytes, sizeof(ended.log));
    peer_say(peer, FRAME_FOLLOW_ENDED, 0, &ended, nothing);
    peer_say_message(peer, &history, "too late");
    peer_notice(peer, SP_NOTICE_FOLLOW_ENDED, &notice);
    assert_int_equal(notice.error, SP_ENOTJOINED);
    assert_string_equal(notice.log.name, "general");
    assert_memory_equal(notice.log.id, history.log.bytes, ID_BYTES);
    peer_no_notice(peer);
}

static void test_unfollow(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    union message message;
    uint32_t request = 0;

    begin(peer, &history, &notice);
    assert_int_equal(sp_unfollow(&peer->client, history.log.bytes, &request), SP_OK);
    uint16_t stream = peer_hear(peer, FRAME_UNFOLLOW, &message, NULL);
    assert_memory_equal(message.unfollow.log, history.log.bytes, ID_BYTES);
    peer_say_message(peer, &history, "on its way");
    peer_say(peer, FRAME_DONE, stream, NULL, nothing);
    expect_message(peer, "on its way", 6, &notice);
    peer_result(peer, request, SP_OK, &notice);
    assert_null(peer->core->follows);
}

/* Every transcript, handed over at once and byte by byte. */
#define BOTH(test)                                                                  \
    cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown),               \
    {                                                                               \
#test " (byte by byte)", test, peer_setup_byte_by_byte, peer_teardown, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_follow_from_the_start),
        BOTH(test_page_ends_by_itself),
        BOTH(test_gap),
        BOTH(test_repetition),
        BOTH(test_changed_body),
        BOTH(test_changed_header),
        BOTH(test_wrong_start),
        BOTH(test_head_that_is_not_the_one_before),
        BOTH(test_follow_again_with_another_past),
        BOTH(test_follow_again),
        BOTH(test_impossible_numbers),
        BOTH(test_not_an_event),
        BOTH(test_log_that_is_not_followed),
        BOTH(test_file_event),
        BOTH(test_erased_event),
        BOTH(test_longest_text),
        BOTH(test_unknown_kind_and_body),
        BOTH(test_follow_ended),
        BOTH(test_unfollow),
    };

    return cmocka_run_group_tests_name("client chain", tests, NULL, NULL);
}
