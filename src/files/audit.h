/*
 * Looks at the blobs of a store without touching anything: for `sealpostd fsck` and `backup`,
 * beside a running server or without one. Needs no struct files.
 */
#ifndef SP_FILES_AUDIT_H
#define SP_FILES_AUDIT_H

#include "base/base.h"

/* DIRECTORY as in struct files_config. SP_ENOTFOUND: there is none, and so no blob. SP_EFILE. */
SP_CHECK enum sp_error files_audit_open(const char *directory, int *blobs_fd);

/*
 * Reads the blob: SP_OK; SP_ENOTFOUND, SP_ESIZE (its bytes in *SIZE), SP_EDIGEST; SP_EFILE if it
 * cannot be opened or is no regular file, SP_EIO if it cannot be read. With SHA256 NULL only its
 * size is looked at.
 */
SP_CHECK enum sp_error files_audit_blob(int blobs_fd, uint32_t bucket, const struct id *file,
                                        uint64_t *size, const struct digest *sha256);

/* A descriptor of the blob, for reading. SP_ENOTFOUND, SP_EFILE. */
SP_CHECK enum sp_error files_audit_open_blob(int blobs_fd, uint32_t bucket, const struct id *file,
                                             int *out_fd);

/* "00000007/0123…": where a blob is below blobs/. */
#define FILES_BLOB_PATH_BYTES 48
void files_blob_path(uint32_t bucket, const struct id *file, char out[FILES_BLOB_PATH_BYTES]);

/*
 * Calls VISIT for everything in the buckets: with its id, or with NAME alone (ID all zero) if it
 * has no name that a blob has. CHANGED_MS is when it was put there (wall). An error of VISIT ends
 * the walk. SP_EFILE, SP_EIO.
 */
typedef enum sp_error (*files_visit_fn)(void *context, uint32_t bucket, const struct id *file,
                                        const char *name, int64_t changed_ms);
SP_CHECK enum sp_error files_audit_walk(int blobs_fd, files_visit_fn visit, void *context);

#endif
