/* Small files whole or not at all, and private keys only where nobody else can read them. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

#define PATH_BYTES 256

/* A directory of the test's own. */
struct place {
    char directory[PATH_BYTES];
    char path[PATH_BYTES + 16]; /* of the file "file" in it */
    char link[PATH_BYTES + 16];
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    const char *parent = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe): there is one thread

    assert_non_null(place);
    (void)snprintf(place->directory, sizeof(place->directory), "%s/sealpost-file-XXXXXX",
                   parent == NULL ? "/tmp" : parent);
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->path, sizeof(place->path), "%s/file", place->directory);
    (void)snprintf(place->link, sizeof(place->link), "%s/link", place->directory);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;

    (void)unlink(place->path);
    (void)unlink(place->link);
    (void)rmdir(place->directory);
    free(place);
    return 0;
}

static void make_file(const char *path, const void *data, size_t size, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, data, size), SP_OK);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void expect_read_error(const char *path, size_t maximum, enum sp_error error,
                              const char *words)
{
    char reason[128] = "";
    char *out = reason;
    size_t size = 1;

    assert_int_equal(file_read(path, maximum, &out, &size, reason, sizeof(reason)), error);
    assert_null(out);
    assert_int_equal(size, 0);
    assert_non_null(strstr(reason, words));
    assert_null(strstr(reason, path));
}

static void test_read(void **state)
{
    struct place *place = *state;
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 100000};
    char data[100000];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (char)(i * 7);
    }
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char reason[128] = "";
        char *out = NULL;
        size_t size = 1;

        make_file(place->path, data, sizes[i], 0600);
        assert_int_equal(file_read(place->path, sizes[i], &out, &size, reason, sizeof(reason)),
                         SP_OK);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(out, data, size);
        assert_int_equal(out[size], '\0');
        free(out);
        if (sizes[i] > 0) {
            expect_read_error(place->path, sizes[i] - 1, SP_ETOOLARGE, "is larger than");
        }
        assert_int_equal(unlink(place->path), 0);
    }
}

static void test_read_errors(void **state)
{
    struct place *place = *state;

    expect_read_error(place->path, 10, SP_ENOTFOUND, "No such file");
    expect_read_error(place->directory, 10, SP_EFILE, "is not a regular file");
    expect_read_error("/dev/zero", 10, SP_EFILE, "is not a regular file");
    assert_int_equal(mkfifo(place->path, 0600), 0);
    expect_read_error(place->path, 10, SP_EFILE, "is not a regular file"); /* and does not hang */
}

/* A file whose size fstat() tells as 0. */
static void test_read_without_a_size(void **state)
{
    char reason[128] = "";
    char *out = NULL;
    size_t size = 0;

    (void)state;
    assert_int_equal(file_read("/proc/self/status", 1 << 20, &out, &size, reason, sizeof(reason)),
                     SP_OK);
    assert_true(size > 0);
    assert_int_equal(strlen(out), size);
    free(out);
}

static void expect_private_error(const char *path, enum sp_error error, const char *words)
{
    char reason[512] = "";
    int fd = 0;

    assert_int_equal(file_open_private(path, &fd, reason, sizeof(reason)), error);
    assert_int_equal(fd, -1);
    assert_non_null(strstr(reason, words));
}

static void test_private(void **state)
{
    struct place *place = *state;
    char reason[128] = "";
    char byte = 0;
    int fd = -1;

    make_file(place->path, "k", 1, 0600);
    assert_int_equal(file_open_private(place->path, &fd, reason, sizeof(reason)), SP_OK);
    assert_int_equal(read(fd, &byte, 1), 1);
    assert_int_equal(byte, 'k');
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(close(fd), 0);
    assert_int_equal(chmod(place->path, 0400), 0);
    assert_int_equal(file_open_private(place->path, &fd, reason, sizeof(reason)), SP_OK);
    assert_int_equal(close(fd), 0);
}

static void test_private_modes(void **state)
{
    static const mode_t modes[] = {0640, 0620, 0610, 0604, 0602, 0601, 0644, 0666};
    struct place *place = *state;

    make_file(place->path, "k", 1, 0600);
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        assert_int_equal(chmod(place->path, modes[i]), 0);
        expect_private_error(place->path, SP_EKEY, "run: chmod 600 ");
        expect_private_error(place->path, SP_EKEY, place->path);
    }
}

static void test_private_links_and_others(void **state)
{
    struct place *place = *state;

    expect_private_error(place->path, SP_ENOTFOUND, "No such file");
    expect_private_error(place->directory, SP_EKEY, "is not a regular file");
    make_file(place->path, "k", 1, 0600);
    assert_int_equal(symlink(place->path, place->link), 0);
    expect_private_error(place->link, SP_EKEY, "is a symbolic link");
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(mkfifo(place->path, 0600), 0);
    expect_private_error(place->path, SP_EKEY, "is not a regular file");
}

static void test_private_owner(void **state)
{
    struct place *place = *state;

    if (geteuid() != 0) {
        skip(); /* only root can give a file away */
    }
    make_file(place->path, "k", 1, 0600);
    assert_int_equal(chown(place->path, 65534, 65534), 0);
    expect_private_error(place->path, SP_EKEY, "belongs to another user");
}

#define PIPED_BYTES 1000000

struct piped {
    int fd;
    uint64_t sum;
    size_t size;
};

static void *add_up(void *context)
{
    struct piped *piped = context;
    uint8_t chunk[777];
    ssize_t got = 0;

    while ((got = read(piped->fd, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            piped->sum += chunk[i] * (piped->size + (size_t)i);
        }
        piped->size += (size_t)got;
    }
    return NULL;
}

static void test_write_all(void **state)
{
    static uint8_t data[PIPED_BYTES];
    struct piped piped = {0};
    uint64_t sum = 0;
    pthread_t thread;
    int fds[2];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 13 >> 3);
        sum += data[i] * i;
    }
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    piped.fd = fds[0];
    assert_int_equal(pthread_create(&thread, NULL, add_up, &piped), 0);
    assert_int_equal(file_write_all(fds[1], data, sizeof(data)), SP_OK);
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(piped.size, sizeof(data));
    assert_true(piped.sum == sum);
}

static void test_write_errors(void **state)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_true(full >= 0);
    assert_int_equal(file_write_all(full, "a", 1), SP_EFULL);
    assert_int_equal(file_write_all(full, NULL, 0), SP_OK);
    assert_int_equal(close(full), 0);
    assert_int_equal(file_write_all(-1, "a", 1), SP_EIO);
}

static void test_sync_directory(void **state)
{
    struct place *place = *state;

    assert_int_equal(file_sync_directory(place->directory), SP_OK);
    assert_int_equal(file_sync_directory(place->path), SP_EIO); /* is not there */
    make_file(place->path, "a", 1, 0600);
    assert_int_equal(file_sync_directory(place->path), SP_EIO); /* is no directory */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_errors, setup, teardown),
        cmocka_unit_test(test_read_without_a_size),
        cmocka_unit_test_setup_teardown(test_private, setup, teardown),
        cmocka_unit_test_setup_teardown(test_private_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_private_links_and_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_private_owner, setup, teardown),
        cmocka_unit_test(test_write_all),
        cmocka_unit_test(test_write_errors),
        cmocka_unit_test_setup_teardown(test_sync_directory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
