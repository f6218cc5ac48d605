/* The core against a scripted server in memory: login, requests, lists, presence, liveness, ends.
 */
#include "unit/client/peer.h"

#include <string.h>

static const struct sp_once once = {{1, 2, 3}, {4, 5, 6}};

/* ---- Login ---- */

static void test_login(void **state)
{
    struct peer *peer = *state;
    struct sp_notice notice;

    peer->core->certificate_not_after_ms = 77;
    peer_welcome(peer);
    peer_notice(peer, SP_NOTICE_LOGIN, &notice);
    assert_string_equal(notice.login.server, "sealpostd test");
    assert_string_equal(notice.login.team, "test");
    assert_string_equal(notice.login.username, "alice");
    assert_int_equal(notice.login.device[0], 0xd1);
    assert_int_equal(notice.login.time_ms, 1234567);
    assert_int_equal(notice.login.text_bytes, 16384);
    assert_int_equal(notice.login.file_bytes, 1 << 20);
    assert_int_equal(notice.login.certificate_not_after_ms, 77);
    peer_no_notice(peer);
    peer_hear_nothing(peer);
}

static void test_nothing_before_welcome(void **state)
{
    struct peer *peer = *state;
    uint32_t request = 9;

    assert_int_equal(sp_post(&peer->client, &once, "general", "hi", 2, &request), SP_EDISCONNECTED);
    assert_int_equal(request, 0);
    peer_hear_nothing(peer);
}

static void test_bye_instead_of_welcome(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Bye bye = {.error = SP_ENOTADMITTED};
    struct sp_notice notice;

    peer_say(peer, FRAME_BYE, 0, &bye, nothing);
    peer_closed(peer, SP_ENOTADMITTED, &notice);
    assert_non_null(strstr(notice.text, "alice.pem"));
    assert_non_null(strstr(notice.text, "administrator"));
}

static void test_bye_with_a_text(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Bye bye = {.error = SP_ESHUTDOWN, .text = "back at ten"};
    struct sp_notice notice;

    peer_say(peer, FRAME_BYE, 0, &bye, nothing);
    peer_closed(peer, SP_ESHUTDOWN, &notice);
    assert_string_equal(notice.text, "back at ten");
}

static void test_another_version(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Welcome welcome = {.protocol = 2};
    struct sp_notice notice;

    peer_say(peer, FRAME_WELCOME, 0, &welcome, nothing);
    peer_closed(peer, SP_EUNSUPPORTED, &notice);
}

static void test_ping_before_welcome(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Ping ping = {.token = 1};
    struct sp_notice notice;

    peer_say(peer, FRAME_PING, 0, &ping, nothing);
    peer_closed(peer, SP_EPROTOCOL, &notice);
    peer_hear(peer, FRAME_BYE, NULL, NULL);
}

static void test_cut_before_welcome(void **state)
{
    struct peer *peer = *state;
    struct sp_notice notice;

    core_input_end(peer->core, SP_EDISCONNECTED, "cut");
    peer_closed(peer, SP_EDISCONNECTED, &notice);
    assert_string_equal(notice.text, "cut");
}

/* ---- Requests ---- */

static void answer_event(struct peer *peer, uint16_t stream, const struct history *history)
{
    sealpost_v1_EventResult result = {.has_log = true,
                                      .log = history_info(history),
                                      .sequence = 7,
                                      .time_ms = 70,
                                      .repeated = true};

    memset(result.hash, 0xab, sizeof(result.hash));
    peer_say(peer, FRAME_EVENT_RESULT, stream, &result, nothing);
}

static void test_post(void **state)
{
    struct peer *peer = *state;
    struct history history;
    union message message;
    struct sp_notice notice;
    struct slice raw;
    uint32_t request = 0;

    history_init(&history, "general");
    assert_int_equal(sp_post(&peer->client, &once, "#general", "hello", 5, &request), SP_OK);
    assert_int_not_equal(request, 0);
    uint16_t stream = peer_hear(peer, FRAME_POST, &message, &raw);
    assert_string_equal(message.write.log.name, "general");
    assert_int_equal(message.write.log.id.size, 0);
    assert_memory_equal(message.write.once.client_id, once.client_id, SP_ID_BYTES);
    assert_memory_equal(message.write.once.salt, once.salt, SP_SALT_BYTES);
    assert_int_equal(raw.size, 5);
    assert_memory_equal(raw.data, "hello", 5);
    peer_no_notice(peer);
    answer_event(peer, stream, &history);
    peer_result(peer, request, SP_OK, &notice);
    assert_int_equal(notice.sequence, 7);
    assert_int_equal(notice.time_ms, 70);
    assert_int_equal(notice.hash[31], 0xab);
    assert_true(notice.repeated);
    assert_string_equal(notice.log.name, "general");
    assert_int_equal(peer->core->request_count, 0);
}

