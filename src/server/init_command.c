/* `sealpostd init`: its command line, and what it tells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/escape.h"
#include "base/name.h"
#include "server/command.h"
#include "server/init.h"

#define ADMIN "admin"

static void print_usage(void)
{
    printf(
        "Usage: sealpostd init DIR --team NAME --host HOST[,HOST...][:PORT] [OPTION...]\n"
        "       sealpostd init DIR --adopt CADIR --host HOST[,HOST...][:PORT] [OPTION...]\n"
        "\n"
        "Makes a team from nothing: certificate authority, server and receipt certificates,\n"
        "revocation lists, configuration, systemd unit, and the join code of the first\n"
        "administrator. Then 'sealpostd run DIR' serves.\n"
        "\n"
        "  --team NAME       [a-z0-9][a-z0-9._-]{0,31}; it can never be changed\n"
        "  --host HOST       names and addresses of the server, for its certificate; the first\n"
        "                    one, with the port, is where clients go\n"
        "  --adopt CADIR     takes a directory of tools/make-test-ca over: its certificates go on\n"
        "                    being good\n"
        "  --admin NAME      the first administrator's name (" ADMIN ")\n"
        "  --listen HOST:PORT  where to listen, if not at all addresses\n"
        "  --json            prints one JSON object\n");
}

struct arguments {
    struct init_order order;
    const char *host;
    bool json;
};

static int fail(const char *what, const char *value, const char *why)
{
    char message[1024];
    char shown[256];
    (void)escape_for_terminal(value, strlen(value), false, shown, sizeof shown);
    (void)snprintf(message, sizeof message, "%s '%s' %s", what, shown, why);
    return command_fail(SP_EINVALID, message);
}

/* The flag's place among the arguments; NULL: there is no such flag. */
static const char **find_flag(struct arguments *arguments, const char *name, size_t size)
{
    const struct {
        const char *name;
        const char **value;
    } flags[] = {
        {"--team", &arguments->order.team},     {"--host", &arguments->host},
        {"--adopt", &arguments->order.adopt},   {"--admin", &arguments->order.admin},
        {"--listen", &arguments->order.listen},
    };
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        if (strlen(flags[i].name) == size && memcmp(flags[i].name, name, size) == 0) {
            return flags[i].value;
        }
    }
    return NULL;
}

/* One argument, or a flag and its value. How many were taken; 0: that is no argument, and it was
 * said. */
static int take_argument(struct arguments *arguments, int argc, char **argv)
{
    size_t size = strcspn(argv[0], "=");
    if (strcmp(argv[0], "--json") == 0) {
        arguments->json = true;
        return 1;
    }
    if (argv[0][0] != '-' && arguments->order.directory == NULL) {
        arguments->order.directory = argv[0];
        return 1;
    }
    const char **value = find_flag(arguments, argv[0], size);
    bool inside = argv[0][size] == '=';
    if (value == NULL || (!inside && argc < 2)) {
        (void)fail("the argument", argv[0], value == NULL ? "is not known" : "needs a value");
        return 0;
    }
    *value = inside ? argv[0] + size + 1 : argv[1];
    return inside ? 1 : 2;
}

/* "HOST,HOST:PORT": the port stands behind the last one. */
static int take_hosts(struct arguments *arguments)
{
    struct init_order *order = &arguments->order;
    const char *last = strrchr(arguments->host, ',');
    char host[LIMIT_HOST_BYTES + 1];
    char reason[256];
    const char *at = arguments->host;
    last = last == NULL ? arguments->host : last + 1;
    if (config_parse_host_port(last, host, &order->port) != SP_OK || order->port == 0) {
        return fail("--host:", last, "is not HOST or HOST:PORT");
    }
    while (at < last) {
        size_t size = strcspn(at, ",");
        if (ca_hosts_add(&order->hosts, at, size, reason, sizeof reason) != SP_OK) {
            return fail("--host:", at, reason);
        }
        at += size + 1;
    }
    return ca_hosts_add(&order->hosts, host, strlen(host), reason, sizeof reason) == SP_OK
               ? 0
               : fail("--host:", host, reason);
}

static int check_names(const struct init_order *order)
{
    static const char rule[] = "is not a name: [a-z0-9][a-z0-9._-]{0,31}";
    char host[LIMIT_HOST_BYTES + 1];
    uint16_t port = 0;
    if (order->team != NULL && name_check_team(order->team, strlen(order->team)) != SP_OK) {
        return fail("--team:", order->team, rule);
    }
    if (name_check_username(order->admin, strlen(order->admin)) != SP_OK) {
        return fail("--admin:", order->admin, rule);
    }
    if (order->listen != NULL && config_parse_host_port(order->listen, host, &port) != SP_OK) {
        return fail("--listen:", order->listen, "is not HOST:PORT");
    }
    return 0;
}

