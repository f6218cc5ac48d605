/* `sealpostd status`: what the running server says of itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "server/command.h"
#include "server/control.h"
#include "server/state.h"

enum { FLAG_JSON, FLAG_COUNT };
static const char *const flags[] = {"--json", NULL};

/* Our own JSON, one object, as lines: "commits.last_us: 412". No string in it has a quote. */
static void print_lines(const char *json)
{
    char prefix[64] = "";
    const char *at = json + 1;
    while (*at == '"') {
        size_t key = strcspn(++at, "\"");
        const char *value = at + key + 2;
        if (*value == '{') {
            snprintf(prefix, sizeof prefix, "%.*s.", (int)key, at);
            at = value + 1;
            continue;
        }
        size_t size = strcspn(value, *value == '"' ? "" : ",}");
        const char *shown = value;
        if (*value == '"') {
            shown++;
            size = strcspn(shown, "\"");
        }
        printf("%s%.*s: %.*s\n", prefix, (int)key, at, (int)size, shown);
        at = shown + size + (shown == value ? 0 : 1);
        while (*at == '}') {
            prefix[0] = '\0';
            at++;
        }
        at += *at == ',' ? 1 : 0;
    }
}

static int ask(const struct state *state, bool json)
{
    char *answer = NULL;
    char message[512];
    enum sp_error error = control_ask(state->directory, "status", &answer);
    if (error == SP_EUNREACHABLE) {
        snprintf(message, sizeof message, "no server runs in %s", state->directory);
        return command_fail(error, message);
    }
    if (error != SP_OK) {
        snprintf(message, sizeof message, "%s: %s", state->control, sp_error_text(error));
        return command_fail(error, message);
    }
    if (json) {
        fputs(answer, stdout);
    } else {
        print_lines(answer);
    }
    free(answer);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int command_status(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf(
            "Usage: sealpostd status DIR | --config FILE [--json]\n"
            "\n"
            "Says how the running server is doing: sessions, queues, commit times, and how much\n"
            "is stored. For the account that the server runs as, and for root.\n"
            "\n"
            "  --json  one JSON object; sealpostd(8) says what is in it\n"
            "\n"
            "Exit codes: 0 it runs, 69 it does not, 4 only its account and root may ask.\n");
        return EXIT_SUCCESS;
    }
    bool given[FLAG_COUNT] = {false};
    struct state state;
    int code = state_find(argc, argv, flags, given, NULL, 0, &state);
    if (code == EXIT_SUCCESS) {
        code = ask(&state, given[FLAG_JSON]);
        state_deinit(&state);
    }
    return code;
}
