/*
 * The port through which the domain has certificates made when somebody joins: who decides is the
 * domain, who signs knows X.509 and no rooms. Called on the domain's thread, inside the
 * transaction that uses the code up; so nothing is issued that is not also written down, and it
 * must not block.
 */
#ifndef SP_DOMAIN_ISSUE_H
#define SP_DOMAIN_ISSUE_H

#include "base/base.h"

#define ISSUE_REASON_BYTES 128
#define LIMIT_ISSUED_BYTES 16384 /* a certificate and its issuing CA, DER */

/* What was issued. */
struct issued {
    struct digest fingerprint; /* SHA-256 of the certificate's DER form */
    uint8_t serial[SERIAL_BYTES];
    size_t serial_bytes;
    struct digest issuer; /* SHA-256 of the issuer name's DER form */
    int64_t not_after_ms;
    size_t size;
    uint8_t chain[LIMIT_ISSUED_BYTES]; /* the certificate, then its issuing CA, DER */
};

struct issue_port {
    /*
     * Whether REQUEST (PKCS #10, RFC 2986, DER) is well formed, signed by its own key, and of a
     * key that may be certified; *KEY is the SHA-256 of its SubjectPublicKeyInfo. SP_EINVALID,
     * SP_EKEY, and what is wrong in REASON.
     */
    enum sp_error (*check)(void *context, struct slice request, struct digest *key, char *reason,
                           size_t capacity);
    /*
     * A member's certificate for USERNAME, for the key of REQUEST, which was checked. SP_EINTERNAL,
     * SP_EEXPIRED (the issuing CA ends too soon), SP_ENOMEM, and what is wrong in REASON.
     */
    enum sp_error (*issue)(void *context, struct slice request, const char *username,
                           int64_t now_ms, struct issued *out, char *reason, size_t capacity);
    void *context;
};

#endif
