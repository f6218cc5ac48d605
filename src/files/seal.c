/*
 * The end of uploads, many at a time: sync each file, rename all into one bucket, sync the two
 * directories once, and only then report. One by one, the directories' syncs would be most of the
 * work.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "files/upload.h"

/* Fails UPLOAD, and frees it if nobody holds it any more. */
static void fail_one(struct upload *upload, enum sp_error error)
{
    bool released = upload->released;

    upload_fail(upload, &upload->commit, error);
    if (released) {
        upload_free(upload);
    }
}

/* What is left of the batch when each upload that STEP fails for is gone. */
static void for_each(struct worker *worker,
                     enum sp_error (*step)(struct upload *upload, int bucket_fd, char *detail),
                     int bucket_fd)
{
    size_t left = 0;

    for (size_t i = 0; i < worker->batch_count; i++) {
        struct upload *upload = worker->batch[i];
        enum sp_error error = step(upload, bucket_fd, upload->commit.completion->detail);
        if (error != SP_OK) {
            fail_one(upload, error);
        } else {
            worker->batch[left++] = upload;
        }
    }
    worker->batch_count = left;
}

static enum sp_error start_sync(struct upload *upload, int bucket_fd, char *detail)
{
    (void)bucket_fd;
    return sink_start_sync(&upload->sink, detail);
}

static enum sp_error sync_file(struct upload *upload, int bucket_fd, char *detail)
{
    (void)bucket_fd;
    return sink_sync(&upload->sink, detail);
}

static enum sp_error move(struct upload *upload, int bucket_fd, char *detail)
{
    return blobs_move(&upload->files->blobs, &upload->file, bucket_fd, detail);
}

static enum sp_error sync_directories(const struct worker *worker, int bucket_fd, char *detail)
{
    if (fsync(bucket_fd) != 0 || fsync(worker->incoming_fd) != 0) {
        return blobs_fault(detail, "cannot sync the directory", errno);
    }
    return SP_OK;
}

/* Fails all that is left, of which nothing was renamed if BUCKET is 0. */
static void fail_batch(struct worker *worker, uint32_t bucket, enum sp_error error,
                       const char *detail)
{
    for (size_t i = 0; i < worker->batch_count; i++) {
        struct upload *upload = worker->batch[i];
        char *own = upload->commit.completion->detail;
        (void)snprintf(own, BLOBS_DETAIL_BYTES, "%s", detail);
        if (bucket != 0) {
            sink_deinit(&upload->sink); /* it is no longer in incoming/ */
            if (blobs_remove(&worker->files->blobs, bucket, &upload->file) != SP_OK) {
                error = SP_EIO; /* logged; unknown to the database, so a sweep removes it */
            }
        }
        fail_one(upload, error);
    }
    worker->batch_count = 0;
}

static void report(struct worker *worker, uint32_t bucket)
{
    for (size_t i = 0; i < worker->batch_count; i++) {
        struct upload *upload = worker->batch[i];
        bool released = upload->released;
        upload_sealed(upload, bucket);
        if (released) {
            upload_free(upload);
        }
    }
    worker->batch_count = 0;
}

void upload_seal_batch(struct worker *worker)
{
    char detail[BLOBS_DETAIL_BYTES];
    uint32_t bucket = 0;
    int bucket_fd = -1;

    for_each(worker, start_sync, -1);
    for_each(worker, sync_file, -1);
    if (worker->batch_count == 0) {
        return;
    }
    enum sp_error error = blobs_place(&worker->files->blobs, (uint32_t)worker->batch_count, &bucket,
                                      &bucket_fd, detail);
    if (error != SP_OK) {
        fail_batch(worker, 0, error, detail);
        return;
    }
    for_each(worker, move, bucket_fd);
    if (worker->batch_count > 0) {
        error = sync_directories(worker, bucket_fd, detail);
        if (error != SP_OK) {
            fail_batch(worker, bucket, error, detail);
        } else {
            report(worker, bucket);
        }
    }
    (void)close(bucket_fd);
}
