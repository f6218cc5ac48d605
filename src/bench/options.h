/*
 * The command line of sealpost-bench. Each scenario has presets: a pattern of load that has a name
 * and a target; options change single numbers of it.
 */
#ifndef SP_BENCH_OPTIONS_H
#define SP_BENCH_OPTIONS_H

#include "base/base.h"

/* A target beside a figure of that name. */
struct target {
    const char *figure;
    const char *text;
};

#define PRESET_TARGETS 4

/* All numbers that describe a load. 0 where one has no meaning. */
struct pattern {
    uint64_t rooms;
    uint64_t sessions; /* in all */
    uint64_t senders;  /* of these, or, of "commit", beside them */
    uint64_t in_flight;
    uint64_t bytes;   /* of a message's text */
    uint64_t rate;    /* messages per second of all senders together; 0: as fast as it goes */
    uint64_t size;    /* of a file */
    uint64_t uploads; /* files under way */
    uint64_t chat;    /* messages per second beside them; 0: none */
    uint64_t history; /* events that are there before; "sessions" page through them */
};

struct preset {
    const char *scenario;
    const char *name;
    struct pattern pattern;
    struct target targets[PRESET_TARGETS];
};

struct options {
    const struct preset *preset;
    struct pattern pattern;
    uint64_t seconds; /* measured, after a second that is not */
    uint64_t members; /* different ones, whose certificates the sessions share */
    uint64_t repeat;
    const char *sealpostd;
    const char *tools;
    const char *state; /* a directory on the disk to be measured */
    const char *ca;    /* keeps the certificates here for the next run; NULL: made anew */
    const char *log_level;
    bool pin;
    bool json;
    bool floor;
};

/* ARGV without the program's name. On error a sentence in MESSAGE. *HELP: it was asked for. */
SP_CHECK enum sp_error options_parse(int argc, char *const *argv, struct options *out, bool *help,
                                     char *message, size_t capacity);
void options_print_help(void);

/* Where sealpostd is built beside this program, if it was not given. */
const char *options_find_sealpostd(const struct options *options, char *out, size_t capacity);

#endif
