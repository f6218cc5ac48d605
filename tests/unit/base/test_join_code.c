/* Join codes: there and back, every mistyped digit, everything cut short, what is no code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/join_code.h"

/* A code whose bytes are all different. */
static struct join_code sample(const char *host, uint16_t port)
{
    struct join_code code = {.port = port};

    memcpy(code.host, host, strlen(host));
    for (unsigned i = 0; i < JOIN_FINGERPRINT_BYTES; i++) {
        code.fingerprint[i] = (uint8_t)(i * 17 + 3);
        code.secret[i] = (uint8_t)(255 - i * 13);
    }
    return code;
}

static enum sp_error parse(const char *text, struct join_code *out)
{
    char reason[256] = "unset";
    enum sp_error error = join_code_parse(text, strlen(text), out, reason, sizeof reason);

    assert_int_equal(error == SP_OK, reason[0] == '\0');
    return error;
}

static void assert_same(const struct join_code *a, const struct join_code *b)
{
    assert_string_equal(a->host, b->host);
    assert_int_equal(a->port, b->port);
    assert_memory_equal(a->fingerprint, b->fingerprint, sizeof a->fingerprint);
    assert_memory_equal(a->secret, b->secret, sizeof a->secret);
}

static void test_a_code_is_read_as_it_was_written(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        const char *begins;
    } cases[] = {
        {"chat.example.org", DEFAULT_PORT, "chat.example.org/"},
        {"chat.example.org", 443, "chat.example.org:443/"},
        {"localhost", 1, "localhost:1/"},
        {"192.0.2.7", 65535, "192.0.2.7:65535/"},
        {"::1", DEFAULT_PORT, "[::1]/"},
        {"2001:db8::7", 8443, "[2001:db8::7]:8443/"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct join_code code = sample(cases[i].host, cases[i].port);
        struct join_code read;
        char text[LIMIT_JOIN_CODE_BYTES];

        assert_int_equal(join_code_format(&code, text, sizeof text), SP_OK);
        assert_memory_equal(text, cases[i].begins, strlen(cases[i].begins));
        assert_int_equal(strlen(text), strlen(cases[i].begins) + 63);
        assert_int_equal(parse(text, &read), SP_OK);
        assert_same(&read, &code);
    }
}

/* The test vector of docs/PROTOCOL.md. */
static void test_the_form_stays_what_it_is(void **state)
{
    struct join_code code = sample("chat.example.org", DEFAULT_PORT);
    char text[LIMIT_JOIN_CODE_BYTES];

    (void)state;
    assert_int_equal(join_code_format(&code, text, sizeof text), SP_OK);
    assert_string_equal(text, "chat.example.org/"
                              "0CA2ADJ-7B1MQN2-WWNPZCZ-R7H0BZZ-5SERSEZ-B394QH9-YQ0RTP9-4YE17W9");
}

static void test_a_code_may_be_copied_carelessly(void **state)
{
    struct join_code code = sample("chat.example.org", DEFAULT_PORT);
    struct join_code read;
    char text[LIMIT_JOIN_CODE_BYTES];
    char careless[2 * LIMIT_JOIN_CODE_BYTES] = "\n  ";
    size_t size = 3;

    (void)state;
    assert_int_equal(join_code_format(&code, text, sizeof text), SP_OK);
    for (const char *c = text; *c != '\0'; c++) {
        bool behind = strchr(text, '/') < c;

        if (*c == '-' && behind) {
            memcpy(careless + size, " \n", 2);
            size += 2;
            continue;
        }
        careless[size++] = *c == '1'                ? 'l'
                           : *c == '0'              ? 'O'
                           : *c >= 'A' && *c <= 'Z' ? (char)(*c + 32)
                           : *c >= 'a' && *c <= 'z' ? (char)(*c - 32)
                                                    : *c;
    }
    careless[size++] = '\n';
    careless[size] = '\0';
    assert_int_equal(parse(careless, &read), SP_OK);
    assert_same(&read, &code);
}

