#include "tls/revocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "tls/asn1.h"

#define MINIMUM_DIGEST_BYTES 28 /* SHA-224: 112 bits, as TLS security level 2 */

struct serial {
    size_t size;
    uint8_t bytes[SERIAL_BYTES];
};

/* One issuer's list. */
struct list {
    struct digest issuer;
    struct serial number; /* CRL number; size 0: none */
    int64_t this_update_ms;
    int64_t next_update_ms;
    struct serial *revoked; /* sorted */
    size_t count;
};

struct revocation_table {
    struct list *lists;
    size_t count;
};

static int serial_compare(const void *a, const void *b)
{
    const struct serial *x = a;
    const struct serial *y = b;

    /* No leading zeros: the longer is the greater. */
    return x->size != y->size ? (int)x->size - (int)y->size : memcmp(x->bytes, y->bytes, x->size);
}

enum sp_error revocation_table_new(struct revocation_table **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? SP_ENOMEM : SP_OK;
}

void revocation_table_free(struct revocation_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        free(table->lists[i].revoked);
    }
    free(table->lists);
    free(table);
}

static struct list *find_list(const struct revocation_table *table, const struct digest *issuer)
{
    for (size_t i = 0; i < table->count; i++) {
        if (digest_equal(&table->lists[i].issuer, issuer)) {
            return &table->lists[i];
        }
    }
    return NULL;
}

/* Whether the list covers all that its issuer has revoked (RFC 5280, 5.2); else why not. */
static const char *check_scope(const X509_CRL *crl)
{
    int critical = 0;
    ISSUING_DIST_POINT *point = NULL;
    bool whole = true;

    if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0) {
        return "it is a delta list, which holds changes only";
    }
    point = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
    if (point != NULL) {
        whole = point->onlyuser <= 0 && point->onlyCA <= 0 && point->onlyattr <= 0 &&
                point->indirectCRL <= 0 && point->onlysomereasons == NULL;
    } else if (critical != -1) {
        whole = false; /* there is one, but it cannot be read */
    }
    ISSUING_DIST_POINT_free(point);
    if (!whole) {
        return "it is an indirect list or covers a part only";
    }
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(crl, i);

        if (X509_EXTENSION_get_critical(extension) &&
            OBJ_obj2nid(X509_EXTENSION_get_object(extension)) != NID_issuing_distribution_point) {
            return "it has a critical extension that is not known here";
        }
    }
    return NULL;
}

static bool has_weak_signature(const X509_CRL *crl)
{
    int digest_nid = NID_undef;
    const EVP_MD *digest = NULL;

    if (OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl), &digest_nid, NULL) != 1) {
        return true;
    }
    if (digest_nid == NID_undef) {
        return false; /* Ed25519: the digest is part of the signature algorithm */
    }
    digest = EVP_get_digestbynid(digest_nid);
    return digest == NULL || EVP_MD_get_size(digest) < MINIMUM_DIGEST_BYTES;
}

/* Whether one of ISSUERS has signed the list, and may. */
static const char *check_issuer(X509_CRL *crl, struct x509_st *const *issuers, size_t count)
{
    const char *wrong = "its issuer is none of the team's certificate authorities";

    for (size_t i = 0; i < count; i++) {
        if (X509_NAME_cmp(X509_get_subject_name(issuers[i]), X509_CRL_get_issuer(crl)) != 0) {
            continue;
        }
        if (X509_CRL_verify(crl, X509_get0_pubkey(issuers[i])) != 1) {
            wrong = "its signature is not that of the authority that it names";
        } else if ((X509_get_extension_flags(issuers[i]) & EXFLAG_KUSAGE) == 0 ||
                   (X509_get_key_usage(issuers[i]) & KU_CRL_SIGN) == 0) {
            wrong = "its issuer's certificate may not sign revocation lists";
        } else {
            return has_weak_signature(crl) ? "its signature uses a weak digest" : NULL;
        }
    }
    return wrong;
}

static enum sp_error copy_revoked(X509_CRL *crl, struct list *list)
{
    const STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(crl);
    int count = revoked == NULL ? 0 : sk_X509_REVOKED_num(revoked);

    if (count <= 0) {
        return SP_OK;
    }
    list->revoked = calloc((size_t)count, sizeof(*list->revoked));
    if (list->revoked == NULL) {
        return SP_ENOMEM;
    }
    for (int i = 0; i < count; i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(revoked, i);

        struct serial *serial = &list->revoked[list->count];

        /* Numbers that no certificate of ours can have are left out. */
        if (asn1_serial(X509_REVOKED_get0_serialNumber(entry), serial->bytes, &serial->size)) {
            list->count++;
        }
    }
    qsort(list->revoked, list->count, sizeof(*list->revoked), serial_compare);
    return SP_OK;
}

/* On success LIST owns memory. */
static enum sp_error read_list(X509_CRL *crl, struct list *list, const char **wrong)
{
    ASN1_INTEGER *number = NULL;

