#include "ca/sign.h"

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define MS_PER_SECOND 1000

const struct evp_md_st *sign_digest(const struct evp_pkey_st *key)
{
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}

bool sign_set_time(struct asn1_string_st *time, int64_t wall_ms)
{
    return time != NULL && ASN1_TIME_set(time, (time_t)(wall_ms / MS_PER_SECOND)) != NULL;
}

struct X509_extension_st *sign_extension(const struct x509_st *issuer, struct x509_st *certificate,
                                         struct X509_crl_st *crl, int nid, const char *value)
{
    X509V3_CTX context;

    /* OpenSSL 3.0 takes the issuer as one that it might change, which it does not. */
    X509 *signer = (X509 *)(uintptr_t)issuer; /* NOLINT(performance-no-int-to-ptr) */
    X509V3_set_ctx(&context, signer, certificate, NULL, crl, 0);
    return X509V3_EXT_conf_nid(NULL, &context, nid, value);
}
