#include "files/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "files/blobs.h"

/* Up to two of these per upload are dirty or being written. */
#define WRITEBACK_STEP_BYTES (1ULL << 23)

void sink_init(struct sink *sink, int fd)
{
    *sink = (struct sink){.fd = fd};
}

void sink_deinit(struct sink *sink)
{
    if (sink->fd >= 0) {
        (void)close(sink->fd);
    }
    sink->fd = -1;
}

/*
 * sync_file_range(2) gives no durability, but it takes away the error of a failed write, which the
 * fsync(2) at the end would then no longer report: so its errors count. Not so those that only say
 * that this file system does not have it.
 */
static enum sp_error sync_range(struct sink *sink, uint64_t from, uint64_t size, unsigned flags,
                                char *detail)
{
    if (sync_file_range(sink->fd, (off_t)from, (off_t)size, flags) == 0 || errno == EINVAL ||
        errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM) {
        return SP_OK;
    }
    return blobs_fault(detail, "cannot write", errno);
}

static enum sp_error start_writeback(struct sink *sink, char *detail)
{
    while (sink->size - sink->started_bytes >= WRITEBACK_STEP_BYTES) {
        enum sp_error error = sync_range(sink, sink->started_bytes, WRITEBACK_STEP_BYTES,
                                         SYNC_FILE_RANGE_WRITE, detail);
        if (error == SP_OK && sink->started_bytes >= WRITEBACK_STEP_BYTES) {
            uint64_t before = sink->started_bytes - WRITEBACK_STEP_BYTES;
            error = sync_range(sink, before, WRITEBACK_STEP_BYTES,
                               SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                   SYNC_FILE_RANGE_WAIT_AFTER,
                               detail);
            (void)posix_fadvise(sink->fd, (off_t)before, (off_t)WRITEBACK_STEP_BYTES,
                                POSIX_FADV_DONTNEED);
        }
        if (error != SP_OK) {
            return error;
        }
        sink->started_bytes += WRITEBACK_STEP_BYTES;
    }
    return SP_OK;
}

enum sp_error sink_write(struct sink *sink, const void *data, size_t size, char *detail)
{
    const uint8_t *at = data;

    while (size > 0) {
        ssize_t written = pwrite(sink->fd, at, size, (off_t)sink->size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return blobs_fault(detail, "cannot write", written == 0 ? EIO : errno);
        }
        at += written;
        size -= (size_t)written;
        sink->size += (uint64_t)written;
    }
    return start_writeback(sink, detail);
}

enum sp_error sink_start_sync(struct sink *sink, char *detail)
{
    return sync_range(sink, sink->started_bytes, 0, SYNC_FILE_RANGE_WRITE, detail);
}

enum sp_error sink_sync(struct sink *sink, char *detail)
{
    return fsync(sink->fd) == 0 ? SP_OK : blobs_fault(detail, "cannot sync the file", errno);
}
