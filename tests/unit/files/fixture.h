/* A store in a directory of its own, bytes to put into it, and ways to look at what is there. */
#ifndef SP_TESTS_FILES_FIXTURE_H
#define SP_TESTS_FILES_FIXTURE_H

#include <pthread.h>

#include "files/files.h"

#define CHUNK_BYTES LIMIT_RAW_BYTES
#define CREDIT_BYTES TRANSFER_WINDOW_BYTES

struct fixture {
    char directory[64];
    struct files *files;
    unsigned workers;
    uint64_t reserve_bytes;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool notified;
    unsigned notify_count;
    struct files_completion *waiting; /* taken from the store, not looked at yet */
};

/* Makes a directory and opens a store in it; START: and starts its workers. Fails the test. */
void fixture_init(struct fixture *fixture, unsigned workers, bool start);
/* A store in a directory that is there. */
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
/* Closes, and removes the directory with all that is in it. */
void fixture_deinit(struct fixture *fixture);

/* The next completion, the caller's to free. Fails the test after a while. */
struct files_completion *fixture_wait(struct fixture *fixture);
/* Whether nothing has come and nothing comes for a moment. */
bool fixture_is_quiet(struct fixture *fixture);

/* SIZE bytes that depend on SEED; freed with free(). */
uint8_t *make_bytes(size_t size, unsigned seed);
struct digest digest_bytes(const void *data, size_t size);
struct id make_id(unsigned number);

/* All of DATA in chunks, with the size DECLARED, and the commit; returns the handle. */
struct upload *send_file(struct fixture *fixture, unsigned number, uint64_t declared,
                         const uint8_t *data, size_t size, size_t chunk);
/* The last completion of a transfer (FILES_SEALED or FILES_FAILED); those before are freed. */
struct files_completion *wait_end(struct fixture *fixture);

/* How many entries DIRECTORY/NAME has; 0 when it is not there. */
unsigned count_entries(const struct fixture *fixture, const char *name);
/* How many blobs are in all buckets. */
unsigned count_blobs(const struct fixture *fixture);
/* The path of a blob. */
const char *blob_path(const struct fixture *fixture, uint32_t bucket, unsigned number,
                      char out[160]);
/* Whether the blob's file has these bytes, the right mode and one name. */
bool blob_is(const struct fixture *fixture, uint32_t bucket, unsigned number, const uint8_t *data,
             size_t size);
void write_file(const char *path, const void *data, size_t size);

#endif
