#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"

#define MESSAGE_BYTES 2048
#define WORST_ESCAPE_BYTES 4 /* out for 1 in */
#define SHORT_BYTES 256
#define BEGINNING_BYTES 60

void output_init(struct output *output, const struct options *options, FILE *data, FILE *messages,
                 const char *term, const char *no_color)
{
    bool terminal = isatty(fileno(data)) == 1;
    bool dumb = term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0;

    *output = (struct output){.data = data, .messages = messages, .clock = clock_system()};
    output->quiet = option_given(options, OPTION_QUIET);
    output->verbose = option_given(options, OPTION_VERBOSE);
    if (option_given(options, OPTION_JSON)) {
        output->mode = OUTPUT_JSON;
    } else if (option_given(options, OPTION_PLAIN) || !terminal) {
        output->mode = OUTPUT_PLAIN;
    }
    output->color = output->mode == OUTPUT_HUMAN && !dumb &&
                    !option_given(options, OPTION_NO_COLOR) &&
                    (no_color == NULL || no_color[0] == '\0');
    output->animate = !output->quiet && !dumb && isatty(fileno(messages)) == 1;
}

static void say(struct output *output, const char *kind, const char *format, va_list arguments)
    PRINTF_LIKE(3, 0);

static void say(struct output *output, const char *kind, const char *format, va_list arguments)
{
    char text[MESSAGE_BYTES];
    char escaped[MESSAGE_BYTES * 2];

    (void)vsnprintf(text, sizeof(text), format, arguments);
    (void)escape_for_terminal(text, strlen(text), false, escaped, sizeof(escaped));
    (void)fprintf(output->messages, "%ssealpost: %s%s\n", output->drawn ? "\r\033[K" : "", kind,
                  escaped);
    output->drawn = false;
}

#define SAY(name, kind, when)                                 \
    void name(struct output *output, const char *format, ...) \
    {                                                         \
        va_list arguments;                                    \
                                                              \
        if (when) {                                           \
            va_start(arguments, format);                      \
            say(output, kind, format, arguments);             \
            va_end(arguments);                                \
        }                                                     \
    }

SAY(say_error, "error: ", true)
SAY(say_warning, "warning: ", true)
SAY(say_hint, "hint: ", true)
SAY(say_note, "", !output->quiet)
SAY(say_verbose, "", output->verbose)

static void put_escaped_to(FILE *file, const char *text, size_t size, bool keep_newlines)
{
    char few[WORST_ESCAPE_BYTES * SHORT_BYTES + 1];
    char *escaped = few;
    size_t capacity = sizeof(few);

    if (size > SHORT_BYTES) {
        capacity = WORST_ESCAPE_BYTES * size + 1;
        escaped = malloc(capacity);
        if (escaped == NULL) { /* show its start */
            escaped = few;
            capacity = sizeof(few);
        }
    }
    (void)escape_for_terminal(text, size, keep_newlines, escaped, capacity);
    (void)fputs(escaped, file);
    if (escaped != few) {
        free(escaped);
    }
}

void put_escaped(struct output *output, const char *text, size_t size, bool keep_newlines)
{
    put_escaped_to(output->data, text, size, keep_newlines);
}

void say_text(struct output *output, const char *text, size_t size)
{
    (void)fputs("sealpost: it was: ", output->messages);
    put_escaped_to(output->messages, text, size, true);
    (void)fputc('\n', output->messages);
}

void say_beginning(struct output *output, const char *text, size_t size)
{
    (void)fputs("sealpost: it begins: ", output->messages);
    put_escaped_to(output->messages, text, size < BEGINNING_BYTES ? size : BEGINNING_BYTES, false);
    (void)fputs("...\n", output->messages);
}

void put_strong(struct output *output, const char *text)
{
    (void)fputs(output->color ? "\033[1m" : "", output->data);
    put_escaped(output, text, strlen(text), false);
    (void)fputs(output->color ? "\033[0m" : "", output->data);
}

bool output_flush(struct output *output)
{
    errno = 0;
    if (output->broken || output->failed) {
        return false;
    }
    if (fflush(output->data) == 0 && ferror(output->data) == 0) {
        return true;
    }
    output->broken = errno == EPIPE;
    output->failed = !output->broken;
    if (output->failed) {
        say_error(output, "standard output cannot be written");
    }
    return false;
}
