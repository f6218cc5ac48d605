#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define MS_PER_S 1000
#define NS_PER_MS 1000000
#define FIRST_WALL_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define LAST_WALL_MS INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */
/* Not 0, which a caller may use for "never". */
#define SETTABLE_MONOTONIC_START_MS 1000

int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->context);
}

int64_t clock_monotonic_ms(const struct clock *clock)
{
    return clock->monotonic_ms(clock->context);
}

static int64_t now_ms(clockid_t id)
{
    struct timespec now = {0};

    (void)clock_gettime(id, &now); /* fails only for clocks that do not exist */
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static int64_t system_wall_ms(void *context)
{
    (void)context;
    return now_ms(CLOCK_REALTIME);
}

static int64_t system_monotonic_ms(void *context)
{
    (void)context;
    return now_ms(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void)
{
    static const struct clock system = {
        .wall_ms = system_wall_ms,
        .monotonic_ms = system_monotonic_ms,
    };

    return &system;
}

static int64_t settable_wall_ms(void *context)
{
    const struct clock_settable *settable = context;

    return settable->wall_ms;
}

static int64_t settable_monotonic_ms(void *context)
{
    const struct clock_settable *settable = context;

    return settable->monotonic_ms;
}

void clock_settable_init(struct clock_settable *settable, int64_t wall_ms)
{
    *settable = (struct clock_settable){
        .clock =
            {
                .wall_ms = settable_wall_ms,
                .monotonic_ms = settable_monotonic_ms,
                .context = settable,
            },
        .wall_ms = wall_ms,
        .monotonic_ms = SETTABLE_MONOTONIC_START_MS,
    };
}

void clock_settable_advance(struct clock_settable *settable, int64_t ms)
{
    settable->wall_ms += ms;
    settable->monotonic_ms += ms;
}

void clock_format_rfc3339(int64_t wall_ms, char out[RFC3339_BYTES])
{
    struct tm utc = {0};
    int64_t ms = 0;
    time_t seconds = 0;

    wall_ms = wall_ms < FIRST_WALL_MS ? FIRST_WALL_MS : wall_ms;
    wall_ms = wall_ms > LAST_WALL_MS ? LAST_WALL_MS : wall_ms;
    ms = wall_ms % MS_PER_S;
    if (ms < 0) { /* the remainder takes the sign; before 1970 the second is the one below */
        ms += MS_PER_S;
    }
    seconds = (time_t)((wall_ms - ms) / MS_PER_S);
    (void)gmtime_r(&seconds, &utc); /* fails only for years that do not fit an int */
    /* The remainders change nothing; they tell the compiler that all of it fits. */
    (void)snprintf(out, RFC3339_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)(utc.tm_year + 1900) % 10000, (unsigned)(utc.tm_mon + 1) % 100,
                   (unsigned)utc.tm_mday % 100, (unsigned)utc.tm_hour % 100,
                   (unsigned)utc.tm_min % 100, (unsigned)utc.tm_sec % 100, (unsigned)ms % 1000);
}
