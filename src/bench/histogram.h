/*
 * Latencies by logarithmic buckets: percentiles within 2 %, one array for any number of samples.
 * Called for every sampled delivery, so recording is a few instructions.
 */
#ifndef SP_BENCH_HISTOGRAM_H
#define SP_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 6 /* 64 buckets for each doubling */
#define HISTOGRAM_BUCKETS (64 << HISTOGRAM_STEP_BITS)

struct histogram {
    uint64_t count;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
/* The value below which PERCENT of the samples lie; 0 when there are none. */
double histogram_percentile(const struct histogram *histogram, double percent);

#endif
