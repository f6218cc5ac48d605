/*
 * The disk is full, a sync fails, memory runs out: a clear answer, nothing lost that was
 * acknowledged, nothing done that was refused.
 *
 * Syncs are made to fail by standing in for fdatasync() and fsync(), which SQLite calls; memory by
 * SQLite's own hooks and, for our part, by the linker (--wrap).
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "unit/domain/world.h"

/* --- what is made to fail: the Nth call from now; 0: none --- */

static _Atomic long failing_sync;
static _Atomic long failing_allocation; /* of our own code */
static _Atomic long failing_in_sqlite;
static _Atomic unsigned failed; /* so many were made to */
static _Atomic unsigned directory_syncs;

static bool fails(_Atomic long *counter)
{
    if (atomic_load(counter) <= 0 || atomic_fetch_sub(counter, 1) != 1) {
        return false;
    }
    atomic_fetch_add(&failed, 1);
    return true;
}

/* SQLite syncs directories, too, and does not look at the result: our own fsync() counts there. */
__attribute__((visibility("default"))) int fdatasync(int fildes)
{
    struct stat status;

    if (fstat(fildes, &status) == 0 && !S_ISDIR(status.st_mode) && fails(&failing_sync)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fildes);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        atomic_fetch_add(&directory_syncs, 1);
    }
    if (fails(&failing_sync)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

/* The linker calls these by names that are not ours to choose. */
void *__real_malloc(size_t size);               /* NOLINT */
void *__real_calloc(size_t count, size_t size); /* NOLINT */
void *__wrap_malloc(size_t size);               /* NOLINT */
void *__wrap_calloc(size_t count, size_t size); /* NOLINT */

void *__wrap_malloc(size_t size) /* NOLINT */
{
    return fails(&failing_allocation) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) /* NOLINT */
{
    return fails(&failing_allocation) ? NULL : __real_calloc(count, size);
}

static sqlite3_mem_methods sqlite_memory;

static void *sqlite_malloc(int size)
{
    return fails(&failing_in_sqlite) ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_realloc(void *memory, int size)
{
    return fails(&failing_in_sqlite) ? NULL : sqlite_memory.xRealloc(memory, size);
}

static void hook_sqlite(void)
{
    WORLD_REQUIRE(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory) == SQLITE_OK);
    sqlite3_mem_methods methods = sqlite_memory;
    methods.xMalloc = sqlite_malloc;
    methods.xRealloc = sqlite_realloc;
    WORLD_REQUIRE(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK);
}

/* --- the stage --- */

static struct world world;
static struct actor ann;
static char path[WORLD_PATH_BYTES];
static _Atomic unsigned fatal_calls;

static void count_fatal(void *context, enum sp_error error)
{
    (void)context;
    WORLD_REQUIRE(error == SP_EIO);
    atomic_fetch_add(&fatal_calls, 1);
}

static struct command *post(const char *text)
{
    return world_command(&world, COMMAND_POST, &ann, "room", text);
}

static int set_up(void **state)
{
    (void)state;
    atomic_store(&failed, 0);
    atomic_store(&directory_syncs, 0);
    atomic_store(&fatal_calls, 0);
    world_make_path(path);
    world_open(&world, path);
    world.config.fatal = count_fatal;
    world_reopen(&world);
    ann = world_login(&world, "ann", 1);
    WORLD_REQUIRE(
        world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "room", NULL)) == SP_OK);
    (void)world_transcript(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_close(&world);
    world_remove_path(path);
    return 0;
}

/* --- a failed sync --- */

/* Posts until the sync fails; how many were acknowledged before. */
static unsigned post_until_fatal(void)
{
    unsigned acknowledged = 0;

    for (unsigned i = 0; i < 1000; i++) {
        world_submit(&world, post("hello"));
        world_submit(&world, world_command(&world, COMMAND_FOLLOW, &ann, "room", NULL));
        enum sp_error error = domain_step(world.domain);
        struct publication *first = domain_take(world.domain);
        if (error != SP_OK) {
            assert_null(first); /* nobody is answered */
            return acknowledged;
        }
        for (struct publication *next = first; next != NULL; first = next) {
            next = first->item.next != NULL
                       ? CONTAINER_OF(first->item.next, struct publication, item)
                       : NULL;
            publication_free(first);
        }
        acknowledged++;
    }
    return acknowledged;
}

