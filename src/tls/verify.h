/*
 * The judgement of a certificate: OpenSSL's chain check first and, only when that has succeeded,
 * the team's own rules. For src/tls only.
 */
#ifndef SP_TLS_VERIFY_H
#define SP_TLS_VERIFY_H

#include "tls/authority_internal.h"

struct x509_store_ctx_st;

#define VERDICT_REASON_BYTES 256

/* What a handshake has found out about its peer. */
struct verdict {
    enum sp_error error;
    bool peer_seen;
    struct certificate_info peer;
    char reason[VERDICT_REASON_BYTES];
    const char *chosen; /* by a server: the protocol, once it has seen a ClientHello; static */
    /* A joining client: the CAs above the server's certificate, DER; the root last. Owned. */
    struct slice cas[LIMIT_CHAIN_DEPTH + 1];
    size_t ca_count;
};

void verdict_deinit(struct verdict *verdict);

/*
 * SSL_CTX_set_cert_verify_callback()'s function; AUTHORITY is the struct authority. The verdict is
 * the SSL's application data. On refusal the X509 error is set so that the TLS alert says which
 * kind it is; alert.c reads it back at the other end.
 */
int verify_peer(struct x509_store_ctx_st *context, void *authority);

/* Whether CERTIFICATE is a CA that leads to a root of AUTHORITY, whatever the time: X509_V_OK (0)
 * or OpenSSL's error. */
int verify_ca(const struct authority *authority, struct x509_st *certificate);

/* Whether AUTHORITY's own certificate, a server's, leads to its root now: SP_OK or why not. */
SP_CHECK enum sp_error verify_own_server(const struct authority *authority, char *reason,
                                         size_t capacity);

/*
 * Whether LEAF leads over CHAIN to ROOT, which is trusted, as a TLS client's certificate at
 * WALL_MS. What is wrong in REASON; the errors of a login's chain check.
 */
SP_CHECK enum sp_error verify_issued(struct x509_st *root, struct x509_st *leaf,
                                     struct stack_st_X509 *chain, int64_t wall_ms, char *reason,
                                     size_t capacity);

/* The chain above AUTHORITY's own certificate, which was verified; its root is the last. *OUT is
 * freed with sk_X509_pop_free(). SP_ECERT: it is too large for a handshake; SP_ENOMEM. */
SP_CHECK enum sp_error verify_build_own_chain(const struct authority *authority,
                                              struct stack_st_X509 **out);

#endif
