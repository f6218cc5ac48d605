#include "base/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The smallest allocation, so that a few short appends do not cost a realloc() each. */
#define BUFFER_FIRST_BYTES 256

void reader_init(struct reader *reader, const void *data, size_t size)
{
    reader->at = data;
    reader->end = size > 0 ? reader->at + size : reader->at;
    reader->failed = false;
}

size_t reader_left(const struct reader *reader)
{
    return reader->failed || reader->at == reader->end ? 0 : (size_t)(reader->end - reader->at);
}

struct slice reader_take(struct reader *reader, size_t size)
{
    struct slice taken = {.data = reader->at, .size = size};

    if (reader->failed || size > reader_left(reader)) {
        reader->failed = true;
        return (struct slice){0};
    }
    if (size > 0) {
        reader->at += size;
    }
    return taken;
}

/* An integer of SIZE bytes, most significant first. */
static uint64_t read_integer(struct reader *reader, size_t size)
{
    struct slice bytes = reader_take(reader, size);
    uint64_t value = 0;

    for (size_t i = 0; i < bytes.size; i++) {
        value = value << 8 | bytes.data[i];
    }
    return value;
}

uint8_t reader_u8(struct reader *reader)
{
    return (uint8_t)read_integer(reader, 1);
}

uint16_t reader_u16(struct reader *reader)
{
    return (uint16_t)read_integer(reader, 2);
}

uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t)read_integer(reader, 4);
}

uint64_t reader_u64(struct reader *reader)
{
    return read_integer(reader, 8);
}

void reader_copy(struct reader *reader, void *out, size_t size)
{
    struct slice bytes = reader_take(reader, size);

    if (bytes.size > 0) {
        memcpy(out, bytes.data, bytes.size);
    } else if (size > 0) {
        memset(out, 0, size);
    }
}

enum sp_error reader_finish(const struct reader *reader)
{
    return reader->failed || reader->at != reader->end ? SP_EINVALID : SP_OK;
}

void writer_init(struct writer *writer, void *data, size_t capacity)
{
    writer->start = data;
    writer->at = data;
    writer->end = capacity > 0 ? writer->start + capacity : writer->start;
    writer->failed = false;
}

size_t writer_used(const struct writer *writer)
{
    return writer->at == writer->start ? 0 : (size_t)(writer->at - writer->start);
}

size_t writer_left(const struct writer *writer)
{
    return writer->failed || writer->at == writer->end ? 0 : (size_t)(writer->end - writer->at);
}

void writer_copy(struct writer *writer, const void *data, size_t size)
{
    if (writer->failed || size > writer_left(writer)) {
        writer->failed = true;
        return;
    }
    if (size > 0) {
        memcpy(writer->at, data, size);
        writer->at += size;
    }
}

/* VALUE in SIZE bytes, most significant first. */
static void write_integer(struct writer *writer, uint64_t value, size_t size)
{
    uint8_t bytes[8];

    for (size_t i = size; i-- > 0; value >>= 8) {
        bytes[i] = (uint8_t)value;
    }
    writer_copy(writer, bytes, size);
}

void writer_u8(struct writer *writer, uint8_t value)
{
    write_integer(writer, value, 1);
}

void writer_u16(struct writer *writer, uint16_t value)
{
    write_integer(writer, value, 2);
}

void writer_u32(struct writer *writer, uint32_t value)
{
    write_integer(writer, value, 4);
}

void writer_u64(struct writer *writer, uint64_t value)
{
    write_integer(writer, value, 8);
}

enum sp_error writer_finish(const struct writer *writer)
{
    return writer->failed ? SP_ETOOLARGE : SP_OK;
}

void buffer_init(struct buffer *buffer, size_t maximum)
{
    *buffer = (struct buffer){.maximum = maximum};
}

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){.maximum = buffer->maximum};
}

const uint8_t *buffer_data(const struct buffer *buffer)
{
    return buffer->data == NULL ? NULL : buffer->data + buffer->start;
}

/* Doubles until NEEDED fits: the copying stays linear in what is appended. */
static enum sp_error buffer_grow(struct buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity < BUFFER_FIRST_BYTES ? BUFFER_FIRST_BYTES : buffer->capacity;
    uint8_t *data = NULL;

    while (capacity < needed && capacity <= buffer->maximum / 2) {
        capacity *= 2;
    }
    if (capacity < needed || capacity > buffer->maximum) {
        capacity = buffer->maximum;
    }
    data = realloc(buffer->data, capacity);
    if (data == NULL) {
        return SP_ENOMEM;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return SP_OK;
}

enum sp_error buffer_reserve(struct buffer *buffer, size_t size, uint8_t **out)
{
    *out = NULL;
    if (size > buffer->maximum - buffer->size) {
        return SP_ETOOLARGE;
    }
    if (size > buffer->capacity - buffer->start - buffer->size) {
        if (buffer->start > 0) {
            memmove(buffer->data, buffer->data + buffer->start, buffer->size);
            buffer->start = 0;
        }
        if (buffer->size + size > buffer->capacity) {
            enum sp_error error = buffer_grow(buffer, buffer->size + size);

            if (error != SP_OK) {
                return error;
            }
        }
    }
    if (buffer->data != NULL) { /* else nothing was asked of an empty buffer */
        *out = buffer->data + buffer->start + buffer->size;
    }
    return SP_OK;
}

void buffer_commit(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->capacity - buffer->start - buffer->size);
    buffer->size += size;
}

enum sp_error buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    uint8_t *room = NULL;
    enum sp_error error = buffer_reserve(buffer, size, &room);

    if (room != NULL && size > 0) {
        memcpy(room, data, size);
        buffer_commit(buffer, size);
    }
    return error;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    buffer->start += size;
    buffer->size -= size;
    if (buffer->size == 0) {
        buffer_deinit(buffer);
    }
}
