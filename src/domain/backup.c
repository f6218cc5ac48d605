#include "domain/backup.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"
#include "db/copy.h"
#include "db/statement.h"
#include "domain/schema.h"
#include "event/event.h"

struct backup {
    struct db *source;
    char *path; /* of the copy */
    struct db *copy;
    int64_t file; /* number of the last one that backup_next_blob() gave */
    struct statement *blobs;
    struct statement *blob;
};

static const char next_blob[] = "SELECT no, id, bucket, size FROM files WHERE bucket > 0 AND no > ?"
                                " ORDER BY no LIMIT 1";

static const char find_blob[] = "SELECT 1 FROM files WHERE id = ? AND bucket = ?";

/* ?1: log, ?2: erased before, ?3: erased now. */
#define ERASED_KEYS "key BETWEEN (?1 << 40 | ?2) + 1 AND (?1 << 40 | ?3)"
static const char *const erasures[] = {
    "UPDATE events SET salt = NULL, body = NULL WHERE " ERASED_KEYS
    " AND substr(header, 3, 2) IN (x'0001', x'0006')",
    "DELETE FROM files WHERE log = ?1 AND sequence > ?2 AND sequence <= ?3",
    "UPDATE logs SET erased = ?3 WHERE no = ?1 AND erased = ?2",
    "DELETE FROM mentions WHERE log = ?1 AND sequence > ?2 AND sequence <= ?3",
};
static_assert(EVENT_MESSAGE == 1 && EVENT_FILE == 6, "the kinds that are erased");

static enum sp_error open_copy(struct backup *backup, char *reason, size_t capacity)
{
    enum sp_error error = db_open(backup->path, DB_READER, &backup->copy, reason, capacity);

    if (error == SP_OK) {
        error = statement_new(backup->copy, next_blob, &backup->blobs);
    }
    return error != SP_OK ? error : statement_new(backup->copy, find_blob, &backup->blob);
}

static void close_copy(struct backup *backup)
{
    statement_free(backup->blobs);
    statement_free(backup->blob);
    backup->blobs = NULL;
    backup->blob = NULL;
    db_close(backup->copy);
    backup->copy = NULL;
}

enum sp_error backup_new(const char *source, const char *target,
                         void (*progress)(void *context, uint64_t done, uint64_t total),
                         void *context, struct backup **out, char *reason, size_t capacity)
{
    struct backup *backup = calloc(1, sizeof *backup);
    enum sp_error error = SP_ENOMEM;

    *out = NULL;
    reason[0] = '\0';
    if (backup != NULL && (backup->path = strdup(target)) != NULL) {
        error = db_open(source, DB_READER, &backup->source, reason, capacity);
    }
    if (error == SP_OK) {
        error = db_copy(backup->source, target, progress, context, reason, capacity);
    }
    if (error == SP_OK) {
        error = open_copy(backup, reason, capacity);
    }
    if (error != SP_OK) {
        if (reason[0] == '\0') {
            (void)snprintf(reason, capacity, "%s", sp_error_text(error));
        }
        backup_free(backup);
        return error;
    }
    *out = backup;
    return SP_OK;
}

void backup_free(struct backup *backup)
{
    if (backup != NULL) {
        close_copy(backup);
        db_close(backup->source);
        free(backup->path);
        free(backup);
    }
}

enum sp_error backup_next_blob(struct backup *backup, struct backup_blob *out)
{
    *out = (struct backup_blob){0};
    statement_bind_i64(backup->blobs, backup->file);
    bool found = statement_next(backup->blobs);
    if (found) {
        backup->file = statement_get_i64(backup->blobs);
        statement_get_bytes(backup->blobs, out->file.bytes, ID_BYTES);
        out->bucket = (uint32_t)statement_get_u64(backup->blobs);
        out->size = statement_get_u64(backup->blobs);
    }
    enum sp_error error = statement_finish(backup->blobs);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

enum sp_error backup_find_blob(struct backup *backup, const struct id *file, uint32_t bucket)
{
    statement_bind_blob(backup->blob, file->bytes, ID_BYTES);
    statement_bind_i64(backup->blob, bucket);
    bool found = statement_next(backup->blob);
    enum sp_error error = statement_finish(backup->blob);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

void backup_rewind(struct backup *backup)
{
    backup->file = 0;
}

/* One of the erasures, in the copy. */
static enum sp_error apply(struct db *copy, const char *sql, int64_t log, int64_t before,
                           int64_t now)
{
    struct statement *statement = NULL;
    enum sp_error error = statement_new(copy, sql, &statement);

    if (error == SP_OK) {
        statement_bind_i64(statement, log);
        statement_bind_i64(statement, before);
        statement_bind_i64(statement, now);
        error = statement_run(statement);
    }
    statement_free(statement);
    return error;
}

/* How many of the erasures there are for COPY: an older server still may be running, which knows
 * no mentions. */
static enum sp_error count_erasures(struct db *copy, size_t *out)
{
    struct statement *query = NULL;
    enum sp_error error =
        statement_new(copy, "SELECT 1 FROM sqlite_schema WHERE name = 'mentions'", &query);

