/* The configuration's syntax, what is refused and how the message reads, and each kind of value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"

/* What a callback saw, as "line:key=value;". */
struct seen {
    char text[LIMIT_CONFIG_LINE_BYTES + 256];
};

static enum sp_error record(void *context, const struct config_pair *pair, char *reason,
                            size_t capacity)
{
    struct seen *seen = context;
    size_t used = strlen(seen->text);

    if (strcmp(pair->key, "odd") == 0) {
        return SP_ENOTFOUND;
    }
    if (strcmp(pair->key, "twice") == 0 && strstr(seen->text, ":twice=") != NULL) {
        return SP_EEXISTS;
    }
    if (strcmp(pair->key, "bad") == 0) {
        (void)snprintf(reason, capacity, "is not a number");
        return SP_EINVALID;
    }
    if (strcmp(pair->key, "silent") == 0) {
        return SP_EINVALID;
    }
    (void)snprintf(seen->text + used, sizeof(seen->text) - used, "%u:%s=%s;", pair->line, pair->key,
                   pair->value);
    return SP_OK;
}

/* SEEN for a text that is right, the message for one that is not. TEXT may hold NULs. */
static void check(const char *text, size_t size, enum sp_error error, const char *expected)
{
    struct seen seen = {{0}};
    char message[256] = "untouched";
    char *exact = malloc(size > 0 ? size : 1); /* not NUL-terminated: an overrun is seen */

    assert_non_null(exact);
    memcpy(exact, text, size);
    assert_int_equal(config_parse("s.conf", exact, size, record, &seen, message, sizeof(message)),
                     error);
    assert_string_equal(error == SP_OK ? seen.text : message, expected);
    assert_string_equal(error == SP_OK ? message : "", "");
    free(exact);
}

static void test_pairs(void **state)
{
    static const struct {
        const char *text;
        const char *seen;
    } cases[] = {
        {"", ""},
        {"\n\n \t\r\n", ""},
        {"a=1", "1:a=1;"},
        {"a=1\n", "1:a=1;"},
        {" a \t=\t 1 2 \r\nb_2=x\r\n", "1:a=1 2;2:b_2=x;"},
        {"a=\nb =  \n", "1:a=;2:b=;"},
        {"a = b = c", "1:a=b = c;"},
        {"# a = 1\n  # b\na = 1 # c\n", "3:a=1;"},
        {"a = 1#2\nb =#3\nc = #4", "1:a=1#2;2:b=#3;3:c=;"},
        {"a = \xc3\xa9", "1:a=\xc3\xa9;"},
        {"twice = 1\nonce = 2", "1:twice=1;2:once=2;"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check(cases[i].text, strlen(cases[i].text), SP_OK, cases[i].seen);
    }
}

static void test_messages(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"a = 1\nodd = 1\n", "s.conf:2: unknown key 'odd'"},
        {"twice = 1\n\ntwice = 1", "s.conf:3: the key 'twice' was given before"},
        {"bad = x", "s.conf:1: 'bad' is not a number"},
        {"silent = x", "s.conf:1: 'silent' failed: the request is not valid"},
        {"a", "s.conf:1: expected 'key = value'"},
        {"a # = 1", "s.conf:1: expected 'key = value'"},
        {"= 1", "s.conf:1: a key consists of a-z, 0-9 and '_'"},
        {"A = 1", "s.conf:1: a key consists of a-z, 0-9 and '_'"},
        {"a b = 1", "s.conf:1: a key consists of a-z, 0-9 and '_'"},
        {"a-b = 1", "s.conf:1: a key consists of a-z, 0-9 and '_'"},
        {"\xef\xbb\xbf"
         "a = 1",
         "s.conf:1: a key consists of a-z, 0-9 and '_'"},
        {"a = 1\nx\nodd = 1", "s.conf:2: expected 'key = value'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check(cases[i].text, strlen(cases[i].text), SP_ECONFIG, cases[i].message);
    }
    check("a = 1\0 2", 8, SP_ECONFIG, "s.conf:1: a NUL byte");
    check("a = 1\n\0", 7, SP_ECONFIG, "s.conf:2: a NUL byte");
}

static void test_long_lines(void **state)
{
    char text[LIMIT_CONFIG_LINE_BYTES + 2];
    char seen[LIMIT_CONFIG_LINE_BYTES + 16];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[0] = 'a';
    text[1] = '=';
    text[LIMIT_CONFIG_LINE_BYTES] = '\n';
    (void)snprintf(seen, sizeof(seen), "1:%.*s;", LIMIT_CONFIG_LINE_BYTES, text);
    check(text, LIMIT_CONFIG_LINE_BYTES, SP_OK, seen);
    check(text, LIMIT_CONFIG_LINE_BYTES + 1, SP_OK, seen);
    text[LIMIT_CONFIG_LINE_BYTES] = 'x';
    check(text, LIMIT_CONFIG_LINE_BYTES + 1, SP_ECONFIG,
          "s.conf:1: the line is longer than 4096 bytes");
    /* A key as long as its line still gives a message. */
    memset(text, 'a', sizeof(text));
    text[LIMIT_CONFIG_LINE_BYTES - 1] = '=';
    text[0] = '-';
    check(text, LIMIT_CONFIG_LINE_BYTES, SP_ECONFIG,
          "s.conf:1: a key consists of a-z, 0-9 and '_'");
}

