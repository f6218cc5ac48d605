#include "server/settings.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "base/name.h"

enum key_type { KEY_TEXT, KEY_PATH, KEY_TEAM, KEY_NUMBER, KEY_SIZE, KEY_ADMIT, KEY_LOG_LEVEL };

struct key {
    const char *name;
    enum key_type type;
    size_t offset; /* in struct settings */
    uint64_t minimum;
    uint64_t maximum;
    const char *standard; /* the default; NULL: must be given */
    const char *meaning;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct key keys[] = {
    {"listen", KEY_TEXT, FIELD(listen), 0, 0, "[::]:7643", "HOST:PORT to listen on"},
    {"team", KEY_TEAM, FIELD(team), 0, 0, NULL, "the team's name, as in its certificates"},
    {"ca", KEY_PATH, FIELD(ca), 0, 0, NULL, "PEM: the root, then the issuing CAs"},
    {"cert", KEY_PATH, FIELD(cert), 0, 0, NULL,
     "PEM: the server's certificate, then its issuing CA"},
    {"key", KEY_PATH, FIELD(key), 0, 0, NULL, "PEM: its private key, mode 0600"},
    {"crl", KEY_PATH, FIELD(crl), 0, 0, NULL,
     "PEM: the revocation lists of the root and the issuing CAs"},
    {"state", KEY_PATH, FIELD(state), 0, 0, NULL, "directory of the database and the files"},
    {"admit", KEY_ADMIT, FIELD(admit_ca), 0, 0, "ca",
     "ca: the CA's certificates make members; none: only known devices"},
    {"log_level", KEY_LOG_LEVEL, FIELD(log_level), 0, 0, "info", "debug, info, warning or error"},
    {"max_sessions", KEY_NUMBER, FIELD(max_sessions), 1, 65536, "16384", "sessions at a time"},
    {"max_file_bytes", KEY_SIZE, FIELD(max_file_bytes), 1, LIMIT_FILE_BYTES, "1T",
     "the largest file"},
    {"message_rate", KEY_NUMBER, FIELD(message_rate), 0, 1000000, "50",
     "messages and files a second from one member; 0: any number"},
    {"message_burst", KEY_NUMBER, FIELD(message_burst), 1, 1000000, "500",
     "and at once, after some silence"},
    {"disk_reserve", KEY_SIZE, FIELD(disk_reserve_bytes), 0, UINT64_MAX / 2, "256M",
     "free space that files never get"},
    {"file_workers", KEY_NUMBER, FIELD(file_workers), 1, 64, "2", "threads that write files"},
    {"readers", KEY_NUMBER, FIELD(readers), 1, 16, "2", "threads that read the database"},
};

struct loading {
    struct settings *settings;
    bool seen[COUNT_OF(keys)];
    char *directory; /* of the configuration file, with a slash; "" for flags */
};

static const struct key *key_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

static enum sp_error set_text(char **field, const char *prefix, const char *value, char *reason,
                              size_t capacity)
{
    if (value[0] == '\0') {
        snprintf(reason, capacity, "is empty");
        return SP_EINVALID;
    }
    char *text = NULL;
    if (asprintf(&text, "%s%s", prefix, value) < 0) {
        return SP_ENOMEM;
    }
    free(*field);
    *field = text;
    return SP_OK;
}

static enum sp_error set_log_level(enum log_level *field, const char *value)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "debug",
        [LOG_INFO] = "info",
        [LOG_WARNING] = "warning",
        [LOG_ERROR] = "error",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            *field = (enum log_level)i;
            return SP_OK;
        }
    }
    return SP_EINVALID;
}

static enum sp_error set_admit(bool *field, const char *value)
{
    *field = strcmp(value, "ca") == 0;
    return *field || strcmp(value, "none") == 0 ? SP_OK : SP_EINVALID;
}

static enum sp_error set_value(struct loading *loading, const struct key *key, const char *value,
                               char *reason, size_t capacity)
{
    void *field = (char *)loading->settings + key->offset;
    const char *prefix = value[0] == '/' ? "" : loading->directory;
    enum sp_error error = SP_EINVALID;
    switch (key->type) {
    case KEY_TEXT:
        return set_text(field, "", value, reason, capacity);
    case KEY_PATH:
        return set_text(field, prefix, value, reason, capacity);
    case KEY_TEAM:
        error = name_check_team(value, strlen(value));
        snprintf(reason, capacity, "is not a team name: [a-z0-9][a-z0-9._-]{0,31}");
        return error != SP_OK ? error : set_text(field, "", value, reason, capacity);
    case KEY_NUMBER:
        snprintf(reason, capacity, "is not a number from %llu to %llu",
                 (unsigned long long)key->minimum, (unsigned long long)key->maximum);
        return config_parse_u64(value, key->minimum, key->maximum, field);
    case KEY_SIZE:
        snprintf(reason, capacity, "is not a size such as 500M or 2G");
        return config_parse_size(value, key->minimum, key->maximum, field);
    case KEY_ADMIT:
        snprintf(reason, capacity, "is neither \"ca\" nor \"none\"");
        return set_admit(field, value);
    case KEY_LOG_LEVEL:
        snprintf(reason, capacity, "is not debug, info, warning or error");
        return set_log_level(field, value);
    }
    return error;
}

