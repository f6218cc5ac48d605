/*
 * The settings of sealpostd: a file of "key = value" lines, and flags of the same names that
 * override it. The table in settings.c is the list of keys; docs/man/sealpost.conf.5 explains them.
 */
#ifndef SP_SERVER_SETTINGS_H
#define SP_SERVER_SETTINGS_H

#include "base/base.h"
#include "base/log.h"

#define SETTINGS_MESSAGE_BYTES 1024
#define SETTINGS_FILE_NAME "sealpost.conf" /* in the directory that `sealpostd run DIR` names */

/* Where settings come from; kept by the server, which loads them again. */
struct settings_source {
    char *config_file; /* owned; NULL: none */
    int argc;
    const char *const *argv; /* flags that override the file; borrowed */
};

struct settings {
    char *listen; /* HOST:PORT; port 0: any free one */
    char *team;
    char *ca; /* files; relative ones are relative to the configuration file */
    char *cert;
    char *key;
    char *crl;
    char *state; /* directory of the database and the files */
    bool admit_ca;
    enum log_level log_level;
    uint64_t max_sessions;
    uint64_t max_file_bytes;
    uint64_t message_rate;
    uint64_t message_burst;
    uint64_t disk_reserve_bytes;
    uint64_t file_workers;
    uint64_t readers;
    char *host;        /* HOST[:PORT] under which clients find the server; NULL: not said */
    char *issuer_cert; /* files of the CA that signs for those who join; NULL: nobody can */
    char *issuer_key;
};

/*
 * Reads SOURCE's file, then its flags ("--key value" or "--key=value"; '-' for '_'), then checks
 * that all that is needed is there. On error SP_ECONFIG, or SP_EINVALID for a wrong flag, and a
 * message that names file and line or the flag.
 */
SP_CHECK enum sp_error settings_load(const struct settings_source *source, struct settings *out,
                                     char *message, size_t capacity);
void settings_deinit(struct settings *settings);
void settings_source_deinit(struct settings_source *source);

/* Which keys of newly loaded settings differ from the running ones; names, with commas. */
struct settings_changes {
    char now[256];   /* that can change while the server runs; "" if none */
    char later[256]; /* that need a new start */
};

/*
 * Takes from LOADED into RUNNING what can change while the server runs; LOADED gets the old values
 * in exchange, and stays the caller's. What needs a new start stays as it is in both.
 */
void settings_exchange(struct settings *running, struct settings *loaded,
                       struct settings_changes *changes);

/* The NUMBERth file of SETTINGS that a reload reads, NULL if that one is not set; of
 * SETTINGS_FILES. */
#define SETTINGS_FILES 4
const char *settings_file(const struct settings *settings, size_t number);

/* One line for each key with its default and meaning, to STDOUT; for --help. */
void settings_print_keys(void);

#endif
