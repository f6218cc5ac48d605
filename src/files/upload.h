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

struct upload {
    struct files *files;
    struct worker *worker;
    uint64_t token;
    struct id file;
    uint64_t declared_bytes; /* UINT64_MAX: not known */
    struct job begin;
    struct job commit;
    struct job release;
    bool ended; /* the caller's side: nothing more may be given */
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
/* Frees what an upload that is over, or is ended by this, holds. */
void upload_free(struct upload *upload);

/* Syncs, renames, syncs the directories, reports: for all uploads in WORKER's batch. */
void upload_seal_batch(struct worker *worker);

#endif