static void test_all_that_make_events(void **state)
{
    struct peer *peer = *state;
    struct sp_client *client = &peer->client;
    char id[] = "000102030405060708090a0b0c0d0e0F";
    union message message;
    struct slice raw;
    uint32_t request = 0;

    assert_int_equal(sp_room_create(client, &once, "#r", &request), SP_OK);
    peer_hear(peer, FRAME_ROOM_CREATE, &message, NULL);
    assert_string_equal(message.create.name, "r");
    assert_int_equal(sp_box_create(client, NULL, "b", &request), SP_OK);
    peer_hear(peer, FRAME_BOX_CREATE, &message, NULL);
    assert_true(message.create.has_once);
    assert_int_equal(sp_join(client, &once, id, &request), SP_OK);
    peer_hear(peer, FRAME_JOIN, &message, NULL);
    assert_int_equal(message.write.log.id.size, 16);
    assert_int_equal(message.write.log.id.bytes[15], 15);
    assert_string_equal(message.write.log.name, "");
    assert_int_equal(sp_leave(client, &once, "r", &request), SP_OK);
    peer_hear(peer, FRAME_LEAVE, NULL, NULL);
    assert_int_equal(sp_topic(client, &once, "r", "", 0, &request), SP_OK);
    peer_hear(peer, FRAME_TOPIC, NULL, &raw);
    assert_int_equal(raw.size, 0);
}

static void test_bad_arguments(void **state)
{
    struct peer *peer = *state;
    struct sp_client *client = &peer->client;
    static const struct sp_once zero;
    static char large[LIMIT_RAW_BYTES + 1];
    uint32_t request = 0;

    memset(large, 'x', sizeof(large));
    assert_int_equal(sp_post(client, &zero, "general", "x", 1, &request), SP_EINVALID);
    assert_int_equal(sp_post(client, &once, "General", "x", 1, &request), SP_ENAME);
    assert_int_equal(sp_post(client, &once, "", "x", 1, &request), SP_ENAME);
    assert_int_equal(sp_post(client, &once, NULL, "x", 1, &request), SP_EINVALID);
    assert_int_equal(sp_post(client, &once, "general", "\xff", 1, &request), SP_EINVALID);
    assert_int_equal(sp_post(client, &once, "general", large, sizeof(large), &request),
                     SP_ETOOLARGE);
    assert_int_equal(sp_room_create(client, &once, NULL, &request), SP_EINVALID);
    assert_int_equal(sp_room_create(client, &once, "a b", &request), SP_ENAME);
    assert_int_equal(sp_list_files(client, NULL, &request), SP_EINVALID);
    assert_int_equal(sp_get(client, "12345", 1, &request), SP_EINVALID);
    assert_int_equal(sp_get(client, "12345x", 1, &request), SP_EINVALID);
    assert_int_equal(sp_get(client, "000102030405060708090a0b0c0d0e0f0", 1, &request), SP_EINVALID);
    assert_int_equal(sp_send(client, &once, "general", "a/b", 0, &request), SP_ENAME);
    assert_int_equal(sp_send(client, &once, "general", "x", -1, &request), SP_EFILE);
    assert_int_equal(request, 0);
    peer_hear_nothing(peer);
}

static void test_refused(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Error error = {.error = SP_ENOTJOINED, .text = "join #general first"};
    sealpost_v1_Error strange = {.error = 113, .retry_after_ms = 250};
    struct sp_notice notice;
    uint32_t request = 0;

    assert_int_equal(sp_post(&peer->client, &once, "general", "x", 1, &request), SP_OK);
    peer_say(peer, FRAME_ERROR, peer_hear(peer, FRAME_POST, NULL, NULL), &error, nothing);
    peer_result(peer, request, SP_ENOTJOINED, &notice);
    assert_string_equal(notice.text, "join #general first");
    assert_int_equal(sp_get_status(&peer->client, &request), SP_OK);
    peer_say(peer, FRAME_ERROR, peer_hear(peer, FRAME_STATUS, NULL, NULL), &strange, nothing);
    peer_notice(peer, SP_NOTICE_RESULT, &notice);
    assert_int_equal(notice.error, 113);
    assert_int_equal(notice.retry_after_ms, 250);
    assert_int_equal(sp_error_class(notice.error), SP_CLASS_UNKNOWN);
}

