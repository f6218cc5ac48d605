#include "tls/enrol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "crypto/openssl.h"
#include "crypto/secret.h"
#include "tls/load.h"
#include "tls/verify.h"

/* ---- The key and the request ---- */

enum sp_error enrol_key_new(struct secret **out)
{
    enum sp_error error = openssl_init();
    EVP_PKEY *key = NULL;
    BIO *bio = NULL;
    char *pem = NULL;
    long size = 0;

    *out = NULL;
    if (error != SP_OK) {
        return error;
    }
    error = SP_EINTERNAL;
    key = EVP_EC_gen("P-256");
    bio = BIO_new(BIO_s_secmem()); /* wipes what it held */
    if (key != NULL && bio != NULL &&
        PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        size = BIO_get_mem_data(bio, &pem);
        error = secret_new((size_t)size, out);
    }
    if (error == SP_OK) {
        memcpy((*out)->data, pem, (size_t)size);
    }
    BIO_free(bio);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return error;
}

/* NULL when it is no private key. */
static EVP_PKEY *parse_key(const struct secret *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
    char none[] = "";
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, none);

    BIO_free(bio);
    return key;
}

enum sp_error enrol_request(const struct secret *key, uint8_t out[LIMIT_REQUEST_BYTES],
                            size_t *size)
{
    enum sp_error error = openssl_init();
    X509_REQ *request = NULL;
    EVP_PKEY *pair = NULL;
    int length = 0;

    *size = 0;
    if (error != SP_OK) {
        return error;
    }
    pair = parse_key(key);
    request = X509_REQ_new();
    if (pair == NULL) {
        error = SP_EKEY;
    } else if (request == NULL || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
               X509_REQ_set_pubkey(request, pair) != 1 ||
               X509_REQ_sign(request, pair,
                             EVP_PKEY_get_base_id(pair) == EVP_PKEY_ED25519 ? NULL
                                                                            : EVP_sha256()) <= 0) {
        error = SP_ENOMEM;
    } else {
        length = i2d_X509_REQ(request, NULL);
        error = length > 0 && length <= LIMIT_REQUEST_BYTES ? SP_OK : SP_ETOOLARGE;
    }
    if (error == SP_OK) {
        unsigned char *at = out;

        *size = (size_t)i2d_X509_REQ(request, &at);
    }
    X509_REQ_free(request);
    EVP_PKEY_free(pair);
    ERR_clear_error();
    return error;
}

/* ---- The answer ---- */

/* One certificate, the whole of DER. */
static X509 *parse_whole(struct slice der)
{
    const unsigned char *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);

    if (certificate != NULL && at != der.data + der.size) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

/* Certificates one behind the other: the first one is *LEAF, the others are pushed to CHAIN. */
static enum sp_error parse_issued(struct slice der, X509 **leaf, STACK_OF(X509) * chain)
{
    const unsigned char *at = der.data;
    const unsigned char *end = der.data + der.size;

    while (at < end) {
        X509 *certificate = d2i_X509(NULL, &at, (long)(end - at));

        if (certificate == NULL || sk_X509_num(chain) == LIMIT_CHAIN_DEPTH) {
            X509_free(certificate);
            return SP_ECERT;
        }
        if (*leaf == NULL) {
            *leaf = certificate;
        } else if (sk_X509_push(chain, certificate) == 0) {
            X509_free(certificate);
            return SP_ENOMEM;
        }
    }
    return *leaf == NULL ? SP_ECERT : SP_OK;
}

/* Appends each to BIO in PEM form. */
static bool write_pem(BIO *bio, X509 *leaf, STACK_OF(X509) * chain)
{
    bool good = PEM_write_bio_X509(bio, leaf) == 1;

    for (int i = 0; i < sk_X509_num(chain) && good; i++) {
        good = PEM_write_bio_X509(bio, sk_X509_value(chain, i)) == 1;
    }
    return good;
}

/* NULL when memory runs out. */
static char *make_pem(X509 *leaf, STACK_OF(X509) * chain)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    char *data = NULL;

    if (bio != NULL && write_pem(bio, leaf, chain)) {
        long size = BIO_get_mem_data(bio, &data);

        text = strndup(data, (size_t)size);
    }
    BIO_free(bio);
    return text;
}

