/* Frames: round trips of every type, every truncation, one byte at a time, and what can never be a
 * frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pb_decode.h>

#include "wire/frame.h"

struct type_info {
    uint8_t type;
    const char *name;
    const pb_msgdesc_t *fields;
    size_t message_size; /* of the struct */
    bool raw;
    enum frame_sender sender;
};

static const struct type_info types[] = {
#define TYPE_INFO(symbol, number, message, raw, sender) \
    {number, #symbol, &sealpost_v1_##message##_msg, sizeof(sealpost_v1_##message), raw, sender},
    FRAME_LIST(TYPE_INFO)
#undef TYPE_INFO
};

/* Bytes that the decoder of FIELDS accepts, found by trying; not every field of every type, but
 * different ones. */
static size_t make_message(const struct type_info *info, uint8_t *out, unsigned seed)
{
    srand(seed);
    for (int attempt = 0; attempt < 200; attempt++) {
        size_t size = (size_t)(rand() % 40);
        for (size_t i = 0; i < size; i++) {
            out[i] = (uint8_t)(rand() % 3 == 0 ? rand() % 64 : rand());
        }
        union message message;
        pb_istream_t stream = pb_istream_from_buffer(out, size);
        if (size > 0 && pb_decode(&stream, info->fields, &message)) {
            return size;
        }
    }
    return 0;
}

static size_t make_frame(const struct type_info *info, unsigned seed, uint8_t *out, size_t capacity)
{
    uint8_t bytes[64];
    uint8_t raw[300];
    union message message;
    struct frame frame = {.type = info->type, .message = {bytes, 0}};
    frame.message.size = make_message(info, bytes, seed);
    assert_int_equal(frame_decode(&frame, &message), SP_OK);
    memset(raw, (int)seed, sizeof raw);
    struct writer writer;
    writer_init(&writer, out, capacity);
    struct slice raw_part = {raw, info->raw ? sizeof raw : 0};
    assert_int_equal(frame_encode(&writer, info->type, (uint16_t)(seed + 1), &message, raw_part),
                     SP_OK);
    return writer_used(&writer);
}

static void every_type_survives_the_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        for (unsigned seed = 0; seed < 20; seed++) {
            uint8_t first[LIMIT_FRAME_BYTES];
            uint8_t second[LIMIT_FRAME_BYTES];
            size_t size = make_frame(&types[i], seed, first, sizeof first);
            struct frame frame;
            size_t used = 0;
            assert_int_equal(frame_parse(first, size, &frame, &used), SP_OK);
            assert_int_equal(used, size);
            assert_int_equal(frame.type, types[i].type);
            assert_int_equal(frame.stream, seed + 1);
            union message message;
            assert_int_equal(frame_decode(&frame, &message), SP_OK);
            struct buffer buffer;
            buffer_init(&buffer, LIMIT_FRAME_BYTES);
            assert_int_equal(frame_append(&buffer, frame.type, frame.stream, &message, frame.raw),
                             SP_OK);
            assert_int_equal(buffer.size, size);
            memcpy(second, buffer_data(&buffer), size);
            assert_memory_equal(first, second, size);
            buffer_deinit(&buffer);
        }
    }
}

static void no_truncation_is_a_frame(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        uint8_t bytes[LIMIT_FRAME_BYTES];
        size_t size = make_frame(&types[i], 7, bytes, sizeof bytes);
        for (size_t cut = 0; cut < size; cut++) {
            /* In an allocation of exactly that size, so that a sanitizer sees every byte too many.
             */
            uint8_t *copy = malloc(cut == 0 ? 1 : cut);
            assert_non_null(copy);
            memcpy(copy, bytes, cut);
            struct frame frame;
            size_t used = 99;
            assert_int_equal(frame_parse(copy, cut, &frame, &used), SP_EAGAIN);
            assert_int_equal(used, 0);
            free(copy);
        }
    }
}

static void one_byte_at_a_time_gives_the_same_frames(void **state)
{
    (void)state;
    struct buffer stream;
    buffer_init(&stream, (size_t)COUNT_OF(types) * LIMIT_FRAME_BYTES);
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        uint8_t bytes[LIMIT_FRAME_BYTES];
        size_t size = make_frame(&types[i], (unsigned)i, bytes, sizeof bytes);
        assert_int_equal(buffer_append(&stream, bytes, size), SP_OK);
    }
    struct buffer input;
    buffer_init(&input, LIMIT_FRAME_BYTES);
    size_t seen = 0;
    for (size_t i = 0; i < stream.size; i++) {
        assert_int_equal(buffer_append(&input, buffer_data(&stream) + i, 1), SP_OK);
        struct frame frame;
        size_t used = 0;
        enum sp_error error = frame_parse(buffer_data(&input), input.size, &frame, &used);
        if (error == SP_OK) {
            assert_int_equal(frame.type, types[seen].type);
            assert_int_equal(frame.stream, seen + 1);
            seen++;
            buffer_consume(&input, used);
        } else {
            assert_int_equal(error, SP_EAGAIN);
        }
    }
    assert_int_equal(seen, COUNT_OF(types));
    assert_int_equal(input.size, 0);
    buffer_deinit(&input);
    buffer_deinit(&stream);
}

