#include <errno.h>

#include <sqlite3.h>

#include "db/internal.h"

/* Extended results that say more than their primary ones. */
static bool is_failed_sync(int result)
{
    switch (result) {
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
    case SQLITE_IOERR_COMMIT_ATOMIC:
        return true;
    default:
        return false;
    }
}

static const struct {
    int primary;
    enum sp_error error;
} translations[] = {
    {SQLITE_OK, SP_OK},
    {SQLITE_ROW, SP_OK},
    {SQLITE_DONE, SP_OK},
    {SQLITE_NOMEM, SP_ENOMEM},
    {SQLITE_FULL, SP_EFULL},
    {SQLITE_BUSY, SP_EBUSY},
    {SQLITE_LOCKED, SP_EBUSY},
    {SQLITE_PROTOCOL, SP_EBUSY},
    {SQLITE_INTERRUPT, SP_EBUSY}, /* the deadline of a reader */
    {SQLITE_CORRUPT, SP_EINTEGRITY},
    {SQLITE_NOTADB, SP_EINTEGRITY},
    {SQLITE_FORMAT, SP_EINTEGRITY},
    {SQLITE_CONSTRAINT, SP_EEXISTS},
    {SQLITE_TOOBIG, SP_ETOOLARGE},
    {SQLITE_IOERR, SP_EIO},
    {SQLITE_READONLY, SP_EIO},
    {SQLITE_PERM, SP_EFILE},
    {SQLITE_CANTOPEN, SP_EFILE},
};

/*
 * SQLite knows one way for a disk to be full; a quota and a limit of the process are others. For a
 * COMMIT it does not keep the cause, so that errno has to do: the write that failed has set it.
 */
static bool is_out_of_room(int result)
{
    int cause = result == SQLITE_IOERR_WRITE ? errno : 0;

    return cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
}

enum sp_error db_translate(struct db *db, int result)
{
    if (is_failed_sync(result)) {
        db->sync_failed = true;
        return SP_EIO;
    }
    if (result == SQLITE_IOERR_NOMEM) {
        return SP_ENOMEM;
    }
    if (is_out_of_room(result)) {
        return SP_EFULL;
    }
    for (size_t i = 0; i < COUNT_OF(translations); i++) {
        if (translations[i].primary == (result & 0xff)) {
            return translations[i].error;
        }
    }
    return SP_EINTERNAL;
}
