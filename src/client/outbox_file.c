#include "client/outbox_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"

#define PIECE_BYTES 65536

static enum sp_error read_all(int fd, struct digest_stream *digest, uint64_t *size)
{
    uint8_t *piece = malloc(PIECE_BYTES);
    enum sp_error error = piece == NULL ? SP_ENOMEM : SP_OK;
    ssize_t got = 1;

    *size = 0;
    while (error == SP_OK && got != 0) {
        got = read(fd, piece, PIECE_BYTES);
        if (got > 0) {
            *size += (uint64_t)got;
            error = digest_stream_update(digest, piece, (size_t)got);
        } else if (got < 0 && errno != EINTR) {
            error = SP_EFILE;
        }
    }
    free(piece);
    return error;
}

enum sp_error outbox_file_read(const char *path, int *fd, uint64_t *size, struct digest *sha256,
                               char *message, size_t capacity)
{
    struct stat status;
    struct digest_stream *digest = NULL;
    /* Not to hang on a pipe that nobody writes to; reading a regular file is not changed by it. */
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum sp_error error = opened < 0 || fstat(opened, &status) != 0 ? SP_EFILE : SP_OK;

    *size = 0;
    if (fd != NULL) {
        *fd = -1;
    }
    if (error == SP_OK && !S_ISREG(status.st_mode)) {
        (void)snprintf(message, capacity, "is not a regular file");
        error = SP_EFILE;
        goto out;
    }
    if (error == SP_OK) {
        error = digest_stream_new(&digest);
    }
    if (error == SP_OK) {
        error = read_all(opened, digest, size);
    }
    if (error == SP_OK && lseek(opened, 0, SEEK_SET) != 0) {
        error = SP_EFILE;
    }
    if (error == SP_EFILE) {
        (void)snprintf(message, capacity, "cannot be read: %s", error_text(errno));
    }
    if (error == SP_OK) {
        error = digest_stream_finish(digest, sha256);
    }
    if (error == SP_OK && fd != NULL) {
        *fd = opened;
        opened = -1;
    }
out:
    digest_stream_free(digest);
    if (opened >= 0) {
        (void)close(opened);
    }
    return error;
}
