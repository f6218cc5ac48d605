#include "wire/frame.h"

#include <assert.h>
#include <string.h>

#include <pb_decode.h>
#include <pb_encode.h>

struct frame_info {
    const char *name;
    const pb_msgdesc_t *fields; /* NULL: a type that is not known */
    bool raw;
    enum frame_sender sender;
};

static const struct frame_info frame_infos[256] = {
#define FRAME_INFO(symbol, number, message, raw, sender) \
    [symbol] = {&#symbol[sizeof "FRAME"], &sealpost_v1_##message##_msg, raw, sender},
    FRAME_LIST(FRAME_INFO)
#undef FRAME_INFO
};

/* Every message fits into a frame, whatever its fields hold. */
#define FRAME_FITS(symbol, number, message, raw, sender) \
    static_assert(sealpost_v1_##message##_size <= LIMIT_MESSAGE_BYTES, #message);
FRAME_LIST(FRAME_FITS)
#undef FRAME_FITS

enum sp_error frame_parse(const uint8_t *data, size_t size, struct frame *out, size_t *used)
{
    *used = 0;
    *out = (struct frame){0};
    if (size < FRAME_HEADER_BYTES) {
        return SP_EAGAIN;
    }
    struct reader reader;
    reader_init(&reader, data, size);
    size_t message_size = reader_u16(&reader);
    size_t raw_size = reader_u16(&reader);
    uint8_t type = reader_u8(&reader);
    uint8_t reserved = reader_u8(&reader);
    uint16_t stream = reader_u16(&reader);
    if (message_size > LIMIT_MESSAGE_BYTES || raw_size > LIMIT_RAW_BYTES || reserved != 0) {
        return SP_EPROTOCOL;
    }
    if (reader_left(&reader) < message_size + raw_size) {
        return SP_EAGAIN;
    }
    out->type = type;
    out->stream = stream;
    out->message = reader_take(&reader, message_size);
    out->raw = reader_take(&reader, raw_size);
    *used = FRAME_HEADER_BYTES + message_size + raw_size;
    return SP_OK;
}

bool frame_known(uint8_t type, enum frame_sender sender)
{
    return frame_infos[type].fields != NULL && (frame_infos[type].sender & sender) != 0;
}

const char *frame_name(uint8_t type)
{
    return frame_infos[type].name != NULL ? frame_infos[type].name : "unknown";
}

enum sp_error frame_decode(const struct frame *frame, union message *out)
{
    const struct frame_info *info = &frame_infos[frame->type];
    if (info->fields == NULL) {
        return SP_EUNSUPPORTED;
    }
    if (frame->raw.size > 0 && !info->raw) {
        return SP_EPROTOCOL;
    }
    /* pb_decode() sets every field that is absent to its default: nothing of an earlier message
     * stays. */
    pb_istream_t stream = pb_istream_from_buffer(frame->message.data, frame->message.size);
    return pb_decode(&stream, info->fields, out) ? SP_OK : SP_EPROTOCOL;
}

void frame_write_header(uint8_t out[FRAME_HEADER_BYTES], enum frame_type type, uint16_t stream,
                        size_t message_size, size_t raw_size)
{
    assert(message_size <= LIMIT_MESSAGE_BYTES && raw_size <= LIMIT_RAW_BYTES);
    struct writer writer;
    writer_init(&writer, out, FRAME_HEADER_BYTES);
    writer_u16(&writer, (uint16_t)message_size);
    writer_u16(&writer, (uint16_t)raw_size);
    writer_u8(&writer, (uint8_t)type);
    writer_u8(&writer, 0);
    writer_u16(&writer, stream);
}

enum sp_error frame_encode(struct writer *writer, enum frame_type type, uint16_t stream,
                           const void *message, struct slice raw)
{
    const struct frame_info *info = &frame_infos[type];
    assert(info->fields != NULL && (raw.size == 0 || info->raw));
    size_t left = writer_left(writer);
    if (writer->failed || raw.size > LIMIT_RAW_BYTES || left < FRAME_HEADER_BYTES + raw.size) {
        return SP_ETOOLARGE;
    }
    uint8_t *frame = writer->at;
    size_t capacity = left - FRAME_HEADER_BYTES - raw.size;
    size_t message_size = 0;
    if (message != NULL) {
        pb_ostream_t output = pb_ostream_from_buffer(
            frame + FRAME_HEADER_BYTES,
            capacity < LIMIT_MESSAGE_BYTES ? capacity : (size_t)LIMIT_MESSAGE_BYTES);
        if (!pb_encode(&output, info->fields, message)) {
            return SP_ETOOLARGE;
        }
        message_size = output.bytes_written;
    }
    frame_write_header(frame, type, stream, message_size, raw.size);
    if (raw.size > 0) {
        memcpy(frame + FRAME_HEADER_BYTES + message_size, raw.data, raw.size);
    }
    writer->at += FRAME_HEADER_BYTES + message_size + raw.size;
    return SP_OK;
}

enum sp_error frame_append(struct buffer *buffer, enum frame_type type, uint16_t stream,
                           const void *message, struct slice raw)
{
    size_t message_size = 0;
    if (message != NULL && !pb_get_encoded_size(&message_size, frame_infos[type].fields, message)) {
        return SP_ETOOLARGE;
    }
    size_t size = FRAME_HEADER_BYTES + message_size + raw.size;
    if (size > LIMIT_FRAME_BYTES) {
        return SP_ETOOLARGE;
    }
    uint8_t *space = NULL;
    enum sp_error error = buffer_reserve(buffer, size, &space);
    if (error != SP_OK) {
        return error;
    }
    struct writer writer;
    writer_init(&writer, space, size);
    error = frame_encode(&writer, type, stream, message, raw);
    if (error == SP_OK) {
        buffer_commit(buffer, size);
    }
    return error;
}
