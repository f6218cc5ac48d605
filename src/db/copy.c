#include "db/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <sqlite3.h>

#include "db/internal.h"

#define STEP_PAGES 256 /* between two calls of the progress function */

/* Makes the file, so that nobody else may read it. */
static enum sp_error create(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return errno == EEXIST                      ? SP_EEXISTS
               : errno == ENOSPC || errno == EDQUOT ? SP_EFULL
                                                    : SP_EFILE;
    }
    (void)close(fd);
    return SP_OK;
}

static enum sp_error sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    enum sp_error error = fd >= 0 && fsync(fd) == 0 ? SP_OK : SP_EIO;

    if (fd >= 0) {
        (void)close(fd);
    }
    return error;
}

static int copy_pages(sqlite3 *target, struct db *source,
                      void (*progress)(void *context, uint64_t done, uint64_t total), void *context)
{
    sqlite3_backup *backup = sqlite3_backup_init(target, "main", source->handle, "main");
    int result = backup == NULL ? sqlite3_errcode(target) : SQLITE_OK;

    while (result == SQLITE_OK) {
        result = sqlite3_backup_step(backup, STEP_PAGES);
        if (progress != NULL && (result == SQLITE_OK || result == SQLITE_DONE)) {
            int total = sqlite3_backup_pagecount(backup);
            progress(context, (uint64_t)(total - sqlite3_backup_remaining(backup)),
                     (uint64_t)total);
        }
    }
    int finished = backup == NULL ? result : sqlite3_backup_finish(backup);
    return result == SQLITE_DONE ? finished : result;
}

/* What is at PATH is a whole database in one file, whatever SOURCE's journal is. */
static int fill(sqlite3 *target, struct db *source,
                void (*progress)(void *context, uint64_t done, uint64_t total), void *context)
{
    int result = copy_pages(target, source, progress, context);

    if (result == SQLITE_OK) {
        result = sqlite3_exec(target, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    }
    return result;
}

enum sp_error db_copy(struct db *source, const char *path,
                      void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                      char *reason, size_t capacity)
{
    sqlite3 *handle = NULL;
    struct db target = {0};
    enum sp_error error = create(path);

    reason[0] = '\0';
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s cannot be made: %s", path, error_text(errno));
        return error;
    }
    /* The transaction, and with it the moment, begins with the first read in it. */
    error = db_execute(source, "BEGIN; SELECT count(*) FROM sqlite_master");
    if (error == SP_OK) {
        int result = sqlite3_open_v2(
            path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
            NULL);
        target.handle = handle;
        result = result == SQLITE_OK ? fill(handle, source, progress, context) : result;
        error = db_translate(&target, result);
        if (error != SP_OK) {
            (void)snprintf(reason, capacity, "the database cannot be copied: %s",
                           sqlite3_errmsg(handle));
        }
        result = sqlite3_close(handle);
        error = error == SP_OK ? db_translate(source, result) : error;
    }
    db_rollback(source);
    if (error == SP_OK) {
        error = sync_file(path);
    }
    if (error != SP_OK) {
        (void)unlink(path);
    }
    return error;
}
