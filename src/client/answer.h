/* What the server's frames mean to the core: the table of handlers by type. Only core.c calls it.
 */
#ifndef SP_CLIENT_ANSWER_H
#define SP_CLIENT_ANSWER_H

#include "client/core.h"

/* Handles one frame. True: *OUT is a notice. A frame that must not be there ends the connection. */
bool answer_handle(struct core *core, const struct frame *frame, struct sp_notice *out);

/* The next change of a PRESENCE frame that had several. */
bool answer_next_presence(struct core *core, struct sp_notice *out);

#endif
