/* Uploads: of all sizes, broken off and broken, and what is left of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

static const size_t sizes[] = {0,     1,     16383, 16384, 16385,   32767,
                               32768, 32769, 65535, 65536, 1048579, 9437185};

static int setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    assert_non_null(fixture);
    fixture_init(fixture, 2, true);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    free(*state);
    return 0;
}

static void assert_sealed(struct fixture *fixture, const struct files_completion *end,
                          unsigned number, const uint8_t *data, size_t size)
{
    struct digest digest = digest_bytes(data, size);

    assert_int_equal(end->event, FILES_SEALED);
    assert_int_equal(end->error, SP_OK);
    assert_int_equal(end->token, number);
    assert_int_equal(end->size, size);
    assert_true(digest_equal(&end->sha256, &digest));
    if (size <= LIMIT_INLINE_FILE_BYTES) {
        assert_int_equal(end->bucket, 0);
        assert_non_null(end->data);
        assert_memory_equal(end->data, data, size);
    } else {
        assert_int_equal(end->bucket, 1);
        assert_null(end->data);
        assert_true(blob_is(fixture, end->bucket, number, data, size));
    }
}

static void check_size(struct fixture *fixture, unsigned number, size_t size, bool declared,
                       size_t chunk)
{
    uint8_t *data = make_bytes(size, number);
    uint64_t written = 0;

    struct upload *upload =
        send_file(fixture, number, declared ? size : UINT64_MAX, data, size, chunk);
    struct files_completion *completion = fixture_wait(fixture);
    assert_int_equal(completion->event, FILES_READY);
    do {
        files_completion_free(completion);
        completion = fixture_wait(fixture);
        assert_int_equal(completion->token, number);
        written += completion->event == FILES_WRITTEN ? completion->bytes : 0;
    } while (completion->event == FILES_WRITTEN);
    assert_true(written == size);
    assert_sealed(fixture, completion, number, data, size);
    files_completion_free(completion);
    files_upload_release(upload);
    free(data);
}

static void test_sizes(void **state)
{
    unsigned number = 0;
    unsigned blobs = 0;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        check_size(*state, ++number, sizes[i], true, CHUNK_BYTES);
        check_size(*state, ++number, sizes[i], false, CHUNK_BYTES);
        check_size(*state, ++number, sizes[i], false, 7001);
        blobs += sizes[i] > LIMIT_INLINE_FILE_BYTES ? 3 : 0;
    }
    check_size(*state, ++number, 40000, false, 7); /* a few bytes at a time */
    check_size(*state, ++number, 300, true, 1);
    assert_int_equal(count_blobs(*state), blobs + 1);
    assert_int_equal(count_entries(*state, "incoming"), 0);
}

/* What is said at the commit differs from what was sent. */
static void refuse(struct fixture *fixture, unsigned number, size_t size, int64_t said_more,
                   bool declared, enum sp_error expected)
{
    uint8_t *data = make_bytes(size, number);
    struct id file = make_id(number);
    struct digest digest = digest_bytes(data, size);
    struct upload *upload = NULL;
    uint64_t said = size + (uint64_t)said_more;

    if (expected == SP_EDIGEST) {
        digest.bytes[DIGEST_BYTES - 1] ^= 1;
    }
    assert_int_equal(files_upload_begin(fixture->files, number, &file, declared ? said : UINT64_MAX,
                                        CREDIT_BYTES, &upload),
                     SP_OK);
    for (size_t at = 0; at < size; at += CHUNK_BYTES) {
        size_t part = size - at < CHUNK_BYTES ? size - at : CHUNK_BYTES;
        assert_int_equal(files_upload_write(upload, data + at, part), SP_OK);
    }
    assert_int_equal(files_upload_commit(upload, said, &digest), SP_OK);
    struct files_completion *end = wait_end(fixture);
    assert_int_equal(end->event, FILES_FAILED);
    assert_int_equal(end->error, expected);
    assert_true(strpbrk(end->detail, "0123456789") != NULL);
    files_completion_free(end);
    assert_true(fixture_is_quiet(fixture)); /* after the end nothing comes */
    assert_int_equal(count_entries(fixture, "incoming"), 0);
    assert_int_equal(count_blobs(fixture), 0);
    files_upload_release(upload);
    free(data);
}

static void test_wrong_digest_or_size(void **state)
{
    static const size_t some[] = {1, 16384, 16385, 100000};
    unsigned number = 0;

    for (size_t i = 0; i < COUNT_OF(some); i++) {
        for (int declared = 0; declared < 2; declared++) {
            refuse(*state, ++number, some[i], 0, declared, SP_EDIGEST);
            refuse(*state, ++number, some[i], +1, declared, SP_ESIZE);
            refuse(*state, ++number, some[i], -1, declared, SP_ESIZE);
        }
    }
}

