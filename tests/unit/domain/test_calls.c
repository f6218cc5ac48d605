/*
 * Each call by which SQLite reaches the disk fails, the Nth for every N, during a short life of the
 * domain: its start, commits, an end in order, and another start. It fails with EIO, ENOSPC or
 * EINTR or does half of what it was asked for; once, or from then on. Whoever asks is told that it
 * came to nothing, and can ask again; and what was answered is there, once. (Failing syncs:
 * test_faults.c.)
 *
 * SQLite itself offers to replace these calls. Nothing is synced here: that takes its time.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "unit/domain/world.h"

#define SHORT (-1) /* in place of an errno */
#define EVENTS 7   /* of one life */

__attribute__((visibility("default"))) int fdatasync(int fildes)
{
    (void)fildes;
    return 0;
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    (void)fd;
    return 0;
}

/* --- calls that fail --- */

enum call {
    CALL_OPEN,
    CALL_STAT,
    CALL_FSTAT,
    CALL_FCNTL,
    CALL_READ,
    CALL_WRITE,
    CALL_TRUNCATE,
    CALL_UNLINK,
    CALL_MMAP
};

static struct {
    enum call call;
    int error;
    bool for_good;
    bool armed;
    long left; /* until it fails; 0 and less: it has */
    unsigned failed;
} fault;

/* 0, or how CALL is to fail. */
static int strike(enum call call)
{
    if (!fault.armed || call != fault.call) {
        return 0;
    }
    fault.left--;
    if (fault.left > 0 || (fault.left < 0 && !fault.for_good)) {
        return 0;
    }
    fault.failed++;
    if (fault.error != SHORT) {
        errno = fault.error;
    }
    return fault.error;
}

static int failing_open(const char *path, int flags, int mode)
{
    return strike(CALL_OPEN) != 0 ? -1 : open(path, flags, mode);
}

static int failing_stat(const char *path, struct stat *out)
{
    return strike(CALL_STAT) != 0 ? -1 : stat(path, out);
}

static int failing_fstat(int fd, struct stat *out)
{
    return strike(CALL_FSTAT) != 0 ? -1 : fstat(fd, out);
}

/* That a lock is given up does not fail on a local disk, and SQLite does not reckon with it. */
static int failing_fcntl(int fd, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is not */
    void *argument = va_arg(arguments, void *); /* a lock, mostly; or a number, as wide here */
    va_end(arguments);
    bool gives_up = command == F_SETLK && ((const struct flock *)argument)->l_type == F_UNLCK;
    return !gives_up && strike(CALL_FCNTL) != 0 ? -1 : fcntl(fd, command, argument);
}

static ssize_t failing_read(int fd, void *data, size_t size, off_t offset)
{
    int error = strike(CALL_READ);

    return error > 0 ? -1 : pread(fd, data, error == SHORT ? (size + 1) / 2 : size, offset);
}

static ssize_t failing_write(int fd, const void *data, size_t size, off_t offset)
{
    int error = strike(CALL_WRITE);

    return error > 0 ? -1 : pwrite(fd, data, error == SHORT ? (size + 1) / 2 : size, offset);
}

static int failing_truncate(int fd, off_t size)
{
    return strike(CALL_TRUNCATE) != 0 ? -1 : ftruncate(fd, size);
}

static int failing_unlink(const char *path)
{
    return strike(CALL_UNLINK) != 0 ? -1 : unlink(path);
}

static void *failing_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return strike(CALL_MMAP) != 0 ? MAP_FAILED : mmap(at, size, protection, flags, fd, offset);
}

static const struct {
    const char *name;
    sqlite3_syscall_ptr function;
} replacements[] = {
    {"open", (sqlite3_syscall_ptr)failing_open},
    {"stat", (sqlite3_syscall_ptr)failing_stat},
    {"fstat", (sqlite3_syscall_ptr)failing_fstat},
    {"fcntl", (sqlite3_syscall_ptr)failing_fcntl},
    {"pread64", (sqlite3_syscall_ptr)failing_read},
    {"pwrite64", (sqlite3_syscall_ptr)failing_write},
    {"ftruncate", (sqlite3_syscall_ptr)failing_truncate},
    {"unlink", (sqlite3_syscall_ptr)failing_unlink},
    {"mmap", (sqlite3_syscall_ptr)failing_mmap},
};

static void replace_calls(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");

    WORLD_REQUIRE(vfs != NULL && vfs->iVersion >= 3);
    for (size_t i = 0; i < COUNT_OF(replacements); i++) {
        WORLD_REQUIRE(vfs->xSetSystemCall(vfs, replacements[i].name, replacements[i].function) ==
                      SQLITE_OK);
    }
}

/* --- a life --- */

static struct world world;
static struct actor ann;
static char path[WORLD_PATH_BYTES];
static long stride = 23;