static int read_arguments(int argc, char **argv, struct arguments *out)
{
    *out = (struct arguments){.order = {.admin = ADMIN}};
    while (argc > 0) {
        int taken = take_argument(out, argc, argv);
        if (taken == 0) {
            return EXIT_USAGE;
        }
        argc -= taken;
        argv += taken;
    }
    if (out->order.directory == NULL || out->host == NULL ||
        (out->order.team == NULL) == (out->order.adopt == NULL)) {
        return command_fail(SP_EINVALID, "init needs DIR, --host, and one of --team and --adopt; "
                                         "see 'sealpostd init --help'");
    }
    int code = take_hosts(out);
    return code == 0 ? check_names(&out->order) : code;
}

static void tell_json(const struct init_order *order, const struct init_made *made)
{
    char root[DIGEST_HEX_BYTES];
    char ends[RFC3339_BYTES];
    char directory[6 * INIT_PATH_BYTES];
    hex_encode(made->team.root.bytes, DIGEST_BYTES, root);
    clock_format_rfc3339(made->invitation.ends_ms, ends);
    (void)escape_for_json(made->directory, strlen(made->directory), directory, sizeof directory);
    printf(
        "{\"type\":\"team\",\"team\":\"%s\",\"directory\":\"%s\",\"admin\":\"%s\",\"code\":\"%s\","
        "\"code_expires\":\"%s\",\"root_sha256\":\"%s\"",
        made->team.team, directory, order->admin, made->invitation.code, ends, root);
    clock_format_rfc3339(made->team.server_ends_ms, ends);
    printf(",\"server_expires\":\"%s\"", ends);
    clock_format_rfc3339(made->team.issuing_ends_ms, ends);
    printf(",\"issuing_expires\":\"%s\"", ends);
    clock_format_rfc3339(made->team.root_list_ends_ms, ends);
    printf(",\"root_list_expires\":\"%s\",\"revoked\":%zu}\n", ends, made->team.withdrawn);
}

static void tell(const struct init_order *order, const struct init_made *made)
{
    char ends[RFC3339_BYTES];
    char shown[4 * INIT_PATH_BYTES];
    (void)escape_for_terminal(made->directory, strlen(made->directory), false, shown, sizeof shown);
    printf("Made the team %s in %s:\n"
           "  sealpost.conf      the configuration, with comments\n"
           "  ca/, ca.pem        the certificate authority; crl.pem: its revocation lists\n"
           "  server/            the server's certificate and key\n"
           "  state/             the database and the files: the team's memory\n"
           "  sealpostd.service  a systemd unit\n\n",
           made->team.team, shown);
    if (order->adopt == NULL) {
        clock_format_rfc3339(made->team.root_list_ends_ms, ends);
        printf("The root's key is not needed to run. Take it offline now, to two places that are\n"
               "safe, and delete it here:\n"
               "    %s/ca/root-key.pem\n"
               "It will be needed for a new issuing CA, and for the root's own revocation list\n"
               "before %s ('sealpostd root-list').\n\n",
               shown, ends);
    } else {
        printf(
            "Certificates that the authority has given out go on being good (admit = ca), and %zu\n"
            "are withdrawn. The root's key stayed where it was.\n\n",
            made->team.withdrawn);
    }
    clock_format_rfc3339(made->invitation.ends_ms, ends);
    printf("Serve:\n"
           "    sealpostd run %s\n\n"
           "The first administrator, %s, then types, once, before %s:\n"
           "    sealpost join %s\n",
           shown, order->admin, ends, made->invitation.code);
}

int command_init(int argc, char **argv)
{
    char message[INIT_MESSAGE_BYTES];
    struct arguments arguments;
    struct init_made made;
    if (argc == 0 || command_wants_help(argc, argv)) {
        print_usage();
        return argc == 0 ? EXIT_USAGE : EXIT_SUCCESS;
    }
    int code = read_arguments(argc, argv, &arguments);
    if (code != 0) {
        return code;
    }
    arguments.order.now_ms = clock_wall_ms(clock_system());
    enum sp_error error = init_make(&arguments.order, &made, message, sizeof message);
    if (error != SP_OK) {
        return command_fail(error, message);
    }
    if (arguments.json) {
        tell_json(&arguments.order, &made);
    } else {
        tell(&arguments.order, &made);
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
