#include "base/queue.h"

#include <assert.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* A condition whose timed waits are not moved by a change of the wall clock. */
static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int result = pthread_condattr_init(&attributes);

    if (result != 0) {
        return result;
    }
    result = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (result == 0) {
        result = pthread_cond_init(condition, &attributes);
    }
    (void)pthread_condattr_destroy(&attributes);
    return result;
}

enum sp_error queue_init(struct queue *queue, size_t maximum)
{
    queue->head = NULL;
    queue->tail = &queue->head;
    queue->count = 0;
    queue->maximum = maximum;
    queue->closed = false;
    if (pthread_mutex_init(&queue->mutex, NULL) != 0) {
        return SP_ENOMEM;
    }
    if (init_condition(&queue->filled) != 0) {
        (void)pthread_mutex_destroy(&queue->mutex);
        return SP_ENOMEM;
    }
    return SP_OK;
}

void queue_deinit(struct queue *queue)
{
    assert(queue->head == NULL);
    (void)pthread_cond_destroy(&queue->filled);
    (void)pthread_mutex_destroy(&queue->mutex);
}

enum sp_error queue_push(struct queue *queue, struct queue_item *item)
{
    enum sp_error error = SP_OK;

    (void)pthread_mutex_lock(&queue->mutex);
    if (queue->closed) {
        error = SP_ESHUTDOWN;
    } else if (queue->maximum != 0 && queue->count >= queue->maximum) {
        error = SP_EBUSY;
    } else {
        item->next = NULL;
        *queue->tail = item;
        queue->tail = &item->next;
        queue->count++;
    }
    (void)pthread_mutex_unlock(&queue->mutex);
    if (error == SP_OK) {
        /* Without the mutex: who wakes up finds it free. */
        (void)pthread_cond_signal(&queue->filled);
    }
    return error;
}

/* Cuts the first MAXIMUM items off; the mutex is held. */
static struct queue_item *take_locked(struct queue *queue, size_t maximum)
{
    struct queue_item *first = queue->head;
    struct queue_item **last = &first;
    size_t taken = 0;

    if (maximum == 0 || maximum >= queue->count) {
        queue->head = NULL;
        queue->tail = &queue->head;
        queue->count = 0;
        return first;
    }
    for (taken = 0; taken < maximum && *last != NULL; taken++) {
        last = &(*last)->next;
    }
    queue->head = *last;
    queue->count -= taken;
    *last = NULL;
    return first;
}

struct queue_item *queue_take(struct queue *queue, size_t maximum)
{
    struct queue_item *items = NULL;

    (void)pthread_mutex_lock(&queue->mutex);
    items = take_locked(queue, maximum);
    (void)pthread_mutex_unlock(&queue->mutex);
    return items;
}

struct queue_item *queue_wait(struct queue *queue, size_t maximum)
{
    struct queue_item *items = NULL;

    (void)pthread_mutex_lock(&queue->mutex);
    while (queue->head == NULL && !queue->closed) {
        (void)pthread_cond_wait(&queue->filled, &queue->mutex);
    }
    items = take_locked(queue, maximum);
    (void)pthread_mutex_unlock(&queue->mutex);
    return items;
}

struct queue_item *queue_wait_ms(struct queue *queue, size_t maximum, int64_t timeout_ms)
{
    struct queue_item *items = NULL;
    struct timespec until = {0, 0};
    int result = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&queue->mutex);
    while (queue->head == NULL && !queue->closed && result == 0) {
        result = pthread_cond_timedwait(&queue->filled, &queue->mutex, &until);
    }
    items = take_locked(queue, maximum);
    (void)pthread_mutex_unlock(&queue->mutex);
    return items;
}

void queue_close(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    (void)pthread_cond_broadcast(&queue->filled);
    (void)pthread_mutex_unlock(&queue->mutex);
}

size_t queue_count(struct queue *queue)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&queue->mutex);
    count = queue->count;
    (void)pthread_mutex_unlock(&queue->mutex);
    return count;
}

enum sp_error wake_init(struct wake *wake)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    /* One descriptor is both ends; the struct has two so that a pipe would do as well. */
    wake->read_fd = fd;
    wake->write_fd = fd;
    atomic_init(&wake->pending, false);
    return fd < 0 ? SP_EIO : SP_OK;
}

void wake_deinit(struct wake *wake)
{
    if (wake->read_fd >= 0) {
        (void)close(wake->read_fd);
    }
    wake->read_fd = -1;
    wake->write_fd = -1;
}

void wake_up(struct wake *wake)
{
    static const uint64_t one = 1;

    if (!atomic_exchange(&wake->pending, true)) {
        /* Cannot fail: nobody else writes, and the counter is far from its maximum. */
        ssize_t written = write(wake->write_fd, &one, sizeof(one));

        (void)written;
    }
}

void wake_clear(struct wake *wake)
{
    uint64_t count = 0;
    ssize_t got = read(wake->read_fd, &count, sizeof(count)); /* EAGAIN: was not woken */

    (void)got;
    /*
     * In this order. Between the two a wake_up() writes nothing, but its work is seen, since the
     * owner looks only after this. The other way around its byte would be eaten with pending left
     * set, and nobody could wake the owner again.
     */
    (void)atomic_exchange(&wake->pending, false);
}
