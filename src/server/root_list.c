/* `sealpostd root-list`: the root's own revocation list, made anew with the key from its safe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ca/refresh.h"
#include "server/command.h"

#define KEY_FLAG "--root-key"

static void print_usage(void)
{
    printf(
        "Usage: sealpostd root-list " KEY_FLAG " FILE [DIR | --config FILE]\n"
        "\n"
        "Makes the root's own revocation list anew, for another year: the one thing for which a\n"
        "running team needs the root's key, once a year. What it withdraws stays withdrawn. A\n"
        "running server takes the new list by itself; 'sealpostd check DIR' says how long the\n"
        "lists are fresh. Take the key offline again afterwards.\n");
}

static int make_list(const struct settings *settings, const char *key)
{
    char reason[SETTINGS_MESSAGE_BYTES] = "";
    bool made = false;
    const struct ca_refresh refresh = {
        .issuer_cert = settings->ca, /* the root stands first */
        .issuer_key = key,
        .always = true,
        .now_ms = clock_wall_ms(clock_system()),
    };
    enum sp_error error = ca_crl_refresh(&refresh, settings->crl, &made, reason, sizeof reason);
    if (error != SP_OK) {
        return command_fail(error, reason);
    }
    printf("%s: the root's list is good for another year\n", settings->crl);
    return EXIT_SUCCESS;
}

int command_root_list(int argc, char **argv)
{
    if (argc == 0 || command_wants_help(argc, argv)) {
        print_usage();
        return argc == 0 ? EXIT_USAGE : EXIT_SUCCESS;
    }
    const char *key = NULL;
    int taken = 0;
    if (strncmp(argv[0], KEY_FLAG "=", strlen(KEY_FLAG "=")) == 0) {
        key = argv[0] + strlen(KEY_FLAG "=");
        taken = 1;
    } else if (strcmp(argv[0], KEY_FLAG) == 0 && argc > 1) {
        key = argv[1];
        taken = 2;
    } else {
        return command_fail(SP_EINVALID, "root-list begins with " KEY_FLAG " FILE; see "
                                         "'sealpostd root-list --help'");
    }
    struct settings_source source;
    struct settings settings;
    int code = command_load(argc - taken, argv + taken, &source, &settings);
    if (code != EXIT_SUCCESS) {
        return code;
    }
    code = make_list(&settings, key);
    settings_deinit(&settings);
    settings_source_deinit(&source);
    return code;
}
