/*
 * What threads hand to each other: a bounded queue of intrusive items, and a wake-up for a poll
 * loop.
 */
#ifndef SP_BASE_QUEUE_H
#define SP_BASE_QUEUE_H

#include <pthread.h>

#include "base/base.h"

struct queue_item {
    struct queue_item *next;
};

/* First in, first out; many producers, one or more consumers. */
struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct queue_item *head;
    struct queue_item **tail;
    size_t count;
    size_t maximum; /* 0: none */
    bool closed;
};

SP_CHECK enum sp_error queue_init(struct queue *queue, size_t maximum);
void queue_deinit(struct queue *queue); /* must be empty: the items are their owners' */
/* SP_EBUSY when full, SP_ESHUTDOWN when closed; the item then stays the caller's. */
SP_CHECK enum sp_error queue_push(struct queue *queue, struct queue_item *item);
/* All items, up to MAXIMUM (0: all), as a list in order; NULL when there are none. Does not wait.
 */
struct queue_item *queue_take(struct queue *queue, size_t maximum);
/* The same, but waits until there is one; NULL only when the queue is closed and empty. */
struct queue_item *queue_wait(struct queue *queue, size_t maximum);
/* The same, but waits at most TIMEOUT_MS; NULL also when that time has passed. */
struct queue_item *queue_wait_ms(struct queue *queue, size_t maximum, int64_t timeout_ms);
/* No more pushes; those who wait are woken. */
void queue_close(struct queue *queue);
size_t queue_count(struct queue *queue);

/*
 * A wake-up for poll(2): any number of wake_up() calls between two wake_clear() calls cost one
 * write. The owner clears it first and then looks at what it was woken for.
 */
struct wake {
    int read_fd;
    int write_fd;
    _Atomic bool pending;
};

SP_CHECK enum sp_error wake_init(struct wake *wake); /* SP_EIO */
void wake_deinit(struct wake *wake);
void wake_up(struct wake *wake); /* any thread */
void wake_clear(struct wake *wake);

#endif
