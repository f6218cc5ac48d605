/* The machine's clocks move, a settable one does not, and times are written as RFC 3339 has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/clock.h"

static void test_system_clock(void **state)
{
    const struct clock *clock = clock_system();
    int64_t before = clock_monotonic_ms(clock);
    int64_t wall = clock_wall_ms(clock);

    (void)state;
    assert_true(clock_monotonic_ms(clock) >= before);
    assert_true(wall > INT64_C(1700000000000));  /* 2023; in seconds it would be far below */
    assert_true(wall < INT64_C(32503680000000)); /* 3000 */
}

static void test_settable_clock(void **state)
{
    struct clock_settable settable;
    int64_t start = 0;

    (void)state;
    clock_settable_init(&settable, 5000);
    start = clock_monotonic_ms(&settable.clock);
    assert_true(start != 0);
    assert_true(clock_wall_ms(&settable.clock) == 5000);
    clock_settable_advance(&settable, 250);
    assert_true(clock_wall_ms(&settable.clock) == 5250);
    assert_true(clock_monotonic_ms(&settable.clock) == start + 250);
    settable.wall_ms = 1; /* somebody sets the wall clock back */
    assert_true(clock_wall_ms(&settable.clock) == 1);
    assert_true(clock_monotonic_ms(&settable.clock) == start + 250);
}

static void test_rfc3339(void **state)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59.000Z"},
        {INT64_C(1795365474123), "2026-11-22T16:37:54.123Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(4107542400001), "2100-03-01T00:00:00.001Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {INT64_C(253402300800000), "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
        {INT64_C(-62167219200001), "0000-01-01T00:00:00.000Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[RFC3339_BYTES];

        clock_format_rfc3339(cases[i].wall_ms, out);
        assert_string_equal(out, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system_clock),
        cmocka_unit_test(test_settable_clock),
        cmocka_unit_test(test_rfc3339),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
