/* sealpostd: the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/openssl.h"
#include "crypto/secret.h"
#include "server/command.h"
#include "server/server.h"

static int serve(const struct settings_source *source, struct settings *settings)
{
    struct log *log = NULL;
    struct server *server = NULL;
    char message[SETTINGS_MESSAGE_BYTES] = "";
    enum sp_error error = log_new(STDERR_FILENO, settings->log_level, &log);
    if (error != SP_OK) {
        return command_fail(error, "the log cannot be started");
    }
    error = server_new(source, settings, log, &server, message, sizeof message);
    if (error == SP_OK) {
        error = server_run(server);
        snprintf(message, sizeof message, "%s",
                 "the disk did not keep what was written; start again after looking at it");
    }
    server_free(server);
    log_free(log);
    return error == SP_OK ? EXIT_SUCCESS : command_fail(error, message);
}

static int command_run(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf("Usage: sealpostd run [DIR | --config FILE] [--KEY VALUE...]\n"
               "\n"
               "Serves. SIGTERM drains and stops, SIGHUP loads settings, certificates\n"
               "and lists again, and so does a change of their files.\n");
        command_print_keys();
        return EXIT_SUCCESS;
    }
    struct settings_source source;
    struct settings settings;
    int code = command_load(argc, argv, &source, &settings);
    if (code != EXIT_SUCCESS) {
        return code;
    }
    code = serve(&source, &settings);
    settings_deinit(&settings);
    settings_source_deinit(&source);
    return code;
}

static int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("%s\n", SERVER_NAME);
    return EXIT_SUCCESS;
}

static int command_help(int argc, char **argv);

struct command_entry {
    const char *name;
    int (*run)(int argc, char **argv); /* with what follows its name; returns the exit code */
    const char *arguments;
    const char *summary; /* NULL: not listed */
};

static const struct command_entry commands[] = {
    {"run", command_run, "[DIR | --config FILE] [--KEY VALUE...]", "serves"},
    {"init", command_init, "DIR --team NAME --host HOST [...]",
     "makes a team from nothing, and the first administrator's join code"},
    {"check", command_check, "[DIR | --config FILE] [--KEY VALUE...]",
     "says whether `run` would start, and what is wrong if not"},
    {"fsck", command_fsck, "DIR | --config FILE [--quick] [--json]",
     "checks that everything is as it was stored"},
    {"status", command_status, "DIR | --config FILE [--json]",
     "says how the running server is doing"},
    {"backup", command_backup, "DIR TARGET [--copy] [--json]",
     "copies the state, whole, while the server runs"},
    {"restore", command_restore, "DIR BACKUP [--copy] [--json]", "makes the state from a backup"},
    {"invite", command_invite, "DIR NAME [--admin] [--json]",
     "makes a join code when no administrator can"},
    {"root-list", command_root_list, "--root-key FILE [DIR | --config FILE]",
     "makes the root's own revocation list anew, once a year"},
    {"help", command_help, "[COMMAND]", "this, or what a command takes"},
    {"--help", command_help, "", NULL},
    {"-h", command_help, "", NULL},
    {"--version", command_version, "", NULL},
};

static const struct command_entry *command_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    fprintf(stderr, "sealpostd: error: unknown command '%s'\nsealpostd: hint: sealpostd --help\n",
            name);
    return EXIT_USAGE;
}

static int command_help(int argc, char **argv)
{
    if (argc > 0) {
        const struct command_entry *command = command_find(argv[0]);
        char option[] = "--help";
        char *arguments[] = {option};
        if (command == NULL) {
            return unknown_command(argv[0]);
        }
        if (command->summary != NULL && command->run != command_help) {
            return command->run(1, arguments);
        }
    }
    printf("Usage: sealpostd COMMAND [ARGUMENTS...]\n"
           "\n"
           "Team chat and file submission where your certificate is your login: the server.\n"
           "\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (commands[i].summary != NULL) {
            printf("  sealpostd %s %s\n      %s\n", commands[i].name, commands[i].arguments,
                   commands[i].summary);
        }
    }
    printf("\n"
           "sealpostd COMMAND --help says what a command takes; sealpostd --version which one this "
           "is.\n"
           "\n"
           "Exit codes: 0 done, 1 failed, 2 usage or configuration, 4 certificate, key or\n"
           "permission, 5 not found, 6 there already, 7 disk full, 8 something stored is damaged,\n"
           "69 no server runs.\n");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    server_block_signals();
    (void)!openssl_watch_memory(); /* a library before us may have used OpenSSL: so be it */
    if (secret_init() != SP_OK) {
        return command_fail(SP_EINTERNAL, "libsodium cannot be initialised");
    }
    if (argc < 2) {
        (void)command_help(0, NULL);
        return EXIT_USAGE;
    }
    const struct command_entry *command = command_find(argv[1]);
    return command == NULL ? unknown_command(argv[1]) : command->run(argc - 2, argv + 2);
}
