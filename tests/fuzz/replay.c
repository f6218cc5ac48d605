/*
 * Runs a fuzz target over files that are there: the seeds, or what made it fail once. Stands in
 * for libFuzzer's main in builds without it. Every file gets memory of its exact size, so that a
 * sanitizer sees a read beyond. Fails when it ran nothing: an empty corpus tests nothing.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATH_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct replay {
    unsigned ran;
    unsigned failed; /* files that could not be read */
};

static bool run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *data = malloc(size > 0 ? size : 1);
    bool ok = file != NULL && data != NULL && fread(data, 1, size, file) == size;

    if (ok) {
        (void)LLVMFuzzerTestOneInput(data, size);
    } else {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
    }
    free(data);
    if (file != NULL) {
        (void)fclose(file);
    }
    return ok;
}

static void replay_path(struct replay *replay, const char *path, bool named);

static void replay_directory(struct replay *replay, const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort); /* the same order everywhere */

    if (count < 0) {
        replay->failed++;
    }
    for (int i = 0; i < count; i++) {
        char inner[PATH_BYTES];
        int size = snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);

        if (size < 0 || (size_t)size >= sizeof(inner)) {
            replay->failed++;
        } else {
            replay_path(replay, inner, false);
        }
        free(entries[i]);
    }
    free(entries);
}

/* NAMED: on the command line; only there a directory is entered. */
static void replay_path(struct replay *replay, const char *path, bool named)
{
    struct stat status;

    if (stat(path, &status) != 0) {
        (void)fprintf(stderr, "%s: is not there\n", path);
        replay->failed++;
    } else if (S_ISREG(status.st_mode)) {
        if (run_file(path, (size_t)status.st_size)) {
            replay->ran++;
        } else {
            replay->failed++;
        }
    } else if (S_ISDIR(status.st_mode) && named) {
        replay_directory(replay, path);
    }
}

int main(int argc, char **argv)
{
    struct replay replay = {0};

    for (int i = 1; i < argc; i++) {
        replay_path(&replay, argv[i], true);
    }
    (void)printf("%u inputs ran, %u failed to be read\n", replay.ran, replay.failed);
    return replay.ran > 0 && replay.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
