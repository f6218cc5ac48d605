/* The log writes whole lines in order, never waits, and counts what it drops. */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

/* One end of a pipe is the log's, and a thread collects what comes out of the other. */
struct sink {
    int read_fd;
    int write_fd;
    pthread_t thread;
    char *text; /* NUL-terminated after sink_finish() */
    size_t size;
};

static void sink_init(struct sink *sink)
{
    int fds[2];

    *sink = (struct sink){0};
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    sink->read_fd = fds[0];
    sink->write_fd = fds[1];
}

static void *collect(void *context)
{
    struct sink *sink = context;
    FILE *out = open_memstream(&sink->text, &sink->size);
    char chunk[4096];
    ssize_t got = 0;

    while (out != NULL && (got = read(sink->read_fd, chunk, sizeof(chunk))) > 0) {
        (void)fwrite(chunk, 1, (size_t)got, out);
    }
    if (out != NULL) {
        (void)fclose(out);
    }
    return NULL;
}

static void sink_start(struct sink *sink)
{
    assert_int_equal(pthread_create(&sink->thread, NULL, collect, sink), 0);
}

/* After log_free(): everything that was written. */
static const char *sink_finish(struct sink *sink)
{
    assert_int_equal(close(sink->write_fd), 0);
    assert_int_equal(pthread_join(sink->thread, NULL), 0);
    assert_int_equal(close(sink->read_fd), 0);
    assert_non_null(sink->text);
    return sink->text;
}

/* TEXT starts with "2026-11-22T16:37:54.123Z "? Returns what follows. */
static const char *skip_time(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";

    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        if (form[i] == 'd') {
            assert_in_range(text[i], '0', '9');
        } else {
            assert_int_equal(text[i], form[i]);
        }
    }
    return text + sizeof(form) - 1;
}

static void test_lines(void **state)
{
    struct sink sink;
    struct log *log = NULL;
    const char *text = NULL;

    (void)state;
    sink_init(&sink);
    sink_start(&sink);
    assert_int_equal(log_new(sink.write_fd, LOG_INFO, &log), SP_OK);
    log_line(log, LOG_DEBUG, "event=%s", "hidden");
    log_line(log, LOG_INFO, "event=start port=%d", 7643);
    log_line(log, LOG_ERROR, "event=bad text=%s", "a\nb\x1b[0m");
    assert_true(log_dropped(log) == 0);
    log_free(log);
    text = skip_time(sink_finish(&sink));
    assert_memory_equal(text, "info event=start port=7643\n", 27);
    text = skip_time(text + 27);
    assert_string_equal(text, "error event=bad text=a?b?[0m\n"); /* still one line */
    free(sink.text);
}

static void test_null_log(void **state)
{
    (void)state;
    log_line(NULL, LOG_ERROR, "event=nothing");
    assert_true(log_dropped(NULL) == 0);
    log_free(NULL);
}

/* What the service manager says; NULL: nothing. No other thread looks at the environment. */
static void set_journal(const char *stream)
{
    // NOLINTBEGIN(concurrency-mt-unsafe)
    assert_int_equal(
        stream == NULL ? unsetenv("JOURNAL_STREAM") : setenv("JOURNAL_STREAM", stream, 1), 0);
    // NOLINTEND(concurrency-mt-unsafe)
}

static void test_journal(void **state)
{
    struct sink sink;
    struct log *log = NULL;
    struct stat status;
    char stream[64];

    (void)state;
    sink_init(&sink);
    sink_start(&sink);
    assert_int_equal(fstat(sink.write_fd, &status), 0);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
                   (uintmax_t)status.st_ino);
    set_journal(stream);
    assert_int_equal(log_new(sink.write_fd, LOG_DEBUG, &log), SP_OK);
    set_journal(NULL);
    log_line(log, LOG_DEBUG, "event=a");
    log_line(log, LOG_INFO, "event=b");
    log_line(log, LOG_WARNING, "event=c");
    log_line(log, LOG_ERROR, "event=d");
    log_free(log);
    assert_string_equal(sink_finish(&sink), "<7>event=a\n<6>event=b\n<4>event=c\n<3>event=d\n");
    free(sink.text);
}

