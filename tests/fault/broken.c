/*
 * Makes a correct program one that loses what it has acknowledged, in the way that FAULT_BROKEN
 * says. That is how each test of durability shows that it would find such a mistake: it must fail
 * with this library in front.
 *
 * - ack-first: a COMMIT is said to be done, and is done when the next transaction begins, or a
 *   checkpoint;
 * - sync-normal: the database's writer gets synchronous=NORMAL, so that a commit is not synced;
 * - no-directory-sync: fsync() of a directory does nothing;
 * - no-bucket-sync: fsync() of a directory of stored files does nothing;
 * - no-file-sync: fsync() of a file does nothing.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#define SQL_BYTES 1024

static struct {
    int (*step)(sqlite3_stmt *statement);
    int (*exec)(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **),
                void *context, char **error);
    int (*checkpoint)(sqlite3 *db, const char *name, int mode, int *in_wal, int *written_back);
    int (*fsync)(int fd);
    const char *way;
    pthread_once_t once;
    sqlite3_stmt *late; /* the COMMIT that was said to be done */
} next = {.once = PTHREAD_ONCE_INIT};

static _Thread_local int in_exec; /* whose statements do not last */

static void look_up(void)
{
    *(void **)&next.step = dlsym(RTLD_NEXT, "sqlite3_step");
    *(void **)&next.exec = dlsym(RTLD_NEXT, "sqlite3_exec");
    *(void **)&next.checkpoint = dlsym(RTLD_NEXT, "sqlite3_wal_checkpoint_v2");
    *(void **)&next.fsync = dlsym(RTLD_NEXT, "fsync");
    next.way = getenv("FAULT_BROKEN");
}

static int is_broken(const char *way)
{
    (void)pthread_once(&next.once, look_up);
    return next.way != NULL && strcmp(next.way, way) == 0;
}

static void commit_late(void)
{
    if (next.late != NULL) {
        (void)next.step(next.late);
        (void)sqlite3_reset(next.late);
        next.late = NULL;
    }
}

/* Of the domain's thread, the one writer; threads that only read have transactions too. */
int sqlite3_step(sqlite3_stmt *statement)
{
    sqlite3 *db = sqlite3_db_handle(statement);
    const char *sql = is_broken("ack-first") && sqlite3_db_readonly(db, "main") == 0
                          ? sqlite3_sql(statement)
                          : NULL;

    if (sql != NULL && strcmp(sql, "COMMIT") == 0 && !in_exec) {
        next.late = statement;
        return SQLITE_DONE;
    }
    if (sql != NULL && strcmp(sql, "BEGIN") == 0) {
        commit_late();
    }
    return next.step(statement);
}

int sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *name, int mode, int *in_wal,
                              int *written_back)
{
    (void)is_broken("");
    commit_late();
    return next.checkpoint(db, name, mode, in_wal, written_back);
}

int sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **),
                 void *context, char **error)
{
    static const char full[] = "synchronous = FULL";
    char changed[SQL_BYTES];
    const char *at = is_broken("sync-normal") ? strstr(sql, full) : NULL;

    if (at != NULL) {
        (void)snprintf(changed, sizeof changed, "%.*ssynchronous = NORMAL%s", (int)(at - sql), sql,
                       at + strlen(full));
        sql = changed;
    }
    in_exec++;
    int result = next.exec(db, sql, row, context, error);
    in_exec--;
    return result;
}

/* Whether FD is what FAULT_BROKEN leaves out. */
static int is_left_out(int fd)
{
    char link[64];
    char path[1024] = "";
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return 0;
    }
    if (!S_ISDIR(status.st_mode)) {
        return is_broken("no-file-sync");
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int is_bucket = readlink(link, path, sizeof path - 1) > 0 && strstr(path, "/blobs/") != NULL;
    return is_broken("no-directory-sync") || (is_broken("no-bucket-sync") && is_bucket);
}

int fsync(int fd)
{
    (void)is_broken("");
    return is_left_out(fd) ? 0 : next.fsync(fd);
}
