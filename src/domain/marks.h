/*
 * Read state: up to where each member of a room has read it, how many messages come after that, and
 * in how many of these the member is mentioned.
 *
 * A marker only moves forward. What it costs to know the numbers does not depend on how many
 * messages there are: state events are counted (schema.c), and messages are the others.
 *
 * Domain thread only. Private to src/domain.
 */
#ifndef SP_DOMAIN_MARKS_H
#define SP_DOMAIN_MARKS_H

#include "domain/core.h"

/*
 * After a message (TEXT) or a file (no text) of the actor has become the last event of LOG: who had
 * nothing to read there still has nothing, and who is mentioned is told. Errors: the store's,
 * SP_ENOMEM; all has then to be undone.
 */
SP_CHECK enum sp_error marks_posted(struct core *core, const struct command *command,
                                    struct log_row *log, struct slice text);

#endif
