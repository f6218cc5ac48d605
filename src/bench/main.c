/* sealpost-bench: the command line. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bare.h"
#include "bench/process.h"
#include "bench/scenario.h"

#define EXIT_USAGE 2

static const struct {
    const char *name;
    scenario_fn run;
} scenarios[] = {
    {"floor", scenario_floor},       {"connect", scenario_connect}, {"idle", scenario_idle},
    {"fanout", scenario_fanout},     {"direct", scenario_fanout},   {"upload", scenario_upload},
    {"download", scenario_download}, {"commit", scenario_commit},   {"history", scenario_history},
    {"growth", scenario_growth},
};

static scenario_fn find_scenario(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return scenarios[i].run;
        }
    }
    return NULL;
}

/* "fanout fan: rooms 1, sessions 1000, ...": what was measured, in words. */
static void describe(const struct options *options, char *out, size_t capacity)
{
    const struct pattern *pattern = &options->pattern;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"rooms", pattern->rooms},     {"sessions", pattern->sessions},
        {"senders", pattern->senders}, {"in flight", pattern->in_flight},
        {"bytes", pattern->bytes},     {"messages/s", pattern->rate},
        {"file bytes", pattern->size}, {"files", pattern->uploads},
        {"history", pattern->history}, {"seconds", options->seconds},
        {"repeats", options->repeat},
    };
    int at = snprintf(out, capacity, "%s %s:", options->preset->scenario, options->preset->name);
    for (size_t i = 0; i < COUNT_OF(numbers) && at > 0 && (size_t)at < capacity; i++) {
        if (numbers[i].value > 0) {
            at += snprintf(out + at, capacity - (size_t)at, " %s %llu,", numbers[i].name,
                           (unsigned long long)numbers[i].value);
        }
    }
    size_t size = strlen(out);
    (void)snprintf(out + size - 1, capacity - size + 1, "%s", options->pin ? "" : ", not pinned");
}

static enum sp_error run(const struct options *options, struct figures *figures)
{
    struct lab lab;
    scenario_fn scenario = find_scenario(options->preset->scenario);
    enum sp_error error = lab_open(options, &lab);
    if (error != SP_OK) {
        return error;
    }
    for (uint64_t i = 0; error == SP_OK && i < options->repeat; i++) {
        error = scenario(&lab, figures);
    }
    lab_close(&lab);
    for (size_t i = 0; i < PRESET_TARGETS && options->preset->targets[i].figure != NULL; i++) {
        figures_set_target(figures, options->preset->targets[i].figure,
                           options->preset->targets[i].text);
    }
    return error;
}

int main(int argc, char **argv)
{
    struct options options;
    char message[256] = "";
    bool help = false;
    (void)signal(SIGPIPE, SIG_IGN);
    process_raise_descriptor_limit();
    if (argc == 3 && strcmp(argv[1], BARE_COMMAND) == 0) {
        bare_serve(argv[2]);
        return EXIT_FAILURE;
    }
    if (options_parse(argc - 1, argv + 1, &options, &help, message, sizeof message) != SP_OK) {
        (void)fprintf(stderr, "sealpost-bench: error: %s\nsealpost-bench: hint: see --help\n",
                      message);
        return EXIT_USAGE;
    }
    if (help) {
        options_print_help();
        return argc > 1 ? EXIT_SUCCESS : EXIT_USAGE;
    }
    struct figures *figures = calloc(1, sizeof *figures);
    char description[512];
    enum sp_error error = figures == NULL ? SP_ENOMEM : run(&options, figures);
    if (error != SP_OK) {
        (void)fprintf(stderr, "sealpost-bench: error: %s\n", sp_error_text(error));
        free(figures);
        return EXIT_FAILURE;
    }
    describe(&options, description, sizeof description);
    if (options.json) {
        figures_print_json(figures, options.preset->scenario, description, stdout);
    } else {
        (void)printf("%s\n\n", description);
        figures_print(figures, stdout);
    }
    free(figures);
    return EXIT_SUCCESS;
}
