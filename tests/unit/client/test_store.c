/* What a device keeps of logs, and how it finds out that one is not what it was. */
#include "unit/client/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/store.h"

static uint8_t scratch[EVENT_HEADER_BYTES + SALT_BYTES + LIMIT_EVENT_BODY_BYTES];

struct fixture {
    char directory[64];
    char path[96];
    struct sp_store *store;
    struct peer *peer;
    uint8_t incarnation;
};

static void open_store(struct fixture *fixture)
{
    char message[256];

    if (sp_store_open(fixture->path, SP_STORE_CREATE, &fixture->store, message, sizeof(message)) !=
        SP_OK) {
        fail_msg("%s", message);
    }
}

/* A session with a server of the fixture's incarnation. */
static void log_in(struct fixture *fixture)
{
    struct sp_notice notice;
    sealpost_v1_Welcome welcome = {.protocol = 1, .server = "s", .team = "t", .username = "alice"};

    assert_int_equal(peer_setup_unwelcome((void **)&fixture->peer), 0);
    fixture->peer->core->store = fixture->store;
    memset(welcome.device, 0xd1, sizeof(welcome.device));
    memset(welcome.incarnation, fixture->incarnation, sizeof(welcome.incarnation));
    peer_say(fixture->peer, FRAME_WELCOME, 0, &welcome, nothing);
    peer_notice(fixture->peer, SP_NOTICE_LOGIN, &notice);
}

static void log_out(struct fixture *fixture)
{
    store_flush(fixture->store);
    peer_teardown((void **)&fixture->peer);
    fixture->peer = NULL;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    strcpy(fixture->directory, "/tmp/sealpost-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/a/b/store.db", fixture->directory);
    fixture->incarnation = 1;
    open_store(fixture);
    log_in(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];

    if (fixture->peer != NULL) {
        peer_teardown((void **)&fixture->peer);
    }
    sp_store_close(fixture->store);
    (void)snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a path of our own */
    free(fixture);
    return 0;
}

/* ---- The server's side ---- */

/* COUNT more events in HISTORY. */
static void grow(struct history *history, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        struct body body = {.text = slice_of_string(text)};
        history_add(history, EVENT_MESSAGE, &body, scratch, sizeof(scratch));
    }
}

/* Hears FOLLOW, for events after AFTER, and answers that the log is SERVER and they begin behind
 * BEFORE. */
static void answer(struct fixture *fixture, const struct history *server,
                   const struct history *before, uint64_t after, uint64_t last)
{
    sealpost_v1_Following following = {
        .has_log = true, .log = history_info(server), .first = before->sequence + 1, .last = last};
    union message message;

    uint16_t stream = peer_hear(fixture->peer, FRAME_FOLLOW, &message, NULL);
    assert_int_equal(message.follow.after, after);
    memcpy(following.before, before->head.bytes, sizeof(following.before));
    peer_say(fixture->peer, FRAME_FOLLOWING, stream, &following, nothing);
}

static uint32_t ask(struct fixture *fixture, const char *log)
{
    const struct sp_follow how = {.last = 50};
    uint32_t request = 0;

    assert_int_equal(sp_follow(&fixture->peer->client, log, &how, &request), SP_OK);
    return request;
}

static void take_events(struct fixture *fixture, size_t count)
{
    struct sp_notice notice;

    for (size_t i = 0; i < count; i++) {
        peer_notice(fixture->peer, SP_NOTICE_EVENT, &notice);
    }
    store_flush(fixture->store);
}

/* "den" with the events 1 to COUNT, which have been seen. */
static struct history see(struct fixture *fixture, size_t count)
{
    struct history start;
    struct history server;
    struct history said;
    struct sp_notice notice;

    history_init(&start, "den");
    server = said = start;
    grow(&server, count, "hello");
    uint32_t request = ask(fixture, "den");
    answer(fixture, &server, &start, 0, count);
    peer_result(fixture->peer, request, SP_OK, &notice);
    for (size_t i = 0; i < count; i++) {
        peer_say_message(fixture->peer, &said, "hello");
    }
    take_events(fixture, count);
    assert_memory_equal(said.head.bytes, server.head.bytes, DIGEST_BYTES);
    return server;
}

