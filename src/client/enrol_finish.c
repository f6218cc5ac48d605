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

/* What stands at PATH moves aside; its new name into KEPT, "" if there was nothing. */
static enum sp_error put_aside(const char *path, char kept[SP_JOIN_PATH_BYTES], char *message,
                               size_t capacity)
{
    time_t now = (time_t)(clock_wall_ms(clock_system()) / 1000);
    struct tm parts = {0};
    char date[32];

    kept[0] = '\0';
    if (access(path, F_OK) != 0) {
        return SP_OK;
    }
    (void)gmtime_r(&now, &parts);
    (void)strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &parts);
    int size = snprintf(kept, SP_JOIN_PATH_BYTES, "%s.old-%s", path, date);
    if (size < 0 || size >= SP_JOIN_PATH_BYTES || rename(path, kept) != 0) {
        kept[0] = '\0';
        return enrol_fail(SP_EFILE, message, capacity, path, "cannot be put aside");
    }
    return SP_OK;
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

/* NEW_PATH gets the name PATH, of which what stood there has been put aside as KEPT; if it cannot
 * be, that is put back. */
static enum sp_error put_in_place(const char *new_path, const char *path, char *kept, char *message,
                                  size_t capacity)
{
    enum sp_error error = SP_OK;

    if (rename(new_path, path) != 0) {
        error = enrol_fail(SP_EFILE, message, capacity, path, error_text(errno));
        if (kept[0] != '\0' && rename(kept, path) == 0) {
            kept[0] = '\0';
        }
    }
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
    enum sp_error error = SP_OK;

    if (new_settings != NULL && !enrol_settings_are_left_over(config)) {
        error = put_aside(config->settings_file, out->old_settings, message, capacity);
    }
    if (error == SP_OK && new_settings != NULL) {
        error =
            put_in_place(new_settings, config->settings_file, out->old_settings, message, capacity);
    }
    if (error == SP_OK && new_settings != NULL) {
        error = sync_parent(config->settings_file);
    }
    if (error == SP_OK) {
        error = put_aside(config->directory, out->old_directory, message, capacity);
    }
    if (error == SP_OK) {
        error =
            put_in_place(place->working, config->directory, out->old_directory, message, capacity);
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
    free(new_settings);
    return error;
}
