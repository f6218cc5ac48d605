#include "tls/device.h"

#include <stdio.h>

#include <openssl/x509.h>

#include "crypto/digest.h"
#include "tls/load.h"

/* Takes what is to be told of a certificate out of it, in DER form: to be freed. */
typedef int (*encode_fn)(X509 *certificate, unsigned char **out);

static int encode_certificate(X509 *certificate, unsigned char **out)
{
    return i2d_X509(certificate, out);
}

static int encode_key(X509 *certificate, unsigned char **out)
{
    return i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), out);
}

/* Of the first certificate in the file PATH. */
static enum sp_error read_one(const char *path, encode_fn encode, struct digest *out, char *reason,
                              size_t capacity)
{
    STACK_OF(X509) *certificates = NULL;
    unsigned char *der = NULL;
    enum sp_error error = load_certificates(path, &certificates, reason, capacity);

    if (error != SP_OK) {
        return error;
    }
    int size = encode(sk_X509_value(certificates, 0), &der);
    if (size <= 0) {
        error = SP_ENOMEM;
    } else {
        struct slice part = {der, (size_t)size};
        error = digest_of(&part, 1, out);
    }
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s: %s", path, sp_error_text(error));
    }
    OPENSSL_free(der);
    sk_X509_pop_free(certificates, X509_free);
    return error;
}

enum sp_error device_root_read(const char *ca_file, struct digest *out, char *reason,
                               size_t capacity)
{
    return read_one(ca_file, encode_certificate, out, reason, capacity);
}

enum sp_error device_files_read(const char *ca_file, const char *cert_file,
                                struct device_files *out, char *reason, size_t capacity)
{
    *out = (struct device_files){0};
    enum sp_error error = device_root_read(ca_file, &out->root, reason, capacity);
    return error != SP_OK ? error : read_one(cert_file, encode_key, &out->key, reason, capacity);
}
