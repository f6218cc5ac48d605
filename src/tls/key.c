#include "tls/key.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto/sealed_key.h"
#include "crypto/secret.h"

/* A key that needs a passphrase is refused: there may be nobody to ask. */
static int refuse_passphrase(char *buffer, int size, int writing, void *encrypted)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)encrypted = true;
    return -1;
}

/* A sealed key is opened in place. WHY without the path. */
static enum sp_error open_sealed(const char *path, const struct passphrase_source *source,
                                 struct secret **secret, char *why, size_t capacity)
{
    const struct slice text = {(*secret)->data, (*secret)->size};
    char passphrase[PASSPHRASE_BYTES] = "";
    struct secret *opened = NULL;
    enum sp_error error = SP_OK;

    if (!sealed_key_is(text)) {
        return SP_OK;
    }
    error = source == NULL || source->ask == NULL
                ? SP_EPASSPHRASE
                : source->ask(source->context, path, passphrase, sizeof(passphrase));
    if (error == SP_OK) {
        error = sealed_key_open(text, slice_of_string(passphrase), &opened, why, capacity);
    } else {
        (void)snprintf(why, capacity, "is sealed, and there is no passphrase to open it");
    }
    secret_wipe(passphrase, sizeof(passphrase));
    if (error == SP_OK) {
        secret_free(*secret);
        *secret = opened;
    }
    return error;
}

enum sp_error key_load(const char *path, const struct passphrase_source *source,
                       struct evp_pkey_st **out, char *reason, size_t capacity)
{
    char why[AUTHORITY_REASON_BYTES] = "";
    struct secret *secret = NULL;
    BIO *bio = NULL;
    bool encrypted = false;
    enum sp_error error = secret_read_key_file(path, &secret, why, sizeof(why));

    *out = NULL;
    if (error == SP_OK) {
        error = open_sealed(path, source, &secret, why, sizeof(why));
    }
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s: %s", path, why);
        secret_free(secret);
        return error;
    }
    bio = BIO_new_mem_buf(secret->data, (int)secret->size);
    if (bio != NULL) {
        *out = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &encrypted);
    }
    if (*out == NULL) {
        error = SP_EKEY;
        (void)snprintf(reason, capacity, "%s: %s", path,
                       encrypted ? "is encrypted; a key without a passphrase is needed: "
                                   "openssl pkey -in OLD -out NEW"
                                 : "is not a private key in PEM form");
    }
    ERR_clear_error();
    BIO_free(bio);
    secret_free(secret);
    return error;
}