static void expect_refused(struct fixture *fixture, uint32_t request, const char *words)
{
    struct sp_notice notice;
    struct sp_store_log log;
    uint32_t other = 0;

    peer_result(fixture->peer, request, SP_EINTEGRITY, &notice);
    assert_non_null(strstr(notice.text, words));
    assert_int_equal(fixture->peer->core->phase, CORE_OPEN); /* the others are as they were */
    assert_int_equal(sp_store_find_log(fixture->store, "#den", &log), SP_OK);
    assert_true(log.refused);
    assert_int_equal(sp_post(&fixture->peer->client, NULL, "den", "x", 1, &other), SP_EINTEGRITY);
    assert_non_null(strstr(sp_client_reason(&fixture->peer->client), "den"));
    assert_int_equal(sp_topic(&fixture->peer->client, NULL, "den", "x", 1, &other), SP_EINTEGRITY);
    assert_int_equal(sp_send(&fixture->peer->client, NULL, "den", "x", 0, &other), SP_EINTEGRITY);
    assert_int_equal(sp_post(&fixture->peer->client, NULL, "other", "x", 1, &other), SP_OK);
    peer_hear(fixture->peer, FRAME_POST, NULL, NULL);
}

/* ---- Reading ---- */

struct seen {
    size_t count;
    uint64_t first;
    uint64_t last;
    char text[64];
    bool erased;
};

static void look(void *context, const struct sp_notice *notice)
{
    struct seen *seen = context;

    seen->count++;
    seen->first = seen->count == 1 ? notice->event.sequence : seen->first;
    seen->last = notice->event.sequence;
    seen->erased = notice->event.erased;
    assert_string_equal(notice->event.log_name, "den");
    assert_string_equal(notice->event.author, "bob");
    (void)snprintf(seen->text, sizeof(seen->text), "%s", notice->event.text);
}

static struct seen read_kept(struct fixture *fixture, struct sp_follow follow)
{
    struct seen seen = {0};

    assert_int_equal(sp_store_read(fixture->store, "den", &follow, look, &seen), SP_OK);
    return seen;
}

static void expect_range(struct fixture *fixture, struct sp_follow follow, uint64_t first,
                         uint64_t last)
{
    struct seen seen = read_kept(fixture, follow);

    assert_int_equal(seen.first, first);
    assert_int_equal(seen.last, last);
    assert_int_equal(seen.count, last - first + 1);
    assert_string_equal(seen.text, "hello");
}

