/* Rooms, boxes and following, as exact transcripts of what the domain says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "unit/domain/world.h"

static struct world world;
static struct actor ann;
static struct actor bob;

static int set_up(void **state)
{
    (void)state;
    world_open(&world, NULL);
    ann = world_login(&world, "ann", 1);
    bob = world_login(&world, "bob", 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_verify(&world);
    world_close(&world);
    return 0;
}

static struct command *request(enum command_kind kind, const struct actor *actor, const char *log,
                               const char *text)
{
    return world_command(&world, kind, actor, log, text);
}

static void run(enum command_kind kind, const struct actor *actor, const char *log,
                const char *text)
{
    reply_free(world_run(&world, request(kind, actor, log, text)));
}

static void test_life_of_a_room(void **state)
{
    (void)state;
    run(COMMAND_ROOM_CREATE, &ann, "lobby", NULL);
    run(COMMAND_POST, &bob, "lobby", "too early");
    run(COMMAND_ROOM_JOIN, &bob, "lobby", NULL);
    clock_settable_advance(&world.clock, 5);
    run(COMMAND_POST, &bob, "lobby", "hello");
    run(COMMAND_TOPIC, &ann, "lobby", "news");
    run(COMMAND_LIST_MEMBERS, &bob, "lobby", NULL);
    run(COMMAND_ROOM_LEAVE, &bob, "lobby", NULL);
    run(COMMAND_ROOM_LEAVE, &bob, "lobby", NULL);
    run(COMMAND_POST, &bob, "lobby", "too late");
    run(COMMAND_LIST_LOGS, &bob, NULL, NULL);
    run(COMMAND_ROOM_LEAVE, &ann, "lobby", NULL);
    run(COMMAND_LIST_LOGS, &ann, NULL, NULL);
    assert_string_equal(world_transcript(&world), "event 1/1 ann log-created lobby ann kind=1\n"
                                                  "reply event lobby/1 at 1000000\n"
                                                  "reply not-joined\n"
                                                  "event 1/2 bob joined bob\n"
                                                  "reply event lobby/2 at 1000000\n"
                                                  "event 1/3 bob message hello\n"
                                                  "reply event lobby/3 at 1000005\n"
                                                  "event 1/4 ann topic news\n"
                                                  "reply event lobby/4 at 1000005\n"
                                                  "reply list of 2\n"
                                                  "  ann owner\n"
                                                  "  bob\n"
                                                  "event 1/5 bob left bob\n"
                                                  "ended 2 in 1\n"
                                                  "reply event lobby/5 at 1000005\n"
                                                  "reply not-joined\n"
                                                  "reply not-joined\n"
                                                  "reply list of 1\n"
                                                  "  lobby kind=1 head=5 members=1 topic=news\n"
                                                  "event 1/6 ann left ann\n"
                                                  "ended 1 in 1\n"
                                                  "reply event lobby/6 at 1000005\n"
                                                  "reply list of 1\n"
                                                  "  lobby kind=1 head=6 members=0 topic=news\n");
}

static void test_one_commit_for_many(void **state)
{
    (void)state;
    world_submit(&world, request(COMMAND_ROOM_CREATE, &ann, "a", NULL));
    world_submit(&world, request(COMMAND_POST, &bob, "a", "refused"));
    world_submit(&world, request(COMMAND_POST, &ann, "a", "one"));
    world_submit(&world, request(COMMAND_ROOM_JOIN, &bob, "a", NULL));
    world_submit(&world, request(COMMAND_FOLLOW, &bob, "a", NULL));
    world_submit(&world, request(COMMAND_POST, &bob, "a", "two"));
    reply_free(world_step(&world));
    assert_string_equal(world_transcript(&world), "event 1/1 ann log-created a ann kind=1\n"
                                                  "reply event a/1 at 1000000\n"
                                                  "reply not-joined\n"
                                                  "event 1/2 ann message one\n"
                                                  "reply event a/2 at 1000000\n"
                                                  "event 1/3 bob joined bob\n"
                                                  "reply event a/3 at 1000000\n"
                                                  "reply follow a head=3 first=1\n"
                                                  "event 1/4 bob message two\n"
                                                  "reply event a/4 at 1000000\n");
    struct domain_status status;
    domain_get_status(world.domain, &status);
    assert_int_equal(status.events, 4);
    assert_int_equal(status.commits, 3); /* two logins before */
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", "Lobby", "-a", "a b", "\xc3\xa4"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(world_do(&world, request(COMMAND_ROOM_CREATE, &ann, bad[i], NULL)),
                         SP_ENAME);
    }
    assert_int_equal(world_do(&world, request(COMMAND_ROOM_CREATE, &ann, "a", NULL)), SP_OK);
    /* One name space for rooms and boxes, whoever asks. */
    assert_int_equal(world_do(&world, request(COMMAND_ROOM_CREATE, &bob, "a", NULL)), SP_EEXISTS);
    assert_int_equal(world_do(&world, request(COMMAND_BOX_CREATE, &bob, "a", NULL)), SP_EEXISTS);
    assert_int_equal(world_do(&world, request(COMMAND_POST, &ann, "b", "x")), SP_ENOTFOUND);
    assert_int_equal(world_do(&world, request(COMMAND_POST, &ann, NULL, "x")), SP_ENOTFOUND);
}

