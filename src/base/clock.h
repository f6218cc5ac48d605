/*
 * Time as a port: whoever needs it is handed a clock, so that tests can set it.
 * Wall time decides deadlines and is shown to people; monotonic time decides timeouts.
 */
#ifndef SP_BASE_CLOCK_H
#define SP_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *context);      /* since 1970-01-01T00:00:00Z */
    int64_t (*monotonic_ms)(void *context); /* from an arbitrary start, never backwards */
    void *context;
};

int64_t clock_wall_ms(const struct clock *clock);
int64_t clock_monotonic_ms(const struct clock *clock);

/* The machine's clocks. Static; any thread. */
const struct clock *clock_system(void);

/* A clock that stands still until it is set. For tests. CLOCK is to be used with &set->clock. */
struct clock_settable {
    struct clock clock;
    int64_t wall_ms;
    int64_t monotonic_ms;
};
void clock_settable_init(struct clock_settable *settable, int64_t wall_ms);
void clock_settable_advance(struct clock_settable *settable, int64_t ms);

#define RFC3339_BYTES 32
/* "2026-11-22T16:37:54.123Z" for WALL_MS into OUT (RFC 3339, UTC). Years outside 0..9999 are
 * clamped. */
void clock_format_rfc3339(int64_t wall_ms, char out[RFC3339_BYTES]);

#endif
