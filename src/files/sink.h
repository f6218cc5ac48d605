/*
 * A file that is being written: from start to end, at the pace of the disk. Writeback is started
 * early and waited for at a distance, so that the last sync is short and an upload of any size
 * leaves few dirty pages and no flood in the page cache. One worker's; blocks.
 */
#ifndef SP_FILES_SINK_H
#define SP_FILES_SINK_H

#include "base/base.h"

struct sink {
    int fd;
    uint64_t size;          /* written so far */
    uint64_t started_bytes; /* whose writeback was started */
};

/* FD is the sink's from here on; -1: none yet. */
void sink_init(struct sink *sink, int fd);
void sink_deinit(struct sink *sink); /* may be called twice */

/* Errors with a sentence in DETAIL, as in blobs.h. SP_EFULL, SP_EIO. */
SP_CHECK enum sp_error sink_write(struct sink *sink, const void *data, size_t size, char *detail);
/* Hands what is not under way yet to the disk, without waiting: for many files before their syncs.
 */
SP_CHECK enum sp_error sink_start_sync(struct sink *sink, char *detail);
/* All of it on the disk. After an error the file is good for nothing: a second fsync(2) would say
 * that all is well, though the pages are lost. */
SP_CHECK enum sp_error sink_sync(struct sink *sink, char *detail);

#endif
