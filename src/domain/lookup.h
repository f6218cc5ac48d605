/*
 * The reader threads: each takes reading commands from one bounded queue and answers them from a
 * read-only connection of its own, so that history and lists never hold a commit back. Each command
 * has a deadline. Private to src/domain.
 */
#ifndef SP_DOMAIN_LOOKUP_H
#define SP_DOMAIN_LOOKUP_H

#include "base/log.h"
#include "domain/outbox.h"

struct lookup;

struct lookup_config {
    const char *path;
    unsigned count; /* of threads */
    struct queue *queue;
    struct outbox *outbox;
    struct log *log;
    const _Atomic bool *silent; /* when set nobody is answered any more */
    void (*notify)(void *context);
    void *context;
};

/* What CONFIG points to must outlive it. SP_EIO, SP_ENOMEM, the errors of db_open(). */
SP_CHECK enum sp_error lookup_start(const struct lookup_config *config, struct lookup **out);
/* The queue must be closed. Waits for the threads, frees. NULL is allowed. */
void lookup_stop(struct lookup *lookup);

#endif
