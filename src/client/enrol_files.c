/*
 * A profile comes to be: in a directory beside its final one, which gets its name when all is there
 * and synced. What a crash leaves is found again by whoever enters the same code.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "client/enrol.h"
#include "crypto/sealed_key.h"
#include "crypto/secret.h"
#include "tls/enrol.h"

#define NAME_DIGEST_BYTES 8 /* of the secret's digest, in the working directory's name */

static const char *const file_names[] = {"key.pem", "cert.pem", "ca.pem"};

enum sp_error enrol_fail(enum sp_error error, char *message, size_t capacity, const char *path,
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

enum sp_error enrol_write_file(const char *directory, const char *name, struct slice content,
                               char *message, size_t capacity)
{
    char why[256] = "out of memory";
    char *path = path_in(directory, name);
    char *written = NULL;
    enum sp_error error = path == NULL ? SP_ENOMEM : SP_OK;

    if (error == SP_OK && asprintf(&written, "%s.new", path) < 0) {
        written = NULL;
        error = SP_ENOMEM;
    }
    if (error == SP_OK) {
        (void)unlink(written); /* of an attempt that was cut short */
        error =
            file_write_new(written, ENROL_FILE_MODE, content.data, content.size, why, sizeof why);
    }
    if (error == SP_OK && rename(written, path) != 0) {
        (void)snprintf(why, sizeof why, "cannot be made: %s", error_text(errno));
        (void)unlink(written);
        error = SP_EFILE;
    }
    if (error != SP_OK) {
        (void)enrol_fail(error, message, capacity, path == NULL ? name : path, why);
    }
    free(written);
    free(path);
    return error;
}

/* The same in the place of what is there, which is never missing. */
static enum sp_error replace_one(const char *directory, const char *name, struct slice content,
                                 char *message, size_t capacity)
{
    char why[256] = "out of memory";
    char *path = path_in(directory, name);
    enum sp_error error =
        path == NULL ? SP_ENOMEM : file_replace(path, content.data, content.size, why, sizeof why);

    if (error != SP_OK) {
        (void)enrol_fail(error, message, capacity, path == NULL ? name : path, why);
    }
    free(path);
    return error;
}

enum sp_error enrol_make_directories(const char *path, char *message, size_t capacity)
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
        if (mkdir(copy, ENROL_DIRECTORY_MODE) != 0 && errno != EEXIST) {
            enum sp_error error = enrol_fail(SP_EFILE, message, capacity, copy, error_text(errno));
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

char *enrol_parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL   ? strdup(".")
           : slash == path ? strdup("/")
                           : strndup(path, (size_t)(slash - path));
}

bool enrol_settings_are_left_over(const struct sp_enrol_config *config)
{
    char why[256];
    char *line = NULL;
    char *text = NULL;
    size_t size = 0;
    bool ours = false;

    if (access(config->directory, F_OK) == 0) {
        return false;
    }
    if (file_read(config->settings_file, LIMIT_CONFIG_FILE_BYTES, &text, &size, why, sizeof why) ==
            SP_OK &&
        asprintf(&line, "\ncert = %s\n", config->directory) >= 0) {
        ours = strstr(text, line) != NULL;
        free(line);
    }
    free(text);
    return ours;
}

static enum sp_error check_free(const struct sp_enrol_config *config, char *message,
                                size_t capacity)
{
    const char *taken = NULL;

    if (config->replace) {
        return SP_OK;
    }
    if (access(config->directory, F_OK) == 0) {
        taken = config->directory;
    } else if (config->settings_file != NULL && access(config->settings_file, F_OK) == 0 &&
               !enrol_settings_are_left_over(config)) {
        taken = config->settings_file;
    }
    return taken == NULL
               ? SP_OK
               : enrol_fail(SP_EEXISTS, message, capacity, taken, "there is a profile already");
}

/* ---- The key ---- */

/* The key into its file: a new one, or, with AGAIN, in the place of the same key, in one step. */
static enum sp_error write_key(const struct sp_enrol_config *config,
                               const struct enrol_place *place, bool again, char *message,
                               size_t capacity)
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
            (void)enrol_fail(error, message, capacity, "the key cannot be sealed",
                             sp_error_text(error));
        }
    }
    if (error == SP_OK) {
        error = again ? replace_one(place->working, file_names[0], content, message, capacity)
                      : enrol_write_file(place->working, file_names[0], content, message, capacity);
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
        if (config->passphrase != NULL) { /* now it is to be sealed */
            return write_key(config, place, true, message, capacity);
        }
    }
    return error == SP_OK ? SP_OK : enrol_fail(error, message, capacity, path, why);
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
            error = write_key(config, place, false, message, capacity);
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
    out->parent = enrol_parent_of(config->directory);
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
        error = enrol_make_directories(out->parent, message, capacity);
    }
    if (error == SP_OK) {
        out->made = mkdir(out->working, ENROL_DIRECTORY_MODE) == 0;
        if (!out->made && errno != EEXIST) {
            error = enrol_fail(SP_EFILE, message, capacity, out->working, error_text(errno));
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
