#include "cli/time_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/config.h"

#define MS_PER_S 1000
#define MAX_AGO 1000000
#define MAX_NUMBER_DIGITS 7

static void to_local(int64_t wall_ms, struct tm *out)
{
    int64_t ms = wall_ms % MS_PER_S;
    time_t seconds = (time_t)((wall_ms - (ms < 0 ? ms + MS_PER_S : ms)) / MS_PER_S);

    *out = (struct tm){.tm_mday = 1};
    (void)localtime_r(&seconds, out); /* fails only for years that do not fit an int */
}

void time_format_local(int64_t wall_ms, int64_t now_ms, char out[TIME_TEXT_BYTES])
{
    struct tm local;
    struct tm now;
    bool today = false;

    to_local(wall_ms, &local);
    to_local(now_ms, &now);
    today = local.tm_year == now.tm_year && local.tm_yday == now.tm_yday;
    if (strftime(out, TIME_TEXT_BYTES, today ? "%H:%M" : "%Y-%m-%d %H:%M", &local) == 0) {
        out[0] = '\0';
    }
}

void time_format_exact(int64_t wall_ms, char out[TIME_TEXT_BYTES])
{
    struct tm local;

    to_local(wall_ms, &local);
    if (strftime(out, TIME_TEXT_BYTES, "%Y-%m-%d %H:%M:%S %z", &local) == 0) {
        out[0] = '\0';
    }
}

/* Exactly COUNT digits at *AT, as a number from MINIMUM to MAXIMUM; moves *AT behind them. */
static bool take_number(const char **at, unsigned count, int minimum, int maximum, int *out)
{
    int value = 0;

    for (unsigned i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return value >= minimum && value <= maximum;
}

static bool take_char(const char **at, const char *any_of)
{
    if (**at == '\0' || strchr(any_of, **at) == NULL) {
        return false;
    }
    (*at)++;
    return true;
}

/* "Z", "+01:00", "-05:30"; *SECONDS is what is to be taken off. */
static bool take_zone(const char **at, int *seconds)
{
    int hours = 0;
    int minutes = 0;
    bool west = **at == '-';

    *seconds = 0;
    if (take_char(at, "Zz")) {
        return true;
    }
    if (!take_char(at, "+-") || !take_number(at, 2, 0, 23, &hours) || !take_char(at, ":") ||
        !take_number(at, 2, 0, 59, &minutes)) {
        return false;
    }
    *seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

/* The time of day at *AT, perhaps with a zone. */
static bool take_time(const char **at, struct tm *tm, bool *zoned, int *zone_s)
{
    if (!take_number(at, 2, 0, 23, &tm->tm_hour) || !take_char(at, ":") ||
        !take_number(at, 2, 0, 59, &tm->tm_min)) {
        return false;
    }
    if (take_char(at, ":")) {
        if (!take_number(at, 2, 0, 60, &tm->tm_sec)) {
            return false;
        }
        if (take_char(at, ".")) { /* fractions are below what anybody asks for */
            *at += strspn(*at, "0123456789");
        }
    }
    *zoned = **at != '\0';
    return !*zoned || take_zone(at, zone_s);
}

static enum sp_error parse_date(const char *text, int64_t *out_ms)
{
    struct tm tm = {.tm_isdst = -1};
    bool zoned = false;
    int zone_s = 0;
    time_t seconds = 0;

    if (!take_number(&text, 4, 1970, 9999, &tm.tm_year) || !take_char(&text, "-") ||
        !take_number(&text, 2, 1, 12, &tm.tm_mon) || !take_char(&text, "-") ||
        !take_number(&text, 2, 1, 31, &tm.tm_mday)) {
        return SP_EINVALID;
    }
    if (*text != '\0' &&
        (!take_char(&text, "Tt ") || !take_time(&text, &tm, &zoned, &zone_s) || *text != '\0')) {
        return SP_EINVALID;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (zoned) {
        tm.tm_isdst = 0;
        seconds = timegm(&tm) - zone_s;
    } else {
        seconds = mktime(&tm);
    }
    *out_ms = (int64_t)seconds * MS_PER_S;
    return SP_OK;
}

enum sp_error time_parse(const char *text, int64_t now_ms, int64_t *out_ms)
{
    static const struct {
        char letter;
        int seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    char digits[MAX_NUMBER_DIGITS + 1];
    size_t size = strspn(text, "0123456789");
    uint64_t number = 0;

    *out_ms = 0;
    if (size > MAX_NUMBER_DIGITS || size == 0 || text[size] == '\0' || text[size + 1] != '\0') {
        return parse_date(text, out_ms);
    }
    memcpy(digits, text, size);
    digits[size] = '\0';
    if (config_parse_u64(digits, 0, MAX_AGO, &number) != SP_OK) {
        return SP_EINVALID;
    }
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (units[i].letter == text[size]) {
            *out_ms = now_ms - (int64_t)number * units[i].seconds * MS_PER_S;
            return SP_OK;
        }
    }
    return SP_EINVALID;
}

void size_format(uint64_t bytes, char out[SIZE_TEXT_BYTES])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    uint64_t tenths = 0;
    size_t unit = 0;
    uint64_t rest = bytes;

    if (bytes < 1024) {
        (void)snprintf(out, SIZE_TEXT_BYTES, "%u B", (unsigned)bytes);
        return;
    }
    while (rest >= UINT64_C(1024) * 1024 && unit + 1 < COUNT_OF(units)) {
        rest /= 1024;
        unit++;
    }
    tenths = rest * 10 / 1024;
    (void)snprintf(out, SIZE_TEXT_BYTES, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
                   units[unit]);
}

void duration_format(uint64_t seconds, char out[TIME_TEXT_BYTES])
{
    unsigned second = (unsigned)(seconds % 60);
    unsigned minute = (unsigned)(seconds / 60 % 60);

    if (seconds >= 3600) {
        (void)snprintf(out, TIME_TEXT_BYTES, "%" PRIu64 ":%02u:%02u", seconds / 3600, minute,
                       second);
    } else {
        (void)snprintf(out, TIME_TEXT_BYTES, "%u:%02u", minute, second);
    }
}
