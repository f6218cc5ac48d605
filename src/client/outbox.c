/* What could not be sent yet, on the disk before anything else is done about it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/name.h"
#include "client/core.h"
#include "client/outbox_file.h"
#include "client/store.h"

#define ENTRY_COLUMNS                                                                 \
    "no, kind, log, client_id, salt, text, ifnull(path, ''), ifnull(name, ''), size," \
    " ifnull(sha256, zeroblob(32)), created_ms, attempts, held, error, reason"

/* ---- Keeping ---- */

static enum sp_error check_room_left(struct sp_store *store, size_t bytes)
{
    uint64_t entries = 0;
    uint64_t used = 0;
    enum sp_error error = store_number(store, &entries, "SELECT count(*) FROM outbox", "");

    if (error == SP_OK) {
        error = store_number(store, &used, "SELECT ifnull(sum(length(text)), 0) FROM outbox", "");
    }
    return error == SP_OK && (entries >= LIMIT_OUTBOX_ENTRIES || used + bytes > LIMIT_OUTBOX_BYTES)
               ? SP_ELIMIT
               : error;
}

/* The log's name without its '#', as it stands in the table. */
static enum sp_error check_log(const char *log, const char **name)
{
    *name = log + (log[0] == '#' ? 1 : 0);
    return name_check_log(*name, strlen(*name));
}

/* Writes a row of values that the caller has checked. */
static enum sp_error keep(struct sp_store *store, const struct sp_outbox_entry *entry,
                          const struct sp_once *given, uint64_t *number)
{
    bool message = entry->kind == SP_OUTBOX_MESSAGE;
    struct sp_once once;

    *number = 0;
    if (given != NULL) {
        once = *given;
    } else {
        sp_once_new(&once);
    }
    store_flush(store);
    if (store->batch && !db_in_transaction(store->db)) {
        return SP_EIO; /* what was kept in the batch so far is lost, and sp_outbox_commit() says so
                        */
    }
    enum sp_error error = store_begin(store);
    if (error != SP_OK) {
        return error;
    }
    error = check_room_left(store, entry->text_bytes);
    if (error == SP_OK) {
        error = store_execute(
            store,
            "INSERT INTO outbox(kind, log, client_id, salt, text, path, name, size, sha256,"
            " created_ms) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            "itbbbttubi", (int64_t)entry->kind, entry->log, once.client_id, sizeof once.client_id,
            once.salt, sizeof once.salt, message ? entry->text : NULL, entry->text_bytes,
            message ? NULL : entry->path, message ? NULL : entry->name, entry->size,
            message ? NULL : entry->sha256, sizeof entry->sha256, clock_wall_ms(clock_system()));
    }
    int64_t row = db_last_row(store->db);
    error = store_end(store, error);
    *number = error == SP_OK ? (uint64_t)row : 0;
    return error;
}

enum sp_error sp_outbox_keep_message(struct sp_store *store, const char *log,
                                     const struct sp_once *once, const char *text, size_t size,
                                     uint64_t *number)
{
    struct sp_outbox_entry entry = {.kind = SP_OUTBOX_MESSAGE, .text = text, .text_bytes = size};
    enum sp_error error = check_log(log, &entry.log);

    *number = 0;
    if (error == SP_OK && (size == 0 || name_check_text(text, size) != SP_OK)) {
        error = SP_EINVALID;
    }
    if (error == SP_OK && size > LIMIT_RAW_BYTES) {
        error = SP_ETOOLARGE;
    }
    return error == SP_OK ? keep(store, &entry, once, number) : error;
}

