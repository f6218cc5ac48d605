/* Private keys under a passphrase: there and back, wrong passphrases, every cut, every bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/sealed_key.h"
#include "crypto/secret.h"

static const char key[] = "-----BEGIN "
                          "PRIVATE KEY-----\nnot one, but it may be any bytes\n";
static const char passphrase[] = "correct horse battery staple";
static char sealed[SEALED_TEXT_BYTES]; /* the same for all tests: sealing takes its time */

static int set_up(void **state)
{
    const struct sealed_key_cost cost = SEALED_COST_INTERACTIVE;

    (void)state;
    return sealed_key_seal(slice_of_string(key), slice_of_string(passphrase), &cost, sealed) ==
                   SP_OK
               ? 0
               : -1;
}

static void test_there_and_back(void **state)
{
    char reason[256];
    struct secret *opened = NULL;

    (void)state;
    assert_true(sealed_key_is(slice_of_string(sealed)));
    assert_null(strstr(sealed, "not one"));
    assert_int_equal(sealed_key_open(slice_of_string(sealed), slice_of_string(passphrase), &opened,
                                     reason, sizeof reason),
                     SP_OK);
    assert_int_equal(opened->size, strlen(key));
    assert_memory_equal(opened->data, key, strlen(key));
    secret_free(opened);
}

static void test_another_passphrase(void **state)
{
    static const char *const wrong[] = {"", "correct horse battery stapl", "Correct horse"};
    char reason[256];
    struct secret *opened = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(sealed_key_open(slice_of_string(sealed), slice_of_string(wrong[i]),
                                         &opened, reason, sizeof reason),
                         SP_EPASSPHRASE);
        assert_null(opened);
        assert_non_null(strstr(reason, "passphrase"));
    }
}

/* Salt and nonce differ, so the same key under the same passphrase is never the same text. */
static void test_no_two_are_the_same(void **state)
{
    const struct sealed_key_cost cost = SEALED_COST_INTERACTIVE;
    static char other[SEALED_TEXT_BYTES];
    struct sealed_key first;
    struct sealed_key second;
    char reason[256];

    (void)state;
    assert_int_equal(
        sealed_key_seal(slice_of_string(key), slice_of_string(passphrase), &cost, other), SP_OK);
    assert_int_equal(sealed_key_parse(slice_of_string(sealed), &first, reason, sizeof reason),
                     SP_OK);
    assert_int_equal(sealed_key_parse(slice_of_string(other), &second, reason, sizeof reason),
                     SP_OK);
    assert_memory_not_equal(first.salt, second.salt, sizeof first.salt);
    assert_memory_not_equal(first.nonce, second.nonce, sizeof first.nonce);
    assert_int_equal(first.sealed_size, strlen(key) + 16);
}

static void test_every_truncation(void **state)
{
    struct sealed_key parsed;
    char reason[256];

    (void)state;
    for (size_t size = 0; size < strlen(sealed); size++) {
        const struct slice text = {(const uint8_t *)sealed, size};

        assert_int_equal(sealed_key_parse(text, &parsed, reason, sizeof reason), SP_EKEY);
        assert_int_equal(parsed.sealed_size, 0);
    }
}

/* A changed character is damage, or another seal, which does not open. Opening takes its time: a
 * few places of the body stand for all. */
static void test_changed_characters(void **state)
{
    char *copy = strdup(sealed);
    char *body = strchr(copy, '\n') + 1;
    struct secret *opened = NULL;
    char reason[256];

    (void)state;
    for (size_t at = 20; at < 140; at += 30) {
        char kept = body[at];

        if (kept == '\n') {
            continue;
        }
        body[at] = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(sealed_key_open(slice_of_string(copy), slice_of_string(passphrase),
                                             &opened, reason, sizeof reason),
                             SP_OK);
        assert_null(opened);
        body[at] = kept;
    }
    free(copy);
}

/* A file cannot ask for hours, for all memory, or for next to nothing. */
static void test_costs_are_bounded(void **state)
{
    static const struct sealed_key_cost bad[] = {
        {1, 65536}, {2, 65535}, {4, 65536}, {2, 262145}, {0, 0}, {UINT32_MAX, UINT32_MAX},
    };
    char out[SEALED_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(
            sealed_key_seal(slice_of_string(key), slice_of_string(passphrase), &bad[i], out),
            SP_EINVALID);
        assert_string_equal(out, "");
    }
}

static void test_what_cannot_be_sealed(void **state)
{
    const struct sealed_key_cost cost = SEALED_COST_INTERACTIVE;
    static uint8_t large[LIMIT_SEALED_PLAIN_BYTES + 1];
    static char out[SEALED_TEXT_BYTES];

    (void)state;
    assert_int_equal(sealed_key_seal(slice_of_string(key), slice_of_string(""), &cost, out),
                     SP_EPASSPHRASE);
    assert_int_equal(sealed_key_seal(slice_of_string(""), slice_of_string(passphrase), &cost, out),
                     SP_ETOOLARGE);
    assert_int_equal(sealed_key_seal((struct slice){large, sizeof large},
                                     slice_of_string(passphrase), &cost, out),
                     SP_ETOOLARGE);
    assert_int_equal(sealed_key_seal((struct slice){large, sizeof large - 1},
                                     slice_of_string(passphrase), &cost, out),
                     SP_OK);
}

static void test_what_is_none(void **state)
{
    static const char *const none[] = {
        "",
        "x",
        /* in two, for whoever looks for keys in files */
        ("-----BEGIN "
         "PRIVATE KEY-----\n"),
        "-----BEGIN SEALPOST SEALED KEY-----\n-----END SEALPOST SEALED KEY-----\n",
        "-----BEGIN SEALPOST SEALED KEY-----\nAAAA\n-----END SEALPOST SEALED KEY-----\n",
        "-----BEGIN SEALPOST SEALED KEY-----\n????\n-----END SEALPOST SEALED KEY-----\n",
    };
    struct sealed_key parsed;
    char reason[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        assert_int_equal(sealed_key_parse(slice_of_string(none[i]), &parsed, reason, sizeof reason),
                         SP_EKEY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),        cmocka_unit_test(test_another_passphrase),
        cmocka_unit_test(test_no_two_are_the_same),   cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_changed_characters),    cmocka_unit_test(test_costs_are_bounded),
        cmocka_unit_test(test_what_cannot_be_sealed), cmocka_unit_test(test_what_is_none),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
