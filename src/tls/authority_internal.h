/* What an authority consists of. For src/tls only. */
#ifndef SP_TLS_AUTHORITY_INTERNAL_H
#define SP_TLS_AUTHORITY_INTERNAL_H

#include <stdatomic.h>

#include "tls/authority.h"
#include "tls/revocation.h"

/* OpenSSL's security level 2: 112 bits, no SHA-1, no RSA under 2048 bits. */
#define AUTHORITY_SECURITY_LEVEL 2

struct bio_method_st;
struct ssl_ctx_st;
struct stack_st_X509;
struct x509_store_st;

/* The own certificate, the CAs above it and the key, as they were read. */
struct credentials {
    struct x509_st *leaf;
    struct stack_st_X509 *chain; /* what follows the leaf in its file */
    struct evp_pkey_st *key;
};

/* A certificate authority of the CA file. */
struct ca {
    struct x509_st *certificate;
    struct certificate_info info;
    struct digest subject; /* as certificate_info's issuer in what it has issued */
    struct digest key;     /* as certificate_info's issuer_key in what it has issued */
    bool is_root;          /* self-signed: trusted by itself */
};

struct authority {
    atomic_size_t references;
    bool is_server;
    bool allow_join;                             /* of a server: ALPN_JOIN is spoken, too */
    bool is_joining;                             /* of a client: ALPN_JOIN is all it speaks */
    uint8_t fingerprint[JOIN_FINGERPRINT_BYTES]; /* likewise: of the root to be trusted */
    char team[LIMIT_TEAM_BYTES + 1];             /* empty for a client, which does not know it */
    const struct clock *clock;
    struct credentials credentials;
    struct certificate_info own;
    struct stack_st_X509 *join_chain; /* if allow_join: what leads from OWN to the root, with it */
    struct ca *cas;
    size_t ca_count;
    struct x509_store_st *store;         /* the same CAs, for OpenSSL */
    struct revocation_table *revocation; /* of a client: only if there are lists in its CA file */
    struct ssl_ctx_st *context;
    struct bio_method_st *socket_method;
};

/* context.c: makes the SSL_CTX of what is loaded. CERT_PATH is for REASON. SP_ECERT, SP_EKEY,
 * SP_ENOMEM, SP_EINTERNAL. */
SP_CHECK enum sp_error authority_make_context(struct authority *authority, const char *cert_path,
                                              char *reason, size_t capacity);

/* The CA that CERTIFICATE is, or NULL. */
const struct ca *authority_find_ca(const struct authority *authority,
                                   const struct x509_st *certificate);

#endif
