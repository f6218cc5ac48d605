/*
 * An upload from its caller's side. The bytes come in pieces of any size, a network's record each;
 * the worker gets them in blocks, whose number is bounded by their size and not by the sender: one
 * queue, one hash, one write and one report for many pieces.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "files/upload.h"

static size_t round_up(size_t size)
{
    return (size + BLOCK_ALIGN_BYTES - 1) / BLOCK_ALIGN_BYTES * BLOCK_ALIGN_BYTES;
}

/* ---- blocks ---- */

static void block_free(struct block *block)
{
    if (block != NULL) {
        free(block->data); /* it lies behind its bytes */
    }
}

static struct block *block_new(struct upload *upload, size_t capacity)
{
    uint8_t *data = aligned_alloc(BLOCK_ALIGN_BYTES, capacity + round_up(sizeof(struct block)));

    if (data == NULL) {
        return NULL;
    }
    struct block *block = (struct block *)(void *)(data + capacity);
    *block = (struct block){.upload = upload, .data = data, .capacity = capacity};
    return block;
}

/* As large as what may still come, and no larger than the others. NULL: no memory. */
static struct block *block_get(struct upload *upload)
{
    size_t capacity = upload->block_bytes;
    uint64_t left = upload->declared_bytes > upload->given_bytes
                        ? upload->declared_bytes - upload->given_bytes
                        : 1; /* too much: the worker says so */

    if (left < capacity) {
        capacity = round_up((size_t)left);
    }
    for (size_t i = 0; capacity == upload->block_bytes && i < BLOCKS_PER_UPLOAD; i++) {
        struct block *spare = atomic_exchange(&upload->spares[i], NULL);
        if (spare != NULL) {
            spare->size = 0;
            return spare;
        }
    }
    return block_new(upload, capacity);
}

void block_give_back(struct block *block)
{
    struct upload *upload = block->upload;

    for (size_t i = 0; block->capacity == upload->block_bytes && i < BLOCKS_PER_UPLOAD; i++) {
        struct block *none = NULL;
        if (atomic_compare_exchange_strong(&upload->spares[i], &none, block)) {
            return;
        }
    }
    block_free(block);
}

void blocks_free(struct upload *upload)
{
    block_free(upload->filling);
    upload->filling = NULL;
    for (size_t i = 0; i < BLOCKS_PER_UPLOAD; i++) {
        block_free(atomic_exchange(&upload->spares[i], NULL));
    }
}

/* ---- what the caller does ---- */

static void end_transfer(struct transfer *transfer)
{
    upload_free(CONTAINER_OF(transfer, struct upload, transfer));
}

enum sp_error files_upload_begin(struct files *files, uint64_t token, const struct id *file,
                                 uint64_t size, uint64_t credit_bytes, struct upload **out)
{
    *out = NULL;
    struct upload *upload = calloc(1, sizeof(*upload));
    if (upload == NULL) {
        return SP_ENOMEM;
    }
    uint64_t part = credit_bytes / BLOCKS_PER_UPLOAD;
    part = part < BLOCK_MAXIMUM_BYTES ? part : BLOCK_MAXIMUM_BYTES;
    part -= part % BLOCK_ALIGN_BYTES;
    upload->block_bytes = part > 0 ? (size_t)part : BLOCK_ALIGN_BYTES;
    upload->files = files;
    upload->worker = files_worker_of(files, file);
    upload->token = token;
    upload->file = *file;
    upload->declared_bytes = size;
    upload->transfer.end = end_transfer;
    upload->release.run = upload_run_release;
    sink_init(&upload->sink, -1);
    enum sp_error error = job_init(&upload->begin, token, upload_run_begin);
    if (error == SP_OK) {
        error = worker_submit(upload->worker, &upload->begin);
    }
    if (error != SP_OK) {
        upload_free(upload);
        return error;
    }
    *out = upload;
    return SP_OK;
}

/* Hands what has gathered to the worker. */
static enum sp_error flush(struct upload *upload)
{
    struct block *block = upload->filling;

    if (block == NULL) {
        return SP_OK;
    }
    enum sp_error error = job_init(&block->job, upload->token, upload_run_block);
    if (error != SP_OK) {
        return error;
    }
    error = worker_submit(upload->worker, &block->job);
    if (error != SP_OK) {
        job_drop(&block->job);
        return error;
    }
    upload->filling = NULL;
    return SP_OK;
}

enum sp_error files_upload_write(struct upload *upload, const void *data, size_t size)
{
    const uint8_t *at = data;
    enum sp_error error = upload->ended ? SP_EINVALID : SP_OK;

    while (error == SP_OK && size > 0) {
        if (upload->filling == NULL) {
            upload->filling = block_get(upload);
        }
        struct block *block = upload->filling;
        if (block == NULL) {
            return SP_ENOMEM;
        }
        size_t room = block->capacity - block->size;
        size_t part = size < room ? size : room;
        memcpy(block->data + block->size, at, part);
        block->size += part;
        upload->given_bytes += part;
        at += part;
        size -= part;
        if (block->size == block->capacity || upload->given_bytes >= upload->declared_bytes) {
            error = flush(upload);
        }
    }
    return error;
}

enum sp_error files_upload_commit(struct upload *upload, uint64_t size, const struct digest *sha256)
{
    if (upload->ended) {
        return SP_EINVALID;
    }
    enum sp_error error = flush(upload);
    if (error == SP_OK) {
        error = job_init(&upload->commit, upload->token, upload_run_commit);
    }
    if (error != SP_OK) {
        return error;
    }
    upload->committed_bytes = size;
    upload->committed_sha256 = *sha256;
    error = worker_submit(upload->worker, &upload->commit);
    if (error != SP_OK) {
        job_drop(&upload->commit);
        return error;
    }
    upload->ended = true;
    return SP_OK;
}

void files_upload_release(struct upload *upload)
{
    if (upload == NULL) {
        return;
    }
    upload->ended = true;
    block_free(upload->filling);
    upload->filling = NULL;
    enum sp_error error = worker_submit(upload->worker, &upload->release);
    assert(error == SP_OK); /* else it has outlived its store */
    (void)error;
}
