/* Readers, writers, buffers, hexadecimal: what is written is what is read, and nothing beyond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

#define SAMPLE_BYTES (1 + 2 + 4 + 8 + 3)

static const uint8_t sample[SAMPLE_BYTES] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
                                             0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 'a',  'b',  'c'};

static void write_sample(struct writer *writer)
{
    writer_u8(writer, 0x01);
    writer_u16(writer, 0x0203);
    writer_u32(writer, 0x04050607);
    writer_u64(writer, 0x08090a0b0c0d0e0f);
    writer_copy(writer, "abc", 3);
}

static void test_writer_is_big_endian(void **state)
{
    uint8_t out[SAMPLE_BYTES + 1];
    struct writer writer;

    (void)state;
    writer_init(&writer, out, sizeof(out));
    write_sample(&writer);
    assert_int_equal(writer_finish(&writer), SP_OK);
    assert_int_equal(writer_used(&writer), SAMPLE_BYTES);
    assert_int_equal(writer_left(&writer), 1);
    assert_memory_equal(out, sample, SAMPLE_BYTES);
}

static void test_writer_refuses_every_smaller_capacity(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < SAMPLE_BYTES; capacity++) {
        uint8_t *out = malloc(capacity + 1);
        struct writer writer;

        assert_non_null(out);
        out[capacity] = 0xee;
        writer_init(&writer, out, capacity);
        write_sample(&writer);
        assert_int_equal(writer_finish(&writer), SP_ETOOLARGE);
        assert_int_equal(writer_left(&writer), 0);
        assert_memory_equal(out, sample, writer_used(&writer));
        assert_int_equal(out[capacity], 0xee);
        free(out);
    }
}

static void test_writer_error_is_sticky(void **state)
{
    uint8_t out[4] = {0};
    struct writer writer;

    (void)state;
    writer_init(&writer, out, sizeof(out));
    writer_u64(&writer, 1);
    writer_u8(&writer, 1); /* would fit */
    assert_int_equal(writer_finish(&writer), SP_ETOOLARGE);
    assert_int_equal(writer_used(&writer), 0);
    assert_int_equal(out[0], 0);
}

static void test_reader_reads_what_was_written(void **state)
{
    struct reader reader;
    char text[3];

    (void)state;
    reader_init(&reader, sample, sizeof(sample));
    assert_int_equal(reader_left(&reader), SAMPLE_BYTES);
    assert_int_equal(reader_u8(&reader), 0x01);
    assert_int_equal(reader_u16(&reader), 0x0203);
    assert_int_equal(reader_u32(&reader), 0x04050607);
    assert_true(reader_u64(&reader) == 0x08090a0b0c0d0e0f);
    assert_int_equal(reader_finish(&reader), SP_EINVALID); /* something is left */
    reader_copy(&reader, text, sizeof(text));
    assert_memory_equal(text, "abc", 3);
    assert_int_equal(reader_finish(&reader), SP_OK);
}

static void test_reader_refuses_every_truncation(void **state)
{
    (void)state;
    for (size_t size = 0; size < SAMPLE_BYTES; size++) {
        uint8_t *copy = malloc(size > 0 ? size : 1); /* so that a sanitizer sees an overrun */
        struct reader reader;
        char text[3] = "xyz";

        assert_non_null(copy);
        memcpy(copy, sample, size);
        reader_init(&reader, copy, size);
        (void)reader_u8(&reader);
        (void)reader_u16(&reader);
        (void)reader_u32(&reader);
        (void)reader_u64(&reader);
        reader_copy(&reader, text, sizeof(text));
        assert_int_equal(reader_finish(&reader), SP_EINVALID);
        assert_memory_equal(text, "\0\0\0", 3);
        free(copy);
    }
}

static void test_reader_error_is_sticky(void **state)
{
    struct reader reader;
    struct slice taken;

    (void)state;
    reader_init(&reader, sample, 2);
    assert_int_equal(reader_u32(&reader), 0);
    assert_int_equal(reader_u8(&reader), 0); /* would fit */
    taken = reader_take(&reader, 1);
    assert_null(taken.data);
    assert_int_equal(taken.size, 0);
    assert_int_equal(reader_left(&reader), 0);
    assert_int_equal(reader_finish(&reader), SP_EINVALID);
}

static void test_reader_takes_borrowed_bytes(void **state)
{
    struct reader reader;
    struct slice taken;

    (void)state;
    reader_init(&reader, sample, sizeof(sample));
    taken = reader_take(&reader, SAMPLE_BYTES);
    assert_ptr_equal(taken.data, sample);
    assert_int_equal(taken.size, SAMPLE_BYTES);
    assert_int_equal(reader_finish(&reader), SP_OK);
    (void)reader_take(&reader, SIZE_MAX); /* no overflow into success */
    assert_int_equal(reader_finish(&reader), SP_EINVALID);
}

static void test_nothing_is_read_and_written_nowhere(void **state)
{
    struct reader reader;
    struct writer writer;

    (void)state;
    reader_init(&reader, NULL, 0);
    reader_copy(&reader, NULL, 0);
    assert_int_equal(reader_finish(&reader), SP_OK);
    writer_init(&writer, NULL, 0);
    writer_copy(&writer, NULL, 0);
    assert_int_equal(writer_finish(&writer), SP_OK);
    assert_int_equal(writer_used(&writer), 0);
}

