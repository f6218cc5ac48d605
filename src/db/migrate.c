#include "db/migrate.h"

#include <stdio.h>

#include "db/statement.h"

static enum sp_error read_number(struct db *db, const char *sql, int64_t *out)
{
    struct statement *statement = NULL;
    enum sp_error error = statement_new(db, sql, &statement);

    *out = 0;
    if (error != SP_OK) {
        return error;
    }
    if (statement_next(statement)) {
        *out = statement_get_i64(statement);
    }
    error = statement_finish(statement);
    statement_free(statement);
    return error;
}

static enum sp_error run_step(struct db *db, const char *sql, size_t version)
{
    char set_version[64];
    int64_t reached = 0;
    enum sp_error error = SP_OK;

    (void)snprintf(set_version, sizeof set_version, "PRAGMA user_version = %zu; COMMIT", version);
    error = db_execute(db, "BEGIN IMMEDIATE");
    if (error == SP_OK) { /* of a shared one, another process may have taken the step meanwhile */
        error = read_number(db, "PRAGMA user_version", &reached);
    }
    if (error == SP_OK && reached >= 0 && (uint64_t)reached >= version) {
        db_rollback(db);
        return SP_OK;
    }
    if (error == SP_OK) {
        error = db_execute(db, sql);
    }
    if (error == SP_OK) {
        error = db_execute(db, set_version);
    }
    if (error != SP_OK) {
        db_rollback(db);
    }
    return error;
}

/* A database without a version must be empty: else it is some other program's. */
static enum sp_error check_version(struct db *db, size_t known, int64_t *version, char *reason,
                                   size_t capacity)
{
    int64_t objects = 0;
    /* In this order: another process may bring a shared one to its first version just now. */
    enum sp_error error = read_number(db, "SELECT count(*) FROM sqlite_master", &objects);

    *version = 0;
    if (error == SP_OK) {
        error = read_number(db, "PRAGMA user_version", version);
    }
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "the database cannot be read: %s", db_last_message(db));
        return error;
    }
    if (*version < 0 || (uint64_t)*version > known) {
        (void)snprintf(reason, capacity,
                       "the database has version %lld, and this program knows up to %zu",
                       (long long)*version, known);
        return SP_ECONFIG;
    }
    if (*version == 0 && objects > 0) {
        (void)snprintf(reason, capacity, "the database belongs to another program");
        return SP_ECONFIG;
    }
    return SP_OK;
}

enum sp_error db_migrate(struct db *db, const char *const *steps, size_t count, char *reason,
                         size_t capacity)
{
    int64_t version = 0;
    enum sp_error error = check_version(db, count, &version, reason, capacity);

    for (size_t i = (size_t)version; error == SP_OK && i < count; i++) {
        error = run_step(db, steps[i], i + 1);
        if (error != SP_OK) {
            (void)snprintf(reason, capacity, "the database cannot be brought to version %zu: %s",
                           i + 1, db_last_message(db));
        }
    }
    return error;
}
