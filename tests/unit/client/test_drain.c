/* The outbox sent over TLS to a scripted server: order, refusals, "slow down", lost answers. */
#include "unit/client/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/core.h"
#include "client/store.h"
#include "event/event.h"
#include "sealpost/store.h"

static const struct slice nothing = {NULL, 0};
static struct id last_client_id; /* of the last POST, in the script's thread */

/* The log is looked at first: it is an empty room called "den". */
static void serve_check(struct line *line)
{
    sealpost_v1_Following following = {
        .has_log = true, .log = {.kind = SP_LOG_ROOM, .name = "den"}, .first = 1};
    struct id log = {{0}};
    struct digest start;

    memset(log.bytes, 'd', sizeof(log.bytes));
    memcpy(following.log.id, log.bytes, sizeof(log.bytes));
    uint16_t stream = line_hear(line, FRAME_FOLLOW, NULL, NULL);
    if (event_chain_start(&log, &start) != SP_OK) {
        line->failure = "no digest";
        return;
    }
    memcpy(following.before, start.bytes, sizeof(start.bytes));
    memcpy(following.log.head, start.bytes, sizeof(start.bytes));
    line_say(line, FRAME_FOLLOWING, stream, &following, nothing);
}

/* The next POST must be of TEXT. */
static uint16_t hear_post(struct line *line, const char *text)
{
    union message message;
    struct slice raw = nothing;

    uint16_t stream = line_hear(line, FRAME_POST, &message, &raw);
    if (line->failure == NULL &&
        (raw.size != strlen(text) || memcmp(raw.data, text, raw.size) != 0)) {
        line->failure = "another text";
    }
    memcpy(last_client_id.bytes, message.write.once.client_id, sizeof(last_client_id.bytes));
    return stream;
}

static void say_posted(struct line *line, uint16_t stream, uint64_t sequence, bool repeated)
{
    sealpost_v1_EventResult result = {.has_log = true,
                                      .log = {.kind = SP_LOG_ROOM, .name = "den"},
                                      .sequence = sequence,
                                      .time_ms = 77,
                                      .repeated = repeated};

    memset(result.log.id, 'd', sizeof(result.log.id));
    memset(result.hash, (int)sequence, sizeof(result.hash));
    line_say(line, FRAME_EVENT_RESULT, stream, &result, nothing);
}

static void say_error(struct line *line, uint16_t stream, enum sp_error error, uint32_t after_ms)
{
    sealpost_v1_Error message = {.error = error, .text = "no", .retry_after_ms = after_ms};

    line_say(line, FRAME_ERROR, stream, &message, nothing);
}

/* ---- Sessions ---- */

struct fixture {
    char directory[64];
    char path[96];
    struct sp_store *store;
    struct script *script;
    struct sp_client *client;
    uint64_t numbers[3];
    size_t told;
    enum sp_error errors[8];
};

static void begin(struct fixture *fixture, const script_fn *scripts, size_t count)
{
    static const char *const texts[] = {"one", "two", "three"};
    char message[256];
    struct sp_notice notice;

    *fixture = (struct fixture){.directory = "/tmp/sealpost-drain-XXXXXX"};
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/store.db", fixture->directory);
    assert_int_equal(
        sp_store_open(fixture->path, SP_STORE_CREATE, &fixture->store, message, sizeof(message)),
        SP_OK);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(sp_outbox_keep_message(fixture->store, "den", NULL, texts[i],
                                                strlen(texts[i]), &fixture->numbers[i]),
                         SP_OK);
    }
    fixture->script = script_start("server", scripts, count, NULL);
    fixture->client = script_client("members/alice", "localhost", script_port(fixture->script), 0);
    assert_int_equal(sp_client_use_store(fixture->client, fixture->store, message, sizeof(message)),
                     SP_OK);
    assert_int_equal(sp_wait_login(fixture->client, &notice), SP_OK);
}

