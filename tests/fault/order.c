/*
 * Records, in one order, what a server writes below a directory (FAULT_DIRECTORY), what it syncs,
 * and what it says to its clients, into the file FAULT_TRACE. A write is recorded when it has come
 * back, a sync when it begins and when it has come back, and what is said before it leaves:
 * whatever the record shows is so. disk_model.py reads it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define PATH_BYTES 1024

enum operation {
    OP_CREATE = 1,     /* a file or directory: PATH */
    OP_WRITE = 2,      /* DATA at NUMBER of PATH */
    OP_TRUNCATE = 3,   /* PATH to NUMBER bytes */
    OP_SYNC_BEGIN = 4, /* of PATH; NUMBER: the thread */
    OP_SYNC_END = 5,   /* likewise; it has succeeded */
    OP_RENAME = 6,     /* PATH to DATA */
    OP_LINK = 7,       /* likewise */
    OP_UNLINK = 8,     /* PATH */
    OP_SAY = 9,        /* DATA, of a frame or several; NUMBER: to whom */
};

struct record {
    uint32_t operation;
    uint32_t path_size;
    uint64_t number;
    uint64_t data_size;
};

static struct {
    int (*open)(const char *path, int flags, ...);
    int (*openat)(int directory, const char *path, int flags, ...);
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
    int (*ftruncate)(int fd, off_t size);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*renameat2)(int from, const char *old, int to, const char *name, unsigned flags);
    int (*linkat)(int from, const char *old, int to, const char *name, int flags);
    int (*unlink)(const char *path);
    int (*unlinkat)(int directory, const char *path, int flags);
    int (*mkdir)(const char *path, mode_t mode);
    int (*mkdirat)(int directory, const char *path, mode_t mode);
    int (*ssl_write)(SSL *ssl, const void *data, size_t size, size_t *written);
    const char *directory;
    int trace_fd;
    pthread_once_t once;
    pthread_mutex_t mutex;
} next = {.once = PTHREAD_ONCE_INIT, .mutex = PTHREAD_MUTEX_INITIALIZER};