static void test_kept_and_read(void **state)
{
    struct fixture *fixture = *state;
    struct sp_store_log log;
    struct stat status;
    struct history server = see(fixture, 10);

    assert_int_equal(sp_store_find_log(fixture->store, "den", &log), SP_OK);
    assert_int_equal(log.log.head_sequence, 10);
    assert_memory_equal(log.log.head, server.head.bytes, DIGEST_BYTES);
    assert_int_equal(log.first, 1);
    assert_int_equal(log.kept, 10);
    assert_false(log.refused);
    expect_range(fixture, (struct sp_follow){0}, 1, 10);
    expect_range(fixture, (struct sp_follow){.after = 3}, 4, 10);
    expect_range(fixture, (struct sp_follow){.last = 4}, 7, 10);
    expect_range(fixture, (struct sp_follow){.before = 5, .count = 2}, 3, 4);
    expect_range(fixture, (struct sp_follow){.around = 5, .count = 4}, 3, 6);
    assert_int_equal(sp_store_find_log(fixture->store, "nowhere", &log), SP_ENOTFOUND);
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    *strrchr(fixture->path, '/') = '\0';
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void test_opening(void **state)
{
    struct fixture *fixture = *state;
    struct sp_store *other = NULL;
    char message[256];
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/none", fixture->directory);
    assert_int_equal(sp_store_open(path, SP_STORE_EXISTING, &other, message, sizeof(message)),
                     SP_ENOTFOUND);
    assert_null(other);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs("this is no database, and long enough to be seen to be none", file) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(sp_store_open(path, SP_STORE_CREATE, &other, message, sizeof(message)),
                     SP_EINTEGRITY);
    assert_non_null(strstr(message, path));
    (void)snprintf(path, sizeof(path), "%s/none/store.db", fixture->directory);
    assert_int_equal(sp_store_open(path, SP_STORE_CREATE, &other, message, sizeof(message)),
                     SP_EFILE);
    assert_int_equal(
        sp_store_open(fixture->path, SP_STORE_EXISTING, &other, message, sizeof(message)), SP_OK);
    sp_store_close(other); /* two processes */
}

/* ---- Going on ---- */

static void test_what_was_missed_is_read_first(void **state)
{
    struct fixture *fixture = *state;
    struct history server = see(fixture, 3);
    struct history said = server;
    struct history before = server;
    struct sp_notice notice;

    grow(&server, 4, "hello");
    uint32_t request = ask(fixture, "den");
    answer(fixture, &server, &before, 3, 7); /* FOLLOW of what was missed */
    for (size_t i = 0; i < 4; i++) {
        before = i == 2 ? said : before; /* it is asked for from event 6 on */
        peer_say_message(fixture->peer, &said, "hello");
    }
    peer_no_notice(fixture->peer);
    answer(fixture, &server, &before, 0, 7); /* and of what was asked for */
    peer_result(fixture->peer, request, SP_OK, &notice);
    assert_int_equal(notice.sequence, 6);
    peer_no_notice(fixture->peer);
    store_flush(fixture->store);
    expect_range(fixture, (struct sp_follow){0}, 1, 7);
}

/* A forked log, said to begin behind its own head: nothing of it could be compared. */
static void test_answer_to_something_else(void **state)
{
    struct fixture *fixture = *state;
    struct history server;
    struct sp_notice notice;
    uint32_t request = 0;

    see(fixture, 3);
    history_init(&server, "den");
    grow(&server, 6, "another");
    assert_int_equal(sp_check_log(&fixture->peer->client, "den", &request), SP_OK);
    answer(fixture, &server, &server, 3, 6);
    peer_closed(fixture->peer, SP_EPROTOCOL, &notice);
    log_out(fixture);
    log_in(fixture);
    history_init(&server, "other"); /* nor is another log an answer */
    grow(&server, 3, "hello");
    assert_int_equal(sp_check_log(&fixture->peer->client, "den", &request), SP_OK);
    answer(fixture, &server, &server, 3, 3);
    peer_closed(fixture->peer, SP_EPROTOCOL, &notice);
}

static void test_gap_behind_what_was_read(void **state)
{
    struct fixture *fixture = *state;
    struct history server = see(fixture, 3);
    struct history said = server;
    struct history before;
    struct sp_notice notice;

    uint32_t request = ask(fixture, "den");
    answer(fixture, &server, &server, 3, 3);
    peer_no_notice(fixture->peer);
    grow(&server, 4, "hello"); /* come between the two answers */
    before = server;
    grow(&server, 1, "hello");
    answer(fixture, &server, &before, 0, 8);
    peer_no_notice(fixture->peer);
    before = said;
    answer(fixture, &server, &before, 3, 8); /* so they are read, too */
    for (size_t i = 0; i < 5; i++) {
        before = said;
        peer_say_message(fixture->peer, &said, "hello");
    }
    peer_no_notice(fixture->peer);
    answer(fixture, &server, &before, 0, 8);
    peer_result(fixture->peer, request, SP_OK, &notice);
    assert_int_equal(notice.sequence, 8);
}

static void test_live_again(void **state)
{
    struct fixture *fixture = *state;
    struct history server = see(fixture, 3);
    const struct sp_follow how = {.after = 3, .live = true};
    struct sp_notice notice;
    uint32_t request = 0;

    assert_int_equal(sp_follow(&fixture->peer->client, "den", &how, &request), SP_OK);
    answer(fixture, &server, &server, 3, 0); /* at once: it begins where it was */
    peer_result(fixture->peer, request, SP_OK, &notice);
    peer_say_message(fixture->peer, &server, "hello");
    take_events(fixture, 1);
    expect_range(fixture, (struct sp_follow){0}, 1, 4);
}

static void test_shut_out_while_catching_up(void **state)
{
    struct fixture *fixture = *state;
    struct history server = see(fixture, 3);
    struct history before = server;
    sealpost_v1_FollowEnded ended = {.error = SP_ENOTJOINED};
    struct sp_notice notice;

    grow(&server, 2, "hello");
    uint32_t request = ask(fixture, "den");
    answer(fixture, &server, &before, 3, 5);
    memcpy(ended.log, server.log.bytes, sizeof(ended.log));
    peer_say(fixture->peer, FRAME_FOLLOW_ENDED, 0, &ended, nothing);
    peer_result(fixture->peer, request, SP_ENOTJOINED, &notice);
}

static void test_too_short(void **state)
{
    struct fixture *fixture = *state;
    struct history server;
    struct history whole = see(fixture, 3);

    history_init(&server, "den");
    grow(&server, 2, "hello");
    uint32_t request = ask(fixture, "den");
    answer(fixture, &server, &server, 3, 2);
    expect_refused(fixture, request, "ends at event 2");
    log_out(fixture);
    log_in(fixture); /* it is refused for ever … */
    uint32_t other = 0;
    assert_int_equal(sp_post(&fixture->peer->client, NULL, "den", "x", 1, &other), SP_EINTEGRITY);
    request = ask(fixture, "den"); /* … or until it is the same again */
    answer(fixture, &whole, &whole, 3, 3);
    peer_no_notice(fixture->peer);
    answer(fixture, &whole, &whole, 0, 3);
    struct sp_notice notice;
    peer_result(fixture->peer, request, SP_OK, &notice);
    assert_int_equal(sp_post(&fixture->peer->client, NULL, "den", "x", 1, &other), SP_OK);
}

static void test_another_process_is_ahead(void **state)
{
    struct fixture *fixture = *state;
    struct history server = see(fixture, 3);
    struct history before = server;
    struct history said = server;
    struct sp_store *other = NULL;
    struct sp_notice notice;
    char message[256];

    grow(&server, 1, "hello");
    uint32_t request = ask(fixture, "den");
    struct history later = server;
    grow(&later, 1, "hello");
    assert_int_equal(
        sp_store_open(fixture->path, SP_STORE_EXISTING, &other, message, sizeof(message)), SP_OK);
    assert_int_equal(store_execute(other, "UPDATE logs SET sequence = ?, hash = ?", "ub",
                                   later.sequence, later.head.bytes, sizeof(later.head.bytes)),
                     SP_OK);
    sp_store_close(other);
    answer(fixture, &server, &before, 3, 4); /* as it was when it was asked for */
    peer_say_message(fixture->peer, &said, "hello");
    peer_no_notice(fixture->peer);
    answer(fixture, &server, &server, 0, 4); /* asked for when event 5 had been seen */
    expect_refused(fixture, request, "ends at event 4");
    request = ask(fixture, "den");
    answer(fixture, &later, &later, 5, 5);
    peer_no_notice(fixture->peer);
    answer(fixture, &later, &later, 0, 5);
    peer_result(fixture->peer, request, SP_OK, &notice);
}

static void test_changed(void **state)
{
    struct fixture *fixture = *state;
    struct history server;
    struct history before;

    see(fixture, 3);
    history_init(&server, "den");
    grow(&server, 3, "another");
    before = server;
    grow(&server, 2, "another");
    uint32_t request = ask(fixture, "den");
    answer(fixture, &server, &before, 3, 5);
    expect_refused(fixture, request, "event 3 was ");
}

static void test_checked_alone(void **state)
{
    struct fixture *fixture = *state;
    struct history server = see(fixture, 3);
    struct history before = server;
    struct sp_notice notice;
    union message message;
    uint32_t request = 0;

    assert_int_equal(sp_check_log(&fixture->peer->client, "den", &request), SP_OK);
    answer(fixture, &server, &before, 3, 3);
    peer_result(fixture->peer, request, SP_OK, &notice);
    assert_int_equal(notice.log.kind, SP_LOG_ROOM);
    assert_string_equal(notice.log.name, "den");
    history_init(&server, "den");
    grow(&server, 3, "another");
    before = server;
    assert_int_equal(sp_check_log(&fixture->peer->client, "den", &request), SP_OK);
    answer(fixture, &server, &before, 3, 3);
    expect_refused(fixture, request, "event 3 was ");
    struct history unknown; /* then only what it is */
    history_init(&unknown, "new");
    grow(&unknown, 2, "hello");
    assert_int_equal(sp_check_log(&fixture->peer->client, "new", &request), SP_OK);
    uint16_t stream = peer_hear(fixture->peer, FRAME_FOLLOW, &message, NULL);
    assert_int_equal(message.follow.last, 1);
    sealpost_v1_Following following = {
        .has_log = true, .log = history_info(&unknown), .first = 3, .last = 2};
    memcpy(following.before, unknown.head.bytes, sizeof(following.before));
    peer_say(fixture->peer, FRAME_FOLLOWING, stream, &following, nothing);
    peer_result(fixture->peer, request, SP_OK, &notice);
    assert_string_equal(notice.log.name, "new");
}

static void test_another_room_of_that_name(void **state)
{
    struct fixture *fixture = *state;
    struct history server;
    struct history before;

    see(fixture, 3);
    history_init(&server, "xxx"); /* its id comes of its first letter */
    server.name = "den";
    grow(&server, 3, "hello");
    before = server;
    grow(&server, 2, "hello");
    uint32_t request = ask(fixture, "den");
    answer(fixture, &server, &before, 3, 5);
    expect_refused(fixture, request, "is not the room");
}

/* ---- What the server has erased ---- */

static void test_erased(void **state)
{
    struct fixture *fixture = *state;
    struct history server = see(fixture, 1);
    struct event_view view;

    assert_false(read_kept(fixture, (struct sp_follow){0}).erased);
    history_init(&server, "den");
    grow(&server, 1, "hello");
    assert_int_equal(event_view_parse(scratch, EVENT_HEADER_BYTES, &view), SP_OK);
    store_event(fixture->store, &view, "bob", &server.head);
    struct seen seen = read_kept(fixture, (struct sp_follow){0});
    assert_true(seen.erased);
    assert_string_equal(seen.text, "");
    uint64_t left = 0;
    assert_int_equal(store_number(fixture->store, &left,
                                  "SELECT count(*) FROM events WHERE body IS NOT NULL", ""),
                     SP_OK);
    assert_int_equal(left, 0);
}

static void test_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct history server = see(fixture, 1);
    struct sp_store_log log;
    struct event_view view;
    const size_t more = LIMIT_STORE_EVENTS_PER_LOG + 300;

    for (size_t i = 0; i < more; i++) {
        grow(&server, 1, "hello");
        size_t size = EVENT_HEADER_BYTES + SALT_BYTES + strlen("hello") + 3;
        assert_int_equal(event_view_parse(scratch, size, &view), SP_OK);
        store_event(fixture->store, &view, "bob", &server.head);
    }
    assert_null(sp_store_trouble(fixture->store));
    assert_int_equal(sp_store_find_log(fixture->store, "den", &log), SP_OK);
    assert_int_equal(log.log.head_sequence, more + 1);
    assert_int_equal(log.kept, LIMIT_STORE_EVENTS_PER_LOG);
    assert_int_equal(log.first, more + 2 - LIMIT_STORE_EVENTS_PER_LOG);
}

