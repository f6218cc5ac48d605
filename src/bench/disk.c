#include "bench/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/file.h"
#include "bench/process.h"
#include "crypto/digest.h"

#define CHUNK_BYTES (128UL * 1024)
#define CHECKPOINT_ROWS 4096

static enum sp_error complain(const char *path, const char *why)
{
    (void)fprintf(stderr, "sealpost-bench: error: %s: %s\n", path, why);
    return SP_EINTERNAL;
}

static enum sp_error open_database(const char *path, sqlite3 **db, sqlite3_stmt **insert)
{
    static const char setup[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                "PRAGMA wal_autocheckpoint=0;"
                                "CREATE TABLE row (number INTEGER PRIMARY KEY, body BLOB);";
    *db = NULL;
    *insert = NULL;
    if (sqlite3_open(path, db) != SQLITE_OK ||
        sqlite3_exec(*db, setup, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(*db, "INSERT INTO row (body) VALUES (?)", -1, insert, NULL) !=
            SQLITE_OK) {
        return complain(path, sqlite3_errmsg(*db));
    }
    return SP_OK;
}

enum sp_error disk_commits(const char *directory, size_t bytes, uint64_t seconds,
                           struct histogram *latency_ns, double *per_second)
{
    char path[4096];
    sqlite3 *db = NULL;
    sqlite3_stmt *insert = NULL;
    uint64_t count = 0;
    uint8_t *body = calloc(1, bytes);
    *per_second = 0;
    (void)snprintf(path, sizeof path, "%s/floor-%llu.db", directory, (unsigned long long)now_ns());
    enum sp_error error = body == NULL ? SP_ENOMEM : open_database(path, &db, &insert);
    uint64_t start_ns = now_ns();
    uint64_t before_ns = start_ns;
    uint64_t end_ns = start_ns + seconds * 1000000000;
    while (error == SP_OK && before_ns < end_ns) {
        bool good = sqlite3_bind_blob(insert, 1, body, (int)bytes, SQLITE_STATIC) == SQLITE_OK &&
                    sqlite3_step(insert) == SQLITE_DONE && sqlite3_reset(insert) == SQLITE_OK;
        uint64_t after_ns = now_ns();
        error = good ? SP_OK : complain(path, sqlite3_errmsg(db));
        if (latency_ns != NULL) {
            histogram_add(latency_ns, after_ns - before_ns);
        }
        if (++count % CHECKPOINT_ROWS == 0) {
            (void)sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
            after_ns = now_ns();
        }
        before_ns = after_ns;
    }
    *per_second = (double)count / ((double)(before_ns - start_ns) / 1e9);
    (void)sqlite3_finalize(insert);
    (void)sqlite3_close(db);
    (void)unlink(path);
    free(body);
    return error;
}

enum sp_error disk_write_file(const char *directory, uint64_t size, double *per_second)
{
    char path[4096];
    uint8_t *chunk = calloc(1, CHUNK_BYTES);
    enum sp_error error = chunk == NULL ? SP_ENOMEM : SP_OK;
    *per_second = 0;
    (void)snprintf(path, sizeof path, "%s/floor-file", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        error = complain(path, strerrordesc_np(errno));
    }
    uint64_t start_ns = now_ns();
    for (uint64_t done = 0; error == SP_OK && done < size; done += CHUNK_BYTES) {
        uint64_t left = size - done;
        error = file_write_all(fd, chunk, left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES);
    }
    if (error == SP_OK && fsync(fd) != 0) {
        error = complain(path, strerrordesc_np(errno));
    }
    *per_second = (double)size / ((double)(now_ns() - start_ns) / 1e9);
    if (fd >= 0) {
        (void)close(fd);
    }
    (void)unlink(path);
    free(chunk);
    return error;
}

enum sp_error disk_digest(uint64_t size, double *per_second)
{
    struct digest digest;
    struct digest_stream *stream = NULL;
    uint8_t *chunk = calloc(1, CHUNK_BYTES);
    enum sp_error error = chunk == NULL ? SP_ENOMEM : digest_stream_new(&stream);
    *per_second = 0;
    uint64_t start_ns = now_ns();
    for (uint64_t done = 0; error == SP_OK && done < size; done += CHUNK_BYTES) {
        error = digest_stream_update(stream, chunk, CHUNK_BYTES);
    }
    if (error == SP_OK) {
        error = digest_stream_finish(stream, &digest);
    }
    *per_second = (double)size / ((double)(now_ns() - start_ns) / 1e9);
    digest_stream_free(stream);
    free(chunk);
    return error;
}
