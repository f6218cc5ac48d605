/*
 * The Nth call of each kind fails, for every N that there is. Whatever fails: what was sealed is
 * there, byte for byte; of what was refused nothing is left, and sending it again works.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "faults.h"
#include "fixture.h"

static const struct {
    size_t size;
    bool declared;
} sent[] = {{100000, true}, {50000, false}, {1000, true},
            {0, false},     {16385, true},  {17000, false}};

struct outcome {
    struct files_completion *end[COUNT_OF(sent)];
    unsigned failed;
};

/* All of SENT, all waiting before the worker starts, so that their commits make one batch. */
static void send_all(struct fixture *fixture, struct outcome *outcome)
{
    *outcome = (struct outcome){0};
    for (unsigned i = 0; i < COUNT_OF(sent); i++) {
        uint8_t *data = make_bytes(sent[i].size, i);
        files_upload_release(send_file(fixture, i, sent[i].declared ? sent[i].size : UINT64_MAX,
                                       data, sent[i].size, CHUNK_BYTES));
        free(data);
    }
    assert_int_equal(files_start(fixture->files), SP_OK);
    for (unsigned i = 0; i < COUNT_OF(sent); i++) {
        struct files_completion *end = wait_end(fixture);
        assert_true(end->token < COUNT_OF(sent));
        assert_null(outcome->end[end->token]);
        outcome->end[end->token] = end;
        outcome->failed += end->event == FILES_FAILED;
    }
}

static void check_sealed(const struct fixture *fixture, const struct files_completion *end,
                         unsigned number)
{
    size_t size = sent[number].size;
    uint8_t *data = make_bytes(size, number);

    assert_int_equal(end->event, FILES_SEALED);
    assert_int_equal(end->size, size);
    if (size <= LIMIT_INLINE_FILE_BYTES) {
        assert_int_equal(end->bucket, 0);
        assert_memory_equal(end->data, data, size);
    } else {
        assert_true(blob_is(fixture, end->bucket, number, data, size));
    }
    free(data);
}

static void send_again(struct fixture *fixture, unsigned number)
{
    uint8_t *data = make_bytes(sent[number].size, number);

    files_upload_release(
        send_file(fixture, number, UINT64_MAX, data, sent[number].size, CHUNK_BYTES));
    struct files_completion *end = wait_end(fixture);
    check_sealed(fixture, end, number);
    files_completion_free(end);
    free(data);
}

static void check_outcome(struct fixture *fixture, struct outcome *outcome, enum sp_error expected)
{
    unsigned blobs = 0;

    assert_int_equal(count_entries(fixture, "incoming"), 0);
    for (unsigned i = 0; i < COUNT_OF(sent); i++) {
        struct files_completion *end = outcome->end[i];
        if (end->event == FILES_FAILED) {
            assert_int_equal(end->error, expected);
            assert_true(strlen(end->detail) > 10);
        } else {
            check_sealed(fixture, end, i);
            blobs += end->bucket != 0;
        }
    }
    assert_int_equal(count_blobs(fixture), blobs);
    for (unsigned i = 0; i < COUNT_OF(sent); i++) {
        if (outcome->end[i]->event == FILES_FAILED) {
            send_again(fixture, i);
        }
        files_completion_free(outcome->end[i]);
    }
}

/* Returns how often the fault struck: until the Nth call no longer comes. FAILED: how many uploads
 * in all it cost. */
static unsigned strike_each(enum faults_call call, int error, enum sp_error expected,
                            unsigned *failed)
{
    unsigned nth = 0;

    *failed = 0;
    for (bool struck = true; struck;) {
        struct fixture fixture;
        struct outcome outcome;
        fixture_init(&fixture, 1, false);
        faults_arm(call, ++nth, error);
        send_all(&fixture, &outcome);
        struck = faults_struck();
        faults_disarm();
        *failed += outcome.failed;
        assert_true(struck || outcome.failed == 0);
        check_outcome(&fixture, &outcome, expected);
        fixture_deinit(&fixture);
    }
    return nth - 1;
}

