/* sp_get_file(): a file gets its name only when it is whole. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "client/internal.h"
#include "crypto/secret.h"
#include "sealpost/blocking.h"

/* How long a cancelled download may take to end. */
#define CANCEL_TIMEOUT_MS 5000

#define PROC_PATH_BYTES 32

/*
 * A file in the making. Where the file system can, it has no name, so that nothing is left of it
 * however this ends; else one beside the file that it will be.
 */
struct part {
    const char *path;
    char directory[PATH_MAX];
    char temporary[PATH_MAX];
    bool nameless;
    int fd; /* -1: there is none */
};

static void part_remove(struct part *part)
{
    if (part->fd >= 0) {
        (void)close(part->fd);
        part->fd = -1;
        if (!part->nameless) {
            (void)unlink(part->temporary);
        }
    }
}

/* SP_EFILE with errno. */
static enum sp_error part_name(struct part *part)
{
    const char *slash = strrchr(part->path, '/');
    int size = slash != NULL ? (int)(slash - part->path) + 1 : 0;
    char hex[ID_HEX_BYTES];
    struct id id;

    if (strlen(part->path) >= PATH_MAX - sizeof hex - sizeof ".sealpost-.part") {
        errno = ENAMETOOLONG;
        return SP_EFILE;
    }
    random_id(&id);
    hex_encode(id.bytes, sizeof id.bytes, hex);
    (void)snprintf(part->directory, sizeof part->directory, "%.*s", size > 0 ? size : 2,
                   size > 0 ? part->path : "./");
    (void)snprintf(part->temporary, sizeof part->temporary, "%.*s.sealpost-%s.part", size,
                   part->path, hex);
    return SP_OK;
}

/* By which a file without a name is linked, see open(2), O_TMPFILE. */
static void part_proc_path(const struct part *part, char out[PROC_PATH_BYTES])
{
    (void)snprintf(out, PROC_PATH_BYTES, "/proc/self/fd/%d", part->fd);
}

/* SP_EFILE with errno. */
static enum sp_error part_open(struct part *part)
{
    char proc[PROC_PATH_BYTES];

    part->fd = open(part->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (part->fd >= 0) {
        part_proc_path(part, proc);
        part->nameless = access(proc, F_OK) == 0;
        if (part->nameless) {
            return SP_OK;
        }
        (void)close(part->fd);
    }
    part->fd = open(part->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    return part->fd >= 0 ? SP_OK : SP_EFILE;
}

/* SP_EEXISTS, SP_EFILE with errno. */
static enum sp_error part_create(struct part *part, const char *path, bool force)
{
    struct stat status;

    part->path = path;
    part->nameless = false;
    part->fd = -1;
    if (lstat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
            errno = EISDIR;
            return SP_EFILE;
        }
        if (!force) {
            return SP_EEXISTS;
        }
    }
    enum sp_error error = part_name(part);
    if (error != SP_OK) {
        return error;
    }
    return part_open(part);
}

/* Gives the file that has none a name: its own, or with FORCE, to replace another, the temporary
 * one. */
static enum sp_error part_link(struct part *part, bool force)
{
    char proc[PROC_PATH_BYTES];

    part_proc_path(part, proc);
    if (linkat(AT_FDCWD, proc, AT_FDCWD, force ? part->temporary : part->path, AT_SYMLINK_FOLLOW) !=
        0) {
        return errno == EEXIST ? SP_EEXISTS : SP_EFILE;
    }
    part->nameless = !force;
    return SP_OK;
}

/* Gives the file its name, without replacing another unless FORCE. */
static enum sp_error part_rename(struct part *part, bool force)
{
    if (part->nameless) {
        enum sp_error error = part_link(part, force);

        if (error != SP_OK || !force) {
            return error;
        }
    }
    if (force) {
        return rename(part->temporary, part->path) == 0 ? SP_OK : SP_EFILE;
    }
    if (renameat2(AT_FDCWD, part->temporary, AT_FDCWD, part->path, RENAME_NOREPLACE) == 0) {
        return SP_OK;
    }
    if (errno == EINVAL || errno == ENOSYS) { /* a file system that cannot; link(2) does not replace
                                                 either */
        if (link(part->temporary, part->path) == 0) {
            (void)unlink(part->temporary);
            return SP_OK;
        }
    }
    return errno == EEXIST ? SP_EEXISTS : SP_EFILE;
}

static enum sp_error part_finish(struct part *part, bool force)
{
    if (fsync(part->fd) != 0) {
        return SP_EFILE;
    }
    enum sp_error error = part_rename(part, force);
    if (error != SP_OK) {
        return error;
    }
    (void)close(part->fd);
    part->fd = -1;
    return file_sync_directory(part->directory) == SP_OK ? SP_OK : SP_EFILE;
}

/* Stopped or timed out: the descriptor is about to be closed, so the transfer must end first. */
static void cancel(struct sp_client *client, uint32_t request, sp_notice_fn fn, void *context)
{
    struct sp_notice notice;

    sp_cancel(client, request);
    enum sp_error error = sp_wait(client, request, CANCEL_TIMEOUT_MS, NULL, fn, context, &notice);
    if (error == SP_ETIMEOUT) {
        client_detach(client, request);
    }
}

static enum sp_error give_error(struct sp_client *client, const char *path, uint32_t request,
                                enum sp_error error, int number, struct sp_notice *notice)
{
    const char *problem = error == SP_EFILE ? strerrordesc_np(number) : NULL;
    char text[512] = "";

    if (problem != NULL) {
        (void)snprintf(text, sizeof text, "cannot write %.300s: %s", path, problem);
    }
    core_result(&client->core, notice, request, error, text);
    return error;
}

enum sp_error sp_get_file(struct sp_client *client, const char *id, const char *path, bool force,
                          const volatile int *stop, sp_notice_fn fn, void *context,
                          struct sp_notice *notice)
{
    struct part part;
    uint32_t request = 0;

    enum sp_error error = part_create(&part, path, force);
    if (error == SP_OK) {
        error = sp_get(client, id, part.fd, &request);
    }
    if (error != SP_OK) {
        (void)give_error(client, path, request, error, errno, notice);
        goto out;
    }
    error = sp_wait(client, request, 0, stop, fn, context, notice);
    if (core_request_find(&client->core, request) != NULL) {
        cancel(client, request, fn, context);
        (void)give_error(client, path, request, error, 0, notice);
    }
    if (error == SP_OK) {
        error = part_finish(&part, force);
        if (error != SP_OK) {
            (void)give_error(client, path, request, error, errno, notice);
        }
    }
out:
    part_remove(&part);
    return error;
}