/* A row of a list that began at STAMP_MS. */
static void list_row(struct fixture *fixture, const char *name, int64_t stamp_ms)
{
    struct sp_row row = {
        .type = SP_ROW_LOG, .topic = "", .log = {.kind = SP_LOG_ROOM, .name = name}};

    memset(row.log.id, name[0], sizeof(row.log.id));
    store_row(fixture->store, &row, stamp_ms);
}

struct rows {
    struct sp_store *other;
    char names[64];
};

static void take_row(void *context, const struct sp_notice *notice)
{
    struct rows *rows = context;
    size_t used = strlen(rows->names);

    (void)snprintf(rows->names + used, sizeof(rows->names) - used, "%s ", notice->row.log.name);
    assert_int_equal(store_begin(rows->other), SP_OK); /* whoever reads does not keep others out */
    assert_int_equal(store_execute(rows->other, "UPDATE owner SET device = device", ""), SP_OK);
    assert_int_equal(store_end(rows->other, SP_OK), SP_OK);
}

static void test_a_list_is_cut(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = {.names = ""};
    char message[256];
    int64_t listed_ms = 0;

    list_row(fixture, "gone", 5);
    list_row(fixture, "one", 10);
    list_row(fixture, "two", 10);
    store_listed(fixture->store, 10);
    list_row(fixture, "one", 20); /* and no more of it came */
    assert_int_equal(
        sp_store_open(fixture->path, SP_STORE_EXISTING, &rows.other, message, sizeof(message)),
        SP_OK);
    assert_int_equal(sp_store_list_logs(fixture->store, take_row, &rows, &listed_ms), SP_OK);
    assert_int_equal(listed_ms, 10);
    assert_string_equal(rows.names, "one two ");
    sp_store_close(rows.other);
}

