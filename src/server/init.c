#include "server/init.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define DIRECTORY_MODE 0700

static enum sp_error fail(enum sp_error error, char *message, size_t capacity, const char *path,
                          const char *why)
{
    (void)snprintf(message, capacity, "%s: %s", path, why);
    return error;
}

/* That nothing is there, or an empty directory. */
static enum sp_error check_free(const char *directory, char *message, size_t capacity)
{
    DIR *stream = opendir(directory);
    const struct dirent *entry = NULL;
    if (stream == NULL) {
        return errno == ENOENT ? SP_OK
                               : fail(SP_EEXISTS, message, capacity, directory, error_text(errno));
    }
    enum sp_error error = SP_OK;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): own stream */
    while (error == SP_OK && (entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            (void)snprintf(message, capacity,
                           "%s: is not empty (there is '%s' in it); choose a new directory",
                           directory, entry->d_name);
            error = SP_EEXISTS;
        }
    }
    (void)closedir(stream);
    return error;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_all(const char *directory)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    (void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The absolute name of a directory that may not be there yet. */
static enum sp_error absolute(const char *directory, char out[INIT_PATH_BYTES], char *message,
                              size_t capacity)
{
    char copy[INIT_PATH_BYTES];
    size_t size = strlen(directory);
    while (size > 1 && directory[size - 1] == '/') {
        size--;
    }
    if (size == 0 || size >= sizeof copy) {
        return fail(SP_EINVALID, message, capacity, directory, "is not the name of a directory");
    }
    memcpy(copy, directory, size);
    copy[size] = '\0';
    char *slash = strrchr(copy, '/');
    const char *name = slash != NULL ? slash + 1 : copy;
    const char *parent = slash == NULL ? "." : slash == copy ? "/" : copy;
    char real[INIT_PATH_BYTES];
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return fail(SP_EINVALID, message, capacity, directory,
                    "is not the name of a new directory");
    }
    char last[INIT_PATH_BYTES];
    (void)snprintf(last, sizeof last, "%s", name);
    if (slash != NULL) {
        *slash = '\0';
    }
    if (realpath(slash == copy ? "/" : parent, real) == NULL) {
        return fail(SP_ENOTFOUND, message, capacity, slash != NULL ? parent : directory,
                    error_text(errno));
    }
    int written = snprintf(out, INIT_PATH_BYTES, "%s/%s", strcmp(real, "/") == 0 ? "" : real, last);
    if (written < 0 || written >= INIT_PATH_BYTES) {
        return fail(SP_EINVALID, message, capacity, directory, "is too long a path");
    }
    for (const char *at = out; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) { /* systemd could not be told of it */
            return fail(SP_EINVALID, message, capacity, directory,
                        "has a control character in its path");
        }
    }
    return SP_OK;
}

/* The database, with the first invitation in it. */
static enum sp_error make_state(const struct init_order *order, const char *directory,
                                struct init_made *made, char *message, size_t capacity)
{
    char path[INIT_PATH_BYTES + 64];
    struct domain *domain = NULL;
    (void)snprintf(path, sizeof path, "%s/state", directory);
    if (mkdir(path, DIRECTORY_MODE) != 0) {
        return fail(SP_EFILE, message, capacity, path, error_text(errno));
    }
    (void)snprintf(path, sizeof path, "%s/state/sealpost.db", directory);
    const struct domain_config config = {
        .path = path, .team = made->team.team, .clock = clock_system()};
    const struct invite_order invitation = {
        .username = order->admin,
        .role = ROLE_ADMINISTRATOR,
        .host = order->hosts.names[0],
        .port = order->port,
        .root = made->team.root,
        .now_ms = order->now_ms,
    };
    enum sp_error error = domain_open(&config, &domain, message, capacity);
    if (error == SP_OK) {
        error = invite_make(domain, &invitation, &made->invitation, message, capacity);
    }
    domain_close(domain);
    if (error == SP_OK) {
        (void)snprintf(path, sizeof path, "%s/state", directory);
        error = file_sync_directory(path);
    }
    return error;
}

/* ---- All of it ---- */

static enum sp_error fill(const struct init_order *order, const char *directory,
                          struct init_made *made, char *message, size_t capacity)
{
    const struct ca_team_order team = {
        .directory = directory,
        .team = order->team,
        .hosts = &order->hosts,
        .adopt = order->adopt,
        .now_ms = order->now_ms,
    };
    enum sp_error error = ca_team_make(&team, &made->team, message, capacity);
    if (error != SP_OK) {
        return error;
    }
    error = make_state(order, directory, made, message, capacity);
    if (error == SP_OK) {
        error =
            init_write_files(order, made->team.team, directory, made->directory, message, capacity);
    }
    return error == SP_OK ? file_sync_directory(directory) : error;
}

/* Gives the directory its name: until then it is not there. */
static enum sp_error give_name(const char *temporary, const char *final, char *message,
                               size_t capacity)
{
    char parent[INIT_PATH_BYTES];
    (void)rmdir(final); /* an empty one */
    if (rename(temporary, final) != 0) {
        return fail(errno == ENOTEMPTY || errno == EEXIST ? SP_EEXISTS : SP_EFILE, message,
                    capacity, final, error_text(errno));
    }
    (void)snprintf(parent, sizeof parent, "%s", final);
    char *slash = strrchr(parent, '/');
    slash[slash == parent ? 1 : 0] = '\0';
    return file_sync_directory(parent);
}

enum sp_error init_make(const struct init_order *order, struct init_made *out, char *message,
                        size_t capacity)
{
    char temporary[INIT_PATH_BYTES + 16];
    *out = (struct init_made){0};
    message[0] = '\0';
    enum sp_error error = absolute(order->directory, out->directory, message, capacity);
    if (error == SP_OK) {
        error = check_free(out->directory, message, capacity);
    }
    if (error != SP_OK) {
        return error;
    }
    (void)snprintf(temporary, sizeof temporary, "%s.tmp-XXXXXX", out->directory);
    if (mkdtemp(temporary) == NULL) {
        return fail(SP_EFILE, message, capacity, out->directory, error_text(errno));
    }
    error = fill(order, temporary, out, message, capacity);
    if (error == SP_OK) {
        error = give_name(temporary, out->directory, message, capacity);
    }
    if (error != SP_OK) {
        remove_all(temporary);
        if (message[0] == '\0') {
            (void)fail(error, message, capacity, out->directory, sp_error_text(error));
        }
    }
    return error;
}
