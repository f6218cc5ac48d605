/* What --help and "sealpost help" print, out of the tables of commands and options. */
#include <string.h>

#include "cli/command.h"

static bool in_group(const struct command *command, const char *group)
{
    size_t size = group == NULL ? 0 : strlen(group);

    return group == NULL ||
           (strncmp(command->name, group, size) == 0 && command->name[size] == ' ');
}

static void print_commands(FILE *file, const char *group)
{
    const struct command *command = NULL;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        if (in_group(command, group)) {
            char usage[64];

            (void)snprintf(usage, sizeof(usage), "%s %s", command->name, command->arguments);
            (void)fprintf(file, "  %-24s %s\n", usage, command->summary);
        }
    }
}

static void print_option(FILE *file, const struct option_spec *spec)
{
    char usage[64];
    char letter[8] = "    ";

    if (spec->letter != '\0') {
        (void)snprintf(letter, sizeof(letter), "-%c, ", spec->letter);
    }
    (void)snprintf(usage, sizeof(usage), "%s--%s%s%s", letter, spec->name,
                   spec->value == NULL ? "" : " ", spec->value == NULL ? "" : spec->value);
    (void)fprintf(file, "  %-24s %s\n", usage, spec->summary);
}

static void print_options(FILE *file, const struct command *command)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const struct option_spec *spec = option_spec((enum option)i);

        if (command == NULL ? spec->everywhere : (command->options & OPTION_BIT(i)) != 0) {
            print_option(file, spec);
        }
    }
}

static void print_command(FILE *file, const struct command *command)
{
    (void)fprintf(file, "usage: sealpost %s%s%s%s\n\n%s\n", command->name,
                  command->options == 0 ? "" : " [OPTION...]",
                  command->arguments[0] == '\0' ? "" : " ", command->arguments, command->summary);
    if (command->details[0] != '\0') {
        (void)fprintf(file, "\n%s", command->details);
    }
    if (command->options != 0) {
        (void)fprintf(file, "\nOptions:\n");
        print_options(file, command);
    }
    (void)fprintf(file, "\nGlobal options: see 'sealpost help'. More: man sealpost\n");
}

static void print_all(FILE *file)
{
    (void)fprintf(file, "usage: sealpost [OPTION...] COMMAND [ARGUMENT...]\n\n"
                        "Team chat and file submission where your certificate is your login.\n\n"
                        "Commands:\n");
    print_commands(file, NULL);
    (void)fprintf(file, "\nOptions, before or after the command:\n");
    print_options(file, NULL);
    (void)fprintf(
        file,
        "\nSettings come from options, else from SEALPOST_SERVER, SEALPOST_CERT, SEALPOST_KEY,\n"
        "SEALPOST_CA and SEALPOST_PROFILE, else from $XDG_CONFIG_HOME/sealpost/PROFILE.conf\n"
        "(server, cert, key, ca).\n\n"
        "Exit: 0 done and durable, 1 failed, 2 usage, 4 certificate or permission, 5 not found,\n"
        "6 exists or conflict, 7 quota or full, 8 integrity, 69 unreachable, 75 kept in the "
        "outbox,\n"
        "130 interrupted.\n\n"
        "A first try, with a join code from the team's administrator: sealpost join\n");
}

void help_print(FILE *file, const struct command *command, const char *group)
{
    if (command != NULL) {
        print_command(file, command);
    } else if (group != NULL) {
        (void)fprintf(file, "usage: sealpost %s COMMAND [ARGUMENT...]\n\n", group);
        print_commands(file, group);
    } else {
        print_all(file);
    }
}
