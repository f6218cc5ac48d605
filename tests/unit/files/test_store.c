/* The store's directory: made, found again after a crash, swept, refused. */
#include <fcntl.h>
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

#include "fixture.h"

#define BUCKET_FILES 1000 /* as the store has it */

static int setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    assert_non_null(fixture);
    fixture_init(fixture, 1, false);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    free(*state);
    return 0;
}

static void path_of(const struct fixture *fixture, const char *name, char out[160])
{
    (void)snprintf(out, 160, "%s/%s", fixture->directory, name);
}

static void make_directory(const struct fixture *fixture, const char *name)
{
    char path[160];
    path_of(fixture, name, path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_file(const struct fixture *fixture, const char *name)
{
    char path[160];
    path_of(fixture, name, path);
    write_file(path, "left", 4);
}

static void make_blob(const struct fixture *fixture, uint32_t bucket, unsigned number)
{
    char path[160];
    write_file(blob_path(fixture, bucket, number, path), "blob", 4);
}

static bool blob_is_there(const struct fixture *fixture, uint32_t bucket, unsigned number)
{
    return blob_is(fixture, bucket, number, (const uint8_t *)"blob", 4);
}

static void test_modes(void **state)
{
    static const char *const names[] = {".", "incoming", "blobs"};
    struct stat status;
    char path[160];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        path_of(*state, names[i], path);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0700);
    }
}

static void test_incoming_is_emptied(void **state)
{
    struct fixture *fixture = *state;

    fixture_close(fixture);
    make_file(fixture, "incoming/00000000000000000000000000000001");
    make_file(fixture, "incoming/anything");
    fixture_open(fixture);
    assert_int_equal(count_entries(fixture, "incoming"), 0);
}

static enum sp_error try_open(const char *directory, char *reason, size_t capacity)
{
    const struct files_config config = {.directory = directory, .workers = 1};
    struct files *files = NULL;

    enum sp_error error = files_open(&config, &files, reason, capacity);
    assert_true((error == SP_OK) == (files != NULL));
    files_close(files);
    return error;
}

static void test_refused_directories(void **state)
{
    struct fixture *fixture = *state;
    char reason[256];
    char path[160];
    char moved[160];

    fixture_close(fixture);
    path_of(fixture, "no/such/parent", path);
    assert_int_equal(try_open(path, reason, sizeof(reason)), SP_EFILE);
    assert_non_null(strstr(reason, path));
    make_file(fixture, "file");
    path_of(fixture, "file", path);
    assert_int_equal(try_open(path, reason, sizeof(reason)), SP_EFILE);
    make_directory(fixture, "incoming/directory");
    assert_int_equal(try_open(fixture->directory, reason, sizeof(reason)), SP_EFILE);
    assert_non_null(strstr(reason, "incoming"));
    path_of(fixture, "incoming/directory", path);
    assert_int_equal(rmdir(path), 0);
    path_of(fixture, "blobs", path); /* the parts of the store may not be links */
    path_of(fixture, "elsewhere", moved);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(symlink(moved, path), 0);
    assert_int_equal(try_open(fixture->directory, reason, sizeof(reason)), SP_EFILE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(try_open(fixture->directory, reason, sizeof(reason)), SP_OK);
}

static bool is_even(void *context, uint32_t bucket, const struct id *file)
{
    unsigned *asked = context;

    (*asked)++;
    assert_true(bucket == 4 || bucket == 3);
    return file->bytes[ID_BYTES - 1] % 2 == 0;
}

static void test_sweep(void **state)
{
    struct fixture *fixture = *state;
    unsigned asked = 0;

    fixture_close(fixture);
    make_directory(fixture, "blobs/00000002");
    make_directory(fixture, "blobs/00000003");
    make_directory(fixture, "blobs/00000004");
    make_directory(fixture, "blobs/5");          /* not a bucket */
    make_file(fixture, "blobs/00000004/README"); /* not a blob, nor is the next */
    make_file(fixture, "blobs/00000004/ABCDEF00000000000000000000000001");
    for (unsigned number = 1; number <= 4; number++) {
        for (uint32_t bucket = 2; bucket <= 4; bucket++) {
            make_blob(fixture, bucket, number);
        }
    }
    fixture_open(fixture);
    assert_int_equal(files_sweep(fixture->files, is_even, &asked), SP_OK);
    assert_int_equal(asked, 8);
    for (unsigned number = 1; number <= 4; number++) {
        assert_true(blob_is_there(fixture, 2, number)); /* not one of the newest two */
        assert_true(blob_is_there(fixture, 3, number) == (number % 2 == 0));
        assert_true(blob_is_there(fixture, 4, number) == (number % 2 == 0));
    }
    assert_int_equal(count_entries(fixture, "blobs/00000004"), 4);
}

static uint32_t store_one(struct fixture *fixture, unsigned number)
{
    uint8_t *data = make_bytes(20000, number);

    files_upload_release(send_file(fixture, number, 20000, data, 20000, CHUNK_BYTES));
    struct files_completion *end = wait_end(fixture);
    uint32_t bucket = end->bucket;
    assert_int_equal(end->event, FILES_SEALED);
    assert_true(blob_is(fixture, bucket, number, data, 20000));
    files_completion_free(end);
    free(data);
    return bucket;
}

/* The count goes on where the last run left it, less what was swept. */
static void test_buckets_fill_up(void **state)
{
    struct fixture *fixture = *state;

    fixture_close(fixture);
    make_directory(fixture, "blobs/00000007");
    for (unsigned number = 1; number <= BUCKET_FILES - 2; number++) {
        make_blob(fixture, 7, number);
    }
    fixture_open(fixture);
    assert_int_equal(files_start(fixture->files), SP_OK);
    assert_int_equal(store_one(fixture, 5001), 7);
    assert_int_equal(store_one(fixture, 5002), 7);
    assert_int_equal(store_one(fixture, 5003), 8);
    assert_int_equal(store_one(fixture, 5004), 8);
    fixture_close(fixture);
    fixture_open(fixture);
    assert_int_equal(files_start(fixture->files), SP_OK);
    assert_int_equal(store_one(fixture, 5005), 8);
}

static bool knows_nothing(void *context, uint32_t bucket, const struct id *file)
{
    (void)context;
    (void)bucket;
    (void)file;
    return false;
}

/* What was swept no longer fills its bucket. */
static void test_swept_bucket_has_room(void **state)
{
    struct fixture *fixture = *state;

    fixture_close(fixture);
    make_directory(fixture, "blobs/00000007");
    for (unsigned number = 1; number <= BUCKET_FILES; number++) {
        make_blob(fixture, 7, number);
    }
    fixture_open(fixture);
    assert_int_equal(files_sweep(fixture->files, knows_nothing, NULL), SP_OK);
    assert_int_equal(files_start(fixture->files), SP_OK);
    assert_int_equal(store_one(fixture, 5001), 7);
}

static void test_crash_before_the_commit(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(files_sweep(fixture->files, knows_nothing, NULL), SP_OK); /* an empty store */
    assert_int_equal(files_start(fixture->files), SP_OK);
    assert_int_equal(store_one(fixture, 1), 1);
    fixture_close(fixture);
    fixture_open(fixture);
    assert_int_equal(files_sweep(fixture->files, knows_nothing, NULL), SP_OK);
    assert_int_equal(count_blobs(fixture), 0);
    assert_int_equal(files_start(fixture->files), SP_OK);
    assert_int_equal(store_one(fixture, 1), 1); /* the same file, sent again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_incoming_is_emptied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buckets_fill_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_swept_bucket_has_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_before_the_commit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
