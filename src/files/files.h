/*
 * Blobs: the bytes of stored files, on disk. File workers hash, write and sync, so that the poll
 * thread never waits for a disk; an upload belongs to one worker for its life.
 *
 * The caller (the poll thread) hands over chunks and gets completions; nothing here knows names,
 * members or rooms. A file's name in the store is its id in hexadecimal: never anything that a
 * sender chose.
 *
 *   DIR/incoming/ID          while it arrives; removed at start
 *   DIR/blobs/BUCKET/ID      synced, renamed, directory synced; before anybody is told
 *
 * Files of up to LIMIT_INLINE_FILE_BYTES never touch the disk here: their bytes come back with
 * FILES_SEALED, for the database. A failed sync is never tried again: the file is unlinked and the
 * upload refused.
 */
#ifndef SP_FILES_FILES_H
#define SP_FILES_FILES_H

#include "base/base.h"
#include "base/log.h"
#include "base/queue.h"

struct files;
struct upload;
struct download;

struct files_config {
    const char *directory;  /* made, mode 0700, if absent */
    unsigned workers;       /* threads, at least 1 */
    uint64_t reserve_bytes; /* of free space that uploads never get */
    struct log *log;        /* may be NULL */
    void (*notify)(
        void *context); /* on a worker's thread: completions wait where none did before */
    void *context;
};

enum files_event {
    FILES_READY,   /* an upload can take data; space is reserved */
    FILES_WRITTEN, /* BYTES of an upload, of several writes, are hashed and written: so much credit
                      is free again */
    FILES_SEALED,  /* an upload is complete, its digest right, its bytes durable at their final name
                    */
    FILES_FAILED,  /* an upload or a download is over; ERROR and DETAIL say why; nothing is left of
                      an upload */
    FILES_ERASED,  /* FILE in BUCKET is gone from the directory, durably; not of a transfer */
    FILES_READ,    /* DATA, BYTES long, of a download; 0 bytes: the end */
};

/*
 * What is reported of one transfer comes in order. After FILES_SEALED or FILES_FAILED nothing more
 * comes, not even for chunks or requests that were waiting: all of a transfer's credit is then free
 * again. After a release what was already on its way still comes: use a token once.
 */
struct files_completion {
    struct queue_item item;
    enum files_event event;
    uint64_t token; /* the caller's name for the transfer */
    enum sp_error error;
    char detail[160]; /* with numbers: "needs 3.0 GiB, 1.2 GiB are free" */
    uint64_t bytes;
    /* FILES_SEALED */
    uint64_t size;
    struct digest sha256;
    uint32_t bucket; /* 0: the bytes are in DATA, for the database */
    uint8_t *data;   /* owned by the completion */
    struct id file;  /* FILES_ERASED */
};

void files_completion_free(struct files_completion *completion); /* NULL is allowed */
/* The one after COMPLETION in what files_take() gave; NULL: it was the last. */
struct files_completion *files_completion_next(struct files_completion *completion);

/*
 * Opens or makes the store: empties incoming/, finds the current bucket. On error a sentence in
 * REASON. SP_EFILE, SP_EIO, SP_ENOMEM. Starts no thread.
 */
SP_CHECK enum sp_error files_open(const struct files_config *config, struct files **out,
                                  char *reason, size_t capacity);
SP_CHECK enum sp_error files_start(struct files *files);
/*
 * Workers finish the job in their hands, threads end; uploads under way are removed, jobs that wait
 * and completions that were not taken are dropped. All uploads and downloads are gone afterwards:
 * they need not, and must not, be released any more. NULL is allowed.
 */
void files_close(struct files *files);

/*
 * After a crash between rename and commit a blob may be there that the database does not know. Only
 * the newest two buckets can have such; for each of these and each blob in them IS_KNOWN is asked,
 * and what is unknown is removed. Before files_start().
 */
SP_CHECK enum sp_error
files_sweep(struct files *files,
            bool (*is_known)(void *context, uint32_t bucket, const struct id *file), void *context);

/* All completions so far, in order; NULL: none. The caller frees each. */
struct files_completion *files_take(struct files *files);

/*
 * Begins an upload of SIZE bytes (UINT64_MAX: not known; then space is reserved in steps), of which
 * at most CREDIT_BYTES will be under way, given and not reported as written, at any time.
 * FILES_READY or FILES_FAILED follows: SP_EFULL; SP_EBUSY when an upload of the same FILE is under
 * way. *OUT belongs to the caller until files_upload_release(), also when it has failed.
 * SP_ENOMEM.
 */
SP_CHECK enum sp_error files_upload_begin(struct files *files, uint64_t token,
                                          const struct id *file, uint64_t size,
                                          uint64_t credit_bytes, struct upload **out);
/*
 * Copies SIZE bytes of DATA. They go to the worker when a quarter of the credit has gathered, when
 * the declared size is reached, and with the commit: FILES_WRITTEN follows then, or FILES_FAILED
 * (SP_ESIZE: more than declared; SP_EFULL, SP_EIO, SP_EBUSY). So a sender who waits for credit for
 * half of it is never waiting for itself. FILES_READY need not be waited for. SP_ENOMEM: the upload
 * is good for nothing any more; SP_EINVALID after the commit.
 */
SP_CHECK enum sp_error files_upload_write(struct upload *upload, const void *data, size_t size);
/*
 * The sender says that this was all: SIZE bytes with SHA256. FILES_SEALED or FILES_FAILED
 * (SP_ESIZE, SP_EDIGEST, SP_EFULL, SP_EIO; SP_EBUSY when the same FILE was sealed just before)
 * follows. The commits that wait for one worker share their directory's sync. SP_ENOMEM,
 * SP_EINVALID when it was said before.
 */
SP_CHECK enum sp_error files_upload_commit(struct upload *upload, uint64_t size,
                                           const struct digest *sha256);
/*
 * The caller forgets the upload. Unless it was sealed or has failed it is cancelled, and its bytes
 * are removed; if its commit is under way, that goes on, and its FILES_SEALED still comes: the blob
 * is then the caller's to keep or to discard. NULL is allowed.
 */
void files_upload_release(struct upload *upload);

/* A sealed blob that was refused after all is removed, before anything is done for a later upload
 * of FILE. Nothing to do for bucket 0. */
void files_discard(struct files *files, uint32_t bucket, const struct id *file);

/*
 * The blob of a file that was erased is unlinked and its directory synced; FILES_ERASED follows.
 * Should that fail, it is logged, and nothing follows: it is for the next start to try again.
 */
void files_erase(struct files *files, uint32_t bucket, const struct id *file);

/* Opens a blob for reading from OFFSET. FILES_FAILED with SP_EINTEGRITY if it is missing or not
 * SIZE bytes long. SP_ENOMEM; SP_EINVALID for bucket 0 or an OFFSET past the end. */
SP_CHECK enum sp_error files_download_open(struct files *files, uint64_t token, uint32_t bucket,
                                           const struct id *file, uint64_t size, uint64_t offset,
                                           struct download **out);
/* Asks for SIZE bytes more, fewer only at the end: one FILES_READ follows. At most two at a time.
 * SP_ENOMEM. */
SP_CHECK enum sp_error files_download_read(struct download *download, size_t size);
/* Reads that wait are still done. NULL is allowed. */
void files_download_release(struct download *download);

#endif