static void test_text(void **state)
{
    static char text[LIMIT_TEXT_BYTES + 2];
    char topic[LIMIT_TOPIC_BYTES + 2];

    (void)state;
    assert_int_equal(world_do(&world, request(COMMAND_ROOM_CREATE, &ann, "a", NULL)), SP_OK);
    assert_int_equal(world_do(&world, request(COMMAND_POST, &ann, "a", "")), SP_EINVALID);
    assert_int_equal(world_do(&world, request(COMMAND_POST, &ann, "a", "\xff")), SP_EINVALID);
    memset(text, 'x', sizeof text);
    text[LIMIT_TEXT_BYTES + 1] = '\0';
    assert_int_equal(world_do(&world, request(COMMAND_POST, &ann, "a", text)), SP_ETOOLARGE);
    text[LIMIT_TEXT_BYTES] = '\0';
    assert_int_equal(world_do(&world, request(COMMAND_POST, &ann, "a", text)), SP_OK);
    memset(topic, 'x', sizeof topic);
    topic[LIMIT_TOPIC_BYTES + 1] = '\0';
    assert_int_equal(world_do(&world, request(COMMAND_TOPIC, &ann, "a", topic)), SP_ETOOLARGE);
    topic[LIMIT_TOPIC_BYTES] = '\0';
    assert_int_equal(world_do(&world, request(COMMAND_TOPIC, &ann, "a", topic)), SP_OK);
    assert_int_equal(world_do(&world, request(COMMAND_TOPIC, &ann, "a", "")), SP_OK);
    struct command *command = request(COMMAND_POST, &ann, "a", "x");
    memset(&command->client_id, 0, sizeof command->client_id);
    assert_int_equal(world_do(&world, command), SP_EINVALID);
}