/* A quarter of the credit goes on its way by itself: who waits for more credit gets it. */
static void test_blocks_follow_the_credit(void **state)
{
    static const struct {
        uint64_t credit;
        uint64_t block;
    } rows[] = {{65536, 16384}, {70001, 16384}, {1, 4096}, {1 << 20, 262144}, {1 << 30, 262144}};
    struct fixture *fixture = *state;
    uint8_t *data = make_bytes(300000, 1);

    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        struct id file = make_id(i);
        struct upload *upload = NULL;
        assert_int_equal(
            files_upload_begin(fixture->files, i, &file, 1 << 30, rows[i].credit, &upload), SP_OK);
        files_completion_free(fixture_wait(fixture)); /* FILES_READY */
        assert_int_equal(files_upload_write(upload, data, rows[i].block - 1), SP_OK);
        assert_true(fixture_is_quiet(fixture));
        assert_int_equal(files_upload_write(upload, data, 2), SP_OK);
        struct files_completion *written = fixture_wait(fixture);
        assert_int_equal(written->event, FILES_WRITTEN);
        assert_int_equal(written->bytes, rows[i].block);
        files_completion_free(written);
        files_upload_release(upload);
    }
    free(data);
}

/* Refused as soon as there is one byte too many, not at the end. */
static void test_more_than_declared(void **state)
{
    static const uint8_t bytes[CHUNK_BYTES];
    struct fixture *fixture = *state;

    for (unsigned number = 1; number <= 2; number++) {
        struct id file = make_id(number);
        struct upload *upload = NULL;
        uint64_t size = number == 1 ? 100 : CHUNK_BYTES + 100;
        assert_int_equal(
            files_upload_begin(fixture->files, number, &file, size, CREDIT_BYTES, &upload), SP_OK);
        if (number == 2) {
            assert_int_equal(files_upload_write(upload, bytes, CHUNK_BYTES), SP_OK);
        }
        assert_int_equal(files_upload_write(upload, bytes, 101), SP_OK);
        struct files_completion *end = wait_end(fixture);
        assert_int_equal(end->error, SP_ESIZE);
        files_completion_free(end);
        assert_int_equal(files_upload_write(upload, bytes, 100), SP_OK); /* was on its way */
        assert_true(fixture_is_quiet(fixture));
        assert_int_equal(count_entries(fixture, "incoming"), 0);
        files_upload_release(upload);
    }
}

/* A size at the commit that is not the declared one, though it is what arrived. */
static void test_commit_of_another_size(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *data = make_bytes(50000, 1);

    struct upload *upload = send_file(fixture, 1, 60000, data, 50000, CHUNK_BYTES);
    struct files_completion *end = wait_end(fixture);
    assert_int_equal(end->error, SP_ESIZE);
    files_completion_free(end);
    files_upload_release(upload);
    free(data);
}

static void test_nothing_after_the_commit(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = digest_bytes("x", 1);

    struct upload *upload = send_file(fixture, 1, 1, (const uint8_t *)"x", 1, 1);
    assert_int_equal(files_upload_write(upload, "y", 1), SP_EINVALID);
    assert_int_equal(files_upload_commit(upload, 1, &digest), SP_EINVALID);
    struct files_completion *end = wait_end(fixture);
    assert_int_equal(end->event, FILES_SEALED);
    files_completion_free(end);
    files_upload_release(upload);
}

/* Released after a random number of chunks: nothing is left, and nothing but what was written
 * before is reported. */
static void test_cancelled_anywhere(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *data = make_bytes(CHUNK_BYTES, 1);
    uint8_t *dice = make_bytes(200, 2);

    for (unsigned i = 0; i < 200; i++) {
        struct id file = make_id(i % 20); /* an id may be used again at once */
        struct upload *upload = NULL;
        uint64_t size = i % 2 == 0 ? UINT64_MAX : 300000;
        assert_int_equal(files_upload_begin(fixture->files, i, &file, size, CREDIT_BYTES, &upload),
                         SP_OK);
        for (unsigned chunk = 0; chunk < dice[i] % 8; chunk++) {
            assert_int_equal(files_upload_write(upload, data, (dice[i] * 131U) % CHUNK_BYTES),
                             SP_OK);
        }
        files_upload_release(upload);
    }
    while (!fixture_is_quiet(fixture)) {
        struct files_completion *completion = fixture_wait(fixture);
        assert_true(completion->event == FILES_READY || completion->event == FILES_WRITTEN);
        files_completion_free(completion);
    }
    assert_int_equal(count_entries(fixture, "incoming"), 0);
    assert_int_equal(count_blobs(fixture), 0);
    free(dice);
    free(data);
}