enum sp_error sp_outbox_keep_file(struct sp_store *store, const char *log,
                                  const struct sp_once *once, enum sp_outbox_kind kind,
                                  const char *path, const char *name, uint64_t *number,
                                  char *message, size_t capacity)
{
    struct sp_outbox_entry entry = {.kind = kind, .name = name};
    struct digest sha256;
    char *absolute = NULL;
    enum sp_error error = check_log(log, &entry.log);

    *number = 0;
    (void)snprintf(message, capacity, "%s", "");
    if (error == SP_OK) {
        error = name_check_file(name, strlen(name));
    }
    if (error == SP_OK) {
        error = outbox_file_read(path, NULL, &entry.size, &sha256, message, capacity);
    }
    if (error != SP_OK) {
        return error;
    }
    absolute = realpath(path, NULL);
    if (absolute == NULL || strlen(absolute) >= LIMIT_PATH_BYTES) {
        (void)snprintf(message, capacity, "its absolute path cannot be told");
        error = SP_EFILE;
    } else {
        entry.path = absolute;
        memcpy(entry.sha256, sha256.bytes, DIGEST_BYTES);
        error = keep(store, &entry, once, number);
    }
    free(absolute);
    return error;
}

/* ---- Looking ---- */

/* A copy of the text, which the store owns until the next one. */
static enum sp_error keep_text(struct sp_store *store, struct slice text,
                               struct sp_outbox_entry *out)
{
    char *copy = malloc(text.size + 1);

    if (copy == NULL) {
        return SP_ENOMEM;
    }
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    copy[text.size] = '\0';
    free(store->text);
    store->text = copy;
    out->text = copy;
    out->text_bytes = text.size;
    return SP_OK;
}

static enum sp_error read_entry(struct sp_store *store, struct statement *row,
                                struct sp_outbox_entry *out)
{
    out->number = statement_get_u64(row);
    out->kind = (enum sp_outbox_kind)statement_get_i64(row);
    statement_get_text(row, store->name, sizeof store->name);
    statement_get_bytes(row, out->once.client_id, sizeof out->once.client_id);
    statement_get_bytes(row, out->once.salt, sizeof out->once.salt);
    enum sp_error error = keep_text(store, statement_get_slice(row), out);
    statement_get_text(row, store->path_text, sizeof store->path_text);
    statement_get_text(row, store->file_name, sizeof store->file_name);
    out->size = statement_get_u64(row);
    statement_get_bytes(row, out->sha256, sizeof out->sha256);
    out->created_ms = statement_get_i64(row);
    out->attempts = statement_get_u64(row);
    out->held = statement_get_i64(row) != 0;
    out->error = (enum sp_error)statement_get_i64(row);
    statement_get_text(row, store->reason, sizeof store->reason);
    out->log = store->name;
    out->path = store->path_text;
    out->name = store->file_name;
    out->reason = store->reason;
    return error;
}

enum sp_error sp_outbox_next(struct sp_store *store, uint64_t after, struct sp_outbox_entry *out)
{
    store_flush(store);
    return outbox_next(store, after, out);
}

enum sp_error outbox_next(struct sp_store *store, uint64_t after, struct sp_outbox_entry *out)
{
    struct statement *row = NULL;

