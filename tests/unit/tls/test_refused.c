/*
 * Who must not get in. Each certificate of "tools/make-test-ca bad" meets a good server: what the
 * server finds, and what the client is told of it by the alert.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/tls/raw.h"

#define MS_2020 INT64_C(1580515200000) /* 2020-02-01 */
#define ANY_ALERT (-2)
#define MS_2090 INT64_C(3789590400000) /* 2090-02-01 */

static const struct {
    const char *name;
    enum sp_error server;
    enum sp_error client;
    const char *reason; /* in what the server logs when the client sends its whole chain */
} refused[] = {
    {"revoked", SP_EREVOKED, SP_EREVOKED, "revoked"},
    {"other-ca", SP_EUNTRUSTED, SP_EUNTRUSTED, "authority"},
    {"other-ca-claims-ours", SP_EUNTRUSTED, SP_EUNTRUSTED, "authority"},
    {"self-signed", SP_EUNTRUSTED, SP_EUNTRUSTED, "self-signed"},
    {"chain-too-long", SP_EUNTRUSTED, SP_EUNTRUSTED, "too long"},
    {"unknown-issuing-ca", SP_EUNTRUSTED, SP_EUNTRUSTED, "CA file"},
    {"issued-by-member", SP_EUNTRUSTED, SP_EUNTRUSTED, "invalid CA"},
    {"ca-as-leaf", SP_EPROFILE, SP_EPROFILE, "certificate authority"},
    {"x509-v1", SP_EPROFILE, SP_EPROFILE, "version 3"},
    {"no-eku", SP_EPROFILE, SP_EPROFILE, "clientAuth"},
    {"server-auth-only", SP_EPROFILE, SP_EPROFILE, "purpose"},
    {"any-eku", SP_EPROFILE, SP_EPROFILE, "clientAuth alone"},
    {"only-any-eku", SP_EPROFILE, SP_EPROFILE, "purpose"},
    {"client-and-server", SP_EPROFILE, SP_EPROFILE, "clientAuth alone"},
    {"receipts", SP_EPROFILE, SP_EPROFILE, "purpose"},
    {"no-key-usage", SP_EPROFILE, SP_EPROFILE, "key usage"},
    {"wrong-key-usage", SP_EPROFILE, SP_EPROFILE, "digitalSignature"},
    {"unknown-critical", SP_EPROFILE, SP_EPROFILE, "critical extension"},
    {"rsa-2048", SP_EPROFILE, SP_EPROFILE, "key is not"},
    {"p-384", SP_EPROFILE, SP_EPROFILE, "key is not"},
    {"no-key-identifier", SP_EPROFILE, SP_EPROFILE, "Key Identifier"},
    {"identity-nul", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-newline", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-upper-case", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-non-ascii", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-empty", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-33-characters", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-two", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-other-team", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-other-scheme", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-and-dns", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-and-email", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-none", SP_EIDENTITY, SP_EIDENTITY, "member"},
    {"identity-in-cn", SP_EIDENTITY, SP_EIDENTITY, "member"},
};

static void assert_refused(struct pair *pair, const char *name, enum sp_error server,
                           enum sp_error client, const char *reason)
{
    pair_handshake(pair);
    if (pair->server_result != server || pair->client_result != client ||
        strstr(stream_reason(pair->server), reason) == NULL) {
        fail_msg("%s: server: %s (%s), client: %s (%s)", name, sp_error_name(pair->server_result),
                 stream_reason(pair->server), sp_error_name(pair->client_result),
                 stream_reason(pair->client));
    }
    assert_string_not_equal(stream_reason(pair->client), "");
    assert_string_equal(stream_protocol(pair->server), "");
    assert_non_null(stream_peer(pair->server)); /* for the log line */
    assert_true(stream_peer(pair->server)->serial_bytes > 0);
}

/* Our own client, which sends its certificate only. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        char directory[64];
        struct pair pair;

        (void)snprintf(directory, sizeof(directory), "bad/%s", refused[i].name);
        pair_open_streams(&pair, server_authority(NULL), client_authority(directory, NULL),
                          "localhost");
        assert_refused(&pair, refused[i].name, refused[i].server, refused[i].client, "");
        pair_close(&pair);
    }
}

/* A stream of a good server and a client on OpenSSL alone; what the server finds. */
static enum sp_error meet(struct pair *pair, const struct raw_config *config, int *alert)
{
    struct authority *authority = server_authority(NULL);
    enum sp_error result = SP_OK;
    SSL *client = NULL;

    pair_open(pair);
    assert_int_equal(stream_new_server(authority, pair->fds[0], &pair->server), SP_OK);
    authority_unref(authority);
    client = raw_new(config, false, pair->fds[1]);
    *alert = raw_handshake(client, pair->server, &result);
    raw_free(client);
    return result;
}

/* One that sends all that its file holds. */
static void test_table_with_chains(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        char directory[64];
        const struct raw_config config = {directory, RAW_ALPN, 0, NULL, NULL};
        struct pair pair;
        int alert = -1;
        enum sp_error error = SP_OK;

        (void)snprintf(directory, sizeof(directory), "bad/%s", refused[i].name);
        error = meet(&pair, &config, &alert);
        if (error != refused[i].server || alert < 0 ||
            strstr(stream_reason(pair.server), refused[i].reason) == NULL) {
            fail_msg("%s: %s (%s), alert %d", refused[i].name, sp_error_name(error),
                     stream_reason(pair.server), alert);
        }
        pair_close(&pair);
    }
}