/* Each request once more, and then its client id for something else. */
static void test_exactly_once(void **state)
{
    static const struct {
        enum command_kind kind;
        const char *log;
        const char *text;
    } steps[] = {
        {COMMAND_ROOM_CREATE, "a", NULL}, {COMMAND_BOX_CREATE, "b", NULL},
        {COMMAND_POST, "a", "hello"},     {COMMAND_TOPIC, "a", "hello"},
        {COMMAND_ROOM_LEAVE, "a", NULL},  {COMMAND_ROOM_JOIN, "a", NULL},
        {COMMAND_POST, "b", "hello"},
    };
    struct command *again[COUNT_OF(steps)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct command *command = request(steps[i].kind, &ann, steps[i].log, steps[i].text);
        again[i] = world_again(command);
        world_submit(&world, world_again(command)); /* twice in one commit */
        struct reply *second = world_run(&world, command);
        assert_int_equal(second->kind, REPLY_EVENT);
        assert_true(second->event.repeated);
        reply_free(second);
    }
    uint64_t events = world_verify(&world);
    assert_int_equal(events, COUNT_OF(steps));
    clock_settable_advance(&world.clock, 1000);
    (void)world_transcript(&world);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct command *other = world_again(again[i]);
        struct command *salted = world_again(again[i]);
        struct command *elsewhere = world_again(again[i]);
        struct command *stranger = world_again(again[i]);
        reply_free(world_run(&world, again[i]));
        other->kind = steps[i].kind == COMMAND_POST ? COMMAND_TOPIC : COMMAND_POST;
        if (other->body_size > 0) {
            other->body[0] = 'H';
            assert_int_equal(world_do(&world, other), SP_ECONFLICT);
        } else {
            command_free(other);
        }
        salted->salt[0] ^= 1;
        assert_int_equal(world_do(&world, salted), SP_ECONFLICT);
        elsewhere->log.name[0] = steps[i].log[0] == 'a' ? 'b' : 'a';
        assert_int_equal(world_do(&world, elsewhere), SP_ECONFLICT);
        /* Of another device it is another request. */
        stranger->actor = world_login(&world, "ann", 2);
        enum sp_error error = world_do(&world, stranger);
        assert_true(error == SP_OK || error == SP_EEXISTS || error == SP_ENOTJOINED);
        if (steps[i].kind == COMMAND_ROOM_LEAVE) {
            assert_int_equal(world_do(&world, request(COMMAND_ROOM_JOIN, &ann, "a", NULL)), SP_OK);
        }
    }
    assert_non_null(strstr(world_transcript(&world), "reply event a/1 at 1000000 repeated\n"));
}

static void test_joining_twice(void **state)
{
    (void)state;
    run(COMMAND_ROOM_CREATE, &ann, "a", NULL);
    run(COMMAND_ROOM_JOIN, &bob, "a", NULL);
    run(COMMAND_POST, &ann, "a", "x");
    (void)world_transcript(&world);
    run(COMMAND_ROOM_JOIN, &bob, "a", NULL);
    run(COMMAND_ROOM_JOIN, &ann, "a", NULL);
    assert_string_equal(world_transcript(&world), "reply event a/3 at 1000000 repeated\n"
                                                  "reply event a/3 at 1000000 repeated\n");
}

static void test_time_never_runs_backwards(void **state)
{
    (void)state;
    run(COMMAND_ROOM_CREATE, &ann, "a", NULL);
    clock_settable_advance(&world.clock, -500000);
    run(COMMAND_POST, &ann, "a", "x");
    run(COMMAND_ROOM_CREATE, &ann, "b", NULL);
    assert_string_equal(world_transcript(&world), "event 1/1 ann log-created a ann kind=1\n"
                                                  "reply event a/1 at 1000000\n"
                                                  "event 1/2 ann message x\n"
                                                  "reply event a/2 at 1000000\n"
                                                  "event 2/1 ann log-created b ann kind=1\n"
                                                  "reply event b/1 at 500000\n");
}

