#include "server/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* IN_ATTRIB: a key that was open to others and is not any more. */
#define FILE_EVENTS \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB)
#define LOST_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW)

void watch_init(struct watch *watch)
{
    *watch = (struct watch){.fd = -1};
}

static void forget_files(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        free(watch->files[i].name);
    }
    watch->count = 0;
}

void watch_deinit(struct watch *watch)
{
    forget_files(watch);
    if (watch->fd >= 0) {
        (void)close(watch->fd);
    }
    watch_init(watch);
}

enum sp_error watch_open(struct watch *watch)
{
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return watch->fd >= 0 ? SP_OK : SP_EIO;
}

static bool is_watched(const struct watch *watch, int descriptor, const char *name)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->files[i].descriptor == descriptor && strcmp(watch->files[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum sp_error add(struct watch *watch, const char *directory, const char *name)
{
    int descriptor = inotify_add_watch(watch->fd, directory,
                                       FILE_EVENTS | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
    if (descriptor < 0) {
        return SP_EFILE;
    }
    if (is_watched(watch, descriptor, name)) {
        return SP_OK;
    }
    char *copy = watch->count < WATCH_FILES ? strdup(name) : NULL;
    if (copy == NULL) {
        return SP_ENOMEM;
    }
    watch->files[watch->count].descriptor = descriptor;
    watch->files[watch->count++].name = copy;
    return SP_OK;
}

enum sp_error watch_add(struct watch *watch, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - path) + 1; /* "/x" is in "/" */
    char *directory = size == 0 ? strdup(".") : strndup(path, size);
    enum sp_error error =
        directory == NULL ? SP_ENOMEM : add(watch, directory, slash == NULL ? path : slash + 1);
    int kept = errno;
    free(directory);
    errno = kept;
    watch->incomplete |= error != SP_OK;
    return error;
}

void watch_replace(struct watch *watch, struct watch *other)
{
    forget_files(watch);
    /* Under the same number, which the pollset knows. Neither fails for descriptors that are open.
     */
    (void)dup3(other->fd, watch->fd, O_CLOEXEC);
    memcpy(watch->files, other->files, sizeof watch->files);
    watch->count = other->count;
    watch->incomplete = other->incomplete;
    other->count = 0;
    watch_deinit(other);
}

static bool concerns_us(const struct watch *watch, const struct inotify_event *event)
{
    return (event->mask & LOST_EVENTS) != 0 ||
           (event->len > 0 && is_watched(watch, event->wd, event->name));
}

bool watch_read(struct watch *watch)
{
    _Alignas(struct inotify_event) char events[4096];
    bool changed = false;
    for (;;) {
        ssize_t size = read(watch->fd, events, sizeof events);
        if (size <= 0) {
            return changed;
        }
        for (char *at = events; at < events + size;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            changed = concerns_us(watch, event) || changed;
            at += sizeof *event + event->len;
        }
    }
}