static void test_sync_fails(void **state)
{
    uint64_t expected = 1;

    (void)state;
    for (long n = 1; n < 12; n++) {
        atomic_store(&failing_sync, n);
        atomic_store(&fatal_calls, 0);
        unsigned acknowledged = post_until_fatal();
        assert_int_equal(fatal_calls, 1);
        /* The first commit after a start syncs the new WAL's header before itself. */
        assert_int_equal(acknowledged, n == 1 ? 0 : n - 2);
        assert_int_equal(domain_step(world.domain), SP_EIO);
        struct command *late = post("late");
        assert_int_equal(domain_submit(world.domain, late), SP_ESHUTDOWN);
        command_free(late);
        assert_int_equal(fatal_calls, 1);
        world_reopen(&world);
        (void)world_transcript(&world);
        /* What was acknowledged is there; the one whose sync failed is there whole or not. */
        uint64_t events = world_verify(&world);
        expected += acknowledged;
        assert_true(events == expected || events == expected + 1);
        expected = events;
    }
    assert_int_equal(failed, 11);
}

static void test_sync_fails_at_start(void **state)
{
    char reason[256];
    unsigned refused = 0;

    (void)state;
    world_close(&world);
    atomic_store(&directory_syncs, 0);
    for (long n = 1; n < 20; n++) {
        struct domain *domain = NULL;
        world_remove_path(path);
        world_make_path(path);
        atomic_store(&failing_sync, n);
        enum sp_error error = domain_open(&world.config, &domain, reason, sizeof reason);
        bool reached = atomic_exchange(&failing_sync, 0) == 0;
        assert_true(error == SP_OK || error == SP_EIO);
        assert_true(!reached || error == SP_EIO);
        refused += error != SP_OK;
        domain_close(domain);
        assert_int_equal(domain_open(&world.config, &domain, reason, sizeof reason), SP_OK);
        domain_close(domain);
    }
    assert_true(refused >= 3);
    assert_true(directory_syncs > 0);
    world_reopen(&world);
}

