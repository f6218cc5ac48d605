/* Logging in, and what the database is checked for at start. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/statement.h"
#include "domain/schema.h"
#include "unit/domain/world.h"

static struct world world;
static char path[WORLD_PATH_BYTES];

static int set_up(void **state)
{
    (void)state;
    world_make_path(path);
    world_open(&world, path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_close(&world);
    world_remove_path(path);
    return 0;
}

static struct command *login_as(const char *username, uint8_t fingerprint)
{
    struct command *command = world_command(&world, COMMAND_LOGIN, NULL, NULL, NULL);

    (void)snprintf(command->login.username, sizeof command->login.username, "%s", username);
    memset(command->login.fingerprint.bytes, fingerprint, DIGEST_BYTES);
    command->login.serial[0] = fingerprint;
    command->login.serial_bytes = SERIAL_BYTES;
    return command;
}

static void test_logins(void **state)
{
    (void)state;
    struct reply *first = world_run(&world, login_as("ann", 1));
    struct reply *again = world_run(&world, login_as("ann", 1));
    struct reply *other = world_run(&world, login_as("ann", 2));
    struct reply *bob = world_run(&world, login_as("bob", 3));
    assert_true(first->login.new_device && !again->login.new_device && other->login.new_device);
    assert_memory_equal(&first->login.actor, &again->login.actor, sizeof(struct actor));
    assert_int_equal(first->login.actor.member, other->login.actor.member);
    assert_true(first->login.actor.device != other->login.actor.device);
    assert_false(id_equal(&first->login.actor.device_id, &other->login.actor.device_id));
    assert_true(first->login.actor.member != bob->login.actor.member);
    assert_false(id_is_zero(&first->login.incarnation));
    assert_memory_equal(&first->login.incarnation, &bob->login.incarnation, ID_BYTES);
    /* A known certificate with another name is not what it was. */
    assert_int_equal(world_do(&world, login_as("bob", 1)), SP_EIDENTITY);
    assert_int_equal(world_do(&world, login_as("Bob", 4)), SP_EIDENTITY);
    assert_int_equal(world_do(&world, login_as("", 4)), SP_EIDENTITY);
    world_reopen(&world);
    struct reply *later = world_run(&world, login_as("ann", 1));
    assert_memory_equal(&first->login, &later->login, sizeof(struct actor) + sizeof(struct id));
    reply_free(first);
    reply_free(again);
    reply_free(other);
    reply_free(bob);
    reply_free(later);
}

static void test_not_admitted(void **state)
{
    (void)state;
    assert_int_equal(world_do(&world, login_as("ann", 1)), SP_OK);
    world.config.admit_ca = false;
    world_reopen(&world);
    assert_int_equal(world_do(&world, login_as("ann", 1)), SP_OK);
    assert_int_equal(world_do(&world, login_as("ann", 2)), SP_ENOTADMITTED);
    assert_int_equal(world_do(&world, login_as("bob", 3)), SP_ENOTADMITTED);
    domain_set_limits(world.domain, true, LIMIT_FILE_BYTES); /* a reload, while it runs */
    assert_int_equal(world_do(&world, login_as("bob", 3)), SP_OK);
    domain_set_limits(world.domain, false, LIMIT_FILE_BYTES);
    assert_int_equal(world_do(&world, login_as("bob", 3)), SP_OK);
    assert_int_equal(world_do(&world, login_as("bob", 4)), SP_ENOTADMITTED);
}

static void test_shut_out(void **state)
{
    (void)state;
    assert_int_equal(world_do(&world, login_as("ann", 1)), SP_OK);
    assert_int_equal(world_do(&world, login_as("bob", 2)), SP_OK);
    assert_int_equal(world_do(&world, login_as("bob", 3)), SP_OK);
    world_close(&world);
    world_execute(&world, "UPDATE members SET disabled = 1 WHERE username = 'ann';"
                          "UPDATE devices SET revoked = 1 WHERE no = 2");
    world_reopen(&world);
    assert_int_equal(world_do(&world, login_as("ann", 1)), SP_EDISABLED);
    assert_int_equal(world_do(&world, login_as("ann", 4)), SP_EDISABLED); /* nor a new device */
    assert_int_equal(world_do(&world, login_as("bob", 2)), SP_EREVOKED);
    /* Nor is it another certificate when only its fingerprint is another. */
    struct command *rewritten = login_as("bob", 5);
    rewritten->login.serial[0] = 2;
    assert_int_equal(world_do(&world, rewritten), SP_EREVOKED);
    rewritten = login_as("bob", 6);
    rewritten->login.serial[0] = 2;
    rewritten->login.issuer.bytes[0] = 1;
    assert_int_equal(world_do(&world, rewritten), SP_OK);
    assert_int_equal(world_do(&world, login_as("bob", 3)), SP_OK);
}

static void check_refused(enum sp_error expected, const char *sentence)
{
    char reason[256];
    struct domain *domain = NULL;

    assert_int_equal(domain_open(&world.config, &domain, reason, sizeof reason), expected);
    assert_null(domain);
    assert_non_null(strstr(reason, sentence));
}

static void test_one_server_one_team(void **state)
{
    (void)state;
    check_refused(SP_EBUSY, "another server");
    world_close(&world);
    world.config.team = "other";
    check_refused(SP_ECONFIG, "the team \"team\"");
    world.config.team = "team";
    world_reopen(&world);
}

