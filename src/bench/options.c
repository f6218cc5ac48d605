#include "bench/options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "bench/figures.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* The first preset of a scenario is what it does when none is named. */
static const struct preset presets[] = {
    {"floor",
     "fan",
     {.rooms = 1, .sessions = 1000, .senders = 10, .in_flight = 16, .bytes = 200},
     {{NULL, NULL}}},
    {"connect", "handshakes", {.sessions = 2000, .in_flight = 16}, {{"handshake", "<= 650"}}},
    {"idle", "1000", {.rooms = 1, .sessions = 1000}, {{"idle_session", "<= 20"}}},
    {"idle", "5000", {.rooms = 1, .sessions = 5000}, {{"idle_session", "<= 20"}}},
    {"fanout",
     "fan",
     {.rooms = 1, .sessions = 1000, .senders = 10, .in_flight = 16, .bytes = 200},
     {{"deliveries", ">= 1300000 (0.67)"}, {"cpu_per_million", "<= 0.8"}}},
    {"fanout",
     "fan1",
     {.rooms = 1, .sessions = 1000, .senders = 10, .in_flight = 1, .bytes = 200},
     {{"deliveries", ">= 350000 (0.84)"}}},
    {"fanout",
     "rooms",
     {.rooms = 100, .sessions = 1000, .senders = 100, .in_flight = 4, .bytes = 200},
     {{"deliveries", ">= 280000 (0.64)"}}},
    {"fanout",
     "paced",
     {.rooms = 1, .sessions = 1000, .senders = 10, .in_flight = 16, .bytes = 200, .rate = 20},
     {{"delivery_p50", "<= 7.2 + commit"}, {"delivery_p99", "<= 14 + commit"}}},
    {"fanout",
     "light",
     {.rooms = 20, .sessions = 200, .senders = 20, .in_flight = 16, .bytes = 200, .rate = 200},
     {{"delivery_p50", "<= 0.45 + commit"}, {"delivery_p99", "<= 0.8 + commit"}}},
    {"direct",
     "pair",
     {.rooms = 1, .sessions = 2, .senders = 1, .in_flight = 1, .bytes = 200},
     {{NULL, NULL}}},
    {"direct",
     "pairs",
     {.rooms = 100, .sessions = 200, .senders = 100, .in_flight = 1, .bytes = 200},
     {{NULL, NULL}}},
    {"upload",
     "one",
     {.rooms = 1, .sessions = 1, .size = GIB, .uploads = 1},
     {{"transfer", ">= 0.7 of the slowest floor"}}},
    {"upload",
     "chat",
     {.rooms = 1,
      .sessions = 10,
      .senders = 1,
      .in_flight = 16,
      .bytes = 200,
      .rate = 50,
      .size = GIB,
      .uploads = 4,
      .chat = 1},
     {{"delivery_p99", "<= 20 + commit"}}},
    {"download",
     "one",
     {.rooms = 1, .sessions = 1, .size = GIB, .uploads = 1},
     {{"transfer", ">= 0.7 of the slowest floor"}}},
    {"commit",
     "one",
     {.rooms = 1, .senders = 1, .in_flight = 1, .bytes = 200},
     {{"messages", ">= 0.8 of the floor"}}},
    {"commit",
     "many",
     {.rooms = 10, .senders = 100, .in_flight = 32, .bytes = 200},
     {{"messages", ">= 50000"}}},
    {"history",
     "paged",
     {.rooms = 1,
      .sessions = 10,
      .senders = 1,
      .in_flight = 16,
      .bytes = 200,
      .rate = 100,
      .history = 500000},
     {{NULL, NULL}}},
    {"growth", "10k", {.bytes = 200, .history = 10000}, {{NULL, NULL}}},
    {"growth", "100k", {.bytes = 200, .history = 100000}, {{NULL, NULL}}},
    {"growth",
     "1m",
     {.bytes = 200, .history = 1000000},
     {{"start", "as with 10k"}, {"page_p50", "as with 10k"}}},
};

enum option_type { OPTION_NUMBER, OPTION_SIZE, OPTION_TEXT, OPTION_ON, OPTION_OFF };

struct option {
    const char *name;
    enum option_type type;
    size_t offset;
    uint64_t minimum;
    uint64_t maximum;
    const char *meaning;
};

#define FIELD(field) offsetof(struct options, field)

