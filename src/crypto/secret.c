#include "crypto/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/file.h"

enum sp_error secret_init(void)
{
    return sodium_init() < 0 ? SP_EINTERNAL : SP_OK; /* 1: it was called before */
}

enum sp_error secret_new(size_t size, struct secret **out)
{
    struct secret *secret = NULL;

    *out = NULL;
    if (secret_init() != SP_OK) { /* sodium_malloc() aborts without it */
        return SP_EINTERNAL;
    }
    secret = calloc(1, sizeof(*secret));
    if (secret == NULL) {
        return SP_ENOMEM;
    }
    secret->data = sodium_malloc(size);
    if (secret->data == NULL) {
        free(secret);
        return SP_ENOMEM;
    }
    secret->size = size;
    sodium_memzero(secret->data, size);
    *out = secret;
    return SP_OK;
}

void secret_free(struct secret *secret)
{
    if (secret != NULL) {
        sodium_free(secret->data); /* wipes */
        free(secret);
    }
}

/* Reads exactly SIZE bytes: a file that shrinks meanwhile is an error. */
static bool read_exactly(int fd, uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t got = read(fd, data, size);

        if (got > 0) {
            data += got;
            size -= (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

enum sp_error secret_read_key_file(const char *path, struct secret **out, char *reason,
                                   size_t capacity)
{
    struct stat status = {0};
    struct secret *secret = NULL;
    int fd = -1;
    enum sp_error error = SP_OK;

    *out = NULL;
    error = file_open_private(path, &fd, reason, capacity);
    if (error != SP_OK) {
        return error;
    }
    error = SP_EKEY;
    if (fstat(fd, &status) != 0 || status.st_size <= 0 || status.st_size > LIMIT_PEM_FILE_BYTES) {
        (void)snprintf(reason, capacity, "is empty or larger than %ld bytes", LIMIT_PEM_FILE_BYTES);
        goto out;
    }
    error = secret_new((size_t)status.st_size, &secret);
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "out of memory");
        goto out;
    }
    if (!read_exactly(fd, secret->data, secret->size)) {
        (void)snprintf(reason, capacity, "cannot be read");
        error = SP_EKEY;
        goto out;
    }
    *out = secret;
    secret = NULL;
out:
    secret_free(secret);
    (void)close(fd);
    return error;
}

void secret_wipe(void *data, size_t size)
{
    sodium_memzero(data, size);
}

bool secret_equal(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size) == 0;
}

void random_bytes(void *out, size_t size)
{
    randombytes_buf(out, size);
}

void random_id(struct id *out)
{
    randombytes_buf(out->bytes, sizeof(out->bytes));
}
