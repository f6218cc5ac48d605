/*
 * A disk in memory, for SQLite, whose power can be cut. What was written and not synced is then
 * there, or not, or in part: sector by sector, in any order, as a seed decides. So are names whose
 * directory was not synced.
 *
 * It is SQLite's default VFS once it is installed; a domain that opens a database writes to it
 * without knowing. It is harder than SQLite's own in one thing: that syncs the directory with the
 * first sync of a new WAL, but does not look whether it succeeded, so that here it does not count.
 * For one thread.
 */
#ifndef TESTS_FAULT_POWER_H
#define TESTS_FAULT_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* What was done to the disk since power_install(). */
struct power_counts {
    uint64_t cuts;
    uint64_t kept;    /* sectors that were not synced, and are there all the same */
    uint64_t dropped; /* sectors that are gone */
    uint64_t torn;    /* sectors of which the first bytes are there */
    uint64_t names;   /* names that were not synced, and are as they were before */
};

void power_install(void);
/* An empty disk, under power. What comes of later cuts is SEED's to decide. */
void power_reset(uint64_t seed);

/* The power goes during the Nth change, sync or deletion from now on. 0: never. */
void power_cut_after(uint64_t n);
void power_cut(void);
/* Whether it has gone: then every call fails, until power_restore(). */
bool power_is_off(void);
/* What has survived is what there is. Everything must have been closed before. */
void power_restore(void);

/* An fsync() of the directory has come. */
void power_sync_directory(void);

struct power_counts power_count(void);

#endif