static const struct row {
    const char *name;
    enum faults_call call;
    int error;
    enum sp_error expected; /* of uploads that fail */
    bool harmless;          /* no upload may fail */
} rows[] = {
    {"openat EIO", FAULTS_OPEN, EIO, SP_EIO, false},
    {"openat ENOSPC", FAULTS_OPEN, ENOSPC, SP_EFULL, false},
    {"openat EMFILE", FAULTS_OPEN, EMFILE, SP_EBUSY, false},
    {"pwrite EIO", FAULTS_WRITE, EIO, SP_EIO, false},
    {"pwrite ENOSPC", FAULTS_WRITE, ENOSPC, SP_EFULL, false},
    {"pwrite EDQUOT", FAULTS_WRITE, EDQUOT, SP_EFULL, false},
    {"pwrite EINTR", FAULTS_WRITE, EINTR, SP_OK, true},
    {"pwrite short", FAULTS_WRITE, FAULTS_SHORT, SP_OK, true},
    {"fsync of a file EIO", FAULTS_SYNC, EIO, SP_EIO, false},
    {"fsync of a file ENOSPC", FAULTS_SYNC, ENOSPC, SP_EFULL, false},
    {"fsync of a file EINTR", FAULTS_SYNC, EINTR, SP_EIO, false},
    {"fsync of a directory EIO", FAULTS_SYNC_DIR, EIO, SP_EIO, false},
    {"fsync of a directory ENOSPC", FAULTS_SYNC_DIR, ENOSPC, SP_EFULL, false},
    {"renameat2 EIO", FAULTS_RENAME, EIO, SP_EIO, false},
    {"renameat2 ENOSPC", FAULTS_RENAME, ENOSPC, SP_EFULL, false},
    {"renameat2 EINVAL", FAULTS_RENAME, EINVAL, SP_OK, true}, /* linkat instead */
    {"mkdirat EIO", FAULTS_MKDIR, EIO, SP_EIO, false},
    {"mkdirat ENOSPC", FAULTS_MKDIR, ENOSPC, SP_EFULL, false},
    {"mkdirat EEXIST", FAULTS_MKDIR, EEXIST, SP_EIO, false}, /* but it is not there */
    {"sync_file_range EIO", FAULTS_SYNC_RANGE, EIO, SP_EIO, false},
    {"sync_file_range ENOSYS", FAULTS_SYNC_RANGE, ENOSYS, SP_OK, true},
    {"fstatvfs EIO", FAULTS_STATVFS, EIO, SP_EIO, false},
};

static void test_every_call_fails_once(void **state)
{
    unsigned all = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        unsigned failed = 0;
        unsigned struck = strike_each(row->call, row->error, row->expected, &failed);
        print_message("%-28s struck %2u times, %2u uploads refused\n", row->name, struck, failed);
        assert_true(struck > 0);
        assert_true((failed == 0) == row->harmless);
        all += struck;
    }
    print_message("%u faults\n", all);
}

/* Both ways of renaming fail. */
static void test_neither_rename_nor_link(void **state)
{
    struct fixture fixture;
    struct outcome outcome;

    (void)state;
    fixture_init(&fixture, 1, false);
    faults_arm(FAULTS_LINK, 1, EIO);
    send_all(&fixture, &outcome);
    assert_int_equal(outcome.failed, 0);
    assert_false(faults_struck()); /* here it is not needed */
    check_outcome(&fixture, &outcome, SP_EIO);
    fixture_deinit(&fixture);
}

/* 24 MiB: writeback is waited for on the way, and takes the error away from the fsync. */
static void test_error_of_early_writeback(void **state)
{
    const size_t size = (size_t)24 << 20;
    uint8_t *data = make_bytes(size, 1);
    unsigned nth = 0;

    (void)state;
    for (bool struck = true; struck;) {
        struct fixture fixture;
        fixture_init(&fixture, 1, true);
        faults_arm(FAULTS_SYNC_RANGE, ++nth, EIO);
        files_upload_release(send_file(&fixture, 1, size, data, size, CHUNK_BYTES));
        struct files_completion *end = wait_end(&fixture);
        struck = faults_struck();
        faults_disarm();
        assert_int_equal(end->event, struck ? FILES_FAILED : FILES_SEALED);
        assert_true(struck || blob_is(&fixture, end->bucket, 1, data, size));
        assert_int_equal(count_blobs(&fixture), struck ? 0 : 1);
        assert_int_equal(count_entries(&fixture, "incoming"), 0);
        files_completion_free(end);
        fixture_deinit(&fixture);
    }
    assert_true(nth > 5);
    free(data);
}

