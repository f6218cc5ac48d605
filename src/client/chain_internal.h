/*
 * The logs that are followed, each with the chain up to where it has come. For chain.c, which takes
 * their events, and chain_follow.c, by which they begin.
 */
#ifndef SP_CLIENT_CHAIN_INTERNAL_H
#define SP_CLIENT_CHAIN_INTERNAL_H

#include "base/table.h"
#include "client/chain.h"

struct follow {
    struct id log;
    char name[LIMIT_LOG_NAME_BYTES + 1];
    uint64_t last;                /* where it ends; UINT64_MAX: never */
    uint64_t next;                /* sequence number of the event that comes next */
    struct digest head;           /* the chain up to next - 1 */
    uint64_t announced;           /* where what was there already ends … */
    struct digest announced_head; /* … and what the chain must be there */
    int kind;
    uint32_t silent; /* the request that catches up by this; 0: events are shown */
    bool reconciling;
    UT_hash_handle hh;
};

struct follow *chain_find(const struct core *core, const struct id *log);
/* In place of one that may be there. Not if it is over. SP_ENOMEM. */
SP_CHECK enum sp_error chain_put(struct core *core, const struct follow *described);
bool chain_is_over(const struct follow *follow);
/* The log is not what it was: the connection ends, since nothing more can be trusted. */
void chain_fail_broken(struct core *core, const char *name, const struct id *log, uint64_t sequence,
                       const char *what);
/* Catching up has come to where FOLLOW stands. chain_follow.c */
void chain_caught_up(struct core *core, const struct follow *follow);

#endif