static void end(struct fixture *fixture)
{
    char command[128];

    sp_goodbye(fixture->client, 5000);
    sp_client_free(fixture->client);
    script_stop(fixture->script);
    sp_store_close(fixture->store);
    (void)snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a path of our own */
}

static void tell(void *context, const struct sp_outbox_entry *entry, enum sp_error error,
                 const struct sp_notice *result)
{
    struct fixture *fixture = context;

    assert_non_null(entry->text);
    assert_true(error != SP_OK || result->sequence > 0);
    assert_in_range(fixture->told, 0, COUNT_OF(fixture->errors) - 1);
    fixture->errors[fixture->told++] = error;
}

static enum sp_error drain(struct fixture *fixture, uint64_t fresh, struct sp_drained *drained)
{
    const struct sp_drain how = {
        .timeout_ms = 5000, .fresh = fresh, .fn = tell, .context = fixture};

    return sp_outbox_drain(fixture->client, fixture->store, &how, drained);
}

/* What the entry number INDEX is now; false: it is gone. */
static bool find(struct fixture *fixture, size_t index, struct sp_outbox_entry *entry)
{
    uint64_t number = fixture->numbers[index];

    return sp_outbox_next(fixture->store, number - 1, entry) == SP_OK && entry->number == number;
}

static void serve_mixed(struct line *line)
{
    line_welcome(line);
    serve_check(line); /* once for all three */
    say_posted(line, hear_post(line, "one"), 1, false);
    say_error(line, hear_post(line, "two"), SP_ENOTJOINED, 0);
    uint16_t stream = hear_post(line, "three");
    struct id first = last_client_id;
    say_error(line, stream, SP_ESLOWDOWN, 50);
    stream = hear_post(line, "three");
    if (!id_equal(&first, &last_client_id)) {
        line->failure = "another client id";
    }
    say_posted(line, stream, 2, false);
    line_expect_end(line);
    line_close(line);
}

static void test_in_order(void **state)
{
    const script_fn scripts[] = {serve_mixed};
    struct fixture fixture;
    struct sp_drained drained;
    struct sp_outbox_entry entry;

    (void)state;
    begin(&fixture, scripts, COUNT_OF(scripts));
    assert_int_equal(drain(&fixture, 0, &drained), SP_OK);
    assert_int_equal(drained.sent, 2);
    assert_int_equal(drained.held, 1);
    assert_int_equal(drained.waiting, 0);
    assert_false(drained.elsewhere);
    assert_int_equal(fixture.told, 3);
    assert_int_equal(fixture.errors[1], SP_ENOTJOINED);
    assert_false(find(&fixture, 0, &entry));
    assert_true(find(&fixture, 1, &entry));
    assert_true(entry.held);
    assert_string_equal(entry.reason, "no");
    assert_false(find(&fixture, 2, &entry));
    end(&fixture);
}

static void serve_cut(struct line *line)
{
    line_welcome(line);
    serve_check(line);
    hear_post(line, "one");
    line_cut(line);
}

static void serve_again(struct line *line)
{
    struct id before = last_client_id;

    line_welcome(line);
    serve_check(line);
    uint16_t stream = hear_post(line, "one");
    if (!id_equal(&before, &last_client_id)) {
        line->failure = "another client id";
    }
    say_posted(line, stream, 1, true);
    say_error(line, hear_post(line, "two"), SP_ETOOLARGE, 0);
    say_posted(line, hear_post(line, "three"), 2, false);
    line_expect_end(line);
    line_close(line);
}

