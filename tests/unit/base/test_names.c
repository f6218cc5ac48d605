/* Names are refused, never folded: what passes, what does not, and the lengths at the edge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/name.h"

typedef enum sp_error (*check_fn)(const char *name, size_t size);

/* On a copy of exactly SIZE bytes, so that a sanitizer sees an overrun. */
static bool allows(check_fn check, const char *name, size_t size)
{
    char *exact = malloc(size > 0 ? size : 1);
    enum sp_error error = SP_OK;

    assert_non_null(exact);
    memcpy(exact, name, size);
    error = check(exact, size);
    free(exact);
    assert_true(error == SP_OK || error == SP_ENAME);
    return error == SP_OK;
}

static bool allows_string(check_fn check, const char *name)
{
    return allows(check, name, strlen(name));
}

static void check_maximum(check_fn check, size_t maximum)
{
    char name[512];

    memset(name, 'a', sizeof(name));
    assert_true(allows(check, name, 1));
    assert_true(allows(check, name, maximum));
    assert_false(allows(check, name, maximum + 1));
    assert_false(allows(check, name, 0));
}

static void test_ascii_names(void **state)
{
    static const check_fn checks[] = {name_check_username, name_check_team, name_check_log};
    static const char *const good[] = {"a",      "0",   "anna", "a.b_c-d",
                                       "x86-64", "a..", "a--",  "9lives"};
    static const char *const bad[] = {
        "",     ".",   "..",  ".a",          "-a",    "_a",       "A",
        "aB",   "a b", " a",  "a ",          "a\n",   "\n",       "a/b",
        "a\\b", "a:b", "a@b", "caf\xc3\xa9", "a\x7f", "\xd0\xb0", "a\xe2\x80\xae",
        "a%",   "a'",  "a\"",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        for (size_t j = 0; j < COUNT_OF(good); j++) {
            assert_true(allows_string(checks[i], good[j]));
        }
        for (size_t j = 0; j < COUNT_OF(bad); j++) {
            assert_false(allows_string(checks[i], bad[j]));
        }
        assert_false(allows(checks[i], "a\0b", 3));
        assert_false(allows(checks[i], "ab\0", 3));
    }
    check_maximum(name_check_username, LIMIT_USERNAME_BYTES);
    check_maximum(name_check_team, LIMIT_TEAM_BYTES);
    check_maximum(name_check_log, LIMIT_LOG_NAME_BYTES);
}

/* Exactly the 39 bytes of the alphabet pass, and 36 of them in front. */
static void test_every_byte(void **state)
{
    size_t first = 0;
    size_t later = 0;

    (void)state;
    for (int c = 0; c < 256; c++) {
        char name[2] = {(char)c, (char)c};

        first += allows(name_check_username, name, 1);
        name[0] = 'a';
        later += allows(name_check_username, name, 2);
    }
    assert_int_equal(first, 36);
    assert_int_equal(later, 39);
}

static void test_file_names(void **state)
{
    static const char *const good[] = {"a",
                                       "...",
                                       ".profile",
                                       "..a",
                                       ".a",
                                       "a.",
                                       "Report (final) v2.pdf",
                                       "caf\xc3\xa9.txt",
                                       "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
                                       "a:b*?\"<>|",
                                       "-rf",
                                       " ",
                                       "\xf0\x9f\x98\x80"};
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "a/b",
                                      "/",
                                      "a\\b",
                                      "a\nb",
                                      "\x1b[0m",
                                      "a\x7f",
                                      "\xc2\x85",
                                      "\xc2\x9f",
                                      "\xff",
                                      "\xc0\xaf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xe2\x80\xaegpj.exe",
                                      "\xd8\x9c",
                                      "\xe2\x80\x8e",
                                      "\xe2\x80\x8f",
                                      "\xe2\x80\xaa",
                                      "\xe2\x81\xa6",
                                      "\xe2\x81\xa9"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(allows_string(name_check_file, good[i]));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(allows_string(name_check_file, bad[i]));
    }
    assert_false(allows(name_check_file, "a\0b", 3));
    assert_false(allows(name_check_file, "\0", 1));
    check_maximum(name_check_file, LIMIT_FILE_NAME_BYTES);
}

static void test_labels(void **state)
{
    (void)state;
    assert_true(allows_string(name_check_label, "Anna's laptop / work \\ caf\xc3\xa9"));
    assert_false(allows_string(name_check_label, "a\tb"));
    assert_false(allows_string(name_check_label, "a\xc2\x9b"));
    assert_false(allows_string(name_check_label, "a\xff"));
    assert_false(allows(name_check_label, "a\0", 2));
    check_maximum(name_check_label, LIMIT_LABEL_BYTES);
}

static void test_text(void **state)
{
    (void)state;
    assert_true(allows_string(name_check_text, ""));
    assert_int_equal(name_check_text(NULL, 0), SP_OK);
    assert_true(allows_string(name_check_text, "two\nlines\t\x1b[0m \xe2\x80\xae"));
    assert_false(allows(name_check_text, "a\0b", 3));
    assert_false(allows_string(name_check_text, "a\x80"));
    assert_false(allows_string(name_check_text, "\xf5\x80\x80\x80"));
}

/* A text of one character of each length: it is valid up to the ends of characters only. */
static void test_every_truncation(void **state)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    static const bool valid[] = {true, true,  false, true,  false, false,
                                 true, false, false, false, true};

    (void)state;
    for (size_t size = 0; size < sizeof(text); size++) {
        assert_int_equal(allows(name_check_text, text, size), valid[size]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ascii_names), cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_file_names),  cmocka_unit_test(test_labels),
        cmocka_unit_test(test_text),        cmocka_unit_test(test_every_truncation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
