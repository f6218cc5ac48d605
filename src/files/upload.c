#include "files/upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t reserve_step_bytes = RESERVE_STEP_BYTES;

/* ---- the end of an upload ---- */

static void give_back(struct upload *upload, uint64_t bytes)
{
    uint64_t back = bytes < upload->promised_bytes ? bytes : upload->promised_bytes;
    if (back > 0) {
        upload->promised_bytes -= back;
        blobs_give_back(&upload->files->blobs, back);
    }
}

/* Lets go of all that only an upload under way needs. */
static void clean_up(struct upload *upload)
{
    if (upload->sink.fd >= 0) {
        blobs_remove_incoming(&upload->files->blobs, &upload->file);
        sink_deinit(&upload->sink);
    }
    give_back(upload, upload->promised_bytes);
    digest_stream_free(upload->digest);
    upload->digest = NULL;
    free(upload->data);
    upload->data = NULL;
    upload->state = UPLOAD_OVER;
}

static void log_failure(const struct upload *upload, enum sp_error error, const char *detail)
{
    char file[ID_HEX_BYTES];
    char reason[2 * BLOBS_DETAIL_BYTES];

    hex_encode(upload->file.bytes, ID_BYTES, file);
    log_line(upload->files->log, error == SP_EIO ? LOG_ERROR : LOG_INFO,
             "event=upload_failed file=%s error=%s reason=%s", file, sp_error_name(error),
             log_value(detail, strlen(detail), reason, sizeof(reason)));
}

void upload_fail(struct upload *upload, struct job *job, enum sp_error error)
{
    clean_up(upload);
    if (job != NULL) {
        log_failure(upload, error, job->completion->detail);
        job_fail(upload->files, job, error);
    }
}

void upload_free(struct upload *upload)
{
    worker_remove(&upload->transfer);
    clean_up(upload);
    blocks_free(upload);
    job_drop(&upload->begin);
    job_drop(&upload->commit);
    free(upload);
}

void upload_sealed(struct upload *upload, uint32_t bucket)
{
    struct files_completion *completion = upload->commit.completion;

    completion->bucket = bucket;
    completion->size = upload->size;
    completion->bytes = upload->size;
    completion->sha256 = upload->committed_sha256;
    if (bucket == 0) {
        completion->data = upload->data;
        upload->data = NULL;
    }
    sink_deinit(&upload->sink); /* the name in incoming/ is gone: nothing to remove */
    clean_up(upload);
    job_complete(upload->files, &upload->commit, FILES_SEALED);
}

/* ---- on the worker ---- */

/* Whether JOB still has something to do; if not, its completion is dropped. */
static bool is_wanted(const struct upload *upload, struct job *job)
{
    bool wanted = upload->state < UPLOAD_SEALING && !atomic_load(&upload->files->closing);
    if (!wanted) {
        job_drop(job);
    }
    return wanted;
}

static enum sp_error go_to_disk(struct upload *upload, char *detail)
{
    uint64_t bytes =
        upload->declared_bytes == UINT64_MAX ? reserve_step_bytes : upload->declared_bytes;
    int fd = -1;

    enum sp_error error = blobs_promise(&upload->files->blobs, bytes, detail);
    if (error != SP_OK) {
        return error;
    }
    upload->promised_bytes = bytes;
    error = blobs_create(&upload->files->blobs, &upload->file, &fd, detail);
    if (error != SP_OK) {
        return error;
    }
    sink_init(&upload->sink, fd);
    upload->state = UPLOAD_DISK;
    return SP_OK;
}

static enum sp_error go_to_memory(struct upload *upload)
{
    uint64_t size = upload->declared_bytes < LIMIT_INLINE_FILE_BYTES ? upload->declared_bytes
                                                                     : LIMIT_INLINE_FILE_BYTES;
    upload->data = malloc(size > 0 ? size : 1);
    if (upload->data == NULL) {
        return SP_ENOMEM;
    }
    upload->state = UPLOAD_MEMORY;
    return SP_OK;
}

void upload_run_begin(struct worker *worker, struct job *job)
{
    struct upload *upload = CONTAINER_OF(job, struct upload, begin);
    bool is_large =
        upload->declared_bytes != UINT64_MAX && upload->declared_bytes > LIMIT_INLINE_FILE_BYTES;

    worker_add(worker, &upload->transfer);
    if (!is_wanted(upload, job)) {
        return;
    }
    enum sp_error error = digest_stream_new(&upload->digest);
    if (error == SP_OK) {
        error = is_large ? go_to_disk(upload, job->completion->detail) : go_to_memory(upload);
    }
    if (error != SP_OK) {
        upload_fail(upload, job, error);
        return;
    }
    job_complete(upload->files, job, FILES_READY);
}

