/*
 * Watches files by their directories (inotify(7)), so that a change is noticed however it is made:
 * written in place, renamed into place, made, removed, or given another mode. What a symbolic link
 * points to is not watched, nor are the directories above.
 *
 * A watch is made and filled by the reload thread, or before the loop runs, because looking a path
 * up may block; reading it never does, and is the poll thread's. It does not know what a change
 * means: that is reload.c's.
 */
#ifndef SP_SERVER_WATCH_H
#define SP_SERVER_WATCH_H

#include "base/base.h"

#define WATCH_FILES 10

struct watch {
    int fd; /* to be polled for POLLIN; -1: there is no watch */
    size_t count;
    struct {
        int descriptor; /* of its directory */
        char *name;     /* in there */
    } files[WATCH_FILES];
    bool incomplete; /* a directory is not there, or cannot be watched */
};

void watch_init(struct watch *watch);
void watch_deinit(struct watch *watch); /* may be called twice */

/* A new, empty one, of which WATCH must have none. SP_EIO (errno): the system gives none. */
SP_CHECK enum sp_error watch_open(struct watch *watch);

/* PATH is watched, too; the same file twice is no error. SP_EFILE (errno): its directory cannot be;
 * SP_ENOMEM. The watch is incomplete then. */
SP_CHECK enum sp_error watch_add(struct watch *watch, const char *path);

/* WATCH goes on with what OTHER watches, under its old descriptor; OTHER is empty afterwards. */
void watch_replace(struct watch *watch, struct watch *other);

/* Reads all that has happened. Whether one of the files has changed, or its directory has gone. */
SP_CHECK bool watch_read(struct watch *watch);

#endif
