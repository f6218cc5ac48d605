/*
 * SQLite as Sealpost uses it: one writer connection that alone checkpoints, and read-only ones.
 * Every result of SQLite is translated here into enum sp_error.
 *
 * Durability: WAL with synchronous=FULL, so that a commit that succeeded is on the disk. The
 * automatic checkpoint is off, because it swallows failed syncs: db_checkpoint() is explicit and
 * checked. After a failed sync nothing that the connection says can be trusted any more:
 * db_sync_failed() is then true for ever, and the process must end.
 *
 * DB_SHARED has no WAL: that of SQLite 3.40 may be damaged when two connections write or checkpoint
 * at the same moment. Its journal is emptied and synced at each commit (journal_mode=TRUNCATE), so
 * that a commit is as durable, and nothing of what was deleted waits in a second file.
 *
 * One thread at a time for each connection. Never used by the poll thread.
 */
#ifndef SP_DB_DB_H
#define SP_DB_DB_H

#include "base/base.h"

struct db;

enum db_mode {
    DB_WRITER, /* made with mode 0600 if absent; its directory must exist */
    DB_SHARED, /* likewise, but several processes may write: a rollback journal instead of a WAL */
    DB_READER, /* read-only; the file must exist */
    DB_SNAPSHOT, /* likewise, of a file that nobody uses: makes no WAL and no index beside it, and
                    does not see what is in them */
};

#define DB_MEMORY ":memory:"

/*
 * Opens PATH. On error a sentence in REASON. SP_EFILE (cannot be opened), SP_EINTEGRITY (not a
 * database, or damaged), SP_EFULL, SP_EIO, SP_EBUSY, SP_ENOMEM.
 */
SP_CHECK enum sp_error db_open(const char *path, enum db_mode mode, struct db **out, char *reason,
                               size_t capacity);
/* Closes without a checkpoint; all statements must be freed before. NULL is allowed. */
void db_close(struct db *db);

/* One or several statements without parameters and results. */
SP_CHECK enum sp_error db_execute(struct db *db, const char *sql);

/* Whether a transaction is open. After an error SQLite may have rolled back by itself. */
bool db_in_transaction(const struct db *db);
/* Ends a transaction if one is open. Nothing is left of it, whatever the disk says. */
void db_rollback(struct db *db);

/*
 * A number that has grown whenever a prepared statement that may write was begun, successful or
 * not: as long as it is the same, none has written anything. db_execute() does not count.
 */
uint64_t db_write_count(const struct db *db);

/* How many rows the last INSERT, UPDATE or DELETE changed; the row id of the last INSERT. */
int64_t db_changes(const struct db *db);
int64_t db_last_row(const struct db *db);

enum db_checkpoint_mode {
    DB_CHECKPOINT_PASSIVE,  /* as far as no reader is in the way */
    DB_CHECKPOINT_TRUNCATE, /* all of it, or SP_EBUSY; the WAL is then empty */
    DB_CHECKPOINT_TRY,      /* the same, but waits for no reader */
};

/*
 * Writes the WAL back into the database and syncs both. *COMPLETE tells whether all of it was
 * written back. In memory there is nothing to do. SP_EBUSY, SP_EIO, SP_EFULL.
 */
SP_CHECK enum sp_error db_checkpoint(struct db *db, enum db_checkpoint_mode mode, bool *complete);
/* How many pages of the WAL wait to be written back. */
size_t db_wal_pending(const struct db *db);

/* Whether a sync of the database, its WAL or their directory has ever failed here. */
bool db_sync_failed(const struct db *db);
/* SQLite's own words for the last error, for the log. Borrowed until the next call. */
const char *db_last_message(const struct db *db);

/* Statements that run longer than MS from now on are ended with SP_EBUSY. 0: no deadline. */
void db_set_deadline(struct db *db, int64_t ms);

#endif
