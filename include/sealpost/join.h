/*
 * Joining: from a join code to a profile, in one blocking call, and how join codes are made.
 *
 * A join code says where the server is and which root certificate to trust, and holds a secret that
 * works once (docs/PROTOCOL.md, 10). The private key is made here and never leaves the device.
 *
 * Thread rules: nothing is shared; any thread.
 */
#ifndef SEALPOST_JOIN_H
#define SEALPOST_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sealpost/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SP_JOIN_SECRET_BYTES 16
#define SP_JOIN_FINGERPRINT_BYTES 16
#define SP_JOIN_HOST_BYTES 254      /* with its NUL */
#define SP_JOIN_CODE_TEXT_BYTES 352 /* with its NUL */
#define SP_JOIN_PATH_BYTES 4096
#define SP_JOIN_LABEL_BYTES 64   /* without a NUL */
#define SP_PASSPHRASE_BYTES 1024 /* without a NUL */

/* ---- Making a code, to invite somebody ---- */

/* A fresh secret, and what the server is told of it: SHA-256("sealpost join secret 1" 00 SECRET).
 * SP_EINTERNAL. Wipe the secret when the code has been shown. */
SP_API SP_CHECK enum sp_error sp_join_secret_new(uint8_t secret[SP_JOIN_SECRET_BYTES],
                                                 uint8_t digest[32]);

/*
 * The code for that secret: HOST and PORT (0: 7643) are where the server is found, CA_FILE (PEM)
 * holds its team's root. On error CODE is empty and MESSAGE has a sentence. SP_EINVALID (the host),
 * SP_ENOTFOUND, SP_ECERT (the file), SP_ENOMEM.
 */
SP_API SP_CHECK enum sp_error sp_join_code_make(const char *host, uint16_t port,
                                                const char *ca_file,
                                                const uint8_t secret[SP_JOIN_SECRET_BYTES],
                                                char code[SP_JOIN_CODE_TEXT_BYTES], char *message,
                                                size_t capacity);

/* ---- Looking at one ---- */

struct sp_join_code {
    char host[SP_JOIN_HOST_BYTES];
    uint16_t port;
    uint8_t fingerprint[SP_JOIN_FINGERPRINT_BYTES]; /* the root's SHA-256 begins with it */
};

/* What CODE says, without its secret. SP_EINVALID: it is no join code at all; SP_ECODE: it is
 * mistyped. A sentence about which in MESSAGE. */
SP_API SP_CHECK enum sp_error sp_join_code_read(const char *code, size_t size,
                                                struct sp_join_code *out, char *message,
                                                size_t capacity);

/* ---- Joining ---- */

struct sp_enrol_config {
    const char *code;
    size_t code_size;
    const char *label; /* what the device is to be called: 1 to 64 bytes of UTF-8, no control
                          characters */
    /*
     * The profile's directory, made here with key.pem, cert.pem and ca.pem (0700 and 0600), in one
     * step when all is there; its parents are made as needed. Beside it stands, until then,
     * ".NAME.joining-" and 16 digits, with the key: entering the same code again goes on from
     * there.
     */
    const char *directory;
    /* NULL, or a file to be written with "server = HOST:PORT" and "cert = DIRECTORY", as
     * sealpost(1) reads it. */
    const char *settings_file;
    /* Whether a profile may take the place of another, which is kept beside it under its name and
     * ".old-" and the date. */
    bool replace;
    const char *passphrase;   /* the key is sealed under it; NULL: it is not */
    size_t passphrase_size;   /* at most SP_PASSPHRASE_BYTES */
    int timeout_ms;           /* for all of it; 0: 30,000 */
    const volatile int *stop; /* not 0: give up (SP_ECANCELLED), as seen after a signal; or NULL */
};

struct sp_enrolled {
    char team[33];
    char username[33];
    bool administrator;
    uint8_t device[16];
    int64_t not_after_ms; /* of the certificate */
    bool repeated;        /* the server had answered before */
    char host[SP_JOIN_HOST_BYTES];
    uint16_t port;
    char old_directory[SP_JOIN_PATH_BYTES]; /* what was there before, or "" */
    char old_settings[SP_JOIN_PATH_BYTES];  /* likewise */
};

/*
 * Joins. Blocks. On error nothing has appeared at the final places, *OUT is zero and MESSAGE says
 * why. Before anything is sent: SP_EINVALID, SP_ECODE (the code), SP_ENAME (the label), SP_EEXISTS
 * (there is a profile already), SP_EFILE, SP_EPASSPHRASE (the key of the first attempt is sealed
 * under another). The connection: SP_EUNREACHABLE, SP_EUNTRUSTED (the server's authority is not the
 * one in the code), and the other certificate errors. The server's answer: SP_ECODE (wrong, or
 * replaced), SP_ECODEUSED, SP_ECODEEXPIRED, SP_EDISABLED, SP_ESLOWDOWN and others; SP_EINTEGRITY:
 * what it sent is not for us. Class SP_CLASS_UNKNOWN: enter the same code again.
 */
SP_API SP_CHECK enum sp_error sp_enrol(const struct sp_enrol_config *config,
                                       struct sp_enrolled *out, char *message, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
