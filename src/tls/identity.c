#include "tls/identity.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/name.h"
#include "crypto/digest.h"
#include "tls/asn1.h"

#define URI_SCHEME "sealpost://"

/* Two CAs may have one name, when the second has replaced the first: the key tells them apart. */
static enum sp_error digest_issuer_key(const X509 *certificate, struct digest *out)
{
    AUTHORITY_KEYID *issuer =
        X509_get_ext_d2i(certificate, NID_authority_key_identifier, NULL, NULL);
    enum sp_error error = SP_OK;

    if (issuer != NULL && issuer->keyid != NULL) {
        const struct slice id = {ASN1_STRING_get0_data(issuer->keyid),
                                 (size_t)ASN1_STRING_length(issuer->keyid)};

        error = digest_of(&id, 1, out);
    }
    AUTHORITY_KEYID_free(issuer);
    return error;
}

enum sp_error certificate_describe(const struct x509_st *certificate, struct certificate_info *info)
{
    *info = (struct certificate_info){0};
    if (X509_digest(certificate, EVP_sha256(), info->fingerprint.bytes, NULL) != 1 ||
        X509_NAME_digest(X509_get_issuer_name(certificate), EVP_sha256(), info->issuer.bytes,
                         NULL) != 1 ||
        digest_issuer_key(certificate, &info->issuer_key) != SP_OK) {
        *info = (struct certificate_info){0};
        return SP_EINTERNAL;
    }
    if (!asn1_serial(X509_get0_serialNumber(certificate), info->serial, &info->serial_bytes) ||
        !asn1_time_to_ms(X509_get0_notBefore(certificate), &info->not_before_ms) ||
        !asn1_time_to_ms(X509_get0_notAfter(certificate), &info->not_after_ms)) {
        *info = (struct certificate_info){0};
        return SP_EPROFILE;
    }
    return SP_OK;
}

enum sp_error identity_parse_uri(const uint8_t *uri, size_t size, char *team, char *username)
{
    const size_t scheme_size = strlen(URI_SCHEME);
    const char *text = (const char *)uri;
    const char *slash = NULL;
    size_t team_size = 0;
    size_t username_size = 0;

    team[0] = '\0';
    username[0] = '\0';
    if (size < scheme_size || memcmp(text, URI_SCHEME, scheme_size) != 0) {
        return SP_EIDENTITY;
    }
    text += scheme_size;
    size -= scheme_size;
    slash = memchr(text, '/', size);
    if (slash == NULL) {
        return SP_EIDENTITY;
    }
    team_size = (size_t)(slash - text);
    username_size = size - team_size - 1;
    /* These two know the whole alphabet: they refuse NUL, '/', '?', '%' and all else. */
    if (name_check_team(text, team_size) != SP_OK ||
        name_check_username(slash + 1, username_size) != SP_OK) {
        return SP_EIDENTITY;
    }
    memcpy(team, text, team_size);
    team[team_size] = '\0';
    memcpy(username, slash + 1, username_size);
    username[username_size] = '\0';
    return SP_OK;
}

enum sp_error certificate_identity(const struct x509_st *certificate, const char *team,
                                   struct certificate_info *info)
{
    /* NULL also when the extension occurs twice, which is no identity either. */
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    enum sp_error error = SP_EIDENTITY;

    info->team[0] = '\0';
    info->username[0] = '\0';
    if (names != NULL && sk_GENERAL_NAME_num(names) == 1) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);

        if (name->type == GEN_URI) {
            const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;

            error = identity_parse_uri(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri),
                                       info->team, info->username);
        }
    }
    if (error == SP_OK && team != NULL && strcmp(team, info->team) != 0) {
        info->team[0] = '\0';
        info->username[0] = '\0';
        error = SP_EIDENTITY;
    }
    GENERAL_NAMES_free(names);
    return error;
}

void certificate_serial_hex(const struct certificate_info *info, char out[SERIAL_HEX_BYTES])
{
    hex_encode(info->serial, info->serial_bytes, out);
}
