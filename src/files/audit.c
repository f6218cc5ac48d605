#include "files/audit.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"

#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define READ_BYTES 262144
#define BUCKET_DIGITS 8

enum sp_error files_audit_open(const char *directory, int *blobs_fd)
{
    char *path = NULL;

    *blobs_fd = -1;
    if (asprintf(&path, "%s/blobs", directory) < 0) {
        return SP_ENOMEM;
    }
    *blobs_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failure = errno;
    free(path);
    if (*blobs_fd >= 0) {
        return SP_OK;
    }
    return failure == ENOENT ? SP_ENOTFOUND : SP_EFILE;
}

void files_blob_path(uint32_t bucket, const struct id *file, char out[FILES_BLOB_PATH_BYTES])
{
    char name[ID_HEX_BYTES];

    hex_encode(file->bytes, ID_BYTES, name);
    (void)snprintf(out, FILES_BLOB_PATH_BYTES, "%0*" PRIu32 "/%s", BUCKET_DIGITS, bucket, name);
}

enum sp_error files_audit_open_blob(int blobs_fd, uint32_t bucket, const struct id *file,
                                    int *out_fd)
{
    char path[FILES_BLOB_PATH_BYTES];

    files_blob_path(bucket, file, path);
    *out_fd = openat(blobs_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*out_fd < 0) {
        return errno == ENOENT ? SP_ENOTFOUND : SP_EFILE;
    }
    return SP_OK;
}

static enum sp_error check_digest(int fd, const struct digest *sha256)
{
    struct digest_stream *stream = NULL;
    struct digest digest;
    uint8_t *bytes = malloc(READ_BYTES);
    enum sp_error error = bytes == NULL ? SP_ENOMEM : digest_stream_new(&stream);
    ssize_t count = 1;

    while (error == SP_OK && count > 0) {
        count = read(fd, bytes, READ_BYTES);
        if (count < 0) {
            error = SP_EIO;
        } else {
            error = digest_stream_update(stream, bytes, (size_t)count);
        }
    }
    if (error == SP_OK) {
        error = digest_stream_finish(stream, &digest);
    }
    if (error == SP_OK && !digest_equal(&digest, sha256)) {
        error = SP_EDIGEST;
    }
    digest_stream_free(stream);
    free(bytes);
    return error;
}

enum sp_error files_audit_blob(int blobs_fd, uint32_t bucket, const struct id *file, uint64_t *size,
                               const struct digest *sha256)
{
    struct stat status;
    int fd = -1;
    enum sp_error error = files_audit_open_blob(blobs_fd, bucket, file, &fd);

    if (error != SP_OK) {
        return error;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        error = SP_EFILE;
    } else if ((uint64_t)status.st_size != *size) {
        *size = (uint64_t)status.st_size;
        error = SP_ESIZE;
    } else if (sha256 != NULL) {
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        error = check_digest(fd, sha256);
    }
    (void)close(fd);
    return error;
}

/* ---- Walking ---- */

static DIR *open_walk(int parent_fd, const char *name)
{
    int fd = openat(parent_fd, name, OPEN_DIRECTORY);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

    if (stream == NULL && fd >= 0) {
        (void)close(fd);
    }
    return stream;
}

/* The next name that is neither "." nor ".."; NULL at the end, or on an error (errno). */
static const char *next_name(DIR *stream)
{
    const struct dirent *entry = NULL;

    do {
        errno = 0;
        entry = readdir(stream); /* NOLINT(concurrency-mt-unsafe): own stream */
    } while (entry != NULL &&
             (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry != NULL ? entry->d_name : NULL;
}

static uint32_t bucket_of(const char *name)
{
    if (strlen(name) != BUCKET_DIGITS || strspn(name, "0123456789") != BUCKET_DIGITS) {
        return 0;
    }
    return (uint32_t)strtoul(name, NULL, 10);
}

static enum sp_error visit_entry(DIR *bucket_stream, uint32_t bucket, const char *name,
                                 files_visit_fn visit, void *context)
{
    static const struct id none;
    struct stat status;
    struct id file;
    char again[ID_HEX_BYTES] = "";

    if (fstatat(dirfd(bucket_stream), name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? SP_OK : SP_EIO; /* it was erased just now */
    }
    int64_t changed_ms = (int64_t)status.st_ctim.tv_sec * 1000 + status.st_ctim.tv_nsec / 1000000;
    bool is_blob =
        strlen(name) == ID_HEX_BYTES - 1 && hex_decode(name, file.bytes, ID_BYTES) == SP_OK;
    if (is_blob) {
        hex_encode(file.bytes, ID_BYTES, again);
        is_blob = strcmp(again, name) == 0;
    }
    return visit(context, bucket, is_blob ? &file : &none, name, changed_ms);
}

static enum sp_error walk_bucket(int blobs_fd, const char *bucket_name, files_visit_fn visit,
                                 void *context)
{
    uint32_t bucket = bucket_of(bucket_name);
    DIR *stream = open_walk(blobs_fd, bucket_name);
    const char *name = NULL;
    enum sp_error error = SP_OK;

    if (stream == NULL) {
        return SP_EFILE;
    }
    while (error == SP_OK && (name = next_name(stream)) != NULL) {
        error = visit_entry(stream, bucket, name, visit, context);
    }
    if (error == SP_OK && errno != 0) {
        error = SP_EIO;
    }
    (void)closedir(stream);
    return error;
}

enum sp_error files_audit_walk(int blobs_fd, files_visit_fn visit, void *context)
{
    static const struct id none;
    DIR *stream = open_walk(blobs_fd, ".");
    const char *name = NULL;
    enum sp_error error = SP_OK;

    if (stream == NULL) {
        return SP_EFILE;
    }
    while (error == SP_OK && (name = next_name(stream)) != NULL) {
        error = bucket_of(name) > 0 ? walk_bucket(blobs_fd, name, visit, context)
                                    : visit(context, 0, &none, name, 0);
    }
    if (error == SP_OK && errno != 0) {
        error = SP_EIO;
    }
    (void)closedir(stream);
    return error;
}
