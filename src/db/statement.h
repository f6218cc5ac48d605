/*
 * A prepared statement with a sticky error. Parameters are bound and columns are read one after the
 * other; the first thing that goes wrong is kept, everything after it does nothing, and
 * statement_finish() returns it. So a query is written without a branch for each value:
 *
 *     statement_bind_i64(statement, number);
 *     bool found = statement_next(statement);
 *     if (found) {
 *         out->size = statement_get_u64(statement);
 *     }
 *     enum sp_error error = statement_finish(statement);
 *
 * Bound bytes are borrowed until statement_finish().
 */
#ifndef SP_DB_STATEMENT_H
#define SP_DB_STATEMENT_H

#include "db/db.h"

struct statement;

/* SP_EINTERNAL when SQL is wrong, SP_ENOMEM, SP_EIO, SP_EINTEGRITY. */
SP_CHECK enum sp_error statement_new(struct db *db, const char *sql, struct statement **out);
void statement_free(struct statement *statement); /* NULL is allowed */

/* The next parameter. */
void statement_bind_i64(struct statement *statement, int64_t value);
void statement_bind_u64(struct statement *statement, uint64_t value); /* up to INT64_MAX */
void statement_bind_blob(struct statement *statement, const void *data, size_t size);
void statement_bind_text(struct statement *statement, const char *text); /* NULL: a null */
void statement_bind_null(struct statement *statement);

/*
 * The next row: true if there is one. False at the end and on an error. Not all parameters bound:
 * SP_EINTERNAL. A constraint that does not hold: SP_EEXISTS.
 */
bool statement_next(struct statement *statement);

/* The next column of the row; zeros and empty after an error. */
int64_t statement_get_i64(struct statement *statement);
uint64_t statement_get_u64(struct statement *statement); /* negative: SP_EINTEGRITY */
/* Exactly SIZE bytes, else SP_EINTEGRITY. */
void statement_get_bytes(struct statement *statement, void *out, size_t size);
/* Text with its NUL; SP_EINTEGRITY when it does not fit CAPACITY or holds a NUL. */
void statement_get_text(struct statement *statement, char *out, size_t capacity);
/* Any bytes, borrowed until the next row; data is NULL for a null. */
struct slice statement_get_slice(struct statement *statement);
void statement_skip(struct statement *statement);

/* Makes the statement ready to be used again. The first error, or SP_OK. */
SP_CHECK enum sp_error statement_finish(struct statement *statement);
/* statement_next() and statement_finish() of one that returns no row. */
SP_CHECK enum sp_error statement_run(struct statement *statement);

#endif
