#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RECORD_BYTES 8192

static struct {
    pthread_mutex_t mutex;
    enum faults_call call;
    unsigned left; /* until it fails; 0: never */
    int error;
    bool struck;
    unsigned delay_us;
    unsigned dice;
    char record[RECORD_BYTES];
    size_t recorded;
} faults = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void faults_arm(enum faults_call call, unsigned nth, int error)
{
    (void)pthread_mutex_lock(&faults.mutex);
    faults.call = call;
    faults.left = nth;
    faults.error = error;
    faults.struck = false;
    faults.recorded = 0;
    memset(faults.record, 0, sizeof(faults.record));
    (void)pthread_mutex_unlock(&faults.mutex);
}

void faults_disarm(void)
{
    (void)pthread_mutex_lock(&faults.mutex);
    faults.left = 0;
    (void)pthread_mutex_unlock(&faults.mutex);
}

bool faults_struck(void)
{
    (void)pthread_mutex_lock(&faults.mutex);
    bool struck = faults.struck;
    (void)pthread_mutex_unlock(&faults.mutex);
    return struck;
}

void faults_delay(unsigned microseconds)
{
    (void)pthread_mutex_lock(&faults.mutex);
    faults.delay_us = microseconds;
    (void)pthread_mutex_unlock(&faults.mutex);
}

const char *faults_record(void)
{
    return faults.record;
}

/* 0, or the errno that CALL is to fail with. */
static int strike(enum faults_call call)
{
    int error = 0;

    (void)pthread_mutex_lock(&faults.mutex);
    if (faults.recorded < RECORD_BYTES - 1) {
        faults.record[faults.recorded++] = "owsdrlmgvp"[call];
    }
    if (faults.left > 0 && faults.call == call && --faults.left == 0) {
        faults.struck = true;
        error = faults.error;
    }
    faults.dice = faults.dice * 1664525U + 1013904223U;
    unsigned delay_us = faults.delay_us > 0 ? (faults.dice >> 8) % faults.delay_us : 0;
    (void)pthread_mutex_unlock(&faults.mutex);
    if (delay_us > 0) {
        (void)usleep(delay_us);
    }
    errno = error;
    return error;
}

/* The names are the linker's. */
int __real_openat(int directory_fd, const char *path, int flags, ...);
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __real_pread(int fd, void *data, size_t size, off_t offset);
int __real_fsync(int fd);
int __real_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __real_mkdirat(int directory_fd, const char *path, mode_t mode);
int __real_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __real_fstatvfs(int fd, struct statvfs *out);

int __wrap_openat(int directory_fd, const char *path, int flags, ...);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset);
int __wrap_fsync(int fd);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_mkdirat(int directory_fd, const char *path, mode_t mode);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __wrap_fstatvfs(int fd, struct statvfs *out);

int __wrap_openat(int directory_fd, const char *path, int flags, ...)
{
    mode_t mode = 0;

    if ((flags & O_CREAT) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is not */
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return strike(FAULTS_OPEN) != 0 ? -1 : __real_openat(directory_fd, path, flags, mode);
}

/* What is left of SIZE, or 0 for a failure. */
static size_t shortened(enum faults_call call, size_t size)
{
    switch (strike(call)) {
    case 0:
        return size;
    case FAULTS_SHORT:
        return size / 2 > 0 ? size / 2 : 1;
    default:
        return 0;
    }
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    size_t part = shortened(FAULTS_WRITE, size);
    return part == 0 ? -1 : __real_pwrite(fd, data, part, offset);
}

ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset)
{
    size_t part = shortened(FAULTS_READ, size);
    return part == 0 ? -1 : __real_pread(fd, data, part, offset);
}

int __wrap_fsync(int fd)
{
    struct stat status;
    bool is_directory = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
    return strike(is_directory ? FAULTS_SYNC_DIR : FAULTS_SYNC) != 0 ? -1 : __real_fsync(fd);
}

int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    return strike(FAULTS_RENAME) != 0 ? -1 : __real_renameat2(from_fd, from, to_fd, to, flags);
}

int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    return strike(FAULTS_LINK) != 0 ? -1 : __real_linkat(from_fd, from, to_fd, to, flags);
}

int __wrap_mkdirat(int directory_fd, const char *path, mode_t mode)
{
    return strike(FAULTS_MKDIR) != 0 ? -1 : __real_mkdirat(directory_fd, path, mode);
}

int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    return strike(FAULTS_SYNC_RANGE) != 0 ? -1 : __real_sync_file_range(fd, offset, size, flags);
}

int __wrap_fstatvfs(int fd, struct statvfs *out)
{
    return strike(FAULTS_STATVFS) != 0 ? -1 : __real_fstatvfs(fd, out);
}
