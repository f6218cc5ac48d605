/* Read state: markers, what is unread, who is mentioned; as exact transcripts and as numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/migrate.h"
#include "db/statement.h"
#include "domain/audit.h"
#include "domain/backup.h"
#include "domain/schema.h"
#include "unit/domain/world.h"

static struct world world;
static struct actor ann;
static struct actor bob;
static char path[WORLD_PATH_BYTES];

static struct command *request(enum command_kind kind, const struct actor *actor, const char *log,
                               const char *text)
{
    return world_command(&world, kind, actor, log, text);
}

static void run(enum command_kind kind, const struct actor *actor, const char *log,
                const char *text)
{
    assert_int_equal(world_do(&world, request(kind, actor, log, text)), SP_OK);
}

static enum sp_error mark(const struct actor *actor, const char *log, uint64_t sequence)
{
    struct command *command = request(COMMAND_MARK_READ, actor, log, NULL);

    command->read_up_to = sequence;
    return world_do(&world, command);
}

/* A room "r" with ann, who made it, and bob; two events. */
static int set_up(void **state)
{
    (void)state;
    world_make_path(path);
    world_open(&world, path);
    ann = world_login(&world, "ann", 1);
    bob = world_login(&world, "bob", 1);
    run(COMMAND_ROOM_CREATE, &ann, "r", NULL);
    run(COMMAND_ROOM_JOIN, &bob, "r", NULL);
    (void)world_transcript(&world);
    return 0;
}

static void on_finding(void *context, const struct audit_finding *finding)
{
    (void)context;
    fail_msg("%s/%llu: %s", finding->log, (unsigned long long)finding->sequence, finding->text);
}

/* fsck has nothing to say, whatever has happened. */
static void check_database(void)
{
    const struct audit_config config = {.path = path, .found = on_finding};
    struct audit *audit = NULL;
    char reason[256];

    assert_int_equal(audit_open(&config, &audit, reason, sizeof reason), SP_OK);
    assert_int_equal(audit_run(audit), SP_OK);
    audit_close(audit);
}

static int tear_down(void **state)
{
    (void)state;
    world_verify(&world);
    world_close(&world);
    check_database();
    world_remove_path(path);
    return 0;
}

/* What LIST says of "r" to ACTOR, in "read unread mentions". */
static const char *listed(const struct actor *actor)
{
    static char text[64];
    struct reply *reply = world_run(&world, request(COMMAND_LIST_LOGS, actor, NULL, NULL));

    assert_int_equal(reply->list.count, 1);
    const struct row *row = &reply->list.rows[0];
    (void)snprintf(text, sizeof text, "%llu %llu %u", (unsigned long long)row->log.read,
                   (unsigned long long)row->log.unread, row->log.mentions);
    reply_free(reply);
    (void)world_transcript(&world);
    return text;
}

static void test_markers(void **state)
{
    (void)state;
    assert_string_equal(listed(&ann), "1 0 0");
    assert_string_equal(listed(&bob), "2 0 0"); /* his coming is not news to him */
    run(COMMAND_POST, &ann, "r", "three");
    run(COMMAND_TOPIC, &ann, "r", "no message");
    run(COMMAND_POST, &ann, "r", "five");
    reply_free(world_run(&world, world_store(&world, &ann, "r", "six", "bytes", NULL)));
    assert_string_equal(listed(&bob), "2 3 0");
    assert_string_equal(listed(&ann), "6 0 0"); /* nothing of it is news to who wrote it */
    assert_int_equal(mark(&bob, "r", 4), SP_OK);
    assert_int_equal(mark(&bob, "r", 3), SP_OK); /* never back; nobody is told */
    assert_int_equal(mark(&bob, "r", UINT64_MAX), SP_OK);
    assert_int_equal(mark(&bob, "r", 6), SP_OK);
    assert_string_equal(world_transcript(&world), "for 2: r read 4 of 6, unread 2, mentions 0\n"
                                                  "reply r read 4 of 6, unread 2, mentions 0\n"
                                                  "reply r read 4 of 6, unread 2, mentions 0\n"
                                                  "for 2: r read 6 of 6, unread 0, mentions 0\n"
                                                  "reply r read 6 of 6, unread 0, mentions 0\n"
                                                  "reply r read 6 of 6, unread 0, mentions 0\n");
    world_reopen(&world);
    assert_string_equal(listed(&bob), "6 0 0");
}

