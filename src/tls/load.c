#include "tls/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/file.h"
#include "crypto/digest.h"
#include "tls/key.h"
#include "tls/verify.h"

static void free_certificates(STACK_OF(X509) * certificates)
{
    sk_X509_pop_free(certificates, X509_free);
}

static enum sp_error out_of_memory(char *reason, size_t capacity)
{
    (void)snprintf(reason, capacity, "out of memory");
    return SP_ENOMEM;
}

/* Text of PEM form that is read whole. */
static enum sp_error read_text(const char *path, size_t maximum, char **out, size_t *size,
                               char *reason, size_t capacity)
{
    char why[AUTHORITY_REASON_BYTES] = "";
    enum sp_error error = file_read(path, maximum, out, size, why, sizeof(why));

    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s: %s", path, why);
    }
    return error == SP_EFILE || error == SP_ETOOLARGE ? SP_ECERT : error;
}

static enum sp_error parse_certificates(const char *pem, size_t size, STACK_OF(X509) * certificates)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    X509 *certificate = NULL;
    bool at_end = false;

    if (bio == NULL) {
        return SP_ENOMEM;
    }
    ERR_clear_error();
    for (;;) {
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (certificate == NULL) {
            break;
        }
        if (sk_X509_push(certificates, certificate) == 0) {
            X509_free(certificate);
            BIO_free(bio);
            return SP_ENOMEM;
        }
    }
    at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    return at_end ? SP_OK : SP_ECERT;
}

enum sp_error load_certificates(const char *path, struct stack_st_X509 **out, char *reason,
                                size_t capacity)
{
    STACK_OF(X509) *certificates = sk_X509_new_null();
    char *pem = NULL;
    size_t size = 0;
    enum sp_error error = SP_OK;

    *out = NULL;
    if (certificates == NULL) {
        return out_of_memory(reason, capacity);
    }
    error = read_text(path, LIMIT_PEM_FILE_BYTES, &pem, &size, reason, capacity);
    if (error != SP_OK) {
        goto out;
    }
    error = parse_certificates(pem, size, certificates);
    if (error == SP_ENOMEM) {
        (void)out_of_memory(reason, capacity);
    } else if (error != SP_OK || sk_X509_num(certificates) == 0) {
        error = SP_ECERT;
        (void)snprintf(reason, capacity, "%s: holds no certificate in PEM form, or a damaged one",
                       path);
    } else {
        *out = certificates;
        certificates = NULL;
    }
out:
    free_certificates(certificates);
    free(pem);
    return error;
}

bool certificates_fit_handshake(const struct x509_st *leaf, const struct stack_st_X509 *chain)
{
    size_t total = (size_t)i2d_X509(leaf, NULL);

    for (int i = 0; i < sk_X509_num(chain); i++) {
        total += (size_t)i2d_X509(sk_X509_value(chain, i), NULL);
    }
    return total + 1024 <= LIMIT_CERT_CHAIN_BYTES; /* some room for the message around it */
}

enum sp_error load_credentials(const char *cert_path, const char *key_path,
                               const struct passphrase_source *passphrase, struct credentials *out,
                               char *reason, size_t capacity)
{
    enum sp_error error = load_certificates(cert_path, &out->chain, reason, capacity);

    if (error != SP_OK) {
        return error;
    }
    out->leaf = sk_X509_shift(out->chain);
    if (!certificates_fit_handshake(out->leaf, out->chain)) {
        (void)snprintf(reason, capacity, "%s: is larger than a handshake takes: %d bytes of DER",
                       cert_path, LIMIT_CERT_CHAIN_BYTES);
        return SP_ECERT;
    }
    error = key_load(key_path, passphrase, &out->key, reason, capacity);
    if (error == SP_OK && X509_check_private_key(out->leaf, out->key) != 1) {
        (void)snprintf(reason, capacity, "%s: is not the key of the certificate in %s", key_path,
                       cert_path);
        error = SP_EKEY;
    }
    ERR_clear_error();
    return error;
}

void credentials_deinit(struct credentials *credentials)
{
    X509_free(credentials->leaf);
    free_certificates(credentials->chain);
    EVP_PKEY_free(credentials->key);
    *credentials = (struct credentials){0};
}

static enum sp_error digest_key_id(const X509 *certificate, struct digest *out)
{
    ASN1_OCTET_STRING *id = X509_get_ext_d2i(certificate, NID_subject_key_identifier, NULL, NULL);
    enum sp_error error = SP_ECERT;

    if (id != NULL) {
        const struct slice bytes = {ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id)};