/* A server that goes on making logs up does not fill the disk with them. */
static void test_too_many_logs(void **state)
{
    struct fixture *fixture = *state;
    struct sp_store_log log;
    const uint8_t id[ID_BYTES] = {0xaa};

    list_row(fixture, "one", 10);
    assert_null(sp_store_trouble(fixture->store));
    assert_int_equal(store_execute(fixture->store,
                                   "INSERT INTO logs(no, id, kind, name) VALUES(?, ?, 1, 'last')",
                                   "ib", (int64_t)LIMIT_STORE_LOGS, id, sizeof(id)),
                     SP_OK);
    list_row(fixture, "one", 20); /* it is known */
    assert_null(sp_store_trouble(fixture->store));
    list_row(fixture, "two", 20);
    assert_non_null(strstr(sp_store_trouble(fixture->store), "as many rooms"));
    assert_int_equal(sp_store_find_log(fixture->store, "two", &log), SP_ENOTFOUND);
}

/* Another process has the file for longer than anybody waits. */
static void test_busy_for_a_while(void **state)
{
    struct fixture *fixture = *state;
    struct history server = see(fixture, 1);
    struct history before = server;
    struct sp_store *other = NULL;
    struct sp_notice result;
    struct event_view view;
    uint64_t number = 0;
    uint64_t held = 0;
    char message[256];

    assert_int_equal(sp_outbox_keep_message(fixture->store, "den", NULL, "hello", 5, &number),
                     SP_OK);
    assert_int_equal(
        sp_store_open(fixture->path, SP_STORE_EXISTING, &other, message, sizeof(message)), SP_OK);
    assert_int_equal(store_begin(other), SP_OK);
    grow(&server, 1, "hello");
    size_t size = EVENT_HEADER_BYTES + SALT_BYTES + strlen("hello") + 3;
    assert_int_equal(event_view_parse(scratch, size, &view), SP_OK);
    store_event(fixture->store, &view, "bob", &server.head);
    core_notice(&result, SP_NOTICE_RESULT, 0);
    result.log = (struct sp_log){.name = "den", .kind = SP_LOG_ROOM};
    memcpy(result.log.id, server.log.bytes, ID_BYTES);
    result.sequence = server.sequence;
    memcpy(result.hash, server.head.bytes, DIGEST_BYTES);
    sp_outbox_sent(fixture->store, number, &result);
    assert_non_null(sp_store_trouble(fixture->store)); /* tries to write */
    assert_in_range(store_timeout_ms(fixture->store), 1, 1000);
    uint32_t request = ask(fixture, "den");
    answer(fixture, &server, &before, 1, 2);
    peer_result(fixture->peer, request, SP_EBUSY, &result); /* and not unchecked */
    assert_int_equal(store_end(other, SP_OK), SP_OK);
    sp_store_close(other);
    assert_null(sp_store_trouble(fixture->store));
    expect_range(fixture, (struct sp_follow){0}, 1, 2);
    assert_int_equal(sp_outbox_count(fixture->store, &number, &held), SP_OK);
    assert_int_equal(number, 0);
}

