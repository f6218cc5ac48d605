#include "tls/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/name.h"
#include "crypto/openssl.h"
#include "tls/authority_internal.h"
#include "tls/load.h"
#include "tls/socket_bio.h"
#include "tls/verify.h"

static void authority_free(struct authority *authority)
{
    for (size_t i = 0; i < authority->ca_count; i++) {
        X509_free(authority->cas[i].certificate);
    }
    free(authority->cas);
    credentials_deinit(&authority->credentials);
    revocation_table_free(authority->revocation);
    sk_X509_pop_free(authority->join_chain, X509_free);
    X509_STORE_free(authority->store);
    SSL_CTX_free(authority->context);
    socket_bio_method_free(authority->socket_method);
    free(authority);
}

static enum sp_error authority_alloc(bool is_server, const struct clock *clock,
                                     struct authority **out, char *reason, size_t capacity)
{
    enum sp_error error = openssl_init();

    *out = NULL;
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "OpenSSL cannot be initialised");
        return error;
    }
    *out = calloc(1, sizeof(**out));
    if (*out == NULL) {
        (void)snprintf(reason, capacity, "out of memory");
        return SP_ENOMEM;
    }
    atomic_init(&(*out)->references, 1);
    (*out)->is_server = is_server;
    (*out)->clock = clock;
    return SP_OK;
}

static enum sp_error describe_own(struct authority *authority, const char *path, char *reason,
                                  size_t capacity)
{
    enum sp_error error = certificate_describe(authority->credentials.leaf, &authority->own);

    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s: its serial number or its times are malformed", path);
        return error == SP_EPROFILE ? SP_ECERT : error;
    }
    return SP_OK;
}

static enum sp_error check_own_times(const struct authority *authority, const char *path,
                                     char *reason, size_t capacity)
{
    int64_t now_ms = clock_wall_ms(authority->clock);
    char when[RFC3339_BYTES];

    if (now_ms >= authority->own.not_after_ms) {
        clock_format_rfc3339(authority->own.not_after_ms, when);
        (void)snprintf(reason, capacity, "%s: the certificate expired at %s; a new one is needed",
                       path, when);
        return SP_EEXPIRED;
    }
    if (now_ms < authority->own.not_before_ms) {
        clock_format_rfc3339(authority->own.not_before_ms, when);
        (void)snprintf(reason, capacity,
                       "%s: the certificate is valid from %s only; is this machine's clock right?",
                       path, when);
        return SP_ENOTYET;
    }
    return SP_OK;
}

static bool ca_is_valid(const struct ca *ca, int64_t wall_ms)
{
    return ca->info.not_before_ms <= wall_ms && wall_ms < ca->info.not_after_ms;
}

/* Whether whoever issued ISSUED is trusted at WALL_MS. There may be several certificates of that CA
 * (it was renewed with the same key): one that is good is enough. */
static enum sp_error judge_issuer(const struct authority *authority,
                                  const struct certificate_info *issued, int64_t wall_ms, int depth)
{
    enum sp_error result = SP_EUNTRUSTED;

    for (size_t i = 0; i < authority->ca_count; i++) {
        const struct ca *ca = &authority->cas[i];
        enum sp_error error = SP_OK;

        if (!digest_equal(&ca->subject, &issued->issuer) ||
            !digest_equal(&ca->key, &issued->issuer_key) || !ca_is_valid(ca, wall_ms)) {
            continue;
        }
        if (ca->is_root) {
            return SP_OK;
        }
        if (depth == 0) {
            continue;
        }
        error = revocation_table_check(authority->revocation, &ca->info, wall_ms);
        if (error == SP_OK) {
            error = judge_issuer(authority, &ca->info, wall_ms, depth - 1);
        }
        if (error == SP_OK) {
            return SP_OK;
        }
        result = error == SP_ENOCRL ? SP_ENOCRL : SP_EUNTRUSTED; /* a CA that was withdrawn */
    }
    return result;
}