/* Opening the store: a clear error, and it opens the next time. */
static void test_opening(void **state)
{
    static const enum faults_call calls[] = {FAULTS_OPEN, FAULTS_MKDIR, FAULTS_SYNC_DIR};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        unsigned nth = 0;
        for (bool struck = true; struck;) {
            struct fixture fixture;
            struct files *files = NULL;
            char reason[200] = "";
            fixture_init(&fixture, 2, false);
            fixture_close(&fixture);
            const struct files_config config = {.directory = fixture.directory, .workers = 2};
            faults_arm(calls[i], ++nth, EIO);
            enum sp_error error = files_open(&config, &files, reason, sizeof(reason));
            struck = faults_struck();
            faults_disarm();
            assert_true((error != SP_OK) == struck);
            assert_true((strlen(reason) > 10) == struck);
            assert_true((files == NULL) == struck);
            files_close(files);
            fixture_open(&fixture);
            fixture_deinit(&fixture);
        }
        assert_true(nth > 1);
    }
}

static void test_reading(void **state)
{
    static const int errors[] = {EIO, EINTR, FAULTS_SHORT};
    uint8_t *data = make_bytes(100000, 1);
    struct id file = make_id(1);
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, 1, true);
    files_upload_release(send_file(&fixture, 1, 100000, data, 100000, CHUNK_BYTES));
    files_completion_free(wait_end(&fixture));
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        struct download *download = NULL;
        faults_arm(FAULTS_READ, 1, errors[i]);
        assert_int_equal(files_download_open(fixture.files, 1, 1, &file, 100000, 0, &download),
                         SP_OK);
        assert_int_equal(files_download_read(download, 100000), SP_OK);
        struct files_completion *completion = fixture_wait(&fixture);
        while (completion->event != FILES_READ && completion->event != FILES_FAILED) {
            files_completion_free(completion); /* of the upload */
            completion = fixture_wait(&fixture);
        }
        assert_true(faults_struck());
        assert_int_equal(completion->event, errors[i] == EIO ? FILES_FAILED : FILES_READ);
        assert_int_equal(completion->error, errors[i] == EIO ? SP_EIO : SP_OK);
        if (completion->event == FILES_READ) {
            assert_memory_equal(completion->data, data, 100000);
        }
        files_completion_free(completion);
        files_download_release(download);
    }
    faults_disarm();
    fixture_deinit(&fixture);
    free(data);
}

/* Where LETTER stands last in RECORD. */
static size_t last_of(const char *record, char letter)
{
    const char *at = strrchr(record, letter);
    assert_non_null(at);
    return (size_t)(at - record);
}

/*
 * One batch of 50: every file is written, then every file synced, then every one renamed, then the
 * two directories synced, once. The bucket is new: that costs one more sync before the renames.
 */
static void test_order_and_number_of_syncs(void **state)
{
    uint8_t *data = make_bytes(20000, 1);
    unsigned counts[256] = {0};
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, 1, false);
    for (unsigned i = 0; i < 50; i++) {
        files_upload_release(send_file(&fixture, i, 20000, data, 20000, CHUNK_BYTES));
    }
    faults_arm(FAULTS_WRITE, 0, 0);
    assert_int_equal(files_start(fixture.files), SP_OK);
    for (unsigned i = 0; i < 50; i++) {
        struct files_completion *end = wait_end(&fixture);
        assert_int_equal(end->event, FILES_SEALED);
        files_completion_free(end);
    }
    const char *record = faults_record();
    for (size_t i = 0; record[i] != '\0'; i++) {
        counts[(unsigned char)record[i]]++;
    }
    assert_int_equal(counts['w'], 50);
    assert_int_equal(counts['s'], 50);
    assert_int_equal(counts['r'], 50);
    assert_int_equal(counts['d'], 3);
    size_t first_rename = strcspn(record, "r");
    size_t end = strlen(record);
    assert_true(last_of(record, 'w') < strcspn(record, "s"));
    assert_true(last_of(record, 's') < first_rename);
    assert_true(strcspn(record, "d") < first_rename);
    assert_string_equal(record + end - 3, "rdd");
    fixture_deinit(&fixture);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_call_fails_once),
        cmocka_unit_test(test_neither_rename_nor_link),
        cmocka_unit_test(test_error_of_early_writeback),
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_order_and_number_of_syncs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