/* ---- Another incarnation ---- */

/* TEXT was posted from here as SEQUENCE, which is HISTORY's newest event. */
static void post(struct fixture *fixture, const struct history *history, const char *text)
{
    struct sp_notice result;
    uint64_t number = 0;

    core_notice(&result, SP_NOTICE_RESULT, 0);
    assert_int_equal(
        sp_outbox_keep_message(fixture->store, "den", NULL, text, strlen(text), &number), SP_OK);
    memcpy(result.log.id, history->log.bytes, ID_BYTES);
    result.log.name = "den";
    result.log.kind = SP_LOG_ROOM;
    result.sequence = history->sequence;
    memcpy(result.hash, history->head.bytes, DIGEST_BYTES);
    sp_outbox_sent(fixture->store, number, &result);
    store_flush(fixture->store);
}

/* The server's history is SERVER now; of what was seen of it 1 to KEPT_COUNT are left. */
static void expect_history(struct fixture *fixture, const struct history *server, uint64_t kept)
{
    struct history start;
    struct history said;
    struct sp_notice notice;
    struct sp_outbox_entry entry;
    struct sp_store_log log;

    history_init(&start, "den");
    said = start;
    uint32_t request = ask(fixture, "den");
    answer(fixture, server, &start, 0, server->sequence); /* from the first that is kept */
    for (uint64_t i = 1; i <= server->sequence; i++) {
        peer_say_message(fixture->peer, &said, i <= kept ? "hello" : "another");
    }
    peer_notice(fixture->peer, SP_NOTICE_HISTORY, &notice);
    assert_string_equal(notice.log.name, "den");
    assert_int_equal(notice.history.first, kept + 1);
    assert_int_equal(notice.history.seen, 5);
    assert_int_equal(notice.history.missing, 5 - kept);
    assert_int_equal(notice.history.own, 1);
    peer_no_notice(fixture->peer);
    answer(fixture, server, server, 0, server->sequence);
    peer_result(fixture->peer, request, SP_OK, &notice);
    assert_int_equal(sp_outbox_next(fixture->store, 0, &entry), SP_OK);
    assert_string_equal(entry.text, "mine, later");
    assert_true(entry.held);
    assert_int_equal(sp_outbox_next(fixture->store, entry.number, &entry), SP_ENOTFOUND);
    assert_int_equal(sp_store_find_log(fixture->store, "den", &log), SP_OK);
    assert_int_equal(log.log.head_sequence, server->sequence);
    assert_memory_equal(log.log.head, server->head.bytes, DIGEST_BYTES);
    assert_false(log.refused);
}

static void see_and_post(struct fixture *fixture, struct history *server)
{
    struct history early;

    history_init(&early, "den");
    grow(&early, 2, "hello");
    see(fixture, 5);
    post(fixture, &early, "mine, early");
    history_init(server, "den");
    grow(server, 5, "hello");
    post(fixture, server, "mine, later");
}

static void test_restored_and_shorter(void **state)
{
    struct fixture *fixture = *state;
    struct history server;

    see_and_post(fixture, &server);
    log_out(fixture);
    fixture->incarnation = 2;
    log_in(fixture);
    assert_true(sp_store_was_restored(fixture->store));
    assert_false(sp_store_was_restored(fixture->store));
    history_init(&server, "den");
    grow(&server, 3, "hello");
    expect_history(fixture, &server, 3);
    log_out(fixture);
    log_in(fixture);
    assert_false(sp_store_was_restored(fixture->store));
}

