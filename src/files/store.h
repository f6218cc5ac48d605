/*
 * The store's directories: incoming/, the buckets under blobs/, and the space that uploads may
 * take. Everything is done relative to descriptors, follows no link and overwrites nothing. Called
 * by the file workers; no state of an upload is here.
 */
#ifndef SP_FILES_STORE_H
#define SP_FILES_STORE_H

#include <pthread.h>

#include "base/base.h"
#include "base/log.h"

#define STORE_BUCKET_FILES 1000       /* a new bucket after so many */
#define STORE_BUCKET_MAXIMUM 99999999 /* eight digits */
#define STORE_DETAIL_BYTES 160        /* as in struct files_completion */

struct store {
    int directory_fd;
    int incoming_fd;
    int blobs_fd;
    struct log *log;
    uint64_t reserve_bytes;  /* of free space, never given away */
    pthread_mutex_t mutex;   /* of what follows */
    uint64_t promised_bytes; /* given to uploads and not written yet */
    uint32_t bucket;         /* the newest; 0: none yet */
    uint32_t bucket_files;
};

/* As files_open() says; nothing to deinit after an error. */
SP_CHECK enum sp_error store_init(struct store *store, const char *directory,
                                  uint64_t reserve_bytes, struct log *log, char *reason,
                                  size_t capacity);
void store_deinit(struct store *store);

/* As files_sweep() says. */
SP_CHECK enum sp_error
store_sweep(struct store *store,
            bool (*is_known)(void *context, uint32_t bucket, const struct id *file), void *context);

/* Removes what an earlier run left in incoming/. SP_EFILE, SP_EIO. */
SP_CHECK enum sp_error store_empty_incoming(struct store *store);
/* Finds the newest bucket and how many files are in it. SP_EFILE, SP_EIO. */
SP_CHECK enum sp_error store_find_bucket(struct store *store);

/*
 * The following put a sentence into DETAIL, which has STORE_DETAIL_BYTES, when they fail.
 */

/* What errno NUMBER of an operation is to us; "WHAT: reason" into DETAIL. Never SP_OK. */
enum sp_error store_fault(char *detail, const char *what, int number);

/* BYTES of space for an upload, to be given back as they are written. SP_EFULL, SP_EIO. */
SP_CHECK enum sp_error store_promise(struct store *store, uint64_t bytes, char *detail);
void store_give_back(struct store *store, uint64_t bytes);
/* A sentence about a write that found the disk full. */
void store_describe_full(struct store *store, uint64_t written_bytes, char *detail);

/* A descriptor of incoming/ of its own: a failed sync is told once to each descriptor, so no two
 * workers may share one. SP_EFILE. */
SP_CHECK enum sp_error store_open_incoming(struct store *store, int *out_fd);
/* A new file in incoming/. SP_EBUSY: there is one of that id. SP_EFULL, SP_EIO. */
SP_CHECK enum sp_error store_create(struct store *store, const struct id *file, int *out_fd,
                                    char *detail);
void store_remove_incoming(struct store *store, const struct id *file);

/*
 * A bucket for COUNT more files, durably there, and a new descriptor of it, the caller's. All of
 * them fit: a bucket may grow a little over STORE_BUCKET_FILES. SP_EFULL, SP_EIO.
 */
SP_CHECK enum sp_error store_place(struct store *store, uint32_t count, uint32_t *out_bucket,
                                   int *out_fd, char *detail);
/* incoming/FILE to the bucket; nothing is synced yet. SP_EBUSY: the bucket has one of that id. */
SP_CHECK enum sp_error store_move(struct store *store, const struct id *file, int bucket_fd,
                                  char *detail);

/* The blob for reading. SP_EINTEGRITY when it is missing or is not a regular file of SIZE bytes. */
SP_CHECK enum sp_error store_open_blob(struct store *store, uint32_t bucket, const struct id *file,
                                       uint64_t size, int *out_fd, char *detail);
/* SP_EIO; one that is missing is no error. */
SP_CHECK enum sp_error store_remove_blob(struct store *store, uint32_t bucket,
                                         const struct id *file);

/* Opens BUCKET's directory. SP_ENOTFOUND, or as store_fault() says. */
SP_CHECK enum sp_error store_open_bucket(struct store *store, uint32_t bucket, int *out_fd,
                                         char *detail);

#endif
