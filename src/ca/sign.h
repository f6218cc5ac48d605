/* What certificates and revocation lists have in common when they are made. For src/ca only. */
#ifndef SP_CA_SIGN_H
#define SP_CA_SIGN_H

#include "base/base.h"

struct asn1_string_st;
struct evp_md_st;
struct evp_pkey_st;
struct X509_crl_st;
struct X509_extension_st;
struct x509_st;

/* SHA-256; NULL for an Ed25519 key, which has a digest of its own. */
const struct evp_md_st *sign_digest(const struct evp_pkey_st *key);

/* UTCTime or GeneralizedTime, as RFC 5280 (4.1.2.5) wants it. */
bool sign_set_time(struct asn1_string_st *time, int64_t wall_ms);

/* The extension NID with VALUE as in an openssl configuration file, of CERTIFICATE or of CRL; NULL
 * when it cannot be made. X509_EXTENSION_free(). */
struct X509_extension_st *sign_extension(const struct x509_st *issuer, struct x509_st *certificate,
                                         struct X509_crl_st *crl, int nid, const char *value);

#endif
