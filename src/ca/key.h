/*
 * Private keys of the team's certificates: made, written once, read back. Called when a team is
 * made and by whoever signs. Keys are never encrypted here, and a file is never overwritten.
 */
#ifndef SP_CA_KEY_H
#define SP_CA_KEY_H

#include "base/base.h"

struct evp_pkey_st;

/* A new P-256 key pair. SP_EINTERNAL. */
SP_CHECK enum sp_error ca_key_new(struct evp_pkey_st **out);
void ca_key_free(struct evp_pkey_st *key); /* NULL is allowed */

/* A new file of mode 0600 (PKCS #8, PEM). SP_EEXISTS, SP_EFILE, SP_EFULL, SP_EIO, SP_EINTERNAL, and
 * a sentence with the path in REASON. */
SP_CHECK enum sp_error ca_key_write(const struct evp_pkey_st *key, const char *path, char *reason,
                                    size_t capacity);

/* Reads a key by the rules of file_open_private(). SP_EKEY, SP_EPASSPHRASE, SP_ENOTFOUND,
 * SP_ENOMEM, and a sentence with the path in REASON. */
SP_CHECK enum sp_error ca_key_read(const char *path, struct evp_pkey_st **out, char *reason,
                                   size_t capacity);

#endif
