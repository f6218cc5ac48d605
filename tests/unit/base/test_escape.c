/* What others wrote neither steers a terminal nor breaks JSON, and is readable all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/escape.h"

#define SMILE "\xf0\x9f\x98\x80"  /* U+1F600 */
#define WOMAN "\xf0\x9f\x91\xa9"  /* U+1F469 */
#define LAPTOP "\xf0\x9f\x92\xbb" /* U+1F4BB */
#define TONE "\xf0\x9f\x8f\xbd"   /* U+1F3FD */
#define HEART "\xe2\x9d\xa4"      /* U+2764 */
#define VS16 "\xef\xb8\x8f"       /* U+FE0F */
#define FIRE "\xf0\x9f\x94\xa5"   /* U+1F525 */
#define ZWJ "\xe2\x80\x8d"        /* U+200D */

struct sample {
    const char *text;
    const char *expected;
};

static const struct sample on_one_line[] = {
    {"", ""},
    {"plain ASCII, ~!@#$%^&*()\"\\", "plain ASCII, ~!@#$%^&*()\"\\"},
    {"caf\xc3\xa9 \xd7\xa9\xd7\x9c \xe6\xbc\xa2", "caf\xc3\xa9 \xd7\xa9\xd7\x9c \xe6\xbc\xa2"},
    {"e\xcc\x81", "e\xcc\x81"}, /* a combining accent */
    {"a\tb\nc\r", "a\\x09b\\x0Ac\\x0D"},
    {"\x1b[31mred\x1b]0;title\x07", "\\x1B[31mred\\x1B]0;title\\x07"},
    {"\x7f", "\\x7F"},
    {"\xc2\x9b"
     "31m",
     "\\u{009B}31m"},                             /* CSI as a C1 character */
    {"\x9b", "\\x9B"},                            /* and as a bare byte */
    {"\xc0\xaf", "\\xC0\\xAF"},                   /* overlong '/' */
    {"\xed\xa0\x80", "\\xED\\xA0\\x80"},          /* a surrogate */
    {"\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"}, /* above U+10FFFF */
    {"\xe2\x82", "\\xE2\\x82"},                   /* cut */
    {"\xe2\x82\xac\xe2", "\xe2\x82\xac\\xE2"},
    {"a\xe2\x80\xae"
     "b",
     "a\\u{202E}b"},                                    /* right-to-left override */
    {"\xe2\x81\xa6\xe2\x81\xa9", "\\u{2066}\\u{2069}"}, /* isolates */
    {"\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f", "\\u{061C}\\u{200E}\\u{200F}"}, /* marks */
    {"\xe2\x80\x8b\xef\xbb\xbf\xc2\xad",
     "\\u{200B}\\u{FEFF}\\u{00AD}"},                    /* zero width, soft hyphen */
    {"\xe2\x80\xa8\xe2\x80\xa9", "\\u{2028}\\u{2029}"}, /* separators */
    {"\xf3\xa0\x84\x80", "\\u{E0100}"},                 /* variation selector 17 */
    {"\xf3\xa0\x81\xa1", "\\u{E0061}"},                 /* a tag */
    {"\xe3\x85\xa4", "\\u{3164}"},                      /* Hangul filler */
    {"\xef\xb8\x80", "\\u{FE00}"},                      /* variation selector 1 */
    {SMILE, SMILE},
    {WOMAN ZWJ LAPTOP, WOMAN ZWJ LAPTOP},
    {WOMAN TONE ZWJ LAPTOP, WOMAN TONE ZWJ LAPTOP},
    {HEART VS16 ZWJ FIRE, HEART VS16 ZWJ FIRE},
    {WOMAN ZWJ WOMAN ZWJ LAPTOP, WOMAN ZWJ WOMAN ZWJ LAPTOP},
    {"a" ZWJ LAPTOP, "a\\u{200D}" LAPTOP},
    {WOMAN ZWJ "a", WOMAN "\\u{200D}a"},
    {WOMAN ZWJ, WOMAN "\\u{200D}"},
    {WOMAN ZWJ ZWJ LAPTOP, WOMAN "\\u{200D}\\u{200D}" LAPTOP},
    {ZWJ, "\\u{200D}"},
};

static void check_terminal(const char *text, size_t size, bool keep, const char *expected)
{
    size_t capacity = 4 * size + 1; /* the worst case of the header */
    char *out = malloc(capacity);

    assert_non_null(out);
    assert_int_equal(escape_for_terminal(text, size, keep, out, capacity), strlen(expected));
    assert_string_equal(out, expected);
    free(out);
}

static void test_terminal(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(on_one_line); i++) {
        check_terminal(on_one_line[i].text, strlen(on_one_line[i].text), false,
                       on_one_line[i].expected);
    }
    check_terminal("a\0b", 3, false, "a\\x00b");
    check_terminal(NULL, 0, false, "");
}

