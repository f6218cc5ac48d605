/* Guarded memory, private key files, comparison and randomness. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/secret.h"

static void test_new_is_zero(void **state)
{
    static const uint8_t zeros[1000];
    struct secret *secret = NULL;

    (void)state;
    assert_int_equal(secret_new(sizeof(zeros), &secret), SP_OK);
    assert_int_equal(secret->size, sizeof(zeros));
    assert_memory_equal(secret->data, zeros, sizeof(zeros));
    memset(secret->data, 0xff, secret->size);
    secret_free(secret);
    secret_free(NULL);
    assert_int_equal(secret_new(SIZE_MAX / 2, &secret), SP_ENOMEM);
    assert_null(secret);
}

/* How a child dies that writes at DATA[AT]. */
static int status_of_write(struct secret *secret, ptrdiff_t at, bool then_free)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        volatile uint8_t *data = secret->data;

        /* Sanitizers have handlers of their own. */
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGABRT, SIG_DFL);
        data[at] = 1;
        if (then_free) {
            secret_free(secret);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_overrun_dies(void **state)
{
    struct secret *secret = NULL;
    int status = 0;

    (void)state;
    assert_int_equal(secret_new(100, &secret), SP_OK);
    status = status_of_write(secret, 99, true);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = status_of_write(secret, 100, false); /* the guard page */
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    status = status_of_write(secret, -1, true); /* the canary */
    assert_true(WIFSIGNALED(status));
    secret_free(secret);
}

/* Whether the mapping of ADDRESS has FLAG ("dd": not in core dumps; proc(5), smaps). */
static bool mapping_has_flag(const void *address, const char *flag)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[1024];
    bool inside = false;
    bool found = false;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        char *rest = NULL;
        uintptr_t start = strtoull(line, &rest, 16);

        if (rest != line && *rest == '-') {
            uintptr_t end = strtoull(rest + 1, NULL, 16);

            inside = (uintptr_t)address >= start && (uintptr_t)address < end;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            found = strstr(line, flag) != NULL;
            break;
        }
    }
    (void)fclose(file);
    return found;
}

static void test_not_in_core_dumps(void **state)
{
    struct secret *secret = NULL;
    int plain = 0;

    (void)state;
    assert_int_equal(secret_new(100, &secret), SP_OK);
    assert_true(mapping_has_flag(secret->data, " dd"));
    assert_false(mapping_has_flag(&plain, " dd")); /* the check can fail */
    secret_free(secret);
}

/* A file of its own for each test; removed by the caller. */
static void make_file(char *path, const void *data, size_t size, mode_t mode)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void test_key_file(void **state)
{
    char path[] = "/tmp/sealpost-test-key-XXXXXX";
    char link_path[sizeof(path) + 5];
    char reason[256] = "";
    struct secret *secret = NULL;

    (void)state;
    make_file(path, "not much of a key", 17, 0600);
    assert_int_equal(secret_read_key_file(path, &secret, reason, sizeof(reason)), SP_OK);
    assert_int_equal(secret->size, 17);
    assert_memory_equal(secret->data, "not much of a key", 17);
    secret_free(secret);

    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(secret_read_key_file(path, &secret, reason, sizeof(reason)), SP_EKEY);
    assert_null(secret);
    assert_non_null(strstr(reason, "chmod 600"));

    assert_int_equal(chmod(path, 0600), 0);
    (void)snprintf(link_path, sizeof(link_path), "%s.link", path);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(secret_read_key_file(link_path, &secret, reason, sizeof(reason)), SP_EKEY);
    assert_int_equal(unlink(link_path), 0);

    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(secret_read_key_file(path, &secret, reason, sizeof(reason)), SP_EKEY);
    assert_int_equal(truncate(path, LIMIT_PEM_FILE_BYTES + 1), 0);
    assert_int_equal(secret_read_key_file(path, &secret, reason, sizeof(reason)), SP_EKEY);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(secret_read_key_file(path, &secret, reason, sizeof(reason)), SP_ENOTFOUND);
    assert_null(secret);
}

static void test_equal(void **state)
{
    uint8_t a[64];
    uint8_t b[64];

    (void)state;
    random_bytes(a, sizeof(a));
    memcpy(b, a, sizeof(a));
    assert_true(secret_equal(a, b, sizeof(a)));
    assert_true(secret_equal(a, b, 0));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] ^= 1;
        assert_false(secret_equal(a, b, sizeof(a)));
        assert_true(secret_equal(a, b, i));
        b[i] ^= 1;
    }
}

static void test_random_ids_differ(void **state)
{
    struct id ids[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        random_id(&ids[i]);
        assert_false(id_is_zero(&ids[i]));
        for (size_t k = 0; k < i; k++) {
            assert_false(id_equal(&ids[i], &ids[k]));
        }
    }
}

static int initialise(void **state)
{
    (void)state;
    if (secret_init() != SP_OK) {
        return -1;
    }
    return secret_init() == SP_OK ? 0 : -1; /* it may be called again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_is_zero),
        cmocka_unit_test(test_overrun_dies),
        cmocka_unit_test(test_not_in_core_dumps),
        cmocka_unit_test(test_key_file),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_random_ids_differ),
    };

    return cmocka_run_group_tests(tests, initialise, NULL);
}