/* The variable is inherited; what matters is whether our descriptor is that stream. */
static void test_another_stream_is_no_journal(void **state)
{
    struct sink sink;
    struct log *log = NULL;

    (void)state;
    sink_init(&sink);
    sink_start(&sink);
    set_journal("1:1");
    assert_int_equal(log_new(sink.write_fd, LOG_INFO, &log), SP_OK);
    set_journal(NULL);
    log_line(log, LOG_INFO, "event=a");
    log_free(log);
    assert_string_equal(skip_time(sink_finish(&sink)), "info event=a\n");
    free(sink.text);
}

static void test_long_lines_are_cut(void **state)
{
    struct sink sink;
    struct log *log = NULL;
    char value[3000];
    const char *text = NULL;
    size_t total = 0;

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(value); i += 2) {
        memcpy(value + i, "\xc3\xa9", 3);
    }
    sink_init(&sink);
    sink_start(&sink);
    assert_int_equal(log_new(sink.write_fd, LOG_INFO, &log), SP_OK);
    log_line(log, LOG_INFO, "v=%s", value);
    log_line(log, LOG_INFO, "vv=%s", value);
    log_free(log);
    for (text = sink_finish(&sink); *text != '\0'; total++) {
        const char *end = strchr(text, '\n');

        assert_non_null(end);
        assert_in_range(end - text, LIMIT_LOG_LINE_BYTES - 2, LIMIT_LOG_LINE_BYTES - 1);
        assert_memory_equal(end - 2, "\xc3\xa9", 2); /* no half character */
        text = end + 1;
    }
    assert_int_equal(total, 2);
    free(sink.text);
}

#define THREADS 4
#define LINES_PER_THREAD 1000

struct chatter {
    pthread_t thread;
    struct log *log;
    unsigned number;
};

