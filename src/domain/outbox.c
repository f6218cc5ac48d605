#include "domain/outbox.h"

enum sp_error outbox_init(struct outbox *outbox)
{
    outbox->first = NULL;
    outbox->last = &outbox->first;
    return pthread_mutex_init(&outbox->mutex, NULL) == 0 ? SP_OK : SP_ENOMEM;
}

void outbox_deinit(struct outbox *outbox)
{
    struct queue_item *item = outbox->first;

    while (item != NULL) {
        struct queue_item *next = item->next;
        publication_free(CONTAINER_OF(item, struct publication, item));
        item = next;
    }
    outbox->first = NULL;
    outbox->last = &outbox->first;
    (void)pthread_mutex_destroy(&outbox->mutex);
}

bool outbox_put(struct outbox *outbox, struct queue_item *first, struct queue_item *last)
{
    bool was_empty = false;

    last->next = NULL;
    (void)pthread_mutex_lock(&outbox->mutex);
    was_empty = outbox->first == NULL;
    *outbox->last = first;
    outbox->last = &last->next;
    (void)pthread_mutex_unlock(&outbox->mutex);
    return was_empty;
}

struct publication *outbox_take(struct outbox *outbox)
{
    struct queue_item *first = NULL;

    (void)pthread_mutex_lock(&outbox->mutex);
    first = outbox->first;
    outbox->first = NULL;
    outbox->last = &outbox->first;
    (void)pthread_mutex_unlock(&outbox->mutex);
    return first == NULL ? NULL : CONTAINER_OF(first, struct publication, item);
}
