#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

#define READ_STEP_BYTES ((size_t)16384)

/* O_NONBLOCK: opening a FIFO or a device in place of the file must not hang or do anything. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static bool is_missing(int number)
{
    return number == ENOENT || number == ENOTDIR;
}

/* Everything up to the end of the file, and a NUL, into BUFFER. The size that fstat() tells is not
 * relied on: the file may grow meanwhile, and some (/proc) tell 0. */
static enum sp_error read_to_end(int fd, size_t maximum, struct buffer *buffer, char *reason,
                                 size_t capacity)
{
    for (;;) {
        uint8_t *room = NULL;
        ssize_t got = 0;
        enum sp_error error = buffer_reserve(buffer, READ_STEP_BYTES, &room);

        if (error != SP_OK) { /* the maximum leaves room for a step: only memory can lack */
            (void)snprintf(reason, capacity, "out of memory");
            return error;
        }
        got = read(fd, room, READ_STEP_BYTES);
        if (got == 0) {
            *room = '\0';
            return SP_OK;
        }
        if (got > 0) {
            buffer_commit(buffer, (size_t)got);
        } else if (errno != EINTR) {
            (void)snprintf(reason, capacity, "cannot be read: %s", error_text(errno));
            return SP_EFILE;
        }
        if (buffer->size > maximum) {
            (void)snprintf(reason, capacity, "is larger than %zu bytes", maximum);
            return SP_ETOOLARGE;
        }
    }
}

enum sp_error file_read(const char *path, size_t maximum, char **out, size_t *out_size,
                        char *reason, size_t capacity)
{
    enum sp_error error = SP_EFILE;
    struct stat status = {0};
    struct buffer buffer;
    int fd = open(path, OPEN_FLAGS);

    *out = NULL;
    *out_size = 0;
    buffer_init(&buffer, maximum + 2 * READ_STEP_BYTES); /* a step beyond is how "larger" is seen */
    if (fd < 0) {
        error = is_missing(errno) ? SP_ENOTFOUND : SP_EFILE;
        (void)snprintf(reason, capacity, "cannot be opened: %s", error_text(errno));
        goto out;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)snprintf(reason, capacity, "is not a regular file");
        goto out;
    }
    error = read_to_end(fd, maximum, &buffer, reason, capacity);
    if (error != SP_OK) {
        goto out;
    }
    *out = (char *)buffer.data; /* nothing was consumed: it starts at the allocation */
    *out_size = buffer.size;
    buffer_init(&buffer, 0);
out:
    buffer_deinit(&buffer);
    if (fd >= 0) {
        (void)close(fd);
    }
    return error;
}

/* The rules that the open file itself must keep. */
static enum sp_error check_private(int fd, const char *path, char *reason, size_t capacity)
{
    struct stat status = {0};

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)snprintf(reason, capacity, "is not a regular file");
        return SP_EKEY;
    }
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        (void)snprintf(reason, capacity, "belongs to another user; run: chown %lu %s",
                       (unsigned long)geteuid(), path);
        return SP_EKEY;
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)snprintf(reason, capacity, "is open to its group or to others; run: chmod 600 %s",
                       path);
        return SP_EKEY;
    }
    return SP_OK;
}

enum sp_error file_open_private(const char *path, int *out_fd, char *reason, size_t capacity)
{
    enum sp_error error = SP_OK;
    int fd = open(path, OPEN_FLAGS | O_NOFOLLOW);

    *out_fd = -1;
    if (fd < 0) {
        bool is_link = errno == ELOOP;

        error = is_missing(errno) ? SP_ENOTFOUND : SP_EKEY;
        (void)snprintf(reason, capacity, "%s%s",
                       is_link ? "is a symbolic link; name the file itself" : "cannot be opened: ",
                       is_link ? "" : error_text(errno));
        return error;
    }
    error = check_private(fd, path, reason, capacity);
    if (error != SP_OK) {
        (void)close(fd);
        return error;
    }
    *out_fd = fd;
    return SP_OK;
}

