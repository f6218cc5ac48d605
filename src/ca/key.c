#include "ca/key.h"

#include <stdio.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/file.h"
#include "crypto/openssl.h"
#include "tls/key.h"

#define REASON_BYTES 256
#define KEY_FILE_MODE 0600

enum sp_error ca_key_new(struct evp_pkey_st **out)
{
    enum sp_error error = openssl_init();

    *out = NULL;
    if (error == SP_OK) {
        *out = EVP_EC_gen("P-256");
    }
    ERR_clear_error();
    return *out == NULL ? SP_EINTERNAL : SP_OK;
}

void ca_key_free(struct evp_pkey_st *key)
{
    EVP_PKEY_free(key);
}

enum sp_error ca_key_write(const struct evp_pkey_st *key, const char *path, char *reason,
                           size_t capacity)
{
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when it is freed */
    char why[REASON_BYTES] = "";
    char *pem = NULL;
    long size = 0;
    enum sp_error error = SP_EINTERNAL;

    (void)snprintf(reason, capacity, "%s: the key cannot be written as PEM", path);
    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        goto out;
    }
    size = BIO_get_mem_data(bio, &pem);
    error = file_write_new(path, KEY_FILE_MODE, pem, (size_t)size, why, sizeof(why));
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s: %s", path, why);
    }
out:
    BIO_free(bio);
    ERR_clear_error();
    return error;
}

enum sp_error ca_key_read(const char *path, struct evp_pkey_st **out, char *reason, size_t capacity)
{
    enum sp_error error = openssl_init();

    *out = NULL;
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s: %s", path, sp_error_text(error));
        return error;
    }
    return key_load(path, NULL, out, reason, capacity);
}