static void test_too_many_wait(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    uint32_t requests[LIMIT_COMMANDS_PER_SESSION];
    uint16_t streams[LIMIT_COMMANDS_PER_SESSION];
    uint32_t request = 0;

    history_init(&history, "general");
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        assert_int_equal(sp_post(&peer->client, NULL, "general", "x", 1, &requests[i]), SP_OK);
    }
    assert_int_equal(sp_post(&peer->client, NULL, "general", "x", 1, &request), SP_EBUSY);
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        streams[i] = peer_hear(peer, FRAME_POST, NULL, NULL);
    }
    for (size_t i = COUNT_OF(requests); i-- > 0;) { /* in another order */
        answer_event(peer, streams[i], &history);
        peer_result(peer, requests[i], SP_OK, &notice);
    }
    assert_int_equal(sp_post(&peer->client, NULL, "general", "x", 1, &request), SP_OK);
}

static void test_output_is_bounded(void **state)
{
    struct peer *peer = *state;
    static char text[LIMIT_TEXT_BYTES];
    enum sp_error error = SP_OK;
    uint32_t request = 0;
    size_t count = 0;

    memset(text, 'x', sizeof(text));
    peer->deaf = true;
    while (error == SP_OK) {
        error = sp_post(&peer->client, NULL, "general", text, sizeof(text), &request);
        count += error == SP_OK ? 1 : 0;
    }
    assert_int_equal(error, SP_EBUSY);
    assert_in_range(count, 8, CORE_OUTPUT_BYTES / sizeof(text));
    /* Pings that are not answered do not pile up either: reading stops. */
    for (uint64_t i = 0; i < 30000; i++) {
        sealpost_v1_Ping ping = {.token = i + 1};

        peer_say(peer, FRAME_PING, 0, &ping, nothing);
    }
    peer_no_notice(peer);
    assert_true(peer->says.size > 0);
    assert_true(peer->core->output.size <= CORE_OUTPUT_BYTES + CORE_RESERVE_BYTES);
    peer->deaf = false;
    while (count-- > 0) {
        peer_hear(peer, FRAME_POST, NULL, NULL);
    }
    for (uint64_t i = 0; i < 30000; i++) {
        union message message;
        struct sp_notice notice;

        assert_false(peer_next(peer, &notice));
        peer_hear(peer, FRAME_PONG, &message, NULL);
        assert_int_equal(message.ping.token, i + 1);
    }
}

static void test_late_answer(void **state)
{
    struct peer *peer = *state;
    struct history history;

    history_init(&history, "general");
    answer_event(peer, 777, &history); /* to a request that is over: nothing happens */
    peer_no_notice(peer);
    assert_int_equal(peer->core->phase, CORE_OPEN);
}

static void test_wrong_answer(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    uint32_t request = 0;

    history_init(&history, "general");
    assert_int_equal(sp_get_status(&peer->client, &request), SP_OK);
    answer_event(peer, peer_hear(peer, FRAME_STATUS, NULL, NULL), &history);
    peer_result(peer, request, SP_EDISCONNECTED, &notice);
    peer_closed(peer, SP_EPROTOCOL, &notice);
}

/* ---- Lists and state ---- */

static void say_member(struct peer *peer, uint16_t stream, uint64_t key, const char *name)
{
    sealpost_v1_RowMember row = {.key = key, .owner = key == 1, .online = key == 2};

    strncpy(row.username, name, sizeof(row.username) - 1);
    peer_say(peer, FRAME_ROW_MEMBER, stream, &row, nothing);
}

