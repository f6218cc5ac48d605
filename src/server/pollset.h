/* poll(2) over any number of descriptors: each belongs to a source, whose function is called when
 * it is ready. */
#ifndef SP_SERVER_POLLSET_H
#define SP_SERVER_POLLSET_H

#include <poll.h>

#include "base/base.h"

struct source {
    /* REVENTS as poll(2) gave them, not 0. May add sources, but not remove any. */
    void (*ready)(struct source *source, short revents);
    size_t index; /* in the pollset */
};

struct pollset {
    struct pollfd *fds;
    struct source **sources;
    size_t count;
    size_t capacity;
    int ready; /* how many, as poll(2) said */
};

void pollset_init(struct pollset *set);
void pollset_deinit(struct pollset *set);
/* SP_ENOMEM. SOURCE must stay where it is until pollset_remove(). */
SP_CHECK enum sp_error pollset_add(struct pollset *set, struct source *source, int fd,
                                   short events);
void pollset_remove(struct pollset *set, struct source *source);
void pollset_set_events(struct pollset *set, const struct source *source, short events);
/* Waits at most TIMEOUT_MS (-1: for ever). SP_EIO. */
SP_CHECK enum sp_error pollset_wait(struct pollset *set, int timeout_ms);
/* Calls those that were ready when pollset_wait() returned. In between the caller looks at the
 * clock: it may have waited long. */
void pollset_dispatch(struct pollset *set);

#endif
