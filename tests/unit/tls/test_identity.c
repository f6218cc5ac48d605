/* Names out of certificates: the URI, the certificate, the profile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "unit/tls/support.h"

#define NAME_31 "abcdefghijklmnopqrstuvwxyz01234"

static const struct {
    const char *uri;
    size_t size;      /* 0: strlen() */
    const char *team; /* NULL: refused */
    const char *username;
} uris[] = {
    {"sealpost://test/alice", 0, "test", "alice"},
    {"sealpost://t/a", 0, "t", "a"},
    {"sealpost://0.team-x_y/9-a.b_c", 0, "0.team-x_y", "9-a.b_c"},
    {"sealpost://" NAME_31 "5/" NAME_31 "5", 0, NAME_31 "5", NAME_31 "5"},
    {"sealpost://" NAME_31 "56/alice", 0, NULL, NULL},
    {"sealpost://test/" NAME_31 "56", 0, NULL, NULL},
    {"", 0, NULL, NULL},
    {"sealpost://", 0, NULL, NULL},
    {"sealpost:///", 0, NULL, NULL},
    {"sealpost://test", 0, NULL, NULL},
    {"sealpost://test/", 0, NULL, NULL},
    {"sealpost:///alice", 0, NULL, NULL},
    {"sealpost://test//alice", 0, NULL, NULL},
    {"sealpost://test/alice/", 0, NULL, NULL},
    {"sealpost://test/alice/phone", 0, NULL, NULL},
    {"sealpost://test/alice?x", 0, NULL, NULL},
    {"sealpost://test/alice#x", 0, NULL, NULL},
    {"sealpost://test:7643/alice", 0, NULL, NULL},
    {"sealpost://alice@test/alice", 0, NULL, NULL},
    {"sealpost://test/al%69ce", 0, NULL, NULL},
    {"sealpost://test/alice ", 0, NULL, NULL},
    {" sealpost://test/alice", 0, NULL, NULL},
    {"sealpost://test/alice\n", 0, NULL, NULL},
    {"sealpost://test/ali\nce", 0, NULL, NULL},
    {"sealpost://test/alice\0", 22, NULL, NULL},
    {"sealpost://test/ali\0ce", 22, NULL, NULL},
    {"sealpost://te\0st/alice", 22, NULL, NULL},
    {"sealpost\0//test/alice", 21, NULL, NULL},
    {"SEALPOST://test/alice", 0, NULL, NULL},
    {"sealpost://Test/alice", 0, NULL, NULL},
    {"sealpost://test/Alice", 0, NULL, NULL},
    {"sealpost://test/al\303\255ce", 0, NULL, NULL},
    {"sealpost://test/.alice", 0, NULL, NULL},
    {"sealpost://test/-alice", 0, NULL, NULL},
    {"sealpost://.test/alice", 0, NULL, NULL},
    {"sealpost:/test/alice", 0, NULL, NULL},
    {"https://test/alice", 0, NULL, NULL},
};

/* What comes before the team and the username in memory is of exactly this size. */
static enum sp_error parse(const char *uri, size_t size, char *team, char *username)
{
    uint8_t *exact = malloc(size == 0 ? 1 : size); /* so that a sanitizer sees a read beyond */
    enum sp_error error = SP_OK;

    assert_non_null(exact);
    memcpy(exact, uri, size);
    memset(team, 'x', LIMIT_TEAM_BYTES + 1);
    memset(username, 'x', LIMIT_USERNAME_BYTES + 1);
    error = identity_parse_uri(exact, size, team, username);
    free(exact);
    return error;
}

static void test_uris(void **state)
{
    char team[LIMIT_TEAM_BYTES + 1];
    char username[LIMIT_USERNAME_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(uris); i++) {
        size_t size = uris[i].size == 0 ? strlen(uris[i].uri) : uris[i].size;
        enum sp_error error = parse(uris[i].uri, size, team, username);

        if (error != (uris[i].team == NULL ? SP_EIDENTITY : SP_OK)) {
            fail_msg("%s: %s", uris[i].uri, sp_error_name(error));
        }
        assert_string_equal(team, uris[i].team == NULL ? "" : uris[i].team);
        assert_string_equal(username, uris[i].team == NULL ? "" : uris[i].username);
    }
}

/* Every beginning of a good URI is another URI or none, and is never read beyond. */
static void test_truncated_uris(void **state)
{
    static const char whole[] = "sealpost://test/alice";
    char team[LIMIT_TEAM_BYTES + 1];
    char username[LIMIT_USERNAME_BYTES + 1];

    (void)state;
    for (size_t size = 0; size < sizeof(whole) - 1; size++) {
        enum sp_error error = parse(whole, size, team, username);

        if (size <= strlen("sealpost://test/")) {
            assert_int_equal(error, SP_EIDENTITY);
        } else {
            assert_int_equal(error, SP_OK);
            assert_int_equal(strlen(username), size - strlen("sealpost://test/"));
        }
    }
}

/* Every byte of a good URI replaced by every other: what is accepted is of the alphabet. */
static void test_changed_uris(void **state)
{
    static const char whole[] = "sealpost://test/alice";
    char team[LIMIT_TEAM_BYTES + 1];
    char username[LIMIT_USERNAME_BYTES + 1];

    (void)state;
    for (size_t at = 0; at < sizeof(whole) - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char changed[sizeof(whole)];

            memcpy(changed, whole, sizeof(whole));
            changed[at] = (char)byte;
            if (parse(changed, sizeof(whole) - 1, team, username) == SP_OK) {
                char again[LIMIT_TEAM_BYTES + LIMIT_USERNAME_BYTES + 13];

                (void)snprintf(again, sizeof(again), "sealpost://%s/%s", team, username);
                assert_memory_equal(again, changed, sizeof(whole) - 1);
                assert_int_equal(strspn(team, "abcdefghijklmnopqrstuvwxyz0123456789._-"),
                                 strlen(team));
            }
        }
    }
}

