#include "ca/issuer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/name.h"
#include "ca/certificate.h"
#include "ca/key.h"
#include "ca/pem.h"
#include "ca/request.h"

struct issuer {
    char team[LIMIT_TEAM_BYTES + 1];
    X509 *certificate;
    EVP_PKEY *key;
    struct certificate_info info;
};

void issuer_free(struct issuer *issuer)
{
    if (issuer == NULL) {
        return;
    }
    X509_free(issuer->certificate);
    EVP_PKEY_free(issuer->key);
    free(issuer);
}

int64_t issuer_not_after_ms(const struct issuer *issuer)
{
    return issuer->info.not_after_ms;
}

/* What the certificate must be, whatever the time; NULL, or what is wrong. */
static const char *check_certificate(X509 *certificate)
{
    if (X509_check_ca(certificate) != 1) {
        return "is not the certificate of a certificate authority";
    }
    if ((X509_get_extension_flags(certificate) & EXFLAG_KUSAGE) == 0 ||
        (X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) == 0) {
        return "may not sign certificates by its key usage";
    }
    return X509_get0_subject_key_id(certificate) == NULL ? "has no subject key identifier" : NULL;
}

/* A certificate of a CA that logins do not know would let nobody in. */
static enum sp_error check_trusted(const struct issuer *issuer, const struct issuer_config *config,
                                   char *reason, size_t capacity)
{
    STACK_OF(X509) *cas = NULL;
    bool found = false;
    enum sp_error error = pem_read_certificates(config->ca_file, &cas, reason, capacity);

    for (int i = 0; i < sk_X509_num(cas) && !found; i++) {
        found = X509_cmp(sk_X509_value(cas, i), issuer->certificate) == 0;
    }
    sk_X509_pop_free(cas, X509_free);
    if (error == SP_OK && !found) {
        (void)snprintf(reason, capacity,
                       "%s: is not among the certificates in %s, so nobody who joined could log in",
                       config->cert_file, config->ca_file);
        return SP_ECERT;
    }
    return error;
}

static enum sp_error load(struct issuer *issuer, const struct issuer_config *config, char *reason,
                          size_t capacity)
{
    const char *wrong = NULL;
    enum sp_error error =
        pem_read_certificate(config->cert_file, &issuer->certificate, reason, capacity);

    if (error != SP_OK) {
        return error;
    }
    wrong = check_certificate(issuer->certificate);
    if (wrong == NULL && certificate_describe(issuer->certificate, &issuer->info) != SP_OK) {
        wrong = "has a malformed serial number or times";
    }
    if (wrong != NULL) {
        (void)snprintf(reason, capacity, "%s: %s", config->cert_file, wrong);
        return SP_ECERT;
    }
    error = ca_key_read(config->key_file, &issuer->key, reason, capacity);
    if (error == SP_OK && X509_check_private_key(issuer->certificate, issuer->key) != 1) {
        (void)snprintf(reason, capacity, "%s: is not the key of the certificate in %s",
                       config->key_file, config->cert_file);
        error = SP_EKEY;
    }
    return error == SP_OK ? check_trusted(issuer, config, reason, capacity) : error;
}

enum sp_error issuer_new(const struct issuer_config *config, struct issuer **out, char *reason,
                         size_t capacity)
{
    struct issuer *issuer = NULL;
    enum sp_error error = SP_OK;

    *out = NULL;
    if (name_check_team(config->team, strlen(config->team)) != SP_OK) {
        (void)snprintf(reason, capacity, "the team's name is not allowed");
        return SP_ENAME;
    }
    issuer = calloc(1, sizeof(*issuer));
    if (issuer == NULL) {
        (void)snprintf(reason, capacity, "out of memory");
        return SP_ENOMEM;
    }
    memcpy(issuer->team, config->team, strlen(config->team));
    error = load(issuer, config, reason, capacity);
    ERR_clear_error();
    if (error != SP_OK) {
        issuer_free(issuer);
        return error;
    }
    *out = issuer;
    return SP_OK;
}

static bool append(struct issuer_chain *out, const X509 *certificate)
{
    unsigned char *at = out->der + out->size;
    int size = i2d_X509(certificate, NULL);

    if (size <= 0 || (size_t)size > out->capacity - out->size) {
        return false;
    }
    out->size += (size_t)i2d_X509(certificate, &at);
    return true;
}

static enum sp_error describe(const struct issuer *issuer, const X509 *certificate,
                              struct issuer_chain *out, char *reason, size_t capacity)
{
    enum sp_error error = certificate_describe(certificate, &out->info);

    if (error == SP_OK) {
        error = certificate_identity(certificate, issuer->team, &out->info);
    }
    if (error != SP_OK || !append(out, certificate) || !append(out, issuer->certificate)) {
        (void)snprintf(reason, capacity, "the certificate that was made cannot be handed out");
        return SP_EINTERNAL;
    }
    return SP_OK;
}

enum sp_error issuer_issue(const struct issuer *issuer, struct slice request, const char *username,
                           int64_t now_ms, struct issuer_chain *out, char *reason, size_t capacity)
{
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    struct digest digest;
    enum sp_error error = ca_request_read(request, &key, &digest, reason, capacity);

    out->size = 0;
    out->info = (struct certificate_info){0};
    if (error == SP_OK) {
        const struct ca_order order = {
            .profile = CA_MEMBER,
            .team = issuer->team,
            .username = username,
            .key = key,
            .issuer = issuer->certificate,
            .issuer_key = issuer->key,
            .now_ms = now_ms,
        };

        error = ca_certificate_new(&order, &certificate, reason, capacity);
    }
    if (error == SP_OK) {
        error = describe(issuer, certificate, out, reason, capacity);
    }
    if (error != SP_OK) {
        out->size = 0;
        out->info = (struct certificate_info){0};
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return error;
}
