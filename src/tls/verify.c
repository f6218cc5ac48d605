#include "tls/verify.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/digest.h"
#include "crypto/openssl.h"
#include "tls/load.h"

#define MS_PER_SECOND 1000
#define DETAIL_BYTES 128 /* what is wrong in particular; empty if the error says it all */

/* What OpenSSL's chain check finds, in our words. Whatever is not here is SP_ECERT. */
static const struct {
    int found;
    enum sp_error error;
} classification[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, SP_EEXPIRED},
    {X509_V_ERR_CERT_NOT_YET_VALID, SP_ENOTYET},
    {X509_V_ERR_HOSTNAME_MISMATCH, SP_EHOST},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, SP_EHOST},
    {X509_V_ERR_OUT_OF_MEM, SP_ENOMEM},

    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, SP_EUNTRUSTED},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, SP_EUNTRUSTED},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, SP_EUNTRUSTED},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, SP_EUNTRUSTED},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, SP_EUNTRUSTED},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, SP_EUNTRUSTED}, /* another CA of the same name */
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, SP_EUNTRUSTED},
    {X509_V_ERR_CERT_UNTRUSTED, SP_EUNTRUSTED},
    {X509_V_ERR_INVALID_CA, SP_EUNTRUSTED}, /* a member plays CA */
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, SP_EUNTRUSTED},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, SP_EUNTRUSTED},
    {X509_V_ERR_SUBJECT_ISSUER_MISMATCH, SP_EUNTRUSTED},
    {X509_V_ERR_AKID_SKID_MISMATCH, SP_EUNTRUSTED},
    {X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH, SP_EUNTRUSTED},

    {X509_V_ERR_INVALID_PURPOSE, SP_EPROFILE},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, SP_EPROFILE},
    {X509_V_ERR_INVALID_EXTENSION, SP_EPROFILE},
    {X509_V_ERR_EE_KEY_TOO_SMALL, SP_EPROFILE},
    {X509_V_ERR_CA_MD_TOO_WEAK, SP_EPROFILE},
    {X509_V_ERR_EC_KEY_EXPLICIT_PARAMS, SP_EPROFILE},
    {X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER, SP_EPROFILE},
    {X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER, SP_EPROFILE},
    {X509_V_ERR_EXTENSIONS_REQUIRE_VERSION_3, SP_EPROFILE},
    {X509_V_ERR_EMPTY_SUBJECT_ALT_NAME, SP_EIDENTITY},
    {X509_V_ERR_EMPTY_SUBJECT_SAN_NOT_CRITICAL, SP_EPROFILE},
};

/*
 * How a refusal is handed to OpenSSL, which makes the alert of it. The last column says which; it
 * is alert.c that turns it into the same error at the other end, as far as alerts tell errors
 * apart.
 */
static const struct {
    enum sp_error error;
    int told;
} telling[] = {
    {SP_EREVOKED, X509_V_ERR_CERT_REVOKED},                /* certificate_revoked */
    {SP_EEXPIRED, X509_V_ERR_CERT_HAS_EXPIRED},            /* certificate_expired */
    {SP_ENOTYET, X509_V_ERR_CERT_NOT_YET_VALID},           /* bad_certificate */
    {SP_EUNTRUSTED, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT}, /* unknown_ca */
    {SP_EPROFILE, X509_V_ERR_INVALID_PURPOSE},             /* unsupported_certificate */
    {SP_EIDENTITY, X509_V_ERR_PERMITTED_VIOLATION},        /* certificate_unknown */
    {SP_EHOST, X509_V_ERR_HOSTNAME_MISMATCH},              /* bad_certificate */
    {SP_ECERT, X509_V_ERR_CERT_REJECTED},                  /* bad_certificate */
    {SP_ENOCRL, X509_V_ERR_UNSPECIFIED},                   /* internal_error: it is our fault */
    {SP_ENOMEM, X509_V_ERR_OUT_OF_MEM},                    /* internal_error */
};

static enum sp_error classify(int found)
{
    for (size_t i = 0; i < COUNT_OF(classification); i++) {
        if (classification[i].found == found) {
            return classification[i].error;
        }
    }
    return SP_ECERT;
}

static int x509_error_to_tell(enum sp_error error)
{
    for (size_t i = 0; i < COUNT_OF(telling); i++) {
        if (telling[i].error == error) {
            return telling[i].told;
        }
    }
    return X509_V_ERR_UNSPECIFIED;
}

/* Every CA of the chain must be one that the server was told of: that is how an issuing CA is
 * withdrawn by removing it, and only of these there are revocation lists. */
static bool chain_is_known(const struct authority *authority, X509_STORE_CTX *context)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);

    for (int i = 1; i < sk_X509_num(chain); i++) {
        if (authority_find_ca(authority, sk_X509_value(chain, i)) == NULL) {
            return false;
        }
    }
    return true;
}

