/*
 * Which server, and who we are there: options over environment over the profile's file
 * ($XDG_CONFIG_HOME/sealpost/PROFILE.conf). Called by the session before it connects. Reads no
 * certificate and connects to nothing.
 */
#ifndef SP_CLI_SETTINGS_H
#define SP_CLI_SETTINGS_H

#include "cli/options.h"

#define SETTINGS_PATH_BYTES 4096

struct settings {
    char server[LIMIT_HOST_BYTES + 1];
    uint16_t port;
    char cert[SETTINGS_PATH_BYTES];
    char key[SETTINGS_PATH_BYTES];
    char ca[SETTINGS_PATH_BYTES];
    const char *server_from; /* "options", "environment" or "profile"; NULL: nobody has said it */
    const char *cert_from;
    char profile[SETTINGS_PATH_BYTES]; /* its file, whether it is there or not; "" if unknown */
    char stores[SETTINGS_PATH_BYTES];  /* the directory of the devices' stores, below XDG_DATA_HOME;
                                          "" if there is no home */
};

/* getenv(3), or a test's. */
typedef const char *(*environment_fn)(void *context, const char *name);

/*
 * Each of the four settings is taken from the first place that has it. A cert that is a directory
 * stands for its cert.pem, key.pem and ca.pem, as far as the same place does not name key and ca;
 * a relative path in the file is relative to the file. SP_ECONFIG with a sentence in MESSAGE and
 * what to do in HINT (or ""): something is missing, malformed or too long.
 */
SP_CHECK enum sp_error settings_resolve(const struct options *options, environment_fn environment,
                                        void *context, struct settings *out, char *message,
                                        size_t capacity, char *hint, size_t hint_capacity);

/* Where the profile that OPTIONS and the environment name stands, whether it is there or not. */
struct settings_place {
    char profile[LIMIT_LOG_NAME_BYTES + 1];
    char directory[SETTINGS_PATH_BYTES]; /* of its key and certificates, below XDG_DATA_HOME */
    char file[SETTINGS_PATH_BYTES];      /* its settings, below XDG_CONFIG_HOME */
};

/* SP_ECONFIG with a sentence in MESSAGE: there is no home directory, or a name is not allowed. */
SP_CHECK enum sp_error settings_find_place(const struct options *options,
                                           environment_fn environment, void *context,
                                           struct settings_place *out, char *message,
                                           size_t capacity);

#endif
