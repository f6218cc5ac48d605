#include "event/body.h"

#include <string.h>

static enum sp_error take_fixed(struct slice value, void *out, size_t size)
{
    if (value.size != size) {
        return SP_EINVALID;
    }
    memcpy(out, value.data, size);
    return SP_OK;
}

static enum sp_error take_u64(struct slice value, uint64_t *out)
{
    struct reader reader;
    reader_init(&reader, value.data, value.size);
    *out = reader_u64(&reader);
    return reader_finish(&reader);
}

static enum sp_error take_field(uint8_t tag, struct slice value, struct body *body)
{
    switch (tag) {
    case BODY_TEXT:
        body->text = value;
        return SP_OK;
    case BODY_NAME:
        body->name = value;
        return SP_OK;
    case BODY_MEMBER:
        body->member = value;
        return SP_OK;
    case BODY_LOG_KIND:
        return take_fixed(value, &body->log_kind, 1);
    case BODY_FILE:
        body->has_file = true;
        return take_fixed(value, body->file.bytes, ID_BYTES);
    case BODY_SIZE:
        body->has_size = true;
        return take_u64(value, &body->size);
    case BODY_SHA256:
        body->has_sha256 = true;
        return take_fixed(value, body->sha256.bytes, DIGEST_BYTES);
    case BODY_KEEP_SECONDS:
        return take_u64(value, &body->keep_seconds);
    case BODY_KEEP_EVENTS:
        return take_u64(value, &body->keep_events);
    default: /* of a later version: skipped */
        return SP_OK;
    }
}

enum sp_error body_parse(struct slice bytes, struct body *out)
{
    struct body body = {0};
    bool seen[UINT8_MAX + 1] = {false};
    struct reader reader;

    memset(out, 0, sizeof(*out));
    reader_init(&reader, bytes.data, bytes.size);
    while (reader_left(&reader) > 0) {
        uint8_t tag = reader_u8(&reader);
        uint16_t size = reader_u16(&reader);
        struct slice value = reader_take(&reader, size);
        if (reader.failed || seen[tag]) {
            return SP_EINVALID;
        }
        seen[tag] = true;
        enum sp_error error = take_field(tag, value, &body);
        if (error != SP_OK) {
            return error;
        }
    }
    *out = body;
    return SP_OK;
}

static void write_field(struct writer *writer, enum body_tag tag, const void *data, size_t size)
{
    if (size > UINT16_MAX) {
        writer->failed = true;
        return;
    }
    writer_u8(writer, (uint8_t)tag);
    writer_u16(writer, (uint16_t)size);
    writer_copy(writer, data, size);
}

static void write_u64(struct writer *writer, enum body_tag tag, uint64_t value)
{
    writer_u8(writer, (uint8_t)tag);
    writer_u16(writer, sizeof value);
    writer_u64(writer, value);
}

static void write_slice(struct writer *writer, enum body_tag tag, struct slice value)
{
    if (value.size > 0) {
        write_field(writer, tag, value.data, value.size);
    }
}

void body_write(struct writer *writer, const struct body *body)
{
    write_slice(writer, BODY_TEXT, body->text);
    write_slice(writer, BODY_NAME, body->name);
    write_slice(writer, BODY_MEMBER, body->member);
    if (body->log_kind != 0) {
        write_field(writer, BODY_LOG_KIND, &body->log_kind, 1);
    }
    if (body->has_file) {
        write_field(writer, BODY_FILE, body->file.bytes, ID_BYTES);
    }
    if (body->has_size) {
        write_u64(writer, BODY_SIZE, body->size);
    }
    if (body->has_sha256) {
        write_field(writer, BODY_SHA256, body->sha256.bytes, DIGEST_BYTES);
    }
    if (body->keep_seconds != 0) {
        write_u64(writer, BODY_KEEP_SECONDS, body->keep_seconds);
    }
    if (body->keep_events != 0) {
        write_u64(writer, BODY_KEEP_EVENTS, body->keep_events);
    }
}
