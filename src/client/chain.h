/*
 * Followed logs. For each: its name, the number of the event that comes next, and the chain up to
 * the one before. Every event's commitment and place in the chain are checked as it comes
 * (docs/PROTOCOL.md, "Logs and events"); a break ends the connection with SP_EINTEGRITY, and names
 * log and sequence number.
 */
#ifndef SP_CLIENT_CHAIN_H
#define SP_CLIENT_CHAIN_H

#include "client/core.h"

/* FOLLOWING came, in core->message, as ASKED for. *LAST: the last event of the page. False: the
 * connection has been ended. */
bool chain_following(struct core *core, const struct request *asked, uint64_t *last);

/* EVENT came with the event in RAW, its author in core->message. True: *OUT is the notice. Events
 * of logs that are not followed are passed over. */
bool chain_event(struct core *core, struct slice raw, struct sp_notice *out);

/* Stops following LOG; its name is then in core->log_name ("" if it was not followed). */
void chain_drop(struct core *core, const struct id *log);

void chain_clear(struct core *core);

#endif
