/* Sending a file: OFFER, DATA as credit allows, COMMIT, STORED (docs/PROTOCOL.md, "Files"). */
#ifndef SP_CLIENT_UPLOAD_H
#define SP_CLIENT_UPLOAD_H

#include "client/transfer.h"

/* As sp_send(). NAME and LOG are checked already. */
SP_CHECK enum sp_error upload_start(struct core *core, const sealpost_v1_Offer *offer, int fd,
                                    uint32_t *out);

/* Answers, in core->message. */
void upload_offered(struct core *core, struct request *request);
void upload_credit(struct core *core, struct request *request);
void upload_stored(struct core *core, struct request *request);

/* Whether file data, or the COMMIT behind it, can be put into the output. */
bool upload_is_ready(const struct request *request);
/* Puts one frame of file data into the output, and COMMIT if it was the last. */
void upload_fill(struct core *core, struct request *request);

/* Hashes some of a file that was stored before. */
void upload_compare(struct core *core, struct request *request);

#endif
