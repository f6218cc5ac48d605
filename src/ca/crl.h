/* Revocation lists of a team's CAs (RFC 5280, 5). Called when a team is made and by refresh.h. */
#ifndef SP_CA_CRL_H
#define SP_CA_CRL_H

#include "base/base.h"

struct evp_pkey_st;
struct X509_crl_st;
struct stack_st_X509_CRL;
struct x509_st;

#define CA_ROOT_CRL_DAYS 365 /* its key is offline */
#define CA_ISSUING_CRL_DAYS 30

/*
 * A new list of ISSUER's, good for DAYS from NOW_MS, with the entries of OLD and a higher number.
 * OLD may be NULL: then it is the first and empty. ca_crl_free(). SP_EINTERNAL.
 */
SP_CHECK enum sp_error ca_crl_new(const struct x509_st *issuer, struct evp_pkey_st *key,
                                  const struct X509_crl_st *old, int days, int64_t now_ms,
                                  struct X509_crl_st **out);
void ca_crl_free(struct X509_crl_st *list); /* NULL is allowed */

/* Where in LISTS the newest one stands that ISSUER has signed; -1: there is none. */
int ca_crl_find(struct stack_st_X509_CRL *lists, const struct x509_st *issuer);

#endif
