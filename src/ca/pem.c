#include "ca/pem.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "crypto/openssl.h"

#define REASON_BYTES 256
#define PUBLIC_FILE_MODE 0644

/* The file PATH as a BIO over *TEXT, which is freed after it. */
static enum sp_error open_text(const char *path, size_t maximum, char **text, BIO **out,
                               char *reason, size_t capacity)
{
    char why[REASON_BYTES] = "";
    size_t size = 0;
    enum sp_error error = openssl_init();

    *text = NULL;
    *out = NULL;
    if (error == SP_OK) {
        error = file_read(path, maximum, text, &size, why, sizeof(why));
    }
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s: %s", path, why);
        return error == SP_EFILE || error == SP_ETOOLARGE ? SP_ECERT : error;
    }
    *out = BIO_new_mem_buf(*text, (int)size);
    if (*out == NULL) {
        (void)snprintf(reason, capacity, "out of memory");
        return SP_ENOMEM;
    }
    ERR_clear_error();
    return SP_OK;
}

/* After the last object: COUNT were read; whether more stands there that is damaged. */
static enum sp_error end_text(const char *path, int count, const char *what, char *reason,
                              size_t capacity)
{
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;

    ERR_clear_error();
    if (count == 0 || !at_end) {
        (void)snprintf(reason, capacity, "%s: holds no %s in PEM form, or a damaged one", path,
                       what);
        return SP_ECERT;
    }
    return SP_OK;
}

enum sp_error pem_read_certificates(const char *path, struct stack_st_X509 **out, char *reason,
                                    size_t capacity)
{
    STACK_OF(X509) *certificates = sk_X509_new_null();
    X509 *certificate = NULL;
    char *text = NULL;
    BIO *bio = NULL;
    enum sp_error error = open_text(path, LIMIT_PEM_FILE_BYTES, &text, &bio, reason, capacity);

    *out = NULL;
    if (error == SP_OK) {
        while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL &&
               sk_X509_push(certificates, certificate) != 0) {
        }
        X509_free(certificate); /* which there was no memory for */
        error = end_text(path, sk_X509_num(certificates), "certificate", reason, capacity);
    }
    if (error == SP_OK) {
        *out = certificates;
        certificates = NULL;
    }
    sk_X509_pop_free(certificates, X509_free);
    BIO_free(bio);
    free(text);
    return error;
}

enum sp_error pem_read_certificate(const char *path, struct x509_st **out, char *reason,
                                   size_t capacity)
{
    STACK_OF(X509) *certificates = NULL;
    enum sp_error error = pem_read_certificates(path, &certificates, reason, capacity);

    *out = error == SP_OK ? sk_X509_shift(certificates) : NULL;
    sk_X509_pop_free(certificates, X509_free);
    return error;
}

enum sp_error pem_read_lists(const char *path, struct stack_st_X509_CRL **out, char *reason,
                             size_t capacity)
{
    STACK_OF(X509_CRL) *lists = sk_X509_CRL_new_null();
    X509_CRL *list = NULL;
    char *text = NULL;
    BIO *bio = NULL;
    enum sp_error error = open_text(path, LIMIT_CRL_FILE_BYTES, &text, &bio, reason, capacity);

    *out = NULL;
    if (error == SP_OK) {
        while ((list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL &&
               sk_X509_CRL_push(lists, list) != 0) {
        }
        X509_CRL_free(list);
        error = end_text(path, sk_X509_CRL_num(lists), "revocation list", reason, capacity);
    }
    if (error == SP_OK) {
        *out = lists;
        lists = NULL;
    }
    sk_X509_CRL_pop_free(lists, X509_CRL_free);
    BIO_free(bio);
    free(text);
    return error;
}

/* Writes what BIO holds, or says that nothing could be put into it; frees BIO. */
static enum sp_error write_text(const char *path, BIO *bio, bool complete, bool replace,
                                char *reason, size_t capacity)
{
    char why[REASON_BYTES] = "out of memory";
    enum sp_error error = SP_ENOMEM;
    char *pem = NULL;

    if (complete) {
        size_t size = (size_t)BIO_get_mem_data(bio, &pem);

        error = replace ? file_replace(path, pem, size, why, sizeof(why))
                        : file_write_new(path, PUBLIC_FILE_MODE, pem, size, why, sizeof(why));
    }
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s: %s", path, why);
    }
    BIO_free(bio);
    ERR_clear_error();
    return error;
}

static enum sp_error put_certificates(const char *path, struct x509_st *const *certificates,
                                      size_t count, bool replace, char *reason, size_t capacity)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool complete = bio != NULL;

    for (size_t i = 0; i < count && complete; i++) {
        complete = PEM_write_bio_X509(bio, certificates[i]) == 1;
    }
    return write_text(path, bio, complete, replace, reason, capacity);
}

enum sp_error pem_write_certificates(const char *path, struct x509_st *const *certificates,
                                     size_t count, char *reason, size_t capacity)
{
    return put_certificates(path, certificates, count, false, reason, capacity);
}

enum sp_error pem_replace_certificates(const char *path, struct x509_st *const *certificates,
                                       size_t count, char *reason, size_t capacity)
{
    return put_certificates(path, certificates, count, true, reason, capacity);
}

enum sp_error pem_write_lists(const char *path, const struct stack_st_X509_CRL *lists, bool replace,
                              char *reason, size_t capacity)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool complete = bio != NULL;

    for (int i = 0; i < sk_X509_CRL_num(lists) && complete; i++) {
        complete = PEM_write_bio_X509_CRL(bio, sk_X509_CRL_value(lists, i)) == 1;
    }
    return write_text(path, bio, complete, replace, reason, capacity);
}
