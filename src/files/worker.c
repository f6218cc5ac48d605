#include "files/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "files/upload.h"

/* ---- jobs ---- */

enum sp_error job_init(struct job *job, uint64_t token,
                       void (*run)(struct worker *worker, struct job *job))
{
    *job = (struct job){.run = run};
    job->completion = calloc(1, sizeof(*job->completion));
    if (job->completion == NULL) {
        return SP_ENOMEM;
    }
    job->completion->token = token;
    return SP_OK;
}

void job_complete(struct files *files, struct job *job, enum files_event event)
{
    struct files_completion *completion = job->completion;

    job->completion = NULL;
    completion->event = event;
    if (queue_push(&files->completions, &completion->item) != SP_OK) {
        files_completion_free(completion); /* it has no maximum and is not closed */
        return;
    }
    if (!atomic_exchange(&files->notified, true) && files->notify != NULL) {
        files->notify(files->context);
    }
}

void job_fail(struct files *files, struct job *job, enum sp_error error)
{
    job->completion->error = error;
    job_complete(files, job, FILES_FAILED);
}

void job_drop(struct job *job)
{
    files_completion_free(job->completion);
    job->completion = NULL;
}

/* ---- the worker ---- */

enum sp_error worker_submit(struct worker *worker, struct job *job)
{
    return queue_push(&worker->jobs, &job->item);
}

void worker_add(struct worker *worker, struct transfer *transfer)
{
    transfer->next = worker->transfers;
    transfer->at = &worker->transfers;
    if (transfer->next != NULL) {
        transfer->next->at = &transfer->next;
    }
    worker->transfers = transfer;
}

void worker_remove(struct transfer *transfer)
{
    if (transfer->at == NULL) {
        return;
    }
    *transfer->at = transfer->next;
    if (transfer->next != NULL) {
        transfer->next->at = transfer->at;
    }
    transfer->at = NULL;
}

static void run_until_closed(struct worker *worker)
{
    for (;;) {
        struct queue_item *item = queue_wait(&worker->jobs, WORKER_JOBS);
        if (item == NULL) {
            return;
        }
        while (item != NULL) {
            struct job *job = CONTAINER_OF(item, struct job, item);
            item = item->next; /* first: running frees the job */
            job->run(worker, job);
        }
        upload_seal_batch(worker);
    }
}

static void *worker_main(void *context)
{
    run_until_closed(context);
    return NULL;
}

enum sp_error worker_init(struct worker *worker, struct files *files)
{
    *worker = (struct worker){.files = files, .incoming_fd = -1};
    enum sp_error error = queue_init(&worker->jobs, 0);
    if (error != SP_OK) {
        return error;
    }
    error = blobs_open_incoming(&files->blobs, &worker->incoming_fd);
    if (error != SP_OK) {
        queue_deinit(&worker->jobs);
    }
    return error;
}

enum sp_error worker_start(struct worker *worker)
{
    sigset_t all;
    sigset_t before;

    /* Signals are for the thread that waits for them. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    worker->started = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return worker->started ? SP_OK : SP_ENOMEM;
}

void worker_stop(struct worker *worker)
{
    queue_close(&worker->jobs);
    if (worker->started) {
        (void)pthread_join(worker->thread, NULL);
        worker->started = false;
    } else {
        run_until_closed(worker);
    }
    while (worker->transfers != NULL) {
        worker->transfers->end(worker->transfers);
    }
    queue_deinit(&worker->jobs);
    (void)close(worker->incoming_fd);
}
