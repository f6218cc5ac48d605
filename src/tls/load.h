/* Reads the files of an authority. Blocks. Errors come with one sentence that names the file. For
 * src/tls only. */
#ifndef SP_TLS_LOAD_H
#define SP_TLS_LOAD_H

#include "tls/authority_internal.h"
#include "tls/key.h"

/* All certificates of the PEM file PATH, at least one. *OUT is freed with sk_X509_pop_free().
 * SP_ENOTFOUND, SP_ECERT, SP_ENOMEM. */
SP_CHECK enum sp_error load_certificates(const char *path, struct stack_st_X509 **out, char *reason,
                                         size_t capacity);

/*
 * The certificate of CERT_PATH, what follows it there, and the key of KEY_PATH, which must fit.
 * Whatever is in OUT belongs to the caller, also after an error. SP_ENOTFOUND, SP_ECERT, SP_EKEY,
 * SP_ENOMEM.
 */
SP_CHECK enum sp_error load_credentials(const char *cert_path, const char *key_path,
                                        const struct passphrase_source *passphrase,
                                        struct credentials *out, char *reason, size_t capacity);
/* Whether LEAF and what leads to its root are not more than a peer takes in its handshake. */
bool certificates_fit_handshake(const struct x509_st *leaf, const struct stack_st_X509 *chain);
void credentials_deinit(struct credentials *credentials);

/* The CAs of the PEM file PATH into AUTHORITY: at least one root, and all others chain to one.
 * SP_ENOTFOUND, SP_ECERT, SP_ENOMEM. */
SP_CHECK enum sp_error load_cas(const char *path, struct authority *authority, char *reason,
                                size_t capacity);

/*
 * The revocation lists of the PEM file PATH into AUTHORITY, whose CAs are loaded. MAXIMUM is the
 * largest file taken; if OPTIONAL, a file without any list is no error and makes no table; lists
 * may be signed by the CAs of AUTHORITY and of its own chain. SP_ENOTFOUND, SP_ECERT, SP_ENOMEM.
 */
SP_CHECK enum sp_error load_revocation(const char *path, size_t maximum, bool optional,
                                       struct authority *authority, char *reason, size_t capacity);

#endif