static void test_list_in_pages(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_ListEnd end = {.more = true};
    union message message;
    struct sp_notice notice;
    uint32_t request = 0;

    assert_int_equal(sp_list_members(&peer->client, "general", &request), SP_OK);
    uint16_t stream = peer_hear(peer, FRAME_LIST, &message, NULL);
    assert_int_equal(message.list.what, sealpost_v1_List_What_MEMBERS);
    assert_string_equal(message.list.log.name, "general");
    say_member(peer, stream, 1, "alice");
    say_member(peer, stream, 2, "bob");
    peer_say(peer, FRAME_LIST_END, stream, &end, nothing);
    peer_notice(peer, SP_NOTICE_ROW, &notice);
    assert_int_equal(notice.request, request);
    assert_int_equal(notice.row.type, SP_ROW_MEMBER);
    assert_string_equal(notice.row.username, "alice");
    assert_true(notice.row.owner);
    peer_notice(peer, SP_NOTICE_ROW, &notice);
    assert_true(notice.row.online);
    peer_no_notice(peer);
    stream = peer_hear(peer, FRAME_LIST, &message, NULL);
    assert_int_equal(message.list.after, 2);
    assert_string_equal(message.list.log.name, "general");
    say_member(peer, stream, 3, "carol");
    end.more = false;
    peer_say(peer, FRAME_LIST_END, stream, &end, nothing);
    peer_notice(peer, SP_NOTICE_ROW, &notice);
    assert_string_equal(notice.row.username, "carol");
    peer_result(peer, request, SP_OK, &notice);
}

static void test_list_that_never_ends(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_ListEnd end = {.more = true};
    struct sp_notice notice;
    uint32_t request = 0;

    assert_int_equal(sp_list_logs(&peer->client, &request), SP_OK);
    peer_say(peer, FRAME_LIST_END, peer_hear(peer, FRAME_LIST, NULL, NULL), &end, nothing);
    peer_closed(peer, SP_EPROTOCOL, &notice);
}

/* Its keys do not grow: it need not have an end either. */
static void test_list_that_goes_round(void **state)
{
    struct peer *peer = *state;
    struct sp_notice notice;
    uint32_t request = 0;

    assert_int_equal(sp_list_members(&peer->client, "general", &request), SP_OK);
    uint16_t stream = peer_hear(peer, FRAME_LIST, NULL, NULL);
    say_member(peer, stream, 2, "bob");
    peer_notice(peer, SP_NOTICE_ROW, &notice);
    say_member(peer, stream, 2, "bob");
    peer_closed(peer, SP_EPROTOCOL, &notice);
}

static void test_rows(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    uint32_t request = 0;

    history_init(&history, "general");
    sealpost_v1_RowLog log = {.key = 1,
                              .has_log = true,
                              .log = history_info(&history),
                              .topic = "tea",
                              .members = 4,
                              .joined = true};
    sealpost_v1_RowFile file = {
        .key = 2,
        .has_file = true,
        .file = {
            .name = "a.txt", .member = "bob", .log_name = "general", .sequence = 9, .size = 12}};
    assert_int_equal(sp_list_logs(&peer->client, &request), SP_OK);
    peer_say(peer, FRAME_ROW_LOG, peer_hear(peer, FRAME_LIST, NULL, NULL), &log, nothing);
    peer_notice(peer, SP_NOTICE_ROW, &notice);
    assert_string_equal(notice.row.log.name, "general");
    assert_string_equal(notice.row.topic, "tea");
    assert_int_equal(notice.row.members, 4);
    assert_true(notice.row.joined);
    assert_int_equal(sp_list_files(&peer->client, "general", &request), SP_OK);
    peer_say(peer, FRAME_ROW_FILE, peer_hear(peer, FRAME_LIST, NULL, NULL), &file, nothing);
    peer_notice(peer, SP_NOTICE_ROW, &notice);
    assert_string_equal(notice.row.file.name, "a.txt");
    assert_string_equal(notice.row.file.member, "bob");
    assert_int_equal(notice.row.file.size, 12);
}

static void test_presence(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Presence presence = {
        .changes_count = 3, .changes = {{"bob", true, 0}, {"carol", false, 77}, {"dave", true, 0}}};
    struct sp_notice notice;
    uint32_t request = 0;

    assert_int_equal(sp_watch_presence(&peer->client, true, &request), SP_OK);
    peer_say(peer, FRAME_DONE, peer_hear(peer, FRAME_WATCH_PRESENCE, NULL, NULL), NULL, nothing);
    peer_say(peer, FRAME_PRESENCE, 0, &presence, nothing);
    peer_result(peer, request, SP_OK, &notice);
    for (size_t i = 0; i < 3; i++) {
        peer_notice(peer, SP_NOTICE_PRESENCE, &notice);
        assert_string_equal(notice.presence.username, presence.changes[i].username);
        assert_int_equal(notice.presence.online, presence.changes[i].online);
        assert_int_equal(notice.presence.last_seen_ms, presence.changes[i].last_seen_ms);
    }
    peer_no_notice(peer);
}

