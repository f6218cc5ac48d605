#include "cli/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/config.h"
#include "base/file.h"
#include "base/name.h"

enum setting { SETTING_SERVER, SETTING_CERT, SETTING_KEY, SETTING_CA, SETTING_COUNT };

/* What one place (options, environment, file) says. Empty: nothing. */
struct layer {
    char value[SETTING_COUNT][SETTINGS_PATH_BYTES];
};

static const struct {
    const char *key; /* in the file */
    const char *variable;
    enum option option;
    const char *in_directory; /* the file's name when cert is a directory */
} names[SETTING_COUNT] = {
    [SETTING_SERVER] = {"server", "SEALPOST_SERVER", OPTION_SERVER, NULL},
    [SETTING_CERT] = {"cert", "SEALPOST_CERT", OPTION_CERT, "cert.pem"},
    [SETTING_KEY] = {"key", "SEALPOST_KEY", OPTION_KEY, "key.pem"},
    [SETTING_CA] = {"ca", "SEALPOST_CA", OPTION_CA, "ca.pem"},
};

struct resolver {
    const struct options *options;
    environment_fn environment;
    void *context;
    char profile[LIMIT_LOG_NAME_BYTES + 1];
    char directory[SETTINGS_PATH_BYTES]; /* of the profile's file */
    char path[SETTINGS_PATH_BYTES];      /* the profile's file */
    char *message;
    size_t capacity;
    char *hint;
    size_t hint_capacity;
};

static enum sp_error refuse(struct resolver *resolver, const char *format, ...) PRINTF_LIKE(2, 3);

static enum sp_error refuse(struct resolver *resolver, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(resolver->message, resolver->capacity, format, arguments);
    va_end(arguments);
    return SP_ECONFIG;
}

/* FORMAT into OUT, which holds SETTINGS_PATH_BYTES; false when it does not fit. */
static bool join(char *out, const char *a, const char *b, const char *c)
{
    int size = snprintf(out, SETTINGS_PATH_BYTES, "%s%s%s", a, b, c);

    return size >= 0 && size < SETTINGS_PATH_BYTES;
}

static enum sp_error set(struct resolver *resolver, struct layer *layer, enum setting setting,
                         const char *value)
{
    if (!join(layer->value[setting], value, "", "")) {
        return refuse(resolver, "the value of '%s' is too long", names[setting].key);
    }
    return SP_OK;
}

/* When cert is a directory: the files in it. */
static enum sp_error expand_directory(struct resolver *resolver, struct layer *layer)
{
    struct stat status;
    char directory[SETTINGS_PATH_BYTES];

    if (layer->value[SETTING_CERT][0] == '\0') {
        return SP_OK;
    }
    if (stat(layer->value[SETTING_CERT], &status) != 0) {
        return refuse(resolver, "the certificate %s: %s", layer->value[SETTING_CERT],
                      strerror(errno)); /* NOLINT(concurrency-mt-unsafe): there is one thread */
    }
    if (!S_ISDIR(status.st_mode)) {
        return SP_OK;
    }
    (void)join(directory, layer->value[SETTING_CERT], "", "");
    layer->value[SETTING_CERT][0] = '\0';
    for (unsigned i = SETTING_CERT; i < SETTING_COUNT; i++) {
        if (layer->value[i][0] == '\0' &&
            !join(layer->value[i], directory, "/", names[i].in_directory)) {
            return refuse(resolver, "the value of 'cert' is too long");
        }
    }
    return SP_OK;
}

/* Takes from LAYER what the places before it did not say. */
static enum sp_error merge(struct resolver *resolver, struct layer *merged, struct layer *layer)
{
    enum sp_error error = expand_directory(resolver, layer);

    for (unsigned i = 0; i < SETTING_COUNT && error == SP_OK; i++) {
        if (merged->value[i][0] == '\0') {
            (void)join(merged->value[i], layer->value[i], "", "");
        }
    }
    return error;
}

static enum sp_error read_options(struct resolver *resolver, struct layer *layer)
{
    enum sp_error error = SP_OK;

    for (unsigned i = 0; i < SETTING_COUNT && error == SP_OK; i++) {
        const char *value = resolver->options->text[names[i].option];

        if (value != NULL && value[0] == '\0') {
            return refuse(resolver, "the value of --%s is empty", names[i].key);
        }
        error = value == NULL ? SP_OK : set(resolver, layer, (enum setting)i, value);
    }
    return error;
}

