#include "files/store.h"

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

enum sp_error store_fault(char *detail, const char *what, int number)
{
    char text[96];

    (void)snprintf(detail, STORE_DETAIL_BYTES, "%s: %s", what,
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

enum sp_error store_init(struct store *store, const char *directory, uint64_t reserve_bytes,
                         struct log *log, char *reason, size_t capacity)
{
    const char *what = "cannot be opened or made";
    char text[96];

    *store = (struct store){.directory_fd = -1,
                            .incoming_fd = -1,
                            .blobs_fd = -1,
                            .log = log,
                            .reserve_bytes = reserve_bytes};
    if (pthread_mutex_init(&store->mutex, NULL) != 0) {
        (void)snprintf(reason, capacity, "out of memory");
        return SP_ENOMEM;
    }
    enum sp_error error = open_top(directory, &store->directory_fd);
    if (error == SP_OK) {
        error = open_made(store->directory_fd, "incoming", &store->incoming_fd);
    }
    if (error == SP_OK) {
        error = open_made(store->directory_fd, "blobs", &store->blobs_fd);
    }
    if (error == SP_OK) {
        what = "has an incoming/ that cannot be emptied";
        error = store_empty_incoming(store);
    }
    if (error == SP_OK) {
        what = "has a blobs/ that cannot be read";
        error = store_find_bucket(store);
    }
    if (error != SP_OK) {
        int number = errno;
        (void)snprintf(reason, capacity, "the directory for files %s %s: %s", directory, what,
                       strerror_r(number, text, sizeof(text)));
        store_deinit(store);
    }
    return error;
}

void store_deinit(struct store *store)
{
    const int descriptors[] = {store->directory_fd, store->incoming_fd, store->blobs_fd};
    for (size_t i = 0; i < COUNT_OF(descriptors); i++) {
        if (descriptors[i] >= 0) {
            (void)close(descriptors[i]);
        }
    }
    (void)pthread_mutex_destroy(&store->mutex);
}

/* ---- incoming ---- */

enum sp_error store_open_incoming(struct store *store, int *out_fd)
{
    *out_fd = openat(store->directory_fd, "incoming", OPEN_DIRECTORY);
    return *out_fd >= 0 ? SP_OK : SP_EFILE;
}

enum sp_error store_create(struct store *store, const struct id *file, int *out_fd, char *detail)
{
    char name[ID_HEX_BYTES];

    file_name(file, name);
    *out_fd = openat(store->incoming_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     0600);
    return *out_fd >= 0 ? SP_OK : store_fault(detail, "cannot make the file", errno);
}

static void log_left_behind(struct store *store, const char *name)
{
    log_line(store->log, LOG_WARNING, "event=file_left_behind file=%s errno=%d", name, errno);
}

void store_remove_incoming(struct store *store, const struct id *file)
{
    char name[ID_HEX_BYTES];

    file_name(file, name);
    if (unlinkat(store->incoming_fd, name, 0) != 0) {
        log_left_behind(store, name); /* the next start removes it */
    }
}

/* ---- buckets ---- */

enum sp_error store_open_bucket(struct store *store, uint32_t bucket, int *out_fd, char *detail)
{
    char name[BUCKET_NAME_BYTES];

    bucket_name(bucket, name);
    *out_fd = openat(store->blobs_fd, name, OPEN_DIRECTORY);
    if (*out_fd < 0) {
        int number = errno;
        enum sp_error error = store_fault(detail, "cannot open the bucket", number);
        return number == ENOENT ? SP_ENOTFOUND : error;
    }
    return SP_OK;
}

/*
 * Under the mutex, sync and all, so that nobody puts a file into a bucket that could still vanish.
 * One that is there already was left by an attempt that failed.
 */
static enum sp_error make_bucket(struct store *store, int *out_fd, char *detail)
{
    char name[BUCKET_NAME_BYTES];

    *out_fd = -1;
    if (store->bucket >= STORE_BUCKET_MAXIMUM) {
        (void)snprintf(detail, STORE_DETAIL_BYTES, "all buckets are full");
        return SP_EFULL;
    }
    bucket_name(store->bucket + 1, name);
    if (mkdirat(store->blobs_fd, name, 0700) != 0 && errno != EEXIST) {
        return store_fault(detail, "cannot make a bucket", errno);
    }
    enum sp_error error = store_open_bucket(store, store->bucket + 1, out_fd, detail);
    if (error == SP_OK && fsync(store->blobs_fd) != 0) {
        error = store_fault(detail, "cannot sync the buckets", errno);
        (void)close(*out_fd);
        *out_fd = -1;
    }
    if (error != SP_OK) {
        (void)unlinkat(store->blobs_fd, name, AT_REMOVEDIR);
        return error;
    }
    store->bucket++;
    store->bucket_files = 0;
    return SP_OK;
}

enum sp_error store_place(struct store *store, uint32_t count, uint32_t *out_bucket, int *out_fd,
                          char *detail)
{
    enum sp_error error = SP_OK;

    *out_bucket = 0;
    (void)pthread_mutex_lock(&store->mutex);
    if (store->bucket == 0 || store->bucket_files >= STORE_BUCKET_FILES) {
        error = make_bucket(store, out_fd, detail);
    } else {
        error = store_open_bucket(store, store->bucket, out_fd, detail);
    }
    if (error == SP_OK) {
        *out_bucket = store->bucket;
        store->bucket_files += count;
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return error == SP_ENOTFOUND ? SP_EIO : error; /* somebody took the bucket away */
}

enum sp_error store_move(struct store *store, const struct id *file, int bucket_fd, char *detail)
{
    char name[ID_HEX_BYTES];

    file_name(file, name);
    if (renameat2(store->incoming_fd, name, bucket_fd, name, RENAME_NOREPLACE) == 0) {
        return SP_OK;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return store_fault(detail, "cannot move the file to its place", errno);
    }
    /* A file system without RENAME_NOREPLACE: a link never replaces either. */
    if (linkat(store->incoming_fd, name, bucket_fd, name, 0) != 0) {
        return store_fault(detail, "cannot link the file to its place", errno);
    }
    store_remove_incoming(store, file);
    return SP_OK;
}

/* ---- blobs ---- */

enum sp_error store_open_blob(struct store *store, uint32_t bucket, const struct id *file,
                              uint64_t size, int *out_fd, char *detail)
{
    char name[ID_HEX_BYTES];
    struct stat status;
    int bucket_fd = -1;
    int fd = -1;

    *out_fd = -1;
    enum sp_error error = store_open_bucket(store, bucket, &bucket_fd, detail);
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
        error = store_fault(detail, "cannot open the stored file", number);
        error = number == ENOENT || number == ELOOP ? SP_EINTEGRITY : error;
        goto out;
    }
    if (fstat(fd, &status) != 0) {
        error = store_fault(detail, "cannot look at the stored file", errno);
    } else if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != size) {
        (void)snprintf(detail, STORE_DETAIL_BYTES,
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

enum sp_error store_remove_blob(struct store *store, uint32_t bucket, const struct id *file)
{
    char name[ID_HEX_BYTES];
    char detail[STORE_DETAIL_BYTES];
    int bucket_fd = -1;

    enum sp_error error = store_open_bucket(store, bucket, &bucket_fd, detail);
    if (error != SP_OK) {
        return error == SP_ENOTFOUND ? SP_OK : SP_EIO;
    }
    file_name(file, name);
    if (unlinkat(bucket_fd, name, 0) != 0 && errno != ENOENT) {
        log_left_behind(store, name);
        error = SP_EIO;
    }
    (void)close(bucket_fd);
    return error;
}
