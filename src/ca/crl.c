#include "ca/crl.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "ca/certificate.h"
#include "ca/sign.h"
#include "tls/asn1.h"

#define DAY_MS INT64_C(86400000)

void ca_crl_free(struct X509_crl_st *list)
{
    X509_CRL_free(list);
}

/* 0 for a list without a number, or with one that cannot be read. BN_free(). */
static BIGNUM *number_of(const X509_CRL *list)
{
    ASN1_INTEGER *number =
        list == NULL ? NULL : X509_CRL_get_ext_d2i(list, NID_crl_number, NULL, NULL);
    BIGNUM *value = number == NULL ? BN_new() : ASN1_INTEGER_to_BN(number, NULL);

    ASN1_INTEGER_free(number);
    return value;
}

static bool set_number(X509_CRL *list, const X509_CRL *old)
{
    BIGNUM *value = number_of(old);
    ASN1_INTEGER *number = NULL;
    bool ok = false;

    if (value != NULL && BN_add_word(value, 1) == 1) {
        number = BN_to_ASN1_INTEGER(value, NULL);
        ok = number != NULL &&
             X509_CRL_add1_ext_i2d(list, NID_crl_number, number, 0, X509V3_ADD_APPEND) == 1;
    }
    ASN1_INTEGER_free(number);
    BN_free(value);
    return ok;
}

static bool copy_entries(X509_CRL *list, const X509_CRL *old)
{
    /* OpenSSL 3.0 takes it as one that it might change, which it does not. */
    X509_CRL *source = (X509_CRL *)(uintptr_t)old; /* NOLINT(performance-no-int-to-ptr) */
    STACK_OF(X509_REVOKED) *entries = old == NULL ? NULL : X509_CRL_get_REVOKED(source);

    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
        X509_REVOKED *entry = X509_REVOKED_dup(sk_X509_REVOKED_value(entries, i));

        if (entry == NULL || X509_CRL_add0_revoked(list, entry) != 1) {
            X509_REVOKED_free(entry);
            return false;
        }
    }
    return X509_CRL_sort(list) == 1;
}

static bool set_times(X509_CRL *list, int days, int64_t now_ms)
{
    ASN1_TIME *time = ASN1_TIME_new();
    bool ok =
        sign_set_time(time, now_ms - CA_BACKDATE_MS) && X509_CRL_set1_lastUpdate(list, time) == 1 &&
        sign_set_time(time, now_ms + days * DAY_MS) && X509_CRL_set1_nextUpdate(list, time) == 1;

    ASN1_TIME_free(time);
    return ok;
}

static bool add_key_identifier(X509_CRL *list, const X509 *issuer)
{
    X509_EXTENSION *extension =
        sign_extension(issuer, NULL, list, NID_authority_key_identifier, "keyid:always");
    bool ok = extension != NULL && X509_CRL_add_ext(list, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return ok;
}

enum sp_error ca_crl_new(const struct x509_st *issuer, struct evp_pkey_st *key,
                         const struct X509_crl_st *old, int days, int64_t now_ms,
                         struct X509_crl_st **out)
{
    X509_CRL *list = X509_CRL_new();
    bool ok = list != NULL && X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1 &&
              X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer)) == 1 &&
              set_times(list, days, now_ms) && copy_entries(list, old) &&
              add_key_identifier(list, issuer) && set_number(list, old) &&
              X509_CRL_sign(list, key, sign_digest(key)) > 0;

    if (!ok) {
        X509_CRL_free(list);
        list = NULL;
    }
    ERR_clear_error();
    *out = list;
    return list == NULL ? SP_EINTERNAL : SP_OK;
}

/* As src/tls/revocation.c has it: by number, else by time. */
static bool is_newer(const X509_CRL *list, const X509_CRL *than)
{
    BIGNUM *number = number_of(list);
    BIGNUM *other = number_of(than);
    int64_t made_ms = 0;
    int64_t other_ms = 0;
    bool newer = false;

    if (number != NULL && other != NULL && !BN_is_zero(number) && !BN_is_zero(other)) {
        newer = BN_cmp(number, other) > 0;
    } else if (asn1_time_to_ms(X509_CRL_get0_lastUpdate(list), &made_ms) &&
               asn1_time_to_ms(X509_CRL_get0_lastUpdate(than), &other_ms)) {
        newer = made_ms > other_ms;
    }
    BN_free(number);
    BN_free(other);
    return newer;
}

int ca_crl_find(struct stack_st_X509_CRL *lists, const struct x509_st *issuer)
{
    int found = -1;

    for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
        X509_CRL *list = sk_X509_CRL_value(lists, i);

        if (X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(issuer)) == 0 &&
            X509_CRL_verify(list, X509_get0_pubkey(issuer)) == 1 &&
            (found < 0 || is_newer(list, sk_X509_CRL_value(lists, found)))) {
            found = i;
        }
    }
    ERR_clear_error();
    return found;
}
