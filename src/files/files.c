#include "files/files.h"

#include <stdio.h>
#include <stdlib.h>

#include "files/worker.h"

/* A job of its own, not part of a transfer. */
struct discard {
    struct job job;
    uint32_t bucket;
    struct id file;
};

void files_completion_free(struct files_completion *completion)
{
    if (completion != NULL) {
        free(completion->data);
        free(completion);
    }
}

struct files_completion *files_completion_next(struct files_completion *completion)
{
    struct queue_item *next = completion->item.next;
    return next != NULL ? CONTAINER_OF(next, struct files_completion, item) : NULL;
}

struct files_completion *files_take(struct files *files)
{
    /* Cleared first: what comes in between is taken now, and at worst told of in vain. */
    atomic_store(&files->notified, false);
    struct queue_item *first = queue_take(&files->completions, 0);
    return first != NULL ? CONTAINER_OF(first, struct files_completion, item) : NULL;
}

struct worker *files_worker_of(struct files *files, const struct id *file)
{
    /* The id is a part of a digest: each of its bytes is as good as any. */
    unsigned number = (unsigned)file->bytes[0] << 8 | file->bytes[1];
    return &files->workers[number % files->worker_count];
}

static enum sp_error init_workers(struct files *files, unsigned count)
{
    while (files->worker_count < count) {
        enum sp_error error = worker_init(&files->workers[files->worker_count], files);
        if (error != SP_OK) {
            return error;
        }
        files->worker_count++;
    }
    return SP_OK;
}

enum sp_error files_open(const struct files_config *config, struct files **out, char *reason,
                         size_t capacity)
{
    unsigned count = config->workers > 0 ? config->workers : 1;

    *out = NULL;
    struct files *files = calloc(1, sizeof(*files) + count * sizeof(files->workers[0]));
    if (files == NULL) {
        (void)snprintf(reason, capacity, "out of memory");
        return SP_ENOMEM;
    }
    files->notify = config->notify;
    files->context = config->context;
    files->log = config->log;
    enum sp_error error = queue_init(&files->completions, 0);
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "out of memory");
        goto out_free;
    }
    error = blobs_init(&files->blobs, config->directory, config->reserve_bytes, config->log, reason,
                       capacity);
    if (error != SP_OK) {
        goto out_queue;
    }
    error = init_workers(files, count);
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "the file workers cannot be set up");
        files_close(files);
        return error;
    }
    *out = files;
    return SP_OK;
out_queue:
    queue_deinit(&files->completions);
out_free:
    free(files);
    return error;
}

enum sp_error files_sweep(struct files *files,
                          bool (*is_known)(void *context, uint32_t bucket, const struct id *file),
                          void *context)
{
    return blobs_sweep(&files->blobs, is_known, context);
}

enum sp_error files_start(struct files *files)
{
    for (unsigned i = 0; i < files->worker_count; i++) {
        enum sp_error error = worker_start(&files->workers[i]);
        if (error != SP_OK) {
            return error;
        }
    }
    return SP_OK;
}

static void run_discard(struct worker *worker, struct job *job)
{
    struct discard *discard = CONTAINER_OF(job, struct discard, job);

    if (blobs_remove(&worker->files->blobs, discard->bucket, &discard->file) != SP_OK) {
        log_line(worker->files->log, LOG_WARNING, "event=discard_failed bucket=%u",
                 (unsigned)discard->bucket);
    }
    free(discard);
}

void files_discard(struct files *files, uint32_t bucket, const struct id *file)
{
    if (bucket == 0) {
        return;
    }
    struct discard *discard = calloc(1, sizeof(*discard));
    if (discard != NULL) {
        discard->job.run = run_discard;
        discard->bucket = bucket;
        discard->file = *file;
    }
    if (discard == NULL || worker_submit(files_worker_of(files, file), &discard->job) != SP_OK) {
        log_line(files->log, LOG_WARNING, "event=discard_failed bucket=%u", (unsigned)bucket);
        free(discard);
    }
}

void files_close(struct files *files)
{
    if (files == NULL) {
        return;
    }
    atomic_store(&files->closing, true);
    for (unsigned i = 0; i < files->worker_count; i++) {
        worker_stop(&files->workers[i]);
    }
    struct files_completion *completion = files_take(files);
    while (completion != NULL) {
        struct files_completion *next = files_completion_next(completion);
        files_completion_free(completion);
        completion = next;
    }
    queue_deinit(&files->completions);
    blobs_deinit(&files->blobs);
    free(files);
}
