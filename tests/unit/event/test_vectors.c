/* vectors.txt, which was computed by other means: make-vectors says what its lines mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/body.h"
#include "event/event.h"

#define FIELDS_MAXIMUM 10

static struct slice bytes_of(const char *hex, uint8_t *out, size_t capacity)
{
    size_t size = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;

    assert_true(size <= capacity);
    if (size > 0) {
        assert_int_equal(hex_decode(hex, out, size), SP_OK);
    }
    return (struct slice){out, size};
}

static void exactly(const char *hex, void *out, size_t size)
{
    assert_int_equal(hex_decode(hex, out, size), SP_OK);
}

static struct id id_of(const char *hex)
{
    struct id id;
    exactly(hex, id.bytes, sizeof(id.bytes));
    return id;
}

static struct digest digest_of_hex(const char *hex)
{
    struct digest digest;
    exactly(hex, digest.bytes, sizeof(digest.bytes));
    return digest;
}

static void assert_digest(const struct digest *digest, const char *hex)
{
    char actual[DIGEST_HEX_BYTES];
    hex_encode(digest->bytes, DIGEST_BYTES, actual);
    assert_string_equal(actual, hex);
}

static void check_commitment(char **field)
{
    uint8_t salt[SALT_BYTES];
    uint8_t body[512];
    struct digest digest;

    exactly(field[0], salt, sizeof(salt));
    assert_int_equal(event_commitment(salt, bytes_of(field[1], body, sizeof(body)), &digest),
                     SP_OK);
    assert_digest(&digest, field[2]);
}

static void check_start(char **field)
{
    struct id log = id_of(field[0]);
    struct digest digest;

    assert_int_equal(event_chain_start(&log, &digest), SP_OK);
    assert_digest(&digest, field[1]);
}

static void check_next(char **field)
{
    struct digest head = digest_of_hex(field[0]);
    uint8_t header[EVENT_HEADER_BYTES];

    exactly(field[1], header, sizeof(header));
    assert_int_equal(event_chain_next(&head, header, &head), SP_OK); /* in place */
    assert_digest(&head, field[2]);
}

static void check_file(char **field)
{
    struct id device = id_of(field[0]);
    struct id client = id_of(field[1]);
    struct id expected = id_of(field[2]);
    struct id file;

    assert_int_equal(event_file_id(&device, &client, &file), SP_OK);
    assert_true(id_equal(&file, &expected));
}

static void check_header(char **field)
{
    const struct event_header header = {
        .kind = (uint16_t)strtoul(field[0], NULL, 10),
        .body_bytes = (uint32_t)strtoul(field[1], NULL, 10),
        .log = id_of(field[2]),
        .sequence = strtoull(field[3], NULL, 10),
        .time_ms = strtoll(field[4], NULL, 10),
        .author = id_of(field[5]),
        .client_id = id_of(field[6]),
        .commitment = digest_of_hex(field[7]),
    };
    uint8_t expected[EVENT_HEADER_BYTES];
    uint8_t actual[EVENT_HEADER_BYTES];
    struct event_header decoded;

    exactly(field[8], expected, sizeof(expected));
    event_header_encode(&header, actual);
    assert_memory_equal(actual, expected, sizeof(expected));
    assert_int_equal(event_header_decode(expected, &decoded), SP_OK);
    assert_int_equal(decoded.kind, header.kind);
    assert_int_equal(decoded.body_bytes, header.body_bytes);
    assert_true(id_equal(&decoded.log, &header.log));
    assert_true(decoded.sequence == header.sequence);
    assert_true(decoded.time_ms == header.time_ms);
    assert_true(id_equal(&decoded.author, &header.author));
    assert_true(id_equal(&decoded.client_id, &header.client_id));
    assert_true(digest_equal(&decoded.commitment, &header.commitment));
}

static void check_bad_header(char **field)
{
    static const struct event_header nothing;
    uint8_t bytes[EVENT_HEADER_BYTES];
    struct event_header decoded;

    exactly(field[1], bytes, sizeof(bytes));
    memset(&decoded, 0xff, sizeof(decoded));
    assert_string_equal(sp_error_name(event_header_decode(bytes, &decoded)), field[0]);
    assert_memory_equal(&decoded, &nothing, sizeof(decoded));
}

static void check_view(char **field)
{
    uint8_t bytes[1024];
    struct event_view view;
    struct slice event = bytes_of(field[2], bytes, sizeof(bytes));

    enum sp_error error = event_view_parse(event.data, event.size, &view);
    assert_string_equal(sp_error_name(error), field[0]);
    if (error != SP_OK) {
        assert_null(view.header_bytes);
        assert_string_equal(field[1], "-");
        return;
    }
    assert_ptr_equal(view.header_bytes, bytes);
    assert_true((view.salt == NULL) == (event.size == EVENT_HEADER_BYTES));
    assert_string_equal(sp_error_name(event_view_verify(&view)), field[1]);
}

