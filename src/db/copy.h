/*
 * A copy of a database as it is at one moment, while others go on writing to it. For backups.
 */
#ifndef SP_DB_COPY_H
#define SP_DB_COPY_H

#include "db/db.h"

/*
 * Copies SOURCE, a reader, into the new file PATH, mode 0600, which needs no WAL and is synced when
 * this returns; its directory is not. All of it is of the moment of the call: a read transaction
 * keeps it, which holds no commit back, but keeps the WAL from being written back in the meantime.
 * PROGRESS may be NULL. On an error a sentence in REASON, and what there is of PATH is removed.
 * SP_EEXISTS, SP_EFULL, SP_EIO, SP_EFILE, SP_EINTEGRITY, SP_ENOMEM.
 */
SP_CHECK enum sp_error db_copy(struct db *source, const char *path,
                               void (*progress)(void *context, uint64_t done, uint64_t total),
                               void *context, char *reason, size_t capacity);

#endif