static X509 *load(const char *name)
{
    char path[PATH_BYTES];
    size_t size = 0;
    char *pem = read_whole(ca_path(path, name, "cert.pem"), &size);
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(certificate);
    BIO_free(bio);
    free(pem);
    return certificate;
}

static void test_describe(void **state)
{
    X509 *certificate = load("members/alice");
    struct certificate_info info;
    char hex[SERIAL_HEX_BYTES];
    unsigned char *der = NULL;
    int der_size = i2d_X509(certificate, &der);
    unsigned char wanted[DIGEST_BYTES];
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *serial_hex = BN_bn2hex(serial);

    (void)state;
    assert_int_equal(certificate_describe(certificate, &info), SP_OK);
    assert_true(der_size > 0);
    assert_int_equal(EVP_Digest(der, (size_t)der_size, wanted, NULL, EVP_sha256(), NULL), 1);
    assert_memory_equal(info.fingerprint.bytes, wanted, sizeof(wanted));
    certificate_serial_hex(&info, hex);
    assert_int_equal(strcasecmp(hex, serial_hex), 0);
    assert_int_equal(info.not_after_ms - info.not_before_ms, INT64_C(90) * 86400 * 1000);
    assert_string_equal(info.username, "");
    assert_int_equal(certificate_identity(certificate, "test", &info), SP_OK);
    assert_string_equal(info.team, "test");
    assert_string_equal(info.username, "alice");
    assert_int_equal(certificate_identity(certificate, "other", &info), SP_EIDENTITY);
    assert_string_equal(info.username, "");
    assert_int_equal(certificate_identity(certificate, NULL, &info), SP_OK);
    assert_string_equal(info.username, "alice");
    OPENSSL_free(serial_hex);
    BN_free(serial);
    OPENSSL_free(der);
    X509_free(certificate);
}

/* Serial numbers that RFC 5280 does not allow. */
static void test_serials(void **state)
{
    static const struct {
        const char *hex;
        enum sp_error error;
    } serials[] = {
        {"1", SP_OK},
        {"7fffffffffffffffffffffffffffffffffffffff", SP_OK},
        {"ffffffffffffffffffffffffffffffffffffffff", SP_OK}, /* 20 bytes of value */
        {"100000000000000000000000000000000000000000", SP_EPROFILE},
        {"-1", SP_EPROFILE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(serials); i++) {
        X509 *certificate = load("members/alice");
        BIGNUM *number = NULL;
        struct certificate_info info;

        assert_int_not_equal(BN_hex2bn(&number, serials[i].hex), 0);
        assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)));
        assert_int_equal(certificate_describe(certificate, &info), serials[i].error);
        BN_free(number);
        X509_free(certificate);
    }
}

/* The allowed keys that the test CA does not make, and one that is too large. */
static void test_keys(void **state)
{
    static const struct {
        const char *algorithm;
        size_t bits;
        enum sp_error error;
    } keys[] = {
        {"ED25519", 0, SP_OK},
        {"RSA", 3072, SP_OK},
        {"RSA", 2048, SP_EPROFILE},
        {"ED448", 0, SP_EPROFILE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        X509 *good = load("members/alice");
        X509 *certificate = X509_dup(good);
        EVP_PKEY *key = keys[i].bits == 0
                            ? EVP_PKEY_Q_keygen(NULL, NULL, keys[i].algorithm)
                            : EVP_PKEY_Q_keygen(NULL, NULL, keys[i].algorithm, keys[i].bits);
        char reason[128] = "";
        enum sp_error error = SP_OK;

        assert_non_null(key);
        assert_int_equal(X509_set_pubkey(certificate, key), 1);
        error = certificate_check_member_profile(certificate, reason, sizeof(reason));
        assert_int_equal(error, keys[i].error);
        assert_int_equal(reason[0] == '\0', error == SP_OK);
        EVP_PKEY_free(key);
        X509_free(certificate);
        X509_free(good);
    }
}

static void test_profiles(void **state)
{
    static const struct {
        const char *name;
        enum sp_error member;
        enum sp_error server;
    } profiles[] = {
        {"members/alice", SP_OK, SP_EPROFILE},        {"server", SP_EPROFILE, SP_OK},
        {"receipts", SP_EPROFILE, SP_EPROFILE},       {"bad/client-and-server", SP_EPROFILE, SP_OK},
        {"bad/ca-as-leaf", SP_EPROFILE, SP_EPROFILE}, {"bad/x509-v1", SP_EPROFILE, SP_EPROFILE},
        {"bad/p-192", SP_EPROFILE, SP_EPROFILE},      {"bad/rsa-1024", SP_EPROFILE, SP_EPROFILE},
        {"issuing", SP_EPROFILE, SP_EPROFILE},        {"root", SP_EPROFILE, SP_EPROFILE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        X509 *certificate = load(profiles[i].name);
        char reason[128] = "";

        assert_int_equal(certificate_check_member_profile(certificate, reason, sizeof(reason)),
                         profiles[i].member);
        assert_int_equal(certificate_check_server_profile(certificate, reason, sizeof(reason)),
                         profiles[i].server);
        X509_free(certificate);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uris),         cmocka_unit_test(test_truncated_uris),
        cmocka_unit_test(test_changed_uris), cmocka_unit_test(test_describe),
        cmocka_unit_test(test_serials),      cmocka_unit_test(test_keys),
        cmocka_unit_test(test_profiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
