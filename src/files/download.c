#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "files/worker.h"

struct download {
    struct files *files;
    struct worker *worker;
    uint64_t token;
    struct id file;
    uint32_t bucket;
    uint64_t size;
    struct job open;
    struct job release;
    /* The worker's. */
    struct transfer transfer;
    int fd; /* -1: it has failed, and nothing is reported any more */
    uint64_t at;
};

/* One request for more bytes. */
struct piece {
    struct job job;
    struct download *download;
    size_t size;
};

static void close_file(struct download *download)
{
    if (download->fd >= 0) {
        (void)close(download->fd);
    }
    download->fd = -1;
}

static void download_free(struct download *download)
{
    worker_remove(&download->transfer);
    close_file(download);
    job_drop(&download->open);
    free(download);
}

static void end_transfer(struct transfer *transfer)
{
    download_free(CONTAINER_OF(transfer, struct download, transfer));
}

static void fail(struct download *download, struct job *job, enum sp_error error)
{
    char file[ID_HEX_BYTES];

    hex_encode(download->file.bytes, ID_BYTES, file);
    log_line(download->files->log, LOG_ERROR, "event=download_failed file=%s bucket=%u error=%s",
             file, (unsigned)download->bucket, sp_error_name(error));
    close_file(download);
    job_fail(download->files, job, error);
}

static void run_open(struct worker *worker, struct job *job)
{
    struct download *download = CONTAINER_OF(job, struct download, open);

    worker_add(worker, &download->transfer);
    enum sp_error error = blobs_open(&download->files->blobs, download->bucket, &download->file,
                                     download->size, &download->fd, job->completion->detail);
    if (error != SP_OK) {
        fail(download, job, error);
        return;
    }
    (void)posix_fadvise(download->fd, (off_t)download->at, 0, POSIX_FADV_SEQUENTIAL);
    job_drop(job); /* that it is open is not worth telling */
}

/* SIZE bytes from where the download is. The file cannot shrink, unless somebody else is at it. */
static enum sp_error read_all(struct download *download, uint8_t *out, size_t size, char *detail)
{
    while (size > 0) {
        ssize_t count = pread(download->fd, out, size, (off_t)download->at);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return blobs_fault(detail, "cannot read the stored file", errno);
        }
        if (count == 0) {
            (void)snprintf(detail, BLOBS_DETAIL_BYTES,
                           "the stored file ends after %" PRIu64 " of %" PRIu64 " bytes",
                           download->at, download->size);
            return SP_EINTEGRITY;
        }
        out += count;
        size -= (size_t)count;
        download->at += (uint64_t)count;
    }
    return SP_OK;
}

static void read_piece(struct download *download, struct job *job, size_t wanted)
{
    struct files_completion *completion = job->completion;
    uint64_t left = download->size - download->at;
    size_t size = wanted < left ? wanted : (size_t)left;

    if (size > 0) {
        completion->data = malloc(size);
        enum sp_error error = completion->data == NULL
                                  ? SP_ENOMEM
                                  : read_all(download, completion->data, size, completion->detail);
        if (error != SP_OK) {
            free(completion->data);
            completion->data = NULL;
            fail(download, job, error);
            return;
        }
    }
    completion->bytes = size;
    job_complete(download->files, job, FILES_READ);
}

static void run_piece(struct worker *worker, struct job *job)
{
    struct piece *piece = CONTAINER_OF(job, struct piece, job);

    if (piece->download->fd < 0 || atomic_load(&worker->files->closing)) {
        job_drop(job);
    } else {
        read_piece(piece->download, job, piece->size);
    }
    free(piece);
}

static void run_release(struct worker *worker, struct job *job)
{
    (void)worker;
    download_free(CONTAINER_OF(job, struct download, release));
}

/* ---- the caller's side ---- */

enum sp_error files_download_open(struct files *files, uint64_t token, uint32_t bucket,
                                  const struct id *file, uint64_t size, uint64_t offset,
                                  struct download **out)
{
    *out = NULL;
    if (bucket == 0 || offset > size) {
        return SP_EINVALID;
    }
    struct download *download = calloc(1, sizeof(*download));
    if (download == NULL) {
        return SP_ENOMEM;
    }
    download->files = files;
    download->worker =
        &files->workers[atomic_fetch_add(&files->next_download, 1) % files->worker_count];
    download->token = token;
    download->file = *file;
    download->bucket = bucket;
    download->size = size;
    download->at = offset;
    download->fd = -1;
    download->transfer.end = end_transfer;
    download->release.run = run_release;
    enum sp_error error = job_init(&download->open, token, run_open);
    if (error == SP_OK) {
        error = worker_submit(download->worker, &download->open);
    }
    if (error != SP_OK) {
        download_free(download);
        return error;
    }
    *out = download;
    return SP_OK;
}

enum sp_error files_download_read(struct download *download, size_t size)
{
    struct piece *piece = malloc(sizeof(*piece));
    if (piece == NULL) {
        return SP_ENOMEM;
    }
    piece->download = download;
    piece->size = size;
    enum sp_error error = job_init(&piece->job, download->token, run_piece);
    if (error == SP_OK) {
        error = worker_submit(download->worker, &piece->job);
    }
    if (error != SP_OK) {
        job_drop(&piece->job);
        free(piece);
    }
    return error;
}

void files_download_release(struct download *download)
{
    if (download == NULL) {
        return;
    }
    enum sp_error error = worker_submit(download->worker, &download->release);
    assert(error == SP_OK); /* else it has outlived its store */
    (void)error;
}
