/*
 * Followed logs. For each: its name, the number of the event that comes next, and the chain up to
 * the one before. Every event's commitment and place in the chain are checked as it comes
 * (docs/PROTOCOL.md, "Logs and events"); a break ends the connection with SP_EINTEGRITY, and names
 * log and sequence number.
 *
 * With a store, a log that is known is caught up with first: what was missed is read, checked
 * against what had been seen, kept, and shown to nobody; only then what was asked for is asked.
 */
#ifndef SP_CLIENT_CHAIN_H
#define SP_CLIENT_CHAIN_H

#include "client/core.h"

enum chain_answer {
    CHAIN_ENDED,     /* the connection is */
    CHAIN_FOLLOWING, /* the request is answered */
    CHAIN_REFUSED,   /* the log is not the one that was seen; why is in core->reason */
    CHAIN_NOT_NOW,   /* that cannot be told now; why is in core->reason */
    CHAIN_SILENT,    /* the request goes on: more is to come for it */
};

/* Begins the request ASKED, of which `follow` and `check` are set, on LOG; *MESSAGE is what to ask
 * first. */
void chain_plan(struct core *core, struct request *asked, const char *log,
                sealpost_v1_Follow *message);

/* FOLLOWING came, in core->message, as ASKED for. *LAST: the last event of the page. */
enum chain_answer chain_following(struct core *core, struct request *asked, uint64_t *last);

/* What the end of catching up has brought; true: *OUT is a notice. */
bool chain_next(struct core *core, struct sp_notice *out);
bool chain_is_due(const struct core *core);

/* EVENT came with the event in RAW, its author in core->message. True: *OUT is the notice. Events
 * of logs that are not followed are passed over. */
bool chain_event(struct core *core, struct slice raw, struct sp_notice *out);

/* Stops following LOG; its name is then in core->log_name ("" if it was not followed). Returns the
 * number of the request that was catching up with it; 0: none was. */
uint32_t chain_drop(struct core *core, const struct id *log);

/* The kind of the log of that name, if it is followed; 0: it is not. */
int chain_followed_kind(const struct core *core, const char *name);

void chain_clear(struct core *core);

#endif