static void test_read_state(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_ReadState read = {
        .has_log = true,
        .log = {.id = {7}, .kind = 1, .name = "general", .head_sequence = 40},
        .sequence = 31,
        .unread = 8,
        .mentions = 2};
    sealpost_v1_RowLog row = {.key = 1,
                              .has_log = true,
                              .log = read.log,
                              .joined = true,
                              .read = 31,
                              .unread = 8,
                              .mentions = 2};
    struct sp_notice notice;
    union message heard;
    uint32_t request = 0;
    uint32_t list = 0;

    assert_int_equal(sp_mark_read(&peer->client, "No", 31, &request), SP_ENAME);
    assert_int_equal(sp_mark_read(&peer->client, "#general", 31, &request), SP_OK);
    uint16_t stream = peer_hear(peer, FRAME_MARK_READ, &heard, NULL);
    assert_string_equal(heard.mark_read.log.name, "general");
    assert_int_equal(heard.mark_read.sequence, 31);
    peer_say(peer, FRAME_READ_STATE, 0, &read, nothing);
    read.unread = 9;
    peer_say(peer, FRAME_MARKED, stream, &read, nothing);
    for (uint64_t i = 0; i < 2; i++) {
        if (i == 0) {
            peer_notice(peer, SP_NOTICE_READ_STATE, &notice);
            assert_int_equal(notice.request, 0);
        } else {
            peer_result(peer, request, SP_OK, &notice);
        }
        assert_string_equal(notice.log.name, "general");
        assert_int_equal(notice.log.id[0], 7);
        assert_int_equal(notice.log.head_sequence, 40);
        assert_int_equal(notice.read.sequence, 31);
        assert_int_equal(notice.read.unread, 8 + i);
        assert_int_equal(notice.read.mentions, 2);
    }
    assert_int_equal(sp_list_logs(&peer->client, &list), SP_OK);
    peer_say(peer, FRAME_ROW_LOG, peer_hear(peer, FRAME_LIST, NULL, NULL), &row, nothing);
    peer_notice(peer, SP_NOTICE_ROW, &notice);
    assert_int_equal(notice.row.read.sequence, 31);
    assert_int_equal(notice.row.read.unread, 8);
    assert_int_equal(notice.row.read.mentions, 2);
    peer_no_notice(peer);
}

static void test_status(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_StatusResult status = {.server = "s", .sessions = 3, .commits = 1ULL << 40};
    struct sp_notice notice;
    uint32_t request = 0;

    assert_int_equal(sp_get_status(&peer->client, &request), SP_OK);
    peer_say(peer, FRAME_STATUS_RESULT, peer_hear(peer, FRAME_STATUS, NULL, NULL), &status,
             nothing);
    peer_result(peer, request, SP_OK, &notice);
    assert_string_equal(notice.status.server, "s");
    assert_int_equal(notice.status.sessions, 3);
    assert_int_equal(notice.status.commits, 1ULL << 40);
}

/* ---- Liveness ---- */

static void test_ping_is_answered(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Ping ping = {.token = 0x123456789abcdefULL};
    union message message;

    peer_say(peer, FRAME_PING, 0, &ping, nothing);
    peer_no_notice(peer);
    assert_int_equal(peer_hear(peer, FRAME_PONG, &message, NULL), 0);
    assert_int_equal(message.ping.token, ping.token);
}

static void test_silent_server_is_asked(void **state)
{
    struct peer *peer = *state;
    union message message;
    struct sp_notice notice;

    assert_int_equal(core_timeout_ms(peer->core), 90000);
    clock_settable_advance(&peer->clock, 89999);
    peer_hear_nothing(peer);
    clock_settable_advance(&peer->clock, 1);
    assert_int_equal(core_timeout_ms(peer->core), 0);
    peer_hear(peer, FRAME_PING, &message, NULL);
    peer_hear_nothing(peer);
    assert_int_equal(core_timeout_ms(peer->core), 30000);
    peer_say(peer, FRAME_PONG, 0, &message.ping, nothing);
    peer_no_notice(peer);
    assert_int_equal(core_timeout_ms(peer->core), 90000);
    clock_settable_advance(&peer->clock, 90000);
    peer_hear(peer, FRAME_PING, NULL, NULL);
    clock_settable_advance(&peer->clock, 30000);
    peer_closed(peer, SP_ETIMEOUT, &notice);
}

