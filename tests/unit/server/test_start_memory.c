/*
 * Memory runs out while the server starts: at every allocation of our own code, and at many of
 * OpenSSL's, once, and at many for good. It says why it does not start, or starts all the same;
 * nothing leaks (the leak sanitizer looks at the end), and it starts when there is memory again.
 *
 * In one process, so that there is time for all of them. tests/fault/test_malloc_calls.py does the
 * same from outside, to whatever allocates.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "server/server.h"

enum owner { OWNER_US, OWNER_OPENSSL };

static struct {
    _Atomic bool armed;
    enum owner owner;
    long first;
    bool for_good;
    _Atomic long count;
    unsigned failed;
} memory;

static bool fails(enum owner owner)
{
    if (!atomic_load(&memory.armed) || owner != memory.owner) {
        return false;
    }
    long number = atomic_fetch_add(&memory.count, 1) + 1;
    return memory.for_good ? number >= memory.first : number == memory.first;
}

/* Nothing is synced here: that takes its time. */
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

/* --- allocations of our own: the linker calls these, by names that are not ours to choose --- */

void *__real_malloc(size_t size);                                           /* NOLINT */
void *__real_calloc(size_t count, size_t size);                             /* NOLINT */
void *__real_realloc(void *old, size_t size);                               /* NOLINT */
void *__real_reallocarray(void *old, size_t count, size_t size);            /* NOLINT */
char *__real_strndup(const char *text, size_t size);                        /* NOLINT */
void *__wrap_malloc(size_t size);                                           /* NOLINT */
void *__wrap_calloc(size_t count, size_t size);                             /* NOLINT */
void *__wrap_realloc(void *old, size_t size);                               /* NOLINT */
void *__wrap_reallocarray(void *old, size_t count, size_t size);            /* NOLINT */
char *__wrap_strndup(const char *text, size_t size);                        /* NOLINT */
int __wrap_asprintf(char **out, const char *format, ...) PRINTF_LIKE(2, 3); /* NOLINT */

void *__wrap_malloc(size_t size) /* NOLINT */
{
    return fails(OWNER_US) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) /* NOLINT */
{
    return fails(OWNER_US) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) /* NOLINT */
{
    return fails(OWNER_US) ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size) /* NOLINT */
{
    return fails(OWNER_US) ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strndup(const char *text, size_t size) /* NOLINT */
{
    return fails(OWNER_US) ? NULL : __real_strndup(text, size);
}

int __wrap_asprintf(char **out, const char *format, ...) /* NOLINT */
{
    va_list arguments;
    int size = -1;

    if (!fails(OWNER_US)) {
        va_start(arguments, format);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is not */
        size = vasprintf(out, format, arguments);
        va_end(arguments);
    }
    return size;
}

/* --- OpenSSL's --- */

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails(OWNER_OPENSSL) ? NULL : __real_malloc(size);
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails(OWNER_OPENSSL) ? NULL : __real_realloc(old, size);
}

static void openssl_free(void *old, const char *file, int line)
{
    (void)file;
    (void)line;
    free(old);
}

/* --- starts --- */

static char directory[] = "/tmp/sealpost-start-XXXXXX";
static long stride = 151;

/* Settings and server, as main() makes them; and their end. */
static enum sp_error start(char *message)
{
    char state[sizeof directory + 16];
    const char *const argv[] = {
        "--team=test",
        "--listen=127.0.0.1:0",
        "--ca=" TEST_CA "/ca.pem",
        "--crl=" TEST_CA "/crl.pem",
        "--cert=" TEST_CA "/server/cert.pem",
        "--key=" TEST_CA "/server/key.pem",
        state,
    };
    const struct settings_source source = {NULL, (int)COUNT_OF(argv), argv};
    struct settings settings;
    struct server *server = NULL;

    (void)snprintf(state, sizeof state, "--state=%s/state", directory);
    message[0] = '\0';
    enum sp_error error = settings_load(&source, &settings, message, SETTINGS_MESSAGE_BYTES);
    if (error == SP_OK) {
        error = server_new(&source, &settings, NULL, &server, message, SETTINGS_MESSAGE_BYTES);
        server_free(server);
        settings_deinit(&settings);
    }
    return error;
}

/* Whether it came to the failure. */
static bool start_without(enum owner owner, long first, bool for_good)
{
    char message[SETTINGS_MESSAGE_BYTES];

    memory.owner = owner;
    memory.first = first;
    memory.for_good = for_good;
    atomic_store(&memory.count, 0);
    atomic_store(&memory.armed, true);
    enum sp_error error = start(message);
    atomic_store(&memory.armed, false);
    if (error != SP_OK) {
        memory.failed++;
        if (message[0] == '\0') {
            fail_msg("allocation %ld: %s, without a word", first, sp_error_name(error));
        }
    }
    return atomic_load(&memory.count) >= first;
}

/* Every STEPth allocation, once; and, at a third of these, it and all behind it. */
static void start_without_all(enum owner owner, long step)
{
    char message[SETTINGS_MESSAGE_BYTES];
    unsigned starts = 0;

    memory.failed = 0;
    for (int for_good = 0; for_good < 2; for_good++) {
        for (long first = 1; start_without(owner, first, for_good == 1);
             first += for_good == 1 ? 3 * step : step) {
            starts++;
        }
    }
    print_message("%u starts without memory, %u came to nothing\n", starts, memory.failed);
    assert_true(memory.failed > starts / 4);
    assert_true(starts > 50);
    if (start(message) != SP_OK) {
        fail_msg("%s", message);
    }
}

static void test_ours(void **state)
{
    (void)state;
    start_without_all(OWNER_US, 1);
}

static void test_of_openssl(void **state)
{
    (void)state;
    start_without_all(OWNER_OPENSSL, stride);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

/* The argument: every so many allocations of OpenSSL's; 1: all of them. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ours),
        cmocka_unit_test(test_of_openssl),
    };

    stride = argc > 1 ? strtol(argv[1], NULL, 10) : stride;
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1 ||
        mkdtemp(directory) == NULL) {
        return 1;
    }
    server_block_signals();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    (void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return failures;
}
