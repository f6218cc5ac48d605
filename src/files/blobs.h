/*
 * The directories of the store: incoming/, the buckets under blobs/, and the space that uploads may
 * take. Everything is done relative to descriptors, follows no link and overwrites nothing. Called
 * by the file workers; no state of an upload is here.
 */
#ifndef SP_FILES_BLOBS_H
#define SP_FILES_BLOBS_H

#include <pthread.h>

#include "base/base.h"
#include "base/log.h"

#define BLOBS_BUCKET_FILES 1000       /* a new bucket after so many */
#define BLOBS_BUCKET_MAXIMUM 99999999 /* eight digits */
#define BLOBS_DETAIL_BYTES 160        /* as in struct files_completion */

struct blobs {
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
SP_CHECK enum sp_error blobs_init(struct blobs *blobs, const char *directory,
                                  uint64_t reserve_bytes, struct log *log, char *reason,
                                  size_t capacity);
void blobs_deinit(struct blobs *blobs);

/* As files_sweep() says. */
SP_CHECK enum sp_error
blobs_sweep(struct blobs *blobs,
            bool (*is_known)(void *context, uint32_t bucket, const struct id *file), void *context);

/* Removes what an earlier run left in incoming/. SP_EFILE, SP_EIO. */
SP_CHECK enum sp_error blobs_empty_incoming(struct blobs *blobs);
/* Finds the newest bucket and how many files are in it. SP_EFILE, SP_EIO. */
SP_CHECK enum sp_error blobs_find_bucket(struct blobs *blobs);

/*
 * The following put a sentence into DETAIL, which has BLOBS_DETAIL_BYTES, when they fail.
 */

/* What errno NUMBER of an operation is to us; "WHAT: reason" into DETAIL. Never SP_OK. */
enum sp_error blobs_fault(char *detail, const char *what, int number);

/* BYTES of space for an upload, to be given back as they are written. SP_EFULL, SP_EIO. */
SP_CHECK enum sp_error blobs_promise(struct blobs *blobs, uint64_t bytes, char *detail);
void blobs_give_back(struct blobs *blobs, uint64_t bytes);
/* A sentence about a write that found the disk full. */
void blobs_describe_full(struct blobs *blobs, uint64_t written_bytes, char *detail);

/* A descriptor of incoming/ of its own: a failed sync is told once to each descriptor, so no two
 * workers may share one. SP_EFILE. */
SP_CHECK enum sp_error blobs_open_incoming(struct blobs *blobs, int *out_fd);
/* A new file in incoming/. SP_EBUSY: there is one of that id. SP_EFULL, SP_EIO. */
SP_CHECK enum sp_error blobs_create(struct blobs *blobs, const struct id *file, int *out_fd,
                                    char *detail);
void blobs_remove_incoming(struct blobs *blobs, const struct id *file);

/*
 * A bucket for COUNT more files, durably there, and a new descriptor of it, the caller's. All of
 * them fit: a bucket may grow a little over BLOBS_BUCKET_FILES. SP_EFULL, SP_EIO.
 */
SP_CHECK enum sp_error blobs_place(struct blobs *blobs, uint32_t count, uint32_t *out_bucket,
                                   int *out_fd, char *detail);
/* incoming/FILE to the bucket; nothing is synced yet. SP_EBUSY: the bucket has one of that id. */
SP_CHECK enum sp_error blobs_move(struct blobs *blobs, const struct id *file, int bucket_fd,
                                  char *detail);

/* The blob for reading. SP_EINTEGRITY when it is missing or is not a regular file of SIZE bytes. */
SP_CHECK enum sp_error blobs_open(struct blobs *blobs, uint32_t bucket, const struct id *file,
                                  uint64_t size, int *out_fd, char *detail);
/* SP_EIO; one that is missing is no error. */
SP_CHECK enum sp_error blobs_remove(struct blobs *blobs, uint32_t bucket, const struct id *file);

/* Opens BUCKET's directory. SP_ENOTFOUND, or as blobs_fault() says. */
SP_CHECK enum sp_error blobs_open_bucket(struct blobs *blobs, uint32_t bucket, int *out_fd,
                                         char *detail);

#endif
