#include "files/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define BUCKET_NAME_BYTES 16

static void file_name(const struct id *file, char out[ID_HEX_BYTES])
{
    hex_encode(file->bytes, ID_BYTES, out);
}

static void bucket_name(uint32_t bucket, char out[BUCKET_NAME_BYTES])
{
    (void)snprintf(out, BUCKET_NAME_BYTES, "%08" PRIu32, bucket);
}

enum sp_error blobs_fault(char *detail, const char *what, int number)
{
    char text[96];

    (void)snprintf(detail, BLOBS_DETAIL_BYTES, "%s: %s", what,
                   strerror_r(number, text, sizeof(text)));
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return SP_EFULL;
    case EMFILE:
    case ENFILE:
    case EEXIST: /* a second upload of the same file, while the first is not over */
        return SP_EBUSY;
    case ENOMEM:
        return SP_ENOMEM;
    default:
        return SP_EIO;
    }
}

/* ---- opening ---- */

/* Makes NAME below PARENT_FD, unless it is there, durably, and opens it. */
static enum sp_error open_made(int parent_fd, const char *name, int *out_fd)
{
    *out_fd = -1;
    if (mkdirat(parent_fd, name, 0700) != 0 && errno != EEXIST) {
        return SP_EFILE;
    }
    if (fsync(parent_fd) != 0) {
        return SP_EIO;
    }
    *out_fd = openat(parent_fd, name, OPEN_DIRECTORY);
    return *out_fd >= 0 ? SP_OK : SP_EFILE;
}

/* The directory itself may be reached through a link: where it is, is the administrator's to say.
 */
static enum sp_error open_top(const char *directory, int *out_fd)
{
    enum sp_error error = SP_OK;
    int parent_fd = -1;

    *out_fd = -1;
    bool made = mkdir(directory, 0700) == 0;
    if (!made && errno != EEXIST) {
        return SP_EFILE;
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return SP_EFILE;
    }
    if (made) {
        parent_fd = openat(fd, "..", OPEN_DIRECTORY);
        if (parent_fd < 0 || fsync(parent_fd) != 0) {
            error = parent_fd < 0 ? SP_EFILE : SP_EIO;
            goto out;
        }
    }
    *out_fd = fd;
    fd = -1;
out:
    if (parent_fd >= 0) {
        (void)close(parent_fd);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return error;
}

enum sp_error blobs_init(struct blobs *blobs, const char *directory, uint64_t reserve_bytes,
                         struct log *log, char *reason, size_t capacity)
{
    const char *what = "cannot be opened or made";
    char text[96];

    *blobs = (struct blobs){.directory_fd = -1,
                            .incoming_fd = -1,
                            .blobs_fd = -1,
                            .log = log,
                            .reserve_bytes = reserve_bytes};
    if (pthread_mutex_init(&blobs->mutex, NULL) != 0) {
        (void)snprintf(reason, capacity, "out of memory");
        return SP_ENOMEM;
    }
    enum sp_error error = open_top(directory, &blobs->directory_fd);
    if (error == SP_OK) {
        error = open_made(blobs->directory_fd, "incoming", &blobs->incoming_fd);
    }
    if (error == SP_OK) {
        error = open_made(blobs->directory_fd, "blobs", &blobs->blobs_fd);
    }
    if (error == SP_OK) {
        what = "has an incoming/ that cannot be emptied";
        error = blobs_empty_incoming(blobs);
    }
    if (error == SP_OK) {
        what = "has a blobs/ that cannot be read";
        error = blobs_find_bucket(blobs);
    }
    if (error != SP_OK) {
        int number = errno;
        (void)snprintf(reason, capacity, "the directory for files %s %s: %s", directory, what,
                       strerror_r(number, text, sizeof(text)));
        blobs_deinit(blobs);
    }
    return error;
}

void blobs_deinit(struct blobs *blobs)
{
    const int descriptors[] = {blobs->directory_fd, blobs->incoming_fd, blobs->blobs_fd};
    for (size_t i = 0; i < COUNT_OF(descriptors); i++) {
        if (descriptors[i] >= 0) {
            (void)close(descriptors[i]);
        }
    }
    (void)pthread_mutex_destroy(&blobs->mutex);
}

/* ---- incoming ---- */

enum sp_error blobs_open_incoming(struct blobs *blobs, int *out_fd)
{
    *out_fd = openat(blobs->directory_fd, "incoming", OPEN_DIRECTORY);
    return *out_fd >= 0 ? SP_OK : SP_EFILE;
}

enum sp_error blobs_create(struct blobs *blobs, const struct id *file, int *out_fd, char *detail)
{
    char name[ID_HEX_BYTES];

    file_name(file, name);
    *out_fd = openat(blobs->incoming_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     0600);
    return *out_fd >= 0 ? SP_OK : blobs_fault(detail, "cannot make the file", errno);
}

static void log_left_behind(struct blobs *blobs, const char *name)
{
    log_line(blobs->log, LOG_WARNING, "event=file_left_behind file=%s errno=%d", name, errno);
}

void blobs_remove_incoming(struct blobs *blobs, const struct id *file)
{
    char name[ID_HEX_BYTES];

    file_name(file, name);
    if (unlinkat(blobs->incoming_fd, name, 0) != 0) {
        log_left_behind(blobs, name); /* the next start removes it */
    }
}

/* ---- buckets ---- */

enum sp_error blobs_open_bucket(struct blobs *blobs, uint32_t bucket, int *out_fd, char *detail)
{
    char name[BUCKET_NAME_BYTES];

