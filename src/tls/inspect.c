#include "tls/inspect.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "crypto/openssl.h"
#include "tls/authority_internal.h"
#include "tls/load.h"
#include "tls/verify.h"

struct inspection {
    struct authority *authority; /* as far as it could be read; never served with */
    bool has_cas;
    bool has_own;
};

enum sp_error inspection_new(const struct clock *clock, struct inspection **out)
{
    struct inspection *inspection = calloc(1, sizeof(*inspection));
    struct authority *authority = calloc(1, sizeof(*authority));

    *out = NULL;
    if (inspection == NULL || authority == NULL || openssl_init() != SP_OK) {
        free(inspection);
        free(authority);
        return SP_ENOMEM;
    }
    atomic_init(&authority->references, 1);
    authority->is_server = true;
    authority->clock = clock;
    inspection->authority = authority;
    *out = inspection;
    return SP_OK;
}

void inspection_free(struct inspection *inspection)
{
    if (inspection != NULL) {
        authority_unref(inspection->authority);
        free(inspection);
    }
}

enum sp_error inspection_read_cas(struct inspection *inspection, const char *path, char *reason,
                                  size_t capacity)
{
    enum sp_error error = load_cas(path, inspection->authority, reason, capacity);

    inspection->has_cas = error == SP_OK;
    return error;
}

enum sp_error inspection_read_own(struct inspection *inspection, const char *cert_path,
                                  const char *key_path, char *reason, size_t capacity)
{
    struct authority *authority = inspection->authority;
    enum sp_error error = load_credentials(cert_path, key_path, &(struct passphrase_source){0},
                                           &authority->credentials, reason, capacity);
    bool is_there = authority->credentials.leaf != NULL &&
                    (error == SP_OK || error == SP_EKEY || error == SP_ENOTFOUND);

    inspection->has_own =
        is_there && certificate_describe(authority->credentials.leaf, &authority->own) == SP_OK;
    if (is_there && !inspection->has_own) {
        (void)snprintf(reason, capacity, "%s: its serial number or its times are malformed",
                       cert_path);
        return SP_ECERT;
    }
    return is_there && error == SP_ENOTFOUND ? SP_EKEY : error;
}

enum sp_error inspection_read_lists(struct inspection *inspection, const char *path, char *reason,
                                    size_t capacity)
{
    struct credentials *own = &inspection->authority->credentials;

    if (!inspection->has_cas) {
        return SP_EINVALID;
    }
    if (own->chain == NULL) { /* the lists are looked at without a certificate, too */
        own->chain = sk_X509_new_null();
    }
    if (own->chain == NULL) {
        return SP_ENOMEM;
    }
    return load_revocation(path, LIMIT_CRL_FILE_BYTES, false, inspection->authority, reason,
                           capacity);
}

const struct certificate_info *inspection_own(const struct inspection *inspection)
{
    return inspection->has_own ? &inspection->authority->own : NULL;
}

enum sp_error inspection_check_chain(const struct inspection *inspection, char *reason,
                                     size_t capacity)
{
    enum sp_error error = SP_EINVALID;

    if (inspection->has_cas && inspection->has_own) {
        error = verify_own_server(inspection->authority, reason, capacity);
    }
    return error == SP_EEXPIRED || error == SP_ENOTYET ? SP_OK : error; /* told by its dates */
}

static void add_name(char *out, size_t capacity, const char *name)
{
    size_t used = strlen(out);

    (void)snprintf(out + used, capacity - used, "%s%s", used > 0 ? " " : "", name);
}

static void add_general_name(const GENERAL_NAME *name, char *out, size_t capacity)
{
    char text[LIMIT_HOST_BYTES + 1] = "";

    if (name->type == GEN_DNS) {
        (void)snprintf(text, sizeof(text), "%.*s", ASN1_STRING_length(name->d.dNSName),
                       (const char *)ASN1_STRING_get0_data(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
        int size = ASN1_STRING_length(name->d.iPAddress);

        if (size == 4 || size == 16) {
            (void)inet_ntop(size == 4 ? AF_INET : AF_INET6,
                            ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof(text));
        }
    }
    if (text[0] != '\0') {
        add_name(out, capacity, text);
    }
}

void inspection_names(const struct inspection *inspection, char *out, size_t capacity)
{
    out[0] = '\0';
    if (!inspection->has_own) {
        return;
    }
    GENERAL_NAMES *names =
        X509_get_ext_d2i(inspection->authority->credentials.leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        add_general_name(sk_GENERAL_NAME_value(names, i), out, capacity);
    }
    GENERAL_NAMES_free(names);
}

bool inspection_is_for(const struct inspection *inspection, const char *host)
{
    X509 *leaf = inspection->authority->credentials.leaf;
    uint8_t address[16];

    if (!inspection->has_own) {
        return false;
    }
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
        return X509_check_ip_asc(leaf, host, 0) == 1;
    }
    return X509_check_host(leaf, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

bool inspection_ca(const struct inspection *inspection, size_t number, int64_t wall_ms, char *name,
                   size_t capacity, enum sp_error *listed)
{
    const struct authority *authority = inspection->authority;

    *listed = SP_ENOCRL;
    if (!inspection->has_cas || number >= authority->ca_count) {
        return false;
    }
    const struct ca *ca = &authority->cas[number];
    const struct certificate_info nobody = {.issuer = ca->subject};
    char *line = X509_NAME_oneline(X509_get_subject_name(ca->certificate), NULL, 0);

    (void)snprintf(name, capacity, "%s", line == NULL ? "?" : line);
    OPENSSL_free(line);
    if (authority->revocation != NULL) {
        *listed = revocation_table_check(authority->revocation, &nobody, wall_ms);
    }
    return true;
}
