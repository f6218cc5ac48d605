/* `sealpostd check`. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/command.h"
#include "server/internal.h"

static int check(const struct settings *settings)
{
    char message[AUTHORITY_REASON_BYTES] = "";
    struct authority *authority = NULL;
    enum sp_error error =
        reload_load(settings, clock_system(), &authority, message, sizeof message);
    if (error != SP_OK) {
        return command_fail(error, message);
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
        return command_fail(SP_EFILE, message);
    }
    printf("ok\n");
    return EXIT_SUCCESS;
}

int command_check(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf("Usage: sealpostd check [DIR | --config FILE] [--KEY VALUE...]\n"
               "\n"
               "Says whether `run` with the same arguments would start, and what is wrong if "
               "not.\n");
        command_print_keys();
        return EXIT_SUCCESS;
    }
    struct settings_source source;
    struct settings settings;
    int code = command_load(argc, argv, &source, &settings);
    if (code != EXIT_SUCCESS) {
        return code;
    }
    code = check(&settings);
    settings_deinit(&settings);
    settings_source_deinit(&source);
    return code;
}
