#include "ca/certificate.h"

#include <stdio.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/name.h"
#include "ca/sign.h"
#include "crypto/openssl.h"
#include "crypto/secret.h"
#include "tls/asn1.h"

#define DAY_MS INT64_C(86400000)
#define TEXT_BYTES 128

/* The extensions as certs/profiles.cnf has them. */
static const struct {
    const char *common_name; /* behind the team's name; NULL: the subject has no CN */
    const char *constraints;
    const char *usage;
    const char *purpose; /* NULL: none */
    int days;
} profiles[] = {
    [CA_ROOT] = {"root CA", "critical,CA:TRUE", "critical,keyCertSign,cRLSign", NULL, 3650},
    [CA_ISSUING] = {"issuing CA", "critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign",
                    NULL, 1825},
    [CA_MEMBER] = {NULL, "critical,CA:FALSE", "critical,digitalSignature", "clientAuth", 90},
    [CA_SERVER] = {NULL, "critical,CA:FALSE", "critical,digitalSignature", "serverAuth", 90},
    [CA_RECEIPTS] = {"receipts", "critical,CA:FALSE", "critical,digitalSignature",
                     "emailProtection", 365},
};

int ca_valid_days(enum ca_profile profile)
{
    return profiles[profile].days;
}

void ca_certificate_free(struct x509_st *certificate)
{
    X509_free(certificate);
}

static enum sp_error check_names(const struct ca_order *order, char *reason, size_t capacity)
{
    if (name_check_team(order->team, strlen(order->team)) != SP_OK) {
        (void)snprintf(reason, capacity, "the team's name is not allowed");
        return SP_ENAME;
    }
    if (order->profile == CA_MEMBER &&
        name_check_username(order->username, strlen(order->username)) != SP_OK) {
        (void)snprintf(reason, capacity, "the username is not allowed");
        return SP_ENAME;
    }
    if (order->profile == CA_SERVER && order->like == NULL && order->hosts->count == 0) {
        (void)snprintf(reason, capacity, "a server's certificate needs a host name or an address");
        return SP_ENAME;
    }
    return SP_OK;
}

/* 159 random bits: positive, and in 20 bytes (RFC 5280, 4.1.2.2). */
static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    BIGNUM *number = NULL;
    bool ok = false;

    random_bytes(bytes, sizeof(bytes));
    bytes[0] &= 0x7f;
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return ok;
}

static bool set_subject(X509 *certificate, const struct ca_order *order)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    const char *suffix = profiles[order->profile].common_name;
    char common_name[TEXT_BYTES];

    if (X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
                                   (const unsigned char *)order->team, -1, -1, 0) != 1) {
        return false;
    }
    (void)snprintf(common_name, sizeof(common_name), "%s %s", order->team,
                   suffix == NULL ? "" : suffix);
    return suffix == NULL ||
           X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)common_name, -1, -1, 0) == 1;
}

/* From a little before now to the end of the profile's lifetime, or of the issuer. */
static enum sp_error set_times(X509 *certificate, const struct ca_order *order, char *reason,
                               size_t capacity)
{
    int64_t end_ms = order->now_ms + profiles[order->profile].days * DAY_MS;
    int64_t issuer_end_ms = end_ms;

    if (order->issuer != NULL &&
        !asn1_time_to_ms(X509_get0_notAfter(order->issuer), &issuer_end_ms)) {
        (void)snprintf(reason, capacity, "the issuing CA's certificate has no readable end");
        return SP_EINTERNAL;
    }
    if (issuer_end_ms - order->now_ms < CA_MINIMUM_VALID_MS) {
        (void)snprintf(reason, capacity,
                       "the issuing CA's certificate ends within a day or has "
                       "ended; a new one is needed");
        return SP_EEXPIRED;
    }
    end_ms = issuer_end_ms < end_ms ? issuer_end_ms : end_ms;
    return sign_set_time(X509_getm_notBefore(certificate), order->now_ms - CA_BACKDATE_MS) &&
                   sign_set_time(X509_getm_notAfter(certificate), end_ms)
               ? SP_OK
               : SP_EINTERNAL;
}

/* Takes VALUE over, also when it fails. */
static bool push_name(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();

    if (name == NULL || value == NULL || sk_GENERAL_NAME_push(names, name) == 0) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, value);
    return true;
}

