/* Small files read whole, and the rules for files that hold a private key. Blocks; never on the
 * poll thread. */
#ifndef SP_BASE_FILE_H
#define SP_BASE_FILE_H

#include "base/base.h"

/*
 * Reads the regular file PATH, at most MAXIMUM bytes. *OUT is the caller's, to be freed with
 * free(); one NUL follows the content and is not counted. On error a sentence without the path in
 * REASON. SP_ENOTFOUND, SP_ETOOLARGE, SP_EFILE, SP_ENOMEM.
 */
SP_CHECK enum sp_error file_read(const char *path, size_t maximum, char **out, size_t *out_size,
                                 char *reason, size_t capacity);

/*
 * Opens a private key file: a regular file, owned by the caller's user or root, with no group or
 * other bits, not itself a symbolic link (its directories may be). *OUT_FD is the caller's. On
 * error SP_EKEY or SP_ENOTFOUND, and a sentence in REASON that says what to do ("is open to its
 * group or to others; run: chmod 600 PATH"); *OUT_FD is then -1.
 */
SP_CHECK enum sp_error file_open_private(const char *path, int *out_fd, char *reason,
                                         size_t capacity);

/* Write all of it, whatever write(2) takes at a time. SP_EFULL on ENOSPC or EDQUOT, else SP_EIO. */
SP_CHECK enum sp_error file_write_all(int fd, const void *data, size_t size);

/* A new file of MODE, whatever the umask, with DATA in it, synced (its directory is not). Nothing
 * that stands at PATH is touched: SP_EEXISTS. SP_EFULL, SP_EIO, SP_EFILE, and a sentence without
 * the path in REASON; then nothing is left. */
SP_CHECK enum sp_error file_write_new(const char *path, unsigned mode, const void *data,
                                      size_t size, char *reason, size_t capacity);

/* Puts DATA in the place of the file PATH, of which mode and owner are kept, in one step: whoever
 * opens it finds the old or the new content, also after a crash. Errors as above, SP_ENOTFOUND. */
SP_CHECK enum sp_error file_replace(const char *path, const void *data, size_t size, char *reason,
                                    size_t capacity);

/* fsync of a directory. SP_EIO. */
SP_CHECK enum sp_error file_sync_directory(const char *path);

#endif
