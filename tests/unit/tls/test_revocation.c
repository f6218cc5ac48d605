/* Revocation lists: which are taken, what they say, when they are too old. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tls/revocation.h"
#include "unit/tls/support.h"

#define MS_2020 INT64_C(1579000000000) /* within crl-stale's January 2020 */

struct fixture {
    X509 *issuers[2]; /* root, issuing */
    struct revocation_table *table;
    char reason[AUTHORITY_REASON_BYTES];
    int64_t now_ms;
};

static X509 *load(const char *name)
{
    char path[PATH_BYTES];
    size_t size = 0;
    char *pem = read_whole(ca_path(path, ".", name), &size);
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(certificate);
    BIO_free(bio);
    free(pem);
    return certificate;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    fixture->issuers[0] = load("root/cert.pem");
    fixture->issuers[1] = load("issuing/cert.pem");
    fixture->now_ms = clock_wall_ms(clock_system());
    *state = fixture;
    return revocation_table_new(&fixture->table) == SP_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    X509_free(fixture->issuers[0]);
    X509_free(fixture->issuers[1]);
    revocation_table_free(fixture->table);
    free(fixture);
    return 0;
}

static enum sp_error add_bytes(struct fixture *fixture, const char *pem, size_t size)
{
    fixture->reason[0] = '\0';
    return revocation_table_add(fixture->table, pem, size, fixture->issuers, 2, fixture->reason,
                                sizeof(fixture->reason));
}

static enum sp_error add(struct fixture *fixture, const char *name)
{
    char path[PATH_BYTES];
    size_t size = 0;
    char *pem = read_whole(ca_path(path, ".", name), &size);
    enum sp_error error = add_bytes(fixture, pem, size);

    free(pem);
    return error;
}

static enum sp_error check_at(const struct fixture *fixture, const char *name, int64_t wall_ms)
{
    char path[PATH_BYTES];
    struct certificate_info info;
    X509 *certificate = NULL;

    (void)snprintf(path, sizeof(path), "%s/cert.pem", name);
    certificate = load(path);
    assert_int_equal(certificate_describe(certificate, &info), SP_OK);
    X509_free(certificate);
    return revocation_table_check(fixture->table, &info, wall_ms);
}

static enum sp_error check(const struct fixture *fixture, const char *name)
{
    return check_at(fixture, name, fixture->now_ms);
}

static void test_lookup(void **state)
{
    struct fixture *fixture = *state;
    int64_t next_ms = 0;

    assert_int_equal(check(fixture, "members/alice"), SP_ENOCRL);
    assert_int_equal(revocation_table_next_update_ms(fixture->table), INT64_MAX);
    assert_int_equal(add(fixture, "crl.pem"), SP_OK);
    assert_int_equal(check(fixture, "members/alice"), SP_OK);
    assert_int_equal(check(fixture, "issuing"), SP_OK);
    assert_int_equal(check(fixture, "members/mallory"), SP_EREVOKED);
    assert_int_equal(check(fixture, "bad/revoked"), SP_EREVOKED);
    assert_int_equal(check(fixture, "bad-servers/revoked"), SP_EREVOKED);
    assert_int_equal(revocation_table_count(fixture->table), 3);
    next_ms = revocation_table_next_update_ms(fixture->table);
    assert_true(next_ms > fixture->now_ms);
    assert_true(next_ms <= fixture->now_ms + INT64_C(30) * 86400 * 1000);
    assert_int_equal(check_at(fixture, "members/alice", next_ms - 1), SP_OK);
    assert_int_equal(check_at(fixture, "members/alice", next_ms), SP_ENOCRL);
    assert_int_equal(check_at(fixture, "members/mallory", next_ms), SP_EREVOKED);
    assert_int_equal(check_at(fixture, "members/alice", MS_2020), SP_ENOCRL);
}