static const struct option option_table[] = {
    {"preset", OPTION_TEXT, FIELD(preset), 0, 0, NULL},
    {"rooms", OPTION_NUMBER, FIELD(pattern.rooms), 1, 10000, "rooms"},
    {"sessions", OPTION_NUMBER, FIELD(pattern.sessions), 1, 16384,
     "sessions, spread over the rooms; of connect: handshakes"},
    {"senders", OPTION_NUMBER, FIELD(pattern.senders), 1, 16384, "of these, who sends"},
    {"in-flight", OPTION_NUMBER, FIELD(pattern.in_flight), 1, 64,
     "messages that each sender has on their way; of connect: handshakes at a time"},
    {"bytes", OPTION_SIZE, FIELD(pattern.bytes), 16, LIMIT_TEXT_BYTES, "of a message"},
    {"rate", OPTION_NUMBER, FIELD(pattern.rate), 0, 1000000,
     "messages per second in all; 0: as fast as it goes"},
    {"size", OPTION_SIZE, FIELD(pattern.size), 1, 64 * GIB, "of a file"},
    {"files", OPTION_NUMBER, FIELD(pattern.uploads), 1, 8, "files under way at a time"},
    {"history", OPTION_NUMBER, FIELD(pattern.history), 1, 100000000,
     "events that are there already; the sessions page through them"},
    {"seconds", OPTION_NUMBER, FIELD(seconds), 1, 3600, "to measure (5)"},
    {"members", OPTION_NUMBER, FIELD(members), 1, 1000,
     "different members whose certificates the sessions share (20)"},
    {"repeat", OPTION_NUMBER, FIELD(repeat), 1, FIGURES_REPEATS,
     "times, each with a server of its own; medians are printed (1)"},
    {"sealpostd", OPTION_TEXT, FIELD(sealpostd), 0, 0, "the server (as built beside this program)"},
    {"tools", OPTION_TEXT, FIELD(tools), 0, 0, "directory of make-test-ca (the source tree's)"},
    {"state", OPTION_TEXT, FIELD(state), 0, 0,
     "a directory on the disk that is to be measured (.)"},
    {"ca", OPTION_TEXT, FIELD(ca), 0, 0, "keep the certificates here for other runs"},
    {"log-level", OPTION_TEXT, FIELD(log_level), 0, 0, "of the server (info)"},
    {"no-pin", OPTION_OFF, FIELD(pin), 0, 0,
     "do not hold the server to processor 0 and the generator to 1"},
    {"no-floor", OPTION_OFF, FIELD(floor), 0, 0, "do not measure the floor"},
    {"json", OPTION_ON, FIELD(json), 0, 0, "print one JSON object"},
};

static const char *const scenario_help[][2] = {
    {"floor", "only the bare TLS server, the bare disk and the bare ciphers"},
    {"connect", "full mutual handshakes and logins: server CPU for each"},
    {"idle", "sessions that do nothing: memory of the server for each"},
    {"fanout", "messages to rooms: deliveries, CPU per million, latency"},
    {"direct", "messages between two: latency"},
    {"upload", "files to the server, with or without a chat beside them"},
    {"download", "files from the server"},
    {"commit", "messages acknowledged as durable, nobody reading"},
    {"growth", "a long history: start of the server, a page out of its midst"},
    {"history", "messages acknowledged as durable, while others page through a long history"},
};

static const struct preset *find_preset(const char *scenario, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(presets); i++) {
        bool named = name == NULL || strcmp(presets[i].name, name) == 0;
        if (strcmp(presets[i].scenario, scenario) == 0 && named) {
            return &presets[i];
        }
    }
    return NULL;
}

static const struct option *find_option(const char *name, size_t size)
{
    for (size_t i = 0; i < COUNT_OF(option_table); i++) {
        if (strlen(option_table[i].name) == size && memcmp(option_table[i].name, name, size) == 0) {
            return &option_table[i];
        }
    }
    return NULL;
}

static enum sp_error set_preset(struct options *options, const char *name)
{
    const struct preset *preset = find_preset(options->preset->scenario, name);
    if (preset == NULL) {
        return SP_EINVALID;
    }
    options->preset = preset;
    options->pattern = preset->pattern;
    return SP_OK;
}

