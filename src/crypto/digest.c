#include "crypto/digest.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "crypto/openssl.h"

struct digest_stream {
    EVP_MD_CTX *context;
};

enum sp_error digest_stream_new(struct digest_stream **out)
{
    enum sp_error error = SP_ENOMEM;
    EVP_MD *algorithm = NULL;
    struct digest_stream *stream = NULL;

    *out = NULL;
    error = openssl_init();
    if (error != SP_OK) {
        return error;
    }
    error = SP_ENOMEM;
    stream = calloc(1, sizeof(*stream));
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (stream == NULL || algorithm == NULL) {
        goto out;
    }
    stream->context = EVP_MD_CTX_new();
    if (stream->context == NULL || EVP_DigestInit_ex2(stream->context, algorithm, NULL) != 1) {
        goto out;
    }
    *out = stream;
    stream = NULL;
    error = SP_OK;
out:
    digest_stream_free(stream);
    EVP_MD_free(algorithm); /* the context has a reference of its own */
    return error;
}

void digest_stream_free(struct digest_stream *stream)
{
    if (stream != NULL) {
        EVP_MD_CTX_free(stream->context);
        free(stream);
    }
}

enum sp_error digest_stream_update(struct digest_stream *stream, const void *data, size_t size)
{
    return EVP_DigestUpdate(stream->context, data, size) == 1 ? SP_OK : SP_EINTERNAL;
}

enum sp_error digest_stream_finish(struct digest_stream *stream, struct digest *out)
{
    enum sp_error error = SP_EINTERNAL;

    *out = (struct digest){0};
    if (EVP_DigestFinal_ex(stream->context, out->bytes, NULL) == 1) {
        error = digest_stream_reset(stream);
    }
    if (error != SP_OK) {
        *out = (struct digest){0};
    }
    return error;
}

enum sp_error digest_stream_reset(struct digest_stream *stream)
{
    /* No algorithm: the one of before, without looking it up. Its state is allocated anew. */
    return EVP_DigestInit_ex2(stream->context, NULL, NULL) == 1 ? SP_OK : SP_ENOMEM;
}

/*
 * digest_of() runs several times for each chat message. EVP_Digest() would fetch the algorithm and
 * allocate a context each time, which takes longer than hashing the message. So each thread keeps a
 * stream. It is a cache and nothing else: it is in its initial state between two calls, nobody can
 * see it, and it is freed when its thread ends.
 */
static pthread_once_t stream_key_once = PTHREAD_ONCE_INIT;
static pthread_key_t stream_key;
static bool stream_key_exists;

static void free_stream_of_thread(void *stream)
{
    digest_stream_free(stream);
}

static void make_stream_key(void)
{
    stream_key_exists = pthread_key_create(&stream_key, free_stream_of_thread) == 0;
}

static enum sp_error stream_of_thread(struct digest_stream **out)
{
    struct digest_stream *stream = NULL;
    enum sp_error error = SP_OK;

    *out = NULL;
    (void)pthread_once(&stream_key_once, make_stream_key);
    if (!stream_key_exists) {
        return SP_EINTERNAL;
    }
    stream = pthread_getspecific(stream_key);
    if (stream == NULL) {
        error = digest_stream_new(&stream);
        if (error != SP_OK) {
            return error;
        }
        if (pthread_setspecific(stream_key, stream) != 0) {
            digest_stream_free(stream);
            return SP_ENOMEM;
        }
    }
    *out = stream;
    return SP_OK;
}

enum sp_error digest_of(const struct slice *parts, size_t count, struct digest *out)
{
    struct digest_stream *stream = NULL;
    enum sp_error error = stream_of_thread(&stream);

    *out = (struct digest){0};
    for (size_t i = 0; i < count && error == SP_OK; i++) {
        error = digest_stream_update(stream, parts[i].data, parts[i].size);
    }
    if (error == SP_OK) {
        error = digest_stream_finish(stream, out);
    }
    if (error != SP_OK && stream != NULL && digest_stream_reset(stream) != SP_OK) {
        /* It is half hashed, or has no state at all: either must not get into the next digest. */
        (void)pthread_setspecific(stream_key, NULL);
        digest_stream_free(stream);
    }
    return error;
}
