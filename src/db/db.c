#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include <sqlite3.h>

#include "db/internal.h"

#define BUSY_TIMEOUT_MS 2000
#define PROGRESS_STEPS 2000 /* instructions of SQLite between two looks at the deadline */

static const char settings_common[] = "PRAGMA trusted_schema = OFF;"
                                      "PRAGMA cell_size_check = ON;"
                                      "PRAGMA mmap_size = 0;"
                                      "PRAGMA temp_store = MEMORY;";
static const char settings_reader[] = "PRAGMA query_only = ON;"
                                      "PRAGMA cache_size = -8192;"; /* KiB */
static const char settings_writer[] = "PRAGMA synchronous = FULL;"
                                      "PRAGMA secure_delete = ON;"
                                      "PRAGMA foreign_keys = ON;"
                                      "PRAGMA cache_size = -65536;";

static int64_t now_ms(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int count_wal(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = context;

    (void)handle;
    (void)name;
    if ((size_t)pages < db->wal_pages) {
        db->written_back = 0; /* all of the WAL was written back, and it has started anew */
    }
    db->wal_pages = (size_t)pages;
    db->wal_grew = true;
    return SQLITE_OK;
}

static int past_deadline(void *context)
{
    const struct db *db = context;

    return db->deadline_ms != 0 && now_ms() > db->deadline_ms;
}

/* Makes the file before SQLite does, so that nobody else may read it; its WAL gets the same mode.
 */
static enum sp_error create_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return errno == ENOSPC || errno == EDQUOT ? SP_EFULL : SP_EFILE;
    }
    (void)close(fd);
    return SP_OK;
}

static bool may_write(enum db_mode mode)
{
    return mode == DB_WRITER || mode == DB_SHARED;
}

/* PATH as a URI (SQLite: "URI Filenames") that says that nobody changes the file. */
static enum sp_error open_immutable(struct db *db, const char *path, int flags)
{
    size_t capacity = sizeof("file:?immutable=1") + 3 * strlen(path);
    char *uri = malloc(capacity);
    int at = 0;

    if (uri == NULL) {
        return SP_ENOMEM;
    }
    at = snprintf(uri, capacity, "file:");
    for (; *path != '\0'; path++) {
        bool special = strchr("%?#", *path) != NULL;

        at += snprintf(uri + at, capacity - (size_t)at, special ? "%%%02x" : "%c",
                       (unsigned char)*path);
    }
    (void)snprintf(uri + at, capacity - (size_t)at, "?immutable=1");
    int result = sqlite3_open_v2(uri, &db->handle, flags | SQLITE_OPEN_URI, NULL);
    free(uri);
    return db_translate(db, result);
}

static enum sp_error open_handle(struct db *db, const char *path, enum db_mode mode)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (may_write(mode) ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    enum sp_error error = SP_OK;

    if (db->in_memory) {
        flags |= SQLITE_OPEN_CREATE;
    } else if (may_write(mode)) {
        error = create_private(path);
    }
    if (error != SP_OK) {
        return error;
    }
    error = mode == DB_SNAPSHOT ? open_immutable(db, path, flags)
                                : db_translate(db, sqlite3_open_v2(path, &db->handle, flags, NULL));
    if (error != SP_OK) {
        return error;
    }
    if (may_write(mode) && sqlite3_db_readonly(db->handle, "main") == 1) {
        return SP_EFILE; /* what SQLite cannot open for writing, it opens for reading */
    }
    (void)sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    /* The checkpoint at the last close would not be checked: ours is. */
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return SP_OK;
}

/* Whether the database really is in the mode WANTED now, which SQL asks for: SQLite reports a
 * refusal only as the old mode. */
static enum sp_error enter_journal_mode(struct db *db, const char *sql, const char *wanted)
{
    sqlite3_stmt *statement = NULL;
    bool entered = false;
    int result = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);

    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
        if (result == SQLITE_ROW) {
            const char *mode = (const char *)sqlite3_column_text(statement, 0);
            entered = mode != NULL && strcmp(mode, wanted) == 0;
            result = sqlite3_step(statement); /* here the change is committed */
        }
    }
    (void)sqlite3_finalize(statement);
    enum sp_error error = db_translate(db, result);
    return error == SP_OK && !entered ? SP_EIO : error;
}

/* SQLite ignores a failed sync of the directory in which it has made the WAL; we do not. */
static enum sp_error sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        return file_sync_directory(".");
    }
    char *directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (directory == NULL) {
        return SP_ENOMEM;
    }
    enum sp_error error = file_sync_directory(directory);
    free(directory);
    return error;
}

static enum sp_error set_up_writer(struct db *db, const char *path)
{
    enum sp_error error = SP_OK;