    *out = COUNT_OF(erasures);
    if (error == SP_OK) {
        *out -= statement_next(query) ? 0 : 1;
        error = statement_finish(query);
    }
    statement_free(query);
    return error;
}

static enum sp_error erase_log(struct db *copy, struct statement *erased_of, size_t erasure_count,
                               int64_t log, int64_t now)
{
    statement_bind_i64(erased_of, log);
    bool found = statement_next(erased_of);
    int64_t before = found ? statement_get_i64(erased_of) : now;
    enum sp_error error = statement_finish(erased_of);

    for (size_t i = 0; error == SP_OK && before < now && i < erasure_count; i++) {
        error = apply(copy, erasures[i], log, before, now);
    }
    return error;
}

/* All that SOURCE has erased, in COPY. */
static enum sp_error follow_erasures(struct db *source, struct db *copy)
{
    struct statement *logs = NULL;
    struct statement *erased_of = NULL;
    size_t erasure_count = 0;
    enum sp_error error =
        statement_new(source, "SELECT no, erased FROM logs WHERE erased > 0 ORDER BY no", &logs);

    if (error == SP_OK) {
        error = statement_new(copy, "SELECT erased FROM logs WHERE no = ?", &erased_of);
    }
    if (error == SP_OK) {
        error = count_erasures(copy, &erasure_count);
    }
    while (error == SP_OK && statement_next(logs)) {
        int64_t log = statement_get_i64(logs);
        error = erase_log(copy, erased_of, erasure_count, log, statement_get_i64(logs));
    }
    if (logs != NULL) {
        enum sp_error logs_error = statement_finish(logs);
        error = error == SP_OK ? logs_error : error;
    }
    statement_free(erased_of);
    statement_free(logs);
    return error;
}

static enum sp_error read_info(struct db *db, struct backup_info *info)
{
    struct statement *query = NULL;
    enum sp_error error = statement_new(db,
                                        "SELECT name, incarnation, (SELECT count(*) FROM events),"
                                        " (SELECT count(*) FROM files WHERE bucket > 0) FROM team",
                                        &query);

    *info = (struct backup_info){0};
    if (error != SP_OK) {
        return error;
    }
    bool found = statement_next(query);
    if (found) {
        statement_get_text(query, info->team, sizeof info->team);
        statement_get_bytes(query, info->incarnation.bytes, ID_BYTES);
        info->events = statement_get_u64(query);
        info->files = statement_get_u64(query);
    }
    error = statement_finish(query);
    statement_free(query);
    return error == SP_OK && !found ? SP_EINTEGRITY : error;
}

/* Everything of DB back in one file that needs no WAL. */
static enum sp_error close_writer(struct db *db)
{
    enum sp_error error = db_execute(db, "PRAGMA journal_mode = DELETE");

    db_close(db);
    return error;
}

enum sp_error backup_finish(struct backup *backup, struct backup_info *info, char *reason,
                            size_t capacity)
{
    struct db *writer = NULL;

    reason[0] = '\0';
    *info = (struct backup_info){0};
    close_copy(backup);
    enum sp_error error = db_open(backup->path, DB_WRITER, &writer, reason, capacity);
    if (error == SP_OK) {
        error = db_execute(writer, "BEGIN; DELETE FROM discards");
    }
    if (error == SP_OK) {
        error = follow_erasures(backup->source, writer);
    }
    if (error == SP_OK) {
        error = db_execute(writer, "COMMIT");
    }
    if (error == SP_OK) {
        error = read_info(writer, info);
    }
    if (error != SP_OK && reason[0] == '\0' && writer != NULL) {
        (void)snprintf(reason, capacity, "the copy cannot be finished: %s",
                       db_last_message(writer));
    }
    if (writer != NULL) {
        db_rollback(writer);
        enum sp_error close_error = close_writer(writer);
        error = error == SP_OK ? close_error : error;
    }
    if (error == SP_OK) {
        error = open_copy(backup, reason, capacity);
    }
    if (error != SP_OK && reason[0] == '\0') {
        (void)snprintf(reason, capacity, "the copy cannot be finished: %s", sp_error_text(error));
    }
    return error;
}

enum sp_error backup_incarnate(const char *path, struct id *incarnation, char *reason,
                               size_t capacity)
{
    struct db *db = NULL;
    struct statement *update = NULL;
    enum sp_error error = db_open(path, DB_WRITER, &db, reason, capacity);

    random_id(incarnation);
    if (error != SP_OK) {
        return error;
    }
    error = statement_new(db, "UPDATE team SET incarnation = ?", &update);
    if (error == SP_OK) {
        statement_bind_blob(update, incarnation->bytes, ID_BYTES);
        error = statement_run(update);
    }
    if (error == SP_OK && db_changes(db) != 1) {
        error = SP_EINTEGRITY;
    }
    statement_free(update);
    enum sp_error close_error = close_writer(db);
    error = error == SP_OK ? close_error : error;
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "the incarnation cannot be set: %s", sp_error_text(error));
    }
    return error;
}
