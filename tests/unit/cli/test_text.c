/* Times, sizes, durations, progress and hints as people see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cli/progress.h"
#include "cli/time_text.h"

#define MINUTE_MS (60 * INT64_C(1000))
#define NOW_MS (INT64_C(1795365000) * 1000) /* 2026-11-22T16:30:00Z */

static int set_zone(void **state)
{
    (void)state;
    if (setenv("TZ", "EST5", 1) != 0) {
        return -1;
    }
    tzset();
    return 0;
}

static void shows_local_times(void **state)
{
    char text[TIME_TEXT_BYTES];

    (void)state;
    time_format_local(NOW_MS - MINUTE_MS, NOW_MS, text);
    assert_string_equal(text, "11:29");
    time_format_local(NOW_MS - 24 * 60 * MINUTE_MS, NOW_MS, text);
    assert_string_equal(text, "2026-11-21 11:30");
    time_format_exact(NOW_MS + 1, text);
    assert_string_equal(text, "2026-11-22 11:30:00 -0500");
    time_format_exact(-1, text);
    assert_string_equal(text, "1969-12-31 18:59:59 -0500");
}

static void reads_times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"2026-11-22T16:30:00Z", NOW_MS},
        {"2026-11-22t16:30:00.250z", NOW_MS},
        {"2026-11-22 17:30:00+01:00", NOW_MS},
        {"2026-11-22T11:00:00-05:30", NOW_MS},
        {"2026-11-22 11:30", NOW_MS},
        {"2026-11-22", NOW_MS - (11 * 60 + 30) * MINUTE_MS},
        {"90m", NOW_MS - 90 * MINUTE_MS},
        {"2h", NOW_MS - 120 * MINUTE_MS},
        {"1w", NOW_MS - 7 * 24 * 60 * MINUTE_MS},
        {"0s", NOW_MS},
    };
    static const char *const bad[] = {
        "",
        "now",
        "5",
        "m",
        "5x",
        "-5m",
        "12345678m",
        "2026",
        "2026-13-01",
        "2026-00-01",
        "2026-01-32",
        "2026-1-1",
        "2026-11-22T",
        "2026-11-22 25:00",
        "2026-11-22 11:30+1",
        "2026-11-22 11:30 ",
        "5m ",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t ms = 0;

        assert_int_equal(time_parse(good[i].text, NOW_MS, &ms), SP_OK);
        if (ms != good[i].ms) {
            fail_msg("%s: %lld", good[i].text, (long long)ms);
        }
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t ms = 1;

        if (time_parse(bad[i], NOW_MS, &ms) != SP_EINVALID) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

static void shows_sizes_and_durations(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {1048575, "1023.9 KiB"},
        {1048576, "1.0 MiB"},
        {UINT64_C(5) << 40, "5.0 TiB"},
        {UINT64_MAX, "15.9 EiB"},
    };
    char text[TIME_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_format(sizes[i].bytes, text);
        assert_string_equal(text, sizes[i].text);
    }
    duration_format(7, text);
    assert_string_equal(text, "0:07");
    duration_format(12 * 60 + 31, text);
    assert_string_equal(text, "12:31");
    duration_format(3 * 3600 + 5, text);
    assert_string_equal(text, "3:00:05");
}

static void shows_progress(void **state)
{
    char line[PROGRESS_BYTES];

    (void)state;
    progress_format("a.pdf", 512, 2048, 1000, line);
    assert_string_equal(line, "a.pdf   25%  512 B of 2.0 KiB  512 B/s  0:03 left");
    progress_format("a.pdf", 0, 2048, 100, line);
    assert_string_equal(line, "a.pdf    0%  0 B of 2.0 KiB");
    progress_format("a.pdf", 2048, 2048, 1000, line);
    assert_string_equal(line, "a.pdf  100%  2.0 KiB of 2.0 KiB  2.0 KiB/s");
    progress_format("a.pdf", 0, 0, 0, line);
    assert_string_equal(line, "a.pdf  100%  0 B of 0 B");
    progress_format("a.pdf", 100, PROGRESS_UNKNOWN, 1000, line);
    assert_string_equal(line, "a.pdf  100 B  100 B/s");
    progress_format("\x1b[2J and a very long name indeed", UINT64_MAX - 2, UINT64_MAX - 1, 1, line);
    assert_string_equal(line, "\\x1B[2J and a very long    99%  15.9 EiB of 15.9 EiB");
}

static void progress_never_goes_back(void **state)
{
    struct options options = {0};
    struct output output;
    struct progress progress;
    struct clock_settable clock;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    assert_non_null(file);
    output_init(&output, &options, stdout, stderr, NULL, NULL);
    clock_settable_init(&clock, NOW_MS);
    output.clock = &clock.clock;
    output.messages = file;
    output.animate = true;
    progress_init(&progress, &output, "f");
    progress_update(&progress, 60, 100);
    clock_settable_advance(&clock, 1000);
    progress_update(&progress, 10, 100); /* a second attempt */
    progress_end(&progress);
    assert_int_equal(fclose(file), 0);
    assert_null(strstr(text, "10%"));
    assert_non_null(strstr(text, " 60%  60 B of 100 B\033[K\r"));
    assert_non_null(strstr(text, "60 B/s"));
    free(text);
}

static void gives_hints(void **state)
{
    char hint[256];

    (void)state;
    hint_for_error(SP_ENOTJOINED, "den", hint, sizeof(hint));
    assert_string_equal(hint, "come in first: sealpost room join den");
    hint_for_error(SP_ENOTJOINED, "", hint, sizeof(hint));
    assert_string_equal(hint, "");
    hint_for_error(SP_ECANCELLED, "den", hint, sizeof(hint));
    assert_string_equal(hint, "");
    hint_for_error(SP_EREVOKED, "", hint, sizeof(hint));
    assert_non_null(strstr(hint, "new certificate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_local_times),         cmocka_unit_test(reads_times),
        cmocka_unit_test(shows_sizes_and_durations), cmocka_unit_test(shows_progress),
        cmocka_unit_test(progress_never_goes_back),  cmocka_unit_test(gives_hints),
    };

    return cmocka_run_group_tests(tests, set_zone, NULL);
}
