/* How the domain's part of the world is found at start and left at the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "db/migrate.h"
#include "domain/core.h"
#include "domain/schema.h"

#define LOCK_TRIES 10
#define LOCK_PAUSE_MS 20

/*
 * What root has made (sealpostd invite, say) must be open to the server's user, to whom the
 * database belongs. If that fails, the server's start says so.
 */
static void give_to_owner(const char *database, int lock_fd)
{
    struct stat owner;
    struct stat lock;

    if (geteuid() == 0 && stat(database, &owner) == 0 && fstat(lock_fd, &lock) == 0 &&
        lock.st_uid == 0 && lock.st_nlink == 1) {
        (void)!fchown(lock_fd, owner.st_uid, owner.st_gid);
    }
}

/* Keeps a second server out for as long as the descriptor is open. */
static enum sp_error take_lock(const struct domain_config *config, struct core *core, char *reason,
                               size_t capacity)
{
    char *path = NULL;

    if (strcmp(config->path, DB_MEMORY) == 0) {
        return SP_OK;
    }
    if (asprintf(&path, "%s.lock", config->path) < 0) {
        return SP_ENOMEM;
    }
    core->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int failure = core->lock_fd < 0 ? errno : 0;
    free(path);
    if (failure == 0) {
        give_to_owner(config->path, core->lock_fd);
    }
    if (failure != 0) {
        (void)snprintf(reason, capacity, "the lock file cannot be opened: %s", error_text(failure));
        return failure == ENOSPC || failure == EDQUOT ? SP_EFULL : SP_EIO;
    }
    /* Who only looks whether a server runs has it for a moment. */
    const struct timespec pause = {0, LOCK_PAUSE_MS * 1000000L};
    failure = EWOULDBLOCK;
    for (int i = 0; i < LOCK_TRIES && failure == EWOULDBLOCK; i++) {
        if (i > 0) {
            (void)nanosleep(&pause, NULL);
        }
        failure = flock(core->lock_fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    }
    if (failure != 0) {
        (void)snprintf(reason, capacity, "%s",
                       failure == EWOULDBLOCK ? "another server uses the database"
                                              : error_text(failure));
        return failure == EWOULDBLOCK ? SP_EBUSY : SP_EIO;
    }
    return SP_OK;
}

/* The database belongs to one team for ever. */
static enum sp_error check_team(const struct domain_config *config, struct core *core, char *reason,
                                size_t capacity)
{
    char name[LIMIT_TEAM_BYTES + 1];
    enum sp_error error = store_find_team(&core->store, name, &core->incarnation);

    if (error == SP_ENOTFOUND) {
        random_id(&core->incarnation);
        return store_add_team(&core->store, config->team, &core->incarnation,
                              clock_wall_ms(config->clock));
    }
    if (error == SP_OK && strcmp(name, config->team) != 0) {
        (void)snprintf(reason, capacity, "the database belongs to the team \"%s\"", name);
        return SP_ECONFIG;
    }
    return error;
}

static enum sp_error open_database(const struct domain_config *config, struct core *core,
                                   char *reason, size_t capacity)
{
    bool complete = false;
    enum sp_error error = db_open(config->path, DB_WRITER, &core->db, reason, capacity);

    if (error == SP_OK) {
        error = db_migrate(core->db, schema_steps, schema_step_count, reason, capacity);
    }
    if (error == SP_OK) {
        error = store_init(&core->store, core->db);
    }
    if (error == SP_OK) {
        cache_init(&core->cache, &core->store);
        error = check_team(config, core, reason, capacity);
    }
    if (error == SP_OK) {
        error = retention_start(core, clock_monotonic_ms(config->clock));
    }
    if (error == SP_OK) {
        /* Also what is only in the page cache, after a sync that failed, is written anew by it: so
         * it is not left out. */
        error = db_checkpoint(core->db, DB_CHECKPOINT_TRUNCATE, &complete);
        if (error == SP_EBUSY) {
            (void)snprintf(
                reason, capacity,
                "the database is being read, by a fsck or backup perhaps; the server can "
                "start when that has ended");
        }
    }
    if (error != SP_OK && reason[0] == '\0') {
        (void)snprintf(reason, capacity, "the database cannot be used: %s",
                       core->db != NULL ? db_last_message(core->db) : sp_error_text(error));
    }
    return error;
}

void core_close(struct core *core)
{
    bool complete = false;

    if (core->ready && !db_sync_failed(core->db)) {
        enum sp_error error = db_checkpoint(core->db, DB_CHECKPOINT_TRUNCATE, &complete);
        if (error != SP_OK) {
            log_line(core->log, LOG_WARNING, "event=checkpoint-failed error=%s",
                     sp_error_name(error)); /* the next start does it */
        }
    }
    cache_drop(&core->cache);
    offers_deinit(&core->offers);
    core_forget_shut(core);
    store_deinit(&core->store);
    db_close(core->db);
    if (core->lock_fd >= 0) {
        (void)close(core->lock_fd);
    }
}

enum sp_error core_open(const struct domain_config *config, struct core *core, char *reason,
                        size_t capacity)
{
    memset(core, 0, sizeof *core);
    core->lock_fd = -1;
    core->log = config->log;
    atomic_init(&core->admit_ca, config->admit_ca);
    atomic_init(&core->max_file_bytes,
                (uint64_t)(config->max_file_bytes > 0 ? config->max_file_bytes : LIMIT_FILE_BYTES));
    core->issue = config->issue;
    enum sp_error error = take_lock(config, core, reason, capacity);
    if (error == SP_OK) {
        error = open_database(config, core, reason, capacity);
    }
    core->ready = error == SP_OK;
    if (error != SP_OK) {
        core_close(core);
    }
    return error;
}
