/*
 * The group commit: many commands, one transaction, and nothing is said before it is durable.
 * Private to src/domain; domain thread only.
 */
#ifndef SP_DOMAIN_BATCH_H
#define SP_DOMAIN_BATCH_H

#include "domain/core.h"

/* The publications of a batch. */
struct batch_result {
    struct queue_item *first; /* NULL: none */
    struct queue_item *last;
    uint64_t event_count;
    uint64_t commit_count;
};

/*
 * Executes and frees COMMANDS. A command that is refused leaves no trace but its reply. When the
 * transaction as a whole fails, each command is tried again in a transaction of its own, so that
 * those that only read are answered even when the disk is full.
 *
 * An error means that a sync failed: what is on the disk is not known, nothing of what was tried
 * may be answered, and the process must end.
 */
SP_CHECK enum sp_error batch_run(struct core *core, struct queue_item *commands,
                                 struct batch_result *out);

#endif
