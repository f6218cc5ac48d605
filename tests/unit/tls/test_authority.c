/* Loading an authority: what is refused before anybody connects, and how it is said. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "unit/tls/support.h"

/* Files below the test CA; NULL: the good one. */
static const struct {
    const char *ca;
    const char *crl;
    const char *cert;
    const char *key;
    enum sp_error error;
    const char *reason;
} servers[] = {
    {NULL, NULL, NULL, NULL, SP_OK, ""},
    {"nowhere.pem", NULL, NULL, NULL, SP_ENOTFOUND, "nowhere.pem"},
    {NULL, "nowhere.pem", NULL, NULL, SP_ENOTFOUND, "nowhere.pem"},
    {NULL, NULL, "nowhere.pem", NULL, SP_ENOTFOUND, "nowhere.pem"},
    {NULL, NULL, NULL, "nowhere.pem", SP_ENOTFOUND, "nowhere.pem"},
    {"team", NULL, NULL, NULL, SP_ECERT, "no certificate"},
    {"server/key.pem", NULL, NULL, NULL, SP_ECERT, "no certificate"},
    {"members/alice/cert.pem", NULL, NULL, NULL, SP_ECERT, "not that of a CA"},
    {"issuing/cert.pem", NULL, NULL, NULL, SP_ECERT, "issuer certificate"}, /* no root */
    {"root.pem", "bad/crl-missing.pem", NULL, NULL, SP_ECERT,
     "certificate authority"}, /* no issuing CA */
    {NULL, "ca.pem", NULL, NULL, SP_ECERT, "no revocation list"},
    {NULL, "bad/crl-missing.pem", NULL, NULL, SP_ENOCRL, "test issuing CA"},
    {NULL, "bad/crl-stale.pem", NULL, NULL, SP_ENOCRL, "test issuing CA"},
    {NULL, "bad/crl-future.pem", NULL, NULL, SP_ENOCRL, "test issuing CA"},
    {NULL, "bad/crl-wrong-issuer.pem", NULL, NULL, SP_ECERT, "signature"},
    {NULL, "bad/crl-issuing-revoked.pem", NULL, NULL, SP_ECERT, "certificate authority"},
    {NULL, "bad/crl-delta.pem", NULL, NULL, SP_ECERT, "delta"},
    {NULL, "bad/crl-indirect.pem", NULL, NULL, SP_ECERT, "indirect"},
    {NULL, NULL, NULL, "members/alice/key.pem", SP_EKEY, "is not the key"},
    {NULL, NULL, NULL, "server/cert.pem", SP_EKEY, "chmod 600"},
    {NULL, NULL, "members/alice/cert.pem", "members/alice/key.pem", SP_ECERT, "purpose"},
    {NULL, NULL, "bad-servers/expired/cert.pem", "bad-servers/expired/key.pem", SP_EEXPIRED,
     "expired at 2020-04-01"},
    {NULL, NULL, "bad-servers/not-yet-valid/cert.pem", "bad-servers/not-yet-valid/key.pem",
     SP_ENOTYET, "2090-01-01"},
    {NULL, NULL, "bad-servers/revoked/cert.pem", "bad-servers/revoked/key.pem", SP_ECERT,
     "revoked"},
    {NULL, NULL, "bad-servers/other-ca/cert.pem", "bad-servers/other-ca/key.pem", SP_ECERT,
     "self-signed"},
    {NULL, NULL, "bad-servers/self-signed/cert.pem", "bad-servers/self-signed/key.pem", SP_ECERT,
     "self-signed"},
    {NULL, NULL, "bad-servers/no-server-auth/cert.pem", "bad-servers/no-server-auth/key.pem",
     SP_ECERT, "serverAuth"},
};

static const char *or_good(char out[PATH_BYTES], const char *name, const char *good)
{
    return ca_path(out, ".", name == NULL ? good : name);
}

static void test_servers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        char paths[4][PATH_BYTES];
        char reason[AUTHORITY_REASON_BYTES] = "";
        const struct authority_server_config config = {
            .team = "test",
            .ca_file = or_good(paths[0], servers[i].ca, "ca.pem"),
            .crl_file = or_good(paths[1], servers[i].crl, "crl.pem"),
            .cert_file = or_good(paths[2], servers[i].cert, "server/cert.pem"),
            .key_file = or_good(paths[3], servers[i].key, "server/key.pem"),
            .clock = clock_system(),
        };
        struct authority *authority = NULL;
        enum sp_error error = authority_new_server(&config, &authority, reason, sizeof(reason));

        if (error != servers[i].error || strstr(reason, servers[i].reason) == NULL) {
            fail_msg("row %zu: %s (%s)", i, sp_error_name(error), reason);
        }
        assert_int_equal(authority != NULL, error == SP_OK);
        authority_unref(authority);
    }
}

