/* What the files of src/db share. SQLite's handle is an incomplete type here: only .c files include
 * it. */
#ifndef SP_DB_INTERNAL_H
#define SP_DB_INTERNAL_H

#include "db/db.h"

struct sqlite3;
struct sqlite3_stmt;

struct db {
    struct sqlite3 *handle;
    struct sqlite3_stmt *rollback; /* prepared: it is wanted most when memory has run out */
    bool in_memory;
    bool sync_failed;
    uint64_t write_count; /* steps of statements that may write */
    size_t wal_pages;     /* after the last commit */
    size_t written_back;  /* of these, by the last checkpoint */
    bool wal_grew;        /* since a checkpoint wrote all of it back */
    int64_t deadline_ms;  /* monotonic; 0: none */
};

/* A result of SQLite as an error of ours; remembers in DB that a sync failed. */
SP_CHECK enum sp_error db_translate(struct db *db, int result);

#endif
