/*
 * The publications that wait for the session layer, in one order. The domain's thread and the
 * readers put in; one thread takes out. It cannot fail and has no maximum of its own: what goes in
 * answers commands that were counted when they were accepted.
 */
#ifndef SP_DOMAIN_OUTBOX_H
#define SP_DOMAIN_OUTBOX_H

#include <pthread.h>

#include "domain/publication.h"

struct outbox {
    pthread_mutex_t mutex;
    struct queue_item *first;
    struct queue_item **last;
};

SP_CHECK enum sp_error outbox_init(struct outbox *outbox);
void outbox_deinit(struct outbox *outbox); /* frees what was not taken */

/* Appends the list from FIRST to LAST. True if nothing waited before: somebody is to be told. */
bool outbox_put(struct outbox *outbox, struct queue_item *first, struct queue_item *last);
struct publication *outbox_take(struct outbox *outbox); /* all, as a list; NULL: none */

#endif