static void test_who_may(void **state)
{
    struct actor eve = world_login(&world, "eve", 1);

    (void)state;
    run(COMMAND_BOX_CREATE, &ann, "box", NULL);
    assert_int_equal(mark(&eve, "r", 1), SP_ENOTJOINED);
    assert_int_equal(mark(&eve, "nothing", 1), SP_ENOTFOUND);
    assert_int_equal(mark(&ann, "box", 1), SP_EFORBIDDEN);
    assert_int_equal(mark(&eve, "box", 1), SP_EFORBIDDEN);
    assert_int_equal(world_do(&world, world_store(&world, &ann, "box", "f", "x", NULL)), SP_OK);
}

/* Own messages are no news, but do not make others' read. */
static void test_own_messages(void **state)
{
    (void)state;
    run(COMMAND_POST, &bob, "r", "three");
    assert_string_equal(listed(&bob), "3 0 0");
    assert_string_equal(listed(&ann), "1 1 0");
    run(COMMAND_POST, &ann, "r", "four");
    assert_string_equal(listed(&ann), "1 2 0");
    assert_string_equal(listed(&bob), "3 1 0");
    run(COMMAND_TOPIC, &bob, "r", "five");
    assert_int_equal(mark(&bob, "r", 4), SP_OK);
    run(COMMAND_POST, &bob, "r", "six"); /* a topic in between is nothing to be read */
    assert_string_equal(listed(&bob), "6 0 0");
}

static void test_mentions(void **state)
{
    struct command *command = request(COMMAND_POST, &ann, "r", "@bob @bob @eve @ann @nobody");
    struct actor eve = world_login(&world, "eve", 1);

    (void)state;
    struct command *again = world_again(command);
    assert_int_equal(world_do(&world, command), SP_OK);
    assert_int_equal(world_do(&world, again), SP_OK); /* is one message */
    run(COMMAND_POST, &ann, "r", "no names");
    run(COMMAND_POST, &ann, "r", "to @bob.");
    run(COMMAND_TOPIC, &ann, "r", "@bob is no message");
    assert_string_equal(world_transcript(&world),
                        "event 1/3 ann message @bob @bob @eve @ann @nobody\n"
                        "for 2: r read 2 of 3, unread 1, mentions 1\n"
                        "reply event r/3 at 1000000\n"
                        "reply event r/3 at 1000000 repeated\n"
                        "event 1/4 ann message no names\n"
                        "reply event r/4 at 1000000\n"
                        "event 1/5 ann message to @bob.\n"
                        "for 2: r read 2 of 5, unread 3, mentions 2\n"
                        "reply event r/5 at 1000000\n"
                        "event 1/6 ann topic @bob is no message\n"
                        "reply event r/6 at 1000000\n");
    assert_string_equal(listed(&bob), "2 3 2");
    assert_string_equal(listed(&ann), "5 0 0");
    assert_string_equal(listed(&eve), "0 0 0"); /* who was not in the room then */
    assert_int_equal(mark(&bob, "r", 4), SP_OK);
    assert_string_equal(listed(&bob), "4 1 1");
    assert_int_equal(mark(&bob, "r", 5), SP_OK);
    assert_string_equal(listed(&bob), "5 0 0");
}

static void test_going_and_coming(void **state)
{
    (void)state;
    run(COMMAND_POST, &ann, "r", "@bob");
    run(COMMAND_ROOM_LEAVE, &bob, "r", NULL);
    run(COMMAND_POST, &ann, "r", "@bob again");
    assert_string_equal(listed(&bob), "0 0 0");
    assert_int_equal(mark(&bob, "r", 4), SP_ENOTJOINED);
    run(COMMAND_ROOM_JOIN, &bob, "r", NULL);
    assert_string_equal(listed(&bob), "6 0 0");
    world_reopen(&world);
    assert_string_equal(listed(&bob), "6 0 0");
}

