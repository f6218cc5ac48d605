/*
 * Bounded reading and writing of bytes, big-endian, with a sticky error: after the first overrun
 * every further call does nothing, and one check at the end is enough.
 */
#ifndef SP_BASE_BYTES_H
#define SP_BASE_BYTES_H

#include "base/base.h"

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

void reader_init(struct reader *reader, const void *data, size_t size);
size_t reader_left(const struct reader *reader);
uint8_t reader_u8(struct reader *reader); /* these return 0 after a failure */
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
void reader_copy(struct reader *reader, void *out, size_t size); /* zeros after a failure */
struct slice reader_take(struct reader *reader, size_t size); /* borrowed; empty after a failure */
/* SP_OK when nothing failed and nothing is left over, else SP_EINVALID. */
SP_CHECK enum sp_error reader_finish(const struct reader *reader);

struct writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

void writer_init(struct writer *writer, void *data, size_t capacity);
size_t writer_used(const struct writer *writer);
size_t writer_left(const struct writer *writer);
void writer_u8(struct writer *writer, uint8_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_u64(struct writer *writer, uint64_t value);
void writer_copy(struct writer *writer, const void *data, size_t size);
/* SP_OK, or SP_ETOOLARGE when something did not fit. */
SP_CHECK enum sp_error writer_finish(const struct writer *writer);

/*
 * A growable buffer with a hard maximum; bytes are appended at the end and consumed at the start.
 * An empty one owns no memory (an idle session has no buffers).
 */
struct buffer {
    uint8_t *data; /* the allocation; the content starts at data + start */
    size_t start;
    size_t size; /* of the content */
    size_t capacity;
    size_t maximum;
};

void buffer_init(struct buffer *buffer, size_t maximum);
void buffer_deinit(struct buffer *buffer); /* may be called twice */
const uint8_t *buffer_data(const struct buffer *buffer);
/* SP_ETOOLARGE over the maximum, SP_ENOMEM; the content is then unchanged. */
SP_CHECK enum sp_error buffer_append(struct buffer *buffer, const void *data, size_t size);
/* Room for SIZE more bytes at *OUT, to be filled and then counted with buffer_commit(). */
SP_CHECK enum sp_error buffer_reserve(struct buffer *buffer, size_t size, uint8_t **out);
void buffer_commit(struct buffer *buffer, size_t size);
/* Takes SIZE bytes off the start; frees the memory when nothing is left. */
void buffer_consume(struct buffer *buffer, size_t size);

#endif
