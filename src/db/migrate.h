/* The version of a database's schema, and how it gets from one to the next. */
#ifndef SP_DB_MIGRATE_H
#define SP_DB_MIGRATE_H

#include "db/db.h"

/*
 * Brings the schema to version COUNT: STEPS[n] takes it from n to n + 1, each in a transaction of
 * its own. On error a sentence in REASON. SP_ECONFIG when the database is newer than this program
 * or has tables although it has no version; else the errors of db_execute().
 */
SP_CHECK enum sp_error db_migrate(struct db *db, const char *const *steps, size_t count,
                                  char *reason, size_t capacity);

#endif