static void test_answer_lost(void **state)
{
    const script_fn scripts[] = {serve_cut, serve_again};
    struct fixture fixture;
    struct sp_drained drained;
    struct sp_outbox_entry entry;
    struct sp_notice notice;

    (void)state;
    begin(&fixture, scripts, COUNT_OF(scripts));
    assert_int_equal(drain(&fixture, 0, &drained), SP_EDISCONNECTED);
    assert_int_equal(drained.waiting, 3);
    assert_true(find(&fixture, 0, &entry));
    assert_false(entry.held);
    assert_int_equal(entry.attempts, 1);
    struct sp_once once = entry.once;
    while (sp_client_next(fixture.client, &notice)) { /* the end of the connection */
    }
    assert_int_equal(sp_wait_login(fixture.client, &notice), SP_OK);
    assert_int_equal(drain(&fixture, fixture.numbers[1], &drained), SP_OK);
    assert_int_equal(drained.sent, 2);
    assert_int_equal(drained.held, 0); /* what was refused was fresh, and is forgotten */
    assert_int_equal(drained.waiting, 0);
    assert_int_equal(sp_outbox_next(fixture.store, 0, &entry), SP_ENOTFOUND);
    assert_int_equal(sp_outbox_find_sent(fixture.store, &once, &notice), SP_OK);
    assert_int_equal(notice.sequence, 1);
    assert_int_equal(notice.time_ms, 77);
    end(&fixture);
}

/* ---- Files ---- */

/* A file that is to be sent to den. */
static void keep_file(struct fixture *fixture, const char *name)
{
    char path[128];
    char message[256];
    uint64_t number = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(name, file) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(sp_outbox_keep_file(fixture->store, "den", NULL, SP_OUTBOX_FILE, path, name,
                                         &number, message, sizeof(message)),
                     SP_OK);
}

static void serve_two_logs(struct line *line)
{
    line_welcome(line);
    serve_check(line);
    say_error(line, hear_post(line, "in den"), SP_ETOOLARGE, 0);
    say_error(line, line_hear(line, FRAME_FOLLOW, NULL, NULL), SP_ENOTFOUND, 0);
    say_error(line, hear_post(line, "nowhere"), SP_ENOTFOUND, 0);
    serve_check(line); /* what is not there says nothing about den */
    say_error(line, line_hear(line, FRAME_OFFER, NULL, NULL), SP_ETOOLARGE, 0);
    line_expect_end(line);
    line_close(line);
}

static void test_two_logs(void **state)
{
    const script_fn scripts[] = {serve_two_logs};
    struct fixture fixture;
    struct sp_drained drained;
    uint64_t number = 0;

    (void)state;
    begin(&fixture, scripts, COUNT_OF(scripts));
    assert_int_equal(sp_outbox_drop(fixture.store, 0), SP_OK);
    assert_int_equal(sp_outbox_keep_message(fixture.store, "den", NULL, "in den", 6, &number),
                     SP_OK);
    assert_int_equal(sp_outbox_keep_message(fixture.store, "nowhere", NULL, "nowhere", 7, &number),
                     SP_OK);
    keep_file(&fixture, "file");
    assert_int_equal(drain(&fixture, 0, &drained), SP_OK);
    assert_int_equal(fixture.told, 3);
    assert_int_equal(fixture.errors[0], SP_ETOOLARGE);
    assert_int_equal(fixture.errors[1], SP_ENOTFOUND);
    assert_int_equal(fixture.errors[2], SP_ETOOLARGE);
    end(&fixture);
}

static void serve_no_answer(struct line *line)
{
    line_welcome(line);
    serve_check(line);
    line_hear(line, FRAME_OFFER, NULL, NULL);
    line_hear(line, FRAME_CANCEL, NULL, NULL); /* the file is closed: none of it may be read */
    line_expect_end(line);
    line_close(line);
}

static void test_file_timed_out(void **state)
{
    const script_fn scripts[] = {serve_no_answer};
    const struct sp_drain how = {.timeout_ms = 300};
    struct fixture fixture;
    struct sp_drained drained;

    (void)state;
    begin(&fixture, scripts, COUNT_OF(scripts));
    assert_int_equal(sp_outbox_drop(fixture.store, 0), SP_OK);
    keep_file(&fixture, "file");
    assert_int_equal(sp_outbox_drain(fixture.client, fixture.store, &how, &drained), SP_ETIMEOUT);
    assert_int_equal(drained.waiting, 1);
    end(&fixture);
}