static void test_counted_up_to_a_limit(void **state)
{
    char expected[64];

    (void)state;
    for (unsigned i = 0; i < LIMIT_UNREAD_MENTIONS + 1; i++) {
        world_submit(&world, request(COMMAND_POST, &ann, "r", "@bob"));
        if (i % 64 == 63) {
            reply_free(world_step(&world));
            (void)world_transcript(&world);
        }
    }
    reply_free(world_step(&world));
    (void)snprintf(expected, sizeof expected, "2 %d %d", LIMIT_UNREAD_MENTIONS + 1,
                   LIMIT_UNREAD_MENTIONS);
    assert_string_equal(listed(&bob), expected);
    assert_int_equal(mark(&bob, "r", UINT64_MAX), SP_OK);
    run(COMMAND_POST, &ann, "r", "@bob");
    (void)snprintf(expected, sizeof expected, "%d 1 1", LIMIT_UNREAD_MENTIONS + 3);
    assert_string_equal(listed(&bob), expected);
}

/* Steps until no step erases any more. */
static void erase(void)
{
    for (unsigned i = 0; i < 8; i++) {
        clock_settable_advance(&world.clock, 10000);
        reply_free(world_step(&world));
    }
    (void)world_transcript(&world);
}

static void test_what_is_erased_is_not_counted(void **state)
{
    struct command *rule = NULL;

    (void)state;
    run(COMMAND_POST, &ann, "r", "@bob three");
    run(COMMAND_POST, &ann, "r", "four");
    run(COMMAND_POST, &ann, "r", "@bob five");
    assert_string_equal(listed(&bob), "2 3 2");
    rule = request(COMMAND_RETENTION, &ann, "r", NULL);
    rule->retention.events = 2; /* number 5 and the rule itself */
    assert_int_equal(world_do(&world, rule), SP_OK);
    erase();
    assert_string_equal(listed(&bob), "2 1 1");
    assert_int_equal(mark(&bob, "r", 3), SP_OK);
    assert_string_equal(world_transcript(&world), "for 2: r read 3 of 6, unread 1, mentions 1\n"
                                                  "reply r read 3 of 6, unread 1, mentions 1\n");
    world_reopen(&world);
    assert_string_equal(listed(&bob), "3 1 1");
    run(COMMAND_TOPIC, &ann, "r", "seven");
    erase();
    assert_string_equal(listed(&bob), "3 0 0");
    run(COMMAND_POST, &bob, "r", "eight"); /* nothing was left to be read */
    assert_string_equal(listed(&bob), "8 0 0");
}

/* What is known by heart is right after an erasure, and after one that came to nothing. */
static void test_mentions_after_erasing(void **state)
{
    struct command *rule = NULL;

    (void)state;
    run(COMMAND_POST, &ann, "r", "@bob three");
    run(COMMAND_POST, &ann, "r", "@bob four");
    rule = request(COMMAND_RETENTION, &ann, "r", NULL);
    rule->retention.events = 2; /* number 4 and the rule itself */
    assert_int_equal(world_do(&world, rule), SP_OK);
    erase();
    run(COMMAND_POST, &ann, "r", "@bob six");
    assert_string_equal(world_transcript(&world), "event 1/6 ann message @bob six\n"
                                                  "for 2: r read 2 of 6, unread 2, mentions 2\n"
                                                  "reply event r/6 at 1080000\n");
    world_execute(&world, "CREATE TRIGGER no BEFORE UPDATE OF erased ON logs BEGIN"
                          " SELECT raise(FAIL, 'no'); END");
    erase();
    world_execute(&world, "DROP TRIGGER no");
    run(COMMAND_POST, &ann, "r", "@bob seven");
    assert_string_equal(world_transcript(&world), "event 1/7 ann message @bob seven\n"
                                                  "for 2: r read 2 of 7, unread 3, mentions 3\n"
                                                  "reply event r/7 at 1160000\n");
    erase();
    assert_int_equal(mark(&bob, "r", 6), SP_OK);
    assert_string_equal(world_transcript(&world), "for 2: r read 6 of 7, unread 1, mentions 1\n"
                                                  "reply r read 6 of 7, unread 1, mentions 1\n");
}

