/*
 * A log whose history begins anew somewhere: after a restored backup, or because the user has given
 * up what was seen. Until that place is found the log is stale; what is missing is counted in its
 * row, so that it is known after a kill, too.
 */
#include <string.h>

#include "base/clock.h"
#include "client/store.h"

/* Where what is known of FOUND begins, as far as it is kept. */
static enum sp_error plan_reconciling(struct sp_store *store, const struct store_log *found,
                                      uint64_t seen, struct store_plan *out)
{
    uint64_t first = 0;
    enum sp_error error =
        store_number(store, &first,
                     "SELECT min(sequence) FROM (SELECT min(sequence) AS sequence FROM"
                     " events WHERE log = ?1 UNION ALL SELECT min(sequence) FROM posted"
                     " WHERE log = ?1)",
                     "i", found->number);

    first = first > 0 ? first - 1 : found->sequence;
    out->after = seen > LIMIT_STORE_EVENTS_PER_LOG && seen - LIMIT_STORE_EVENTS_PER_LOG > first
                     ? seen - LIMIT_STORE_EVENTS_PER_LOG
                     : first;
    out->reconcile = out->catch_up = error == SP_OK;
    return error;
}

void store_plan(struct sp_store *store, const char *log, struct store_plan *out)
{
    struct store_log found;
    uint64_t seen = 0;

    *out = (struct store_plan){0};
    store_flush(store);
    if (store_find(store, log, &found) != SP_OK) {
        return;
    }
    enum sp_error error = store_last_seen(store, &found, &seen);
    out->log = found.id;
    if (error == SP_OK && found.stale) {
        error = plan_reconciling(store, &found, seen, out);
    } else if (!found.stale) {
        out->seen = seen;
        out->after = found.sequence;
        out->catch_up = found.sequence > 0;
    }
    if (error != SP_OK) {
        store_fail(store, error);
    }
}

enum sp_error store_fork(struct sp_store *store, const struct store_log *log, uint64_t first)
{
    static const char offer_again[] =
        "INSERT OR IGNORE INTO outbox(kind, log, client_id, salt, text, created_ms, held, error,"
        " reason) SELECT 1, ?, client_id, salt, text, created_ms, 1, ?,"
        " 'the server has had it, and lacks it now' FROM posted WHERE log = ? AND sequence >= ?"
        " ORDER BY sequence";
    uint64_t seen = 0;
    enum sp_error error = store_last_seen(store, log, &seen);

    if (error != SP_OK || first > seen) {
        return error;
    }
    error = store_execute(store, offer_again, "tiiu", log->name, (int64_t)SP_ENOTFOUND, log->number,
                          first);
    if (error == SP_OK) {
        error = store_execute(store,
                              "UPDATE logs SET own = own + ?, missing = missing + ?, missing_first"
                              " = ? WHERE no = ?",
                              "iuui", db_changes(store->db), seen - first + 1, first, log->number);
    }
    if (error == SP_OK) {
        error = store_execute(store, "DELETE FROM posted WHERE log = ? AND sequence >= ?", "iu",
                              log->number, first);
    }
    if (error == SP_OK) {
        error = store_execute(store, "DELETE FROM events WHERE log = ? AND sequence >= ?", "iu",
                              log->number, first);
    }
    /* The rest of what was seen counts only once. */
    return error != SP_OK
               ? error
               : store_execute(store, "UPDATE logs SET sequence = ? WHERE no = ? AND sequence >= ?",
                               "uiu", first - 1, log->number, first);
}

static enum sp_error read_missing(struct sp_store *store, const struct store_log *log,
                                  struct sp_history *out)
{
    struct statement *statement = NULL;
    enum sp_error error =
        store_query(store, &statement, "SELECT missing_first, missing, own FROM logs WHERE no = ?",
                    "i", log->number);

    *out = (struct sp_history){0};
    if (error != SP_OK) {
        return error;
    }
    if (statement_next(statement)) {
        out->first = statement_get_u64(statement);
        out->missing = statement_get_u64(statement);
        out->own = statement_get_u64(statement);
        out->seen = out->missing > 0 ? out->first + out->missing - 1 : 0;
    }
    error = statement_finish(statement);
    statement_free(statement);
    return error;
}

static enum sp_error reconcile(struct sp_store *store, const struct id *id, uint64_t head_sequence,
                               const struct digest *head, struct sp_history *out)
{
    struct store_log log;
    enum sp_error error = store_find_id(store, id, &log);

    *out = (struct sp_history){0};
    if (error != SP_OK || !log.stale) { /* another process has done it */
        return error;
    }
    error = store_fork(store, &log, head_sequence + 1);
    if (error == SP_OK) {
        error = read_missing(store, &log, out);
    }
    return error != SP_OK
               ? error
               : store_execute(store,
                               "UPDATE logs SET sequence = ?, hash = ?, seen_ms = ?, stale = 0,"
                               " refused_at = 0, missing_first = 0, missing = 0, own = 0"
                               " WHERE no = ?",
                               "ubii", head_sequence, head->bytes, sizeof head->bytes,
                               clock_wall_ms(clock_system()), log.number);
}

bool store_reconciled(struct sp_store *store, const struct id *id, uint64_t head_sequence,
                      const struct digest *head, struct sp_history *out)
{
    *out = (struct sp_history){0};
    store_flush(store);
    if (store->trouble[0] != '\0' || store->kept != NULL) {
        return false; /* not all of it was compared: once more, next time */
    }
    enum sp_error error = store_begin(store);
    if (error == SP_OK) {
        error = reconcile(store, id, head_sequence, head, out);
        error = store_end(store, error);
    }
    if (error != SP_OK) {
        store_fail(store, error);
        *out = (struct sp_history){0};
    }
    return out->missing > 0;
}

/* As if all of it were read and nothing found; stale on, for whoever has the name or the id next.
 */
static enum sp_error give_up(struct sp_store *store, const struct id *id, struct sp_history *out)
{
    struct store_log log;
    enum sp_error error = store_find_id(store, id, &log);

    *out = (struct sp_history){0};
    if (error != SP_OK || !log.stale) {
        return error;
    }
    error = store_fork(store, &log, 1);
    if (error == SP_OK) {
        error = read_missing(store, &log, out);
    }
    return error != SP_OK
               ? error
               : store_execute(
                     store, "UPDATE logs SET missing_first = 0, missing = 0, own = 0 WHERE no = ?",
                     "i", log.number);
}

bool store_gone(struct sp_store *store, const struct id *id, struct sp_history *out)
{
    *out = (struct sp_history){0};
    store_flush(store);
    enum sp_error error = store_begin(store);
    if (error == SP_OK) {
        error = give_up(store, id, out);
        error = store_end(store, error);
    }
    if (error != SP_OK) {
        store_fail(store, error);
        *out = (struct sp_history){0};
    }
    return out->missing > 0;
}
