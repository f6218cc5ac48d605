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
