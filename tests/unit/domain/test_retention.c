/* What rooms keep, and what is left of what they do not: in the log, in the tables, on the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/domain/world.h"

static struct world world;
static struct actor ann; /* owns the room and the box */
static struct actor bob;
static char path[WORLD_PATH_BYTES];

static int set_up(void **state)
{
    (void)state;
    world_make_path(path);
    world_open(&world, path);
    ann = world_login(&world, "ann", 1);
    bob = world_login(&world, "bob", 1);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "room", NULL)), SP_OK);
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_ROOM_JOIN, &bob, "room", NULL)),
                     SP_OK);
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_BOX_CREATE, &ann, "box", NULL)),
                     SP_OK);
    (void)world_transcript(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_verify(&world);
    world_close(&world);
    world_remove_path(path);
    return 0;
}

static struct command *retention(const struct actor *actor, const char *log, uint64_t seconds,
                                 uint64_t events)
{
    struct command *command = world_command(&world, COMMAND_RETENTION, actor, log, NULL);

    command->retention = (struct retention_rule){seconds, events};
    return command;
}

static void run(struct command *command)
{
    reply_free(world_run(&world, command));
}

static void post(const char *text)
{
    run(world_command(&world, COMMAND_POST, &bob, "room", text));
}

/* Lets MS pass, and everything that is due in it happen. */
static void wait_ms(int64_t ms)
{
    const int64_t slice = 20;

    do {
        clock_settable_advance(&world.clock, ms < slice ? ms : slice);
        reply_free(world_step(&world));
        ms -= slice;
    } while (ms > 0);
}

/* "seee..": for each event of the room whether it is still there (s) or erased (e). */
static const char *shape(void)
{
    static char text[2048];
    size_t used = 0;

    for (;;) {
        struct reply *reply = world_page(&world, 1, used + 1, UINT32_MAX);
        size_t count = reply->page.count;
        for (size_t i = 0; i < count; i++) {
            text[used++] = reply->page.events[i]->erased ? 'e' : 's';
        }
        reply_free(reply);
        text[used] = '\0';
        if (count == 0) {
            return text;
        }
    }
}

static void test_who_may(void **state)
{
    (void)state;
    run(retention(&bob, "room", 60, 0));
    run(retention(&ann, "box", 60, 0));
    run(retention(&ann, "nowhere", 60, 0));
    run(retention(&ann, "room", LIMIT_KEEP_SECONDS + 1, 0));
    struct command *command = retention(&ann, "room", 60, 7);
    struct command *again = world_again(command);
    run(command);
    run(again);
    run(retention(&ann, "room", 0, 0));
    bob.role = ROLE_ADMINISTRATOR;
    run(retention(&bob, "box", 60, 0));
    run(retention(&bob, "room", 3, 0));
    assert_string_equal(world_transcript(&world), "reply forbidden\n"
                                                  "reply forbidden\n"
                                                  "reply not-found\n"
                                                  "reply invalid\n"
                                                  "event 1/3 ann retention seconds=60 events=7\n"
                                                  "reply event room/3 at 1000000\n"
                                                  "reply event room/3 at 1000000 repeated\n"
                                                  "event 1/4 ann retention\n"
                                                  "reply event room/4 at 1000000\n"
                                                  "reply forbidden\n"
                                                  "event 1/5 bob retention seconds=3 events=0\n"
                                                  "reply event room/5 at 1000000\n");
}

static void test_so_many(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        post("words");
    }
    run(world_command(&world, COMMAND_TOPIC, &bob, "room", "a topic stays"));
    (void)world_transcript(&world);
    run(retention(&ann, "room", 0, 3)); /* number 9: 7, 8 and 9 are kept */
    assert_string_equal(world_transcript(&world), "event 1/9 ann retention seconds=0 events=3\n"
                                                  "reply event room/9 at 1000000\n"
                                                  "erased 1/1 to 6\n");
    assert_string_equal(shape(), "sseeeesss");
    post("more");
    assert_string_equal(shape(), "sseeeessss"); /* not at once: at the next pass */
    wait_ms(5100);
    assert_string_equal(shape(), "sseeeeesss");
    run(retention(&ann, "room", 0, 0));
    wait_ms(500000);
    assert_string_equal(shape(), "sseeeeessss"); /* the topic is state, the rest is kept now */
}

