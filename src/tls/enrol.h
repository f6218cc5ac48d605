/*
 * What a device does on its own side of joining: it makes its key and a request for a certificate,
 * and judges what it is given. Called by libsealpost. Opens no connection; the key leaves here in
 * guarded memory only.
 */
#ifndef SP_TLS_ENROL_H
#define SP_TLS_ENROL_H

#include "tls/identity.h"

struct secret;

/* A new P-256 key, PKCS #8 in PEM form without a NUL. SP_ENOMEM, SP_EINTERNAL. */
SP_CHECK enum sp_error enrol_key_new(struct secret **out);

/* A PKCS #10 request (RFC 2986) in DER for KEY, in PEM form: without names, since only the key
 * counts. SP_EKEY: it is none; SP_ETOOLARGE, SP_ENOMEM. */
SP_CHECK enum sp_error enrol_request(const struct secret *key, uint8_t out[LIMIT_REQUEST_BYTES],
                                     size_t *size);

/* What a device has, and what it was given. All borrowed. */
struct enrol_answer {
    const struct secret *key; /* PEM */
    struct slice root;        /* DER, trusted */
    struct slice issued;      /* DER: the certificate, then the CAs above it, but the root */
    const char *team;         /* who it is said to be for */
    const char *username;
    int64_t wall_ms;
};

struct enrol_files {
    struct certificate_info info;
    char *chain; /* PEM: the certificate and the CAs; free() */
    char *root;  /* PEM; free() */
};

/*
 * Whether it is a member's certificate, for that key and that name, which leads to the root and is
 * valid now. SP_OK: *OUT is the caller's. SP_ECERT (cannot be read), SP_EKEY (is for another key),
 * SP_EUNTRUSTED, SP_EPROFILE, SP_EIDENTITY, SP_EEXPIRED, SP_ENOTYET, SP_ENOMEM, and what is wrong
 * in REASON; *OUT is then zero.
 */
SP_CHECK enum sp_error enrol_check(const struct enrol_answer *answer, struct enrol_files *out,
                                   char *reason, size_t capacity);
void enrol_files_deinit(struct enrol_files *files);

/*
 * The SHA-256 of the one root certificate in the PEM file PATH, which may hold other CAs, too.
 * SP_ENOTFOUND, SP_ECERT (there is none, or several), SP_ENOMEM, and a sentence in REASON.
 */
SP_CHECK enum sp_error enrol_root_fingerprint(const char *path, struct digest *out, char *reason,
                                              size_t capacity);

#endif
