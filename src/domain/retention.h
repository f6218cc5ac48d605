/*
 * Retention: logs that keep their messages and files for so long, or so many of them. What is not
 * kept loses its salt and its body; its header stays, and with it the chain. State events (who is
 * in, topics, retention itself) are never erased.
 *
 * It is done in small steps, each a transaction of its own between those of the members' commands,
 * so that nobody waits for a large erasure. When anything was erased, the WAL is soon written
 * back and truncated: then nothing of it is left on the disk. A blob is unlinked after the commit
 * that has erased its file; the row in `discards` sees to it that a crash in between does not keep
 * it.
 *
 * Domain thread only. Private to src/domain.
 */
#ifndef SP_DOMAIN_RETENTION_H
#define SP_DOMAIN_RETENTION_H

#include "base/base.h"

struct core;

struct retention {
    bool needed;          /* some log has a limit, or a blob may have to go */
    bool resumed;         /* blobs that an earlier run left behind have been told of */
    int64_t discard;      /* while they are: the last one's number */
    int64_t log;          /* the pass goes on behind this log; 0: it begins */
    int64_t alone;        /* this log failed beside others, and has its steps by itself */
    bool more;            /* the pass is not done, nor has the last step failed */
    int64_t due_ms;       /* monotonic: when the next step is to be made */
    bool scrub;           /* something was erased that may still be in the WAL */
    int64_t scrub_due_ms; /* monotonic */
};

/* Whether anything has to be done at all. The errors of the store. */
SP_CHECK enum sp_error retention_start(struct core *core, int64_t now_ms);
/* Milliseconds from NOW_MS (monotonic) until there is something to do; -1: nothing. */
int64_t retention_wait_ms(const struct core *core, int64_t now_ms);
/* Whether a step, a COMMAND_ERASE, is due. */
bool retention_is_due(const struct core *core, int64_t now_ms);
/* A step has been committed. */
void retention_stepped(struct core *core, int64_t now_ms);
/* Whether the WAL is to be truncated now, and how that went: if it did not, it is tried again. */
bool retention_scrub_is_due(const struct core *core, int64_t now_ms);
void retention_scrubbed(struct core *core, int64_t now_ms, bool done);

#endif
