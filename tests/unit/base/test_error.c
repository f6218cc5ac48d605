/* The error table: complete, stable, and sure about numbers that it does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

static const enum sp_error all[] = {
#define SYMBOL(symbol, number, class, exit, name, text) (symbol),
    SP_ERROR_LIST(SYMBOL)
#undef SYMBOL
};

static void test_every_error_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        const char *name = sp_error_name(all[i]);
        const char *text = sp_error_text(all[i]);

        assert_true(name[0] != '\0');
        assert_true(strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name));
        assert_string_not_equal(name, "unknown");
        assert_true(text[0] != '\0' && text[strlen(text) - 1] != '.');
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(name, sp_error_name(all[j]));
            assert_true(all[i] != all[j]);
        }
    }
}

/* The numbers travel: a class has its range, and 0 alone is success. */
static void test_classes_follow_the_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        enum sp_error_class class = sp_error_class(all[i]);
        int number = (int)all[i];

        if (number == 0) {
            assert_int_equal(class, SP_CLASS_OK);
            assert_int_equal(sp_error_exit_code(all[i]), 0);
            continue;
        }
        assert_int_equal(class, number < 64   ? SP_CLASS_REFUSED
                                : number < 96 ? SP_CLASS_RETRY
                                              : SP_CLASS_UNKNOWN);
        assert_in_range(sp_error_exit_code(all[i]), 1, 125); /* a shell uses those above */
    }
}

static void test_the_table_says_what_the_list_says(void **state)
{
    (void)state;
    assert_string_equal(sp_error_name(SP_ENOTFOUND), "not-found");
    assert_string_equal(sp_error_text(SP_EREVOKED), "the certificate has been revoked");
    assert_int_equal(sp_error_class(SP_EFULL), SP_CLASS_RETRY);
    assert_int_equal(sp_error_exit_code(SP_EUNREACHABLE), 69);
}

static void test_unknown_numbers(void **state)
{
    static const int numbers[] = {19, 31, 63, 95, 99, 1000, 2147483647, -1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        enum sp_error error = (enum sp_error)numbers[i];

        assert_string_equal(sp_error_name(error), "unknown");
        assert_true(strlen(sp_error_text(error)) > 0);
        assert_int_equal(sp_error_class(error), SP_CLASS_UNKNOWN);
        assert_int_equal(sp_error_exit_code(error), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_has_a_name_and_a_text),
        cmocka_unit_test(test_classes_follow_the_numbers),
        cmocka_unit_test(test_the_table_says_what_the_list_says),
        cmocka_unit_test(test_unknown_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
