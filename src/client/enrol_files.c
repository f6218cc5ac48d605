/*
 * A profile comes to be: in a directory beside its final one, which gets its name when all is there
 * and synced. What a crash leaves is found again by whoever enters the same code.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "client/enrol.h"
#include "crypto/sealed_key.h"
#include "crypto/secret.h"
#include "tls/enrol.h"

#define DIRECTORY_MODE 0700
#define FILE_MODE 0600
#define NAME_DIGEST_BYTES 8 /* of the secret's digest, in the working directory's name */

static const char *const file_names[] = {"key.pem", "cert.pem", "ca.pem"};

static enum sp_error fail(enum sp_error error, char *message, size_t capacity, const char *path,
                          const char *why)
{
    (void)snprintf(message, capacity, "%s: %s", path, why);
    return error;
}

/* DIRECTORY/NAME; the caller's, free(). NULL when memory runs out. */
static char *path_in(const char *directory, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static enum sp_error write_one(const char *directory, const char *name, struct slice content,
                               char *message, size_t capacity)
{
    char why[256];
    char *path = path_in(directory, name);
    enum sp_error error = path == NULL ? SP_ENOMEM : SP_OK;

    if (error == SP_OK) {
        (void)unlink(path); /* of an attempt that was cut short */
        error = file_write_new(path, FILE_MODE, content.data, content.size, why, sizeof why);
    }
    if (error != SP_OK) {
        (void)fail(error, message, capacity, path == NULL ? name : path,
                   path == NULL ? "out of memory" : why);
    }
    free(path);
    return error;
}

/* PATH and all above it, as far as they are not there. */
static enum sp_error make_directories(const char *path, char *message, size_t capacity)
{
    char *copy = strdup(path);

    if (copy == NULL) {
        return SP_ENOMEM;
    }
    for (char *at = copy + 1;; at++) {
        char kept = *at;

        if (kept != '/' && kept != '\0') {
            continue;
        }
        *at = '\0';
        if (mkdir(copy, DIRECTORY_MODE) != 0 && errno != EEXIST) {
            enum sp_error error = fail(SP_EFILE, message, capacity, copy, error_text(errno));
            free(copy);
            return error;
        }
        *at = kept;
        if (kept == '\0') {
            break;
        }
    }
    free(copy);
    return SP_OK;
}

/* Everything of PATH before its last slash. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL   ? strdup(".")
           : slash == path ? strdup("/")
                           : strndup(path, (size_t)(slash - path));
}

static enum sp_error check_free(const struct sp_enrol_config *config, char *message,
                                size_t capacity)
{
    const char *const paths[] = {config->directory, config->settings_file};

    for (size_t i = 0; i < COUNT_OF(paths) && !config->replace; i++) {
        if (paths[i] != NULL && access(paths[i], F_OK) == 0) {
            return fail(SP_EEXISTS, message, capacity, paths[i], "there is a profile already");
        }
    }
    return SP_OK;
}

/* ---- The key ---- */

static enum sp_error write_key(const struct sp_enrol_config *config,
                               const struct enrol_place *place, char *message, size_t capacity)
{
    struct slice content = {place->key->data, place->key->size};
    char *sealed = NULL;
    enum sp_error error = SP_OK;

    if (config->passphrase != NULL) {
        const struct slice passphrase = {(const uint8_t *)config->passphrase,
                                         config->passphrase_size};

        sealed = calloc(1, SEALED_TEXT_BYTES);
        error = sealed == NULL
                    ? SP_ENOMEM
                    : sealed_key_seal(content, passphrase, &SEALED_COST_MODERATE, sealed);
        content = sealed == NULL ? content : slice_of_string(sealed);
        if (error != SP_OK) {
            (void)fail(error, message, capacity, "the key cannot be sealed", sp_error_text(error));
        }
    }
    if (error == SP_OK) {
        error = write_one(place->working, file_names[0], content, message, capacity);
    }
    free(sealed);
    return error;
}

/* The key of an earlier attempt. */
static enum sp_error read_key(const struct sp_enrol_config *config, struct enrol_place *place,
                              const char *path, char *message, size_t capacity)
{
    char why[256];
    struct secret *file = NULL;
    enum sp_error error = secret_read_key_file(path, &file, why, sizeof why);

    if (error == SP_OK && sealed_key_is((struct slice){file->data, file->size})) {
        const struct slice passphrase = {(const uint8_t *)config->passphrase,
                                         config->passphrase_size};

        error = config->passphrase == NULL
                    ? SP_EPASSPHRASE
                    : sealed_key_open((struct slice){file->data, file->size}, passphrase,
                                      &place->key, why, sizeof why);
        secret_free(file);
        if (config->passphrase == NULL) {
            (void)snprintf(why, sizeof why,
                           "the key of the first attempt is sealed: give the same passphrase");
        }
    } else if (error == SP_OK) {
        place->key = file;
    }
    return error == SP_OK ? SP_OK : fail(error, message, capacity, path, why);
}

static enum sp_error find_or_make_key(const struct sp_enrol_config *config,
                                      struct enrol_place *place, char *message, size_t capacity)
{
    char *path = path_in(place->working, file_names[0]);
    enum sp_error error = path == NULL ? SP_ENOMEM : SP_OK;

    if (error == SP_OK && access(path, F_OK) == 0) {
        error = read_key(config, place, path, message, capacity);
    } else if (error == SP_OK) {
        error = enrol_key_new(&place->key);
        if (error == SP_OK) {
            error = write_key(config, place, message, capacity);
        }
        if (error == SP_OK) {
            error = file_sync_directory(place->working);
        }
    }
    free(path);
    return error;
}

/* ---- The place ---- */

static enum sp_error name_place(const struct sp_enrol_config *config, const struct join_code *code,
                                struct enrol_place *out)
{
    struct digest digest;
    char hex[2 * NAME_DIGEST_BYTES + 1];
    const char *slash = strrchr(config->directory, '/');
    enum sp_error error = enrol_secret_digest(code->secret, &digest);

    if (error != SP_OK) {
        return error;
    }
    hex_encode(digest.bytes, NAME_DIGEST_BYTES, hex);
    out->parent = parent_of(config->directory);
    if (out->parent == NULL || asprintf(&out->working, "%s/.%s.joining-%s", out->parent,
                                        slash == NULL ? config->directory : slash + 1, hex) < 0) {
        out->working = NULL;
        return SP_ENOMEM;
    }
    return SP_OK;
}

enum sp_error enrol_place_open(const struct sp_enrol_config *config, const struct join_code *code,
                               struct enrol_place *out, char *message, size_t capacity)
{
    *out = (struct enrol_place){0};
    enum sp_error error = check_free(config, message, capacity);
    if (error == SP_OK) {
        error = name_place(config, code, out);
    }
    if (error == SP_OK) {
        error = make_directories(out->parent, message, capacity);
    }
    if (error == SP_OK) {
        out->made = mkdir(out->working, DIRECTORY_MODE) == 0;
        if (!out->made && errno != EEXIST) {
            error = fail(SP_EFILE, message, capacity, out->working, error_text(errno));
        }
    }
    if (error == SP_OK) {
        error = find_or_make_key(config, out, message, capacity);
    }
    if (error != SP_OK) {
        enrol_place_close(out, out->made);
    }
    return error;
}

void enrol_place_close(struct enrol_place *place, bool remove)
{
    for (size_t i = 0; i < COUNT_OF(file_names) && remove && place->working != NULL; i++) {
        char *path = path_in(place->working, file_names[i]);

        if (path != NULL) {
            (void)unlink(path);
        }
        free(path);
    }
    if (remove && place->working != NULL) {
        (void)rmdir(place->working);
    }
    secret_free(place->key);
    free(place->parent);
    free(place->working);
    *place = (struct enrol_place){0};
}

/* ---- The end ---- */

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
        return fail(SP_EFILE, message, capacity, path, "cannot be put aside");
    }
    return SP_OK;
}

