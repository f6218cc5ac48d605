/*
 * Floors that are no server: what the disk and the digest can do by themselves. Blocks; the caller
 * has pinned itself to where the server runs.
 */
#ifndef SP_BENCH_DISK_H
#define SP_BENCH_DISK_H

#include "bench/histogram.h"

#include "base/base.h"

/*
 * The rate of bare SQLite commits of one row of BYTES each, one after the other: WAL,
 * synchronous=FULL, in a database of its own in DIRECTORY. LATENCY_NS may be NULL. SP_EINTERNAL.
 */
SP_CHECK enum sp_error disk_commits(const char *directory, size_t bytes, uint64_t seconds,
                                    struct histogram *latency_ns, double *per_second);

/* Bytes per second of writing a file of SIZE bytes in DIRECTORY, and its fsync. SP_EINTERNAL. */
SP_CHECK enum sp_error disk_write_file(const char *directory, uint64_t size, double *per_second);
/* Bytes per second of SHA-256. SP_EINTERNAL. */
SP_CHECK enum sp_error disk_digest(uint64_t size, double *per_second);

#endif