        error = digest_of(&bytes, 1, out);
    }
    ASN1_OCTET_STRING_free(id);
    return error;
}

/* Takes a reference of its own. */
static enum sp_error add_ca(struct authority *authority, X509 *certificate)
{
    struct ca *ca = &authority->cas[authority->ca_count];
    enum sp_error error = certificate_describe(certificate, &ca->info);

    if (error != SP_OK) {
        return error == SP_EPROFILE ? SP_ECERT : error;
    }
    if (X509_check_ca(certificate) != 1 || /* 1: X.509 v3 and says so */
        digest_key_id(certificate, &ca->key) != SP_OK) {
        return SP_ECERT;
    }
    if (X509_NAME_digest(X509_get_subject_name(certificate), EVP_sha256(), ca->subject.bytes,
                         NULL) != 1 ||
        X509_STORE_add_cert(authority->store, certificate) != 1 || X509_up_ref(certificate) != 1) {
        return SP_ENOMEM;
    }
    ca->is_root = X509_self_signed(certificate, 1) == 1;
    ca->certificate = certificate;
    authority->ca_count++;
    return SP_OK;
}

/* Every CA must lead to a root of the same file. Whether it is valid now is asked at each login. */
static enum sp_error check_cas(const char *path, const struct authority *authority, char *reason,
                               size_t capacity)
{
    for (size_t i = 0; i < authority->ca_count; i++) {
        int wrong = verify_ca(authority, authority->cas[i].certificate);

        if (wrong != X509_V_OK) {
            char serial[SERIAL_HEX_BYTES];

            certificate_serial_hex(&authority->cas[i].info, serial);
            (void)snprintf(reason, capacity, "%s: the CA certificate with serial %s: %s", path,
                           serial, X509_verify_cert_error_string(wrong));
            return SP_ECERT;
        }
    }
    return SP_OK;
}

enum sp_error load_cas(const char *path, struct authority *authority, char *reason, size_t capacity)
{
    STACK_OF(X509) *certificates = NULL;
    enum sp_error error = load_certificates(path, &certificates, reason, capacity);

    if (error != SP_OK) {
        return error;
    }
    authority->store = X509_STORE_new();
    authority->cas = calloc((size_t)sk_X509_num(certificates), sizeof(*authority->cas));
    if (authority->store == NULL || authority->cas == NULL) {
        error = out_of_memory(reason, capacity);
    }
    for (int i = 0; i < sk_X509_num(certificates) && error == SP_OK; i++) {
        error = add_ca(authority, sk_X509_value(certificates, i));
        if (error != SP_OK) {
            (void)snprintf(reason, capacity,
                           "%s: certificate %d is not that of a CA with a key identifier", path,
                           i + 1);
        }
    }
    if (error == SP_OK) {
        error = check_cas(path, authority, reason, capacity);
    }
    free_certificates(certificates);
    return error;
}

/* Borrowed: who may have signed lists. */
static size_t collect_issuers(const struct authority *authority, X509 **issuers)
{
    size_t count = 0;

    for (size_t i = 0; i < authority->ca_count; i++) {
        issuers[count++] = authority->cas[i].certificate;
    }
    for (int i = 0; i < sk_X509_num(authority->credentials.chain); i++) {
        X509 *certificate = sk_X509_value(authority->credentials.chain, i);

        if (verify_ca(authority, certificate) == X509_V_OK) {
            issuers[count++] = certificate;
        }
    }
    return count;
}

enum sp_error load_revocation(const char *path, size_t maximum, bool optional,
                              struct authority *authority, char *reason, size_t capacity)
{
    char why[AUTHORITY_REASON_BYTES] = "";
    X509 **issuers = NULL;
    char *pem = NULL;
    size_t size = 0;
    size_t count = 0;
    enum sp_error error = read_text(path, maximum, &pem, &size, reason, capacity);

    if (error != SP_OK || (optional && strstr(pem, "-----BEGIN X509 CRL-----") == NULL)) {
        goto out;
    }
    count = authority->ca_count + (size_t)sk_X509_num(authority->credentials.chain);
    issuers = calloc(count, sizeof(X509 *));
    error = issuers == NULL ? SP_ENOMEM : revocation_table_new(&authority->revocation);
    if (error != SP_OK) {
        (void)out_of_memory(reason, capacity);
        goto out;
    }
    count = collect_issuers(authority, issuers);
    error =
        revocation_table_add(authority->revocation, pem, size, issuers, count, why, sizeof(why));
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s: %s", path, why);
    }
out:
    free(issuers);
    free(pem);
    return error;
}
