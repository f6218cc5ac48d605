/* sealpostd: the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/secret.h"
#include "server/internal.h"
#include "server/server.h"
#include "server/settings.h"

#define EXIT_USAGE 2

static void print_help(void)
{
    printf("Usage: sealpostd run   --config FILE [--KEY VALUE...]\n"
           "       sealpostd check --config FILE [--KEY VALUE...]\n"
           "       sealpostd --help | --version\n"
           "\n"
           "Team chat and file submission where your certificate is your login: the server.\n"
           "\n"
           "  run     serves; SIGTERM drains and stops, SIGHUP loads certificates and lists again\n"
           "  check   says whether `run` would start, and what is wrong if not\n"
           "\n"
           "Every key of the configuration file (\"key = value\", '#' starts a comment) is also a\n"
           "flag that overrides it, such as --listen [::]:7643. The keys:\n"
           "\n");
    settings_print_keys();
    printf("\n"
           "Exit codes: 0 done, 1 failed, 2 usage or configuration, 4 certificate or key.\n");
}

static int fail(enum sp_error error, const char *message)
{
    fprintf(stderr, "sealpostd: error: %s\n", message);
    return sp_error_exit_code(error);
}

static int run(const struct settings *settings)
{
    struct log *log = NULL;
    struct server *server = NULL;
    char message[SETTINGS_MESSAGE_BYTES] = "";
    enum sp_error error = log_new(STDERR_FILENO, settings->log_level, &log);
    if (error != SP_OK) {
        return fail(error, "the log cannot be started");
    }
    error = server_new(settings, log, &server, message, sizeof message);
    if (error == SP_OK) {
        error = server_run(server);
        snprintf(message, sizeof message, "%s",
                 "the disk did not keep what was written; start again after looking at it");
    }
    server_free(server);
    log_free(log);
    return error == SP_OK ? EXIT_SUCCESS : fail(error, message);
}

static int check(const struct settings *settings)
{
    char message[AUTHORITY_REASON_BYTES] = "";
    struct authority *authority = NULL;
    enum sp_error error =
        reload_load(settings, clock_system(), &authority, message, sizeof message);
    if (error != SP_OK) {
        return fail(error, message);
    }
    char until[RFC3339_BYTES];
    clock_format_rfc3339(authority_own(authority)->not_after_ms, until);
    printf("certificate: valid until %s\n", until);
    clock_format_rfc3339(authority_crl_next_update_ms(authority), until);
    printf("revocation lists: fresh until %s, %zu revoked\n", until,
           authority_revoked_count(authority));
    authority_unref(authority);
    if (access(settings->state, F_OK) == 0 && access(settings->state, R_OK | W_OK | X_OK) != 0) {
        snprintf(message, sizeof message, "%s: cannot be written; check its owner and mode",
                 settings->state);
        return fail(SP_EFILE, message);
    }
    printf("ok\n");
    return EXIT_SUCCESS;
}

struct command_entry {
    const char *name;
    int (*run)(const struct settings *settings);
};

static const struct command_entry commands[] = {
    {"run", run},
    {"check", check},
};

/* "--config FILE" or "--config=FILE" in front. How many arguments it took; -1 without a value. */
static int take_config(int argc, char **argv, const char **config)
{
    if (argc > 0 && strncmp(argv[0], "--config=", strlen("--config=")) == 0) {
        *config = argv[0] + strlen("--config=");
        return 1;
    }
    if (argc > 0 && strcmp(argv[0], "--config") == 0) {
        *config = argc > 1 ? argv[1] : NULL;
        return argc > 1 ? 2 : -1;
    }
    return 0;
}

static int run_command(const struct command_entry *command, int argc, char **argv)
{
    const char *config = NULL;
    char message[SETTINGS_MESSAGE_BYTES] = "";
    int taken = take_config(argc, argv, &config);
    if (taken < 0) {
        return fail(SP_EINVALID, "--config needs a file");
    }
    struct settings settings;
    enum sp_error error = settings_load(config, argc - taken, (const char *const *)(argv + taken),
                                        &settings, message, sizeof message);
    if (error != SP_OK) {
        return fail(error, message);
    }
    int code = command->run(&settings);
    settings_deinit(&settings);
    return code;
}

int main(int argc, char **argv)
{
    server_block_signals();
    if (secret_init() != SP_OK) {
        return fail(SP_EINTERNAL, "libsodium cannot be initialised");
    }
    const char *name = argc > 1 ? argv[1] : "--help";
    bool wants_help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
                      strcmp(name, "help") == 0 || (argc > 2 && strcmp(argv[2], "--help") == 0);
    if (wants_help) {
        print_help();
        return argc > 1 ? EXIT_SUCCESS : EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0) {
        printf("%s\n", SERVER_NAME);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return run_command(&commands[i], argc - 2, argv + 2);
        }
    }
    fprintf(stderr, "sealpostd: error: unknown command '%s'\nsealpostd: hint: sealpostd --help\n",
            name);
    return EXIT_USAGE;
}
