/* Downloads: whole, from an offset, of files that are damaged, and let go of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"

#define BLOB_BYTES 300000

static int setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));
    uint8_t *data = make_bytes(BLOB_BYTES, 1);

    assert_non_null(fixture);
    fixture_init(fixture, 2, true);
    files_upload_release(send_file(fixture, 1, BLOB_BYTES, data, BLOB_BYTES, CHUNK_BYTES));
    struct files_completion *end = wait_end(fixture);
    assert_int_equal(end->event, FILES_SEALED);
    assert_int_equal(end->bucket, 1);
    files_completion_free(end);
    free(data);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    free(*state);
    return 0;
}

static struct download *open_blob(struct fixture *fixture, uint32_t bucket, unsigned number,
                                  uint64_t size, uint64_t offset)
{
    struct id file = make_id(number);
    struct download *download = NULL;

    assert_int_equal(
        files_download_open(fixture->files, 77, bucket, &file, size, offset, &download), SP_OK);
    return download;
}

/* Reads with two requests under way, as a session does. */
static void read_from(struct fixture *fixture, size_t offset, size_t piece)
{
    uint8_t *data = make_bytes(BLOB_BYTES, 1);
    struct download *download = open_blob(fixture, 1, 1, BLOB_BYTES, offset);
    size_t at = offset;

    assert_int_equal(files_download_read(download, piece), SP_OK);
    for (;;) {
        assert_int_equal(files_download_read(download, piece), SP_OK);
        struct files_completion *completion = fixture_wait(fixture);
        size_t expected = piece < BLOB_BYTES - at ? piece : BLOB_BYTES - at;
        assert_int_equal(completion->event, FILES_READ);
        assert_int_equal(completion->token, 77);
        assert_int_equal(completion->bytes, expected);
        bool at_end = completion->bytes == 0;
        if (!at_end) {
            assert_memory_equal(completion->data, data + at, expected);
            at += expected;
        }
        files_completion_free(completion);
        if (at_end) {
            break;
        }
    }
    assert_int_equal(at, BLOB_BYTES);
    struct files_completion *last = fixture_wait(fixture); /* asked for beyond the end */
    assert_int_equal(last->bytes, 0);
    files_completion_free(last);
    files_download_release(download);
    free(data);
}

static void test_from_all_offsets(void **state)
{
    static const size_t offsets[] = {0, 1, 32767, 32768, BLOB_BYTES - 1, BLOB_BYTES};

    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        read_from(*state, offsets[i], CHUNK_BYTES);
        read_from(*state, offsets[i], 100001);
    }
}

static void expect_damage(struct fixture *fixture, uint32_t bucket, unsigned number, uint64_t size)
{
    struct download *download = open_blob(fixture, bucket, number, size, 0);

    assert_int_equal(files_download_read(download, 1), SP_OK);
    struct files_completion *completion = fixture_wait(fixture);
    assert_int_equal(completion->event, FILES_FAILED);
    assert_int_equal(completion->error, SP_EINTEGRITY);
    files_completion_free(completion);
    assert_int_equal(files_download_read(download, 1), SP_OK);
    assert_true(fixture_is_quiet(fixture)); /* over is over */
    files_download_release(download);
}

static void test_damaged(void **state)
{
    struct fixture *fixture = *state;
    char path[160];
    char target[160];

    expect_damage(fixture, 1, 1, BLOB_BYTES - 1); /* longer than it should be */
    expect_damage(fixture, 1, 1, BLOB_BYTES + 1);
    expect_damage(fixture, 1, 2, BLOB_BYTES); /* not there */
    expect_damage(fixture, 9, 1, BLOB_BYTES); /* nor its bucket */
    assert_int_equal(symlink(blob_path(fixture, 1, 1, target), blob_path(fixture, 1, 3, path)), 0);
    expect_damage(fixture, 1, 3, BLOB_BYTES);
    assert_int_equal(mkfifo(blob_path(fixture, 1, 4, path), 0600), 0);
    expect_damage(fixture, 1, 4, 0);
    assert_int_equal(mkdir(blob_path(fixture, 1, 5, path), 0700), 0);
    expect_damage(fixture, 1, 5, 0);
}

/* Cut while it is read: no bytes are made up. */
static void test_cut_while_open(void **state)
{
    struct fixture *fixture = *state;
    struct download *download = open_blob(fixture, 1, 1, BLOB_BYTES, 0);
    char path[160];

    assert_int_equal(files_download_read(download, 1000), SP_OK);
    files_completion_free(fixture_wait(fixture));
    assert_int_equal(truncate(blob_path(fixture, 1, 1, path), 5000), 0);
    assert_int_equal(files_download_read(download, 100000), SP_OK);
    struct files_completion *completion = fixture_wait(fixture);
    assert_int_equal(completion->event, FILES_FAILED);
    assert_int_equal(completion->error, SP_EINTEGRITY);
    assert_string_equal(completion->detail, "the stored file ends after 5000 of 300000 bytes");
    files_completion_free(completion);
    files_download_release(download);
}

static void test_impossible_requests(void **state)
{
    struct fixture *fixture = *state;
    struct download *download = NULL;
    struct id file = make_id(1);

    assert_int_equal(files_download_open(fixture->files, 1, 0, &file, 10, 0, &download),
                     SP_EINVALID);
    assert_int_equal(files_download_open(fixture->files, 1, 1, &file, 10, 11, &download),
                     SP_EINVALID);
    assert_null(download);
    files_download_release(NULL);
}

static void test_released_and_closed(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 50; i++) {
        struct download *download = open_blob(fixture, 1, 1, BLOB_BYTES, 0);
        assert_int_equal(files_download_read(download, CHUNK_BYTES), SP_OK);
        if (i % 2 == 0) {
            files_download_release(download);
        }
    }
    fixture_close(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_from_all_offsets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_while_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_impossible_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_released_and_closed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
