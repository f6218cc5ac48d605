/* Private keys from their files. Blocks. */
#ifndef SP_TLS_KEY_H
#define SP_TLS_KEY_H

#include "tls/authority.h"

struct evp_pkey_st;

/* Who knows the passphrase of a sealed key; the function may be NULL. */
struct passphrase_source {
    passphrase_fn ask;
    void *context;
};

/*
 * The key of PATH, by the rules of file_open_private(); a sealed one is opened with what SOURCE
 * knows, if it is not NULL. The caller's. SP_ENOTFOUND, SP_EKEY, SP_EPASSPHRASE, what SOURCE
 * answers, SP_ENOMEM, and a sentence with the path in REASON.
 */
SP_CHECK enum sp_error key_load(const char *path, const struct passphrase_source *source,
                                struct evp_pkey_st **out, char *reason, size_t capacity);

#endif
