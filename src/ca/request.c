#include "ca/request.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "crypto/digest.h"
#include "crypto/openssl.h"
#include "tls/identity.h"

#define MINIMUM_DIGEST_BYTES 28 /* SHA-224: 112 bits, as TLS security level 2 */

static enum sp_error refuse(enum sp_error error, const char *why, char *reason, size_t capacity)
{
    (void)snprintf(reason, capacity, "%s", why);
    return error;
}

static enum sp_error parse(struct slice request, X509_REQ **out, char *reason, size_t capacity)
{
    const unsigned char *at = request.data;

    *out = NULL;
    if (request.size == 0 || request.size > LIMIT_REQUEST_BYTES) {
        return refuse(SP_EINVALID, "it is empty or larger than 8192 bytes", reason, capacity);
    }
    *out = d2i_X509_REQ(NULL, &at, (long)request.size);
    if (*out == NULL) {
        return refuse(SP_EINVALID, "it is no certificate request in DER form", reason, capacity);
    }
    if (at != request.data + request.size) {
        return refuse(SP_EINVALID, "something follows the certificate request", reason, capacity);
    }
    return SP_OK;
}

/* MD5 and SHA-1 prove nothing any more. */
static bool has_weak_digest(const X509_REQ *request)
{
    int digest_nid = NID_undef;
    const EVP_MD *digest = NULL;

    if (OBJ_find_sigid_algs(X509_REQ_get_signature_nid(request), &digest_nid, NULL) != 1) {
        return true;
    }
    if (digest_nid == NID_undef) {
        return false; /* Ed25519, RSA-PSS: the digest is told elsewhere */
    }
    digest = EVP_get_digestbynid(digest_nid);
    return digest == NULL || EVP_MD_get_size(digest) < MINIMUM_DIGEST_BYTES;
}

static enum sp_error digest_key(const EVP_PKEY *key, struct digest *out)
{
    unsigned char *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    enum sp_error error = SP_ENOMEM;

    if (size > 0) {
        const struct slice bytes = {der, (size_t)size};

        error = digest_of(&bytes, 1, out);
    }
    OPENSSL_free(der);
    return error;
}

/* The kind of the key first: what a signature by an absurd key costs is not paid. */
static enum sp_error check(X509_REQ *request, struct digest *digest, char *reason, size_t capacity)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    enum sp_error error = SP_OK;

    if (key == NULL) {
        return refuse(SP_EKEY, "its key cannot be read", reason, capacity);
    }
    error = certificate_check_key(key, reason, capacity);
    if (error != SP_OK) {
        return error;
    }
    if (has_weak_digest(request)) {
        return refuse(SP_EINVALID, "its signature uses a weak digest", reason, capacity);
    }
    if (X509_REQ_verify(request, key) != 1) {
        return refuse(SP_EINVALID, "it is not signed by its own key", reason, capacity);
    }
    error = digest_key(key, digest);
    return error == SP_OK ? SP_OK : refuse(error, "out of memory", reason, capacity);
}

enum sp_error ca_request_read(struct slice request, struct evp_pkey_st **key, struct digest *digest,
                              char *reason, size_t capacity)
{
    X509_REQ *parsed = NULL;
    enum sp_error error = openssl_init();

    memset(digest, 0, sizeof(*digest));
    if (key != NULL) {
        *key = NULL;
    }
    if (error != SP_OK) {
        return refuse(error, "OpenSSL cannot be initialised", reason, capacity);
    }
    error = parse(request, &parsed, reason, capacity);
    if (error == SP_OK) {
        error = check(parsed, digest, reason, capacity);
    }
    if (error == SP_OK && key != NULL) {
        *key = X509_REQ_get_pubkey(parsed);
    }
    X509_REQ_free(parsed);
    ERR_clear_error();
    return error;
}