/* Within one commit each sees what those before it did, and one that fails leaves nothing. */
static void test_in_one_commit(void **state)
{
    struct command *first = request(COMMAND_MARK_READ, &bob, "r", NULL);
    struct command *second = request(COMMAND_MARK_READ, &bob, "r", NULL);

    (void)state;
    first->read_up_to = 3;
    second->read_up_to = 4;
    world_submit(&world, request(COMMAND_POST, &ann, "r", "@bob"));
    world_submit(&world, first);
    world_submit(&world, request(COMMAND_POST, &ann, "r", "@bob"));
    world_submit(&world, request(COMMAND_ROOM_CREATE, &ann, "r", NULL)); /* is refused */
    world_submit(&world, second);
    reply_free(world_step(&world));
    assert_string_equal(world_transcript(&world), "event 1/3 ann message @bob\n"
                                                  "for 2: r read 2 of 3, unread 1, mentions 1\n"
                                                  "reply event r/3 at 1000000\n"
                                                  "for 2: r read 3 of 3, unread 0, mentions 0\n"
                                                  "reply r read 3 of 3, unread 0, mentions 0\n"
                                                  "event 1/4 ann message @bob\n"
                                                  "for 2: r read 3 of 4, unread 1, mentions 1\n"
                                                  "reply event r/4 at 1000000\n"
                                                  "reply exists\n"
                                                  "for 2: r read 4 of 4, unread 0, mentions 0\n"
                                                  "reply r read 4 of 4, unread 0, mentions 0\n");
}

static void execute(const char *sql)
{
    char reason[128];
    struct db *db = NULL;

    assert_int_equal(db_open(path, DB_WRITER, &db, reason, sizeof reason), SP_OK);
    assert_int_equal(db_execute(db, sql), SP_OK);
    db_close(db);
}

/* Makes the database what version 4 would have left: without anything of this file. */
static const char undo_version_5[] =
    "DROP TABLE state_events; DROP TABLE mentions; ALTER TABLE roster DROP COLUMN read;"
    "PRAGMA user_version = 4";

static void test_older_databases(void **state)
{
    struct actor eve = world_login(&world, "eve", 1);

    (void)state;
    run(COMMAND_POST, &ann, "r", "three");
    run(COMMAND_TOPIC, &ann, "r", "four");
    run(COMMAND_ROOM_CREATE, &ann, "q", NULL);
    run(COMMAND_POST, &ann, "q", "two");
    assert_int_equal(world_do(&world, world_store(&world, &ann, "q", "three", "x", NULL)), SP_OK);
    world_close(&world);
    execute(undo_version_5);
    world_reopen(&world);
    (void)world_transcript(&world);
    run(COMMAND_ROOM_JOIN, &eve, "q", NULL);
    run(COMMAND_POST, &ann, "q", "five");
    (void)world_transcript(&world);
    run(COMMAND_LIST_LOGS, &bob, NULL, NULL);
    assert_int_equal(mark(&eve, "q", 4), SP_OK); /* what was there is counted as it was */
    assert_int_equal(mark(&eve, "q", 5), SP_OK);
    run(COMMAND_POST, &ann, "r", "@bob");
    assert_string_equal(world_transcript(&world), "reply list of 2\n"
                                                  "  r kind=1 head=4 members=2 joined topic=four\n"
                                                  "  q kind=1 head=5 members=2 topic=\n"
                                                  "reply q read 4 of 5, unread 1, mentions 0\n"
                                                  "for 3: q read 5 of 5, unread 0, mentions 0\n"
                                                  "reply q read 5 of 5, unread 0, mentions 0\n"
                                                  "event 1/5 ann message @bob\n"
                                                  "for 2: r read 4 of 5, unread 1, mentions 1\n"
                                                  "reply event r/5 at 1000000\n");
}

