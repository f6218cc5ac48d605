/* `sealpostd invite`: the way back in, from the server itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/escape.h"
#include "base/name.h"
#include "server/command.h"
#include "server/invite.h"
#include "server/json.h"
#include "server/state.h"
#include "tls/device.h"

#define CONFIG_FLAG "--config"
#define INVITE_MESSAGE_BYTES 4096

static void print_usage(void)
{
    printf(
        "Usage: sealpostd invite DIR NAME [--admin] [--json] [--KEY VALUE...]\n"
        "       sealpostd invite --config FILE NAME [--admin] [--json] [--KEY VALUE...]\n"
        "\n"
        "Makes a join code without any administrator: for a team whose administrators have lost\n"
        "all their devices. NAME gets a code for another device if it is a member's, and is\n"
        "invited if not, with --admin as an administrator. Older codes for NAME are void then;\n"
        "whoever was invited as an administrator still is.\n"
        "The server must have been stopped; run this as the user that it runs as. While it\n"
        "runs, an administrator does the same with 'sealpost member invite' and\n"
        "'sealpost device add --member'.\n"
        "\n"
        "  --admin  whoever is new becomes an administrator; a member's role stays\n"
        "  --json   prints one JSON object\n");
}

struct arguments {
    const char *name;
    bool admin;
    bool json;
};

/* Takes what is this command's own off the arguments; what stays is for command_load(). */
static bool take_arguments(int *argc, char **argv, struct arguments *out)
{
    int name = strcmp(argv[0], CONFIG_FLAG) == 0 ? 2 : 1;
    int kept = 0;

    *out = (struct arguments){0};
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], "--admin") == 0) {
            out->admin = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            out->json = true;
        } else if (kept == name && out->name == NULL) {
            out->name = argv[i];
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    return out->name != NULL && out->name[0] != '-';
}

static void tell_json(const struct invite_order *order, const struct invite_made *made)
{
    struct json json;

    json_open(&json, stdout);
    json_string(&json, "type", "join_code");
    json_string(&json, "name", order->username);
    if (!made->device) {
        json_string(&json, "role", order->role == ROLE_ADMINISTRATOR ? "administrator" : "member");
    }
    json_bool(&json, "device", made->device);
    json_string(&json, "status", "invited");
    json_time(&json, "expires", made->ends_ms);
    json_string(&json, "code", made->code);
    json_close(&json);
}

static void tell(const struct invite_order *order, const struct invite_made *made)
{
    char ends[RFC3339_BYTES];

    clock_format_rfc3339(made->ends_ms, ends);
    printf(made->device
               ? "For another device of %s, once, before %s, when the server runs again:\n"
               : "%s is invited, and types, once, before %s, when the server runs again:\n",
           order->username, ends);
    printf("    sealpost join %s\n", made->code);
}

/* The database must be there: this command makes none. */
static enum sp_error invite_in(const struct settings *settings, const struct invite_order *order,
                               struct invite_made *made, char *message, size_t capacity)
{
    struct state state;
    struct domain *domain = NULL;
    enum sp_error error = state_init(&state, settings->state);

    if (error != SP_OK) {
        return error;
    }
    const struct domain_config config = {
        .path = state.database, .team = settings->team, .clock = clock_system()};
    if (state.running) {
        error = SP_EBUSY;
        (void)snprintf(message, capacity,
                       "the server is running: an administrator can invite, with 'sealpost member "
                       "invite'; if there is none any more, stop the server first");
    } else if (access(state.database, F_OK) != 0) {
        error = SP_ENOTFOUND;
        (void)snprintf(message, capacity, "%s: is not there", state.database);
    } else {
        error = domain_open(&config, &domain, message, capacity);
    }
    if (error == SP_OK) {
        error = invite_make(domain, order, made, message, capacity);
    }
    domain_close(domain);
    state_deinit(&state);
    return error;
}

static int run(const struct settings *settings, const struct arguments *arguments)
{
    char message[INVITE_MESSAGE_BYTES] = "";
    char host[LIMIT_HOST_BYTES + 1];
    struct invite_made made;
    struct invite_order order = {
        .username = arguments->name,
        .role = arguments->admin ? ROLE_ADMINISTRATOR : ROLE_MEMBER,
        .host = host,
        .now_ms = clock_wall_ms(clock_system()),
    };

    if (settings->host == NULL) {
        return command_fail(SP_ECONFIG, "the configuration does not say under which 'host' clients "
                                        "find the server; add --host HOST[:PORT]");
    }
    enum sp_error error = config_parse_host_port(settings->host, host, &order.port);
    if (error == SP_OK) {
        error = device_root_read(settings->ca, &order.root, message, sizeof message);
    }
    if (error == SP_OK) {
        error = invite_in(settings, &order, &made, message, sizeof message);
    }
    if (error != SP_OK) {
        return command_fail(error, message[0] != '\0' ? message : sp_error_text(error));
    }
    if (arguments->json) {
        tell_json(&order, &made);
    } else {
        tell(&order, &made);
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int command_invite(int argc, char **argv)
{
    struct arguments arguments;
    if (argc == 0 || command_wants_help(argc, argv)) {
        print_usage();
        return argc == 0 ? EXIT_USAGE : EXIT_SUCCESS;
    }
    if (!take_arguments(&argc, argv, &arguments)) {
        return command_fail(SP_EINVALID,
                            "invite needs DIR and NAME; see 'sealpostd invite --help'");
    }
    if (name_check_username(arguments.name, strlen(arguments.name)) != SP_OK) {
        char message[512];
        char shown[256];
        (void)escape_for_terminal(arguments.name, strlen(arguments.name), false, shown,
                                  sizeof shown);
        (void)snprintf(message, sizeof message, "'%s' is not a name: [a-z0-9][a-z0-9._-]{0,31}",
                       shown);
        return command_fail(SP_EINVALID, message);
    }
    struct settings_source source;
    struct settings settings;
    int code = command_load(argc, argv, &source, &settings);
    if (code != EXIT_SUCCESS) {
        return code;
    }
    code = run(&settings, &arguments);
    settings_deinit(&settings);
    settings_source_deinit(&source);
    return code;
}