enum sp_error file_write_all(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        ssize_t written = write(fd, at, size);

        if (written > 0) {
            at += written;
            size -= (size_t)written;
        } else if (written < 0 && errno != EINTR) {
            return errno == ENOSPC || errno == EDQUOT ? SP_EFULL : SP_EIO;
        } else if (written == 0) {
            return SP_EIO; /* a device that takes nothing would be tried for ever */
        }
    }
    return SP_OK;
}

/* All of DATA into FD, synced; closes it. */
static enum sp_error write_and_close(int fd, const void *data, size_t size, char *reason,
                                     size_t capacity)
{
    enum sp_error error = file_write_all(fd, data, size);

    if (error == SP_OK && fsync(fd) != 0) {
        error = SP_EIO;
    }
    if (close(fd) != 0 && error == SP_OK) {
        error = SP_EIO;
    }
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "cannot be written: %s", sp_error_text(error));
    }
    return error;
}

static enum sp_error not_made(int number, char *reason, size_t capacity)
{
    (void)snprintf(reason, capacity, "cannot be made: %s", error_text(number));
    if (number == ENOSPC || number == EDQUOT) {
        return SP_EFULL;
    }
    return number == EEXIST ? SP_EEXISTS : SP_EFILE;
}

enum sp_error file_write_new(const char *path, unsigned mode, const void *data, size_t size,
                             char *reason, size_t capacity)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode & 0700);
    enum sp_error error = SP_OK;

    if (fd < 0) {
        return not_made(errno, reason, capacity);
    }
    if (fchmod(fd, (mode_t)mode) != 0) {
        error = not_made(errno, reason, capacity);
        (void)close(fd);
    } else {
        error = write_and_close(fd, data, size, reason, capacity);
    }
    if (error != SP_OK) {
        (void)unlink(path);
    }
    return error;
}

/* Mode and owner of the file PATH for FD. Only root can give a file away, and has to. */
static bool copy_owner(const char *path, int fd)
{
    struct stat status = {0};

    if (stat(path, &status) != 0) {
        return false;
    }
    if ((status.st_uid != geteuid() || status.st_gid != getegid()) &&
        fchown(fd, status.st_uid, status.st_gid) != 0 && geteuid() == 0) {
        return false;
    }
    return fchmod(fd, status.st_mode & 0777) == 0;
}

static enum sp_error sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    enum sp_error error = parent == NULL ? SP_ENOMEM : file_sync_directory(parent);

    free(parent);
    return error;
}

enum sp_error file_replace(const char *path, const void *data, size_t size, char *reason,
                           size_t capacity)
{
    enum sp_error error = SP_OK;
    char *temporary = NULL;
    int fd = -1;

    if (asprintf(&temporary, "%s.new-XXXXXX", path) < 0) {
        (void)snprintf(reason, capacity, "out of memory");
        return SP_ENOMEM;
    }
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        error = not_made(errno, reason, capacity);
        goto out;
    }
    if (!copy_owner(path, fd)) {
        error = is_missing(errno) ? SP_ENOTFOUND : SP_EFILE;
        (void)snprintf(reason, capacity, "cannot be replaced: %s", error_text(errno));
        (void)close(fd);
    } else {
        error = write_and_close(fd, data, size, reason, capacity);
    }
    if (error == SP_OK && rename(temporary, path) != 0) {
        error = not_made(errno, reason, capacity);
    }
    if (error != SP_OK) {
        (void)unlink(temporary);
    } else if (sync_parent(path) != SP_OK) {
        error = SP_EIO;
        (void)snprintf(reason, capacity, "cannot be written: its directory cannot be synced");
    }
out:
    free(temporary);
    return error;
}

enum sp_error file_sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = 0;

    if (fd < 0) {
        return SP_EIO;
    }
    result = fsync(fd); /* once: after a failure a second one proves nothing */
    (void)close(fd);
    return result == 0 ? SP_OK : SP_EIO;
}