    *out = (struct sp_outbox_entry){.log = "", .text = "", .path = "", .name = "", .reason = ""};
    enum sp_error error = store_query(
        store, &row, "SELECT " ENTRY_COLUMNS " FROM outbox WHERE no > ? ORDER BY no LIMIT 1", "u",
        after);
    if (error != SP_OK) {
        return error;
    }
    bool found = statement_next(row);
    enum sp_error read = found ? read_entry(store, row, out) : SP_OK;
    error = statement_finish(row);
    statement_free(row);
    error = error == SP_OK ? read : error;
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

enum sp_error sp_outbox_count(struct sp_store *store, uint64_t *waiting, uint64_t *held)
{
    *held = 0;
    store_flush(store);
    enum sp_error error =
        store_number(store, waiting, "SELECT count(*) FROM outbox WHERE held = 0", "");
    return error != SP_OK
               ? error
               : store_number(store, held, "SELECT count(*) FROM outbox WHERE held = 1", "");
}

/* ---- Deciding ---- */

/* SQL changes the entry NUMBER, or with 0 all. */
static enum sp_error change(struct sp_store *store, const char *one, const char *all,
                            uint64_t number)
{
    store_flush(store);
    enum sp_error error =
        number > 0 ? store_execute(store, one, "u", number) : store_execute(store, all, "");

    return error == SP_OK && number > 0 && db_changes(store->db) == 0 ? SP_ENOTFOUND : error;
}

enum sp_error sp_outbox_release(struct sp_store *store, uint64_t number)
{
    return change(store, "UPDATE outbox SET held = 0 WHERE no = ?", "UPDATE outbox SET held = 0",
                  number);
}

enum sp_error sp_outbox_drop(struct sp_store *store, uint64_t number)
{
    return change(store, "DELETE FROM outbox WHERE no = ?", "DELETE FROM outbox", number);
}

/* Own messages are kept for the day on which a restored backup lacks them; only the newest. */
static enum sp_error keep_posted(struct sp_store *store, uint64_t number,
                                 const struct sp_notice *result)
{
    struct store_log log;
    struct id id;

    memcpy(id.bytes, result->log.id, ID_BYTES);
    enum sp_error error = store_note_log(store, &id, (int)result->log.kind, result->log.name, &log);
    if (error == SP_EINTEGRITY) {
        return SP_OK; /* whoever follows it is told */
    }
    if (error == SP_OK) {
        error = store_execute(store,
                              "INSERT OR IGNORE INTO posted(log, sequence, hash, client_id, salt,"
                              " text, created_ms, time_ms) SELECT ?, ?, ?, client_id, salt, text,"
                              " created_ms, ?"
                              " FROM outbox WHERE no = ? AND kind = 1",
                              "iubiu", log.number, result->sequence, result->hash,
                              sizeof result->hash, result->time_ms, number);
    }
    return error != SP_OK
               ? error
               : store_execute(store,
                               "DELETE FROM posted WHERE no <= (SELECT max(no) FROM posted) - ?",
                               "i", (int64_t)LIMIT_STORE_POSTED);
}

enum sp_error outbox_write_sent(struct sp_store *store, uint64_t number,
                                const struct sp_notice *result)
{
    enum sp_error error = SP_OK;

    if (result->log.name[0] != '\0') { /* of a message: a file's result does not name its log */
        error = keep_posted(store, number, result);
    }
    return error == SP_OK ? store_execute(store, "DELETE FROM outbox WHERE no = ?", "u", number)
                          : error;
}

void sp_outbox_sent(struct sp_store *store, uint64_t number, const struct sp_notice *result)
{
    store_sent(store, number, result);
}

enum sp_error sp_outbox_begin(struct sp_store *store)
{
    store_flush(store);
    enum sp_error error = store->batch ? SP_EINVALID : store_begin(store);
    store->batch = store->batch || error == SP_OK;
    return error;
}

enum sp_error sp_outbox_commit(struct sp_store *store)
{
    if (!store->batch) {
        return SP_EINVALID;
    }
    store_flush(store);
    store->batch = false;
    return store_end(store, db_in_transaction(store->db) ? SP_OK : SP_EIO);
}

enum sp_error sp_outbox_failed(struct sp_store *store, uint64_t number, enum sp_error error,
                               const char *reason, bool hold)
{
    store_flush(store);
    return store_execute(store,
                         "UPDATE outbox SET attempts = attempts + 1, error = ?, reason = ?, held ="
                         " ? WHERE no = ?",
                         "itiu", (int64_t)error, reason == NULL ? "" : reason, (int64_t)hold,
                         number);
}

enum sp_error sp_outbox_find_sent(struct sp_store *store, const struct sp_once *once,
                                  struct sp_notice *result)
{
    struct statement *row = NULL;

    core_notice(result, SP_NOTICE_RESULT, 0);
    store_flush(store);
    enum sp_error error = store_query(store, &row,
                                      "SELECT sequence, hash, time_ms FROM posted WHERE client_id"
                                      " = ?",
                                      "b", once->client_id, sizeof once->client_id);
    if (error != SP_OK) {
        return error;
    }
    bool found = statement_next(row);
    if (found) {
        result->sequence = statement_get_u64(row);
        statement_get_bytes(row, result->hash, sizeof result->hash);
        result->time_ms = statement_get_i64(row);
    }
    error = statement_finish(row);
    statement_free(row);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

/* ---- Who drains ---- */

bool outbox_lock(struct sp_store *store)
{
    int result = 0;

    do {
        result = flock(store->lock_fd, LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

void outbox_unlock(struct sp_store *store)
{
    (void)flock(store->lock_fd, LOCK_UN);
}