/* ---- A restored backup lacks the room ---- */

static void serve_no_room(struct line *line)
{
    line_welcome(line);
    say_error(line, line_hear(line, FRAME_FOLLOW, NULL, NULL), SP_ENOTFOUND, 0);
    line_expect_end(line);
    line_close(line);
}

static void take_history(void *context, const struct sp_notice *notice)
{
    struct sp_history *history = context;

    assert_int_equal(notice->type, SP_NOTICE_HISTORY);
    assert_string_equal(notice->log.name, "den");
    *history = notice->history;
}

static void test_room_is_gone(void **state)
{
    const script_fn scripts[] = {serve_no_room};
    struct fixture fixture;
    struct sp_history history = {0};
    const struct sp_drain how = {
        .timeout_ms = 5000, .other = take_history, .other_context = &history};
    struct sp_drained drained;
    struct sp_outbox_entry entry;
    struct sp_notice result;

    (void)state;
    begin(&fixture, scripts, COUNT_OF(scripts));
    core_notice(&result, SP_NOTICE_RESULT, 0);
    memset(result.log.id, 'd', sizeof(result.log.id));
    result.log.name = "den";
    result.log.kind = SP_LOG_ROOM;
    result.sequence = 7;
    sp_outbox_sent(fixture.store, fixture.numbers[0], &result);
    assert_int_equal(sp_store_accept(fixture.store, "den"), SP_OK);
    assert_int_equal(sp_outbox_drop(fixture.store, 0), SP_OK);
    assert_int_equal(sp_outbox_drain(fixture.client, fixture.store, &how, &drained), SP_OK);
    assert_int_equal(history.own, 1);
    assert_int_equal(history.missing, 7);
    assert_int_equal(sp_outbox_next(fixture.store, 0, &entry), SP_OK);
    assert_string_equal(entry.text, "one");
    assert_true(entry.held);
    assert_int_equal(sp_outbox_drain(fixture.client, fixture.store, &how, &drained), SP_OK);
    assert_int_equal(sp_outbox_drain(fixture.client, NULL, &how, &drained), SP_EINVALID);
    end(&fixture);
}

/* ---- Another process has the store ---- */

static void test_busy_store_can_be_used(void **state)
{
    char directory[] = "/tmp/sealpost-drain-XXXXXX";
    char path[64];
    char message[256];
    char command[64];
    struct sp_store *stores[2] = {NULL};
    struct sp_client *client = script_client("members/alice", "localhost", 1, 0);

    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/store.db", directory);
    for (size_t i = 0; i < COUNT_OF(stores); i++) {
        assert_int_equal(sp_store_open(path, SP_STORE_CREATE, &stores[i], message, sizeof(message)),
                         SP_OK);
    }
    assert_int_equal(store_begin(stores[1]), SP_OK);
    assert_int_equal(sp_client_use_store(client, stores[0], message, sizeof(message)), SP_EBUSY);
    assert_non_null(strstr(message, "another process"));
    assert_int_equal(store_end(stores[1], SP_OK), SP_OK);
    assert_int_equal(sp_client_use_store(client, stores[0], message, sizeof(message)), SP_OK);
    assert_int_equal(store_begin(stores[1]), SP_OK); /* now there is nothing to write */
    assert_int_equal(sp_client_use_store(client, stores[0], message, sizeof(message)), SP_OK);
    assert_int_equal(store_end(stores[1], SP_OK), SP_OK);
    sp_client_free(client);
    for (size_t i = 0; i < COUNT_OF(stores); i++) {
        sp_store_close(stores[i]);
    }
    (void)snprintf(command, sizeof(command), "rm -r %s", directory);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a path of our own */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),     cmocka_unit_test(test_answer_lost),
        cmocka_unit_test(test_two_logs),     cmocka_unit_test(test_file_timed_out),
        cmocka_unit_test(test_room_is_gone), cmocka_unit_test(test_busy_store_can_be_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
