#include "domain/census.h"

#include "db/statement.h"

/* A log's events are numbered without gaps: the number of its last is how many there are. */
static const char sql[] =
    "SELECT (SELECT count(*) FROM members), (SELECT count(*) FROM devices),"
    " (SELECT count(*) FROM logs),"
    " (SELECT coalesce(sum((SELECT max(key) FROM events WHERE key BETWEEN l.no << 40"
    " AND (l.no << 40 | 1099511627775)) & 1099511627775), 0) FROM logs l),"
    " (SELECT count(*) FROM files INDEXED BY files_of_log), (SELECT count(*) FROM discards),"
    " (SELECT count(*) FROM logs INDEXED BY logs_kept WHERE keep_seconds + keep_events > 0)";

enum sp_error census_take(const char *path, struct census *out)
{
    struct db *db = NULL;
    struct statement *query = NULL;
    char reason[256];
    enum sp_error error = db_open(path, DB_READER, &db, reason, sizeof reason);

    *out = (struct census){0};
    if (error != SP_OK) {
        return error;
    }
    error = statement_new(db, sql, &query);
    if (error == SP_OK) {
        if (statement_next(query)) {
            out->members = statement_get_u64(query);
            out->devices = statement_get_u64(query);
            out->logs = statement_get_u64(query);
            out->events = statement_get_u64(query);
            out->files = statement_get_u64(query);
            out->blobs_to_erase = statement_get_u64(query);
            out->erased_logs = statement_get_u64(query);
        }
        error = statement_finish(query);
    }
    statement_free(query);
    db_close(db);
    return error;
}
