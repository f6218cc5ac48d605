/* Getting a file: GET, FILE, DATA as we give credit (docs/PROTOCOL.md, "Files"). */
#ifndef SP_CLIENT_DOWNLOAD_H
#define SP_CLIENT_DOWNLOAD_H

#include "client/transfer.h"

/* As sp_get(). */
SP_CHECK enum sp_error download_start(struct core *core, const char *id, int fd, uint32_t *out);

/* FILE came, in core->message. */
void download_file(struct core *core, struct request *request);
/* DATA came. */
void download_data(struct core *core, struct request *request, struct slice raw);

#endif