/* The idle writing back of the WAL is checked, too. */
static void test_sync_fails_when_idle(void **state)
{
    const struct timespec pause = {0, 10000000};

    (void)state;
    reply_free(world_run(&world, post("hello")));
    assert_int_equal(domain_start(world.domain), SP_OK);
    atomic_store(&failing_sync, 2);
    for (int i = 0; i < 500 && fatal_calls == 0; i++) {
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(fatal_calls, 1);
    struct command *late = post("late");
    assert_int_equal(domain_submit(world.domain, late), SP_ESHUTDOWN);
    command_free(late);
    assert_null(domain_take(world.domain));
    world_reopen(&world);
    assert_int_equal(world_verify(&world), 2);
}

/* --- a full disk --- */

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    WORLD_REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    WORLD_REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void test_full(void **state)
{
    static char text[10001];
    struct command *refused = NULL;
    unsigned accepted = 0;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    for (int round = 0; round < 5; round++) {
        limit_file_size((rlim_t)(round + 1) * 400000);
        for (;;) {
            struct command *command = post(text);
            refused = world_again(command);
            enum sp_error error = world_do(&world, command);
            (void)world_transcript(&world);
            if (error != SP_OK) {
                assert_int_equal(error, SP_EFULL);
                break;
            }
            command_free(refused);
            accepted++;
            assert_true(accepted < 10000);
        }
        /* In one commit with one that finds no room: who only reads is answered. */
        world_submit(&world, world_again(refused));
        world_submit(&world, world_command(&world, COMMAND_FOLLOW, &ann, "room", NULL));
        world_submit(&world, world_command(&world, COMMAND_LIST_LOGS, &ann, NULL, NULL));
        reply_free(world_step(&world));
        char expected[256];
        (void)snprintf(expected, sizeof expected,
                       "reply full\nreply follow room head=%u first=1\nreply list of 1\n"
                       "  room kind=1 head=%u members=1 joined topic=\n",
                       accepted + 1, accepted + 1);
        assert_string_equal(world_transcript(&world), expected);
        assert_int_equal(world_login(&world, "ann", 1).device, ann.device);
        limit_file_size(RLIM_INFINITY);
        /* Nothing had happened: the same request is new. */
        struct reply *reply = world_run(&world, refused);
        assert_int_equal(reply->error, SP_OK);
        assert_false(reply->event.repeated);
        assert_int_equal(reply->event.sequence, ++accepted + 1);
        reply_free(reply);
        (void)world_transcript(&world);
        if (round == 2) {
            world_reopen(&world);
        }
    }
    assert_int_equal(world_verify(&world), accepted + 1);
}

/* --- a write that fails between two others --- */

/* From outside: from now on the request of CLIENT_ID cannot be entered, though its event can. */
static void inject(const struct id *client_id, const char *how)
{
    char hex[ID_HEX_BYTES];
    char sql[256];
    sqlite3 *handle = NULL;

    hex_encode(client_id->bytes, ID_BYTES, hex);
    (void)snprintf(sql, sizeof sql,
                   "CREATE TRIGGER injected BEFORE INSERT ON requests WHEN NEW.client_id = x'%s'"
                   " BEGIN SELECT RAISE(%s, 'injected'); END",
                   hex, how);
    WORLD_REQUIRE(sqlite3_open(path, &handle) == SQLITE_OK);
    WORLD_REQUIRE(sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK);
    WORLD_REQUIRE(sqlite3_close(handle) == SQLITE_OK);
}

static void heal(void)
{
    sqlite3 *handle = NULL;

    WORLD_REQUIRE(sqlite3_open(path, &handle) == SQLITE_OK);
    WORLD_REQUIRE(sqlite3_exec(handle, "DROP TRIGGER injected", NULL, NULL, NULL) == SQLITE_OK);
    WORLD_REQUIRE(sqlite3_close(handle) == SQLITE_OK);
}

/* A POST has no savepoint: its neighbours must come to no harm all the same. */
static void test_write_fails_in_the_middle(void **state)
{
    static const char *const hows[] = {"ABORT", "FAIL", "ROLLBACK"};
    char expected[512];
    uint64_t head = 1; /* of the room */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hows); i++) {
        struct command *commands[3] = {post("before"), post("never"), post("after")};
        struct domain_status before;
        struct domain_status after;
        inject(&commands[1]->client_id, hows[i]);
        domain_get_status(world.domain, &before);
        for (size_t j = 0; j < COUNT_OF(commands); j++) {
            world_submit(&world, world_again(commands[j]));
        }
        world_submit(&world, world_command(&world, COMMAND_FOLLOW, &ann, "room", NULL));
        reply_free(world_step(&world));
        domain_get_status(world.domain, &after);
        (void)snprintf(expected, sizeof expected,
                       "event 1/%llu ann message before\nreply event room/%llu at 1000000\n"
                       "reply integrity\n"
                       "event 1/%llu ann message after\nreply event room/%llu at 1000000\n"
                       "reply follow room head=%llu first=1\n",
                       (unsigned long long)head + 1, (unsigned long long)head + 1,
                       (unsigned long long)head + 2, (unsigned long long)head + 2,
                       (unsigned long long)head + 2);
        assert_string_equal(world_transcript(&world), expected);
        assert_int_equal(after.events - before.events, 2);
        assert_int_equal(world_verify(&world), head + 2);
        /* Sent again: who was told yes has it once, who was told no is new. */
        heal();
        for (size_t j = 0; j < COUNT_OF(commands); j++) {
            struct reply *reply = world_run(&world, commands[j]);
            static const uint64_t places[] = {1, 3, 2};
            assert_int_equal(reply->error, SP_OK);
            assert_int_equal(reply->event.sequence, head + places[j]);
            assert_int_equal(reply->event.repeated, j != 1);
            reply_free(reply);
        }
        head += 3;
        (void)world_transcript(&world);
        world_reopen(&world);
        assert_int_equal(world_verify(&world), head);
    }
}

/* --- memory --- */

static struct command *list_files(void)
{
    return world_command(&world, COMMAND_LIST_FILES, &ann, "box", NULL);
}

/* Again and again until there is memory; it must be the only thing that fails. */
static void insist(struct command *command)
{
    for (int i = 0; i < 50; i++) {
        struct command *again = world_again(command);
        struct reply *reply = world_run(&world, again);
        enum sp_error error = reply->error;
        reply_free(reply);
        if (error == SP_OK) {
            command_free(command);
            return;
        }
        assert_int_equal(error, SP_ENOMEM);
    }
    fail();
}

/* Allocation N of those that COUNTER counts fails while a short life is lived; whether it came to
 * that. */
