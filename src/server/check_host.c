/* What the checks say about this machine: the state directory, the database, the address. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/config.h"
#include "db/statement.h"
#include "domain/schema.h"
#include "server/check.h"

static bool state_path(const struct settings *settings, const char *name, char **out)
{
    if (asprintf(out, "%s/%s", settings->state, name) < 0) {
        *out = NULL;
    }
    return *out != NULL;
}

bool check_is_running(const struct settings *settings)
{
    char *path = NULL;
    bool is_running = false;
    if (!state_path(settings, "sealpost.db.lock", &path)) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        is_running = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        (void)close(fd);
    }
    free(path);
    return is_running;
}

void check_state(struct checking *checking)
{
    const struct settings *settings = checking->settings;
    struct stat status;
    struct statvfs space;
    if (stat(settings->state, &status) != 0) {
        bool missing = errno == ENOENT;
        report_add(checking->report, missing ? FINDING_OK : FINDING_ERROR,
                   missing ? SP_OK : SP_EFILE, "state",
                   missing ? "" : "look at its owner and at the directories above it", "%s: %s",
                   settings->state, missing ? "not there yet; run makes it" : error_text(errno));
        return;
    }
    if (!S_ISDIR(status.st_mode) ||
        faccessat(AT_FDCWD, settings->state, R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        report_add(checking->report, FINDING_ERROR, SP_EFILE, "state",
                   "it must be a directory that belongs to the server's user",
                   "%s: cannot be written", settings->state);
        return;
    }
    if (statvfs(settings->state, &space) != 0) {
        report_add(checking->report, FINDING_WARNING, SP_OK, "state", "",
                   "%s: the free space is unknown: %s", settings->state, error_text(errno));
        return;
    }
    uint64_t free_bytes = (uint64_t)space.f_bavail * space.f_frsize;
    if (free_bytes <= settings->disk_reserve_bytes) {
        report_add(checking->report, FINDING_ERROR, SP_EFULL, "state",
                   "make room: no file is taken before disk_reserve is free",
                   "%s: %llu MiB are free, disk_reserve is %llu MiB", settings->state,
                   (unsigned long long)(free_bytes >> 20),
                   (unsigned long long)(settings->disk_reserve_bytes >> 20));
        return;
    }
    report_add(checking->report, FINDING_OK, SP_OK, "state", "", "%s: %llu MiB are free",
               settings->state, (unsigned long long)(free_bytes >> 20));
}

static enum sp_error read_row(struct db *db, const char *sql, struct statement **out, bool *found)
{
    enum sp_error error = statement_new(db, sql, out);
    *found = error == SP_OK && statement_next(*out);
    return error;
}

/* The database's version, and the team into NAME. */
static enum sp_error read_team(struct db *db, int64_t *version, char *name, size_t capacity)
{
    struct statement *statement = NULL;
    bool found = false;
    *version = 0;
    name[0] = '\0';
    enum sp_error error = read_row(db, "PRAGMA user_version", &statement, &found);
    if (found) {
        *version = statement_get_i64(statement);
    }
    if (error == SP_OK) {
        error = statement_finish(statement);
    }
    statement_free(statement);
    if (error != SP_OK || *version == 0) {
        return error;
    }
    statement = NULL;
    error = read_row(db, "SELECT name FROM team", &statement, &found);
    if (found) {
        statement_get_text(statement, name, capacity);
    }
    if (error == SP_OK) {
        error = statement_finish(statement);
    }
    statement_free(statement);
    return error;
}

static void judge_database(struct checking *checking, const char *path, int64_t version,
                           const char *team)
{
    if (version < 0 || (uint64_t)version > schema_step_count) {
        report_add(checking->report, FINDING_ERROR, SP_ECONFIG, "database",
                   "use the sealpostd that wrote it, or a newer one",
                   "%s: it has version %lld, and this program knows up to %zu", path,
                   (long long)version, schema_step_count);
    } else if (team[0] != '\0' && strcmp(team, checking->settings->team) != 0) {
        report_add(checking->report, FINDING_ERROR, SP_ECONFIG, "database",
                   "set 'team' to that, or 'state' to another directory",
                   "%s: it belongs to the team \"%s\"", path, team);
    } else if ((uint64_t)version < schema_step_count) {
        report_add(checking->report, FINDING_OK, SP_OK, "database", "",
                   "%s: version %lld, which the next start brings to %zu", path, (long long)version,
                   schema_step_count);
    } else {
        report_add(checking->report, FINDING_OK, SP_OK, "database", "", "%s: version %lld", path,
                   (long long)version);
    }
}

