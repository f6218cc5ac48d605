/* The SSL_CTX of an authority: everything that TLS is told once. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/authority_internal.h"
#include "tls/socket_bio.h"
#include "tls/verify.h"

#define GROUPS "X25519:P-256"

/* AES-128 first: as strong as the keys, and the fastest for files. */
#define CIPHERS "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/*
 * The protocols that a server speaks, by ALPN, the preferred one first: who offers both logs in.
 * ALPN_JOIN, for enrolment, is the one that demands no certificate.
 */
static const struct protocol {
    const char *name;
    bool joins;
} protocols[] = {{ALPN_SEALPOST, false}, {ALPN_JOIN, true}};

/* What a client offers, in wire form (RFC 7301, 3.1). */
static const unsigned char client_protocols[] = "\x0a" ALPN_SEALPOST;
static const unsigned char join_protocols[] = "\x0f" ALPN_JOIN;

#define DEMAND_CERTIFICATE (SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT)

/* Where NAME stands among the OFFERED, or NULL. */
static const unsigned char *find_offer(const char *name, const unsigned char *offered,
                                       unsigned int size)
{
    size_t wanted = strlen(name);

    for (unsigned int at = 0; at < size; at += 1U + offered[at]) { /* checked by OpenSSL */
        if (offered[at] == wanted && memcmp(&offered[at + 1], name, wanted) == 0) {
            return &offered[at];
        }
    }
    return NULL;
}

/*
 * The only place where a certificate is not demanded: on this one connection. A second ClientHello
 * (after HelloRetryRequest) comes here again, and must not find what the first one was granted.
 */
static bool set_protocol(SSL *ssl, const struct authority *authority,
                         const struct protocol *protocol)
{
    struct verdict *verdict = SSL_get_app_data(ssl);

    if (verdict->chosen != NULL && verdict->chosen != protocol->name) {
        return false; /* RFC 8446, 4.1.2: it must not change its offer */
    }
    verdict->chosen = protocol->name;
    SSL_set_verify(ssl, protocol->joins ? SSL_VERIFY_NONE : DEMAND_CERTIFICATE, NULL);
    return !protocol->joins || SSL_set1_chain(ssl, authority->join_chain) == 1;
}

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *offered, unsigned int size, void *serving)
{
    const struct authority *authority = serving;
    struct verdict *verdict = SSL_get_app_data(ssl);
    const unsigned char *found = NULL;
    const struct protocol *protocol = protocols;

    for (size_t i = 0; i < COUNT_OF(protocols) && found == NULL; i++) {
        protocol = &protocols[i];
        if (!protocol->joins || authority->allow_join) {
            found = find_offer(protocol->name, offered, size);
        }
    }
    if (found != NULL && set_protocol(ssl, authority, protocol)) {
        *out = found + 1;
        *out_size = found[0];
        return SSL_TLSEXT_ERR_OK;
    }
    verdict->error = SP_EUNSUPPORTED;
    (void)snprintf(verdict->reason, sizeof(verdict->reason), "%s",
                   found != NULL ? "the client offers another protocol (ALPN) in its second hello"
                                 : "the client offers no protocol (ALPN) that this server speaks");
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* OpenSSL does not call the ALPN callback when the extension is missing, and would go on. */
static int demand_alpn(SSL *ssl, int *alert, void *unused)
{
    struct verdict *verdict = SSL_get_app_data(ssl);
    const unsigned char *extension = NULL;
    size_t size = 0;

    (void)unused;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                  &extension, &size) == 1) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    verdict->error = SP_EUNSUPPORTED;
    (void)snprintf(verdict->reason, sizeof(verdict->reason),
                   "the client names no protocol (ALPN); it is no Sealpost client");
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static bool set_limits(SSL_CTX *context)
{
    X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(context);
    char groups[] = GROUPS; /* OpenSSL's macro casts const away */

    SSL_CTX_set_security_level(context, AUTHORITY_SECURITY_LEVEL);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    /* NO_AUTO_CHAIN: send what the certificate's file holds, and do not add the root. */
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(context, 1); /* one recv() for many records */
    (void)SSL_CTX_set_max_cert_list(context, LIMIT_CERT_CHAIN_BYTES);
    X509_VERIFY_PARAM_set_depth(parameters, LIMIT_CHAIN_DEPTH);
    return X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT) == 1 &&
           SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_max_early_data(context, 0) == 1 &&
           SSL_CTX_set_ciphersuites(context, CIPHERS) == 1 &&
           SSL_CTX_set1_groups_list(context, groups) == 1;
}

static void set_server(SSL_CTX *context, struct authority *authority)
{
    SSL_CTX_set_verify(context, DEMAND_CERTIFICATE, NULL);
    SSL_CTX_set_client_hello_cb(context, demand_alpn, NULL);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, authority);
}

static bool set_client(SSL_CTX *context, const struct authority *authority)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return (authority->is_joining
                ? SSL_CTX_set_alpn_protos(context, join_protocols, sizeof(join_protocols) - 1)
                : SSL_CTX_set_alpn_protos(context, client_protocols,
                                          sizeof(client_protocols) - 1)) == 0;
}

/* A client sends its certificate only: the server takes no issuing CAs but those of its own file,
 * and would keep the others in memory for as long as the connection lasts. */
static bool set_certificate(SSL_CTX *context, const struct authority *authority)
{
    const struct credentials *own = &authority->credentials;

    if (authority->is_joining) {
        return true; /* it has none yet */
    }
    return SSL_CTX_use_certificate(context, own->leaf) == 1 &&
           SSL_CTX_use_PrivateKey(context, own->key) == 1 &&
           (!authority->is_server || SSL_CTX_set1_chain(context, own->chain) == 1);
}

enum sp_error authority_make_context(struct authority *authority, const char *cert_path,
                                     char *reason, size_t capacity)
{
    SSL_CTX *context =
        SSL_CTX_new(authority->is_server ? TLS_server_method() : TLS_client_method());
    enum sp_error error = socket_bio_method_new(&authority->socket_method);

    authority->context = context; /* freed with the authority, whatever comes */
    (void)snprintf(reason, capacity, "OpenSSL: out of memory");
    if (context == NULL || error != SP_OK || X509_STORE_up_ref(authority->store) != 1) {
        error = SP_ENOMEM;
        goto out;
    }
    SSL_CTX_set_cert_store(context, authority->store); /* takes the reference */
    SSL_CTX_set_cert_verify_callback(context, verify_peer, authority);
    if (authority->is_server) {
        set_server(context, authority);
    } else if (!set_client(context, authority)) {
        error = SP_ENOMEM;
        goto out;
    }
    if (!set_limits(context)) {
        (void)snprintf(reason, capacity, "OpenSSL does not take the TLS settings");
        error = SP_EINTERNAL;
        goto out;
    }
    if (!set_certificate(context, authority)) {
        const char *why = ERR_reason_error_string(ERR_peek_last_error());

        (void)snprintf(reason, capacity, "%s: OpenSSL does not take this certificate: %s",
                       cert_path, why == NULL ? "unknown reason" : why);
        error = SP_ECERT;
        goto out;
    }
    reason[0] = '\0';
out:
    ERR_clear_error();
    return error;
}
