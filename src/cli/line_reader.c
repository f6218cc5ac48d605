#include "cli/line_reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 8192UL

void line_reader_init(struct line_reader *reader, size_t maximum, bool terminal)
{
    *reader = (struct line_reader){.maximum = maximum, .terminal = terminal};
    buffer_init(&reader->buffer, maximum + 2 * READ_BYTES);
}

void line_reader_deinit(struct line_reader *reader)
{
    buffer_deinit(&reader->buffer);
}

static void drop_taken(struct line_reader *reader)
{
    buffer_consume(&reader->buffer, reader->taken);
    reader->taken = 0;
}

bool line_may_be_cut(const uint8_t *data, size_t size)
{
    size -= size > 0 && data[size - 1] == '\n' ? 1 : 0;
    return size >= TERMINAL_LINE_BYTES;
}

enum sp_error line_reader_fill(struct line_reader *reader, int fd)
{
    uint8_t *at = NULL;
    ssize_t got = 0;
    enum sp_error error = SP_OK;

    drop_taken(reader);
    error = buffer_reserve(&reader->buffer, READ_BYTES, &at);
    if (error != SP_OK) {
        return error;
    }
    got = read(fd, at, READ_BYTES);
    if (got > 0) {
        reader->cut = reader->cut || (reader->terminal && line_may_be_cut(at, (size_t)got));
        buffer_commit(&reader->buffer, (size_t)got);
    } else if (got == 0) {
        reader->over = true;
    } else if (errno != EINTR && errno != EAGAIN) {
        reader->over = true;
        error = SP_EFILE;
    }
    return error;
}

/* The first line of the buffer, of SIZE bytes, is to be given out; STEP bytes with its end. */
static enum line_result give(struct line_reader *reader, size_t size, size_t step, char **line,
                             size_t *out_size)
{
    bool skipped = reader->skipping;
    bool cut = reader->cut;

    reader->skipping = false;
    reader->cut = false;
    reader->taken = step;
    if (skipped || size > reader->maximum) {
        return skipped ? LINE_NONE : LINE_TOO_LONG;
    }
    *line = (char *)reader->buffer.data + reader->buffer.start;
    if (size > 0 && (*line)[size - 1] == '\r') {
        size--;
    }
    *out_size = size;
    return cut ? LINE_CUT : LINE_READY;
}

bool line_reader_has_any(const struct line_reader *reader)
{
    return reader->over || reader->buffer.size > reader->taken;
}

enum line_result line_reader_next(struct line_reader *reader, char **line, size_t *size)
{
    for (;;) {
        const uint8_t *data = NULL;
        const uint8_t *newline = NULL;
        enum line_result result = LINE_NONE;

        drop_taken(reader);
        if (reader->buffer.size == 0) {
            return reader->over ? LINE_END : LINE_NONE;
        }
        data = buffer_data(&reader->buffer);
        newline = memchr(data, '\n', reader->buffer.size);
        if (newline != NULL) {
            result =
                give(reader, (size_t)(newline - data), (size_t)(newline - data) + 1, line, size);
        } else if (reader->over) {
            result = give(reader, reader->buffer.size, reader->buffer.size, line, size);
        } else if (reader->buffer.size > reader->maximum) {
            result = reader->skipping ? LINE_NONE : LINE_TOO_LONG;
            reader->skipping = true;
            reader->taken = reader->buffer.size;
        } else {
            return LINE_NONE;
        }
        if (result != LINE_NONE) {
            return result;
        }
    }
}
