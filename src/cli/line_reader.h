/* Lines out of a descriptor, without blocking for more than there is. For chat. */
#ifndef SP_CLI_LINE_READER_H
#define SP_CLI_LINE_READER_H

#include "base/bytes.h"

enum line_result {
    LINE_NONE,     /* not yet: fill first */
    LINE_READY,    /* *LINE, without its end ("\n" or "\r\n"), may be changed until the next call */
    LINE_TOO_LONG, /* one was longer than the maximum; it was dropped */
    LINE_CUT,      /* *LINE is what the terminal kept of a line that may have been longer */
    LINE_END       /* there will be none any more */
};

/* A terminal in canonical mode keeps so much of a line, and drops the rest without a word;
 * termios(3), "canonical mode". */
#define TERMINAL_LINE_BYTES 4095

struct line_reader {
    struct buffer buffer;
    size_t maximum; /* bytes of a line */
    size_t taken;   /* of the buffer, by the line that was given out last */
    bool terminal;  /* what is read from; it gives one line at a time */
    bool skipping;  /* the rest of a line that was too long */
    bool cut;       /* the next line is as long as a terminal can have it */
    bool over;      /* the end was read */
};

void line_reader_init(struct line_reader *reader, size_t maximum, bool terminal);
void line_reader_deinit(struct line_reader *reader);

/* Whether the SIZE bytes of DATA, out of one read(2) of a terminal, may be a line that was cut. */
bool line_may_be_cut(const uint8_t *data, size_t size);

/* One read(2). SP_EFILE, SP_ENOMEM; the end of the file and EAGAIN are none. */
SP_CHECK enum sp_error line_reader_fill(struct line_reader *reader, int fd);

/* Whether line_reader_next() has something to look at. */
bool line_reader_has_any(const struct line_reader *reader);

/* The next line. What stands behind the last line end counts as one. */
enum line_result line_reader_next(struct line_reader *reader, char **line, size_t *size);

#endif