/* Every truncation is either right or refused with a message; none reads beyond. */
static void test_every_truncation(void **state)
{
    static const char text[] = "# head\nport = 7643\nname = a b # c\r\nempty =\nlast = 1";

    (void)state;
    for (size_t size = 0; size < sizeof(text); size++) {
        struct seen seen = {{0}};
        char message[64] = "";
        char *exact = malloc(size > 0 ? size : 1);
        enum sp_error error = SP_OK;

        assert_non_null(exact);
        memcpy(exact, text, size);
        error = config_parse("f", exact, size, record, &seen, message, sizeof(message));
        assert_int_equal(error == SP_OK, message[0] == '\0');
        free(exact);
    }
}

static void test_messages_are_cut(void **state)
{
    struct seen seen = {{0}};
    char message[8] = "";

    (void)state;
    assert_int_equal(config_parse("s.conf", "x", 1, record, &seen, message, sizeof(message)),
                     SP_ECONFIG);
    assert_string_equal(message, "s.conf:");
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "0x10",
                                      "1e3",
                                      "one",
                                      "1K",
                                      "10",
                                      "99",
                                      "101",
                                      "18446744073709551616",
                                      "99999999999999999999999"};
    uint64_t value = 1;

    (void)state;
    assert_int_equal(config_parse_u64("0", 0, UINT64_MAX, &value), SP_OK);
    assert_true(value == 0);
    assert_int_equal(config_parse_u64("18446744073709551615", 0, UINT64_MAX, &value), SP_OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(config_parse_u64("007", 7, 7, &value), SP_OK);
    assert_true(value == 7);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        value = 1;
        assert_int_equal(config_parse_u64(bad[i], 100, 100, &value), SP_EINVALID);
        assert_true(value == 0);
    }
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"1000", 1000},
        {"1K", 1024},
        {"3M", 3 * UINT64_C(1048576)},
        {"2G", UINT64_C(2) << 30},
        {"1T", UINT64_C(1) << 40},
        {"16777215T", UINT64_C(16777215) << 40},
    };
    static const char *const bad[] = {"",    "K",  "1k",   "1KB", "1 K",      "1KK",
                                      "-1K", "1P", "1.5M", "K1",  "16777216T"};
    uint64_t value = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(config_parse_size(good[i].text, 0, UINT64_MAX, &value), SP_OK);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(config_parse_size(bad[i], 0, UINT64_MAX, &value), SP_EINVALID);
        assert_true(value == 0);
    }
    assert_int_equal(config_parse_size("1K", 0, 1023, &value), SP_EINVALID);
    assert_int_equal(config_parse_size("1K", 1025, 4096, &value), SP_EINVALID);
}

static void test_bools(void **state)
{
    bool value = false;

    (void)state;
    assert_int_equal(config_parse_bool("yes", &value), SP_OK);
    assert_true(value);
    assert_int_equal(config_parse_bool("no", &value), SP_OK);
    assert_false(value);
    assert_int_equal(config_parse_bool("true", &value), SP_OK);
    assert_true(value);
    assert_int_equal(config_parse_bool("YES", &value), SP_EINVALID);
    assert_false(value);
    assert_int_equal(config_parse_bool("", &value), SP_EINVALID);
    assert_int_equal(config_parse_bool("1", &value), SP_EINVALID);
    assert_int_equal(config_parse_bool("false", &value), SP_OK);
}

static void test_hosts(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } good[] = {
        {"chat.example.org", "chat.example.org", DEFAULT_PORT},
        {"chat.example.org:1", "chat.example.org", 1},
        {"127.0.0.1:0", "127.0.0.1", 0},
        {"h:65535", "h", 65535},
        {"[::1]:7000", "::1", 7000},
        {"[2001:db8::1]", "2001:db8::1", DEFAULT_PORT},
        {"[fe80::1%eth0]:5", "fe80::1%eth0", 5},
    };
    static const char *const bad[] = {
        "",     ":1",     "h:",     "h:65536",   "h:-1",   "h:1 ",          "h:1:2",   "::1",
        "[::1", "[::1]1", "[::1]:", "[]",        "[]:1",   "[h]:1",         "a b",     "a/b",
        "-h",   ".h",     "h\n",    "[1.2.3.4]", "[::1%]", "[fe80::1%a b]", "[%eth0]", "\xc3\xa9:1",
    };
    char host[LIMIT_HOST_BYTES + 1];
    uint16_t port = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(config_parse_host_port(good[i].text, host, &port), SP_OK);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        port = 1;
        assert_int_equal(config_parse_host_port(bad[i], host, &port), SP_EINVALID);
        assert_string_equal(host, "");
        assert_int_equal(port, 0);
    }
}

static void test_long_hosts(void **state)
{
    char text[LIMIT_HOST_BYTES + 8];
    char host[LIMIT_HOST_BYTES + 1];
    uint16_t port = 0;

    (void)state;
    memset(text, 'h', LIMIT_HOST_BYTES);
    memcpy(text + LIMIT_HOST_BYTES, ":12", 4);
    assert_int_equal(config_parse_host_port(text, host, &port), SP_OK);
    assert_int_equal(strlen(host), LIMIT_HOST_BYTES);
    memcpy(text + LIMIT_HOST_BYTES, "h:12", 5);
    assert_int_equal(config_parse_host_port(text, host, &port), SP_EINVALID);
    text[0] = '[';
    assert_int_equal(config_parse_host_port(text, host, &port), SP_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_messages_are_cut),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_bools),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_long_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