static void test_following(void **state)
{
    static const struct {
        uint64_t after;
        uint64_t last;
        uint64_t first;
    } cases[] = {
        {0, 0, 1}, {1, 0, 2}, {3, 0, 4}, {4, 0, 5}, {9, 0, 5},          {UINT64_MAX, 0, 5},
        {0, 1, 4}, {0, 3, 2}, {0, 4, 1}, {9, 5, 1}, {3, UINT64_MAX, 1},
    };

    (void)state;
    run(COMMAND_ROOM_CREATE, &ann, "a", NULL);
    run(COMMAND_POST, &ann, "a", "1");
    run(COMMAND_POST, &ann, "a", "2");
    run(COMMAND_POST, &ann, "a", "3");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct command *command = request(COMMAND_FOLLOW, &ann, "a", NULL);
        command->follow.after = cases[i].after;
        command->follow.last = cases[i].last;
        struct reply *reply = world_run(&world, command);
        assert_int_equal(reply->kind, REPLY_FOLLOW);
        assert_int_equal(reply->follow.first, cases[i].first);
        assert_int_equal(reply->follow.log.head_sequence, 4);
        /* From what came before and the events that follow the head can be computed. */
        struct digest head = reply->follow.before;
        struct digest next;
        struct reply *page = world_page(&world, 1, reply->follow.first, 100);
        for (size_t e = 0; e < page->page.count; e++) {
            assert_int_equal(event_chain_next(&head, page->page.events[e]->header, &next), SP_OK);
            head = next;
        }
        assert_true(digest_equal(&head, &reply->follow.log.head));
        reply_free(page);
        reply_free(reply);
    }
}

static void test_pages(void **state)
{
    static char text[LIMIT_TEXT_BYTES + 1];

    (void)state;
    memset(text, 'x', LIMIT_TEXT_BYTES);
    run(COMMAND_ROOM_CREATE, &ann, "a", NULL);
    for (int i = 0; i < 9; i++) {
        reply_free(world_run(&world, request(COMMAND_POST, &ann, "a", text)));
        (void)world_transcript(&world);
    }
    struct reply *reply = world_page(&world, 1, 1, 100);
    /* 64 KiB; the first event is short. */
    assert_int_equal(reply->page.count, 1 + (65536 - 156) / (139 + LIMIT_TEXT_BYTES));
    assert_string_equal(reply->page.events[3]->author, "ann");
    reply_free(reply);
    reply = world_page(&world, 1, 9, 100);
    assert_int_equal(reply->page.count, 2);
    reply_free(reply);
    reply = world_page(&world, 1, 3, 1);
    assert_int_equal(reply->page.count, 1);
    assert_int_equal(reply->page.events[0]->sequence, 3);
    reply_free(reply);
    reply = world_page(&world, 1, 11, 5);
    assert_int_equal(reply->page.count, 0);
    reply_free(reply);
    struct command *command = request(COMMAND_READ, NULL, NULL, NULL);
    command->read.log_number = 1; /* from 0 */
    command->read.count = 1;
    assert_int_equal(world_do(&world, command), SP_EINVALID);
}

static void test_lists_by_pages(void **state)
{
    char name[LIMIT_LOG_NAME_BYTES + 1];
    uint64_t after = 0;
    unsigned seen = 0;
    bool more = true;

    (void)state;
    for (int i = 0; i < 250; i++) {
        (void)snprintf(name, sizeof name, "room%d", i);
        run(i % 5 == 0 ? COMMAND_BOX_CREATE : COMMAND_ROOM_CREATE, &ann, name, NULL);
        (void)world_transcript(&world);
    }
    while (more) {
        struct command *command = request(COMMAND_LIST_LOGS, &bob, NULL, NULL);
        command->list.after = after;
        command->list.limit = seen == 0 ? 7 : 0;
        struct reply *reply = world_run(&world, command);
        (void)world_transcript(&world);
        assert_int_equal(reply->kind, REPLY_LIST);
        assert_int_equal(reply->list.count, seen == 0 ? 7 : seen < 207 ? 100 : 43);
        for (size_t i = 0; i < reply->list.count; i++) {
            (void)snprintf(name, sizeof name, "room%u", seen++);
            assert_string_equal(reply->list.rows[i].log.info.name, name);
            assert_true(reply->list.rows[i].key > after);
            after = reply->list.rows[i].key;
        }
        more = reply->list.more;
        reply_free(reply);
    }
    assert_int_equal(seen, 250);
    run(COMMAND_LIST_MEMBERS, &bob, NULL, NULL);
    assert_string_equal(world_transcript(&world), "reply list of 2\n  ann\n  bob\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life_of_a_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_commit_for_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exactly_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_joining_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_never_runs_backwards, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_following, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lists_by_pages, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
