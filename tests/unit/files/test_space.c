/* A full disk: a small tmpfs, for which the test must be root; it is skipped otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"

#define MIB ((size_t)1 << 20)
#define ROUNDS 50

static bool setup_on_tmpfs(struct fixture *fixture, uint64_t reserve_bytes)
{
    fixture_init(fixture, 1, false);
    fixture_close(fixture);
    if (mount("tmpfs", fixture->directory, "tmpfs", 0, "size=8m,mode=0700") != 0) {
        print_message("no tmpfs can be mounted here (are you root?): skipped\n");
        fixture_deinit(fixture);
        return false;
    }
    fixture->reserve_bytes = reserve_bytes;
    fixture_open(fixture);
    assert_int_equal(files_start(fixture->files), SP_OK);
    return true;
}

static void teardown(struct fixture *fixture)
{
    fixture_close(fixture);
    assert_int_equal(umount2(fixture->directory, MNT_DETACH), 0);
    fixture_deinit(fixture);
}

static struct upload *begin(struct fixture *fixture, unsigned number, uint64_t size,
                            enum sp_error expected)
{
    struct id file = make_id(number);
    struct upload *upload = NULL;

    assert_int_equal(files_upload_begin(fixture->files, number, &file, size, CREDIT_BYTES, &upload),
                     SP_OK);
    struct files_completion *completion = fixture_wait(fixture);
    assert_int_equal(completion->token, number);
    assert_int_equal(completion->event, expected == SP_OK ? FILES_READY : FILES_FAILED);
    assert_int_equal(completion->error, expected);
    if (expected == SP_EFULL) {
        assert_non_null(strstr(completion->detail, "needs "));
        assert_non_null(strstr(completion->detail, " MiB are free"));
    }
    files_completion_free(completion);
    return upload;
}

static void store(struct fixture *fixture, unsigned number, size_t size)
{
    uint8_t *data = make_bytes(size, number);
    struct id file = make_id(number);

    files_upload_release(send_file(fixture, number, size, data, size, CHUNK_BYTES));
    struct files_completion *end = wait_end(fixture);
    assert_int_equal(end->event, FILES_SEALED);
    assert_true(blob_is(fixture, end->bucket, number, data, size));
    files_discard(fixture->files, end->bucket, &file);
    files_completion_free(end);
    free(data);
}

/* What was promised to one is not promised to another, and comes back in every way there is. */
static void test_promises(void **state)
{
    struct fixture fixture;

    (void)state;
    if (!setup_on_tmpfs(&fixture, 2 * MIB)) {
        skip();
        return; /* never */
    }
    for (int round = 0; round < 3; round++) {
        struct upload *first = begin(&fixture, 1, 4 * MIB, SP_OK);
        files_upload_release(begin(&fixture, 2, 3 * MIB, SP_EFULL));
        struct upload *third = begin(&fixture, 3, MIB, SP_OK);
        files_upload_release(begin(&fixture, 4, UINT64_MAX, SP_OK)); /* nothing taken yet */
        files_upload_release(first);
        files_upload_release(begin(&fixture, 2, 3 * MIB, SP_OK));
        files_upload_release(third);
        store(&fixture, 5, 5 * MIB); /* written: it is no longer promised, but not free either */
        store(&fixture, 6, 5 * MIB);
    }
    files_upload_release(begin(&fixture, 7, 6 * MIB + 1, SP_EFULL));
    files_upload_release(begin(&fixture, 8, UINT64_MAX - 1, SP_EFULL));
    teardown(&fixture);
}

/* What is written counts once: as space that is no longer free. */
static void test_promises_shrink_while_writing(void **state)
{
    struct fixture fixture;

    (void)state;
    if (!setup_on_tmpfs(&fixture, 0)) {
        skip();
        return; /* never */
    }
    uint8_t *data = make_bytes(MIB, 1);
    struct upload *upload = begin(&fixture, 1, 6 * MIB, SP_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(files_upload_write(upload, data, MIB), SP_OK);
        for (uint64_t written = 0; written < MIB;) {
            struct files_completion *completion = fixture_wait(&fixture);
            assert_int_equal(completion->event, FILES_WRITTEN);
            written += completion->bytes;
            files_completion_free(completion);
        }
    }
    files_upload_release(begin(&fixture, 2, 2 * MIB, SP_OK));
    files_upload_release(begin(&fixture, 3, 2 * MIB + 1, SP_EFULL));
    files_upload_release(upload);
    files_upload_release(begin(&fixture, 4, 8 * MIB, SP_OK));
    teardown(&fixture);
    free(data);
}

/* An upload of unknown size takes a whole step, more than there is here. */
static void test_unknown_size(void **state)
{
    struct fixture fixture;

    (void)state;
    if (!setup_on_tmpfs(&fixture, 0)) {
        skip();
        return; /* never */
    }
    uint8_t *data = make_bytes(20000, 1);
    files_upload_release(send_file(&fixture, 1, UINT64_MAX, data, 20000, CHUNK_BYTES));
    struct files_completion *end = wait_end(&fixture);
    assert_int_equal(end->error, SP_EFULL);
    assert_non_null(strstr(end->detail, "needs 64.0 MiB, 8.0 MiB are free"));
    files_completion_free(end);
    assert_int_equal(count_entries(&fixture, "incoming"), 0);
    store(&fixture, 2, 7 * MIB);
    teardown(&fixture);
    free(data);
}

/* Somebody else takes the space that was promised. */
static void fill_up(const struct fixture *fixture, bool full)
{
    char path[160];
    uint8_t block[4096] = {0};

    (void)snprintf(path, sizeof(path), "%s/other", fixture->directory);
    if (!full) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    (void)setvbuf(file, NULL, _IONBF, 0);
    while (fwrite(block, 1, sizeof(block), file) == sizeof(block)) {
    }
    (void)fclose(file);
}

static void test_full_and_freed(void **state)
{
    struct fixture fixture;

    (void)state;
    if (!setup_on_tmpfs(&fixture, 0)) {
        skip();
        return; /* never */
    }
    uint8_t *data = make_bytes(4 * MIB, 1);
    store(&fixture, 1, 20000); /* makes the bucket */
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct id file = make_id(round);
        struct upload *upload = begin(&fixture, round, 4 * MIB, SP_OK);
        fill_up(&fixture, true);
        for (size_t at = 0; at < 4 * MIB; at += CHUNK_BYTES) {
            assert_int_equal(files_upload_write(upload, data + at, CHUNK_BYTES), SP_OK);
        }
        struct files_completion *end = wait_end(&fixture);
        assert_int_equal(end->error, SP_EFULL);
        assert_string_equal(end->detail, "the disk was full after 0 bytes, 0 bytes are free");
        files_completion_free(end);
        files_upload_release(upload);
        assert_int_equal(count_entries(&fixture, "incoming"), 0);
        files_discard(fixture.files, 1, &file); /* nothing there: no harm */
        fill_up(&fixture, false);
        store(&fixture, 1000 + round, 4 * MIB);
    }
    print_message("%d times full and free again\n", ROUNDS);
    teardown(&fixture);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_promises_shrink_while_writing),
        cmocka_unit_test(test_unknown_size),
        cmocka_unit_test(test_full_and_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
