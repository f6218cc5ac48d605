/* The queue loses nothing, doubles nothing and keeps each producer's order; no wake-up is lost. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/queue.h"

#define PRODUCERS 4UL
#define ITEMS_PER_PRODUCER 5000UL
#define ITEMS (PRODUCERS * ITEMS_PER_PRODUCER)
#define WAKE_TIMEOUT_MS 10000

struct item {
    struct queue_item link;
    unsigned producer;
    unsigned number; /* of this producer, from 0 */
};

struct producer {
    pthread_t thread;
    struct queue *queue;
    struct wake *wake; /* or NULL */
    struct item items[ITEMS_PER_PRODUCER];
    unsigned failed; /* cmocka's assertions belong to the main thread */
};

static struct item *item_of(struct queue_item *link)
{
    return CONTAINER_OF(link, struct item, link);
}

static size_t list_length(const struct queue_item *items)
{
    size_t length = 0;

    for (; items != NULL; items = items->next) {
        length++;
    }
    return length;
}

static void test_first_in_first_out(void **state)
{
    struct queue queue;
    struct item items[5] = {{.number = 0}};
    struct queue_item *taken = NULL;

    (void)state;
    assert_int_equal(queue_init(&queue, 0), SP_OK);
    assert_null(queue_take(&queue, 0));
    for (unsigned i = 0; i < 5; i++) {
        items[i].number = i;
        assert_int_equal(queue_push(&queue, &items[i].link), SP_OK);
    }
    assert_int_equal(queue_count(&queue), 5);
    taken = queue_take(&queue, 2);
    assert_int_equal(list_length(taken), 2);
    assert_int_equal(item_of(taken)->number, 0);
    assert_int_equal(queue_count(&queue), 3);
    assert_int_equal(queue_push(&queue, &items[0].link), SP_OK); /* behind what was left */
    taken = queue_wait(&queue, 3);
    assert_int_equal(list_length(taken), 3);
    assert_int_equal(item_of(taken)->number, 2);
    taken = queue_take(&queue, 7);
    assert_int_equal(list_length(taken), 1);
    assert_int_equal(item_of(taken)->number, 0);
    assert_int_equal(queue_push(&queue, &items[1].link), SP_OK); /* after it ran empty */
    assert_int_equal(list_length(queue_take(&queue, 0)), 1);
    assert_int_equal(queue_count(&queue), 0);
    queue_deinit(&queue);
}

static void test_full_and_closed(void **state)
{
    struct queue queue;
    struct item items[3] = {{.number = 0}};

    (void)state;
    assert_int_equal(queue_init(&queue, 2), SP_OK);
    assert_int_equal(queue_push(&queue, &items[0].link), SP_OK);
    assert_int_equal(queue_push(&queue, &items[1].link), SP_OK);
    assert_int_equal(queue_push(&queue, &items[2].link), SP_EBUSY);
    assert_ptr_equal(queue_take(&queue, 1), &items[0].link);
    assert_int_equal(queue_push(&queue, &items[2].link), SP_OK);
    queue_close(&queue);
    assert_int_equal(queue_push(&queue, &items[0].link), SP_ESHUTDOWN);
    assert_int_equal(list_length(queue_wait(&queue, 0)), 2); /* what was in it still comes out */
    assert_null(queue_wait(&queue, 0));
    queue_deinit(&queue);
}

static void *produce(void *context)
{
    struct producer *producer = context;

    for (unsigned i = 0; i < ITEMS_PER_PRODUCER; i++) {
        enum sp_error error = SP_EBUSY;

        producer->items[i].number = i;
        while (error == SP_EBUSY) {
            error = queue_push(producer->queue, &producer->items[i].link);
            if (error == SP_EBUSY) {
                (void)sched_yield();
            }
        }
        producer->failed += error != SP_OK;
        if (producer->wake != NULL) {
            wake_up(producer->wake);
        }
    }
    return NULL;
}

static void start(struct producer *producers, struct queue *queue, struct wake *wake)
{
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i].queue = queue;
        producers[i].wake = wake;
        producers[i].failed = 0;
        for (unsigned j = 0; j < ITEMS_PER_PRODUCER; j++) {
            producers[i].items[j].producer = i;
        }
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
}

static void join(struct producer *producers)
{
    for (unsigned i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
        assert_int_equal(producers[i].failed, 0);
    }
}