    bucket_name(bucket, name);
    *out_fd = openat(blobs->blobs_fd, name, OPEN_DIRECTORY);
    if (*out_fd < 0) {
        int number = errno;
        enum sp_error error = blobs_fault(detail, "cannot open the bucket", number);
        return number == ENOENT ? SP_ENOTFOUND : error;
    }
    return SP_OK;
}

/*
 * Under the mutex, sync and all, so that nobody puts a file into a bucket that could still vanish.
 * One that is there already was left by an attempt that failed.
 */
static enum sp_error make_bucket(struct blobs *blobs, int *out_fd, char *detail)
{
    char name[BUCKET_NAME_BYTES];

    *out_fd = -1;
    if (blobs->bucket >= BLOBS_BUCKET_MAXIMUM) {
        (void)snprintf(detail, BLOBS_DETAIL_BYTES, "all buckets are full");
        return SP_EFULL;
    }
    bucket_name(blobs->bucket + 1, name);
    if (mkdirat(blobs->blobs_fd, name, 0700) != 0 && errno != EEXIST) {
        return blobs_fault(detail, "cannot make a bucket", errno);
    }
    enum sp_error error = blobs_open_bucket(blobs, blobs->bucket + 1, out_fd, detail);
    if (error == SP_OK && fsync(blobs->blobs_fd) != 0) {
        error = blobs_fault(detail, "cannot sync the buckets", errno);
        (void)close(*out_fd);
        *out_fd = -1;
    }
    if (error != SP_OK) {
        (void)unlinkat(blobs->blobs_fd, name, AT_REMOVEDIR);
        return error;
    }
    blobs->bucket++;
    blobs->bucket_files = 0;
    return SP_OK;
}

enum sp_error blobs_place(struct blobs *blobs, uint32_t count, uint32_t *out_bucket, int *out_fd,
                          char *detail)
{
    enum sp_error error = SP_OK;

    *out_bucket = 0;
    (void)pthread_mutex_lock(&blobs->mutex);
    if (blobs->bucket == 0 || blobs->bucket_files >= BLOBS_BUCKET_FILES) {
        error = make_bucket(blobs, out_fd, detail);
    } else {
        error = blobs_open_bucket(blobs, blobs->bucket, out_fd, detail);
    }
    if (error == SP_OK) {
        *out_bucket = blobs->bucket;
        blobs->bucket_files += count;
    }
    (void)pthread_mutex_unlock(&blobs->mutex);
    return error == SP_ENOTFOUND ? SP_EIO : error; /* somebody took the bucket away */
}

enum sp_error blobs_move(struct blobs *blobs, const struct id *file, int bucket_fd, char *detail)
{
    char name[ID_HEX_BYTES];

    file_name(file, name);
    if (renameat2(blobs->incoming_fd, name, bucket_fd, name, RENAME_NOREPLACE) == 0) {
        return SP_OK;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return blobs_fault(detail, "cannot move the file to its place", errno);
    }
    /* A file system without RENAME_NOREPLACE: a link never replaces either. */
    if (linkat(blobs->incoming_fd, name, bucket_fd, name, 0) != 0) {
        return blobs_fault(detail, "cannot link the file to its place", errno);
    }
    blobs_remove_incoming(blobs, file);
    return SP_OK;
}

/* ---- blobs ---- */

enum sp_error blobs_open(struct blobs *blobs, uint32_t bucket, const struct id *file, uint64_t size,
                         int *out_fd, char *detail)
{
    char name[ID_HEX_BYTES];
    struct stat status;
    int bucket_fd = -1;
    int fd = -1;

    *out_fd = -1;
    enum sp_error error = blobs_open_bucket(blobs, bucket, &bucket_fd, detail);
    if (error == SP_ENOTFOUND) {
        return SP_EINTEGRITY;
    }
    if (error != SP_OK) {
        return error;
    }
    file_name(file, name);
    fd = openat(bucket_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        int number = errno;
        error = blobs_fault(detail, "cannot open the stored file", number);
        error = number == ENOENT || number == ELOOP ? SP_EINTEGRITY : error;
        goto out;
    }
    if (fstat(fd, &status) != 0) {
        error = blobs_fault(detail, "cannot look at the stored file", errno);
    } else if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != size) {
        (void)snprintf(detail, BLOBS_DETAIL_BYTES,
                       "the stored file has %jd bytes instead of %" PRIu64,
                       (intmax_t)status.st_size, size);
        error = SP_EINTEGRITY;
    } else {
        *out_fd = fd;
        fd = -1;
    }
out:
    if (fd >= 0) {
        (void)close(fd);
    }
    (void)close(bucket_fd);
    return error;
}

enum sp_error blobs_remove(struct blobs *blobs, uint32_t bucket, const struct id *file)
{
    char name[ID_HEX_BYTES];
    char detail[BLOBS_DETAIL_BYTES];
    int bucket_fd = -1;

    enum sp_error error = blobs_open_bucket(blobs, bucket, &bucket_fd, detail);
    if (error != SP_OK) {
        return error == SP_ENOTFOUND ? SP_OK : SP_EIO;
    }
    file_name(file, name);
    if (unlinkat(bucket_fd, name, 0) != 0 && errno != ENOENT) {
        log_left_behind(blobs, name);
        error = SP_EIO;
    }
    (void)close(bucket_fd);
    return error;
}