/* A member's certificate, whose chain is good. Fills in who it is. */
static enum sp_error judge_member(const struct authority *authority, X509_STORE_CTX *context,
                                  X509 *leaf, int64_t wall_ms, struct verdict *verdict,
                                  char *detail)
{
    enum sp_error error = SP_OK;

    if (!chain_is_known(authority, context)) {
        (void)snprintf(detail, DETAIL_BYTES, "its issuing CA is not one of this server's CA file");
        return SP_EUNTRUSTED;
    }
    error = certificate_check_member_profile(leaf, detail, DETAIL_BYTES);
    if (error == SP_OK) {
        error = certificate_identity(leaf, authority->team, &verdict->peer);
    }
    if (error == SP_OK) {
        error = authority_judge(authority, &verdict->peer, wall_ms);
    }
    return error;
}

/* A server's certificate, whose chain, host name and purpose are good. */
static enum sp_error judge_server(const struct authority *authority, X509 *leaf, int64_t wall_ms,
                                  struct verdict *verdict, char *detail)
{
    enum sp_error error = certificate_check_server_profile(leaf, detail, DETAIL_BYTES);

    if (error == SP_OK && authority->revocation != NULL &&
        revocation_table_check(authority->revocation, &verdict->peer, wall_ms) == SP_EREVOKED) {
        error = SP_EREVOKED;
    }
    return error;
}

/* ---- A server whose root is known by its fingerprint only ---- */

/* How it is told that the server shows no such root; OpenSSL itself says it of trust settings only,
 * which nothing here has. */
#define NO_NAMED_ROOT X509_V_ERR_CERT_UNTRUSTED

/* Whether CERTIFICATE is the root that the join code names. */
static bool is_named_root(const struct authority *authority, X509 *certificate)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;

    return X509_digest(certificate, EVP_sha256(), digest, &size) == 1 && size == DIGEST_BYTES &&
           memcmp(digest, authority->fingerprint, sizeof(authority->fingerprint)) == 0 &&
           X509_self_signed(certificate, 1) == 1;
}

/* Of what the server has shown, the one certificate to trust: borrowed; NULL if it is not there. */
static X509 *find_named_root(const struct authority *authority, X509_STORE_CTX *context)
{
    STACK_OF(X509) *shown = X509_STORE_CTX_get0_untrusted(context);

    for (int i = 0; i < sk_X509_num(shown); i++) {
        if (is_named_root(authority, sk_X509_value(shown, i))) {
            return sk_X509_value(shown, i);
        }
    }
    return NULL;
}

/* Keeps the CAs of the chain that was verified. */
static enum sp_error keep_cas(X509_STORE_CTX *context, struct verdict *verdict)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);

    for (int i = 1; i < sk_X509_num(chain); i++) {
        unsigned char *der = NULL;
        int size = i2d_X509(sk_X509_value(chain, i), &der);

        if (size <= 0 || verdict->ca_count == COUNT_OF(verdict->cas)) {
            OPENSSL_free(der);
            return SP_ENOMEM;
        }
        verdict->cas[verdict->ca_count++] = (struct slice){der, (size_t)size};
    }
    return SP_OK;
}

void verdict_deinit(struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->ca_count; i++) {
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): it is ours, only to readers is it const */
        OPENSSL_free((void *)(uintptr_t)verdict->cas[i].data);
    }
    verdict->ca_count = 0;
}

/* X509_verify_cert(), with nothing trusted but the root that the join code names. */
static int verify_joining(const struct authority *authority, X509_STORE_CTX *context)
{
    X509 *root = find_named_root(authority, context);
    STACK_OF(X509) *trusted = sk_X509_new_null();
    int result = 0;

    if (root == NULL) {
        X509_STORE_CTX_set_error(context, NO_NAMED_ROOT);
    } else if (trusted == NULL || sk_X509_push(trusted, root) == 0) {
        X509_STORE_CTX_set_error(context, X509_V_ERR_OUT_OF_MEM);
    } else {
        X509_STORE_CTX_set0_trusted_stack(context, trusted);
        result = X509_verify_cert(context);
    }
    sk_X509_free(trusted); /* nothing looks anything up afterwards */
    return result;
}

/* ---- Either ---- */

static int verify_connection(const struct authority *authority, X509_STORE_CTX *context)
{
    return authority->is_joining ? verify_joining(authority, context) : X509_verify_cert(context);
}

static enum sp_error judge(const struct authority *authority, X509_STORE_CTX *context,
                           struct verdict *verdict, char *detail)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(context);
    int64_t wall_ms = clock_wall_ms(authority->clock);
    enum sp_error described = certificate_describe(leaf, &verdict->peer);

    verdict->peer_seen = described == SP_OK;
    X509_STORE_CTX_set_time(context, 0, (time_t)(wall_ms / MS_PER_SECOND));
    if (verify_connection(authority, context) != 1) {
        int found = X509_STORE_CTX_get_error(context);

        if (authority->is_joining && found == NO_NAMED_ROOT) {
            (void)snprintf(detail, DETAIL_BYTES, "it shows no root that the join code names");
        } else {
            (void)snprintf(detail, DETAIL_BYTES, "%s, at depth %d of the chain",
                           X509_verify_cert_error_string(found),
                           X509_STORE_CTX_get_error_depth(context));
        }
        return classify(found);
    }
    if (described != SP_OK) {
        (void)snprintf(detail, DETAIL_BYTES, "its serial number or its times are malformed");
        return described;
    }
    if (authority->is_server) {
        return judge_member(authority, context, leaf, wall_ms, verdict, detail);
    }
    described = judge_server(authority, leaf, wall_ms, verdict, detail);
    return described == SP_OK && authority->is_joining ? keep_cas(context, verdict) : described;
}