static void *chat(void *context)
{
    struct chatter *chatter = context;

    for (unsigned i = 0; i < LINES_PER_THREAD; i++) {
        log_line(chatter->log, LOG_INFO, "event=chat thread=%u line=%u", chatter->number, i);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    struct sink sink;
    struct log *log = NULL;
    struct chatter chatters[THREADS];
    unsigned next[THREADS] = {0};
    size_t lines = 0;

    (void)state;
    sink_init(&sink);
    sink_start(&sink);
    assert_int_equal(log_new(sink.write_fd, LOG_INFO, &log), SP_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        chatters[i].log = log;
        chatters[i].number = i;
        assert_int_equal(pthread_create(&chatters[i].thread, NULL, chat, &chatters[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(chatters[i].thread, NULL), 0);
    }
    assert_true(log_dropped(log) == 0); /* all of it fits the ring */
    log_free(log);
    for (const char *text = sink_finish(&sink); *text != '\0'; text = strchr(text, '\n') + 1) {
        unsigned thread = 0;
        unsigned line = 0;

        // NOLINTNEXTLINE(cert-err34-c): the numbers are ours
        assert_int_equal(
            sscanf(skip_time(text), "info event=chat thread=%u line=%u\n", &thread, &line), 2);
        assert_in_range(thread, 0, THREADS - 1);
        assert_int_equal(line, next[thread]);
        next[thread]++;
        lines++;
    }
    assert_int_equal(lines, THREADS * LINES_PER_THREAD);
    free(sink.text);
}

/* Lines numbered without a gap, but for those that a report in their place accounts for. Returns
 * how many lines there are; *REPORTED is how many are missing. */
static uint64_t count_flood(const char *text, uint64_t *reported)
{
    uint64_t lines = 0;

    for (; *text != '\0'; text = strchr(text, '\n') + 1) {
        const char *line = skip_time(text);
        uint64_t number = 0;

        // NOLINTBEGIN(cert-err34-c): the numbers are ours
        if (sscanf(line, "warning event=log_dropped count=%" SCNu64 "\n", &number) == 1) {
            *reported += number;
            continue;
        }
        assert_int_equal(sscanf(line, "info event=flood line=%" SCNu64, &number), 1);
        // NOLINTEND(cert-err34-c)
        assert_true(number == lines + *reported);
        lines++;
    }
    return lines;
}

/* Nobody reads: the callers go on, lines are dropped, and the numbers add up. */
static void test_drops_are_counted(void **state)
{
    struct sink sink;
    struct log *log = NULL;
    char filler[800];
    uint64_t total = 4 * LOG_RING_BYTES / 450; /* a line has more bytes than that, on average */
    uint64_t dropped = 0;
    uint64_t reported = 0;
    uint64_t written = 0;

    (void)state;
    memset(filler, 'x', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    sink_init(&sink);
    assert_int_equal(log_new(sink.write_fd, LOG_INFO, &log), SP_OK);
    for (uint64_t i = 0; i < total; i++) {
        /* Long and short ones: a short one may fit where a long one was just dropped. */
        log_line(log, LOG_INFO, "event=flood line=%06" PRIu64 " %s", i, i % 2 == 0 ? filler : "");
    }
    dropped = log_dropped(log);
    assert_true(dropped > 0);
    sink_start(&sink); /* now somebody does */
    log_free(log);
    written = count_flood(sink_finish(&sink), &reported);
    assert_true(reported == dropped);
    assert_true(written + dropped == total);
    free(sink.text);
}

/* A reader that went away costs the lines, not the process. */
static void test_broken_pipe(void **state)
{
    struct sink sink;
    struct log *log = NULL;

    (void)state;
    sink_init(&sink);
    assert_int_equal(log_new(sink.write_fd, LOG_INFO, &log), SP_OK);
    assert_int_equal(close(sink.read_fd), 0);
    log_line(log, LOG_INFO, "event=a");
    log_free(log);
    assert_int_equal(close(sink.write_fd), 0);
}

/* A descriptor that does not block, as a terminal shared with others may be, loses nothing. */
static void test_non_blocking(void **state)
{
    struct sink sink;
    struct log *log = NULL;
    size_t lines = 0;

    (void)state;
    sink_init(&sink);
    assert_int_equal(fcntl(sink.write_fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(log_new(sink.write_fd, LOG_INFO, &log), SP_OK);
    for (int i = 0; i < 4000; i++) { /* more than a pipe takes, less than the ring */
        log_line(log, LOG_INFO, "event=flood filler=xxxxxxxxxxxxxxxxxxxxxxxxxx line=%d", i);
    }
    sink_start(&sink);
    assert_true(log_dropped(log) == 0);
    log_free(log);
    for (const char *text = sink_finish(&sink); *text != '\0'; text = strchr(text, '\n') + 1) {
        lines++;
    }
    assert_int_equal(lines, 4000);
    free(sink.text);
}

static void test_values(void **state)
{
    static const struct {
        const char *value;
        const char *expected;
    } cases[] = {
        {"", "\"\""},
        {"anna", "anna"},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"a\"b\\", "a\\x22b\\x5C"},
        {"a\nevent=forged", "\"a\\x0Aevent=forged\""},
        {"\x1b[0m\x7f", "\\x1B[0m\\x7F"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"\xff", "\\xFF"},
        {"\xe2\x80\xae", "\\xE2\\x80\\xAE"}, /* right-to-left override */
        {"\xc2\x9b", "\\xC2\\x9B"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[64];

        assert_ptr_equal(log_value(cases[i].value, strlen(cases[i].value), out, sizeof(out)), out);
        assert_string_equal(out, cases[i].expected);
    }
}

static void test_values_are_cut(void **state)
{
    static const char *const expected[] = {
        "",       "",       "\"\"",        "\"a\"",        "\"a \"",      "\"a \"",
        "\"a \"", "\"a \"", "\"a \\x0A\"", "\"a \\x0Ab\"", "\"a \\x0Ab\""};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        char *out = malloc(i + 1);

        assert_non_null(out);
        assert_string_equal(log_value("a \nb", 4, out, i + 1), expected[i]);
        free(out);
    }
    assert_null(log_value("a", 1, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_null_log),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_another_stream_is_no_journal),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_drops_are_counted),
        cmocka_unit_test(test_broken_pipe),
        cmocka_unit_test(test_non_blocking),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_values_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