/* Goes through a list; each producer's items must come in its order. Returns how many. */
static size_t check_order(struct queue_item *items, unsigned next[PRODUCERS])
{
    size_t count = 0;

    for (; items != NULL; items = items->next) {
        struct item *item = item_of(items);

        assert_int_equal(item->number, next[item->producer]);
        next[item->producer]++;
        count++;
    }
    return count;
}

static void test_many_producers(void **state)
{
    static struct producer producers[PRODUCERS];
    unsigned next[PRODUCERS] = {0};
    struct queue queue;
    size_t count = 0;

    (void)state;
    assert_int_equal(queue_init(&queue, 64), SP_OK); /* small: it fills up all the time */
    start(producers, &queue, NULL);
    while (count < ITEMS) {
        size_t got = check_order(queue_wait(&queue, 7), next);

        assert_in_range(got, 1, 7);
        count += got;
    }
    join(producers);
    assert_int_equal(count, ITEMS);
    assert_int_equal(queue_count(&queue), 0);
    queue_deinit(&queue);
}

struct consumer {
    pthread_t thread;
    struct queue *queue;
    size_t count;
    uint64_t sum;
};

static void *consume(void *context)
{
    struct consumer *consumer = context;
    struct queue_item *items = NULL;

    while ((items = queue_wait(consumer->queue, 3)) != NULL) {
        for (; items != NULL; items = items->next) {
            consumer->count++;
            consumer->sum += item_of(items)->number;
        }
    }
    return NULL;
}

static void test_several_consumers(void **state)
{
    static struct producer producers[PRODUCERS];
    struct consumer consumers[3] = {{.count = 0}};
    struct queue queue;
    size_t count = 0;
    uint64_t sum = 0;

    (void)state;
    assert_int_equal(queue_init(&queue, 0), SP_OK);
    for (size_t i = 0; i < COUNT_OF(consumers); i++) {
        consumers[i].queue = &queue;
        assert_int_equal(pthread_create(&consumers[i].thread, NULL, consume, &consumers[i]), 0);
    }
    start(producers, &queue, NULL);
    join(producers);
    queue_close(&queue); /* ends all of them, but only when it is empty */
    for (size_t i = 0; i < COUNT_OF(consumers); i++) {
        assert_int_equal(pthread_join(consumers[i].thread, NULL), 0);
        count += consumers[i].count;
        sum += consumers[i].sum;
    }
    assert_int_equal(count, ITEMS);
    assert_true(sum == (uint64_t)PRODUCERS * ITEMS_PER_PRODUCER * (ITEMS_PER_PRODUCER - 1) / 2);
    queue_deinit(&queue);
}

static bool is_readable(const struct wake *wake, int timeout_ms)
{
    struct pollfd fd = {.fd = wake->read_fd, .events = POLLIN};

    return poll(&fd, 1, timeout_ms) == 1;
}

static void test_wake(void **state)
{
    struct wake wake;

    (void)state;
    assert_int_equal(wake_init(&wake), SP_OK);
    assert_false(is_readable(&wake, 0));
    wake_clear(&wake); /* without having been woken: does not block */
    for (int i = 0; i < 3; i++) {
        wake_up(&wake);
        wake_up(&wake);
        assert_true(is_readable(&wake, 0));
        wake_clear(&wake);
        assert_false(is_readable(&wake, 0));
    }
    wake_deinit(&wake);
    wake_deinit(&wake);
}

/* A poll loop as the server has one: were a wake-up lost, it would wait until the timeout. */
static void test_no_wake_up_is_lost(void **state)
{
    static struct producer producers[PRODUCERS];
    unsigned next[PRODUCERS] = {0};
    struct queue queue;
    struct wake wake;
    size_t count = 0;

    (void)state;
    assert_int_equal(queue_init(&queue, 0), SP_OK);
    assert_int_equal(wake_init(&wake), SP_OK);
    start(producers, &queue, &wake);
    while (count < ITEMS) {
        assert_true(is_readable(&wake, WAKE_TIMEOUT_MS));
        wake_clear(&wake);
        count += check_order(queue_take(&queue, 0), next);
    }
    join(producers);
    wake_deinit(&wake);
    queue_deinit(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_full_and_closed),
        cmocka_unit_test(test_many_producers),
        cmocka_unit_test(test_several_consumers),
        cmocka_unit_test(test_wake),
        cmocka_unit_test(test_no_wake_up_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
