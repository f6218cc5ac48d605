/*
 * Fuzzes what a stranger's certificate can say before it is trusted. The first byte chooses: 'u',
 * the rest is an identity URI; 's', the DER of a subjectAltName, put into a certificate; 'c', a
 * whole certificate in DER; 'r', a revocation list in PEM.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/name.h"
#include "tls/revocation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is accepted is a name by the rules; whatever is refused leaves nothing behind. */
static void check_names(enum sp_error error, const char *team, const char *username)
{
    if (error != SP_OK) {
        if (team[0] != '\0' || username[0] != '\0') {
            abort();
        }
    } else if (name_check_team(team, strlen(team)) != SP_OK ||
               name_check_username(username, strlen(username)) != SP_OK) {
        abort();
    }
}

static void fuzz_uri(const uint8_t *data, size_t size)
{
    char team[LIMIT_TEAM_BYTES + 1];
    char username[LIMIT_USERNAME_BYTES + 1];
    enum sp_error error = identity_parse_uri(data, size, team, username);

    check_names(error, team, username);
    if (error == SP_OK && strlen(team) + strlen(username) + 12 != size) {
        abort();
    }
}

static void check_certificate(const X509 *certificate)
{
    struct certificate_info info;
    char reason[128];

    if (certificate_describe(certificate, &info) == SP_OK &&
        (info.serial_bytes == 0 || info.serial_bytes > SERIAL_BYTES)) {
        abort();
    }
    check_names(certificate_identity(certificate, NULL, &info), info.team, info.username);
    (void)!certificate_check_member_profile(certificate, reason, sizeof(reason));
    (void)!certificate_check_server_profile(certificate, reason, sizeof(reason));
}

static void fuzz_subject_alt_name(const uint8_t *data, size_t size)
{
    X509 *certificate = X509_new();
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;

    if (certificate != NULL && value != NULL &&
        ASN1_OCTET_STRING_set(value, data, (int)size) == 1) {
        extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
    }
    if (extension != NULL && X509_add_ext(certificate, extension, -1) == 1) {
        check_certificate(certificate);
    }
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    X509_free(certificate);
}

static void fuzz_certificate(const uint8_t *data, size_t size)
{
    const unsigned char *at = data;
    X509 *certificate = d2i_X509(NULL, &at, (long)size);

    if (certificate != NULL) {
        check_certificate(certificate);
        X509_free(certificate);
    }
}

static void fuzz_revocation(const uint8_t *data, size_t size)
{
    struct revocation_table *table = NULL;
    char reason[256];

    if (revocation_table_new(&table) == SP_OK) {
        /* Nobody is trusted, so nothing may be taken. */
        if (revocation_table_add(table, (const char *)data, size, NULL, 0, reason,
                                 sizeof(reason)) == SP_OK) {
            abort();
        }
    }
    revocation_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > LIMIT_CERT_CHAIN_BYTES) {
        return 0;
    }
    switch (data[0]) {
    case 'u':
        fuzz_uri(data + 1, size - 1);
        break;
    case 's':
        fuzz_subject_alt_name(data + 1, size - 1);
        break;
    case 'c':
        fuzz_certificate(data + 1, size - 1);
        break;
    case 'r':
        fuzz_revocation(data + 1, size - 1);
        break;
    default:
        break;
    }
    ERR_clear_error();
    return 0;
}