/* ---- Ends ---- */

static void test_cut_before_answers(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    uint32_t first = 0;
    uint32_t second = 0;
    uint32_t third = 0;

    history_init(&history, "general");
    assert_int_equal(sp_post(&peer->client, NULL, "general", "a", 1, &first), SP_OK);
    assert_int_equal(sp_get_status(&peer->client, &second), SP_OK);
    assert_int_equal(sp_list_logs(&peer->client, &third), SP_OK);
    answer_event(peer, peer_hear(peer, FRAME_POST, NULL, NULL), &history);
    peer_hear(peer, FRAME_STATUS, NULL, NULL);
    peer_hear(peer, FRAME_LIST, NULL,
              NULL); /* the answer is in the core now, byte by byte or not */
    while (peer->says.size > 0) {
        peer_hear_nothing(peer);
    }
    core_input_end(peer->core, SP_EDISCONNECTED, "the connection was cut");
    assert_int_equal(sp_get_status(&peer->client, &first), SP_EDISCONNECTED);
    peer_notice(peer, SP_NOTICE_RESULT, &notice);
    assert_int_equal(notice.error, SP_OK);
    peer_result(peer, second, SP_EDISCONNECTED, &notice);
    peer_result(peer, third, SP_EDISCONNECTED, &notice);
    peer_notice(peer, SP_NOTICE_CLOSED, &notice);
    assert_int_equal(notice.error, SP_EDISCONNECTED);
    assert_string_equal(notice.text, "the connection was cut");
    peer_no_notice(peer);
}

static void test_bye_in_the_middle(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Bye bye = {.error = SP_EREVOKED};
    struct sp_notice notice;
    uint32_t request = 0;

    assert_int_equal(sp_get_status(&peer->client, &request), SP_OK);
    peer_say(peer, FRAME_BYE, 0, &bye, nothing);
    peer_result(peer, request, SP_EDISCONNECTED, &notice);
    peer_notice(peer, SP_NOTICE_CLOSED, &notice);
    assert_int_equal(notice.error, SP_EREVOKED);
    assert_string_equal(notice.text, "the server says that the certificate alice.pem has been "
                                     "revoked; ask an administrator for a new one");
}

static void test_goodbye(void **state)
{
    struct peer *peer = *state;
    struct history history;
    struct sp_notice notice;
    uint32_t request = 0;

    history_init(&history, "general");
    assert_int_equal(sp_post(&peer->client, NULL, "general", "a", 1, &request), SP_OK);
    core_goodbye(peer->core);
    assert_int_equal(sp_get_status(&peer->client, &(uint32_t){0}), SP_EDISCONNECTED);
    uint16_t stream = peer_hear(peer, FRAME_POST, NULL, NULL);
    peer_hear(peer, FRAME_BYE, NULL, NULL);
    peer_hear_nothing(peer);
    answer_event(peer, stream, &history); /* what still comes is taken */
    peer_result(peer, request, SP_OK, &notice);
    core_input_end(peer->core, SP_EDISCONNECTED, "cut");
    peer_closed(peer, SP_OK, &notice);
}

static void test_again_after_the_end(void **state)
{
    struct peer *peer = *state;
    struct sp_notice notice;
    uint32_t request = 0;

    peer_hear_nothing(peer);
    assert_int_equal(sp_get_status(&peer->client, &request), SP_OK);
    core_input_end(peer->core, SP_EDISCONNECTED, "cut");
    peer_closed(peer, SP_EDISCONNECTED, &notice);
    core_start(peer->core);
    peer_welcome(peer);
    peer_notice(peer, SP_NOTICE_LOGIN, &notice);
    peer_hear_nothing(peer); /* nothing of the first connection is left */
    peer_no_notice(peer);
}

/* ---- What must not come ---- */