static ASN1_STRING *string_of(int type, const void *data, size_t size)
{
    ASN1_STRING *string = ASN1_STRING_type_new(type);

    if (string != NULL && ASN1_STRING_set(string, data, (int)size) != 1) {
        ASN1_STRING_free(string);
        string = NULL;
    }
    return string;
}

static bool push_host(GENERAL_NAMES *names, const char *host)
{
    uint8_t address[16];
    enum ca_host_kind kind = ca_host_kind(host, address);

    if (kind == CA_HOST_NAME) {
        return push_name(names, GEN_DNS, string_of(V_ASN1_IA5STRING, host, strlen(host)));
    }
    return push_name(names, GEN_IPADD,
                     string_of(V_ASN1_OCTET_STRING, address, kind == CA_HOST_V4 ? 4 : 16));
}

/* *NAMES stays NULL for a profile without names. */
static bool names_of_order(const struct ca_order *order, GENERAL_NAMES **names)
{
    char uri[TEXT_BYTES];
    bool ok = true;

    if (order->profile == CA_SERVER && order->like != NULL) {
        *names = X509_get_ext_d2i(order->like, NID_subject_alt_name, NULL, NULL);
        return *names != NULL;
    }
    if (order->profile != CA_MEMBER && order->profile != CA_SERVER) {
        return true;
    }
    *names = GENERAL_NAMES_new();
    if (*names == NULL) {
        return false;
    }
    if (order->profile == CA_MEMBER) {
        int size = snprintf(uri, sizeof(uri), "sealpost://%s/%s", order->team, order->username);

        return push_name(*names, GEN_URI, string_of(V_ASN1_IA5STRING, uri, (size_t)size));
    }
    for (size_t i = 0; i < order->hosts->count && ok; i++) {
        ok = push_host(*names, order->hosts->names[i]);
    }
    return ok;
}

static bool add_names(X509 *certificate, const struct ca_order *order)
{
    GENERAL_NAMES *names = NULL;
    bool ok = names_of_order(order, &names);

    if (ok && names != NULL) {
        ok = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND) == 1;
    }
    GENERAL_NAMES_free(names);
    return ok;
}

static bool add_extension(X509 *certificate, const X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension = sign_extension(issuer, certificate, NULL, nid, value);
    bool ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return ok;
}

static bool add_extensions(X509 *certificate, const struct ca_order *order)
{
    const X509 *issuer = order->issuer != NULL ? order->issuer : certificate;
    const char *purpose = profiles[order->profile].purpose;

    return add_extension(certificate, issuer, NID_basic_constraints,
                         profiles[order->profile].constraints) &&
           add_extension(certificate, issuer, NID_key_usage, profiles[order->profile].usage) &&
           (purpose == NULL || add_extension(certificate, issuer, NID_ext_key_usage, purpose)) &&
           add_names(certificate, order) &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
}

static bool fill(X509 *certificate, const struct ca_order *order)
{
    const X509_NAME *issuer = order->issuer != NULL ? X509_get_subject_name(order->issuer)
                                                    : X509_get_subject_name(certificate);

    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           set_subject(certificate, order) && X509_set_issuer_name(certificate, issuer) == 1 &&
           X509_set_pubkey(certificate, order->key) == 1 && add_extensions(certificate, order);
}

enum sp_error ca_certificate_new(const struct ca_order *order, struct x509_st **out, char *reason,
                                 size_t capacity)
{
    EVP_PKEY *signer = order->issuer != NULL ? order->issuer_key : order->key;
    X509 *certificate = NULL;
    enum sp_error error = check_names(order, reason, capacity);

    *out = NULL;
    if (error != SP_OK) {
        return error;
    }
    (void)snprintf(reason, capacity, "OpenSSL cannot make the certificate");
    error = openssl_init();
    certificate = error == SP_OK ? X509_new() : NULL;
    if (certificate == NULL) {
        return SP_EINTERNAL;
    }
    error = set_times(certificate, order, reason, capacity);
    if (error == SP_OK &&
        (!fill(certificate, order) || X509_sign(certificate, signer, sign_digest(signer)) == 0)) {
        error = SP_EINTERNAL;
    }
    if (error == SP_OK) {
        *out = certificate;
        certificate = NULL;
    }
    X509_free(certificate);
    ERR_clear_error();
    return error;
}
