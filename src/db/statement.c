#include "db/statement.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "db/internal.h"

struct statement {
    struct db *db;
    sqlite3_stmt *handle;
    int parameters; /* that the SQL has */
    bool may_write; /* to the database: BEGIN, SAVEPOINT and so on do not */
    int bound;
    int column; /* the next to be read */
    bool started;
    bool has_row;
    enum sp_error error;
};

enum sp_error statement_new(struct db *db, const char *sql, struct statement **out)
{
    struct statement *statement = calloc(1, sizeof *statement);
    const char *rest = NULL;

    *out = NULL;
    if (statement == NULL) {
        return SP_ENOMEM;
    }
    int result = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                    &statement->handle, &rest);
    enum sp_error error = db_translate(db, result);
    if (error == SP_OK && (statement->handle == NULL || *rest != '\0')) {
        error = SP_EINTERNAL; /* not exactly one statement */
    }
    if (error != SP_OK) {
        statement_free(statement);
        return error;
    }
    statement->db = db;
    statement->may_write = sqlite3_stmt_readonly(statement->handle) == 0;
    statement->parameters = sqlite3_bind_parameter_count(statement->handle);
    *out = statement;
    return SP_OK;
}

void statement_free(struct statement *statement)
{
    if (statement != NULL) {
        (void)sqlite3_finalize(statement->handle);
        free(statement);
    }
}

static void fail(struct statement *statement, enum sp_error error)
{
    if (statement->error == SP_OK) {
        statement->error = error;
    }
}

/* The index of the parameter to bind now; 0: an earlier error, or there is none left. */
static int next_parameter(struct statement *statement)
{
    if (statement->error != SP_OK) {
        return 0;
    }
    if (statement->started || statement->bound >= statement->parameters) {
        fail(statement, SP_EINTERNAL);
        return 0;
    }
    return ++statement->bound;
}

static void check_bind(struct statement *statement, int result)
{
    if (result != SQLITE_OK) {
        fail(statement, db_translate(statement->db, result));
    }
}

void statement_bind_i64(struct statement *statement, int64_t value)
{
    int index = next_parameter(statement);

    if (index > 0) {
        check_bind(statement, sqlite3_bind_int64(statement->handle, index, value));
    }
}

void statement_bind_u64(struct statement *statement, uint64_t value)
{
    if (value > INT64_MAX) {
        fail(statement, SP_EINVALID);
    }
    statement_bind_i64(statement, (int64_t)value);
}

void statement_bind_blob(struct statement *statement, const void *data, size_t size)
{
    int index = next_parameter(statement);

    if (index > 0) {
        /* An empty blob is not a null: so it needs some address. */
        check_bind(statement, sqlite3_bind_blob64(statement->handle, index, size > 0 ? data : "",
                                                  size, SQLITE_STATIC));
    }
}

void statement_bind_text(struct statement *statement, const char *text)
{
    int index = next_parameter(statement);

    if (index > 0) {
        check_bind(statement, sqlite3_bind_text(statement->handle, index, text, -1, SQLITE_STATIC));
    }
}

void statement_bind_null(struct statement *statement)
{
    int index = next_parameter(statement);

    if (index > 0) {
        check_bind(statement, sqlite3_bind_null(statement->handle, index));
    }
}

bool statement_next(struct statement *statement)
{
    statement->has_row = false;
    statement->column = 0;
    if (!statement->started && statement->bound != statement->parameters) {
        fail(statement, SP_EINTERNAL);
    }
    if (statement->error != SP_OK) {
        return false;
    }
    statement->started = true;
    statement->db->write_count += statement->may_write ? 1 : 0;
    int result = sqlite3_step(statement->handle);
    if (result == SQLITE_ROW) {
        statement->has_row = true;
    } else if (result != SQLITE_DONE) {
        fail(statement, db_translate(statement->db, result));
    }
    return statement->has_row;
}

/* The column to read now; -1: an earlier error, or there is none left. */
static int next_column(struct statement *statement)
{
    if (statement->error != SP_OK) {
        return -1;
    }
    if (!statement->has_row || statement->column >= sqlite3_column_count(statement->handle)) {
        fail(statement, SP_EINTERNAL);
        return -1;
    }
    return statement->column++;
}

int64_t statement_get_i64(struct statement *statement)
{
    int column = next_column(statement);

    return column < 0 ? 0 : sqlite3_column_int64(statement->handle, column);
}

uint64_t statement_get_u64(struct statement *statement)
{
    int64_t value = statement_get_i64(statement);

    if (value < 0) {
        fail(statement, SP_EINTEGRITY);
        return 0;
    }
    return (uint64_t)value;
}

struct slice statement_get_slice(struct statement *statement)
{
    struct slice slice = {NULL, 0};
    int column = next_column(statement);

    if (column < 0 || sqlite3_column_type(statement->handle, column) == SQLITE_NULL) {
        return slice;
    }
    slice.data = sqlite3_column_blob(statement->handle, column);
    slice.size = (size_t)sqlite3_column_bytes(statement->handle, column);
    if (slice.data == NULL) {
        /* SQLite has no address for an empty value, and none either when memory ran out. */
        if (sqlite3_errcode(statement->db->handle) == SQLITE_NOMEM) {
            fail(statement, SP_ENOMEM);
        }
        slice = (struct slice){(const uint8_t *)"", 0};
    }
    return slice;
}

void statement_get_bytes(struct statement *statement, void *out, size_t size)
{
    struct slice slice = statement_get_slice(statement);

    memset(out, 0, size);
    if (statement->error != SP_OK) {
        return;
    }
    if (slice.data == NULL || slice.size != size) {
        fail(statement, SP_EINTEGRITY);
        return;
    }
    memcpy(out, slice.data, size);
}

void statement_get_text(struct statement *statement, char *out, size_t capacity)
{
    struct slice slice = statement_get_slice(statement);

    memset(out, 0, capacity);
    if (statement->error != SP_OK || slice.data == NULL) {
        return;
    }
    if (slice.size >= capacity || memchr(slice.data, '\0', slice.size) != NULL) {
        fail(statement, SP_EINTEGRITY);
        return;
    }
    memcpy(out, slice.data, slice.size);
}

void statement_skip(struct statement *statement)
{
    (void)next_column(statement);
}

enum sp_error statement_finish(struct statement *statement)
{
    enum sp_error error = statement->error;

    /* Repeats the error of the last step, which is known already. */
    (void)sqlite3_reset(statement->handle);
    statement->bound = 0;
    statement->column = 0;
    statement->started = false;
    statement->has_row = false;
    statement->error = SP_OK;
    return error;
}

enum sp_error statement_run(struct statement *statement)
{
    if (statement_next(statement)) {
        fail(statement, SP_EINTERNAL);
    }
    return statement_finish(statement);
}
