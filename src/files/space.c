/* The space that uploads may take: promised when they begin, given back as it is written. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "files/store.h"

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
static enum sp_error available_bytes(struct store *store, uint64_t *out, char *detail)
{
    struct statvfs system;

    *out = 0;
    if (fstatvfs(store->incoming_fd, &system) != 0) {
        return store_fault(detail, "cannot tell the free space", errno);
    }
    uint64_t bytes = (uint64_t)system.f_bavail * system.f_frsize;
    bytes = bytes > store->reserve_bytes ? bytes - store->reserve_bytes : 0;
    *out = bytes > store->promised_bytes ? bytes - store->promised_bytes : 0;
    return SP_OK;
}

enum sp_error store_promise(struct store *store, uint64_t bytes, char *detail)
{
    char needed[24];
    char there[24];
    uint64_t available = 0;

    (void)pthread_mutex_lock(&store->mutex);
    enum sp_error error = available_bytes(store, &available, detail);
    if (error == SP_OK && bytes > available) {
        (void)snprintf(detail, STORE_DETAIL_BYTES, "needs %s, %s are free",
                       format_bytes(bytes, needed), format_bytes(available, there));
        error = SP_EFULL;
    }
    if (error == SP_OK) {
        store->promised_bytes += bytes;
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return error;
}

void store_give_back(struct store *store, uint64_t bytes)
{
    (void)pthread_mutex_lock(&store->mutex);
    store->promised_bytes -= bytes;
    (void)pthread_mutex_unlock(&store->mutex);
}

void store_describe_full(struct store *store, uint64_t written_bytes, char *detail)
{
    char written[24];
    char there[24];
    uint64_t available = 0;

    (void)pthread_mutex_lock(&store->mutex);
    enum sp_error error = available_bytes(store, &available, detail);
    (void)pthread_mutex_unlock(&store->mutex);
    if (error == SP_OK) {
        (void)snprintf(detail, STORE_DETAIL_BYTES, "the disk was full after %s, %s are free",
                       format_bytes(written_bytes, written), format_bytes(available, there));
    }
}