    if (db->in_memory) {
        return db_execute(db, settings_writer);
    }
    error = enter_journal_mode(db, "PRAGMA journal_mode = WAL", "wal");
    if (error == SP_OK) {
        error = db_execute(db, settings_writer);
    }
    if (error != SP_OK) {
        return error;
    }
    (void)sqlite3_wal_autocheckpoint(db->handle, 0);
    (void)sqlite3_wal_hook(db->handle, count_wal, db);
    /* The first read makes the WAL: after the sync of the directory it stays. */
    error = db_execute(db, "SELECT count(*) FROM sqlite_master");
    return error != SP_OK ? error : sync_parent(path);
}

/* The directory is synced for the name of the database, which may be new. */
static enum sp_error set_up_shared(struct db *db, const char *path)
{
    enum sp_error error = SP_OK;

    if (!db->in_memory) {
        error = enter_journal_mode(db, "PRAGMA journal_mode = TRUNCATE", "truncate");
    }
    if (error == SP_OK) {
        error = db_execute(db, settings_writer);
    }
    return error != SP_OK || db->in_memory ? error : sync_parent(path);
}

static enum sp_error set_up(struct db *db, const char *path, enum db_mode mode)
{
    enum sp_error error = db_execute(db, settings_common);

    if (error == SP_OK && mode == DB_WRITER) {
        error = set_up_writer(db, path);
    } else if (error == SP_OK && mode == DB_SHARED) {
        error = set_up_shared(db, path);
    } else if (error == SP_OK) {
        error = db_execute(db, settings_reader);
    }
    return error;
}

enum sp_error db_open(const char *path, enum db_mode mode, struct db **out, char *reason,
                      size_t capacity)
{
    struct db *db = calloc(1, sizeof *db);
    enum sp_error error = SP_OK;

    *out = NULL;
    if (db == NULL) {
        (void)snprintf(reason, capacity, "%s", sp_error_text(SP_ENOMEM));
        return SP_ENOMEM;
    }
    db->in_memory = strcmp(path, DB_MEMORY) == 0;
    error = open_handle(db, path, mode);
    if (error == SP_OK) {
        error = set_up(db, path, mode);
    }
    if (error == SP_OK) {
        error =
            db_translate(db, sqlite3_prepare_v3(db->handle, "ROLLBACK", -1,
                                                SQLITE_PREPARE_PERSISTENT, &db->rollback, NULL));
    }
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "the database cannot be opened: %s",
                       db->handle != NULL && sqlite3_errcode(db->handle) != SQLITE_OK
                           ? sqlite3_errmsg(db->handle)
                           : sp_error_text(error));
        db_close(db);
        return error;
    }
    *out = db;
    return SP_OK;
}

void db_close(struct db *db)
{
    if (db != NULL) {
        (void)sqlite3_finalize(db->rollback);
        (void)sqlite3_close(db->handle);
        free(db);
    }
}

enum sp_error db_execute(struct db *db, const char *sql)
{
    return db_translate(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

bool db_in_transaction(const struct db *db)
{
    return sqlite3_get_autocommit(db->handle) == 0;
}

void db_rollback(struct db *db)
{
    if (db_in_transaction(db)) {
        /* Once it has begun, the transaction ends whether it fails or not. */
        (void)sqlite3_step(db->rollback);
        (void)sqlite3_reset(db->rollback);
    }
}

uint64_t db_write_count(const struct db *db)
{
    return db->write_count;
}

int64_t db_changes(const struct db *db)
{
    return sqlite3_changes64(db->handle);
}

int64_t db_last_row(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

enum sp_error db_checkpoint(struct db *db, enum db_checkpoint_mode mode, bool *complete)
{
    int in_wal = 0;
    int written_back = 0;

    *complete = false;
    if (db->in_memory) {
        *complete = true;
        return SP_OK;
    }
    (void)sqlite3_busy_timeout(db->handle, mode == DB_CHECKPOINT_TRY ? 0 : BUSY_TIMEOUT_MS);
    int result = sqlite3_wal_checkpoint_v2(
        db->handle, NULL,
        mode == DB_CHECKPOINT_PASSIVE ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE,
        &in_wal, &written_back);
    (void)sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    if (result == SQLITE_OK) {
        *complete = in_wal == written_back;
        db->wal_pages = (size_t)in_wal;
        db->written_back = (size_t)written_back;
        db->wal_grew = !*complete;
    }
    return db_translate(db, result);
}

size_t db_wal_pending(const struct db *db)
{
    size_t pending = db->wal_pages - db->written_back;

    if (!db->wal_grew) {
        return 0;
    }
    /* A WAL that started anew with one large commit may look as if it had not. */
    return pending > 0 ? pending : 1;
}

bool db_sync_failed(const struct db *db)
{
    return db->sync_failed;
}

const char *db_last_message(const struct db *db)
{
    return sqlite3_errmsg(db->handle);
}

void db_set_deadline(struct db *db, int64_t ms)
{
    db->deadline_ms = ms == 0 ? 0 : now_ms() + ms;
    sqlite3_progress_handler(db->handle, ms == 0 ? 0 : PROGRESS_STEPS,
                             ms == 0 ? NULL : past_deadline, db);
}