/* The same serial number of another issuer is another certificate. */
static void test_issuer_counts(void **state)
{
    struct fixture *fixture = *state;
    struct certificate_info info;
    X509 *certificate = load("members/mallory/cert.pem");

    assert_int_equal(add(fixture, "crl.pem"), SP_OK);
    assert_int_equal(certificate_describe(certificate, &info), SP_OK);
    assert_int_equal(revocation_table_check(fixture->table, &info, fixture->now_ms), SP_EREVOKED);
    info.serial[info.serial_bytes - 1] ^= 1;
    assert_int_equal(revocation_table_check(fixture->table, &info, fixture->now_ms), SP_OK);
    info.serial[info.serial_bytes - 1] ^= 1;
    info.serial_bytes--;
    assert_int_equal(revocation_table_check(fixture->table, &info, fixture->now_ms), SP_OK);
    info.serial_bytes++;
    info.issuer.bytes[0] ^= 1;
    assert_int_equal(revocation_table_check(fixture->table, &info, fixture->now_ms), SP_ENOCRL);
    X509_free(certificate);
}

static void test_refused(void **state)
{
    static const struct {
        const char *name;
        const char *reason;
    } lists[] = {
        {"bad/crl-wrong-issuer.pem", "signature"},
        {"bad/crl-delta.pem", "delta"},
        {"bad/crl-indirect.pem", "indirect"},
        {"ca.pem", "no revocation list"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        assert_int_equal(add(fixture, lists[i].name), SP_ECERT);
        if (strstr(fixture->reason, lists[i].reason) == NULL) {
            fail_msg("%s: %s", lists[i].name, fixture->reason);
        }
        assert_int_equal(check(fixture, "members/alice"), SP_ENOCRL);
    }
}

static void test_missing(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(add(fixture, "bad/crl-missing.pem"), SP_OK);
    assert_int_equal(check(fixture, "issuing"), SP_OK);
    assert_int_equal(check(fixture, "members/alice"), SP_ENOCRL);
}

static void test_stale_and_future(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(add(fixture, "bad/crl-stale.pem"), SP_OK);
    assert_int_equal(check(fixture, "members/alice"), SP_ENOCRL);
    assert_int_equal(check_at(fixture, "members/alice", MS_2020), SP_OK);
    assert_int_equal(check(fixture, "members/mallory"), SP_EREVOKED);
    assert_int_equal(add(fixture, "bad/crl-future.pem"), SP_OK);
    assert_int_equal(check(fixture, "members/alice"), SP_ENOCRL);
}

#define MANY 1000

/* Serial numbers of all lengths, in no order. */
static ASN1_INTEGER *make_serial(unsigned int i)
{
    BIGNUM *number = BN_new();
    ASN1_INTEGER *serial = NULL;

    assert_non_null(number);
    assert_int_equal(BN_set_word(number, 2ULL * i + 2), 1); /* even: odd ones are not revoked */
    assert_int_equal(BN_lshift(number, number, (int)(i * 7 % 140)), 1);
    assert_int_equal(BN_add_word(number, 2), 1);
    serial = BN_to_ASN1_INTEGER(number, NULL);
    assert_non_null(serial);
    BN_free(number);
    return serial;
}

static EVP_PKEY *load_issuing_key(void)
{
    char path[PATH_BYTES];
    BIO *file = BIO_new_file(ca_path(path, "issuing", "key.pem"), "r");
    EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);

    assert_non_null(key);
    BIO_free(file);
    return key;
}

/* A list of the issuing CA with MANY entries, as PEM text in a BIO. */
static BIO *make_long_list(const struct fixture *fixture)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)(fixture->now_ms / 1000));
    EVP_PKEY *key = load_issuing_key();
    BIO *pem = BIO_new(BIO_s_mem());

    assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(fixture->issuers[1])), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, time), 1);
    for (unsigned int i = 0; i < MANY; i++) {
        X509_REVOKED *revoked = X509_REVOKED_new();
        ASN1_INTEGER *serial = make_serial(i);

        assert_int_equal(X509_REVOKED_set_serialNumber(revoked, serial), 1);
        assert_int_equal(X509_REVOKED_set_revocationDate(revoked, time), 1);
        assert_int_equal(X509_CRL_add0_revoked(crl, revoked), 1);
        ASN1_INTEGER_free(serial);
    }
    assert_non_null(X509_gmtime_adj(time, 3600));
    assert_int_equal(X509_CRL_set1_nextUpdate(crl, time), 1);
    assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509_CRL(pem, crl), 1);
    EVP_PKEY_free(key);
    ASN1_TIME_free(time);
    X509_CRL_free(crl);
    return pem;
}

