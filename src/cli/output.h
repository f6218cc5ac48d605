/*
 * What goes to standard output (data) and to standard error (messages), and how: for people, plain,
 * or as JSON. Every command prints through this. Never animated, never coloured off a terminal.
 */
#ifndef SP_CLI_OUTPUT_H
#define SP_CLI_OUTPUT_H

#include <stdio.h>

#include "base/base.h"
#include "base/clock.h"
#include "cli/options.h"

enum output_mode {
    OUTPUT_HUMAN, /* a terminal: columns, local times */
    OUTPUT_PLAIN, /* one item a line, RFC 3339 */
    OUTPUT_JSON
};

struct output {
    FILE *data;
    FILE *messages;
    enum output_mode mode;
    bool color;   /* in data */
    bool animate; /* messages may have a progress line */
    bool quiet;
    bool verbose;
    bool drawn;  /* messages end with a progress line, which goes before anything is said */
    bool failed; /* data could not be written, and that was said */
    bool broken; /* nobody reads data any more */
    const struct clock *clock;
    const char *username; /* whom messages may mention; borrowed; NULL: nobody is logged in */
};

/* TERM and NO_COLOR are the environment's values, NULL if not set. */
void output_init(struct output *output, const struct options *options, FILE *data, FILE *messages,
                 const char *term, const char *no_color);

/*
 * "sealpost: error: …" and so on. What FORMAT is given of names from others must have gone through
 * shown() or is escaped as a whole here: control characters never reach the terminal either way.
 */
void say_error(struct output *output, const char *format, ...) PRINTF_LIKE(2, 3);
void say_warning(struct output *output, const char *format, ...) PRINTF_LIKE(2, 3);
void say_hint(struct output *output, const char *format, ...) PRINTF_LIKE(2, 3);
void say_note(struct output *output, const char *format, ...) PRINTF_LIKE(2, 3); /* not with -q */
void say_verbose(struct output *output, const char *format, ...) PRINTF_LIKE(2, 3); /* with -v */

/* The user's own TEXT, whole, on standard error: so that it is not lost. */
void say_text(struct output *output, const char *text, size_t size);

/* TEXT, escaped for a terminal, on standard output; line ends stay with KEEP_NEWLINES. */
void put_escaped(struct output *output, const char *text, size_t size, bool keep_newlines);
/* The first words of a text that is not whole anyway. */
void say_beginning(struct output *output, const char *text, size_t size);
/* Bold where there is colour. */
void put_strong(struct output *output, const char *text);

/* Flushes data. False: nobody can read it any more (a closed pipe), or it cannot be written; in
 * the second case that has been said. */
bool output_flush(struct output *output);

/* The hint for ERROR, into OUT, with SUBJECT (a room, a box, a file) put in; "" if there is none.
 */
void hint_for_error(enum sp_error error, const char *subject, char *out, size_t capacity);

#endif