/* What is erased while a backup is made is erased in it, and so is whom it mentioned. */
static void test_backups(void **state)
{
    struct backup *backup = NULL;
    struct backup_info info;
    char copy[WORLD_PATH_BYTES + 8];
    char reason[256];

    (void)state;
    run(COMMAND_POST, &ann, "r", "@bob three");
    run(COMMAND_POST, &ann, "r", "@bob four");
    (void)snprintf(copy, sizeof copy, "%s.copy", path);
    assert_int_equal(backup_new(path, copy, NULL, NULL, &backup, reason, sizeof reason), SP_OK);
    struct command *rule = request(COMMAND_RETENTION, &ann, "r", NULL);
    rule->retention.events = 2;
    assert_int_equal(world_do(&world, rule), SP_OK);
    erase();
    assert_int_equal(backup_finish(backup, &info, reason, sizeof reason), SP_OK);
    backup_free(backup);
    struct db *db = NULL;
    struct statement *query = NULL;
    assert_int_equal(db_open(copy, DB_READER, &db, reason, sizeof reason), SP_OK);
    assert_int_equal(statement_new(db, "SELECT count(*), max(sequence) FROM mentions", &query),
                     SP_OK);
    assert_true(statement_next(query));
    assert_int_equal(statement_get_i64(query), 1);
    assert_int_equal(statement_get_i64(query), 4);
    assert_int_equal(statement_finish(query), SP_OK);
    statement_free(query);
    db_close(db);
    assert_int_equal(unlink(copy), 0);
}

/* The same beside a server of version 4 that goes on until this one is started. */
static void test_backups_beside_an_older_server(void **state)
{
    struct backup *backup = NULL;
    struct backup_info info;
    char copy[WORLD_PATH_BYTES + 8];
    char reason[256];

    (void)state;
    run(COMMAND_POST, &ann, "r", "three");
    world_close(&world);
    execute(undo_version_5);
    (void)snprintf(copy, sizeof copy, "%s.copy", path);
    assert_int_equal(backup_new(path, copy, NULL, NULL, &backup, reason, sizeof reason), SP_OK);
    execute("UPDATE events SET salt = NULL, body = NULL WHERE key = (1 << 40) + 3;"
            "UPDATE logs SET erased = 3 WHERE no = 1");
    assert_int_equal(backup_finish(backup, &info, reason, sizeof reason), SP_OK);
    assert_int_equal(info.events, 3);
    backup_free(backup);
    assert_int_equal(unlink(copy), 0);
    world_reopen(&world);
    (void)world_transcript(&world);
    assert_string_equal(listed(&bob), "3 0 0");
}

/* Of the member list, for bob: when he was seen. */
static int64_t last_seen(void)
{
    struct reply *reply = world_run(&world, request(COMMAND_LIST_MEMBERS, &ann, "r", NULL));

    assert_int_equal(reply->list.count, 2);
    assert_string_equal(reply->list.rows[1].member.username, "bob");
    int64_t last_seen_ms = reply->list.rows[1].member.last_seen_ms;
    reply_free(reply);
    reply = world_run(&world, request(COMMAND_LIST_MEMBERS, &ann, NULL, NULL));
    assert_int_equal(reply->list.rows[1].member.last_seen_ms, last_seen_ms);
    reply_free(reply);
    return last_seen_ms;
}

static void test_last_seen(void **state)
{
    struct seen_note notes[2] = {{ann.device, WORLD_START_MS + 7}, {bob.device, 0}};
    struct command *command = NULL;

    (void)state;
    assert_int_equal(last_seen(), WORLD_START_MS); /* his login */
    clock_settable_advance(&world.clock, 5000);
    (void)world_login(&world, "bob", 2);
    assert_int_equal(last_seen(), WORLD_START_MS + 5000); /* of the device that was here last */
    notes[1].wall_ms = WORLD_START_MS + 9000;
    assert_int_equal(command_new(COMMAND_SEEN, sizeof notes, &command), SP_OK);
    memcpy(command->body, notes, sizeof notes);
    assert_null(world_run(&world, command));
    assert_int_equal(last_seen(), WORLD_START_MS + 9000);
    world_reopen(&world);
    assert_int_equal(last_seen(), WORLD_START_MS + 9000);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_markers),
        TEST(test_who_may),
        TEST(test_own_messages),
        TEST(test_mentions),
        TEST(test_going_and_coming),
        TEST(test_counted_up_to_a_limit),
        TEST(test_what_is_erased_is_not_counted),
        TEST(test_mentions_after_erasing),
        TEST(test_in_one_commit),
        TEST(test_older_databases),
        TEST(test_backups),
        TEST(test_backups_beside_an_older_server),
        TEST(test_last_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