static void test_so_long(void **state)
{
    (void)state;
    run(retention(&ann, "room", 60, 0));
    post("first");
    wait_ms(30000);
    post("second");
    wait_ms(30000);
    assert_string_equal(shape(), "sssss"); /* sixty seconds are not more than sixty */
    wait_ms(5000);
    assert_string_equal(shape(), "ssses");
    wait_ms(30000);
    assert_string_equal(shape(), "sssee");
}

static void test_many_steps(void **state)
{
    (void)state;
    for (int i = 0; i < 700; i++) {
        world_submit(&world, world_command(&world, COMMAND_POST, &bob, "room", "x"));
    }
    world.used = 0;
    reply_free(world_step(&world));
    (void)world_transcript(&world);
    run(retention(&ann, "room", 0, 1));
    const char *first = world_transcript(&world);
    assert_non_null(strstr(first, "erased 1/1 to 256\n"));
    assert_null(strstr(first, "erased 1/257")); /* others come between the steps */
    wait_ms(100);                               /* and they do not wait for the next pass */
    assert_string_equal(world_transcript(&world), "erased 1/257 to 512\n"
                                                  "erased 1/513 to 702\n");
    assert_null(strchr(shape() + 2, 's') == NULL ? NULL : strchr(strchr(shape() + 2, 's'), 'e'));
}

/* How often NEEDLE is in TEXT. */
static size_t occurrences(const char *text, const char *needle)
{
    size_t count = 0;

    for (; (text = strstr(text, needle)) != NULL; text += strlen(needle)) {
        count++;
    }
    return count;
}

/* Rooms that have little to erase do not wait for a step each. */
static void test_many_rooms(void **state)
{
    char name[32];

    (void)state;
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        world_submit(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, name, NULL));
        world_submit(&world, world_command(&world, COMMAND_POST, &ann, name, "goes"));
        world_submit(&world, retention(&ann, name, 0, 1));
    }
    reply_free(world_step(&world));
    assert_int_equal(occurrences(world_transcript(&world), "erased "), 100);
}

static void test_not_others(void **state)
{
    (void)state;
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &bob, "other", NULL)), SP_OK);
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_POST, &bob, "other", "stays")),
                     SP_OK);
    post("goes");
    run(retention(&ann, "room", 0, 1));
    struct reply *reply = world_page(&world, 3, 1, UINT32_MAX);
    assert_int_equal(reply->page.count, 2);
    assert_false(reply->page.events[1]->erased);
    reply_free(reply);
    assert_string_equal(shape(), "sses");
}

/* A room with a header that nobody can read keeps what it has; the others do not. */
static void test_damaged(void **state)
{
    static const char *const names[] = {"second", "third"}; /* logs 3 and 4 */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        run(world_command(&world, COMMAND_ROOM_CREATE, &ann, names[i], NULL));
        run(world_command(&world, COMMAND_POST, &ann, names[i], "goes"));
    }
    post("goes");
    world_execute(&world,
                  "CREATE TABLE spare AS SELECT header FROM events WHERE key = (3 << 40) + 2;"
                  "UPDATE events SET header = x'00' WHERE key = (3 << 40) + 2");
    (void)world_transcript(&world);
    world_submit(&world, retention(&ann, "third", 0, 1));
    world_submit(&world, retention(&ann, "second", 0, 1));
    run(retention(&ann, "room", 0, 1));
    wait_ms(12000);
    const char *text = world_transcript(&world);
    assert_non_null(strstr(text, "erased 1/1 to 3\n"));
    assert_non_null(strstr(text, "erased 4/1 to 2\n"));
    assert_null(strstr(text, "erased 3/"));
    world_execute(&world,
                  "UPDATE events SET header = (SELECT header FROM spare) WHERE key = (3 << 40) + 2;"
                  "DROP TABLE spare");
    wait_ms(15000);
    assert_string_equal(world_transcript(&world), "erased 3/1 to 2\n");
}

static struct command *offer_of(const struct command *store, bool with_sha256)
{
    struct command *command = world_command(&world, COMMAND_OFFER, &bob, "room", NULL);

