#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "files/blobs.h"

/* What is looked for in a directory. Returning anything but SP_OK ends the walk. */
typedef enum sp_error (*visit_fn)(int directory_fd, const char *name, void *context);

/* Calls VISIT for each entry; DIRECTORY_FD stays the caller's and may be used meanwhile. */
static enum sp_error walk(int directory_fd, visit_fn visit, void *context)
{
    enum sp_error error = SP_OK;

    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return SP_EFILE;
    }
    while (error == SP_OK) {
        errno = 0;
        const struct dirent *entry =
            readdir(stream); /* NOLINT(concurrency-mt-unsafe): own stream */
        if (entry == NULL) {
            error = errno == 0 ? SP_OK : SP_EIO;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            error = visit(directory_fd, entry->d_name, context);
        }
    }
    int number = errno;
    (void)closedir(stream);
    errno = number; /* for the reason that is told */
    return error;
}

static enum sp_error remove_entry(int directory_fd, const char *name, void *context)
{
    (void)context;
    return unlinkat(directory_fd, name, 0) == 0 ? SP_OK : SP_EFILE;
}

enum sp_error blobs_empty_incoming(struct blobs *blobs)
{
    return walk(blobs->incoming_fd, remove_entry, NULL);
}

/* NAME's number when it is a bucket's name, else 0. */
static uint32_t bucket_of_name(const char *name)
{
    uint32_t bucket = 0;

    if (strlen(name) != 8) {
        return 0;
    }
    for (size_t i = 0; i < 8; i++) {
        if (!isdigit((unsigned char)name[i])) {
            return 0;
        }
        bucket = bucket * 10 + (uint32_t)(name[i] - '0');
    }
    return bucket;
}

static enum sp_error find_newest(int directory_fd, const char *name, void *context)
{
    uint32_t *newest = context;
    uint32_t bucket = bucket_of_name(name);

    (void)directory_fd;
    if (bucket > *newest) {
        *newest = bucket;
    }
    return SP_OK;
}

static enum sp_error count_entry(int directory_fd, const char *name, void *context)
{
    uint32_t *count = context;

    (void)directory_fd;
    (void)name;
    (*count)++;
    return SP_OK;
}

enum sp_error blobs_find_bucket(struct blobs *blobs)
{
    char detail[BLOBS_DETAIL_BYTES];
    int fd = -1;

    blobs->bucket = 0;
    blobs->bucket_files = 0;
    enum sp_error error = walk(blobs->blobs_fd, find_newest, &blobs->bucket);
    if (error != SP_OK || blobs->bucket == 0) {
        return error;
    }
    error = blobs_open_bucket(blobs, blobs->bucket, &fd, detail);
    if (error != SP_OK) {
        return SP_EFILE;
    }
    error = walk(fd, count_entry, &blobs->bucket_files);
    (void)close(fd);
    return error;
}

struct sweep {
    struct blobs *blobs;
    uint32_t bucket;
    uint32_t removed;
    bool (*is_known)(void *context, uint32_t bucket, const struct id *file);
    void *context;
};

static bool is_blob_name(const char *name, struct id *file)
{
    char again[ID_HEX_BYTES];

    if (strlen(name) != ID_HEX_BYTES - 1 || hex_decode(name, file->bytes, ID_BYTES) != SP_OK) {
        return false;
    }
    hex_encode(file->bytes, ID_BYTES, again);
    return strcmp(again, name) == 0;
}

/* What does not have a blob's name is not ours: it is left alone. */
static enum sp_error sweep_blob(int directory_fd, const char *name, void *context)
{
    struct sweep *sweep = context;
    struct id file;

    (void)directory_fd;
    if (!is_blob_name(name, &file)) {
        log_line(sweep->blobs->log, LOG_WARNING, "event=not_a_blob bucket=%u",
                 (unsigned)sweep->bucket);
        return SP_OK;
    }
    if (sweep->is_known(sweep->context, sweep->bucket, &file)) {
        return SP_OK;
    }
    sweep->removed++;
    return blobs_remove(sweep->blobs, sweep->bucket, &file);
}

static enum sp_error sweep_bucket(struct sweep *sweep)
{
    char detail[BLOBS_DETAIL_BYTES];
    int fd = -1;

    enum sp_error error = blobs_open_bucket(sweep->blobs, sweep->bucket, &fd, detail);
    if (error == SP_ENOTFOUND) {
        return SP_OK;
    }
    if (error == SP_OK) {
        error = walk(fd, sweep_blob, sweep);
        (void)close(fd);
    }
    if (sweep->removed > 0) {
        log_line(sweep->blobs->log, LOG_INFO, "event=blobs_swept bucket=%u count=%u",
                 (unsigned)sweep->bucket, (unsigned)sweep->removed);
    }
    return error;
}

enum sp_error blobs_sweep(struct blobs *blobs,
                          bool (*is_known)(void *context, uint32_t bucket, const struct id *file),
                          void *context)
{
    for (uint32_t back = 0; back < 2 && blobs->bucket > back; back++) {
        struct sweep sweep = {.blobs = blobs,
                              .bucket = blobs->bucket - back,
                              .is_known = is_known,
                              .context = context};
        enum sp_error error = sweep_bucket(&sweep);
        if (error != SP_OK) {
            return error;
        }
        if (back == 0) {
            blobs->bucket_files -= sweep.removed;
        }
    }
    return SP_OK;
}