static bool has_waiting_wal(const char *path)
{
    char *wal = NULL;
    struct stat status;
    bool has = asprintf(&wal, "%s-wal", path) >= 0 && stat(wal, &status) == 0 && status.st_size > 0;
    free(wal);
    return has;
}

void check_database(struct checking *checking)
{
    char *path = NULL;
    struct db *db = NULL;
    char reason[256] = "";
    char team[LIMIT_TEAM_BYTES + 1] = "";
    int64_t version = 0;
    struct stat status;
    if (!state_path(checking->settings, "sealpost.db", &path) || stat(path, &status) != 0) {
        report_add(checking->report, FINDING_OK, SP_OK, "database", "",
                   "not there yet; run makes it");
        goto out;
    }
    if (!checking->is_running && has_waiting_wal(path)) {
        /* To read it would be to recover it, which is the server's. */
        report_add(checking->report, FINDING_WARNING, SP_OK, "database",
                   "nothing: the next start brings it in order",
                   "%s: the server did not end in good order", path);
        goto out;
    }
    /* Of a server that runs there are a WAL and its index to be read along; else nothing is made.
     */
    enum sp_error error =
        db_open(path, checking->is_running ? DB_READER : DB_SNAPSHOT, &db, reason, sizeof reason);
    if (error == SP_OK) {
        error = read_team(db, &version, team, sizeof team);
        if (error != SP_OK) {
            snprintf(reason, sizeof reason, "%s", db_last_message(db));
        }
    }
    if (error != SP_OK) {
        report_add(checking->report, FINDING_ERROR, error, "database",
                   "run check as the server's user; if it is damaged, restore a backup", "%s: %s",
                   path, reason[0] != '\0' ? reason : sp_error_text(error));
    } else {
        judge_database(checking, path, version, team);
    }
out:
    db_close(db);
    free(path);
}

/* Whether one of the addresses can be bound; else errno of the last. */
static int try_to_bind(const struct addrinfo *infos)
{
    int wrong = EADDRNOTAVAIL;
    for (const struct addrinfo *info = infos; info != NULL; info = info->ai_next) {
        int one = 1;
        int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, 0);
        bool bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                     bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, 1) == 0;
        wrong = bound ? 0 : errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        if (bound) {
            return 0;
        }
    }
    return wrong;
}

void check_listen(struct checking *checking)
{
    const char *listen_on = checking->settings->listen;
    char host[LIMIT_HOST_BYTES + 1];
    uint16_t port = 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *infos = NULL;
    char service[8];
    if (config_parse_host_port(listen_on, host, &port) != SP_OK) {
        report_add(checking->report, FINDING_ERROR, SP_ECONFIG, "listen",
                   "write HOST:PORT, such as [::]:7643", "'%s' is not HOST:PORT", listen_on);
        return;
    }
    snprintf(service, sizeof service, "%u", port);
    int failed = getaddrinfo(host, service, &hints, &infos);
    if (failed != 0) {
        report_add(checking->report, FINDING_ERROR, SP_ECONFIG, "listen",
                   "name an address of this machine, or [::] for all", "%s: %s", listen_on,
                   gai_strerror(failed));
        return;
    }
    int wrong = try_to_bind(infos);
    freeaddrinfo(infos);
    if (wrong == 0) {
        report_add(checking->report, FINDING_OK, SP_OK, "listen", "", "%s is free", listen_on);
    } else if (wrong == EADDRINUSE && checking->is_running) {
        report_add(checking->report, FINDING_OK, SP_OK, "listen", "",
                   "%s: a server of this state directory is running", listen_on);
    } else {
        report_add(checking->report, FINDING_ERROR, wrong == EADDRINUSE ? SP_EBUSY : SP_EIO,
                   "listen",
                   wrong == EADDRINUSE ? "a server is listening there already: end it, or choose "
                                         "another port"
                                       : "name an address of this machine and a port from 1024 on",
                   "%s: %s", listen_on, error_text(wrong));
    }
}