    *list = (struct list){0};
    if (X509_NAME_digest(X509_CRL_get_issuer(crl), EVP_sha256(), list->issuer.bytes, NULL) != 1) {
        return SP_EINTERNAL;
    }
    if (!asn1_time_to_ms(X509_CRL_get0_lastUpdate(crl), &list->this_update_ms) ||
        !asn1_time_to_ms(X509_CRL_get0_nextUpdate(crl), &list->next_update_ms)) {
        *wrong = "it does not say when it was made or when the next one comes";
        return SP_ECERT;
    }
    number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
    if (number != NULL) {
        /* An absurd one counts as none. */
        (void)asn1_serial(number, list->number.bytes, &list->number.size);
        ASN1_INTEGER_free(number);
    }
    return copy_revoked(crl, list);
}

static bool is_older(const struct list *list, const struct list *than)
{
    if (list->number.size > 0 && than->number.size > 0) {
        return serial_compare(&list->number, &than->number) < 0;
    }
    return list->this_update_ms < than->this_update_ms;
}

/* Takes what LIST owns. */
static enum sp_error insert_list(struct revocation_table *table, struct list *list)
{
    struct list *place = find_list(table, &list->issuer);
    struct list *grown = NULL;

    if (place == NULL) {
        grown = reallocarray(table->lists, table->count + 1, sizeof(*grown));
        if (grown == NULL) {
            free(list->revoked);
            return SP_ENOMEM;
        }
        table->lists = grown;
        table->lists[table->count++] = *list;
    } else if (is_older(list, place)) {
        free(list->revoked);
    } else {
        free(place->revoked);
        *place = *list;
    }
    return SP_OK;
}

static enum sp_error add_list(struct revocation_table *table, X509_CRL *crl,
                              struct x509_st *const *issuers, size_t count, const char **wrong)
{
    struct list list = {0};
    enum sp_error error = SP_ECERT;

    *wrong = check_issuer(crl, issuers, count);
    if (*wrong == NULL) {
        *wrong = check_scope(crl);
    }
    if (*wrong == NULL) {
        error = read_list(crl, &list, wrong);
    }
    return error == SP_OK ? insert_list(table, &list) : error;
}

static void explain(X509_CRL *crl, const char *wrong, char *reason, size_t capacity)
{
    char *issuer = X509_NAME_oneline(X509_CRL_get_issuer(crl), NULL, 0);

    (void)snprintf(reason, capacity, "the revocation list of \"%s\" cannot be used: %s",
                   issuer == NULL ? "?" : issuer, wrong == NULL ? "out of memory" : wrong);
    OPENSSL_free(issuer);
}

enum sp_error revocation_table_add(struct revocation_table *table, const char *pem, size_t size,
                                   struct x509_st *const *issuers, size_t count, char *reason,
                                   size_t capacity)
{
    BIO *bio = size > INT32_MAX ? NULL : BIO_new_mem_buf(pem, (int)size);
    enum sp_error error = bio == NULL ? SP_ENOMEM : SP_OK;
    size_t added = 0;

    while (error == SP_OK) {
        X509_CRL *crl = NULL;
        const char *wrong = NULL;

        ERR_clear_error();
        crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
        if (crl == NULL) {
            break;
        }
        error = add_list(table, crl, issuers, count, &wrong);
        if (error != SP_OK) {
            explain(crl, wrong, reason, capacity);
        }
        X509_CRL_free(crl);
        added++;
    }
    if (bio == NULL) {
        (void)snprintf(reason, capacity, "out of memory");
    } else if (error == SP_OK &&
               (added == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)) {
        (void)snprintf(reason, capacity, "it %s",
                       added == 0 ? "holds no revocation list in PEM form"
                                  : "holds a revocation list that cannot be read");
        error = SP_ECERT;
    }
    ERR_clear_error();
    BIO_free(bio);
    return error;
}

enum sp_error revocation_table_check(const struct revocation_table *table,
                                     const struct certificate_info *info, int64_t wall_ms)
{
    const struct list *list = find_list(table, &info->issuer);
    struct serial serial = {.size = info->serial_bytes};

    if (list == NULL) {
        return SP_ENOCRL;
    }
    memcpy(serial.bytes, info->serial, sizeof(serial.bytes));
    /* Revoked once is revoked for good: a stale list says that as well. */
    if (list->count > 0 && bsearch(&serial, list->revoked, list->count, sizeof(*list->revoked),
                                   serial_compare) != NULL) {
        return SP_EREVOKED;
    }
    return list->this_update_ms <= wall_ms && wall_ms < list->next_update_ms ? SP_OK : SP_ENOCRL;
}

int64_t revocation_table_next_update_ms(const struct revocation_table *table)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < table->count; i++) {
        if (table->lists[i].next_update_ms < first) {
            first = table->lists[i].next_update_ms;
        }
    }
    return first;
}

size_t revocation_table_count(const struct revocation_table *table)
{
    size_t count = 0;

    for (size_t i = 0; i < table->count; i++) {
        count += table->lists[i].count;
    }
    return count;
}