/* What may be said of a call that has failed. */
static bool is_clear(enum sp_error error)
{
    if (error == SP_EINTEGRITY && fault.call == CALL_READ) {
        return true; /* bytes that the disk cannot read: SQLite calls that damage */
    }
    return error == SP_EIO || error == SP_EFULL || error == SP_EFILE || error == SP_ENOMEM ||
           error == SP_EBUSY;
}

/* Opens it with calls that fail; if that comes to nothing, with calls that do not. */
static void open_somehow(void)
{
    char reason[256];

    fault.armed = true;
    enum sp_error error = domain_open(&world.config, &world.domain, reason, sizeof reason);
    fault.armed = false;
    if (error != SP_OK) {
        if (!is_clear(error)) {
            fail_msg("opening: %s: %s", sp_error_name(error), reason);
        }
        assert_true(reason[0] != '\0');
        assert_int_equal(domain_open(&world.config, &world.domain, reason, sizeof reason), SP_OK);
    }
}

static void close_somehow(void)
{
    fault.armed = true;
    world_close(&world);
    fault.armed = false;
}

/* Asks with calls that fail, and again with calls that do not. */
static void insist(struct command *command)
{
    world_submit(&world, world_again(command));
    fault.armed = true;
    enum sp_error stepped = domain_step(world.domain);
    fault.armed = false;
    if (stepped != SP_OK) {
        assert_int_equal(stepped, SP_EIO); /* it has given up: nobody was answered */
        world_reopen(&world);
    }
    struct reply *first = stepped == SP_OK ? world_step(&world) : NULL;
    struct reply *second = world_run(&world, command);
    if (second->error != SP_OK) {
        fail_msg("%s, error %d, %s: %s, then %s, although nothing fails any more",
                 replacements[fault.call].name, fault.error, fault.for_good ? "for good" : "once",
                 first == NULL ? "no answer" : sp_error_name(first->error),
                 sp_error_name(second->error));
    }
    if (first != NULL && first->error == SP_OK) {
        assert_true(second->event.repeated);
        assert_int_equal(second->event.sequence, first->event.sequence);
        assert_true(digest_equal(&second->event.hash, &first->event.hash));
    } else if (first != NULL) {
        if (!is_clear(first->error)) {
            fail_msg("a request: %s", sp_error_name(first->error));
        }
        assert_false(second->event.repeated); /* nothing had happened */
    }
    reply_free(first);
    reply_free(second);
    (void)world_transcript(&world);
}

static void insist_on(enum command_kind kind, const char *log, const char *text)
{
    insist(world_command(&world, kind, &ann, log, text));
}

/* Whether it came to the failure. */
static bool live(enum call call, int error, long n, bool for_good)
{
    static char text[9000];

    memset(text, 'x', sizeof text - 1);
    fault.call = call;
    fault.error = error;
    fault.for_good = for_good;
    fault.left = n;
    world_make_path(path);
    world.config.path = path;
    open_somehow();
    ann = world_login(&world, "ann", 1);
    insist_on(COMMAND_ROOM_CREATE, "room", NULL);
    insist_on(COMMAND_POST, "room", "short");
    insist_on(COMMAND_POST, "room", text);
    insist(world_store(&world, &ann, "room", "file", text, NULL));
    close_somehow();
    open_somehow();
    insist_on(COMMAND_TOPIC, "room", "topic");
    insist_on(COMMAND_BOX_CREATE, "box", NULL);
    insist_on(COMMAND_POST, "room", "last");
    close_somehow();
    bool reached = fault.left <= 0;
    open_somehow();
    assert_int_equal(world_verify(&world), EVENTS);
    world_close(&world);
    world_remove_path(path);
    return reached;
}

static void fail_all(enum call call, int error, bool for_good)
{
    long n = 1;

    while (live(call, error, n, for_good)) {
        n += n < 20 ? 1 : stride;
    }
    print_message("%s, error %d, %s: each of about %ld\n", replacements[call].name, error,
                  for_good ? "for good" : "once", n - 1);
}

static void test_calls(void **state)
{
    (void)state;
    for (enum call call = CALL_OPEN; call <= CALL_MMAP; call++) {
        fail_all(call, EIO, false);
        if (call != CALL_FCNTL) { /* SQLite tries for 10 s to take a lock */
            fail_all(call, EIO, true);
        }
    }
    assert_true(fault.failed > 150);
}

static void test_no_room(void **state)
{
    static const enum call calls[] = {CALL_OPEN, CALL_WRITE, CALL_TRUNCATE, CALL_MMAP};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        fail_all(calls[i], ENOSPC, false);
        fail_all(calls[i], ENOSPC, true);
    }
}

/* These are nobody's business but SQLite's. */
static void test_in_part(void **state)
{
    static const enum call calls[] = {CALL_READ, CALL_WRITE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        fail_all(calls[i], EINTR, false);
        fail_all(calls[i], SHORT, false);
    }
}

/* The argument: behind the first twenty, every so many calls; 1: all of them. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_in_part),
    };

    stride = argc > 1 ? strtol(argv[1], NULL, 10) : stride;
    world_open(&world, NULL); /* for its configuration */
    world_close(&world);
    replace_calls();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
