/* Which names a text mentions: each case is a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mention.h"

/* The names in TEXT with spaces between them; TEXT is copied, so that a sanitizer sees an overrun.
 */
static const char *names_in(const char *text, size_t size)
{
    static char names[LIMIT_MENTIONS * (LIMIT_USERNAME_BYTES + 1) + 1];
    struct mentions mentions;
    char *exact = malloc(size > 0 ? size : 1);

    assert_non_null(exact);
    memcpy(exact, text, size);
    mentions_find(exact, size, &mentions);
    names[0] = '\0';
    for (size_t i = 0; i < mentions.count; i++) {
        assert_true(mentions_has(exact, size, mentions.names[i]));
        (void)strcat(names, i > 0 ? " " : "");
        (void)strcat(names, mentions.names[i]);
    }
    free(exact);
    return names;
}

static void test_what_is_a_mention(void **state)
{
    static const struct {
        const char *text;
        const char *names;
    } cases[] = {
        {"", ""},
        {"nobody", ""},
        {"@bob", "bob"},
        {"@bob and @ann", "bob ann"},
        {"(@bob)", "bob"},
        {"thanks, @bob.", "bob"},
        {"@bob...", "bob"},
        {"@bob-", "bob"},
        {"@a.b-c_d!", "a.b-c_d"},
        {"@bob_", "bob_"},
        {"@7up", "7up"},
        {"one\n@bob\ttwo", "bob"},
        {"\xe4\xbd\xa0\xe5\xa5\xbd@bob\xef\xbc\x8c", "bob"}, /* no spaces are written there */
        {"@bob @ann @bob", "bob ann"},
        {"@bob@ann", "bob"},
        {"ann@bob.example", ""},
        {"LEE@bob", ""},
        {"a.@bob", ""},
        {"@@bob", ""},
        {"@ bob", ""},
        {"@.bob", ""},
        {"@-", ""},
        {"@Bob", ""},
        {"@boB", "bo"},
        {"@", ""},
        {"@\xc3\xa4", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(names_in(cases[i].text, strlen(cases[i].text)), cases[i].names);
    }
    assert_string_equal(names_in("\0@bob", 5), "bob");
    assert_string_equal(names_in("@bobby", 4), "bob"); /* to its end and no further */
}

static void test_lengths(void **state)
{
    char text[LIMIT_USERNAME_BYTES + 3];

    (void)state;
    memset(text, 'a', sizeof text);
    text[0] = '@';
    assert_int_equal(strlen(names_in(text, 1 + LIMIT_USERNAME_BYTES)), LIMIT_USERNAME_BYTES);
    assert_string_equal(names_in(text, 2 + LIMIT_USERNAME_BYTES), ""); /* that is nobody's name */
    text[1 + LIMIT_USERNAME_BYTES] = '.';
    assert_int_equal(strlen(names_in(text, 2 + LIMIT_USERNAME_BYTES)), LIMIT_USERNAME_BYTES);
}

static void test_bound(void **state)
{
    struct mentions mentions;
    char text[512] = "";
    char last[16];

    (void)state;
    for (unsigned i = 0; i <= LIMIT_MENTIONS; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "@m%u @m0 ", i);
    }
    mentions_find(text, strlen(text), &mentions);
    assert_int_equal(mentions.count, LIMIT_MENTIONS);
    (void)snprintf(last, sizeof last, "m%d", LIMIT_MENTIONS);
    assert_false(mentions_has(text, strlen(text), last));
    (void)snprintf(last, sizeof last, "m%d", LIMIT_MENTIONS - 1);
    assert_true(mentions_has(text, strlen(text), last));
    assert_false(mentions_has(text, strlen(text), "m"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_mention),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