static void test_restored_and_gone_on(void **state)
{
    struct fixture *fixture = *state;
    struct history server;

    see_and_post(fixture, &server);
    log_out(fixture);
    fixture->incarnation = 2;
    log_in(fixture);
    history_init(&server, "den");
    grow(&server, 3, "hello");
    grow(&server, 4, "another");
    expect_history(fixture, &server, 3);
}

static void test_accepted(void **state)
{
    struct fixture *fixture = *state;
    struct history server;
    struct history before;

    see_and_post(fixture, &server);
    history_init(&server, "den");
    grow(&server, 3, "hello");
    before = server;
    grow(&server, 2, "another");
    before = server;
    uint32_t request = ask(fixture, "den");
    answer(fixture, &server, &before, 5, 5);
    expect_refused(fixture, request, "event 5 was ");
    assert_int_equal(sp_store_accept(fixture->store, "nowhere"), SP_ENOTFOUND);
    assert_int_equal(sp_store_accept(fixture->store, "den"), SP_OK);
    expect_history(fixture, &server, 3);
}

static void test_reconciled_once(void **state)
{
    struct fixture *fixture = *state;
    struct history server = see(fixture, 3);
    struct sp_history history;
    struct store_log log;

    assert_false(store_reconciled(fixture->store, &server.log, 1, &server.head, &history));
    assert_int_equal(store_find(fixture->store, "den", &log), SP_OK);
    assert_int_equal(log.sequence, 3); /* it was not stale any more */
    assert_int_equal(sp_store_accept(fixture->store, "den"), SP_OK);
    store_give_up(fixture->store, SP_EFULL); /* while it was read */
    assert_false(store_reconciled(fixture->store, &server.log, 1, &server.head, &history));
    assert_int_equal(store_find(fixture->store, "den", &log), SP_OK);
    assert_true(log.stale);
}

static void test_another_device(void **state)
{
    struct fixture *fixture = *state;
    sealpost_v1_Welcome welcome = {.protocol = 1, .server = "s", .team = "t", .username = "bob"};
    struct sp_notice notice;

    log_out(fixture);
    assert_int_equal(peer_setup_unwelcome((void **)&fixture->peer), 0);
    fixture->peer->core->store = fixture->store;
    memset(welcome.device, 0xd3, sizeof(welcome.device));
    memset(welcome.incarnation, 1, sizeof(welcome.incarnation));
    peer_say(fixture->peer, FRAME_WELCOME, 0, &welcome, nothing);
    peer_closed(fixture->peer, SP_ECONFLICT, &notice);
    assert_non_null(strstr(notice.text, "another device"));
}

/* ---- The outbox ---- */

static void test_outbox(void **state)
{
    struct fixture *fixture = *state;
    struct sp_store *store = fixture->store;
    static char long_text[LIMIT_RAW_BYTES + 1];
    struct sp_outbox_entry entry;
    struct sp_notice sent;
    uint64_t numbers[3] = {0};
    uint64_t waiting = 0;
    uint64_t held = 0;

    memset(long_text, 'a', sizeof(long_text));
    assert_int_equal(
        sp_outbox_keep_message(store, "den", NULL, long_text, sizeof(long_text), &waiting),
        SP_ETOOLARGE);
    assert_int_equal(sp_outbox_keep_message(store, "DEN", NULL, "x", 1, &waiting), SP_ENAME);
    assert_int_equal(sp_outbox_keep_message(store, "den", NULL, "\xff", 1, &waiting), SP_EINVALID);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        assert_int_equal(sp_outbox_keep_message(store, "#den", NULL, "abc", i + 1, &numbers[i]),
                         SP_OK);
    }
    sp_store_close(store); /* another process goes on */
    peer_teardown((void **)&fixture->peer);
    fixture->peer = NULL;
    open_store(fixture);
    store = fixture->store;
    assert_int_equal(sp_outbox_next(store, numbers[0], &entry), SP_OK);
    assert_int_equal(entry.number, numbers[1]);
    assert_string_equal(entry.text, "ab");
    assert_string_equal(entry.log, "den");
    struct sp_once once = entry.once;
    assert_int_equal(sp_outbox_failed(store, numbers[1], SP_EFORBIDDEN, "no", true), SP_OK);
    assert_int_equal(sp_outbox_failed(store, numbers[2], SP_EDISCONNECTED, "cut", false), SP_OK);
    assert_int_equal(sp_outbox_count(store, &waiting, &held), SP_OK);
    assert_int_equal(waiting, 2);
    assert_int_equal(held, 1);
    assert_int_equal(sp_outbox_next(store, numbers[0], &entry), SP_OK);
    assert_string_equal(entry.reason, "no");
    assert_int_equal(entry.error, SP_EFORBIDDEN);
    assert_int_equal(entry.attempts, 1);
    assert_int_equal(sp_outbox_release(store, 99), SP_ENOTFOUND);
    assert_int_equal(sp_outbox_release(store, numbers[1]), SP_OK);
    assert_int_equal(sp_outbox_find_sent(store, &once, &sent), SP_ENOTFOUND);
    assert_int_equal(sp_outbox_drop(store, 0), SP_OK);
    assert_int_equal(sp_outbox_drop(store, numbers[0]), SP_ENOTFOUND);
    assert_int_equal(sp_outbox_next(store, 0, &entry), SP_ENOTFOUND);
    assert_int_equal(sp_outbox_keep_message(store, "den", NULL, "x", 1, &waiting), SP_OK);
    assert_true(waiting > numbers[2]); /* a number is never given again */
}