static enum sp_error take_pair(void *context, const struct config_pair *pair, char *reason,
                               size_t capacity)
{
    struct loading *loading = context;
    const struct key *key = key_find(pair->key);
    if (key == NULL) {
        return SP_ENOTFOUND;
    }
    if (loading->seen[key - keys]) {
        return SP_EEXISTS;
    }
    loading->seen[key - keys] = true;
    return set_value(loading, key, pair->value, reason, capacity);
}

static enum sp_error load_file(struct loading *loading, const char *path, char *message,
                               size_t capacity)
{
    char *text = NULL;
    size_t size = 0;
    char reason[256] = "";
    enum sp_error error =
        file_read(path, LIMIT_CONFIG_FILE_BYTES, &text, &size, reason, sizeof reason);
    if (error != SP_OK) {
        snprintf(message, capacity, "%s: %s", path, reason);
        return SP_ECONFIG;
    }
    const char *slash = strrchr(path, '/');
    loading->directory = strndup(path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
    if (loading->directory == NULL) {
        error = SP_ENOMEM;
    } else {
        error = config_parse(path, text, size, take_pair, loading, message, capacity);
    }
    free(text);
    return error;
}

/* "--max-sessions=5" or "--max-sessions 5". How many arguments it took, 0 on error. */
static int take_flag(struct loading *loading, int argc, const char *const *argv, char *message,
                     size_t capacity)
{
    char name[64] = "";
    const char *flag = argv[0];
    const char *equals = strchr(flag, '=');
    size_t length = equals != NULL ? (size_t)(equals - flag) : strlen(flag);
    if (strncmp(flag, "--", 2) != 0 || length - 2 >= sizeof name) {
        snprintf(message, capacity, "unexpected argument '%s'", flag);
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        name[i - 2] = flag[i];
        if (flag[i] == '-') {
            name[i - 2] = '_';
        }
    }
    const struct key *key = key_find(name);
    const char *value = equals != NULL ? equals + 1 : argc > 1 ? argv[1] : NULL;
    if (key == NULL || value == NULL) {
        snprintf(message, capacity, key == NULL ? "unknown option '%s'" : "%s needs a value", flag);
        return 0;
    }
    char reason[256] = "";
    if (set_value(loading, key, value, reason, sizeof reason) != SP_OK) {
        snprintf(message, capacity, "--%s: '%s' %s", key->name, value, reason);
        return 0;
    }
    loading->seen[key - keys] = true;
    return equals != NULL ? 1 : 2;
}

static enum sp_error set_defaults(struct loading *loading, const char *config_file, char *message,
                                  size_t capacity)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (loading->seen[i]) {
            continue;
        }
        if (keys[i].standard == NULL) {
            snprintf(message, capacity, "%s: '%s' is missing (%s)",
                     config_file != NULL ? config_file : "no configuration file", keys[i].name,
                     keys[i].meaning);
            return SP_ECONFIG;
        }
        enum sp_error error = set_value(loading, &keys[i], keys[i].standard, message, capacity);
        if (error != SP_OK) {
            return error;
        }
    }
    return SP_OK;
}

enum sp_error settings_load(const struct settings_source *source, struct settings *out,
                            char *message, size_t capacity)
{
    const char *config_file = source->config_file;
    int argc = source->argc;
    const char *const *argv = source->argv;
    *out = (struct settings){0};
    message[0] = '\0';
    struct loading loading = {.settings = out};
    enum sp_error error = SP_OK;
    if (config_file != NULL) {
        error = load_file(&loading, config_file, message, capacity);
    }
    free(loading.directory);
    char here[] = "";
    loading.directory = here;
    while (error == SP_OK && argc > 0) {
        int taken = take_flag(&loading, argc, argv, message, capacity);
        error = taken > 0 ? SP_OK : SP_EINVALID;
        argc -= taken;
        argv += taken;
    }
    if (error == SP_OK) {
        error = set_defaults(&loading, config_file, message, capacity);
    }
    if (error != SP_OK) {
        settings_deinit(out);
    }
    return error;
}

void settings_deinit(struct settings *settings)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (keys[i].type == KEY_TEXT || keys[i].type == KEY_PATH || keys[i].type == KEY_TEAM) {
            char **field = (char **)(void *)((char *)settings + keys[i].offset);
            free(*field);
        }
    }
    *settings = (struct settings){0};
}

void settings_source_deinit(struct settings_source *source)
{
    free(source->config_file);
    *source = (struct settings_source){0};
}

void settings_print_keys(void)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const char *standard = keys[i].standard != NULL ? keys[i].standard : "required";
        printf("  %-16s %s [%s]\n", keys[i].name, keys[i].meaning, standard);
    }
}