static void test_buffer_owns_nothing_when_empty(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 100);
    assert_null(buffer_data(&buffer));
    assert_int_equal(buffer_append(&buffer, NULL, 0), SP_OK);
    assert_null(buffer.data);
    assert_int_equal(buffer_append(&buffer, "hello", 5), SP_OK);
    assert_non_null(buffer.data);
    buffer_consume(&buffer, 5);
    assert_null(buffer.data);
    assert_int_equal(buffer.capacity, 0);
    assert_int_equal(buffer_append(&buffer, "again", 5), SP_OK);
    assert_memory_equal(buffer_data(&buffer), "again", 5);
    buffer_deinit(&buffer);
    buffer_deinit(&buffer);
}

static void test_buffer_keeps_its_maximum(void **state)
{
    struct buffer buffer;
    uint8_t *room = NULL;
    uint8_t data[1001] = {0};

    (void)state;
    buffer_init(&buffer, 1000);
    assert_int_equal(buffer_append(&buffer, data, 1001), SP_ETOOLARGE);
    assert_int_equal(buffer_append(&buffer, data, 700), SP_OK);
    assert_int_equal(buffer_append(&buffer, data, 301), SP_ETOOLARGE);
    assert_int_equal(buffer.size, 700);
    assert_int_equal(buffer_reserve(&buffer, SIZE_MAX, &room), SP_ETOOLARGE);
    assert_null(room);
    assert_int_equal(buffer_append(&buffer, data, 300), SP_OK);
    assert_true(buffer.capacity <= 1000);
    buffer_deinit(&buffer);
}

/* A stream of known bytes in and out in odd steps, with the content checked all along. */
static void test_buffer_is_a_stream(void **state)
{
    struct buffer buffer;
    size_t in = 0;
    size_t out = 0;

    (void)state;
    buffer_init(&buffer, 4096);
    for (size_t round = 0; round < 20000; round++) {
        size_t step = round * 7 % 97;
        uint8_t *room = NULL;

        if (buffer_reserve(&buffer, step, &room) == SP_OK) {
            for (size_t i = 0; i < step; i++) {
                room[i] = (uint8_t)(in++ * 31);
            }
            buffer_commit(&buffer, step);
        }
        step = round * 11 % 89;
        step = step < buffer.size ? step : buffer.size;
        for (size_t i = 0; i < step; i++) {
            assert_int_equal(buffer_data(&buffer)[i], (uint8_t)(out++ * 31));
        }
        buffer_consume(&buffer, step);
        assert_int_equal(buffer.size, in - out);
    }
    assert_true(out > 500000);
    buffer_deinit(&buffer);
}

static void test_hex(void **state)
{
    static const char *const bad[] = {"",        "0",         "00ff1",   "00ff1g",
                                      "00ff1a0", "00ff1a00",  " 00ff1a", "00 ff1a",
                                      "0x00ff",  "00ff1\xc3", "+0ff1a"};
    uint8_t bytes[3] = {1, 1, 1};
    char text[7];

    (void)state;
    assert_int_equal(hex_decode("00fF1a", bytes, 3), SP_OK);
    assert_memory_equal(bytes, "\x00\xff\x1a", 3);
    hex_encode(bytes, 3, text);
    assert_string_equal(text, "00ff1a");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        memset(bytes, 1, sizeof(bytes));
        assert_int_equal(hex_decode(bad[i], bytes, 3), SP_EINVALID);
        assert_memory_equal(bytes, "\0\0\0", 3);
    }
    hex_encode(bytes, 0, text);
    assert_string_equal(text, "");
    assert_int_equal(hex_decode("", bytes, 0), SP_OK);
}

static void test_ids(void **state)
{
    struct id a = {{0}};
    struct id b = {{0}};
    struct digest c = {{0}};
    struct digest d = {{0}};

    (void)state;
    assert_true(id_is_zero(&a));
    assert_true(id_equal(&a, &b));
    b.bytes[ID_BYTES - 1] = 1;
    assert_false(id_equal(&a, &b));
    assert_false(id_is_zero(&b));
    assert_true(digest_equal(&c, &d));
    d.bytes[DIGEST_BYTES - 1] = 1;
    assert_false(digest_equal(&c, &d));
    assert_int_equal(slice_of_string("four").size, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer_is_big_endian),
        cmocka_unit_test(test_writer_refuses_every_smaller_capacity),
        cmocka_unit_test(test_writer_error_is_sticky),
        cmocka_unit_test(test_reader_reads_what_was_written),
        cmocka_unit_test(test_reader_refuses_every_truncation),
        cmocka_unit_test(test_reader_error_is_sticky),
        cmocka_unit_test(test_reader_takes_borrowed_bytes),
        cmocka_unit_test(test_nothing_is_read_and_written_nowhere),
        cmocka_unit_test(test_buffer_owns_nothing_when_empty),
        cmocka_unit_test(test_buffer_keeps_its_maximum),
        cmocka_unit_test(test_buffer_is_a_stream),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