/* A commit goes on although its session is gone; the blob can then be discarded, and sent again. */
static void test_released_while_sealing(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *data = make_bytes(100000, 5);

    for (int i = 0; i < 20; i++) {
        struct id file = make_id(5);
        files_upload_release(send_file(fixture, 5, 100000, data, 100000, CHUNK_BYTES));
        struct files_completion *end = wait_end(fixture);
        assert_sealed(fixture, end, 5, data, 100000);
        files_discard(fixture->files, end->bucket, &file);
        files_completion_free(end);
    }
    fixture_close(fixture);
    assert_int_equal(count_blobs(fixture), 0);
    free(data);
}

static void test_two_interleaved(void **state)
{
    struct fixture *fixture = *state;
    const size_t size = 500000;
    const unsigned numbers[2] = {2, 258}; /* of one worker */
    uint8_t *data[2];
    struct upload *upload[2];

    for (int i = 0; i < 2; i++) {
        struct id file = make_id(numbers[i]);
        data[i] = make_bytes(size, numbers[i]);
        assert_int_equal(files_upload_begin(fixture->files, numbers[i], &file, UINT64_MAX,
                                            CREDIT_BYTES, &upload[i]),
                         SP_OK);
    }
    for (size_t at = 0; at < size; at += 10000) {
        assert_int_equal(files_upload_write(upload[0], data[0] + at, 10000), SP_OK);
        assert_int_equal(files_upload_write(upload[1], data[1] + at, 10000), SP_OK);
    }
    for (int i = 0; i < 2; i++) {
        struct digest digest = digest_bytes(data[i], size);
        assert_int_equal(files_upload_commit(upload[i], size, &digest), SP_OK);
    }
    for (int i = 0; i < 2; i++) {
        struct files_completion *end = wait_end(fixture);
        assert_sealed(fixture, end, numbers[i], data[i], size);
        files_completion_free(end);
        files_upload_release(upload[i]);
        free(data[i]);
    }
}

/* The same id twice at once, and again when it is sealed: nothing is overwritten. */
static void test_same_id_twice(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *data = make_bytes(40000, 1);
    uint8_t *other = make_bytes(40000, 2);
    struct id file = make_id(1);
    struct upload *first = NULL;

    assert_int_equal(files_upload_begin(fixture->files, 1, &file, 40000, CREDIT_BYTES, &first),
                     SP_OK);
    struct upload *second = send_file(fixture, 1, 40000, other, 40000, CHUNK_BYTES);
    struct files_completion *end = wait_end(fixture);
    assert_int_equal(end->error, SP_EBUSY);
    files_completion_free(end);
    files_upload_release(second);
    files_upload_release(first);
    first = send_file(fixture, 1, 40000, data, 40000, CHUNK_BYTES);
    end = wait_end(fixture);
    assert_sealed(fixture, end, 1, data, 40000);
    files_completion_free(end);
    second = send_file(fixture, 1, 40000, other, 40000, CHUNK_BYTES);
    end = wait_end(fixture);
    assert_int_equal(end->error, SP_EBUSY);
    files_completion_free(end);
    assert_true(blob_is(fixture, 1, 1, data, 40000));
    assert_int_equal(count_entries(fixture, "incoming"), 0);
    files_upload_release(first);
    files_upload_release(second);
    free(other);
    free(data);
}

/* Closing in the midst of everything: released, not released, committed, not looked at. */
static void test_close_with_uploads_under_way(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *data = make_bytes(200000, 1);

    for (unsigned number = 1; number <= 40; number++) {
        struct id file = make_id(number);
        struct upload *upload = NULL;
        if (number % 4 == 0) {
            (void)send_file(fixture, number, 200000, data, 200000, CHUNK_BYTES);
            continue;
        }
        assert_int_equal(
            files_upload_begin(fixture->files, number, &file, UINT64_MAX, CREDIT_BYTES, &upload),
            SP_OK);
        assert_int_equal(files_upload_write(upload, data, (size_t)number * 1000), SP_OK);
        if (number % 3 == 0) {
            files_upload_release(upload);
        }
    }
    fixture_close(fixture);
    assert_int_equal(count_entries(fixture, "incoming"), 0);
    free(data);
}

static void test_close_without_start(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *data = make_bytes(50000, 1);

    fixture_close(fixture);
    fixture_open(fixture);
    (void)send_file(fixture, 1, 50000, data, 50000, CHUNK_BYTES);
    files_upload_release(send_file(fixture, 2, UINT64_MAX, data, 50000, CHUNK_BYTES));
    fixture_close(fixture);
    assert_int_equal(count_entries(fixture, "incoming"), 0);
    assert_int_equal(count_blobs(fixture), 0);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_digest_or_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocks_follow_the_credit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_declared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commit_of_another_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_after_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_released_while_sealing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_interleaved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_id_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_with_uploads_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_without_start, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