static enum sp_error read_environment(struct resolver *resolver, struct layer *layer)
{
    enum sp_error error = SP_OK;

    for (unsigned i = 0; i < SETTING_COUNT && error == SP_OK; i++) {
        const char *value = resolver->environment(resolver->context, names[i].variable);

        error = value == NULL ? SP_OK : set(resolver, layer, (enum setting)i, value);
    }
    return error;
}

struct file_reader {
    struct resolver *resolver;
    struct layer *layer;
};

static enum sp_error on_pair(void *context, const struct config_pair *pair, char *reason,
                             size_t capacity)
{
    struct file_reader *reader = context;
    bool relative = pair->value[0] != '/';

    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        char *value = reader->layer->value[i];

        if (strcmp(pair->key, names[i].key) != 0) {
            continue;
        }
        if (value[0] != '\0') {
            return SP_EEXISTS;
        }
        if (pair->value[0] == '\0') {
            (void)snprintf(reason, capacity, "is empty");
            return SP_EINVALID;
        }
        if (!join(value, i != SETTING_SERVER && relative ? reader->resolver->directory : "",
                  i != SETTING_SERVER && relative ? "/" : "", pair->value)) {
            (void)snprintf(reason, capacity, "is too long");
            return SP_EINVALID;
        }
        return SP_OK;
    }
    return SP_ENOTFOUND;
}

/* The directory of the profiles; empty when there is no home. */
static enum sp_error find_directory(struct resolver *resolver)
{
    const char *xdg = resolver->environment(resolver->context, "XDG_CONFIG_HOME");
    const char *home = resolver->environment(resolver->context, "HOME");
    bool fits = true;

    if (xdg != NULL && xdg[0] == '/') { /* the XDG specification: a relative one is to be ignored */
        fits = join(resolver->directory, xdg, "/sealpost", "");
    } else if (home != NULL && home[0] != '\0') {
        fits = join(resolver->directory, home, "/.config", "/sealpost");
    }
    return fits ? SP_OK : refuse(resolver, "the path of the settings is too long");
}

/* Which profile; sets PATH. *ASKED: it was asked for by name, and must then exist. */
static enum sp_error find_profile(struct resolver *resolver, bool *asked)
{
    const char *profile = resolver->options->text[OPTION_PROFILE];
    char name[LIMIT_LOG_NAME_BYTES + 8];

    if (profile == NULL) {
        profile = resolver->environment(resolver->context, "SEALPOST_PROFILE");
    }
    *asked = profile != NULL && profile[0] != '\0';
    profile = *asked ? profile : "default";
    if (name_check_log(profile, strlen(profile)) != SP_OK) {
        return refuse(resolver, "the name of the profile is not allowed");
    }
    (void)snprintf(resolver->profile, sizeof(resolver->profile), "%s", profile);
    (void)snprintf(name, sizeof(name), "%s.conf", profile);
    if (resolver->directory[0] == '\0') {
        return SP_OK;
    }
    return join(resolver->path, resolver->directory, "/", name)
               ? SP_OK
               : refuse(resolver, "the path of the profile is too long");
}

/* DIRECTORY below XDG_DATA_HOME into OUT: false when there is no home, or it does not fit. */
static bool find_data(environment_fn environment, void *context, const char *directory,
                      const char *name, char out[SETTINGS_PATH_BYTES])
{
    const char *data = environment(context, "XDG_DATA_HOME");
    const char *home = environment(context, "HOME");
    bool has_data = data != NULL && data[0] == '/'; /* a relative one is to be ignored */
    int size = 0;

    out[0] = '\0';
    if (!has_data && (home == NULL || home[0] != '/')) {
        return false;
    }
    size = snprintf(out, SETTINGS_PATH_BYTES, "%s%s/sealpost/%s%s", has_data ? data : home,
                    has_data ? "" : "/.local/share", directory, name);
    if (size < 0 || size >= SETTINGS_PATH_BYTES) {
        out[0] = '\0';
        return false;
    }
    return true;
}

