/*
 * The last steps of joining: certificate and settings are written, and get their final names when
 * all is there and synced.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "client/enrol.h"
#include "tls/enrol.h"

#define OLD_NAMES 100 /* of one second */

/* A name for what stands at PATH, under which there is nothing. False: there is none. */
static bool find_old_name(const char *path, char out[SP_JOIN_PATH_BYTES])
{
    time_t now = (time_t)(clock_wall_ms(clock_system()) / 1000);
    struct tm parts = {0};
    char date[32];
    char number[8] = "";

    (void)gmtime_r(&now, &parts);
    (void)strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &parts);
    for (unsigned i = 2; i < OLD_NAMES; i++) {
        int size = snprintf(out, SP_JOIN_PATH_BYTES, "%s.old-%s%s", path, date, number);

        if (size < 0 || size >= SP_JOIN_PATH_BYTES) {
            return false;
        }
        if (access(out, F_OK) != 0) {
            return true;
        }
        (void)snprintf(number, sizeof number, "-%u", i);
    }
    return false;
}

/* What stands at PATH moves aside; its new name into KEPT. */
static enum sp_error put_aside(const struct sp_enrol_config *config, const char *path,
                               char kept[SP_JOIN_PATH_BYTES], char *message, size_t capacity)
{
    if (!config->replace) { /* it came while the server was asked */
        return enrol_fail(SP_EEXISTS, message, capacity, path, "there is a profile already");
    }
    if (!find_old_name(path, kept) || rename(path, kept) != 0) {
        kept[0] = '\0';
        return enrol_fail(SP_EFILE, message, capacity, path, "cannot be put aside");
    }
    return SP_OK;
}

/* PATH is again as before put_in_place(). */
static void take_back(const char *path, char kept[SP_JOIN_PATH_BYTES])
{
    if (kept[0] == '\0') {
        (void)unlink(path);
    } else if (rename(kept, path) == 0) {
        kept[0] = '\0';
    }
}

/* NEW_PATH gets the name PATH. What stands there is kept as KEPT, if it is not LEFT_OVER. */
static enum sp_error put_in_place(const struct sp_enrol_config *config, const char *new_path,
                                  const char *path, bool left_over, char kept[SP_JOIN_PATH_BYTES],
                                  char *message, size_t capacity)
{
    enum sp_error error = SP_OK;

    kept[0] = '\0';
    if (!left_over && access(path, F_OK) == 0) {
        error = put_aside(config, path, kept, message, capacity);
    }
    if (error == SP_OK && rename(new_path, path) != 0) {
        error = enrol_fail(SP_EFILE, message, capacity, path, error_text(errno));
        if (kept[0] != '\0') {
            take_back(path, kept);
        }
    }
    return error;
}

/* "server = HOST:PORT" and "cert = DIRECTORY" into NEW_PATH, beside the final place. */
static enum sp_error write_settings(const struct sp_enrol_config *config, const char *new_path,
                                    const struct sp_enrolled *enrolled, char *message,
                                    size_t capacity)
{
    char why[256];
    char *text = NULL;
    char *parent = enrol_parent_of(new_path);
    bool v6 = strchr(enrolled->host, ':') != NULL;
    int size = asprintf(&text,
                        "# %s of the team %s, by sealpost join\n"
                        "server = %s%s%s:%u\n"
                        "cert = %s\n",
                        enrolled->username, enrolled->team, v6 ? "[" : "", enrolled->host,
                        v6 ? "]" : "", enrolled->port, config->directory);
    enum sp_error error = parent == NULL || size < 0 ? SP_ENOMEM : SP_OK;

    text = size < 0 ? NULL : text;
    if (error == SP_OK) {
        error = enrol_make_directories(parent, message, capacity);
    }
    if (error == SP_OK) {
        (void)unlink(new_path); /* of an attempt that was cut short */
        error = file_write_new(new_path, ENROL_FILE_MODE, text, (size_t)size, why, sizeof why);
        if (error != SP_OK) {
            (void)enrol_fail(error, message, capacity, new_path, why);
        }
    }
    free(text);
    free(parent);
    return error;
}

static enum sp_error sync_parent(const char *path)
{
    char *parent = enrol_parent_of(path);
    enum sp_error error = parent == NULL ? SP_ENOMEM : file_sync_directory(parent);

    free(parent);
    return error;
}

/* Settings and profile get their names, the profile as the last step: without it, the same code
 * goes on. */
static enum sp_error put_both_in_place(const struct sp_enrol_config *config,
                                       const struct enrol_place *place, const char *new_settings,
                                       struct sp_enrolled *out, char *message, size_t capacity)
{
    bool settings_placed = false;
    enum sp_error error = SP_OK;

    if (new_settings != NULL) {
        error = put_in_place(config, new_settings, config->settings_file,
                             enrol_settings_are_left_over(config), out->old_settings, message,
                             capacity);
        settings_placed = error == SP_OK;
    }
    if (settings_placed) {
        error = sync_parent(config->settings_file);
    }
    if (error == SP_OK) {
        error = put_in_place(config, place->working, config->directory, false, out->old_directory,
                             message, capacity);
    }
    if (error != SP_OK && settings_placed) {
        take_back(config->settings_file, out->old_settings);
    }
    return error;
}

enum sp_error enrol_place_finish(const struct sp_enrol_config *config, struct enrol_place *place,
                                 const struct enrol_files *files, struct sp_enrolled *out,
                                 char *message, size_t capacity)
{
    char *new_settings = NULL;
    enum sp_error error = enrol_write_file(place->working, "cert.pem",
                                           slice_of_string(files->chain), message, capacity);

    if (error == SP_OK) {
        error = enrol_write_file(place->working, "ca.pem", slice_of_string(files->root), message,
                                 capacity);
    }
    if (error == SP_OK) {
        error = file_sync_directory(place->working);
    }
    if (error == SP_OK && config->settings_file != NULL) {
        if (asprintf(&new_settings, "%s.new", config->settings_file) < 0) {
            new_settings = NULL;
            error = SP_ENOMEM;
        } else {
            error = write_settings(config, new_settings, out, message, capacity);
        }
    }
    if (error == SP_OK) {
        error = put_both_in_place(config, place, new_settings, out, message, capacity);
    }
    if (error == SP_OK) {
        error = file_sync_directory(place->parent);
    }
    if (error != SP_OK && new_settings != NULL) {
        (void)unlink(new_settings);
    }
    free(new_settings);
    return error;
}
