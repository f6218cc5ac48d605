/* Blobs whose file was erased: gone, and durably so, before anybody is told. */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "files/worker.h"

struct erasure {
    struct job job;
    uint32_t bucket;
    struct id file;
};

/* The bucket's entry must be gone for good: an unlink that was not synced may come back. */
static enum sp_error remove_durably(struct blobs *blobs, uint32_t bucket, const struct id *file)
{
    char detail[BLOBS_DETAIL_BYTES];
    int fd = -1;
    enum sp_error error = blobs_remove(blobs, bucket, file);

    if (error == SP_OK) {
        error = blobs_open_bucket(blobs, bucket, &fd, detail);
    }
    if (error != SP_OK) {
        return error == SP_ENOTFOUND ? SP_OK : error; /* with its bucket it is gone too */
    }
    error = fsync(fd) == 0 ? SP_OK : SP_EIO;
    (void)close(fd);
    return error;
}

static void run_erasure(struct worker *worker, struct job *job)
{
    struct erasure *erasure = CONTAINER_OF(job, struct erasure, job);
    struct files *files = worker->files;

    if (atomic_load(&files->closing)) { /* nobody waits for it: the next start does it */
        job_drop(job);
        free(erasure);
        return;
    }
    if (remove_durably(&files->blobs, erasure->bucket, &erasure->file) == SP_OK) {
        job->completion->bucket = erasure->bucket;
        job->completion->file = erasure->file;
        job_complete(files, job, FILES_ERASED);
    } else {
        log_line(files->log, LOG_ERROR, "event=erase_failed bucket=%u", (unsigned)erasure->bucket);
        job_drop(job);
    }
    free(erasure);
}

void files_erase(struct files *files, uint32_t bucket, const struct id *file)
{
    struct erasure *erasure = calloc(1, sizeof *erasure);

    if (erasure == NULL || job_init(&erasure->job, 0, run_erasure) != SP_OK) {
        log_line(files->log, LOG_WARNING, "event=erase_failed bucket=%u", (unsigned)bucket);
        free(erasure);
        return;
    }
    erasure->bucket = bucket;
    erasure->file = *file;
    if (worker_submit(files_worker_of(files, file), &erasure->job) != SP_OK) {
        job_drop(&erasure->job); /* the server is ending: the next start does it */
        free(erasure);
    }
}