static bool live_with_failure(_Atomic long *counter, long n)
{
    char reason[256];
    struct domain *domain = NULL;
    struct command *commands[7];
    size_t used = 0;

    world_prepare(&world, NULL);
    struct actor none = {0};
    ann = none;
    atomic_store(counter, n);
    enum sp_error error = domain_open(&world.config, &domain, reason, sizeof reason);
    if (error != SP_OK) {
        assert_int_equal(error, SP_ENOMEM);
        assert_int_equal(domain_open(&world.config, &domain, reason, sizeof reason), SP_OK);
    }
    world.domain = domain;
    long left = atomic_exchange(counter, 0);
    ann = world_login(&world, "ann", 1);
    commands[used++] = world_command(&world, COMMAND_ROOM_CREATE, &ann, "room", NULL);
    commands[used++] = world_command(&world, COMMAND_BOX_CREATE, &ann, "box", NULL);
    commands[used++] = post("hello");
    commands[used++] = world_store(&world, &ann, "box", "a", "bytes", NULL);
    commands[used++] = world_command(&world, COMMAND_FOLLOW, &ann, "room", NULL);
    commands[used++] = list_files();
    commands[used++] = world_command(&world, COMMAND_ROOM_LEAVE, &ann, "room", NULL);
    for (size_t i = 0; i < used; i++) {
        /* Only the domain's own work fails: not the making of the command. */
        struct command *command = world_again(commands[i]);
        world_submit(&world, command);
        atomic_store(counter, left);
        WORLD_REQUIRE(domain_step(world.domain) == SP_OK);
        left = atomic_exchange(counter, 0);
        reply_free(world_step(&world));
        insist(commands[i]);
        (void)world_transcript(&world);
    }
    /* What was undone was not shown either. */
    assert_int_equal(world_verify(&world), 6);
    assert_int_equal(world.published, 6);
    world_close(&world);
    return left <= 0;
}

static void test_memory(void **state)
{
    long n = 1;

    (void)state;
    atomic_store(&failed, 0);
    while (live_with_failure(&failing_allocation, n)) {
        n++;
    }
    assert_true(n > 50);
    assert_int_equal(failed, n - 1);
}

/* What ACTOR has not read in the room, and in how much of it is mentioned. */
static void check_unread(const struct actor *actor, uint64_t unread, uint32_t mentions)
{
    struct reply *reply =
        world_run(&world, world_command(&world, COMMAND_LIST_LOGS, actor, NULL, NULL));

    assert_int_equal(reply->list.count, 1);
    assert_int_equal(reply->list.rows[0].log.unread, unread);
    assert_int_equal(reply->list.rows[0].log.mentions, mentions);
    reply_free(reply);
    (void)world_transcript(&world);
}

/* Allocation N fails while COMMAND is carried out, which then succeeds; whether it came to that. */
static bool run_with_failure(struct command *command, long n)
{
    world_submit(&world, world_again(command));
    atomic_store(&failing_allocation, n);
    WORLD_REQUIRE(domain_step(world.domain) == SP_OK);
    bool reached = atomic_exchange(&failing_allocation, 0) <= 0;
    reply_free(world_step(&world));
    insist(command);
    (void)world_transcript(&world);
    return reached;
}

/* A mention counts once, however often the message is tried; and marking it takes it away. */
static void test_memory_of_read_state(void **state)
{
    bool reached = true;

    (void)state;
    world_open(&world, NULL);
    ann = world_login(&world, "ann", 1);
    struct actor bob = world_login(&world, "bob", 1);
    WORLD_REQUIRE(
        world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "room", NULL)) == SP_OK);
    WORLD_REQUIRE(world_do(&world, world_command(&world, COMMAND_ROOM_JOIN, &bob, "room", NULL)) ==
                  SP_OK);
    for (long n = 1; reached; n++) {
        struct command *mark = world_command(&world, COMMAND_MARK_READ, &bob, "room", NULL);
        mark->read_up_to = UINT64_MAX;
        reached = run_with_failure(post("for @bob"), n);
        check_unread(&bob, 1, 1);
        check_unread(&ann, 0, 0);
        reached = run_with_failure(mark, n) || reached;
        check_unread(&bob, 0, 0);
    }
    world_verify(&world);
    world_close(&world);
}

static void test_memory_of_sqlite(void **state)
{
    long n = 1;

    (void)state;
    /* Every allocation at first, then every seventh: there are some thousands. */
    while (live_with_failure(&failing_in_sqlite, n)) {
        n += n < 100 ? 1 : 7;
    }
    assert_true(n > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sync_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sync_fails_at_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sync_fails_when_idle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_write_fails_in_the_middle, set_up, tear_down),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_memory_of_read_state),
        cmocka_unit_test(test_memory_of_sqlite),
    };

    hook_sqlite();
    (void)signal(SIGXFSZ, SIG_IGN); /* a write over the limit fails with EFBIG instead */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
