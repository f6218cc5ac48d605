#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

struct log {
    int fd;
    _Atomic enum log_level level;
    bool journal; /* the journal knows the time itself, and wants sd-daemon(3) levels */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    bool stopping;
    size_t start; /* of what is in the ring: whole lines only */
    size_t used;
    uint64_t reported; /* of those dropped */
    _Atomic uint64_t dropped;
    char ring[LOG_RING_BYTES];
};

static const struct {
    const char *word;
    const char *journal; /* sd-daemon(3) */
} levels[] = {
    [LOG_DEBUG] = {"debug", "<7>"},
    [LOG_INFO] = {"info", "<6>"},
    [LOG_WARNING] = {"warning", "<4>"},
    [LOG_ERROR] = {"error", "<3>"},
};

/* Whether FD is the stream that JOURNAL_STREAM names as "device:inode" (systemd.exec(5)). */
static bool is_journal(int fd)
{
    const char *stream = secure_getenv("JOURNAL_STREAM");
    struct stat status = {0};
    char expected[64];

    if (stream == NULL || fstat(fd, &status) != 0) {
        return false;
    }
    (void)snprintf(expected, sizeof(expected), "%ju:%ju", (uintmax_t)status.st_dev,
                   (uintmax_t)status.st_ino);
    return strcmp(stream, expected) == 0;
}

/* Makes of the SIZE bytes in LINE one line and only one: cut between characters, no control
 * characters, a newline at the end. LINE has room for it. */
static size_t finish_line(char *line, size_t size)
{
    bool cut = size > LIMIT_LOG_LINE_BYTES - 1;

    if (cut) {
        size = LIMIT_LOG_LINE_BYTES - 1;
        while (size > 0 && ((unsigned char)line[size] & 0xc0) == 0x80) {
            size--; /* the byte behind the cut continues a character */
        }
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = '?';
        }
    }
    line[size++] = '\n';
    return size;
}

/* Time and level, or the journal's level, at the start of a line. Returns the length. */
static size_t write_prefix(const struct log *log, enum log_level level, char *line, size_t capacity)
{
    char now[RFC3339_BYTES];
    int size = 0;

    if (log->journal) {
        size = snprintf(line, capacity, "%s", levels[level].journal);
    } else {
        clock_format_rfc3339(clock_wall_ms(clock_system()), now);
        size = snprintf(line, capacity, "%s %s ", now, levels[level].word);
    }
    return (size_t)size;
}

/* Writes all, or gives up when FD is gone: there is nowhere left to complain. */
static void write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);

        if (written > 0) {
            data += written;
            size -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};

            (void)poll(&ready, 1, -1);
        } else if (written == 0 || errno != EINTR) {
            return;
        }
    }
}

/* SIZE bytes of the ring from START on, which may go around its end. */
static void write_ring(const struct log *log, size_t start, size_t size)
{
    size_t first = LOG_RING_BYTES - start;

    if (first > size) {
        first = size;
    }
    write_all(log->fd, log->ring + start, first);
    write_all(log->fd, log->ring, size - first);
}

/* A finished line into the ring, if it fits. The mutex is held. */
static bool put_locked(struct log *log, const char *line, size_t size)
{
    size_t at = (log->start + log->used) % LOG_RING_BYTES;
    size_t first = LOG_RING_BYTES - at < size ? LOG_RING_BYTES - at : size;

    if (size > LOG_RING_BYTES - log->used) {
        return false;
    }
    memcpy(log->ring + at, line, first);
    memcpy(log->ring, line + first, size - first);
    if (log->used == 0) { /* else the thread is not waiting */
        (void)pthread_cond_signal(&log->filled);
    }
    log->used += size;
    return true;
}

/*
 * Reports lines that were dropped since the last report; false when there is no room for that
 * either. No line is taken before it, so that it stands where they are missing. The mutex is held.
 */
static bool report_locked(struct log *log)
{
    char line[LIMIT_LOG_LINE_BYTES + 1];
    uint64_t dropped = atomic_load(&log->dropped);
    size_t size = 0;

    if (dropped == log->reported) {
        return true;
    }
    size = write_prefix(log, LOG_WARNING, line, sizeof(line));
    size += (size_t)snprintf(line + size, sizeof(line) - size, "event=log_dropped count=%" PRIu64,
                             dropped - log->reported);
    if (!put_locked(log, line, finish_line(line, size))) {
        return false;
    }
    log->reported = dropped;
    return true;
}

/* The log's thread: takes what is in the ring in one go, and frees that room only after it has
 * been written. Whatever was dropped meanwhile is reported at the latest then. */
static void *run(void *context)
{
    struct log *log = context;

    (void)pthread_mutex_lock(&log->mutex);
    for (;;) {
        size_t size = 0;

        while (log->used == 0 && !log->stopping) {
            (void)pthread_cond_wait(&log->filled, &log->mutex);
        }
        size = log->used;
        if (size == 0) {
            break;
        }
        (void)pthread_mutex_unlock(&log->mutex);
        write_ring(log, log->start, size); /* only this thread moves start */
        (void)pthread_mutex_lock(&log->mutex);
        log->start = (log->start + size) % LOG_RING_BYTES;
        log->used -= size;
        (void)report_locked(log);
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return NULL;
}

/* Starts the thread with all signals blocked: they are the program's, and a broken pipe is no
 * reason to end it. */
static enum sp_error start_thread(struct log *log)
{
    sigset_t all;
    sigset_t before;
    int result = 0;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&log->thread, NULL, run, log);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result != 0) {
        return SP_EIO;
    }
    (void)pthread_setname_np(log->thread, "log");
    return SP_OK;
}

