/*
 * Blobs from one store to another, for backups: a blob never changes, so that another name of it is
 * as good as a copy. Beside a running server.
 */
#ifndef SP_FILES_COPY_H
#define SP_FILES_COPY_H

#include "base/base.h"

/*
 * The blob, of SIZE bytes, from one blobs/ to the other, whose bucket is made if need be. LINK: by
 * another name where the file system can, else its bytes are copied and synced. Directories are
 * synced by files_copy_sync(). SP_ENOTFOUND: it is not there; SP_ESIZE; SP_EFULL, SP_EIO, SP_EFILE.
 */
SP_CHECK enum sp_error files_copy_blob(int from_fd, int to_fd, uint32_t bucket,
                                       const struct id *file, uint64_t size, bool link);
/* Takes a copied blob away again; one that is not there is no error. SP_EIO. */
SP_CHECK enum sp_error files_copy_remove(int to_fd, uint32_t bucket, const struct id *file);
/* Makes incoming/ and blobs/ in the new DIRECTORY, and opens blobs/. SP_EFILE, SP_EFULL. */
SP_CHECK enum sp_error files_copy_begin(const char *directory, int *blobs_fd);
/* Syncs all directories below and including blobs/ of DIRECTORY. SP_EIO. */
SP_CHECK enum sp_error files_copy_sync(const char *directory, int blobs_fd);

#endif