int verify_peer(struct x509_store_ctx_st *context, void *authority)
{
    const struct authority *judging = authority;
    SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct verdict *verdict = SSL_get_app_data(ssl);
    char detail[DETAIL_BYTES] = "";

    verdict->error = judge(judging, context, verdict, detail);
    if (verdict->error == SP_OK) {
        return 1;
    }
    if (openssl_found_no_memory()) {
        /* Here, or when the certificate was read: what was found to be wrong is not its fault. */
        verdict->error = SP_ENOMEM;
        detail[0] = '\0';
    }
    (void)snprintf(verdict->reason, sizeof(verdict->reason),
                   "the %s's certificate is refused: %s%s%s",
                   judging->is_server ? "client" : "server", sp_error_text(verdict->error),
                   detail[0] == '\0' ? "" : ": ", detail);
    X509_STORE_CTX_set_error(context, x509_error_to_tell(verdict->error));
    return 0;
}

/* One chain check outside of a handshake, over UNTRUSTED to a CA of STORE. WALL_MS NULL: whatever
 * the time. */
static int verify_chain(X509_STORE *store, STACK_OF(X509) * untrusted, X509 *certificate,
                        int purpose, const int64_t *wall_ms)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int found = X509_V_ERR_OUT_OF_MEM;

    if (context != NULL && X509_STORE_CTX_init(context, store, certificate, untrusted) == 1 &&
        X509_STORE_CTX_set_purpose(context, purpose) == 1) {
        X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);

        X509_VERIFY_PARAM_set_depth(parameters, LIMIT_CHAIN_DEPTH);
        X509_VERIFY_PARAM_set_auth_level(parameters, AUTHORITY_SECURITY_LEVEL);
        X509_STORE_CTX_set_flags(context, X509_V_FLAG_X509_STRICT);
        if (wall_ms == NULL) {
            X509_STORE_CTX_set_flags(context, X509_V_FLAG_NO_CHECK_TIME);
        } else {
            X509_STORE_CTX_set_time(context, 0, (time_t)(*wall_ms / MS_PER_SECOND));
        }
        found = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    }
    X509_STORE_CTX_free(context);
    ERR_clear_error();
    return found;
}

int verify_ca(const struct authority *authority, struct x509_st *certificate)
{
    if (X509_check_ca(certificate) != 1) {
        return X509_V_ERR_INVALID_CA;
    }
    return verify_chain(authority->store, authority->credentials.chain, certificate,
                        X509_PURPOSE_ANY, NULL);
}

enum sp_error verify_own_server(const struct authority *authority, char *reason, size_t capacity)
{
    int64_t wall_ms = clock_wall_ms(authority->clock);
    int found = verify_chain(authority->store, authority->credentials.chain,
                             authority->credentials.leaf, X509_PURPOSE_SSL_SERVER, &wall_ms);

    if (found != X509_V_OK) {
        (void)snprintf(reason, capacity, "%s", X509_verify_cert_error_string(found));
        return classify(found);
    }
    return certificate_check_server_profile(authority->credentials.leaf, reason, capacity);
}

enum sp_error verify_build_own_chain(const struct authority *authority, struct stack_st_X509 **out)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = NULL;
    enum sp_error error = SP_ENOMEM;

    *out = NULL;
    if (context != NULL &&
        X509_STORE_CTX_init(context, authority->store, authority->credentials.leaf,
                            authority->credentials.chain) == 1) {
        X509_STORE_CTX_set_flags(context, X509_V_FLAG_NO_CHECK_TIME); /* that was checked */
        if (X509_verify_cert(context) == 1) {
            chain = X509_STORE_CTX_get1_chain(context);
        }
    }
    if (chain != NULL) {
        X509_free(sk_X509_shift(chain)); /* the certificate itself */
        error = certificates_fit_handshake(authority->credentials.leaf, chain) ? SP_OK : SP_ECERT;
    }
    if (error == SP_OK) {
        *out = chain;
        chain = NULL;
    }
    sk_X509_pop_free(chain, X509_free);
    X509_STORE_CTX_free(context);
    ERR_clear_error();
    return error;
}

enum sp_error verify_issued(struct x509_st *root, struct x509_st *leaf, struct stack_st_X509 *chain,
                            int64_t wall_ms, char *reason, size_t capacity)
{
    X509_STORE *store = X509_STORE_new();
    int found = X509_V_ERR_OUT_OF_MEM;

    if (store != NULL && X509_STORE_add_cert(store, root) == 1) {
        found = verify_chain(store, chain, leaf, X509_PURPOSE_SSL_CLIENT, &wall_ms);
    }
    X509_STORE_free(store);
    if (found == X509_V_OK) {
        return SP_OK;
    }
    (void)snprintf(reason, capacity, "%s", X509_verify_cert_error_string(found));
    return classify(found);
}