static enum sp_error set(struct options *options, const struct option *option, const char *value)
{
    void *field = (char *)options + option->offset;
    switch (option->type) {
    case OPTION_NUMBER:
        return config_parse_u64(value, option->minimum, option->maximum, field);
    case OPTION_SIZE:
        return config_parse_size(value, option->minimum, option->maximum, field);
    case OPTION_ON:
    case OPTION_OFF:
        *(bool *)field = option->type == OPTION_ON;
        return SP_OK;
    case OPTION_TEXT:
        if (option->offset == FIELD(preset)) {
            return set_preset(options, value);
        }
        *(const char **)field = value;
        return SP_OK;
    }
    return SP_EINVALID;
}

/* "--name VALUE", "--name=VALUE", "--flag". How many arguments it took; 0 on error. */
static int take(struct options *options, int argc, char *const *argv, char *message,
                size_t capacity)
{
    const char *name = argv[0] + 2;
    size_t size = strcspn(name, "=");
    const struct option *option = strncmp(argv[0], "--", 2) == 0 ? find_option(name, size) : NULL;
    if (option == NULL) {
        (void)snprintf(message, capacity, "unknown argument '%s'", argv[0]);
        return 0;
    }
    bool flag = option->type == OPTION_ON || option->type == OPTION_OFF;
    bool together = name[size] == '=';
    const char *value = flag ? "" : together ? name + size + 1 : argc > 1 ? argv[1] : NULL;
    if (value == NULL || (flag && together) || set(options, option, value) != SP_OK) {
        (void)snprintf(message, capacity, "--%s: %s%s%s", option->name,
                       value == NULL ? "needs a value" : "does not take '",
                       value == NULL ? "" : value, value == NULL ? "" : "'");
        return 0;
    }
    return flag || together ? 1 : 2;
}

enum sp_error options_parse(int argc, char *const *argv, struct options *out, bool *help,
                            char *message, size_t capacity)
{
    *out = (struct options){
        .seconds = 5,
        .members = 20,
        .repeat = 1,
        .tools = SEALPOST_TOOLS,
        .state = ".",
        .log_level = "info",
        .pin = true,
        .floor = true,
    };
    *help = argc == 0;
    for (int i = 0; i < argc; i++) {
        *help |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    }
    if (*help) {
        return SP_OK;
    }
    out->preset = find_preset(argv[0], NULL);
    if (out->preset == NULL) {
        (void)snprintf(message, capacity, "unknown scenario '%s'", argv[0]);
        return SP_EINVALID;
    }
    out->pattern = out->preset->pattern;
    for (int i = 1; i < argc;) {
        int taken = take(out, argc - i, argv + i, message, capacity);
        if (taken == 0) {
            return SP_EINVALID;
        }
        i += taken;
    }
    return SP_OK;
}

void options_print_help(void)
{
    (void)printf("Usage: sealpost-bench SCENARIO [--preset NAME] [OPTION...]\n"
                 "\n"
                 "Starts a server of its own on 127.0.0.1, loads it from one process, and prints\n"
                 "what it did beside a floor: the same pattern with a bare TLS server, the bare\n"
                 "disk, the bare cipher, measured in the same run.\n"
                 "\n");
    for (size_t i = 0; i < COUNT_OF(scenario_help); i++) {
        (void)printf("  %-10s %s\n             presets:", scenario_help[i][0], scenario_help[i][1]);
        for (size_t j = 0; j < COUNT_OF(presets); j++) {
            if (strcmp(presets[j].scenario, scenario_help[i][0]) == 0) {
                (void)printf(" %s", presets[j].name);
            }
        }
        (void)printf("\n");
    }
    (void)printf("\nOptions, each changing what the preset says:\n\n");
    for (size_t i = 0; i < COUNT_OF(option_table); i++) {
        if (option_table[i].meaning != NULL) {
            (void)printf("  --%-10s %s\n", option_table[i].name, option_table[i].meaning);
        }
    }
}

const char *options_find_sealpostd(const struct options *options, char *out, size_t capacity)
{
    if (options->sealpostd != NULL) {
        return options->sealpostd;
    }
    ssize_t size = readlink("/proc/self/exe", out, capacity - 1);
    out[size < 0 ? 0 : size] = '\0';
    char *slash = strrchr(out, '/');
    size_t at = slash == NULL ? 0 : (size_t)(slash - out);
    (void)snprintf(out + at, capacity - at, "/../server/sealpostd");
    return access(out, X_OK) == 0 ? out : "sealpostd";
}
