/* The space that uploads may take: promised when they begin, given back as it is written. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "files/blobs.h"

static const char *format_bytes(uint64_t bytes, char out[24])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t tenths = bytes; /* of a unit, once there is one */

    if (bytes < 1024) {
        (void)snprintf(out, 24, "%" PRIu64 " bytes", bytes);
        return out;
    }
    while (tenths >= 1024 && unit + 1 < COUNT_OF(units)) {
        bytes = tenths;
        tenths /= 1024;
        unit++;
    }
    tenths = tenths * 10 + (bytes % 1024) * 10 / 1024;
    (void)snprintf(out, 24, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
    return out;
}

/* What an upload could still be promised. Under the mutex: space leaves the promises only after it
 * was written, so that it is never counted as free twice. */
static enum sp_error available_bytes(struct blobs *blobs, uint64_t *out, char *detail)
{
    struct statvfs system;

    *out = 0;
    if (fstatvfs(blobs->incoming_fd, &system) != 0) {
        return blobs_fault(detail, "cannot tell the free space", errno);
    }
    uint64_t bytes = (uint64_t)system.f_bavail * system.f_frsize;
    bytes = bytes > blobs->reserve_bytes ? bytes - blobs->reserve_bytes : 0;
    *out = bytes > blobs->promised_bytes ? bytes - blobs->promised_bytes : 0;
    return SP_OK;
}

enum sp_error blobs_promise(struct blobs *blobs, uint64_t bytes, char *detail)
{
    char needed[24];
    char there[24];
    uint64_t available = 0;

    (void)pthread_mutex_lock(&blobs->mutex);
    enum sp_error error = available_bytes(blobs, &available, detail);
    if (error == SP_OK && bytes > available) {
        (void)snprintf(detail, BLOBS_DETAIL_BYTES, "needs %s, %s are free",
                       format_bytes(bytes, needed), format_bytes(available, there));
        error = SP_EFULL;
    }
    if (error == SP_OK) {
        blobs->promised_bytes += bytes;
    }
    (void)pthread_mutex_unlock(&blobs->mutex);
    return error;
}

void blobs_give_back(struct blobs *blobs, uint64_t bytes)
{
    (void)pthread_mutex_lock(&blobs->mutex);
    blobs->promised_bytes -= bytes;
    (void)pthread_mutex_unlock(&blobs->mutex);
}

void blobs_describe_full(struct blobs *blobs, uint64_t written_bytes, char *detail)
{
    char written[24];
    char there[24];
    uint64_t available = 0;

    (void)pthread_mutex_lock(&blobs->mutex);
    enum sp_error error = available_bytes(blobs, &available, detail);
    (void)pthread_mutex_unlock(&blobs->mutex);
    if (error == SP_OK) {
        (void)snprintf(detail, BLOBS_DETAIL_BYTES, "the disk was full after %s, %s are free",
                       format_bytes(written_bytes, written), format_bytes(available, there));
    }
}
