/* Events in one piece: whatever is cut off, added or changed is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/event.h"

#define BODY_BYTES 40
#define EVENT_BYTES (EVENT_HEADER_BYTES + SALT_BYTES + BODY_BYTES)

static void make_event(uint8_t *out, uint32_t body_bytes)
{
    struct event_header header = {
        .kind = EVENT_MESSAGE, .body_bytes = body_bytes, .sequence = 12, .time_ms = 34};

    for (size_t i = 0; i < SALT_BYTES + (size_t)body_bytes; i++) {
        out[EVENT_HEADER_BYTES + i] = (uint8_t)(i * 7);
    }
    memset(header.log.bytes, 1, ID_BYTES);
    memset(header.author.bytes, 2, ID_BYTES);
    memset(header.client_id.bytes, 3, ID_BYTES);
    const struct slice body = {out + EVENT_HEADER_BYTES + SALT_BYTES, body_bytes};
    assert_int_equal(event_commitment(out + EVENT_HEADER_BYTES, body, &header.commitment), SP_OK);
    event_header_encode(&header, out);
}

/* Each length in memory of exactly that size, so that a sanitizer sees a read beyond. */
static void test_every_truncation(void **state)
{
    uint8_t event[EVENT_BYTES];

    (void)state;
    make_event(event, BODY_BYTES);
    for (size_t size = 0; size <= EVENT_BYTES; size++) {
        struct event_view view;
        uint8_t *copy = malloc(size > 0 ? size : 1);
        assert_non_null(copy);
        memcpy(copy, event, size);
        enum sp_error error = event_view_parse(copy, size, &view);
        bool whole = size == EVENT_BYTES || size == EVENT_HEADER_BYTES;
        assert_int_equal(error, whole ? SP_OK : SP_EINVALID);
        if (whole) {
            assert_int_equal(event_view_verify(&view), SP_OK);
            assert_int_equal(view.body.size, size == EVENT_BYTES ? BODY_BYTES : 0);
        }
        free(copy);
    }
}

/* Salt, body and commitment hang together; the rest of the header is the chain's to protect. */
static void test_every_flipped_bit(void **state)
{
    uint8_t event[EVENT_BYTES];
    struct digest start = {{0}};
    struct digest right;

    (void)state;
    make_event(event, BODY_BYTES);
    assert_int_equal(event_chain_next(&start, event, &right), SP_OK);
    for (size_t bit = 0; bit < (size_t)8 * EVENT_BYTES; bit++) {
        struct event_view view;
        event[bit / 8] ^= (uint8_t)(1U << bit % 8);
        enum sp_error error = event_view_parse(event, EVENT_BYTES, &view);
        if (error == SP_OK && bit / 8 >= EVENT_HEADER_BYTES - DIGEST_BYTES) {
            assert_int_equal(event_view_verify(&view), SP_EINTEGRITY);
        }
        if (bit / 8 < EVENT_HEADER_BYTES) {
            struct digest head;
            assert_int_equal(event_chain_next(&start, event, &head), SP_OK);
            assert_false(digest_equal(&head, &right));
        } else {
            assert_int_equal(error, SP_OK);
        }
        event[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void test_longest_body(void **state)
{
    static uint8_t event[EVENT_HEADER_BYTES + SALT_BYTES + LIMIT_EVENT_BODY_BYTES + 1];
    struct event_view view;

    (void)state;
    make_event(event, LIMIT_EVENT_BODY_BYTES);
    assert_int_equal(event_view_parse(event, sizeof(event) - 1, &view), SP_OK);
    assert_int_equal(event_view_verify(&view), SP_OK);
    assert_int_equal(view.body.size, LIMIT_EVENT_BODY_BYTES);
    make_event(event, LIMIT_EVENT_BODY_BYTES + 1);
    assert_int_equal(event_view_parse(event, sizeof(event), &view), SP_EINVALID);
}

static void test_erasing_keeps_the_chain(void **state)
{
    uint8_t event[EVENT_BYTES];
    struct event_view whole;
    struct event_view erased;
    struct digest start = {{0}};
    struct digest before;
    struct digest after;

    (void)state;
    make_event(event, BODY_BYTES);
    assert_int_equal(event_view_parse(event, EVENT_BYTES, &whole), SP_OK);
    assert_int_equal(event_view_parse(event, EVENT_HEADER_BYTES, &erased), SP_OK);
    assert_null(erased.salt);
    assert_int_equal(erased.header.body_bytes, BODY_BYTES);
    assert_int_equal(event_chain_next(&start, whole.header_bytes, &before), SP_OK);
    assert_int_equal(event_chain_next(&start, erased.header_bytes, &after), SP_OK);
    assert_true(digest_equal(&before, &after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_flipped_bit),
        cmocka_unit_test(test_longest_body),
        cmocka_unit_test(test_erasing_keeps_the_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