enum sp_error authority_judge(const struct authority *authority,
                              const struct certificate_info *info, int64_t wall_ms)
{
    enum sp_error listed = SP_OK;
    enum sp_error issuer = SP_OK;

    if (authority->revocation == NULL) {
        return SP_ENOCRL;
    }
    listed = revocation_table_check(authority->revocation, info, wall_ms);
    if (listed == SP_EREVOKED) {
        return SP_EREVOKED;
    }
    if (wall_ms >= info->not_after_ms) {
        return SP_EEXPIRED;
    }
    issuer = judge_issuer(authority, info, wall_ms, LIMIT_CHAIN_DEPTH);
    return issuer == SP_OK ? listed : issuer;
}

/* A server without fresh lists would refuse everybody: better not to start, or to keep the
 * authority of before. CAs that nobody can log in by any more need none. */
static enum sp_error check_lists(const struct authority *authority, const char *path, char *reason,
                                 size_t capacity)
{
    int64_t wall_ms = clock_wall_ms(authority->clock);

    for (size_t i = 0; i < authority->ca_count; i++) {
        const struct ca *ca = &authority->cas[i];
        const struct certificate_info nobody = {.issuer = ca->subject};
        bool is_live = ca_is_valid(ca, wall_ms) &&
                       (ca->is_root || revocation_table_check(authority->revocation, &ca->info,
                                                              wall_ms) != SP_EREVOKED);

        if (is_live && revocation_table_check(authority->revocation, &nobody, wall_ms) != SP_OK) {
            char *name = X509_NAME_oneline(X509_get_subject_name(ca->certificate), NULL, 0);

            (void)snprintf(reason, capacity,
                           "%s: has no fresh revocation list of \"%s\"; make a new one", path,
                           name == NULL ? "?" : name);
            OPENSSL_free(name);
            return SP_ENOCRL;
        }
    }
    return SP_OK;
}

static enum sp_error check_own_server(const struct authority *authority, const char *path,
                                      char *reason, size_t capacity)
{
    char why[AUTHORITY_REASON_BYTES] = "";
    enum sp_error error = check_own_times(authority, path, reason, capacity);

    if (error != SP_OK) {
        return error;
    }
    error = verify_own_server(authority, why, sizeof(why));
    if (error == SP_OK) {
        error = authority_judge(authority, &authority->own, clock_wall_ms(authority->clock));
        (void)snprintf(why, sizeof(why), "%s", sp_error_text(error));
    }
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s: is no server's certificate of this team: %s", path,
                       why);
    }
    /* Why exactly is told in words; for the caller it is all one: get another certificate. */
    return error == SP_OK || error == SP_EEXPIRED || error == SP_ENOMEM ? error : SP_ECERT;
}

/* Everything of a server's that lies in files, in the order in which it builds on each other. */
static enum sp_error load_server(const struct authority_server_config *config,
                                 struct authority *authority, char *reason, size_t capacity)
{
    enum sp_error error = load_cas(config->ca_file, authority, reason, capacity);

    if (error == SP_OK) {
        error =
            load_credentials(config->cert_file, config->key_file, &(struct passphrase_source){0},
                             &authority->credentials, reason, capacity);
    }
    if (error == SP_OK) {
        error = describe_own(authority, config->cert_file, reason, capacity);
    }
    if (error == SP_OK) {
        error = load_revocation(config->crl_file, LIMIT_CRL_FILE_BYTES, false, authority, reason,
                                capacity);
    }
    if (error == SP_OK) {
        error = check_lists(authority, config->crl_file, reason, capacity);
    }
    if (error == SP_OK) {
        error = check_own_server(authority, config->cert_file, reason, capacity);
    }
    return error;
}

enum sp_error authority_new_server(const struct authority_server_config *config,
                                   struct authority **out, char *reason, size_t capacity)
{
    struct authority *authority = NULL;
    enum sp_error error = authority_alloc(true, config->clock, &authority, reason, capacity);