enum sp_error log_new(int fd, enum log_level level, struct log **out)
{
    struct log *log = calloc(1, sizeof(*log));

    *out = NULL;
    if (log == NULL) {
        return SP_ENOMEM;
    }
    log->fd = fd;
    atomic_init(&log->level, level);
    log->journal = is_journal(fd);
    atomic_init(&log->dropped, 0);
    if (pthread_mutex_init(&log->mutex, NULL) != 0) {
        goto out;
    }
    if (pthread_cond_init(&log->filled, NULL) != 0) {
        goto out_mutex;
    }
    if (start_thread(log) == SP_OK) {
        *out = log;
        return SP_OK;
    }
    (void)pthread_cond_destroy(&log->filled);
out_mutex:
    (void)pthread_mutex_destroy(&log->mutex);
out:
    free(log);
    return SP_EIO;
}

void log_set_level(struct log *log, enum log_level level)
{
    if (log != NULL) {
        atomic_store_explicit(&log->level, level, memory_order_relaxed);
    }
}

void log_free(struct log *log)
{
    if (log == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&log->mutex);
    log->stopping = true;
    (void)pthread_cond_signal(&log->filled);
    (void)pthread_mutex_unlock(&log->mutex);
    (void)pthread_join(log->thread, NULL);
    (void)pthread_cond_destroy(&log->filled);
    (void)pthread_mutex_destroy(&log->mutex);
    free(log);
}

/* A finished line into the ring, or one more dropped. */
static void push_line(struct log *log, const char *line, size_t size)
{
    (void)pthread_mutex_lock(&log->mutex);
    if (!report_locked(log) || !put_locked(log, line, size)) {
        (void)atomic_fetch_add(&log->dropped, 1);
    }
    (void)pthread_mutex_unlock(&log->mutex);
}

void log_line(struct log *log, enum log_level level, const char *format, ...)
{
    char line[LIMIT_LOG_LINE_BYTES + 1]; /* one more, to see that it was cut */
    size_t size = 0;
    int rest = 0;
    va_list arguments;

    if (log == NULL || level < atomic_load_explicit(&log->level, memory_order_relaxed)) {
        return;
    }
    size = write_prefix(log, level, line, sizeof(line));
    va_start(arguments, format);
    rest = vsnprintf(line + size, sizeof(line) - size, format, arguments);
    va_end(arguments);
    if (rest < 0) {
        return; /* an encoding error; our formats use no wide characters */
    }
    push_line(log, line, finish_line(line, size + (size_t)rest));
}

/* Appends a character, or its bytes as \xHH; whole or not at all. Returns its length in OUT. */
static size_t put_character(const char *text, size_t size, bool as_is, char *out, size_t capacity)
{
    size_t needed = as_is ? size : size * 4;

    if (needed > capacity) {
        return 0;
    }
    for (size_t i = 0; as_is && i < size; i++) {
        out[i] = text[i];
    }
    for (size_t i = 0; !as_is && i < size; i++) {
        char escaped[5];

        (void)snprintf(escaped, sizeof(escaped), "\\x%02X", (unsigned char)text[i]);
        memcpy(out + 4 * i, escaped, 4);
    }
    return needed;
}

/* VALUE escaped; the length. Nothing is split by the cut. */
static size_t put_value(const char *value, size_t size, char *out, size_t capacity)
{
    size_t used = 0;

    while (size > 0) {
        int32_t codepoint = 0;
        size_t step = utf8_next(value, size, &codepoint);
        bool as_is =
            step > 0 && !utf8_is_hidden(codepoint) && codepoint != '"' && codepoint != '\\';
        size_t put = 0;

        step = step > 0 ? step : 1;
        put = put_character(value, step, as_is, out + used, capacity - used);
        if (put == 0) {
            break;
        }
        used += put;
        value += step;
        size -= step;
    }
    return used;
}

const char *log_value(const char *value, size_t size, char *out, size_t capacity)
{
    /* Whatever would make "key=value key=value" ambiguous. */
    bool quoted = size == 0 || memchr(value, ' ', size) != NULL || memchr(value, '=', size) != NULL;
    size_t used = 0;

    if (capacity == 0) {
        return out;
    }
    if (!quoted || capacity < 3) { /* no room for the quotes: then nothing but the NUL */
        used = put_value(value, quoted ? 0 : size, out, capacity - 1);
    } else {
        out[0] = '"';
        used = 1 + put_value(value, size, out + 1, capacity - 3);
        out[used++] = '"';
    }
    out[used] = '\0';
    return out;
}

uint64_t log_dropped(const struct log *log)
{
    return log == NULL ? 0 : atomic_load(&log->dropped);
}