static enum sp_error new_client(const char *key_path, char *reason, size_t capacity)
{
    char ca[PATH_BYTES];
    char cert[PATH_BYTES];
    const struct authority_client_config config = {
        .ca_file = ca_path(ca, ".", "root.pem"),
        .cert_file = ca_path(cert, ".", "members/alice/cert.pem"),
        .key_file = key_path,
        .clock = clock_system(),
    };
    struct authority *authority = NULL;
    enum sp_error error = authority_new_client(&config, &authority, reason, capacity);

    authority_unref(authority);
    return error;
}

/* Keys that cannot be read as such: of another, encrypted, empty, a link, a directory. */
static void test_keys(void **state)
{
    static const char encrypted[] =
        "-----BEGIN ENCRYPTED "
        "PRIVATE KEY-----\n"
        "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAAAAAAAAAAAICCAAw\n"
        "-----END ENCRYPTED "
        "PRIVATE KEY-----\n";
    char directory[] = "/tmp/sealpost-test-XXXXXX";
    char path[sizeof(directory) + 16];
    char other[PATH_BYTES];
    char reason[AUTHORITY_REASON_BYTES] = "";
    FILE *file = NULL;

    (void)state;
    assert_int_equal(
        new_client(ca_path(other, ".", "members/alice/key.pem"), reason, sizeof(reason)), SP_OK);
    assert_int_equal(new_client(ca_path(other, ".", "members/bob/key.pem"), reason, sizeof(reason)),
                     SP_EKEY);
    assert_non_null(strstr(reason, "is not the key"));
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/key.pem", directory);
    assert_int_equal(symlink(ca_path(other, ".", "members/alice/key.pem"), path), 0);
    assert_int_equal(new_client(path, reason, sizeof(reason)), SP_EKEY);
    assert_int_equal(unlink(path), 0);
    file = fopen(path, "wxe");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_int_equal(new_client(path, reason, sizeof(reason)), SP_EKEY);
    assert_true(fputs(encrypted, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(new_client(path, reason, sizeof(reason)), SP_EKEY);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(new_client(directory, reason, sizeof(reason)), SP_EKEY);
    assert_int_equal(rmdir(directory), 0);
}

/* An encrypted key of the real kind: refused, not asked for. */
static void test_encrypted_key(void **state)
{
    char path[] = "/tmp/sealpost-test-XXXXXX";
    char reason[AUTHORITY_REASON_BYTES] = "";
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    int fd = mkstemp(path);
    BIO *file = BIO_new_fd(fd, BIO_CLOSE);

    (void)state;
    assert_non_null(key);
    assert_non_null(file);
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(file, key, EVP_aes_256_cbc(), "x", 1, NULL, NULL), 1);
    BIO_free(file);
    EVP_PKEY_free(key);
    assert_int_equal(new_client(path, reason, sizeof(reason)), SP_EKEY);
    assert_non_null(strstr(reason, "is encrypted"));
    assert_int_equal(unlink(path), 0);
}

static void test_team_name(void **state)
{
    char path[PATH_BYTES];
    char reason[AUTHORITY_REASON_BYTES] = "";
    const char *const file = ca_path(path, ".", "ca.pem");
    const struct authority_server_config config = {
        .team = "No Team",
        .ca_file = file,
        .crl_file = file,
        .cert_file = file,
        .key_file = file,
        .clock = clock_system(),
    };
    struct authority *authority = NULL;

    (void)state;
    assert_int_equal(authority_new_server(&config, &authority, reason, sizeof(reason)), SP_ENAME);
    assert_null(authority);
}

static void test_what_it_tells(void **state)
{
    struct authority *server = server_authority(NULL);
    struct authority *client = client_authority("members/alice.phone", NULL);

    (void)state;
    assert_int_equal(authority_revoked_count(server), 3);
    assert_true(authority_crl_next_update_ms(server) > clock_wall_ms(clock_system()));
    assert_int_equal(authority_revoked_count(client), 0);
    assert_int_equal(authority_crl_next_update_ms(client), INT64_MAX);
    assert_string_equal(authority_own(client)->team, "test");
    assert_string_equal(authority_own(client)->username, "alice");
    assert_true(authority_own(server)->serial_bytes > 0);
    assert_ptr_equal(authority_ref(server), server);
    authority_unref(server);
    authority_unref(server);
    authority_unref(client);
    authority_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_servers),       cmocka_unit_test(test_keys),
        cmocka_unit_test(test_encrypted_key), cmocka_unit_test(test_team_name),
        cmocka_unit_test(test_what_it_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
