#include "server/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_FLAG "--config"

int command_fail(enum sp_error error, const char *message)
{
    fprintf(stderr, "sealpostd: error: %s\n", message);
    return sp_error_exit_code(error);
}

bool command_wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static enum sp_error set_file(struct settings_source *out, const char *directory, const char *name)
{
    if (asprintf(&out->config_file, "%s%s", directory, name) < 0) {
        out->config_file = NULL;
        return SP_ENOMEM;
    }
    return SP_OK;
}

enum sp_error command_take_source(int argc, char **argv, struct settings_source *out, char *message,
                                  size_t capacity)
{
    *out = (struct settings_source){0};
    message[0] = '\0';
    int taken = 0;
    enum sp_error error = SP_OK;
    if (argc > 0 && strncmp(argv[0], CONFIG_FLAG "=", strlen(CONFIG_FLAG "=")) == 0) {
        taken = 1;
        error = set_file(out, "", argv[0] + strlen(CONFIG_FLAG "="));
    } else if (argc > 0 && strcmp(argv[0], CONFIG_FLAG) == 0) {
        if (argc == 1) {
            snprintf(message, capacity, CONFIG_FLAG " needs a file");
            return SP_EINVALID;
        }
        taken = 2;
        error = set_file(out, "", argv[1]);
    } else if (argc > 0 && argv[0][0] != '-') {
        taken = 1;
        error = set_file(out, argv[0], "/" SETTINGS_FILE_NAME);
    }
    out->argc = argc - taken;
    out->argv = (const char *const *)(argv + taken);
    return error;
}

int command_load(int argc, char **argv, struct settings_source *source, struct settings *settings)
{
    char message[SETTINGS_MESSAGE_BYTES] = "";
    enum sp_error error = command_take_source(argc, argv, source, message, sizeof message);
    *settings = (struct settings){0};
    if (error == SP_OK) {
        error = settings_load(source, settings, message, sizeof message);
    }
    if (error == SP_OK) {
        return EXIT_SUCCESS;
    }
    settings_source_deinit(source);
    return command_fail(error, message[0] != '\0' ? message : sp_error_text(error));
}

void command_print_keys(void)
{
    printf("\n"
           "DIR stands for --config DIR/" SETTINGS_FILE_NAME ". Every key of that file (\"key = "
           "value\", '#'\nstarts a comment) is also a flag that overrides it, such as --listen "
           "[::]:7643:\n\n");
    settings_print_keys();
    printf("\n"
           "A running server takes keys with a * anew when it gets SIGHUP and when the file "
           "changes,\nthe others when it starts. Flags go on overriding the file.\n");
}
