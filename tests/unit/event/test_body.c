/* Bodies: cut anywhere, written into too little space, and what a field cannot hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/body.h"

static const struct body everything = {
    .text = {(const uint8_t *)"some text", 9},
    .name = {(const uint8_t *)"a.txt", 5},
    .member = {(const uint8_t *)"ada", 3},
    .log_kind = 4,
    .has_file = true,
    .file = {{1, 2, 3}},
    .has_size = true,
    .size = 5000000000,
    .has_sha256 = true,
    .sha256 = {{9, 8, 7}},
    .keep_seconds = 86400,
    .keep_events = 5000000000,
};

static size_t write_everything(uint8_t *out, size_t capacity)
{
    struct writer writer;

    writer_init(&writer, out, capacity);
    body_write(&writer, &everything);
    assert_int_equal(writer_finish(&writer), SP_OK);
    return writer_used(&writer);
}

static void assert_equal_slices(struct slice a, struct slice b)
{
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, b.size);
}

static void test_round_trip(void **state)
{
    uint8_t bytes[256];
    struct body body;

    (void)state;
    const struct slice encoded = {bytes, write_everything(bytes, sizeof(bytes))};
    assert_int_equal(body_parse(encoded, &body), SP_OK);
    assert_equal_slices(body.text, everything.text);
    assert_equal_slices(body.name, everything.name);
    assert_equal_slices(body.member, everything.member);
    assert_int_equal(body.log_kind, everything.log_kind);
    assert_true(body.has_file && id_equal(&body.file, &everything.file));
    assert_true(body.has_size && body.size == everything.size);
    assert_true(body.has_sha256 && digest_equal(&body.sha256, &everything.sha256));
    assert_int_equal(body.keep_seconds, everything.keep_seconds);
    assert_int_equal(body.keep_events, everything.keep_events);
}

/* Between two fields a cut cannot be seen: the event's header says how long a body is. */
static void test_every_truncation(void **state)
{
    uint8_t bytes[256];
    size_t size = write_everything(bytes, sizeof(bytes));
    size_t boundary = 0;
    unsigned whole = 0;

    (void)state;
    for (size_t cut = 0; cut <= size; cut++) {
        struct body body;
        uint8_t *copy = malloc(cut > 0 ? cut : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, cut);
        enum sp_error error = body_parse((struct slice){copy, cut}, &body);
        assert_int_equal(error, cut == boundary ? SP_OK : SP_EINVALID);
        if (cut == boundary && cut < size) {
            boundary += 3 + ((size_t)bytes[cut + 1] << 8 | bytes[cut + 2]);
            whole++;
        }
        free(copy);
    }
    assert_int_equal(whole, 9);
}

static void test_too_little_space(void **state)
{
    uint8_t bytes[256];
    size_t size = write_everything(bytes, sizeof(bytes));

    (void)state;
    for (size_t capacity = 0; capacity < size; capacity++) {
        uint8_t *little = malloc(capacity > 0 ? capacity : 1);
        struct writer writer;
        assert_non_null(little);
        writer_init(&writer, little, capacity);
        body_write(&writer, &everything);
        assert_int_equal(writer_finish(&writer), SP_ETOOLARGE);
        free(little);
    }
}

static void test_field_of_64_kib(void **state)
{
    static uint8_t text[UINT16_MAX + 1];
    static uint8_t bytes[2 * sizeof(text)];
    struct body body = {.text = {text, UINT16_MAX}};
    struct writer writer;

    (void)state;
    writer_init(&writer, bytes, sizeof(bytes));
    body_write(&writer, &body);
    assert_int_equal(writer_finish(&writer), SP_OK);
    assert_int_equal(writer_used(&writer), 3 + UINT16_MAX);
    body.text.size++;
    writer_init(&writer, bytes, sizeof(bytes));
    body_write(&writer, &body);
    assert_int_equal(writer_finish(&writer), SP_ETOOLARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_too_little_space),
        cmocka_unit_test(test_field_of_64_kib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