static void what_breaks_the_limits_is_refused_by_its_header(void **state)
{
    (void)state;
    static const struct {
        uint8_t header[FRAME_HEADER_BYTES];
        enum sp_error expected;
    } cases[] = {
        {{0x08, 0x00, 0x80, 0x00, 21, 0, 0, 1}, SP_EAGAIN},    /* as long as may be */
        {{0x08, 0x01, 0x00, 0x00, 21, 0, 0, 1}, SP_EPROTOCOL}, /* message of 2,049 */
        {{0x00, 0x00, 0x80, 0x01, 21, 0, 0, 1}, SP_EPROTOCOL}, /* raw part of 32,769 */
        {{0xff, 0xff, 0xff, 0xff, 21, 0, 0, 1}, SP_EPROTOCOL},
        {{0x00, 0x00, 0x00, 0x00, 21, 1, 0, 1}, SP_EPROTOCOL}, /* the reserved byte */
        {{0x00, 0x00, 0x00, 0x00, 255, 0, 0, 1}, SP_OK},       /* an unknown type is a frame */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct frame frame;
        size_t used = 0;
        assert_int_equal(frame_parse(cases[i].header, FRAME_HEADER_BYTES, &frame, &used),
                         cases[i].expected);
    }
}

static void what_does_not_fit_the_type_is_refused(void **state)
{
    (void)state;
    union message message;
    uint8_t byte = 0;
    uint8_t short_id[] = {0x0a, 0x02, 1, 2}; /* Unfollow.log with 2 bytes instead of 16 */
    uint8_t long_name[2 + 100] = {0x12, 100};
    memset(long_name + 2, 'a', 100); /* Create.name with 100 bytes, 64 are allowed */
    uint8_t truncated[] = {0x12, 5, 'a'};
    struct frame frames[] = {
        {.type = 200},
        {.type = FRAME_JOIN, .raw = {&byte, 1}},
        {.type = FRAME_UNFOLLOW, .message = {short_id, sizeof short_id}},
        {.type = FRAME_ROOM_CREATE, .message = {long_name, sizeof long_name}},
        {.type = FRAME_ROOM_CREATE, .message = {truncated, sizeof truncated}},
    };
    assert_int_equal(frame_decode(&frames[0], &message), SP_EUNSUPPORTED);
    for (size_t i = 1; i < COUNT_OF(frames); i++) {
        assert_int_equal(frame_decode(&frames[i], &message), SP_EPROTOCOL);
    }
    struct frame extra = {.type = FRAME_ROOM_CREATE};
    uint8_t unknown_field[] = {0x12, 1, 'a', 0x7a, 2, 1, 2};
    extra.message = (struct slice){unknown_field, sizeof unknown_field};
    assert_int_equal(frame_decode(&extra, &message), SP_OK); /* a later version's field */
    assert_string_equal(message.create.name, "a");
}

static void what_does_not_fit_the_writer_leaves_it_unchanged(void **state)
{
    (void)state;
    uint8_t space[64];
    sealpost_v1_Error message = {.error = 3};
    memset(message.text, 'x', 200);
    for (size_t capacity = 0; capacity < sizeof space; capacity++) {
        struct writer writer;
        writer_init(&writer, space, capacity);
        assert_int_equal(frame_encode(&writer, FRAME_ERROR, 1, &message, (struct slice){NULL, 0}),
                         SP_ETOOLARGE);
        assert_int_equal(writer_used(&writer), 0);
    }
}

static void types_know_their_senders(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        assert_int_equal(frame_known(types[i].type, FROM_CLIENT),
                         (types[i].sender & FROM_CLIENT) != 0);
        assert_int_equal(frame_known(types[i].type, FROM_SERVER),
                         (types[i].sender & FROM_SERVER) != 0);
        assert_string_equal(frame_name(types[i].type), types[i].name + sizeof "FRAME");
    }
    assert_false(frame_known(200, FROM_BOTH));
    assert_string_equal(frame_name(200), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_survives_the_round_trip),
        cmocka_unit_test(no_truncation_is_a_frame),
        cmocka_unit_test(one_byte_at_a_time_gives_the_same_frames),
        cmocka_unit_test(what_breaks_the_limits_is_refused_by_its_header),
        cmocka_unit_test(what_does_not_fit_the_type_is_refused),
        cmocka_unit_test(what_does_not_fit_the_writer_leaves_it_unchanged),
        cmocka_unit_test(types_know_their_senders),
    };
    return cmocka_run_group_tests_name("wire/frame", tests, NULL, NULL);
}