/* A client looks at its own certificate's times first: give it a clock that is wrong meanwhile. */
static void check_times(const char *directory, int64_t then_ms, enum sp_error server,
                        enum sp_error client)
{
    struct clock_settable clock;
    struct authority *authority = NULL;
    struct pair pair;

    clock_settable_init(&clock, then_ms);
    authority = client_authority(directory, &clock.clock);
    clock.wall_ms = clock_wall_ms(clock_system());
    pair_open_streams(&pair, server_authority(NULL), authority, "localhost");
    assert_refused(&pair, directory, server, client, sp_error_text(server));
    pair_close(&pair);
}

static void test_times(void **state)
{
    (void)state;
    check_times("bad/expired", MS_2020, SP_EEXPIRED, SP_EEXPIRED);
    /* There is no alert for this one. */
    check_times("bad/not-yet-valid", MS_2090, SP_ENOTYET, SP_ECERT);
}

static void test_revoked_member(void **state)
{
    struct pair pair;

    (void)state;
    pair_open_streams(&pair, server_authority(NULL), client_authority("members/mallory", NULL),
                      "localhost");
    assert_refused(&pair, "mallory", SP_EREVOKED, SP_EREVOKED, "revoked");
    assert_string_equal(stream_peer(pair.server)->username, "mallory");
    pair_close(&pair);
}