/* The connection ends, and the server is told so. */
static void expect_protocol_error(struct peer *peer)
{
    struct sp_notice notice;
    union message message;

    peer_closed(peer, SP_EPROTOCOL, &notice);
    peer_hear(peer, FRAME_BYE, &message, NULL);
    assert_int_equal(message.bye.error, SP_EPROTOCOL);
    peer_hear_nothing(peer);
}

static void say_bytes(struct peer *peer, const void *data, size_t size)
{
    assert_int_equal(buffer_append(&peer->says, data, size), SP_OK);
}

static void test_no_frame(void **state)
{
    say_bytes(*state, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    expect_protocol_error(*state);
}

static void test_malformed_message(void **state)
{
    struct peer *peer = *state;

    say_bytes(peer, "\x00\x02\x00\x00\x03\x00\x00\x00\xff\xff",
              10); /* a PING that does not decode */
    expect_protocol_error(peer);
}

static void test_raw_part_where_none_belongs(void **state)
{
    struct peer *peer = *state;

    say_bytes(peer, "\x00\x00\x00\x01\x03\x00\x00\x00x", 9);
    expect_protocol_error(peer);
}

static void test_client_frame(void **state)
{
    struct peer *peer = *state;
    struct sp_notice notice;
    sealpost_v1_Follow follow = sealpost_v1_Follow_init_zero;

    peer_say(peer, FRAME_FOLLOW, 1, &follow, nothing);
    peer_closed(peer, SP_EPROTOCOL, &notice);
    assert_non_null(strstr(notice.text, "FOLLOW"));
}

static void test_wrong_stream(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Ping ping = {.token = 1};

    peer_say(peer, FRAME_PING, 5, &ping, nothing);
    expect_protocol_error(peer);
}

static void test_answer_on_stream_0(void **state)
{
    struct peer *peer = *state;

    peer_say(peer, FRAME_DONE, 0, NULL, nothing);
    expect_protocol_error(peer);
}

static void test_second_welcome(void **state)
{
    peer_welcome(*state);
    expect_protocol_error(*state);
}

static void test_unknown_type_is_ignored(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Ping ping = {.token = 3};

    say_bytes(peer, "\x00\x01\x00\x02\xc8\x00\x00\x09mrr", 11);
    peer_say(peer, FRAME_PING, 0, &ping, nothing);
    peer_no_notice(peer);
    peer_hear(peer, FRAME_PONG, NULL, NULL);
}

#define UNWELCOME(test) cmocka_unit_test_setup_teardown(test, peer_setup_unwelcome, peer_teardown)
/* Every transcript, handed over at once and byte by byte. */
#define BOTH(test)                                                                  \
    cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown),               \
    {                                                                               \
#test " (byte by byte)", test, peer_setup_byte_by_byte, peer_teardown, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNWELCOME(test_login),
        UNWELCOME(test_nothing_before_welcome),
        UNWELCOME(test_bye_instead_of_welcome),
        UNWELCOME(test_bye_with_a_text),
        UNWELCOME(test_another_version),
        UNWELCOME(test_ping_before_welcome),
        UNWELCOME(test_cut_before_welcome),
        BOTH(test_post),
        BOTH(test_all_that_make_events),
        BOTH(test_bad_arguments),
        BOTH(test_refused),
        BOTH(test_too_many_wait),
        BOTH(test_output_is_bounded),
        BOTH(test_late_answer),
        BOTH(test_wrong_answer),
        BOTH(test_list_in_pages),
        BOTH(test_list_that_never_ends),
        BOTH(test_list_that_goes_round),
        BOTH(test_rows),
        BOTH(test_presence),
        BOTH(test_read_state),
        BOTH(test_status),
        BOTH(test_ping_is_answered),
        BOTH(test_silent_server_is_asked),
        BOTH(test_cut_before_answers),
        BOTH(test_bye_in_the_middle),
        BOTH(test_goodbye),
        BOTH(test_again_after_the_end),
        BOTH(test_no_frame),
        BOTH(test_malformed_message),
        BOTH(test_raw_part_where_none_belongs),
        BOTH(test_client_frame),
        BOTH(test_wrong_stream),
        BOTH(test_answer_on_stream_0),
        BOTH(test_second_welcome),
        BOTH(test_unknown_type_is_ignored),
    };

    return cmocka_run_group_tests_name("client core", tests, NULL, NULL);
}