/* A fsck or backup that began under the server before: it is told what to wait for. */
static void test_one_that_reads(void **state)
{
    char reason[128];
    struct db *reader = NULL;

    (void)state;
    assert_int_equal(world_do(&world, login_as("ann", 1)), SP_OK);
    assert_int_equal(db_open(path, DB_READER, &reader, reason, sizeof reason), SP_OK);
    assert_int_equal(db_execute(reader, "BEGIN; SELECT count(*) FROM events"), SP_OK);
    world_close(&world);
    check_refused(SP_EBUSY, "being read");
    db_close(reader);
    world_reopen(&world);
}

/* Somebody who looks whether a server runs has the lock for a moment: that keeps no server out. */
static void test_lock_for_a_moment(void **state)
{
    char name[WORLD_PATH_BYTES + 8];
    const struct timespec moment = {0, 30000000};
    char told = 0;
    int ends[2];

    (void)state;
    world_close(&world);
    (void)snprintf(name, sizeof name, "%s.lock", path);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(name, O_RDWR | O_CLOEXEC);
        bool locked = fd >= 0 && flock(fd, LOCK_EX) == 0 && write(ends[1], "x", 1) == 1;
        (void)nanosleep(&moment, NULL);
        _exit(locked ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(read(ends[0], &told, 1), 1);
    world_reopen(&world);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* What root does beside a stopped server does not lock its user out. */
static void test_lock_made_by_root(void **state)
{
    enum { SOMEBODY = 4711 };
    char name[WORLD_PATH_BYTES + 8];
    struct stat lock;

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    (void)snprintf(name, sizeof name, "%s.lock", path);
    world_close(&world);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(chown(path, SOMEBODY, SOMEBODY), 0);
    world_reopen(&world);
    assert_int_equal(stat(name, &lock), 0);
    assert_int_equal(lock.st_uid, SOMEBODY);
    assert_int_equal(lock.st_gid, SOMEBODY);
}

static void test_versions(void **state)
{
    char right[64];

    (void)state;
    world_close(&world);
    world_execute(&world, "PRAGMA user_version = 99");
    check_refused(SP_ECONFIG, "version 99");
    world_execute(&world, "PRAGMA user_version = 0");
    check_refused(SP_ECONFIG, "another program");
    (void)snprintf(right, sizeof right, "PRAGMA user_version = %zu", schema_step_count);
    world_execute(&world, right);
    world_reopen(&world);
}

static void test_readers_need_a_file(void **state)
{
    (void)state;
    world_close(&world);
    world.config.path = ":memory:";
    world.config.readers = 1;
    check_refused(SP_ECONFIG, "");
    world.config.path = "/nonexistent/server.db";
    check_refused(SP_EIO, "lock");
}

static void test_nobody_else_may_read(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char name[160];
    struct stat status;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        assert_int_equal(stat(name, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
}

static void overwrite(off_t offset, const char *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, offset), size);
    assert_int_equal(close(fd), 0);
}

static void test_damage_is_told(void **state)
{
    static char garbage[4096 * 20];

    (void)state;
    struct actor ann = world_login(&world, "ann", 1);
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "a", NULL)),
                     SP_OK);
    world_close(&world);
    memset(garbage, 0x55, sizeof garbage);
    /* All but the first page: each query that comes to a damaged one says so, none invents. */
    overwrite(4096, garbage, sizeof garbage);
    check_refused(SP_EINTEGRITY, "");
    overwrite(0, garbage, 100);
    check_refused(SP_EINTEGRITY, "cannot be opened");
}

/* An event that was changed on the disk is not passed on. */
static void test_changed_event(void **state)
{
    (void)state;
    struct actor ann = world_login(&world, "ann", 1);
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "a", NULL)),
                     SP_OK);
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_POST, &ann, "a", "hello")),
                     SP_OK);
    world_close(&world);
    world_execute(&world, "UPDATE events SET body = x'00' WHERE key & 0xff = 2");
    world_reopen(&world);
    struct command *command = world_command(&world, COMMAND_READ, NULL, NULL, NULL);
    command->read.log_number = 1;
    command->read.from = 1;
    command->read.count = 10;
    assert_int_equal(world_do(&world, command), SP_EINTEGRITY);
    world_close(&world);
    world_execute(&world, "DELETE FROM events WHERE key & 0xff = 1");
    world_reopen(&world);
    command = world_command(&world, COMMAND_READ, NULL, NULL, NULL);
    command->read.log_number = 1;
    command->read.from = 1;
    command->read.count = 10;
    assert_int_equal(world_do(&world, command), SP_EINTEGRITY);
}

/* Erased: salt and body are gone, the rest stands. */
static void test_erased_event(void **state)
{
    (void)state;
    struct actor ann = world_login(&world, "ann", 1);
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "a", NULL)),
                     SP_OK);
    struct command *post = world_command(&world, COMMAND_POST, &ann, "a", "hello");
    struct command *again = world_again(post);
    assert_int_equal(world_do(&world, post), SP_OK);
    world_close(&world);
    world_execute(&world, "UPDATE events SET body = NULL, salt = NULL WHERE key & 0xff = 2");
    world_reopen(&world);
    struct reply *reply = world_page(&world, 1, 1, 10);
    assert_int_equal(reply->page.count, 2);
    assert_true(reply->page.events[1]->erased);
    assert_int_equal(reply->page.events[1]->body_size, 0);
    assert_string_equal(reply->page.events[1]->author, "ann");
    reply_free(reply);
    reply = world_run(&world, again);
    assert_int_equal(reply->event.sequence, 2);
    assert_true(reply->event.repeated);
    reply_free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_logins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_admitted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shut_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_server_one_team, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_for_a_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_made_by_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers_need_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_else_may_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changed_event, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_erased_event, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