static void assert_slice(struct slice slice, const char *hex)
{
    uint8_t bytes[512];
    struct slice expected = bytes_of(hex, bytes, sizeof(bytes));

    assert_int_equal(slice.size, expected.size);
    if (expected.size > 0) {
        assert_memory_equal(slice.data, expected.data, expected.size);
    }
}

static void check_read_body(char **field)
{
    uint8_t bytes[1024];
    struct body body;

    assert_int_equal(body_parse(bytes_of(field[7], bytes, sizeof(bytes)), &body), SP_OK);
    assert_slice(body.text, field[0]);
    assert_slice(body.name, field[1]);
    assert_slice(body.member, field[2]);
    assert_int_equal(body.log_kind, strtoul(field[3], NULL, 10));
    assert_int_equal(body.has_file, strcmp(field[4], "-") != 0);
    if (body.has_file) {
        assert_slice((struct slice){body.file.bytes, ID_BYTES}, field[4]);
    }
    assert_int_equal(body.has_size, strcmp(field[5], "-") != 0);
    assert_true(!body.has_size || body.size == strtoull(field[5], NULL, 10));
    assert_int_equal(body.has_sha256, strcmp(field[6], "-") != 0);
    if (body.has_sha256) {
        assert_digest(&body.sha256, field[6]);
    }
}

static void check_body(char **field)
{
    uint8_t bytes[1024];
    uint8_t written[1024];
    struct slice expected = bytes_of(field[7], bytes, sizeof(bytes));
    struct body body;
    struct writer writer;

    check_read_body(field);
    assert_int_equal(body_parse(expected, &body), SP_OK);
    writer_init(&writer, written, sizeof(written));
    body_write(&writer, &body);
    assert_int_equal(writer_finish(&writer), SP_OK);
    assert_int_equal(writer_used(&writer), expected.size);
    assert_memory_equal(written, expected.data, expected.size);
}

static void check_retention(char **field)
{
    uint8_t bytes[64];
    uint8_t written[64];
    struct slice expected = bytes_of(field[2], bytes, sizeof(bytes));
    struct writer writer;
    struct body body;

    assert_int_equal(body_parse(expected, &body), SP_OK);
    assert_int_equal(body.keep_seconds, strtoull(field[0], NULL, 10));
    assert_int_equal(body.keep_events, strtoull(field[1], NULL, 10));
    writer_init(&writer, written, sizeof(written));
    body_write(&writer, &body);
    assert_int_equal(writer_finish(&writer), SP_OK);
    assert_int_equal(writer_used(&writer), expected.size);
    assert_memory_equal(written, expected.data, expected.size);
}

static void check_bad_body(char **field)
{
    static const struct body nothing;
    uint8_t bytes[1024];
    struct body body;

    memset(&body, 0xff, sizeof(body));
    assert_string_equal(sp_error_name(body_parse(bytes_of(field[1], bytes, sizeof(bytes)), &body)),
                        field[0]);
    assert_memory_equal(&body, &nothing, sizeof(body));
}

static struct kind {
    const char *word;
    void (*check)(char **field);
    int fields;
    unsigned checked;
} kinds[] = {
    {"commitment", check_commitment, 3, 0},
    {"start", check_start, 2, 0},
    {"next", check_next, 3, 0},
    {"file", check_file, 3, 0},
    {"header", check_header, 9, 0},
    {"bad-header", check_bad_header, 2, 0},
    {"view", check_view, 3, 0},
    {"body", check_body, 8, 0},
    {"read-body", check_read_body, 8, 0},
    {"retention", check_retention, 3, 0},
    {"bad-body", check_bad_body, 2, 0},
};

static void check_line(char *line, unsigned number)
{
    char *field[FIELDS_MAXIMUM] = {NULL};
    char *rest = NULL;
    int count = 0;

    char *word = strtok_r(line, " \n", &rest);
    while (count < FIELDS_MAXIMUM && (field[count] = strtok_r(NULL, " \n", &rest)) != NULL) {
        count++;
    }
    print_message("line %u: %s\n", number, word);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i].word, word) == 0) {
            assert_int_equal(count, kinds[i].fields);
            kinds[i].check(field);
            kinds[i].checked++;
            return;
        }
    }
    fail_msg("nobody knows what %s means", word);
}

static void test_vectors(void **state)
{
    char line[4096];
    unsigned number = 0;

    (void)state;
    FILE *file = fopen(VECTORS_FILE, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        number++;
        assert_non_null(strchr(line, '\n'));
        if (line[0] != '#') {
            check_line(line, number);
        }
    }
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        assert_true(kinds[i].checked > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
