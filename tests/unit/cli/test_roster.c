/* The file of "member invite --from": what is read, and what is refused by line and reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/roster.h"

static char message[ROSTER_MESSAGE_BYTES];

/* The rows as "name[!][ log]...;", or the message. */
static const char *parse(const char *text, size_t size)
{
    static char out[4096];
    struct roster roster;
    size_t used = 0;

    if (roster_parse("r.csv", text, size, &roster, message, sizeof message) != SP_OK) {
        assert_true(roster.rows == NULL && roster.count == 0);
        return message;
    }
    assert_string_equal(message, "");
    out[0] = '\0';
    for (size_t i = 0; i < roster.count; i++) {
        const struct roster_row *row = &roster.rows[i];

        used += (size_t)snprintf(out + used, sizeof out - used, "%s%s", row->username,
                                 row->administrator ? "!" : "");
        for (size_t k = 0; k < row->log_count; k++) {
            used += (size_t)snprintf(out + used, sizeof out - used, " %s", row->logs[k]);
        }
        used += (size_t)snprintf(out + used, sizeof out - used, ";");
    }
    roster_deinit(&roster);
    return out;
}

static void test_rosters(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"", ""},
        {"\n\n", ""},
        {"ann", "ann;"},
        {"ann\n", "ann;"},
        {"ann\r\nbob\r\n", "ann;bob;"},
        {"name,role,rooms\nann,administrator,general\n", "ann! general;"},
        {"name\n", "name;"}, /* a person may be called that */
        {"\xef\xbb\xbfname,role\nann,admin\n", "ann!;"},
        {"# who comes\nann , member , general;#homework lab\n", "ann general homework lab;"},
        {"ann,,\nbob,member,\n", "ann;bob;"},
        {"ann,,,\n", "ann;"},
        {"\"ann\",\"member\",\"general;lab\"\n", "ann general lab;"},
        {"ann,member,\"general,lab\"\n", "ann general lab;"},
        {"Ann\n", "r.csv:1: 'Ann' is not a name: a-z, 0-9, '.', '_' and '-', 32 at most, "
                  "beginning with a letter or digit"},
        {"ann\n\nbob,king\n", "r.csv:3: 'king' is no role: member or administrator"},
        {"ann\nann\n", "r.csv:2: 'ann' stands there twice"},
        {"ann,member,a b!\n", "r.csv:1: 'a b!' is not a list of names of rooms and boxes"},
        {"ann,member,general,more\n", "r.csv:1: has more fields than name, role and rooms"},
        {"\"ann\n", "r.csv:1: has a field that is malformed or too long"},
        {"\"ann\"x\n", "r.csv:1: has something behind a quoted field"},
        {"an\x1b[2Jn\n", "r.csv:1: 'an\\x1B[2Jn' is not a name: a-z, 0-9, '.', '_' and '-', 32 at "
                         "most, beginning with a letter or digit"},
        {"ann,,1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
         "ann 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16;"},
        {"ann,,1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n",
         "r.csv:1: '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17' are more than 16 rooms and boxes"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(parse(cases[i].text, strlen(cases[i].text)), cases[i].expected);
    }
}

static void test_what_is_no_text(void **state)
{
    static char large[4096];

    (void)state;
    assert_string_equal(parse("an\0n", 4), "r.csv:1: has a field that is malformed or too long");
    memset(large, 'a', sizeof large);
    assert_string_equal(parse(large, sizeof large),
                        "r.csv:1: has a field that is malformed or too long");
}

/* Cut off anywhere, it is a shorter roster or an error, and never more people. */
static void test_every_truncation(void **state)
{
    static const char text[] = "name,role,rooms\n\"ann\",administrator,\"general;lab\"\nbob,,\n";

    (void)state;
    for (size_t size = 0; size <= strlen(text); size++) {
        const char *found = parse(text, size);

        assert_true(strstr(found, "bob") == NULL || size >= strlen(text) - 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rosters),
        cmocka_unit_test(test_what_is_no_text),
        cmocka_unit_test(test_every_truncation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
