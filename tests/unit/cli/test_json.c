/* The strict reader of JSON objects, the writer, and that each understands the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/json_out.h"
#include "cli/json_read.h"

static struct json_object object;
static const char *reason;

/* A copy in memory of exactly that size, so that a sanitizer sees each byte too many. */
static char *copy_of(const char *text, size_t size)
{
    char *copy = malloc(size == 0 ? 1 : size);

    assert_non_null(copy);
    memcpy(copy, text, size);
    return copy;
}

static void reads_an_object(void **state)
{
    char text[] =
        " {\"cmd\" : \"say\",\t\"n\":-12.5e+3,\"yes\":true,\"no\":false,\"nil\":null}\r\n";
    const struct json_member *member = NULL;

    (void)state;
    assert_int_equal(json_read(text, strlen(text), &object, &reason), SP_OK);
    assert_null(reason);
    assert_int_equal(object.count, 5);
    member = json_find(&object, "cmd");
    assert_int_equal(member->type, JSON_STRING);
    assert_string_equal(member->text, "say");
    member = json_find(&object, "n");
    assert_int_equal(member->type, JSON_NUMBER);
    assert_memory_equal(member->text, "-12.5e+3", member->size);
    assert_int_equal(json_find(&object, "yes")->type, JSON_TRUE);
    assert_int_equal(json_find(&object, "no")->type, JSON_FALSE);
    assert_int_equal(json_find(&object, "nil")->type, JSON_NULL);
    assert_null(json_find(&object, "other"));
}

static void decodes_strings(void **state)
{
    static const struct {
        const char *json;
        const char *value;
    } samples[] = {
        {"\"\"", ""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\xf0\x9f\x98\x80 \x7f\"", "\xf0\x9f\x98\x80 \x7f"},
        {"\"\\u007f\\u0001\"", "\x7f\x01"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        char text[128];

        (void)snprintf(text, sizeof(text), "{\"v\":%s}", samples[i].json);
        assert_int_equal(json_read(text, strlen(text), &object, &reason), SP_OK);
        assert_string_equal(object.members[0].text, samples[i].value);
        assert_int_equal(object.members[0].size, strlen(samples[i].value));
    }
}

static void refuses_what_is_none(void **state)
{
    static const char *const samples[] = {
        "",
        " ",
        "null",
        "[]",
        "\"x\"",
        "{",
        "}",
        "{}x",
        "{} {}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":[1]}",
        "{\"a\":{}}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":0x1}",
        "{\"a\":NaN}",
        "{\"a\":True}",
        "{\"a\":tru}",
        "{\"a\":nul}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\ud83d\"}",
        "{\"a\":\"\\ud83d\\u0041\"}",
        "{\"a\":\"\\ude00\"}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
        "{\"a\":\"x}",
        "{\"a\":\"\\\"}",
        "\xef\xbb\xbf{}",
        "{}\x01",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        size_t size = strlen(samples[i]);
        char *copy = copy_of(samples[i], size);

        if (json_read(copy, size, &object, &reason) != SP_EINVALID) {
            fail_msg("taken: %s", samples[i]);
        }
        assert_non_null(reason);
        assert_int_equal(object.count, 0);
        free(copy);
    }
    {
        char nul[] = "{\"a\":\"\0\"}";

        assert_int_equal(json_read(nul, sizeof(nul) - 1, &object, &reason), SP_EINVALID);
    }
}

static void refuses_every_truncation(void **state)
{
    static const char whole[] = "{\"cmd\":\"say\",\"text\":\"\\ud83d\\ude00 \xe2\x82\xac\\n\","
                                "\"id\":-1.5e7,\"a\":true,\"b\":null}";

    (void)state;
    for (size_t size = 0; size < sizeof(whole) - 1; size++) {
        char *copy = copy_of(whole, size);

        assert_int_equal(json_read(copy, size, &object, &reason), SP_EINVALID);
        free(copy);
    }
    {
        char *copy = copy_of(whole, sizeof(whole) - 1);

        assert_int_equal(json_read(copy, sizeof(whole) - 1, &object, &reason), SP_OK);
        assert_int_equal(object.count, 5);
        free(copy);
    }
}

static void refuses_too_many_members(void **state)
{
    char text[512] = "{";

    (void)state;
    for (unsigned i = 0; i <= JSON_MAX_MEMBERS; i++) {
        size_t used = strlen(text);

        (void)snprintf(text + used, sizeof(text) - used, "%s\"k%u\":1", i == 0 ? "" : ",", i);
    }
    (void)strcat(text, "}");
    assert_int_equal(json_read(text, strlen(text), &object, &reason), SP_EINVALID);
}

static void reads_whole_numbers(void **state)
{
    static const struct {
        const char *json;
        enum sp_error error;
        uint64_t value;
    } samples[] = {{"0", SP_OK, 0},
                   {"100", SP_OK, 100},
                   {"101", SP_EINVALID, 0},
                   {"-1", SP_EINVALID, 0},
                   {"1.0", SP_EINVALID, 0},
                   {"1e1", SP_EINVALID, 0},
                   {"\"1\"", SP_EINVALID, 0},
                   {"true", SP_EINVALID, 0},
                   {"11111111111111111111111111111111111", SP_EINVALID, 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        char text[64];
        uint64_t value = 1;

        (void)snprintf(text, sizeof(text), "{\"v\":%s}", samples[i].json);
        assert_int_equal(json_read(text, strlen(text), &object, &reason), SP_OK);
        assert_int_equal(json_member_u64(&object.members[0], 100, &value), samples[i].error);
        assert_int_equal(value, samples[i].value);
    }
}

static void writes_what_it_reads(void **state)
{
    char every[256];
    char long_text[2000];
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    struct json_out json;
    uint64_t number = 0;

    (void)state;
    assert_non_null(file);
    for (size_t i = 1; i < 128; i++) {
        every[i - 1] = (char)i;
    }
    every[127] = '\0';
    memset(long_text, '"', sizeof(long_text));
    json_open(&json, file, "sample");
    json_string(&json, "every", every);
    json_text(&json, "long", long_text, sizeof(long_text));
    json_number(&json, "number", UINT64_MAX);
    json_bool(&json, "yes", true);
    json_hex(&json, "hex", (const uint8_t *)"\x01\xff", 2);
    json_time(&json, "time", 1000);
    json_verbatim(&json, "nothing", "");
    json_close(&json);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(text[size - 1], '\n');
    assert_ptr_equal(memchr(text, '\n', size), text + size - 1); /* one line */
    assert_int_equal(json_read(text, size, &object, &reason), SP_OK);
    assert_string_equal(json_find(&object, "type")->text, "sample");
    assert_string_equal(json_find(&object, "every")->text, every);
    assert_int_equal(json_find(&object, "long")->size, sizeof(long_text));
    assert_int_equal(json_member_u64(json_find(&object, "number"), UINT64_MAX, &number), SP_OK);
    assert_true(number == UINT64_MAX);
    assert_int_equal(json_find(&object, "yes")->type, JSON_TRUE);
    assert_string_equal(json_find(&object, "hex")->text, "01ff");
    assert_string_equal(json_find(&object, "time")->text, "1970-01-01T00:00:01.000Z");
    assert_int_equal(json_find(&object, "nothing")->type, JSON_NULL);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_an_object),          cmocka_unit_test(decodes_strings),
        cmocka_unit_test(refuses_what_is_none),     cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(refuses_too_many_members), cmocka_unit_test(reads_whole_numbers),
        cmocka_unit_test(writes_what_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