static void look_up(void)
{
    const char *trace = getenv("FAULT_TRACE");

    *(void **)&next.open = dlsym(RTLD_NEXT, "open64");
    *(void **)&next.openat = dlsym(RTLD_NEXT, "openat64");
    *(void **)&next.pwrite = dlsym(RTLD_NEXT, "pwrite64");
    *(void **)&next.ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    *(void **)&next.fsync = dlsym(RTLD_NEXT, "fsync");
    *(void **)&next.fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    *(void **)&next.renameat2 = dlsym(RTLD_NEXT, "renameat2");
    *(void **)&next.linkat = dlsym(RTLD_NEXT, "linkat");
    *(void **)&next.unlink = dlsym(RTLD_NEXT, "unlink");
    *(void **)&next.unlinkat = dlsym(RTLD_NEXT, "unlinkat");
    *(void **)&next.mkdir = dlsym(RTLD_NEXT, "mkdir");
    *(void **)&next.mkdirat = dlsym(RTLD_NEXT, "mkdirat");
    *(void **)&next.ssl_write = dlsym(RTLD_NEXT, "SSL_write_ex");
    next.directory = getenv("FAULT_DIRECTORY");
    next.trace_fd =
        trace == NULL ? -1 : next.open(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void prepare(void)
{
    (void)pthread_once(&next.once, look_up);
}

/* --- the record --- */

static int is_watched(const char *path)
{
    size_t size = next.directory == NULL ? 0 : strlen(next.directory);

    return next.trace_fd >= 0 && size > 0 && strncmp(path, next.directory, size) == 0;
}

static void record(enum operation operation, const char *path, uint64_t number, const void *data,
                   size_t size)
{
    const struct record head = {operation, (uint32_t)strlen(path), number, size};
    const struct iovec parts[] = {
        {(void *)&head, sizeof head}, {(void *)path, head.path_size}, {(void *)data, size}};
    int error = errno;

    (void)pthread_mutex_lock(&next.mutex);
    if (writev(next.trace_fd, parts, 3) != (ssize_t)(sizeof head + head.path_size + size)) {
        abort(); /* a record with a hole proves nothing */
    }
    (void)pthread_mutex_unlock(&next.mutex);
    errno = error;
}

/* Where FD leads. */
static const char *path_of(int fd, char path[PATH_BYTES])
{
    char link[64];

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_BYTES - 1);
    path[size < 0 ? 0 : size] = '\0';
    return path;
}

static const char *path_at(int directory, const char *name, char path[PATH_BYTES])
{
    char top[PATH_BYTES];

    if (name[0] == '/' || directory == AT_FDCWD) {
        (void)snprintf(path, PATH_BYTES, "%s", name);
    } else if (snprintf(path, PATH_BYTES, "%s/%s", path_of(directory, top), name) >= PATH_BYTES) {
        abort();
    }
    return path;
}

/* --- files and directories that are made --- */

static int open_recorded(int directory, const char *name, int flags, mode_t mode)
{
    char path[PATH_BYTES];
    struct stat status;

    prepare();
    int makes = (flags & O_CREAT) != 0 && is_watched(path_at(directory, name, path)) &&
                fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0;
    int fd = next.openat(directory, name, flags, mode);
    if (fd >= 0 && makes) {
        record(OP_CREATE, path, 0, NULL, 0);
    }
    if (fd >= 0 && (flags & O_TRUNC) != 0 && is_watched(path_of(fd, path))) {
        record(OP_TRUNCATE, path, 0, NULL, 0);
    }
    return fd;
}

#define OPEN_MODE(flags, mode)                                         \
    do {                                                               \
        va_list arguments;                                             \
        va_start(arguments, flags);                                    \
        mode = ((flags)&O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0; \
        va_end(arguments);                                             \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode;

    OPEN_MODE(flags, mode);
    return open_recorded(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode;

    OPEN_MODE(flags, mode);
    return open_recorded(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    mode_t mode;

    OPEN_MODE(flags, mode);
    return open_recorded(directory, path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
    prepare();
    int result = next.mkdir(path, mode);
    if (result == 0 && is_watched(path)) {
        record(OP_CREATE, path, 1, NULL, 0);
    }
    return result;
}

int mkdirat(int directory, const char *name, mode_t mode)
{
    char path[PATH_BYTES];

    prepare();
    int result = next.mkdirat(directory, name, mode);
    if (result == 0 && is_watched(path_at(directory, name, path))) {
        record(OP_CREATE, path, 1, NULL, 0);
    }
    return result;
}

/* --- names that change --- */

int renameat2(int from, const char *old, int to, const char *name, unsigned flags)
{
    char before[PATH_BYTES];
    char after[PATH_BYTES];

    prepare();
    int result = next.renameat2(from, old, to, name, flags);
    if (result == 0 && is_watched(path_at(from, old, before))) {
        (void)path_at(to, name, after);
        record(OP_RENAME, before, 0, after, strlen(after));
    }
    return result;
}

int linkat(int from, const char *old, int to, const char *name, int flags)
{
    char before[PATH_BYTES];
    char after[PATH_BYTES];

    prepare();
    int result = next.linkat(from, old, to, name, flags);
    if (result == 0 && is_watched(path_at(from, old, before))) {
        (void)path_at(to, name, after);
        record(OP_LINK, before, 0, after, strlen(after));
    }
    return result;
}

int unlink(const char *path)
{
    prepare();
    int result = next.unlink(path);
    if (result == 0 && is_watched(path)) {
        record(OP_UNLINK, path, 0, NULL, 0);
    }
    return result;
}

int unlinkat(int directory, const char *name, int flags)
{
    char path[PATH_BYTES];

    prepare();
    int result = next.unlinkat(directory, name, flags);
    if (result == 0 && is_watched(path_at(directory, name, path))) {
        record(OP_UNLINK, path, 0, NULL, 0);
    }
    return result;
}

/* --- bytes --- */

static ssize_t pwrite_recorded(int fd, const void *data, size_t size, off_t offset)
{
    char path[PATH_BYTES];

    prepare();
    ssize_t written = next.pwrite(fd, data, size, offset);
    if (written > 0 && is_watched(path_of(fd, path))) {
        record(OP_WRITE, path, (uint64_t)offset, data, (size_t)written);
    }
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite_recorded(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite_recorded(fd, data, size, offset);
}

static int ftruncate_recorded(int fd, off_t size)
{
    char path[PATH_BYTES];

    prepare();
    int result = next.ftruncate(fd, size);
    if (result == 0 && is_watched(path_of(fd, path))) {
        record(OP_TRUNCATE, path, (uint64_t)size, NULL, 0);
    }
    return result;
}

int ftruncate(int fd, off_t size)
{
    return ftruncate_recorded(fd, size);
}

int ftruncate64(int fd, off_t size)
{
    return ftruncate_recorded(fd, size);
}

/* --- syncs, and what is said --- */

static int sync_recorded(int (*sync)(int fd), int fd)
{
    char path[PATH_BYTES];
    uint64_t thread = (uint64_t)syscall(SYS_gettid);
    int watched = is_watched(path_of(fd, path));

    if (watched) {
        record(OP_SYNC_BEGIN, path, thread, NULL, 0);
    }
    int result = sync(fd);
    if (watched && result == 0) {
        record(OP_SYNC_END, path, thread, NULL, 0);
    }
    return result;
}

int fsync(int fd)
{
    prepare();
    return sync_recorded(next.fsync, fd);
}

int fdatasync(int fd)
{
    prepare();
    return sync_recorded(next.fdatasync, fd);
}

int SSL_write_ex(SSL *ssl, const void *data, size_t size, size_t *written)
{
    prepare();
    if (next.trace_fd >= 0) {
        record(OP_SAY, "", (uint64_t)(uintptr_t)ssl, data, size);
    }
    return next.ssl_write(ssl, data, size, written);
}
