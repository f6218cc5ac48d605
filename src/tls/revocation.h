/*
 * The revocation table: certificate revocation lists (RFC 5280, 5), checked once when they are
 * loaded (signature by the issuer, issuer's cRLSign, freshness), after which a login costs one
 * lookup. Immutable once built; any thread may read it.
 */
#ifndef SP_TLS_REVOCATION_H
#define SP_TLS_REVOCATION_H

#include "base/base.h"
#include "tls/identity.h"

struct revocation_table;
struct x509_st;

SP_CHECK enum sp_error revocation_table_new(struct revocation_table **out);
void revocation_table_free(struct revocation_table *table); /* NULL is allowed */

/*
 * Adds all lists of the PEM text. Each must be signed by one of ISSUERS (COUNT CA certificates). A
 * list that is older (by CRL number, else thisUpdate) than one of the same issuer that is in the
 * table already is skipped; delta and indirect lists are refused. SP_ECERT with what is wrong in
 * REASON; SP_ENOMEM. A stale list is added (logins then say SP_ENOCRL) and is no error.
 */
SP_CHECK enum sp_error revocation_table_add(struct revocation_table *table, const char *pem,
                                            size_t size, struct x509_st *const *issuers,
                                            size_t count, char *reason, size_t capacity);

/*
 * SP_OK, SP_EREVOKED, or SP_ENOCRL when the issuer has no list, or none that is fresh at WALL_MS
 * (thisUpdate <= now < nextUpdate).
 */
SP_CHECK enum sp_error revocation_table_check(const struct revocation_table *table,
                                              const struct certificate_info *info, int64_t wall_ms);

/* The earliest nextUpdate of all lists, in milliseconds since 1970; INT64_MAX when there are none.
 * For warnings. */
int64_t revocation_table_next_update_ms(const struct revocation_table *table);
size_t revocation_table_count(const struct revocation_table *table); /* revoked certificates */

#endif
