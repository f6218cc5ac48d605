#include "server/pollset.h"

#include <errno.h>
#include <stdlib.h>

void pollset_init(struct pollset *set)
{
    *set = (struct pollset){0};
}

void pollset_deinit(struct pollset *set)
{
    free(set->fds);
    free(set->sources);
    *set = (struct pollset){0};
}

static enum sp_error grow(struct pollset *set)
{
    size_t capacity = set->capacity == 0 ? 64 : 2 * set->capacity;
    struct pollfd *fds = reallocarray(set->fds, capacity, sizeof *fds);
    if (fds == NULL) {
        return SP_ENOMEM;
    }
    set->fds = fds;
    struct source **sources = reallocarray(set->sources, capacity, sizeof(struct source *));
    if (sources == NULL) {
        return SP_ENOMEM;
    }
    set->sources = sources;
    set->capacity = capacity;
    return SP_OK;
}

enum sp_error pollset_add(struct pollset *set, struct source *source, int fd, short events)
{
    if (set->count == set->capacity && grow(set) != SP_OK) {
        return SP_ENOMEM;
    }
    source->index = set->count++;
    set->fds[source->index] = (struct pollfd){.fd = fd, .events = events};
    set->sources[source->index] = source;
    return SP_OK;
}

void pollset_remove(struct pollset *set, struct source *source)
{
    size_t last = --set->count;
    set->fds[source->index] = set->fds[last];
    set->sources[source->index] = set->sources[last];
    set->sources[source->index]->index = source->index;
}

void pollset_set_events(struct pollset *set, const struct source *source, short events)
{
    set->fds[source->index].events = events;
}

enum sp_error pollset_wait(struct pollset *set, int timeout_ms)
{
    set->ready = poll(set->fds, (nfds_t)set->count, timeout_ms);
    return set->ready >= 0 || errno == EINTR || errno == EAGAIN ? SP_OK : SP_EIO;
}

void pollset_dispatch(struct pollset *set)
{
    size_t count = set->count; /* what is added meanwhile was not polled */
    int ready = set->ready;
    for (size_t i = 0; i < count && ready > 0; i++) {
        short revents = set->fds[i].revents;
        if (revents != 0) {
            ready--;
            set->sources[i]->ready(set->sources[i], revents);
        }
    }
}
