/* Any bytes as a series of frames: what decodes must encode to something that decodes to the same
 * bytes again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct frame *frame)
{
    static uint8_t first[LIMIT_FRAME_BYTES];
    static uint8_t second[LIMIT_FRAME_BYTES];
    union message message;
    if (frame_decode(frame, &message) != SP_OK) {
        return;
    }
    struct writer writer;
    writer_init(&writer, first, sizeof first);
    enum sp_error error = frame_encode(&writer, frame->type, frame->stream, &message, frame->raw);
    assert(error == SP_OK);
    size_t first_size = writer_used(&writer);
    struct frame again;
    size_t used = 0;
    error = frame_parse(first, first_size, &again, &used);
    assert(error == SP_OK && used == first_size && again.raw.size == frame->raw.size);
    error = frame_decode(&again, &message);
    assert(error == SP_OK);
    writer_init(&writer, second, sizeof second);
    error = frame_encode(&writer, again.type, again.stream, &message, again.raw);
    assert(error == SP_OK && writer_used(&writer) == first_size);
    assert(memcmp(first, second, first_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t done = 0;
    struct frame frame;
    size_t used = 0;
    while (frame_parse(data + done, size - done, &frame, &used) == SP_OK) {
        assert(used >= FRAME_HEADER_BYTES && used <= size - done);
        check(&frame);
        done += used;
    }
    return 0;
}