/* "server = HOST:PORT" and "cert = DIRECTORY". */
static enum sp_error write_settings(const struct sp_enrol_config *config,
                                    const struct sp_enrolled *enrolled, char *message,
                                    size_t capacity)
{
    char why[256];
    char *text = NULL;
    char *parent = parent_of(config->settings_file);
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
        error = make_directories(parent, message, capacity);
    }
    if (error == SP_OK) {
        error =
            file_write_new(config->settings_file, FILE_MODE, text, (size_t)size, why, sizeof why);
        if (error != SP_OK) {
            (void)fail(error, message, capacity, config->settings_file, why);
        }
    }
    free(text);
    free(parent);
    return error;
}

enum sp_error enrol_place_finish(const struct sp_enrol_config *config, struct enrol_place *place,
                                 const struct enrol_files *files, struct sp_enrolled *out,
                                 char *message, size_t capacity)
{
    enum sp_error error =
        write_one(place->working, file_names[1], slice_of_string(files->chain), message, capacity);

    if (error == SP_OK) {
        error = write_one(place->working, file_names[2], slice_of_string(files->root), message,
                          capacity);
    }
    if (error == SP_OK) {
        error = file_sync_directory(place->working);
    }
    if (error == SP_OK) {
        error = put_aside(config->directory, out->old_directory, message, capacity);
    }
    if (error == SP_OK && rename(place->working, config->directory) != 0) {
        error = fail(SP_EFILE, message, capacity, config->directory, error_text(errno));
    }
    if (error == SP_OK) {
        error = file_sync_directory(place->parent);
    }
    if (error == SP_OK && config->settings_file != NULL) {
        error = put_aside(config->settings_file, out->old_settings, message, capacity);
        if (error == SP_OK) {
            error = write_settings(config, out, message, capacity);
        }
    }
    return error;
}
