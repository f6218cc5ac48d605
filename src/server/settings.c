#include "server/settings.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "base/name.h"

enum key_type {
    KEY_TEXT,
    KEY_HOST,
    KEY_PATH,
    KEY_TEAM,
    KEY_NUMBER,
    KEY_SIZE,
    KEY_ADMIT,
    KEY_LOG_LEVEL
};

/* When a changed value takes effect. */
enum key_change { AT_START, AT_RELOAD };

struct key {
    const char *name;
    enum key_type type;
    enum key_change change;
    size_t offset; /* in struct settings */
    uint64_t minimum;
    uint64_t maximum;
    const char *standard; /* the default; NULL: must be given; "": need not be there */
    const char *meaning;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct key keys[] = {
    {"listen", KEY_TEXT, AT_START, FIELD(listen), 0, 0, "[::]:7643", "HOST:PORT to listen on"},
    {"host", KEY_HOST, AT_RELOAD, FIELD(host), 0, 0, "",
     "HOST[:PORT] under which clients find this server"},
    {"team", KEY_TEAM, AT_START, FIELD(team), 0, 0, NULL,
     "the team's name, as in its certificates"},
    {"ca", KEY_PATH, AT_RELOAD, FIELD(ca), 0, 0, NULL, "PEM: the root, then the issuing CAs"},
    {"cert", KEY_PATH, AT_RELOAD, FIELD(cert), 0, 0, NULL,
     "PEM: the server's certificate, then its issuing CA"},
    {"key", KEY_PATH, AT_RELOAD, FIELD(key), 0, 0, NULL, "PEM: its private key, mode 0600"},
    {"crl", KEY_PATH, AT_RELOAD, FIELD(crl), 0, 0, NULL,
     "PEM: the revocation lists of the root and the issuing CAs"},
    {"issuer_cert", KEY_PATH, AT_START, FIELD(issuer_cert), 0, 0, "",
     "PEM: the CA that signs for those who join by a code"},
    {"issuer_key", KEY_PATH, AT_START, FIELD(issuer_key), 0, 0, "",
     "PEM: its private key, mode 0600"},
    {"state", KEY_PATH, AT_START, FIELD(state), 0, 0, NULL,
     "directory of the database and the files"},
    {"admit", KEY_ADMIT, AT_RELOAD, FIELD(admit_ca), 0, 0, "ca",
     "ca: the CA's certificates make members; none: only known devices"},
    {"log_level", KEY_LOG_LEVEL, AT_RELOAD, FIELD(log_level), 0, 0, "info",
     "debug, info, warning or error"},
    {"max_sessions", KEY_NUMBER, AT_START, FIELD(max_sessions), 1, 65536, "16384",
     "sessions at a time"},
    {"max_file_bytes", KEY_SIZE, AT_RELOAD, FIELD(max_file_bytes), 1, LIMIT_FILE_BYTES, "1T",
     "the largest file"},
    {"message_rate", KEY_NUMBER, AT_RELOAD, FIELD(message_rate), 0, 1000000, "50",
     "messages and files a second from one member; 0: any number"},
    {"message_burst", KEY_NUMBER, AT_RELOAD, FIELD(message_burst), 1, 1000000, "500",
     "and at once, after some silence"},
    {"disk_reserve", KEY_SIZE, AT_START, FIELD(disk_reserve_bytes), 0, UINT64_MAX / 2, "256M",
     "free space that files never get"},
    {"file_workers", KEY_NUMBER, AT_START, FIELD(file_workers), 1, 64, "2",
     "threads that write files"},
    {"readers", KEY_NUMBER, AT_START, FIELD(readers), 1, 16, "2", "threads that read the database"},
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

static enum sp_error set_host(char **field, const char *value, char *reason, size_t capacity)
{
    char host[LIMIT_HOST_BYTES + 1];
    uint16_t port = 0;
    if (config_parse_host_port(value, host, &port) != SP_OK || port == 0) {
        snprintf(reason, capacity, "is not HOST, HOST:PORT or [ADDRESS]:PORT");
        return SP_EINVALID;
    }
    return set_text(field, "", value, reason, capacity);
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
    case KEY_HOST:
        return set_host(field, value, reason, capacity);
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
        if (loading->seen[i] || (keys[i].standard != NULL && keys[i].standard[0] == '\0')) {
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

/* What belongs together. */
static enum sp_error check_pairs(const struct settings *settings, const char *config_file,
                                 char *message, size_t capacity)
{
    if ((settings->issuer_cert == NULL) == (settings->issuer_key == NULL)) {
        return SP_OK;
    }
    snprintf(message, capacity,
             "%s: 'issuer_cert' and 'issuer_key' belong together; '%s' is missing",
             config_file != NULL ? config_file : "no configuration file",
             settings->issuer_cert == NULL ? "issuer_cert" : "issuer_key");
    return SP_ECONFIG;
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
    if (error == SP_OK) {
        error = check_pairs(out, config_file, message, capacity);
    }
    if (error != SP_OK) {
        settings_deinit(out);
    }
    return error;
}

static bool is_text(const struct key *key)
{
    return key->type == KEY_TEXT || key->type == KEY_HOST || key->type == KEY_PATH ||
           key->type == KEY_TEAM;
}

static char **text_field(struct settings *settings, const struct key *key)
{
    return (char **)(void *)((char *)settings + key->offset);
}

static size_t field_size(const struct key *key)
{
    switch (key->type) {
    case KEY_NUMBER:
    case KEY_SIZE:
        return sizeof(uint64_t);
    case KEY_ADMIT:
        return sizeof(bool);
    case KEY_LOG_LEVEL:
        return sizeof(enum log_level);
    case KEY_TEXT:
    case KEY_HOST:
    case KEY_PATH:
    case KEY_TEAM:
        break;
    }
    return sizeof(char *);
}

static bool is_same(struct settings *a, struct settings *b, const struct key *key)
{
    if (!is_text(key)) {
        return memcmp((char *)a + key->offset, (char *)b + key->offset, field_size(key)) == 0;
    }
    const char *left = *text_field(a, key);
    const char *right = *text_field(b, key);
    return left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);
}

static void add_name(char *names, size_t capacity, const char *name)
{
    size_t used = strlen(names);
    snprintf(names + used, capacity - used, "%s%s", used > 0 ? "," : "", name);
}

void settings_exchange(struct settings *running, struct settings *loaded,
                       struct settings_changes *changes)
{
    *changes = (struct settings_changes){0};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const struct key *key = &keys[i];
        if (is_same(running, loaded, key)) {
            continue;
        }
        if (key->change == AT_START) {
            add_name(changes->later, sizeof changes->later, key->name);
            continue;
        }
        char kept[sizeof(uint64_t)];
        char *field = (char *)running + key->offset;
        char *other = (char *)loaded + key->offset;
        memcpy(kept, field, field_size(key));
        memcpy(field, other, field_size(key));
        memcpy(other, kept, field_size(key));
        add_name(changes->now, sizeof changes->now, key->name);
    }
}

const char *settings_file(const struct settings *settings, size_t number)
{
    const char *const files[SETTINGS_FILES] = {settings->ca, settings->cert, settings->key,
                                               settings->crl};
    return files[number];
}

void settings_deinit(struct settings *settings)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (is_text(&keys[i])) {
            free(*text_field(settings, &keys[i]));
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
        printf("%c %-16s %s%s%s%s\n", keys[i].change == AT_RELOAD ? '*' : ' ', keys[i].name,
               keys[i].meaning, standard[0] != '\0' ? " [" : "", standard,
               standard[0] != '\0' ? "]" : "");
    }
}