    *out = NULL;
    if (error != SP_OK) {
        return error;
    }
    if (name_check_team(config->team, strlen(config->team)) != SP_OK) {
        (void)snprintf(reason, capacity, "the team's name is not allowed");
        error = SP_ENAME;
    } else {
        memcpy(authority->team, config->team, strlen(config->team) + 1);
        error = load_server(config, authority, reason, capacity);
    }
    if (error == SP_OK && config->allow_join) {
        authority->allow_join = true;
        error = verify_build_own_chain(authority, &authority->join_chain);
        (void)snprintf(reason, capacity,
                       "%s: its chain with the root is larger than a handshake takes",
                       config->cert_file);
    }
    if (error == SP_OK) {
        error = authority_make_context(authority, config->cert_file, reason, capacity);
    }
    if (error == SP_OK) {
        *out = authority;
        authority = NULL;
    }
    authority_unref(authority);
    return error;
}

/* The same for a client. */
static enum sp_error load_client(const struct authority_client_config *config,
                                 struct authority *authority, char *reason, size_t capacity)
{
    enum sp_error error = load_cas(config->ca_file, authority, reason, capacity);

    if (error == SP_OK) {
        error = load_credentials(
            config->cert_file, config->key_file,
            &(struct passphrase_source){config->passphrase, config->passphrase_context},
            &authority->credentials, reason, capacity);
    }
    if (error == SP_OK) {
        error = describe_own(authority, config->cert_file, reason, capacity);
    }
    if (error == SP_OK) {
        error = check_own_times(authority, config->cert_file, reason, capacity);
    }
    if (error == SP_OK) {
        /* Who we are, for show. Whether that is a name is the server's to judge. */
        (void)!certificate_identity(authority->credentials.leaf, NULL, &authority->own);
        error = load_revocation(config->ca_file, LIMIT_PEM_FILE_BYTES, true, authority, reason,
                                capacity);
    }
    return error;
}

enum sp_error authority_new_client(const struct authority_client_config *config,
                                   struct authority **out, char *reason, size_t capacity)
{
    struct authority *authority = NULL;
    enum sp_error error = authority_alloc(false, config->clock, &authority, reason, capacity);

    *out = NULL;
    if (error != SP_OK) {
        return error;
    }
    error = load_client(config, authority, reason, capacity);
    if (error == SP_OK) {
        error = authority_make_context(authority, config->cert_file, reason, capacity);
    }
    if (error == SP_OK) {
        *out = authority;
        authority = NULL;
    }
    authority_unref(authority);
    return error;
}

enum sp_error authority_new_join(const struct authority_join_config *config, struct authority **out,
                                 char *reason, size_t capacity)
{
    struct authority *authority = NULL;
    enum sp_error error = authority_alloc(false, config->clock, &authority, reason, capacity);

    *out = NULL;
    if (error != SP_OK) {
        return error;
    }
    authority->is_joining = true;
    memcpy(authority->fingerprint, config->fingerprint, sizeof(authority->fingerprint));
    authority->store = X509_STORE_new(); /* stays empty: nothing is trusted yet */
    if (authority->store == NULL) {
        (void)snprintf(reason, capacity, "out of memory");
        error = SP_ENOMEM;
    } else {
        error = authority_make_context(authority, "", reason, capacity);
    }
    if (error == SP_OK) {
        *out = authority;
        authority = NULL;
    }
    authority_unref(authority);
    return error;
}

struct authority *authority_ref(struct authority *authority)
{
    atomic_fetch_add_explicit(&authority->references, 1, memory_order_relaxed);
    return authority;
}

void authority_unref(struct authority *authority)
{
    if (authority != NULL &&
        atomic_fetch_sub_explicit(&authority->references, 1, memory_order_acq_rel) == 1) {
        authority_free(authority);
    }
}

const struct certificate_info *authority_own(const struct authority *authority)
{
    return &authority->own;
}

const struct ca *authority_find_ca(const struct authority *authority,
                                   const struct x509_st *certificate)
{
    for (size_t i = 0; i < authority->ca_count; i++) {
        if (X509_cmp(authority->cas[i].certificate, certificate) == 0) {
            return &authority->cas[i];
        }
    }
    return NULL;
}

int64_t authority_crl_next_update_ms(const struct authority *authority)
{
    return authority->revocation == NULL ? INT64_MAX
                                         : revocation_table_next_update_ms(authority->revocation);
}

size_t authority_revoked_count(const struct authority *authority)
{
    return authority->revocation == NULL ? 0 : revocation_table_count(authority->revocation);
}
