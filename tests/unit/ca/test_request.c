/* Requests of strangers, and what the issuer makes of them. */
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "ca/certificate.h"
#include "ca/request.h"
#include "unit/ca/support.h"

#define DER_BYTES 16384

static void test_keys(void **state)
{
    static const struct {
        const char *type;
        const char *curve;
        size_t bits;
        const char *digest;
        enum sp_error error;
    } rows[] = {
        {"EC", "P-256", 0, NULL, SP_OK},         {"ED25519", NULL, 0, NULL, SP_OK},
        {"RSA", NULL, 3072, NULL, SP_OK},        {"RSA", NULL, 2048, NULL, SP_EKEY},
        {"EC", "P-384", 0, NULL, SP_EKEY},       {"EC", "secp256k1", 0, NULL, SP_EKEY},
        {"EC", "P-256", 0, "SHA1", SP_EINVALID},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        EVP_PKEY *key = rows[i].curve != NULL ? EVP_EC_gen(rows[i].curve)
                        : rows[i].bits != 0   ? EVP_RSA_gen((unsigned)rows[i].bits)
                                              : EVP_PKEY_Q_keygen(NULL, NULL, rows[i].type);
        uint8_t der[LIMIT_REQUEST_BYTES];
        const struct slice request = {der, request_of(key, rows[i].digest, der, sizeof(der))};
        EVP_PKEY *read = NULL;
        struct digest digest;
        char reason[128] = "";
        enum sp_error error = ca_request_read(request, &read, &digest, reason, sizeof(reason));

        if (error != rows[i].error) {
            fail_msg("row %zu: %s (%s)", i, sp_error_name(error), reason);
        }
        assert_int_equal(read != NULL, error == SP_OK);
        assert_true(read == NULL || EVP_PKEY_eq(read, key) == 1);
        EVP_PKEY_free(read);
        EVP_PKEY_free(key);
    }
}

/* Every truncation, every changed byte, and anything behind it. */
static void test_damage(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    uint8_t der[LIMIT_REQUEST_BYTES + 1] = {0};
    size_t size = request_of(key, NULL, der, sizeof(der));
    struct digest digest;
    char reason[128];

    (void)state;
    for (size_t i = 0; i < size; i++) {
        assert_int_not_equal(
            ca_request_read((struct slice){der, i}, NULL, &digest, reason, sizeof(reason)), SP_OK);
        der[i] ^= 0x40;
        assert_int_not_equal(
            ca_request_read((struct slice){der, size}, NULL, &digest, reason, sizeof(reason)),
            SP_OK);
        der[i] ^= 0x40;
    }
    assert_int_equal(
        ca_request_read((struct slice){der, size + 1}, NULL, &digest, reason, sizeof(reason)),
        SP_EINVALID);
    assert_non_null(strstr(reason, "follows"));
    assert_int_equal(
        ca_request_read((struct slice){der, sizeof(der)}, NULL, &digest, reason, sizeof(reason)),
        SP_EINVALID);
    assert_non_null(strstr(reason, "larger"));
    EVP_PKEY_free(key);
}

static void test_issue(void **state)
{
    struct team team;
    uint8_t der[LIMIT_REQUEST_BYTES];
    uint8_t chain[DER_BYTES];
    char reason[256] = "";
    struct issuer_chain out = {.der = chain, .capacity = sizeof(chain)};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    const struct slice request = {der, request_of(key, NULL, der, sizeof(der))};

    (void)state;
    team_make(&team, NULL);
    struct issuer *issuer = team_issuer(&team);
    assert_int_equal(
        issuer_issue(issuer, request, "alice", team.now_ms, &out, reason, sizeof(reason)), SP_OK);
    assert_string_equal(out.info.username, "alice");
    assert_string_equal(out.info.team, "ours");
    assert_true(out.info.not_after_ms <= team.now_ms + 90 * DAY_MS &&
                out.info.not_after_ms > team.now_ms + 90 * DAY_MS - 1001);
    const unsigned char *at = chain;
    X509 *leaf = d2i_X509(NULL, &at, (long)out.size);
    X509 *ca = d2i_X509(NULL, &at, (long)(out.size - (size_t)(at - chain)));
    assert_true(leaf != NULL && ca != NULL && at == chain + out.size);
    assert_int_equal(certificate_check_member_profile(leaf, reason, sizeof(reason)), SP_OK);
    assert_int_equal(X509_verify(leaf, X509_get0_pubkey(ca)), 1);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(leaf), key), 1);
    X509_free(leaf);
    X509_free(ca);
    /* Near the issuing CA's end: not beyond it; on its last day: none. */
    int64_t end_ms = issuer_not_after_ms(issuer);
    assert_int_equal(
        issuer_issue(issuer, request, "bob", end_ms - 9 * DAY_MS, &out, reason, sizeof(reason)),
        SP_OK);
    assert_int_equal(out.info.not_after_ms, end_ms);
    assert_int_equal(
        issuer_issue(issuer, request, "bob", end_ms - DAY_MS / 2, &out, reason, sizeof(reason)),
        SP_EEXPIRED);
    assert_int_equal(out.size, 0);
    static const char *const bad[] = {"", "Alice", "a/b", "-a", "a\n", "ab,URI:sealpost://ours/x"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(
            issuer_issue(issuer, request, bad[i], team.now_ms, &out, reason, sizeof(reason)),
            SP_ENAME);
    }
    out.capacity = 100;
    assert_int_equal(
        issuer_issue(issuer, request, "alice", team.now_ms, &out, reason, sizeof(reason)),
        SP_EINTERNAL);
    der[request.size - 1] ^= 1;
    assert_int_not_equal(
        issuer_issue(issuer, request, "alice", team.now_ms, &out, reason, sizeof(reason)), SP_OK);
    issuer_free(issuer);
    EVP_PKEY_free(key);
    team_remove(&team);
}

static void test_hosts(void **state)
{
    static const struct {
        const char *text;
        const char *taken; /* NULL: refused */
    } rows[] = {
        {"chat.Example.org", "chat.example.org"},
        {"localhost", "localhost"},
        {"10.0.0.1", "10.0.0.1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"xn--mnchen-3ya.de", "xn--mnchen-3ya.de"},
        {"", NULL},
        {"a..b", NULL},
        {".a", NULL},
        {"a.", NULL},
        {"-a.b", NULL},
        {"a-.b", NULL},
        {"*.b", NULL},
        {"a_b", NULL},
        {"a b", NULL},
        {"300.1.1.1", NULL},
        {"10.1", NULL},
        {"fe80::1%eth0", NULL},
        {"a:80", NULL},
        {"m\xc3\xbc.de", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ca_hosts hosts = {0};
        char reason[128] = "";
        enum sp_error error =
            ca_hosts_add(&hosts, rows[i].text, strlen(rows[i].text), reason, sizeof(reason));

        if ((error == SP_OK) != (rows[i].taken != NULL)) {
            fail_msg("'%s': %s (%s)", rows[i].text, sp_error_name(error), reason);
        }
        if (error == SP_OK) {
            assert_string_equal(hosts.names[0], rows[i].taken);
            assert_int_equal(
                ca_hosts_add(&hosts, rows[i].text, strlen(rows[i].text), reason, sizeof(reason)),
                SP_EEXISTS);
        } else {
            assert_int_equal(hosts.count, 0);
            assert_true(reason[0] != '\0');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_issue),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests_name("ca/request", tests, NULL, NULL);
}