static void test_many_in_one_step(void **state)
{
    struct fixture *fixture = *state;
    struct sp_store *store = fixture->store;
    struct sp_outbox_entry entry;
    uint64_t number = 0;
    uint64_t held = 0;

    assert_int_equal(sp_outbox_commit(store), SP_EINVALID);
    assert_int_equal(sp_outbox_begin(store), SP_OK);
    assert_int_equal(sp_outbox_begin(store), SP_EINVALID);
    assert_int_equal(sp_outbox_keep_message(store, "den", NULL, "one", 3, &number), SP_OK);
    assert_int_equal(sp_outbox_keep_message(store, "DEN", NULL, "bad", 3, &number), SP_ENAME);
    assert_int_equal(sp_outbox_keep_message(store, "den", NULL, "two", 3, &number), SP_OK);
    sp_store_close(store); /* as if killed: all of it, or nothing */
    peer_teardown((void **)&fixture->peer);
    fixture->peer = NULL;
    open_store(fixture);
    store = fixture->store;
    assert_int_equal(sp_outbox_next(store, 0, &entry), SP_ENOTFOUND);
    assert_int_equal(sp_outbox_begin(store), SP_OK);
    assert_int_equal(sp_outbox_keep_message(store, "den", NULL, "one", 3, &number), SP_OK);
    assert_int_equal(sp_outbox_keep_message(store, "den", NULL, "two", 3, &number), SP_OK);
    assert_int_equal(sp_outbox_drop(store, number), SP_OK);
    assert_int_equal(sp_outbox_commit(store), SP_OK);
    assert_int_equal(sp_outbox_count(store, &number, &held), SP_OK);
    assert_int_equal(number, 1);
}

/* A full disk can end a transaction in its middle. */
static void test_batch_that_was_lost(void **state)
{
    struct fixture *fixture = *state;
    struct sp_store *store = fixture->store;
    uint64_t number = 0;
    uint64_t held = 0;

    assert_int_equal(sp_outbox_begin(store), SP_OK);
    assert_int_equal(sp_outbox_keep_message(store, "den", NULL, "one", 3, &number), SP_OK);
    db_rollback(store->db);
    assert_int_equal(sp_outbox_keep_message(store, "den", NULL, "two", 3, &number), SP_EIO);
    assert_int_equal(sp_outbox_commit(store), SP_EIO);
    assert_int_equal(sp_outbox_count(store, &number, &held), SP_OK);
    assert_int_equal(number, 0);
    assert_int_equal(sp_outbox_keep_message(store, "den", NULL, "three", 5, &number), SP_OK);
}

static void test_one_drains(void **state)
{
    struct fixture *fixture = *state;
    struct sp_store *other = NULL;
    char message[256];

    assert_int_equal(
        sp_store_open(fixture->path, SP_STORE_EXISTING, &other, message, sizeof(message)), SP_OK);
    assert_true(outbox_lock(fixture->store));
    assert_false(outbox_lock(other));
    outbox_unlock(fixture->store);
    assert_true(outbox_lock(other));
    sp_store_close(other);
    assert_true(outbox_lock(fixture->store));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kept_and_read),
        TEST(test_opening),
        TEST(test_what_was_missed_is_read_first),
        TEST(test_answer_to_something_else),
        TEST(test_gap_behind_what_was_read),
        TEST(test_live_again),
        TEST(test_shut_out_while_catching_up),
        TEST(test_too_short),
        TEST(test_another_process_is_ahead),
        TEST(test_changed),
        TEST(test_checked_alone),
        TEST(test_another_room_of_that_name),
        TEST(test_erased),
        TEST(test_bounded),
        TEST(test_a_list_is_cut),
        TEST(test_too_many_logs),
        TEST(test_busy_for_a_while),
        TEST(test_restored_and_shorter),
        TEST(test_restored_and_gone_on),
        TEST(test_accepted),
        TEST(test_reconciled_once),
        TEST(test_another_device),
        TEST(test_outbox),
        TEST(test_many_in_one_step),
        TEST(test_batch_that_was_lost),
        TEST(test_one_drains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