    command->client_id = store->client_id;
    memcpy(command->salt, store->salt, SALT_BYTES);
    command->file = store->file;
    command->file.has_sha256 = with_sha256;
    return command;
}

static void test_files(void **state)
{
    (void)state;
    struct command *store = world_store(&world, &bob, "room", "plan.txt", "the plan", NULL);
    struct command *again = world_again(store);
    struct command *known = offer_of(store, true);
    struct command *unknown = offer_of(store, false);
    struct command *other = offer_of(store, true);
    other->file.name[0] = 'X';
    run(store);
    run(retention(&ann, "room", 0, 1));
    (void)world_transcript(&world);
    run(world_command(&world, COMMAND_LIST_FILES, &bob, "room", NULL));
    run(again);
    run(known);
    run(unknown);
    run(other);
    assert_string_equal(world_transcript(&world),
                        "reply list of 0\n"
                        "reply plan.txt room/3 at 1000000 repeated\n"
                        "reply offer room stored\n"
                        "reply conflict\n" /* nobody can tell any more whether it is the same */
                        "reply conflict\n");
    assert_string_equal(shape(), "sses");
}

/* A file whose bytes are a blob: it is told of until it is certain that the blob is gone. */
static void test_blobs(void **state)
{
    (void)state;
    struct command *store = world_store(&world, &bob, "room", "big.bin", "", NULL);
    struct command *gone = world_command(&world, COMMAND_DISCARDED, NULL, NULL, NULL);
    char expected[64];
    store->file.bucket = 7;
    store->file.size = 100000;
    gone->file.file = store->file.file;
    gone->file.bucket = 7;
    (void)snprintf(expected, sizeof expected, "discard %02x from 7\n", store->file.file.bytes[0]);
    run(store);
    run(retention(&ann, "room", 0, 1));
    assert_non_null(strstr(world_transcript(&world), expected));
    world_reopen(&world);
    wait_ms(0);
    assert_string_equal(world_transcript(&world), expected);
    run(gone);
    world.transcript[0] = '\0';
    world_reopen(&world);
    wait_ms(0);
    assert_string_equal(world_transcript(&world), "");
}

/* How often NEEDLE is in the file. */
static size_t grep(const char *suffix, const char *needle)
{
    char name[WORLD_PATH_BYTES + 8];
    size_t count = 0;

    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    FILE *file = fopen(name, "rb");
    if (file == NULL) {
        return 0;
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, size, file), size);
    for (size_t i = 0; i + strlen(needle) <= size; i++) {
        count += memcmp(bytes + i, needle, strlen(needle)) == 0 ? 1 : 0;
    }
    free(bytes);
    (void)fclose(file);
    return count;
}

static size_t grep_all(const char *needle)
{
    return grep("", needle) + grep("-wal", needle) + grep("-shm", needle);
}

/* Of all sizes, so that cells shrink, pages merge and overflow pages become free. */
static void test_disk(void **state)
{
    static char text[LIMIT_TEXT_BYTES + 1];
    static const char secret[] = "the-secret-word";

    (void)state;
    for (size_t i = 0; i < 300; i++) {
        size_t size = sizeof secret + i * 7919 % (LIMIT_TEXT_BYTES - sizeof secret);
        memset(text, '.', sizeof text);
        memcpy(text + i * 31 % (size - sizeof secret + 2), secret, sizeof secret - 1);
        text[size] = '\0';
        post(text);
        if (i % 5 == 0) {
            run(world_store(&world, &bob, "room", "the-secret-word.txt", secret, NULL));
        }
        if (i % 50 == 0) {
            world_reopen(&world); /* writes the WAL back */
        }
        world.used = 0;
    }
    assert_true(grep_all(secret) >= 360);
    run(retention(&ann, "room", 0, 1));
    for (int i = 0; i < 4; i++) {
        wait_ms(1000);
    }
    assert_null(strchr(shape() + 2, 's') == NULL ? NULL : strchr(strchr(shape() + 2, 's'), 'e'));
    assert_int_equal(grep_all(secret), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_may, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_so_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_so_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_rooms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blobs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
