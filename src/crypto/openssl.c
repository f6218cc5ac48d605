#include "crypto/openssl.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* OpenSSL's allocations have no context of ours that they could be noted in. */
static _Thread_local bool no_memory;

enum sp_error openssl_init(void)
{
    /* OpenSSL itself does this only once, and remembers the first answer. The order matters:
     * OPENSSL_init_ssl() alone would load the configuration. */
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
        OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) {
        return SP_EINTERNAL;
    }
    return SP_OK;
}

static void *watched_malloc(size_t size, const char *file, int line)
{
    void *memory = malloc(size);

    (void)file;
    (void)line;
    no_memory |= memory == NULL && size > 0;
    return memory;
}

static void *watched_realloc(void *old, size_t size, const char *file, int line)
{
    void *memory = realloc(old, size);

    (void)file;
    (void)line;
    no_memory |= memory == NULL && size > 0;
    return memory;
}

static void watched_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

enum sp_error openssl_watch_memory(void)
{
    return CRYPTO_set_mem_functions(watched_malloc, watched_realloc, watched_free) == 1
               ? SP_OK
               : SP_EINTERNAL;
}

void openssl_forget_errors(void)
{
    ERR_clear_error();
    no_memory = false;
}

bool openssl_found_no_memory(void)
{
    unsigned long code = 0;
    bool found = no_memory;

    while ((code = ERR_get_error()) != 0) {
        found |= ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    }
    no_memory = false;
    return found;
}
