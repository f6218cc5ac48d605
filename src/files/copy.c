#include "files/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "files/audit.h"

#define COPY_BYTES 262144
#define BUCKET_NAME_BYTES 16
#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static enum sp_error fault(int number)
{
    return number == ENOSPC || number == EDQUOT ? SP_EFULL
           : number == ENOENT                   ? SP_ENOTFOUND
                                                : SP_EIO;
}

static enum sp_error make_bucket(int to_fd, uint32_t bucket)
{
    char name[BUCKET_NAME_BYTES];

    (void)snprintf(name, sizeof name, "%08" PRIu32, bucket);
    return mkdirat(to_fd, name, 0700) == 0 || errno == EEXIST ? SP_OK : fault(errno);
}

static enum sp_error copy_bytes(int from, int to)
{
    uint8_t *bytes = malloc(COPY_BYTES);
    enum sp_error error = bytes == NULL ? SP_ENOMEM : SP_OK;
    ssize_t count = 1;

    (void)posix_fadvise(from, 0, 0, POSIX_FADV_SEQUENTIAL);
    while (error == SP_OK && count > 0) {
        count = read(from, bytes, COPY_BYTES);
        error = count < 0 ? SP_EIO : file_write_all(to, bytes, (size_t)count);
    }
    free(bytes);
    if (error == SP_OK && fsync(to) != 0) {
        error = SP_EIO;
    }
    return error;
}

static enum sp_error copy_blob(int from_fd, int to_fd, uint32_t bucket, const struct id *file)
{
    char path[FILES_BLOB_PATH_BYTES];
    int from = -1;
    enum sp_error error = files_audit_open_blob(from_fd, bucket, file, &from);

    if (error != SP_OK) {
        return error;
    }
    files_blob_path(bucket, file, path);
    int to = openat(to_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    error = to < 0 ? fault(errno) : copy_bytes(from, to);
    if (to >= 0) {
        (void)close(to);
    }
    (void)close(from);
    return error;
}

enum sp_error files_copy_blob(int from_fd, int to_fd, uint32_t bucket, const struct id *file,
                              uint64_t size, bool link)
{
    char path[FILES_BLOB_PATH_BYTES];
    uint64_t found = size;
    enum sp_error error = files_audit_blob(from_fd, bucket, file, &found, NULL);

    if (error == SP_OK) {
        error = make_bucket(to_fd, bucket);
    }
    if (error != SP_OK) {
        return error;
    }
    files_blob_path(bucket, file, path);
    if (link && linkat(from_fd, path, to_fd, path, 0) == 0) {
        return SP_OK;
    }
    return copy_blob(from_fd, to_fd, bucket, file);
}

enum sp_error files_copy_remove(int to_fd, uint32_t bucket, const struct id *file)
{
    char path[FILES_BLOB_PATH_BYTES];

    files_blob_path(bucket, file, path);
    return unlinkat(to_fd, path, 0) == 0 || errno == ENOENT ? SP_OK : SP_EIO;
}

enum sp_error files_copy_begin(const char *directory, int *blobs_fd)
{
    *blobs_fd = -1;
    if (mkdir(directory, 0700) != 0) {
        return fault(errno);
    }
    int fd = open(directory, OPEN_DIRECTORY);
    if (fd < 0) {
        return SP_EFILE;
    }
    if (mkdirat(fd, "incoming", 0700) == 0 && mkdirat(fd, "blobs", 0700) == 0) {
        *blobs_fd = openat(fd, "blobs", OPEN_DIRECTORY);
    }
    int failure = errno;
    (void)close(fd);
    return *blobs_fd >= 0 ? SP_OK : fault(failure);
}

/* The buckets in blobs/. */
static enum sp_error sync_buckets(int blobs_fd)
{
    enum sp_error error = SP_OK;
    int again = openat(blobs_fd, ".", OPEN_DIRECTORY);
    DIR *stream = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *entry = NULL;

    if (stream == NULL) {
        if (again >= 0) {
            (void)close(again);
        }
        return SP_EIO;
    }
    errno = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): own stream */
    while (error == SP_OK && (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        int fd = openat(blobs_fd, entry->d_name, OPEN_DIRECTORY);
        error = fd >= 0 && fsync(fd) == 0 ? SP_OK : SP_EIO;
        if (fd >= 0) {
            (void)close(fd);
        }
        errno = 0;
    }
    if (errno != 0) {
        error = SP_EIO;
    }
    (void)closedir(stream);
    return error;
}

enum sp_error files_copy_sync(const char *directory, int blobs_fd)
{
    enum sp_error error = sync_buckets(blobs_fd);

    if (error == SP_OK && fsync(blobs_fd) != 0) {
        error = SP_EIO;
    }
    return error == SP_OK ? file_sync_directory(directory) : error;
}
