/* The progress line of a transfer, on standard error, only on a terminal; never backwards. */
#ifndef SP_CLI_PROGRESS_H
#define SP_CLI_PROGRESS_H

#include "cli/output.h"

#define PROGRESS_BYTES 160
#define PROGRESS_UNKNOWN UINT64_MAX /* as the total */

struct progress {
    struct output *output;
    const char *label;
    int64_t started_ms;
    int64_t drawn_ms;
    uint64_t done;
    bool drawn;
};

/* LABEL stays the caller's until progress_end(). */
void progress_init(struct progress *progress, struct output *output, const char *label);
void progress_update(struct progress *progress, uint64_t done, uint64_t total);
/* Takes the line away. To be called before anything else is printed; may be called twice. */
void progress_end(struct progress *progress);

/* "report.pdf   45%  12.3 MiB of 27.0 MiB  5.1 MiB/s  0:03 left"; LABEL is escaped and cut. */
void progress_format(const char *label, uint64_t done, uint64_t total, int64_t elapsed_ms,
                     char out[PROGRESS_BYTES]);

#endif
