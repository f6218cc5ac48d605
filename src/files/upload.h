/*
 * An upload as its worker sees it, and the common end of many. Inside src/files only.
 */
#ifndef SP_FILES_UPLOAD_H
#define SP_FILES_UPLOAD_H

#include "crypto/digest.h"
#include "files/sink.h"
#include "files/worker.h"

enum upload_state {
    UPLOAD_NEW,     /* its begin was not worked on yet */
    UPLOAD_MEMORY,  /* its bytes are in DATA */
    UPLOAD_DISK,    /* its bytes are in incoming/ */
    UPLOAD_SEALING, /* it is in its worker's batch */
    UPLOAD_OVER,    /* sealed or failed: nothing is reported any more */
};

/* So many are under way at a time, of what the caller lets one upload have under way. */
#define BLOCKS_PER_UPLOAD 4
#define BLOCK_ALIGN_BYTES 4096 /* of its bytes, its capacity and its place in the file */
#define BLOCK_MAXIMUM_BYTES ((size_t)256 * 1024)

/* Bytes of an upload on their way to the worker: many pieces as they came, together. */
struct block {
    struct job job;
    struct upload *upload;
    uint8_t *data;
    size_t capacity;
    size_t size;
};

struct upload {
    struct files *files;
    struct worker *worker;
    uint64_t token;
    struct id file;
    uint64_t declared_bytes; /* UINT64_MAX: not known */
    struct job begin;
    struct job commit;
    struct job release;
    /* The caller's. */
    bool ended; /* nothing more may be given */
    size_t block_bytes;
    uint64_t given_bytes;
    struct block *filling; /* NULL: none; not with the worker yet */
    /* Both sides': blocks that are done with, so that not each is allocated anew. */
    struct block *_Atomic spares[BLOCKS_PER_UPLOAD];
    /* What was said with the commit. */
    uint64_t committed_bytes;
    struct digest committed_sha256;
    /* The worker's. */
    struct transfer transfer;
    enum upload_state state;
    bool released; /* while it was in the batch */
    struct digest_stream *digest;
    uint64_t size;
    uint8_t *data; /* LIMIT_INLINE_FILE_BYTES, or fewer when the size is known */
    struct sink sink;
    uint64_t promised_bytes; /* of the store's space, not written yet */
};

/* Ends UPLOAD without success: removes what there is of it, and reports with JOB unless that is
 * NULL. ERROR's sentence is in the job's completion. */
void upload_fail(struct upload *upload, struct job *job, enum sp_error error);
/* Reports FILES_SEALED with the commit's completion. BUCKET 0: DATA goes with it. */
void upload_sealed(struct upload *upload, uint32_t bucket);
/* Jobs: what the worker does for files_upload_begin(), _write(), _commit() and _release(). */
void upload_run_begin(struct worker *worker, struct job *job);
void upload_run_block(struct worker *worker, struct job *job);
void upload_run_commit(struct worker *worker, struct job *job);
void upload_run_release(struct worker *worker, struct job *job);

/* The worker has done with it. */
void block_give_back(struct block *block);
/* What is left of UPLOAD's, but for those that wait for the worker. */
void blocks_free(struct upload *upload);

/* Frees what an upload that is over, or is ended by this, holds. */
void upload_free(struct upload *upload);

/* Syncs, renames, syncs the directories, reports: for all uploads in WORKER's batch. */
void upload_seal_batch(struct worker *worker);

#endif