/* Clients that our own library would not even start with. */
static const struct {
    const char *what;
    struct raw_config client;
    enum sp_error server;
    int alert; /* -1: none; ANY_ALERT: it cannot be read, the client is still writing */
} raw_refused[] = {
    {"none at all", {NULL, RAW_ALPN, 0, NULL, NULL}, SP_ENOCERT, SSL_AD_CERTIFICATE_REQUIRED},
    {"RSA-1024",
     {"bad/rsa-1024", RAW_ALPN, 0, NULL, NULL},
     SP_EPROFILE,
     SSL_AD_UNSUPPORTED_CERTIFICATE},
    /* There is no TLS 1.3 signature with this curve: the client has nothing to present. */
    {"P-192", {"bad/p-192", RAW_ALPN, 0, NULL, NULL}, SP_ENOCERT, SSL_AD_CERTIFICATE_REQUIRED},
    {"40 KB", {"bad/large", RAW_ALPN, 0, NULL, NULL}, SP_ETLS, ANY_ALERT},
    {"250 KB", {"bad/huge", RAW_ALPN, 0, NULL, NULL}, SP_ETLS, ANY_ALERT},
    {"expired", {"bad/expired", RAW_ALPN, 0, NULL, NULL}, SP_EEXPIRED, SSL_AD_CERTIFICATE_EXPIRED},
    {"no ALPN",
     {"members/alice", NULL, 0, NULL, NULL},
     SP_EUNSUPPORTED,
     SSL_AD_NO_APPLICATION_PROTOCOL},
    {"other ALPN",
     {"members/alice", "\x02h2", 0, NULL, NULL},
     SP_EUNSUPPORTED,
     SSL_AD_NO_APPLICATION_PROTOCOL},
    {"an ALPN that ours begins",
     {"members/alice", "\x0bsealpost/1x", 0, NULL, NULL},
     SP_EUNSUPPORTED,
     SSL_AD_NO_APPLICATION_PROTOCOL},
    {"a prefix of the ALPN",
     {"members/alice", "\x08sealpost", 0, NULL, NULL},
     SP_EUNSUPPORTED,
     SSL_AD_NO_APPLICATION_PROTOCOL},
    {"joining, which is not offered",
     {"members/alice", "\x0fsealpost-join/1", 0, NULL, NULL},
     SP_EUNSUPPORTED,
     SSL_AD_NO_APPLICATION_PROTOCOL},
    {"joining without a certificate",
     {NULL, "\x0fsealpost-join/1", 0, NULL, NULL},
     SP_EUNSUPPORTED,
     SSL_AD_NO_APPLICATION_PROTOCOL},
    {"TLS 1.2",
     {"members/alice", RAW_ALPN, TLS1_2_VERSION, NULL, NULL},
     SP_EUNSUPPORTED,
     SSL_AD_PROTOCOL_VERSION},
    {"a good one", {"members/alice", RAW_ALPN, 0, NULL, NULL}, SP_OK, -1},
};

static void test_raw_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(raw_refused); i++) {
        struct pair pair;
        int alert = -1;
        enum sp_error error = meet(&pair, &raw_refused[i].client, &alert);

        if (error != raw_refused[i].server ||
            (raw_refused[i].alert != ANY_ALERT && alert != raw_refused[i].alert)) {
            fail_msg("%s: %s (%s), alert %d", raw_refused[i].what, sp_error_name(error),
                     stream_reason(pair.server), alert);
        }
        pair_close(&pair);
    }
}

/* What never leaves the machine: its own client says so first. */
static void test_client_refuses_its_own(void **state)
{
    static const struct {
        const char *directory;
        enum sp_error error;
        const char *reason;
    } own[] = {
        {"bad/expired", SP_EEXPIRED, "expired at 2020-04-01"},
        {"bad/not-yet-valid", SP_ENOTYET, "2090-01-01"},
        {"bad/huge", SP_ECERT, "larger"},
        {"bad/rsa-1024", SP_ECERT, "small"},
        {"bad/p-192", SP_ECERT, "small"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        char ca[PATH_BYTES];
        char cert[PATH_BYTES];
        char key[PATH_BYTES];
        char reason[AUTHORITY_REASON_BYTES] = "";
        const struct authority_client_config config = {
            .ca_file = ca_path(ca, ".", "root.pem"),
            .cert_file = ca_path(cert, own[i].directory, "cert.pem"),
            .key_file = ca_path(key, own[i].directory, "key.pem"),
            .clock = clock_system(),
        };
        struct authority *authority = NULL;
        enum sp_error error = authority_new_client(&config, &authority, reason, sizeof(reason));

        if (error != own[i].error || strstr(reason, own[i].reason) == NULL) {
            fail_msg("%s: %s (%s)", own[i].directory, sp_error_name(error), reason);
        }
        assert_null(authority);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),       cmocka_unit_test(test_table_with_chains),
        cmocka_unit_test(test_times),       cmocka_unit_test(test_revoked_member),
        cmocka_unit_test(test_raw_clients), cmocka_unit_test(test_client_refuses_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