/* Every entry of a long list is found, and nothing beside it. */
static void test_long_list(void **state)
{
    struct fixture *fixture = *state;
    BIO *pem = make_long_list(fixture);
    char *text = NULL;
    long size = BIO_get_mem_data(pem, &text);
    struct certificate_info info;
    X509 *certificate = load("members/alice/cert.pem");

    assert_int_equal(add_bytes(fixture, text, (size_t)size), SP_OK);
    assert_int_equal(revocation_table_count(fixture->table), MANY);
    assert_int_equal(certificate_describe(certificate, &info), SP_OK);
    for (unsigned int i = 0; i < MANY; i++) {
        ASN1_INTEGER *serial = make_serial(i);

        memset(info.serial, 0, sizeof(info.serial));
        info.serial_bytes = (size_t)ASN1_STRING_length(serial);
        memcpy(info.serial, ASN1_STRING_get0_data(serial), info.serial_bytes);
        assert_int_equal(revocation_table_check(fixture->table, &info, fixture->now_ms),
                         SP_EREVOKED);
        info.serial[info.serial_bytes - 1] |= 1;
        assert_int_equal(revocation_table_check(fixture->table, &info, fixture->now_ms), SP_OK);
        ASN1_INTEGER_free(serial);
    }
    X509_free(certificate);
    BIO_free(pem);
}

/* A list with a lower number never takes the place of one with a higher. */
static void test_newer_wins(void **state)
{
    struct fixture *fixture = *state;

    /* The one that was made later has the higher number, though it claims to be of 2020. */
    assert_int_equal(add(fixture, "crl.pem"), SP_OK);
    assert_int_equal(add(fixture, "bad/crl-stale.pem"), SP_OK);
    assert_int_equal(check(fixture, "members/alice"), SP_ENOCRL);
    assert_int_equal(add(fixture, "crl.pem"), SP_OK);
    assert_int_equal(check(fixture, "members/alice"), SP_ENOCRL);
    assert_int_equal(revocation_table_count(fixture->table), 3);
}

/* Cut anywhere, changed anywhere: never a crash; a list that is not whole is not taken. */
static void test_damaged(void **state)
{
    struct fixture *fixture = *state;
    char path[PATH_BYTES];
    size_t size = 0;
    char *pem = read_whole(ca_path(path, ".", "crl.pem"), &size);
    const char *end = strstr(pem, "-----END X509 CRL-----");
    size_t first = (size_t)(end - pem) + strlen("-----END X509 CRL-----");

    assert_non_null(end);
    for (size_t cut = 0; cut < first; cut++) {
        assert_int_equal(add_bytes(fixture, pem, cut), SP_ECERT);
    }
    for (size_t at = strlen("-----BEGIN X509 CRL-----\n"); at < (size_t)(end - pem) - 1; at++) {
        char kept = pem[at];

        pem[at] = kept == 'A' ? 'B' : 'A';
        if (kept != '\n' && kept != '=') {
            /* Two bits of the last letter before "=" are padding and count for nothing. */
            enum sp_error error = add_bytes(fixture, pem, size);

            assert_true(error == SP_ECERT || pem[at + 1] == '=');
        }
        pem[at] = kept;
    }
    assert_int_equal(add_bytes(fixture, pem, size), SP_OK);
    free(pem);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_lookup),           WITH_FIXTURE(test_issuer_counts),
        WITH_FIXTURE(test_refused),          WITH_FIXTURE(test_missing),
        WITH_FIXTURE(test_stale_and_future), WITH_FIXTURE(test_newer_wins),
        WITH_FIXTURE(test_damaged),          WITH_FIXTURE(test_long_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