/* Whom it is for, and until when; what is wrong for people. */
static enum sp_error judge_leaf(const struct enrol_answer *answer, X509 *leaf,
                                struct certificate_info *info, char *reason, size_t capacity)
{
    enum sp_error error = certificate_check_member_profile(leaf, reason, capacity);

    if (error == SP_OK) {
        error = certificate_identity(leaf, answer->team, info);
        (void)snprintf(reason, capacity, "it names nobody of the team %s", answer->team);
    }
    if (error == SP_OK && strcmp(info->username, answer->username) != 0) {
        (void)snprintf(reason, capacity, "it is not for %s", answer->username);
        error = SP_EIDENTITY;
    }
    return error;
}

/* Whether the key is the device's, whatever else it says. */
static bool fits_key(const struct enrol_answer *answer, X509 *leaf)
{
    EVP_PKEY *key = parse_key(answer->key);
    bool fits = key != NULL && X509_check_private_key(leaf, key) == 1;

    EVP_PKEY_free(key);
    return fits;
}

static enum sp_error judge(const struct enrol_answer *answer, X509 *root, X509 *leaf,
                           STACK_OF(X509) * chain, struct certificate_info *info, char *reason,
                           size_t capacity)
{
    enum sp_error error = certificate_describe(leaf, info);

    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "its serial number or its times are malformed");
        return error;
    }
    if (!fits_key(answer, leaf)) {
        (void)snprintf(reason, capacity, "it is not for the key that was made here");
        return SP_EKEY;
    }
    error = verify_issued(root, leaf, chain, answer->wall_ms, reason, capacity);
    return error == SP_OK ? judge_leaf(answer, leaf, info, reason, capacity) : error;
}

enum sp_error enrol_check(const struct enrol_answer *answer, struct enrol_files *out, char *reason,
                          size_t capacity)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509 *root = parse_whole(answer->root);
    X509 *leaf = NULL;
    enum sp_error error = chain == NULL ? SP_ENOMEM : parse_issued(answer->issued, &leaf, chain);

    *out = (struct enrol_files){0};
    (void)snprintf(reason, capacity, "%s",
                   error == SP_ENOMEM ? "out of memory" : "it cannot be read");
    if (error == SP_OK && root == NULL) {
        error = SP_ECERT;
    }
    if (error == SP_OK) {
        error = judge(answer, root, leaf, chain, &out->info, reason, capacity);
    }
    if (error == SP_OK) {
        out->chain = make_pem(leaf, chain);
        out->root = make_pem(root, NULL);
        if (out->chain == NULL || out->root == NULL) {
            error = SP_ENOMEM;
            (void)snprintf(reason, capacity, "out of memory");
        }
    }
    if (error != SP_OK) {
        enrol_files_deinit(out);
    } else {
        reason[0] = '\0';
    }
    X509_free(leaf);
    X509_free(root);
    sk_X509_pop_free(chain, X509_free);
    ERR_clear_error();
    return error;
}

void enrol_files_deinit(struct enrol_files *files)
{
    free(files->chain);
    free(files->root);
    *files = (struct enrol_files){0};
}

/* ---- The root that a join code names ---- */

enum sp_error enrol_root_fingerprint(const char *path, struct digest *out, char *reason,
                                     size_t capacity)
{
    STACK_OF(X509) *certificates = NULL;
    enum sp_error error = openssl_init();
    int roots = 0;

    *out = (struct digest){0};
    if (error == SP_OK) {
        error = load_certificates(path, &certificates, reason, capacity);
    } else {
        (void)snprintf(reason, capacity, "OpenSSL cannot be initialised");
    }
    if (error != SP_OK) {
        return error;
    }
    for (int i = 0; i < sk_X509_num(certificates); i++) {
        X509 *certificate = sk_X509_value(certificates, i);

        if (X509_self_signed(certificate, 1) == 1) {
            roots++;
            (void)X509_digest(certificate, EVP_sha256(), out->bytes, NULL);
        }
    }
    if (roots != 1) {
        (void)snprintf(reason, capacity,
                       "%s: holds %d root certificates; a join code can name one only: give a file "
                       "with the one that the server's certificate comes from",
                       path, roots);
        *out = (struct digest){0};
        error = SP_ECERT;
    }
    sk_X509_pop_free(certificates, X509_free);
    ERR_clear_error();
    return error;
}
