/* SHA-256 against NIST's vectors (SHAVS), and what digest_of() does with its cached stream. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/digest.h"

#define LINE_BYTES 131072 /* the longest message has 6,400 bytes */

static struct digest digest_hex(const char *hex)
{
    struct digest digest;

    assert_int_equal(hex_decode(hex, digest.bytes, sizeof(digest.bytes)), SP_OK);
    return digest;
}

static void assert_digest(const struct digest *got, const struct digest *wanted)
{
    assert_memory_equal(got->bytes, wanted->bytes, sizeof(got->bytes));
}

/* The value of "NAME = value" if LINE is that, else NULL. */
static char *value_of(char *line, const char *name)
{
    size_t size = strlen(name);

    line[strcspn(line, "\r\n")] = '\0';
    return strncmp(line, name, size) == 0 && strncmp(line + size, " = ", 3) == 0 ? line + size + 3
                                                                                 : NULL;
}

static FILE *open_vectors(const char *name)
{
    char path[512];
    FILE *file = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s", SHA2_VECTORS, name);
    file = fopen(path, "re");
    assert_non_null(file);
    return file;
}

/* MESSAGE in one piece, in two parts of every cut, and byte by byte. */
static void check_message(const uint8_t *message, size_t size, const struct digest *wanted)
{
    struct digest_stream *stream = NULL;
    struct digest got;
    size_t step = size < 130 ? 1 : size / 7;

    for (size_t cut = 0; cut <= size; cut += step) {
        const struct slice parts[] = {{message, cut}, {message + cut, size - cut}};

        assert_int_equal(digest_of(parts, 2, &got), SP_OK);
        assert_digest(&got, wanted);
    }
    assert_int_equal(digest_stream_new(&stream), SP_OK);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(digest_stream_update(stream, message + i, 1), SP_OK);
    }
    assert_int_equal(digest_stream_finish(stream, &got), SP_OK);
    assert_digest(&got, wanted);
    digest_stream_free(stream);
}

static size_t check_messages(const char *name)
{
    FILE *file = open_vectors(name);
    char *line = malloc(LINE_BYTES);
    uint8_t *message = malloc(LINE_BYTES / 2);
    size_t size = 0;
    size_t count = 0;

    assert_non_null(line);
    assert_non_null(message);
    while (fgets(line, LINE_BYTES, file) != NULL) {
        const char *value = value_of(line, "Len");

        if (value != NULL) {
            size = strtoul(value, NULL, 10) / 8;
        } else if ((value = value_of(line, "Msg")) != NULL && size > 0) {
            assert_int_equal(hex_decode(value, message, size), SP_OK);
        } else if ((value = value_of(line, "MD")) != NULL) {
            const struct digest wanted = digest_hex(value);

            check_message(message, size, &wanted);
            count++;
        }
    }
    free(message);
    free(line);
    (void)fclose(file);
    return count;
}

static void test_short_messages(void **state)
{
    (void)state;
    assert_int_equal(check_messages("SHA256ShortMsg.rsp"), 65);
}

static void test_long_messages(void **state)
{
    (void)state;
    assert_int_equal(check_messages("SHA256LongMsg.rsp"), 64);
}

/* SHAVS 6.4: a thousand digests of the three before, a hundred times. */
static struct digest monte_carlo(const struct digest *seed)
{
    struct digest last[3] = {*seed, *seed, *seed};

    for (int i = 0; i < 1000; i++) {
        const struct slice parts[] = {{last[0].bytes, DIGEST_BYTES},
                                      {last[1].bytes, DIGEST_BYTES},
                                      {last[2].bytes, DIGEST_BYTES}};
        struct digest next;

        assert_int_equal(digest_of(parts, 3, &next), SP_OK);
        last[0] = last[1];
        last[1] = last[2];
        last[2] = next;
    }
    return last[2];
}

static void test_monte_carlo(void **state)
{
    FILE *file = open_vectors("SHA256Monte.rsp");
    char line[256];
    struct digest seed = {0};
    size_t count = 0;

    (void)state;
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *value = value_of(line, "Seed");

        if (value != NULL) {
            seed = digest_hex(value);
        } else if ((value = value_of(line, "MD")) != NULL) {
            const struct digest wanted = digest_hex(value);

            seed = monte_carlo(&seed);
            assert_digest(&seed, &wanted);
            count++;
        }
    }
    assert_int_equal(count, 100);
    (void)fclose(file);
}

static void test_stream_starts_anew(void **state)
{
    const struct digest empty =
        digest_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const struct digest abc =
        digest_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct digest_stream *stream = NULL;
    struct digest got;

    (void)state;
    assert_int_equal(digest_stream_new(&stream), SP_OK);
    assert_int_equal(digest_stream_update(stream, "abc", 3), SP_OK);
    assert_int_equal(digest_stream_finish(stream, &got), SP_OK);
    assert_digest(&got, &abc);
    assert_int_equal(digest_stream_finish(stream, &got), SP_OK);
    assert_digest(&got, &empty);
    assert_int_equal(digest_stream_update(stream, "what is thrown away", 19), SP_OK);
    assert_int_equal(digest_stream_reset(stream), SP_OK);
    assert_int_equal(digest_stream_update(stream, "abc", 3), SP_OK);
    assert_int_equal(digest_stream_finish(stream, &got), SP_OK);
    assert_digest(&got, &abc);
    assert_int_equal(digest_of(NULL, 0, &got), SP_OK);
    assert_digest(&got, &empty);
    digest_stream_free(stream);
    digest_stream_free(NULL);
}

static void *hash_in_thread(void *result)
{
    const struct slice abc = slice_of_string("abc");
    struct digest first;
    struct digest got;

    *(bool *)result = digest_of(&abc, 1, &first) == SP_OK;
    for (int i = 0; i < 2000; i++) {
        *(bool *)result =
            *(bool *)result && digest_of(&abc, 1, &got) == SP_OK && digest_equal(&first, &got);
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[8];
    bool good[COUNT_OF(threads)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hash_in_thread, &good[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(good[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_messages), cmocka_unit_test(test_long_messages),
        cmocka_unit_test(test_monte_carlo),    cmocka_unit_test(test_stream_starts_anew),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
