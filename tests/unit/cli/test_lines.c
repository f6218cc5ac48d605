/* Lines out of a pipe: in one piece, byte by byte, too long, without an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/line_reader.h"

#define MAXIMUM 16

static struct line_reader reader;
static int ends[2];
static char *line;
static size_t size;

static int open_pipe(void **state)
{
    (void)state;
    line_reader_init(&reader, MAXIMUM, false);
    return pipe(ends);
}

static int close_pipe(void **state)
{
    (void)state;
    line_reader_deinit(&reader);
    return close(ends[0]);
}

static void put(const char *text)
{
    assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(line_reader_fill(&reader, ends[0]), SP_OK);
}

static void finish(void)
{
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(line_reader_fill(&reader, ends[0]), SP_OK);
}

static void expect(const char *text)
{
    assert_int_equal(line_reader_next(&reader, &line, &size), LINE_READY);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(line, text, size);
}

static void sees_what_a_terminal_cuts(void **state)
{
    static uint8_t full[TERMINAL_LINE_BYTES + 1];

    (void)state;
    memset(full, 'x', sizeof(full));
    full[TERMINAL_LINE_BYTES] = '\n';
    assert_true(line_may_be_cut(full, TERMINAL_LINE_BYTES + 1));
    assert_true(line_may_be_cut(full, TERMINAL_LINE_BYTES));
    assert_false(line_may_be_cut(full + 1, TERMINAL_LINE_BYTES));
    assert_false(line_may_be_cut(full, TERMINAL_LINE_BYTES - 1));
    assert_false(line_may_be_cut(full, 0));
}

static void gives_lines(void **state)
{
    (void)state;
    assert_int_equal(line_reader_next(&reader, &line, &size), LINE_NONE);
    put("one\n\ntwo\r\nthr");
    expect("one");
    expect("");
    expect("two");
    assert_int_equal(line_reader_next(&reader, &line, &size), LINE_NONE);
    put("ee\n");
    expect("three");
    put("no end");
    finish();
    expect("no end");
    assert_int_equal(line_reader_next(&reader, &line, &size), LINE_END);
    assert_int_equal(line_reader_next(&reader, &line, &size), LINE_END);
}

static void gives_lines_byte_by_byte(void **state)
{
    static const char text[] = "alpha\nbe\n\n";

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        char byte[2] = {text[i], '\0'};

        put(byte);
        if (text[i] == '\n') {
            expect(i == 5 ? "alpha" : i == 8 ? "be" : "");
        } else {
            assert_int_equal(line_reader_next(&reader, &line, &size), LINE_NONE);
        }
    }
    finish();
    assert_int_equal(line_reader_next(&reader, &line, &size), LINE_END);
}

static void drops_lines_that_are_too_long(void **state)
{
    (void)state;
    put("0123456789abcdef\n");
    expect("0123456789abcdef");
    put("0123456789abcdefg\nnext\n");
    assert_int_equal(line_reader_next(&reader, &line, &size), LINE_TOO_LONG);
    expect("next");
    for (int i = 0; i < 5; i++) { /* in pieces: said once */
        put("0123456789abcdefg");
        assert_int_equal(line_reader_next(&reader, &line, &size),
                         i == 0 ? LINE_TOO_LONG : LINE_NONE);
    }
    put("the end of it\nafter\n");
    expect("after");
    put("0123456789abcdefg");
    finish();
    assert_int_equal(line_reader_next(&reader, &line, &size), LINE_TOO_LONG);
    assert_int_equal(line_reader_next(&reader, &line, &size), LINE_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sees_what_a_terminal_cuts),
        cmocka_unit_test_setup_teardown(gives_lines, open_pipe, close_pipe),
        cmocka_unit_test_setup_teardown(gives_lines_byte_by_byte, open_pipe, close_pipe),
        cmocka_unit_test_setup_teardown(drops_lines_that_are_too_long, open_pipe, close_pipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
