/* Certificates and revocation lists in PEM files, read and written. Blocks. Every sentence in
 * REASON names the file. For src/ca only. */
#ifndef SP_CA_PEM_H
#define SP_CA_PEM_H

#include "base/base.h"

struct stack_st_X509;
struct stack_st_X509_CRL;
struct x509_st;

/* All certificates of PATH, at least one; sk_X509_pop_free(). SP_ENOTFOUND, SP_ECERT, SP_ENOMEM. */
SP_CHECK enum sp_error pem_read_certificates(const char *path, struct stack_st_X509 **out,
                                             char *reason, size_t capacity);
/* The first one; X509_free(). Errors likewise. */
SP_CHECK enum sp_error pem_read_certificate(const char *path, struct x509_st **out, char *reason,
                                            size_t capacity);
/* All lists of PATH, at least one; sk_X509_CRL_pop_free(). Errors likewise. */
SP_CHECK enum sp_error pem_read_lists(const char *path, struct stack_st_X509_CRL **out,
                                      char *reason, size_t capacity);

/* A new file that everybody may read: COUNT certificates. SP_EEXISTS, SP_EFILE, SP_EFULL, SP_EIO,
 * SP_ENOMEM. */
SP_CHECK enum sp_error pem_write_certificates(const char *path, struct x509_st *const *certificates,
                                              size_t count, char *reason, size_t capacity);
/* The same, in place of PATH. */
SP_CHECK enum sp_error pem_replace_certificates(const char *path,
                                                struct x509_st *const *certificates, size_t count,
                                                char *reason, size_t capacity);
/* The same of all LISTS: a new file, or in place of PATH. */
SP_CHECK enum sp_error pem_write_lists(const char *path, const struct stack_st_X509_CRL *lists,
                                       bool replace, char *reason, size_t capacity);

#endif
