#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/digest.h"

#define WAIT_SECONDS 60

static void notify(void *context)
{
    struct fixture *fixture = context;

    (void)pthread_mutex_lock(&fixture->mutex);
    fixture->notified = true;
    fixture->notify_count++;
    (void)pthread_cond_signal(&fixture->changed);
    (void)pthread_mutex_unlock(&fixture->mutex);
}

void fixture_open(struct fixture *fixture)
{
    const struct files_config config = {.directory = fixture->directory,
                                        .workers = fixture->workers,
                                        .reserve_bytes = fixture->reserve_bytes,
                                        .notify = notify,
                                        .context = fixture};
    char reason[256] = "";

    if (files_open(&config, &fixture->files, reason, sizeof(reason)) != SP_OK) {
        fail_msg("%s", reason);
    }
}

void fixture_init(struct fixture *fixture, unsigned workers, bool start)
{
    *fixture = (struct fixture){.workers = workers, .directory = "/tmp/sealpost-files-XXXXXX"};
    assert_non_null(mkdtemp(fixture->directory));
    assert_int_equal(pthread_mutex_init(&fixture->mutex, NULL), 0);
    assert_int_equal(pthread_cond_init(&fixture->changed, NULL), 0);
    fixture_open(fixture);
    if (start) {
        assert_int_equal(files_start(fixture->files), SP_OK);
    }
}

void fixture_close(struct fixture *fixture)
{
    files_close(fixture->files);
    fixture->files = NULL;
    while (fixture->waiting != NULL) {
        files_completion_free(fixture_wait(fixture));
    }
}

static void remove_tree(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, NULL);

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char inner[512];
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            (void)snprintf(inner, sizeof(inner), "%s/%s", path, name);
            if (unlink(inner) != 0) {
                remove_tree(inner);
            }
        }
        free(entries[i]);
    }
    free(entries);
    (void)rmdir(path);
}

void fixture_deinit(struct fixture *fixture)
{
    fixture_close(fixture);
    remove_tree(fixture->directory);
    (void)pthread_cond_destroy(&fixture->changed);
    (void)pthread_mutex_destroy(&fixture->mutex);
}

static bool wait_for_notice(struct fixture *fixture, long milliseconds)
{
    struct timespec until;
    int result = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += milliseconds % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&fixture->mutex);
    while (!fixture->notified && result == 0) {
        result = pthread_cond_timedwait(&fixture->changed, &fixture->mutex, &until);
    }
    bool notified = fixture->notified;
    fixture->notified = false;
    (void)pthread_mutex_unlock(&fixture->mutex);
    return notified;
}

struct files_completion *fixture_wait(struct fixture *fixture)
{
    while (fixture->waiting == NULL) {
        fixture->waiting = files_take(fixture->files);
        if (fixture->waiting == NULL && !wait_for_notice(fixture, WAIT_SECONDS * 1000L)) {
            fail_msg("nothing came for %d seconds", WAIT_SECONDS);
        }
    }
    struct files_completion *completion = fixture->waiting;
    fixture->waiting = files_completion_next(completion);
    return completion;
}

bool fixture_is_quiet(struct fixture *fixture)
{
    for (int i = 0; i < 3 && fixture->waiting == NULL; i++) {
        (void)wait_for_notice(fixture, 20);
        fixture->waiting = files_take(fixture->files);
    }
    return fixture->waiting == NULL;
}

uint8_t *make_bytes(size_t size, unsigned seed)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    uint32_t state = seed * 2654435761U + 1;

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525U + 1013904223U;
        bytes[i] = (uint8_t)(state >> 24);
    }
    return bytes;
}

struct digest digest_bytes(const void *data, size_t size)
{
    const struct slice slice = {data, size};
    struct digest digest;

    assert_int_equal(digest_of(&slice, 1, &digest), SP_OK);
    return digest;
}

struct id make_id(unsigned number)
{
    struct id id = {{0}};

    /* The first bytes choose the worker: spread. */
    id.bytes[1] = (uint8_t)number;
    for (size_t i = 0; i < sizeof(number); i++) {
        id.bytes[ID_BYTES - 1 - i] = (uint8_t)(number >> (8 * i));
    }
    return id;
}

struct upload *send_file(struct fixture *fixture, unsigned number, uint64_t declared,
                         const uint8_t *data, size_t size, size_t chunk)
{
    struct id file = make_id(number);
    struct digest digest = digest_bytes(data, size);
    struct upload *upload = NULL;

    assert_int_equal(
        files_upload_begin(fixture->files, number, &file, declared, CREDIT_BYTES, &upload), SP_OK);
    for (size_t at = 0; at < size; at += chunk) {
        size_t part = size - at < chunk ? size - at : chunk;
        assert_int_equal(files_upload_write(upload, data + at, part), SP_OK);
    }
    assert_int_equal(files_upload_commit(upload, size, &digest), SP_OK);
    return upload;
}

struct files_completion *wait_end(struct fixture *fixture)
{
    for (;;) {
        struct files_completion *completion = fixture_wait(fixture);
        if (completion->event == FILES_SEALED || completion->event == FILES_FAILED) {
            return completion;
        }
        files_completion_free(completion);
    }
}

unsigned count_entries(const struct fixture *fixture, const char *name)
{
    char path[160];
    unsigned count = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    DIR *stream = opendir(path);
    if (stream == NULL) {
        return 0;
    }
    while (readdir(stream) != NULL) { /* NOLINT(concurrency-mt-unsafe): own stream */
        count++;
    }
    (void)closedir(stream);
    return count - 2;
}

unsigned count_blobs(const struct fixture *fixture)
{
    unsigned buckets = count_entries(fixture, "blobs");
    unsigned count = 0;

    for (unsigned i = 1; i <= buckets; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "blobs/%08u", i);
        count += count_entries(fixture, name);
    }
    return count;
}

const char *blob_path(const struct fixture *fixture, uint32_t bucket, unsigned number,
                      char out[160])
{
    char hex[ID_HEX_BYTES];
    struct id file = make_id(number);

    hex_encode(file.bytes, ID_BYTES, hex);
    (void)snprintf(out, 160, "%s/blobs/%08u/%s", fixture->directory, (unsigned)bucket, hex);
    return out;
}

bool blob_is(const struct fixture *fixture, uint32_t bucket, unsigned number, const uint8_t *data,
             size_t size)
{
    char path[160];
    struct stat status;

    int fd = open(blob_path(fixture, bucket, number, path), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        return false;
    }
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    size_t count = 0;
    ssize_t part = 0;
    while ((part = read(fd, bytes + count, size + 1 - count)) > 0) {
        count += (size_t)part;
    }
    bool same = count == size && memcmp(bytes, data, size) == 0 &&
                (status.st_mode & 07777) == 0600 && status.st_nlink == 1;
    free(bytes);
    (void)close(fd);
    return same;
}

void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wbe");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_int_equal(fclose(file), 0);
}
