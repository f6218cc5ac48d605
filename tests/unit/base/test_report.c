/* What a list of findings looks like, for people and as JSON, and what it comes to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/report.h"

static char *text;
static size_t size;

static int render(bool json)
{
    struct report report;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    report_init(&report, file, json);
    report_add(&report, FINDING_OK, SP_OK, "name", "", "%s is %d", "x", 5);
    report_add(&report, FINDING_WARNING, SP_OK, "dates", "renew \"it\"", "soon");
    report_add(&report, FINDING_SKIPPED, SP_OK, "port", "", "needs the name");
    report_add(&report, FINDING_ERROR, SP_EKEY, "key", "chmod", "bad\033[31m");
    report_add(&report, FINDING_ERROR, SP_EUNREACHABLE, "tls", "", "worse");
    assert_int_equal(report.counts[FINDING_ERROR], 2);
    int code = report_finish(&report);
    assert_int_equal(fclose(file), 0);
    return code;
}

static void for_people(void **state)
{
    (void)state;
    assert_int_equal(render(false), 4); /* the first error's */
    assert_string_equal(text, "ok       name           x is 5\n"
                              "warning  dates          soon\n"
                              "                        -> renew \"it\"\n"
                              "skipped  port           needs the name\n"
                              "error    key            bad\\x1B[31m\n"
                              "                        -> chmod\n"
                              "error    tls            worse\n"
                              "1 ok, 1 warnings, 2 errors, 1 skipped\n");
    free(text);
}

static void as_json(void **state)
{
    (void)state;
    assert_int_equal(render(true), 4);
    assert_string_equal(
        text,
        "{\"type\":\"check\",\"subject\":\"name\",\"result\":\"ok\",\"text\":\"x is "
        "5\",\"hint\":\"\"}\n"
        "{\"type\":\"check\",\"subject\":\"dates\",\"result\":\"warning\",\"text\":\"soon\","
        "\"hint\":\"renew \\\"it\\\"\"}\n"
        "{\"type\":\"check\",\"subject\":\"port\",\"result\":\"skipped\",\"text\":\"needs the "
        "name\",\"hint\":\"\"}\n"
        "{\"type\":\"check\",\"subject\":\"key\",\"result\":\"error\",\"error\":\"private-key\","
        "\"text\":\"bad\\u001B[31m\",\"hint\":\"chmod\"}\n"
        "{\"type\":\"check\",\"subject\":\"tls\",\"result\":\"error\",\"error\":\"unreachable\","
        "\"text\":\"worse\",\"hint\":\"\"}\n");
    free(text);
}

static void nothing_wrong(void **state)
{
    (void)state;
    struct report report;
    FILE *file = open_memstream(&text, &size);
    report_init(&report, file, true);
    report_add(&report, FINDING_WARNING, SP_OK, "dates", "x", "soon");
    assert_int_equal(report_finish(&report), 0);
    assert_int_equal(fclose(file), 0);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_people),
        cmocka_unit_test(as_json),
        cmocka_unit_test(nothing_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