/* Whatever single character is wrong, in the digits or in the host, is noticed. */
static void test_every_mistyped_character_is_noticed(void **state)
{
    struct join_code code = sample("chat.example.org", 7000);
    struct join_code read;
    char text[LIMIT_JOIN_CODE_BYTES];

    (void)state;
    assert_int_equal(join_code_format(&code, text, sizeof text), SP_OK);
    for (size_t i = 0; text[i] != '\0'; i++) {
        for (const char *with = "079AFZafz.-"; *with != '\0'; with++) {
            char kept = text[i];
            bool same_digit =
                kept == '-' || *with == '-' || kept == '/' ||
                (strchr(text, '/') < text + i ? (*with | 32) == (kept | 32)
                                              : *with == kept || (*with | 32) == kept);

            text[i] = *with;
            if (!same_digit) {
                assert_int_not_equal(parse(text, &read), SP_OK);
                assert_true(read.host[0] == '\0');
            }
            text[i] = kept;
        }
    }
}

/* Two neighbours changed places: the commonest mistake of a hand. */
static void test_swapped_neighbours_are_noticed(void **state)
{
    struct join_code code = sample("chat.example.org", 7000);
    struct join_code read;
    char text[LIMIT_JOIN_CODE_BYTES];

    (void)state;
    assert_int_equal(join_code_format(&code, text, sizeof text), SP_OK);
    for (char *at = strchr(text, '/') + 1; at[1] != '\0'; at++) {
        char kept = at[0];

        if (at[0] == at[1] || at[0] == '-' || at[1] == '-') {
            continue;
        }
        at[0] = at[1];
        at[1] = kept;
        assert_int_equal(parse(text, &read), SP_ECODE);
        at[1] = at[0];
        at[0] = kept;
    }
}

static void test_a_code_that_is_cut_short_is_none(void **state)
{
    struct join_code code = sample("chat.example.org", 7000);
    struct join_code read;
    char reason[256];
    char text[LIMIT_JOIN_CODE_BYTES];

    (void)state;
    assert_int_equal(join_code_format(&code, text, sizeof text), SP_OK);
    for (size_t size = 0; size < strlen(text); size++) {
        enum sp_error error = join_code_parse(text, size, &read, reason, sizeof reason);

        assert_int_equal(error, size <= strlen("chat.example.org:7000") ? SP_EINVALID : SP_ECODE);
    }
}

static void test_what_is_no_code_is_told_so(void **state)
{
    static const char *const none[] = {
        "",     " ",         "/",          "general",        "https://example.org/x",
        "/ABC", "ho st/ABC", "host:0/ABC", "host:99999/ABC", "h\x01ost/ABC",
    };
    struct join_code read;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        assert_int_equal(parse(none[i], &read), SP_EINVALID);
    }
    assert_int_equal(parse("host/", &read), SP_ECODE);
    assert_int_equal(parse("host/ABC!", &read), SP_ECODE);
}

static void test_hosts_that_are_none_are_not_written(void **state)
{
    static const char *const bad[] = {"", "a b", "a/b", "a\nb", "\xc3\xa4.example"};
    char text[LIMIT_JOIN_CODE_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct join_code code = sample(bad[i], DEFAULT_PORT);

        assert_int_equal(join_code_format(&code, text, sizeof text), SP_EINVALID);
    }
    struct join_code code = sample("host", 0);
    assert_int_equal(join_code_format(&code, text, sizeof text), SP_EINVALID);
    code.port = 1;
    assert_int_equal(join_code_format(&code, text, 20), SP_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_code_is_read_as_it_was_written),
        cmocka_unit_test(test_the_form_stays_what_it_is),
        cmocka_unit_test(test_a_code_may_be_copied_carelessly),
        cmocka_unit_test(test_every_mistyped_character_is_noticed),
        cmocka_unit_test(test_swapped_neighbours_are_noticed),
        cmocka_unit_test(test_a_code_that_is_cut_short_is_none),
        cmocka_unit_test(test_what_is_no_code_is_told_so),
        cmocka_unit_test(test_hosts_that_are_none_are_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
