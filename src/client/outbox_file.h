/* The file of an entry in the outbox: what it is, and whether it still is. Blocks. */
#ifndef SP_CLIENT_OUTBOX_FILE_H
#define SP_CLIENT_OUTBOX_FILE_H

#include "base/base.h"

/*
 * Opens the regular file PATH and reads all of it. *FD, if FD is not NULL, is then the caller's, at
 * its start. SP_EFILE with a sentence without the path in MESSAGE, SP_ENOMEM.
 */
SP_CHECK enum sp_error outbox_file_read(const char *path, int *fd, uint64_t *size,
                                        struct digest *sha256, char *message, size_t capacity);

#endif
