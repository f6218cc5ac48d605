/*
 * How much there is, for `sealpostd status`: on a read-only connection of its own, never on the
 * domain's thread. Cheap whatever the number of events.
 */
#ifndef SP_DOMAIN_CENSUS_H
#define SP_DOMAIN_CENSUS_H

#include "base/base.h"

struct census {
    uint64_t members;
    uint64_t devices;
    uint64_t logs;
    uint64_t events;
    uint64_t files;
    uint64_t blobs_to_erase; /* that were erased and are not known to be gone yet */
    uint64_t erased_logs;    /* that do not keep everything */
};

/* The errors of db_open() and statements. */
SP_CHECK enum sp_error census_take(const char *path, struct census *out);

#endif