enum sp_error settings_find_place(const struct options *options, environment_fn environment,
                                  void *context, struct settings_place *out, char *message,
                                  size_t capacity)
{
    struct resolver resolver = {.options = options,
                                .environment = environment,
                                .context = context,
                                .message = message,
                                .capacity = capacity};
    bool asked = false;
    enum sp_error error = find_directory(&resolver);

    *out = (struct settings_place){0};
    if (error == SP_OK) {
        error = find_profile(&resolver, &asked);
    }
    if (error != SP_OK) {
        return error;
    }
    if (resolver.path[0] == '\0' || !find_data(environment, context, "", "", out->directory)) {
        return refuse(&resolver, "there is no home directory to keep a profile in: set HOME");
    }
    (void)snprintf(out->profile, sizeof(out->profile), "%s", resolver.profile);
    (void)join(out->file, resolver.path, "", "");
    return find_data(environment, context, "profiles/", resolver.profile, out->directory)
               ? SP_OK
               : refuse(&resolver, "the path of the profile is too long");
}

static enum sp_error read_profile(struct resolver *resolver, struct layer *layer)
{
    struct file_reader reader = {resolver, layer};
    char reason[256] = "there is no home directory";
    char *text = NULL;
    size_t size = 0;
    bool asked = false;
    enum sp_error error = find_directory(resolver);

    if (error == SP_OK) {
        error = find_profile(resolver, &asked);
    }
    if (error != SP_OK) {
        return error;
    }
    error = resolver->path[0] == '\0' ? SP_ENOTFOUND
                                      : file_read(resolver->path, LIMIT_CONFIG_FILE_BYTES, &text,
                                                  &size, reason, sizeof(reason));
    if (error == SP_ENOTFOUND && !asked) {
        return SP_OK;
    }
    if (error != SP_OK) {
        return refuse(resolver, "the profile '%s': %s %s", resolver->profile, resolver->path,
                      reason);
    }
    error = config_parse(resolver->path, text, size, on_pair, &reader, resolver->message,
                         resolver->capacity);
    free(text);
    return error;
}

/* What is still missing, and how to say it. */
static enum sp_error check_complete(struct resolver *resolver, const struct layer *merged)
{
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        if (merged->value[i][0] == '\0') {
            (void)snprintf(resolver->hint, resolver->hint_capacity,
                           i == SETTING_SERVER
                               ? "join a team with a code: sealpost join; or use --server "
                                 "HOST:PORT, or set SEALPOST_SERVER, or write "
                                 "'server = HOST:PORT' into %s"
                               : "use --cert DIR with a directory that has cert.pem, key.pem and "
                                 "ca.pem, or set SEALPOST_CERT, or write 'cert = DIR' into %s",
                           resolver->path[0] == '\0' ? "a profile" : resolver->path);
            return refuse(resolver, "no '%s' is set", names[i].key);
        }
    }
    return SP_OK;
}

enum sp_error settings_resolve(const struct options *options, environment_fn environment,
                               void *context, struct settings *out, char *message, size_t capacity,
                               char *hint, size_t hint_capacity)
{
    static enum sp_error (*const readers[])(struct resolver *, struct layer *) = {
        read_options, read_environment, read_profile};
    static const char *const places[] = {"options", "environment", "profile"};
    struct resolver resolver = {.options = options,
                                .environment = environment,
                                .context = context,
                                .message = message,
                                .capacity = capacity,
                                .hint = hint,
                                .hint_capacity = hint_capacity};
    struct layer merged = {0};
    enum sp_error error = SP_OK;

    *out = (struct settings){0};
    hint[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(readers) && error == SP_OK; i++) {
        struct layer layer = {0};

        error = readers[i](&resolver, &layer);
        if (error == SP_OK) {
            error = merge(&resolver, &merged, &layer);
        }
        if (out->server_from == NULL && merged.value[SETTING_SERVER][0] != '\0') {
            out->server_from = places[i];
        }
        if (out->cert_from == NULL && merged.value[SETTING_CERT][0] != '\0') {
            out->cert_from = places[i];
        }
    }
    (void)join(out->profile, resolver.path, "", "");
    (void)find_data(environment, context, "stores", "", out->stores);
    if (error == SP_OK) {
        error = check_complete(&resolver, &merged);
    }
    if (error == SP_OK &&
        config_parse_host_port(merged.value[SETTING_SERVER], out->server, &out->port) != SP_OK) {
        error = refuse(&resolver, "the server '%.*s' is not HOST or HOST:PORT", LIMIT_HOST_BYTES,
                       merged.value[SETTING_SERVER]);
    }
    if (error == SP_OK) {
        (void)join(out->cert, merged.value[SETTING_CERT], "", "");
        (void)join(out->key, merged.value[SETTING_KEY], "", "");
        (void)join(out->ca, merged.value[SETTING_CA], "", "");
    }
    return error;
}
