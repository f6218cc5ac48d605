#include "server/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "server/command.h"

#define CONFIG_FLAG "--config"
#define ARGUMENTS 8

static char *join(const char *directory, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

bool state_is_locked(const char *database)
{
    char *path = NULL;
    if (asprintf(&path, "%s.lock", database) < 0) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    free(path);
    if (fd < 0) {
        return false;
    }
    bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return locked;
}

enum sp_error state_init(struct state *state, const char *directory)
{
    *state = (struct state){
        .directory = strdup(directory),
        .database = join(directory, "sealpost.db"),
        .files = join(directory, "files"),
        .control = join(directory, "control"),
    };
    if (state->directory == NULL || state->database == NULL || state->files == NULL ||
        state->control == NULL) {
        state_deinit(state);
        return SP_ENOMEM;
    }
    state->running = state_is_locked(state->database);
    return SP_OK;
}

void state_deinit(struct state *state)
{
    free(state->directory);
    free(state->database);
    free(state->files);
    free(state->control);
    *state = (struct state){0};
}

static bool has_database(const char *directory)
{
    char *path = join(directory, "sealpost.db");
    bool there = path != NULL && access(path, F_OK) == 0;
    free(path);
    return there;
}

/* The state directory that the configuration names. */
static int from_settings(int argc, char **argv, struct state *out)
{
    struct settings_source source;
    struct settings settings;
    int code = command_load(argc, argv, &source, &settings);
    if (code != EXIT_SUCCESS) {
        return code;
    }
    enum sp_error error = state_init(out, settings.state);
    settings_deinit(&settings);
    settings_source_deinit(&source);
    return error == SP_OK ? EXIT_SUCCESS : command_fail(error, sp_error_text(error));
}

static int usage(const char *what, const char *argument)
{
    fprintf(stderr, "sealpostd: error: %s%s%s\n", what, argument[0] != '\0' ? ": " : "", argument);
    return EXIT_USAGE;
}

static bool take_flag(const char *argument, const char *const *flags, bool *given)
{
    for (size_t i = 0; flags[i] != NULL; i++) {
        if (strcmp(argument, flags[i]) == 0) {
            given[i] = true;
            return true;
        }
    }
    return false;
}

int state_find(int argc, char **argv, const char *const *flags, bool *given, const char **rest,
               size_t rest_count, struct state *out)
{
    char *kept[ARGUMENTS] = {NULL};
    int count = 0;
    size_t found = 0;
    *out = (struct state){0};
    for (int i = 0; i < argc; i++) {
        bool is_place = count == 0 || (count == 1 && strcmp(kept[0], CONFIG_FLAG) == 0);
        if (take_flag(argv[i], flags, given)) {
            continue;
        }
        if (is_place) {
            kept[count++] = argv[i];
        } else if (argv[i][0] != '-' && found < rest_count) {
            rest[found++] = argv[i];
        } else {
            return usage("unexpected argument", argv[i]);
        }
    }
    if (count == 0 || found < rest_count) {
        return usage("an argument is missing; --help says which", "");
    }
    if (kept[0][0] == '-' || !has_database(kept[0])) {
        return from_settings(count, kept, out);
    }
    enum sp_error error = state_init(out, kept[0]);
    return error == SP_OK ? EXIT_SUCCESS : command_fail(error, sp_error_text(error));
}