/* The disk's part of a chunk. An upload of unknown size takes space step by step. */
static enum sp_error write_to_disk(struct upload *upload, const void *data, size_t size,
                                   char *detail)
{
    while (upload->declared_bytes == UINT64_MAX && size > upload->promised_bytes) {
        enum sp_error error = blobs_promise(&upload->files->blobs, reserve_step_bytes, detail);
        if (error != SP_OK) {
            return error;
        }
        upload->promised_bytes += reserve_step_bytes;
    }
    enum sp_error error = sink_write(&upload->sink, data, size, detail);
    if (error == SP_OK) {
        give_back(upload, size);
    } else if (error == SP_EFULL) {
        blobs_describe_full(&upload->files->blobs, upload->sink.size, detail);
    }
    return error;
}

/* A small upload of unknown size turns out to be a large one. */
static enum sp_error move_to_disk(struct upload *upload, char *detail)
{
    enum sp_error error = go_to_disk(upload, detail);
    if (error == SP_OK) {
        error = write_to_disk(upload, upload->data, upload->size, detail);
    }
    free(upload->data);
    upload->data = NULL;
    return error;
}

static enum sp_error take_block(struct upload *upload, const struct block *block, char *detail)
{
    enum sp_error error = SP_OK;

    if (block->size > upload->declared_bytes - upload->size) {
        (void)snprintf(detail, BLOBS_DETAIL_BYTES, "more than the %" PRIu64 " bytes announced",
                       upload->declared_bytes);
        return SP_ESIZE;
    }
    if (upload->state == UPLOAD_MEMORY && upload->size + block->size > LIMIT_INLINE_FILE_BYTES) {
        error = move_to_disk(upload, detail);
    }
    if (error == SP_OK) {
        error = digest_stream_update(upload->digest, block->data, block->size);
    }
    if (error == SP_OK && upload->state == UPLOAD_DISK) {
        error = write_to_disk(upload, block->data, block->size, detail);
    } else if (error == SP_OK && upload->data != NULL && block->size > 0) {
        memcpy(upload->data + upload->size, block->data, block->size);
    }
    if (error == SP_OK) {
        upload->size += block->size;
    }
    return error;
}

void upload_run_block(struct worker *worker, struct job *job)
{
    struct block *block = CONTAINER_OF(job, struct block, job);
    struct upload *upload = block->upload;

    (void)worker;
    if (is_wanted(upload, job)) {
        enum sp_error error = take_block(upload, block, job->completion->detail);
        if (error != SP_OK) {
            upload_fail(upload, job, error);
        } else {
            job->completion->bytes = block->size;
            job_complete(upload->files, job, FILES_WRITTEN);
        }
    }
    block_give_back(block);
}

/* Whether what arrived is what the sender says it sent. */
static enum sp_error check(struct upload *upload, char *detail)
{
    struct digest digest;
    bool is_declared =
        upload->declared_bytes == UINT64_MAX || upload->declared_bytes == upload->committed_bytes;

    if (upload->size != upload->committed_bytes || !is_declared) {
        (void)snprintf(detail, BLOBS_DETAIL_BYTES, "%" PRIu64 " bytes arrived instead of %" PRIu64,
                       upload->size,
                       upload->size != upload->committed_bytes ? upload->committed_bytes
                                                               : upload->declared_bytes);
        return SP_ESIZE;
    }
    enum sp_error error = digest_stream_finish(upload->digest, &digest);
    if (error == SP_OK && !digest_equal(&digest, &upload->committed_sha256)) {
        (void)snprintf(detail, BLOBS_DETAIL_BYTES,
                       "the SHA-256 of the %" PRIu64 " bytes that arrived is another one",
                       upload->size);
        return SP_EDIGEST;
    }
    return error;
}

void upload_run_commit(struct worker *worker, struct job *job)
{
    struct upload *upload = CONTAINER_OF(job, struct upload, commit);

    if (!is_wanted(upload, job)) {
        return;
    }
    enum sp_error error = check(upload, job->completion->detail);
    if (error != SP_OK) {
        upload_fail(upload, job, error);
    } else if (upload->state == UPLOAD_MEMORY) {
        upload_sealed(upload, 0);
    } else {
        upload->state = UPLOAD_SEALING;
        worker->batch[worker->batch_count++] = upload; /* of at most WORKER_JOBS jobs */
    }
}

void upload_run_release(struct worker *worker, struct job *job)
{
    struct upload *upload = CONTAINER_OF(job, struct upload, release);

    (void)worker;
    if (upload->state == UPLOAD_SEALING) {
        upload->released = true; /* the batch frees it */
    } else {
        upload_free(upload);
    }
}
