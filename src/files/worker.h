/*
 * The file workers: threads, each with a queue of jobs. All jobs of one transfer go to one worker
 * and are done in order, so that a transfer's state needs no lock. Inside src/files only.
 *
 * A job is made with the completion that it will report with, so that a worker never stands there
 * with a result and no memory to tell it.
 */
#ifndef SP_FILES_WORKER_H
#define SP_FILES_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "files/blobs.h"
#include "files/files.h"

#define WORKER_JOBS 256 /* taken at a time: bounds how long a commit waits for its batch */

struct worker;

struct job {
    struct queue_item item;
    void (*run)(struct worker *worker, struct job *job);
    struct files_completion *completion; /* NULL: nothing to report */
};

/* An upload or a download as its worker knows it, so that none is left at the end. */
struct transfer {
    struct transfer *next;
    struct transfer **at;                   /* what points here; NULL: not in the list */
    void (*end)(struct transfer *transfer); /* removes what there is of it and frees it */
};

struct worker {
    struct files *files;
    pthread_t thread;
    bool started;
    int incoming_fd; /* for the sync */
    struct queue jobs;
    struct transfer *transfers;
    struct upload *batch[WORKER_JOBS]; /* commits that wait for their common sync */
    size_t batch_count;
};

struct files {
    void (*notify)(void *context);
    void *context;
    struct log *log;
    struct blobs blobs;
    struct queue completions;
    _Atomic bool notified; /* since they were last taken */
    _Atomic bool closing;  /* jobs that are still waiting are dropped */
    _Atomic unsigned next_download;
    unsigned worker_count;
    struct worker workers[];
};

SP_CHECK enum sp_error worker_init(struct worker *worker, struct files *files);
SP_CHECK enum sp_error worker_start(struct worker *worker); /* SP_ENOMEM */
/* Closes the queue, waits for the thread (or does its work), ends all transfers, frees. */
void worker_stop(struct worker *worker);

/* SP_ENOMEM; RUN is called on the worker, with the job's completion carrying TOKEN. */
SP_CHECK enum sp_error job_init(struct job *job, uint64_t token,
                                void (*run)(struct worker *worker, struct job *job));
/* SP_ESHUTDOWN: the job stays the caller's. */
SP_CHECK enum sp_error worker_submit(struct worker *worker, struct job *job);

void worker_add(struct worker *worker, struct transfer *transfer);
void worker_remove(struct transfer *transfer); /* also if it is in no list */

/* All jobs of FILE in this store, from upload to discard, are done in order. */
struct worker *files_worker_of(struct files *files, const struct id *file);

/* Hands the job's completion over. Any worker. */
void job_complete(struct files *files, struct job *job, enum files_event event);
void job_fail(struct files *files, struct job *job, enum sp_error error);
/* It has nothing to report after all. */
void job_drop(struct job *job);

#endif
