/* What is known of each log. */
#include <stdio.h>
#include <string.h>

#include "client/store.h"

#define LOG_COLUMNS "logs.no, id, name, sequence, ifnull(hash, zeroblob(32)), stale, refused_at"

/* ---- Finding ---- */

static enum sp_error read_log(struct statement *statement, struct store_log *out)
{
    bool found = statement_next(statement);

    *out = (struct store_log){0};
    if (found) {
        out->number = statement_get_i64(statement);
        statement_get_bytes(statement, out->id.bytes, ID_BYTES);
        statement_get_text(statement, out->name, sizeof out->name);
        out->sequence = statement_get_u64(statement);
        statement_get_bytes(statement, out->hash.bytes, DIGEST_BYTES);
        out->stale = statement_get_i64(statement) != 0;
        out->refused_at = statement_get_u64(statement);
    }
    enum sp_error error = statement_finish(statement);
    statement_free(statement);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

enum sp_error store_find_id(struct sp_store *store, const struct id *id, struct store_log *out)
{
    struct statement *statement = NULL;
    enum sp_error error =
        store_query(store, &statement, "SELECT " LOG_COLUMNS " FROM logs WHERE id = ?", "b",
                    id->bytes, sizeof id->bytes);

    *out = (struct store_log){0};
    return error != SP_OK ? error : read_log(statement, out);
}

static enum sp_error find_name(struct sp_store *store, const char *name, struct store_log *out)
{
    struct statement *statement = NULL;
    enum sp_error error = name[0] == '\0'
                              ? SP_ENOTFOUND
                              : store_query(store, &statement,
                                            "SELECT " LOG_COLUMNS " FROM logs WHERE name = ?"
                                            " AND name <> ''",
                                            "t", name);

    *out = (struct store_log){0};
    return error != SP_OK ? error : read_log(statement, out);
}

enum sp_error store_find(struct sp_store *store, const char *log, struct store_log *out)
{
    struct id id;

    if (strlen(log) == ID_HEX_BYTES - 1 && hex_decode(log, id.bytes, ID_BYTES) == SP_OK) {
        return store_find_id(store, &id, out);
    }
    return find_name(store, log + (log[0] == '#' ? 1 : 0), out);
}

/* ---- Noting ---- */

/*
 * The log that had NAME is no more, since a backup was restored that does not know it: another one
 * has the name now. What was seen of it is found to be missing under that one, as NUMBER.
 */
static enum sp_error retire(struct sp_store *store, const struct store_log *old, int64_t number)
{
    enum sp_error error = store_fork(store, old, 1);

    if (error == SP_OK) {
        error = store_execute(store,
                              "UPDATE logs SET stale = 1, (missing_first, missing, own) ="
                              " (SELECT missing_first, missing, own FROM logs WHERE no = ?)"
                              " WHERE no = ?",
                              "ii", old->number, number);
    }
    return error != SP_OK
               ? error
               : store_execute(store, "UPDATE logs SET name = '', sequence = 0 WHERE no = ?", "i",
                               old->number);
}

static enum sp_error add_log(struct sp_store *store, const struct id *id, int kind,
                             const char *name, struct store_log *out)
{
    struct store_log old;
    enum sp_error found = find_name(store, name, &old);

    if (found != SP_OK && found != SP_ENOTFOUND) {
        return found;
    }
    if (found == SP_OK && !old.stale) {
        return SP_EINTEGRITY;
    }
    uint64_t count = 0; /* none is ever deleted */
    enum sp_error error = store_number(store, &count, "SELECT max(no) FROM logs", "");
    if (error != SP_OK || count >= LIMIT_STORE_LOGS) {
        return error != SP_OK ? error : SP_ELIMIT;
    }
    error = store_execute(store, "INSERT INTO logs(id, kind, name) VALUES(?, ?, '')", "bi",
                          id->bytes, sizeof id->bytes, (int64_t)kind);
    if (error == SP_OK && found == SP_OK) {
        error = retire(store, &old, db_last_row(store->db));
    }
    if (error == SP_OK) {
        error = store_execute(store, "UPDATE logs SET name = ? WHERE id = ?", "tb", name, id->bytes,
                              sizeof id->bytes);
    }
    return error != SP_OK ? error : store_find_id(store, id, out);
}

enum sp_error store_note_log(struct sp_store *store, const struct id *id, int kind,
                             const char *name, struct store_log *out)
{
    enum sp_error error = store_find_id(store, id, out);

    return error == SP_ENOTFOUND ? add_log(store, id, kind, name, out) : error;
}

enum sp_error store_last_seen(struct sp_store *store, const struct store_log *log,
                              uint64_t *sequence)
{
    enum sp_error error = store_number(
        store, sequence, "SELECT max(sequence) FROM posted WHERE log = ?", "i", log->number);

    *sequence = log->sequence > *sequence ? log->sequence : *sequence;
    return error;
}

enum sp_error store_next_stale(struct sp_store *store, int64_t after, struct store_log *out)
{
    struct statement *statement = NULL;
    enum sp_error error =
        store_query(store, &statement,
                    "SELECT " LOG_COLUMNS " FROM logs WHERE no > ? AND stale = 1 AND name <> ''"
                    " AND EXISTS (SELECT 1 FROM posted WHERE log = logs.no) ORDER BY no LIMIT 1",
                    "i", after);

    *out = (struct store_log){0};
    return error != SP_OK ? error : read_log(statement, out);
}

/* ---- sealpost/store.h ---- */

enum sp_error sp_store_find_log(struct sp_store *store, const char *log, struct sp_store_log *out)
{
    struct store_log found;
    struct statement *statement = NULL;

    *out = (struct sp_store_log){.log = {.name = ""}};
    store_flush(store);
    enum sp_error error = store_find(store, log, &found);
    if (error == SP_OK) {
        error = store_query(store, &statement,
                            "SELECT kind, seen_ms, (SELECT ifnull(min(sequence), 0) FROM events"
                            " WHERE log = no), (SELECT count(*) FROM events WHERE log = no)"
                            " FROM logs WHERE no = ?",
                            "i", found.number);
    }
    if (error != SP_OK) {
        return error;
    }
    (void)snprintf(store->name, sizeof store->name, "%s", found.name);
    out->log.name = store->name;
    memcpy(out->log.id, found.id.bytes, ID_BYTES);
    out->log.head_sequence = found.sequence;
    memcpy(out->log.head, found.hash.bytes, DIGEST_BYTES);
    out->refused = found.refused_at > 0;
    out->refused_at = found.refused_at;
    if (statement_next(statement)) {
        out->log.kind = (enum sp_log_kind)statement_get_i64(statement);
        out->seen_ms = statement_get_i64(statement);
        out->first = statement_get_u64(statement);
        out->kept = statement_get_u64(statement);
    }
    error = statement_finish(statement);
    statement_free(statement);
    return error;
}

enum sp_error sp_store_accept(struct sp_store *store, const char *log)
{
    struct store_log found;

    store_flush(store);
    enum sp_error error = store_find(store, log, &found);
    return error != SP_OK
               ? error
               : store_execute(store, "UPDATE logs SET stale = 1, refused_at = 0 WHERE no = ?", "i",
                               found.number);
}
