/* The profiles of identity.h: what a member's and a server's certificate must be. */
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "tls/identity.h"

#define RSA_MINIMUM_BITS 3072
#define RSA_MAXIMUM_BITS 8192

static const char wrong_key[] = "its key is not P-256, RSA of 3072 to 8192 bits, or Ed25519";

/* Bits of the extension keyUsage (RFC 5280, 4.2.1.3). */
enum { KEY_USAGE_DIGITAL_SIGNATURE = 0, KEY_USAGE_CERT_SIGN = 5, KEY_USAGE_CRL_SIGN = 6 };

/* One check: NULL, or what is wrong. */
typedef const char *check_function(const X509 *certificate);

static const char *check_version(const X509 *certificate)
{
    return X509_get_version(certificate) == X509_VERSION_3 ? NULL : "it is not X.509 version 3";
}

static const char *check_no_ca(const X509 *certificate)
{
    int critical = 0;
    BASIC_CONSTRAINTS *constraints =
        X509_get_ext_d2i(certificate, NID_basic_constraints, &critical, NULL);
    bool is_ca = constraints != NULL && constraints->ca != 0;

    if (constraints == NULL && critical != -1) {
        return "its basic constraints cannot be read";
    }
    BASIC_CONSTRAINTS_free(constraints);
    return is_ca ? "it is the certificate of a certificate authority" : NULL;
}

static const char *check_key_usage(const X509 *certificate)
{
    ASN1_BIT_STRING *usage = X509_get_ext_d2i(certificate, NID_key_usage, NULL, NULL);
    const char *wrong = NULL;

    if (usage == NULL) {
        return "it has no key usage; it must be digitalSignature";
    }
    if (!ASN1_BIT_STRING_get_bit(usage, KEY_USAGE_DIGITAL_SIGNATURE)) {
        wrong = "its key usage lacks digitalSignature";
    } else if (ASN1_BIT_STRING_get_bit(usage, KEY_USAGE_CERT_SIGN) ||
               ASN1_BIT_STRING_get_bit(usage, KEY_USAGE_CRL_SIGN)) {
        wrong = "its key may sign certificates or revocation lists";
    }
    ASN1_BIT_STRING_free(usage);
    return wrong;
}

/* How many purposes the extended key usage has, 0 when there is none; whether NID is among them. */
static int count_purposes(const X509 *certificate, int nid, bool *has)
{
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
    int count = usage == NULL ? 0 : sk_ASN1_OBJECT_num(usage);

    *has = false;
    for (int i = 0; i < count; i++) {
        *has = *has || OBJ_obj2nid(sk_ASN1_OBJECT_value(usage, i)) == nid;
    }
    EXTENDED_KEY_USAGE_free(usage);
    return count;
}

static const char *check_client_purpose(const X509 *certificate)
{
    bool has = false;
    int count = count_purposes(certificate, NID_client_auth, &has);

    return has && count == 1 ? NULL : "its extended key usage is not clientAuth alone";
}

static const char *check_server_purpose(const X509 *certificate)
{
    bool has = false;

    (void)count_purposes(certificate, NID_server_auth, &has);
    return has ? NULL : "its extended key usage lacks serverAuth";
}

/* Critical extensions that are understood here or by OpenSSL's chain check. */
static const int known_critical[] = {NID_basic_constraints, NID_key_usage, NID_ext_key_usage,
                                     NID_subject_alt_name};

static const char *check_critical(const X509 *certificate)
{
    for (int i = 0; i < X509_get_ext_count(certificate); i++) {
        X509_EXTENSION *extension = X509_get_ext(certificate, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        bool known = !X509_EXTENSION_get_critical(extension);

        for (size_t k = 0; k < COUNT_OF(known_critical); k++) {
            known = known || nid == known_critical[k];
        }
        if (!known) {
            return "it has a critical extension that is not known here";
        }
    }
    return NULL;
}

/* Explicit parameters could describe any curve; a strict chain check refuses them (RFC
 * 5480, 2.1.1). */
static bool is_named_p256(const EVP_PKEY *key)
{
    char group[32] = "";
    int is_explicit = 0;

    (void)EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                 &is_explicit);
    return is_explicit == 0 && EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
           strcmp(group, SN_X9_62_prime256v1) == 0;
}

static bool is_allowed_key(const EVP_PKEY *key)
{
    int bits = 0;

    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519:
        return true;
    case EVP_PKEY_EC:
        return is_named_p256(key);
    case EVP_PKEY_RSA:
        bits = EVP_PKEY_get_bits(key);
        return bits >= RSA_MINIMUM_BITS && bits <= RSA_MAXIMUM_BITS;
    default:
        return false;
    }
}

enum sp_error certificate_check_key(const struct evp_pkey_st *key, char *reason, size_t capacity)
{
    if (!is_allowed_key(key)) {
        (void)snprintf(reason, capacity, "%s", wrong_key);
        return SP_EKEY;
    }
    return SP_OK;
}

static const char *check_key(const X509 *certificate)
{
    const EVP_PKEY *key = X509_get0_pubkey(certificate);

    if (key == NULL) {
        return "its key cannot be read";
    }
    return is_allowed_key(key) ? NULL : wrong_key;
}

static check_function *const member_checks[] = {
    check_version, check_no_ca, check_client_purpose, check_key_usage, check_critical, check_key};

static check_function *const server_checks[] = {
    check_version, check_no_ca, check_server_purpose, check_key_usage, check_critical, check_key};

static enum sp_error check_all(const X509 *certificate, check_function *const *checks, size_t count,
                               char *reason, size_t capacity)
{
    for (size_t i = 0; i < count; i++) {
        const char *wrong = checks[i](certificate);

        if (wrong != NULL) {
            (void)snprintf(reason, capacity, "%s", wrong);
            return SP_EPROFILE;
        }
    }
    return SP_OK;
}

enum sp_error certificate_check_member_profile(const struct x509_st *certificate, char *reason,
                                               size_t capacity)
{
    return check_all(certificate, member_checks, COUNT_OF(member_checks), reason, capacity);
}

enum sp_error certificate_check_server_profile(const struct x509_st *certificate, char *reason,
                                               size_t capacity)
{
    return check_all(certificate, server_checks, COUNT_OF(server_checks), reason, capacity);
}