static void test_terminal_keeps_newlines(void **state)
{
    (void)state;
    check_terminal("a\n\tb\r\n\x1b", 7, true, "a\n\tb\\x0D\n\\x1B");
    check_terminal("\xe2\x80\xa8", 3, true, "\\u{2028}");
}

/* Each of the 0x10FFFF characters, alone: none of the dangerous ones gets through. */
static void test_terminal_every_character(void **state)
{
    (void)state;
    for (uint32_t c = 0x80; c <= 0x10ffff; c++) {
        char text[4];
        char out[32];
        size_t size = 0;
        bool bidi = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                    (c >= 0x2066 && c <= 0x2069);

        if (c < 0x800) {
            text[size++] = (char)(0xc0 | c >> 6);
        } else if (c < 0x10000) {
            text[size++] = (char)(0xe0 | c >> 12);
            text[size++] = (char)(0x80 | (c >> 6 & 0x3f));
        } else {
            text[size++] = (char)(0xf0 | c >> 18);
            text[size++] = (char)(0x80 | (c >> 12 & 0x3f));
            text[size++] = (char)(0x80 | (c >> 6 & 0x3f));
        }
        text[size++] = (char)(0x80 | (c & 0x3f));
        (void)escape_for_terminal(text, size, true, out, sizeof(out));
        if (c < 0xa0 || bidi || (c >= 0xd800 && c <= 0xdfff)) {
            assert_int_equal(out[0], '\\');
        } else if (out[0] != '\\') {
            assert_int_equal(strlen(out), size);
            assert_memory_equal(out, text, size);
        }
    }
}

/* At every capacity: a prefix of the whole, never half a character or half an escape. */
static void check_cuts(size_t (*escape)(const char *, size_t, char *, size_t), const char *text,
                       const char *const *parts, size_t count)
{
    char whole[128] = "";
    size_t ends[16] = {0};

    for (size_t i = 0; i < count; i++) {
        strcat(whole, parts[i]); // NOLINT: the parts are ours
        ends[i + 1] = strlen(whole);
    }
    for (size_t capacity = 1; capacity <= strlen(whole) + 2; capacity++) {
        char *out = malloc(capacity);
        size_t size = 0;
        size_t expected = 0;

        assert_non_null(out);
        size = escape(text, strlen(text), out, capacity);
        for (size_t i = 0; i <= count; i++) {
            expected = ends[i] <= capacity - 1 ? ends[i] : expected;
        }
        assert_int_equal(size, expected);
        assert_memory_equal(out, whole, size);
        assert_int_equal(out[size], '\0');
        free(out);
    }
    assert_int_equal(escape(text, strlen(text), NULL, 0), 0);
}

static size_t one_line(const char *text, size_t size, char *out, size_t capacity)
{
    return escape_for_terminal(text, size, false, out, capacity);
}

static void test_cuts(void **state)
{
    static const char text[] = "a\x1b\xc3\xa9\xe2\x80\xae" WOMAN ZWJ LAPTOP "\xff"
                               "b";
    static const char *const terminal[] = {
        "a", "\\x1B", "\xc3\xa9", "\\u{202E}", WOMAN, "\xe2\x80\x8d\xf0\x9f\x92\xbb", "\\xFF", "b"};
    static const char *const json[] = {"a",
                                       "\\u001B",
                                       "\xc3\xa9",
                                       "\\u202E",
                                       WOMAN,
                                       "\xe2\x80\x8d\xf0\x9f\x92\xbb",
                                       "\xef\xbf\xbd",
                                       "b"};

    (void)state;
    check_cuts(one_line, text, terminal, COUNT_OF(terminal));
    check_cuts(escape_for_json, text, json, COUNT_OF(json));
}

static void test_json(void **state)
{
    static const struct sample samples[] = {
        {"", ""},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"\"\\/", "\\\"\\\\/"},
        {"\b\f\n\r\t", "\\b\\f\\n\\r\\t"},
        {"\x01\x1b\x1f", "\\u0001\\u001B\\u001F"},
        {"\x7f\xc2\x9b", "\\u007F\\u009B"},
        {"\xe2\x80\xa8\xe2\x80\xae", "\\u2028\\u202E"},
        {"\xf3\xa0\x81\xa1", "\\uDB40\\uDC61"},
        {"\xff\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {WOMAN ZWJ LAPTOP, WOMAN ZWJ LAPTOP},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        size_t size = strlen(samples[i].text);
        size_t capacity = 6 * size + 1; /* the worst case of the header */
        char *out = malloc(capacity);

        assert_non_null(out);
        assert_int_equal(escape_for_json(samples[i].text, size, out, capacity),
                         strlen(samples[i].expected));
        assert_string_equal(out, samples[i].expected);
        free(out);
    }
}

static void test_json_nul(void **state)
{
    char out[32];

    (void)state;
    assert_int_equal(escape_for_json("a\0b", 3, out, sizeof(out)), 8);
    assert_string_equal(out, "a\\u0000b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_terminal_keeps_newlines),
        cmocka_unit_test(test_terminal_every_character),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
