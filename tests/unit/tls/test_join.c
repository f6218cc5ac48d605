/* Joining: connections on which nobody shows a certificate, and the servers that one who joins must
 * refuse. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "unit/tls/raw.h"

#define DAY_MS INT64_C(86400000)

/* The DER form of the certificate number INDEX of a PEM file. */
static struct slice certificate_der(const char *name, int index)
{
    char path[PATH_BYTES];
    BIO *bio = BIO_new_file(ca_path(path, ".", name), "r");
    unsigned char *der = NULL;
    X509 *certificate = NULL;
    int size = 0;

    for (int i = 0; i <= index; i++) {
        X509_free(certificate);
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        assert_non_null(certificate);
    }
    size = i2d_X509(certificate, &der);
    X509_free(certificate);
    BIO_free(bio);
    return (struct slice){der, (size_t)size};
}

static void assert_certificate(struct slice seen, const char *name, int index)
{
    struct slice wanted = certificate_der(name, index);

    assert_int_equal(seen.size, wanted.size);
    assert_memory_equal(seen.data, wanted.data, wanted.size);
    OPENSSL_free((void *)(uintptr_t)wanted.data);
}

static void test_both_ways(void **state)
{
    static const char *const hosts[] = {"localhost", "LOCALHOST", "127.0.0.1", "::1"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct pair pair;

        pair_open_streams(&pair, join_server_authority(NULL), join_authority(0, NULL), hosts[i]);
        assert_int_equal(stream_ca_count(pair.client), 0);
        pair_connect(&pair);
        assert_string_equal(stream_protocol(pair.server), ALPN_JOIN);
        assert_string_equal(stream_protocol(pair.client), ALPN_JOIN);
        assert_null(stream_peer(pair.server));
        assert_non_null(stream_peer(pair.client));
        assert_int_equal(stream_ca_count(pair.server), 0);
        assert_int_equal(stream_ca_count(pair.client), 2);
        assert_certificate(stream_ca(pair.client, 0), "issuing/cert.pem", 0);
        assert_certificate(stream_ca(pair.client, 1), "root.pem", 0);
        assert_int_equal(stream_ca(pair.client, 2).size, 0);
        assert_transfer(pair.client, pair.server, 100000, STREAM_RECORD_BYTES);
        assert_transfer(pair.server, pair.client, 100000, STREAM_RECORD_BYTES);
        pair_close(&pair);
    }
}

/* Members log in to a server where one can join as to any other, and are sent no root. */
static void test_members_as_ever(void **state)
{
    struct pair pair;

    (void)state;
    pair_open_streams(&pair, join_server_authority(NULL), client_authority("members/alice", NULL),
                      "localhost");
    pair_connect(&pair);
    assert_string_equal(stream_protocol(pair.server), ALPN_SEALPOST);
    assert_string_equal(stream_peer(pair.server)->username, "alice");
    assert_int_equal(stream_ca_count(pair.client), 0);
    pair_close(&pair);
}

/* A server that cannot issue certificates: nobody is let in without one. */
static void test_not_offered(void **state)
{
    struct pair pair;

    (void)state;
    pair_open_streams(&pair, server_authority(NULL), join_authority(0, NULL), "localhost");
    pair_handshake(&pair);
    assert_int_equal(pair.server_result, SP_EUNSUPPORTED);
    assert_int_equal(pair.client_result, SP_EUNSUPPORTED);
    pair_close(&pair);
}

/* ---- Clients that want in without a certificate ---- */

static const struct {
    const char *alpn;
    const char *directory; /* of the certificate, or NULL */
    enum sp_error error;
    const char *protocol; /* of the server afterwards */
    int certificates;     /* that the server sends */
} offers[] = {
    {RAW_ALPN, NULL, SP_ENOCERT, "", 2},
    {RAW_ALPN RAW_ALPN_JOIN, NULL, SP_ENOCERT, "", 2},
    {RAW_ALPN_JOIN RAW_ALPN, NULL, SP_ENOCERT, "", 2},
    {RAW_ALPN_JOIN "\x06others" RAW_ALPN, NULL, SP_ENOCERT, "", 2},
    {RAW_ALPN_JOIN RAW_ALPN_JOIN RAW_ALPN, NULL, SP_ENOCERT, "", 2},
    {RAW_ALPN_JOIN RAW_ALPN, "members/alice", SP_OK, ALPN_SEALPOST, 2},
    {RAW_ALPN_JOIN RAW_ALPN, "bad/revoked", SP_EREVOKED, "", 2},
    {RAW_ALPN_JOIN, NULL, SP_OK, ALPN_JOIN, 3},
    {"\x06others" RAW_ALPN_JOIN, NULL, SP_OK, ALPN_JOIN, 3},
    {RAW_ALPN_JOIN, "members/alice", SP_OK, ALPN_JOIN, 3}, /* is not asked for it */
    {"\x0esealpost-join/", NULL, SP_EUNSUPPORTED, "", 0},
    {"\x10sealpost-join/1x", NULL, SP_EUNSUPPORTED, "", 0},
    {"\x0fsealpost-join/2", NULL, SP_EUNSUPPORTED, "", 0},
};

/* A server where one can join, in PAIR. */
static void open_server(struct pair *pair)
{
    struct authority *server = join_server_authority(NULL);

    pair_open(pair);
    assert_int_equal(stream_new_server(server, pair->fds[0], &pair->server), SP_OK);
    authority_unref(server);
}

static void test_offers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(offers); i++) {
        const struct raw_config config = {offers[i].directory, offers[i].alpn, 0, NULL, NULL};
        enum sp_error result = SP_OK;
        struct pair pair;
        SSL *client = NULL;

        open_server(&pair);
        client = raw_new(&config, false, pair.fds[1]);
        (void)raw_handshake(client, pair.server, &result);
        if (result != offers[i].error) {
            fail_msg("offer %zu: %s (%s)", i, sp_error_name(result), stream_reason(pair.server));
        }
        assert_string_equal(stream_protocol(pair.server), offers[i].protocol);
        assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(client)) > 0
                             ? sk_X509_num(SSL_get_peer_cert_chain(client))
                             : 0,
                         offers[i].certificates);
        if (strcmp(offers[i].protocol, ALPN_JOIN) == 0) {
            assert_null(stream_peer(pair.server));
        }
        raw_free(client);
        pair_close(&pair);
    }
}

/* One who has no key share ready is asked for a second ClientHello. What that offers, in ALPN. */
static const char *second_offer;

static void change_offer(const SSL *ssl, int where, int result)
{
    (void)result;
    if ((where & SSL_CB_LOOP) != 0 && SSL_get_state(ssl) == TLS_ST_CR_SRVR_HELLO) {
        SSL *changed = (SSL *)(uintptr_t)ssl; /* the callback of an SSL that is ours */

        assert_int_equal(SSL_set_alpn_protos(changed, (const unsigned char *)second_offer,
                                             (unsigned int)strlen(second_offer)),
                         0);
    }
}

static void test_second_hello(void **state)
{
    static const struct {
        const char *first;
        const char *second;
        enum sp_error error;
        const char *protocol;
    } cases[] = {
        {RAW_ALPN_JOIN, RAW_ALPN_JOIN, SP_OK, ALPN_JOIN},
        {RAW_ALPN_JOIN, RAW_ALPN, SP_EUNSUPPORTED, ""},
        {RAW_ALPN_JOIN, RAW_ALPN_JOIN RAW_ALPN, SP_EUNSUPPORTED, ""},
        {RAW_ALPN_JOIN, "", SP_EUNSUPPORTED, ""},
        {RAW_ALPN, RAW_ALPN_JOIN, SP_EUNSUPPORTED, ""},
        {RAW_ALPN, RAW_ALPN, SP_ENOCERT, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct raw_config config = {NULL, cases[i].first, 0, NULL, "P-384:X25519"};
        enum sp_error result = SP_OK;
        struct pair pair;
        SSL *client = NULL;

        open_server(&pair);
        client = raw_new(&config, false, pair.fds[1]);
        second_offer = cases[i].second;
        SSL_set_info_callback(client, change_offer);
        (void)raw_handshake(client, pair.server, &result);
        if (result != cases[i].error) {
            fail_msg("case %zu: %s (%s)", i, sp_error_name(result), stream_reason(pair.server));
        }
        assert_string_equal(stream_protocol(pair.server), cases[i].protocol);
        raw_free(client);
        pair_close(&pair);
    }
}

/* ---- No way from one protocol into the other ---- */

static int count_session(SSL *ssl, SSL_SESSION *session)
{
    int *count = SSL_get_app_data(ssl);

    (void)session;
    (*count)++;
    return 0;
}

/* What was agreed on a connection for joining is of no use for logging in, nor the other way. */
static void test_no_resumption(void **state)
{
    static const struct {
        struct raw_config first;
        struct raw_config second;
        enum sp_error error;
    } cases[] = {
        {{NULL, RAW_ALPN_JOIN, 0, NULL, NULL}, {NULL, RAW_ALPN, 0, NULL, NULL}, SP_ENOCERT},
        {{"members/alice", RAW_ALPN, 0, NULL, NULL}, {NULL, RAW_ALPN, 0, NULL, NULL}, SP_ENOCERT},
        {{"members/alice", RAW_ALPN, 0, NULL, NULL}, {NULL, RAW_ALPN_JOIN, 0, NULL, NULL}, SP_OK},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct authority *server = join_server_authority(NULL);
        SSL_SESSION *session = NULL;
        enum sp_error result = SP_OK;
        struct pair pair;
        SSL *client = NULL;
        int sessions = 0;
        char buffer[16];

        pair_open(&pair);
        assert_int_equal(stream_new_server(server, pair.fds[0], &pair.server), SP_OK);
        client = raw_new(&cases[i].first, false, pair.fds[1]);
        SSL_set_app_data(client, &sessions);
        (void)SSL_CTX_set_session_cache_mode(SSL_get_SSL_CTX(client), SSL_SESS_CACHE_CLIENT);
        SSL_CTX_sess_set_new_cb(SSL_get_SSL_CTX(client), count_session);
        (void)raw_handshake(client, pair.server, &result);
        assert_int_equal(result, SP_OK);
        assert_int_equal(stream_write(pair.server, "welcome", 7), SP_OK);
        assert_int_equal(SSL_read(client, buffer, sizeof(buffer)), 7);
        assert_int_equal(sessions, 0);
        session = SSL_get1_session(client);
        assert_false(SSL_SESSION_is_resumable(session));
        raw_free(client);
        pair_close(&pair);

        pair_open(&pair);
        assert_int_equal(stream_new_server(server, pair.fds[0], &pair.server), SP_OK);
        client = raw_new(&cases[i].second, false, pair.fds[1]);
        (void)SSL_set_session(client, session);
        (void)raw_handshake(client, pair.server, &result);
        assert_int_equal(result, cases[i].error);
        assert_false(SSL_session_reused(client));
        assert_null(stream_peer(pair.server));
        SSL_SESSION_free(session);
        raw_free(client);
        pair_close(&pair);
        authority_unref(server);
    }
}

static void test_tls_1_2(void **state)
{
    static const struct raw_config config = {NULL, RAW_ALPN_JOIN, TLS1_2_VERSION, NULL, NULL};
    enum sp_error result = SP_OK;
    struct pair pair;
    SSL *client = NULL;

    (void)state;
    open_server(&pair);
    client = raw_new(&config, false, pair.fds[1]);
    (void)raw_handshake(client, pair.server, &result);
    assert_int_equal(result, SP_EUNSUPPORTED);
    raw_free(client);
    pair_close(&pair);
}

/* ---- Servers that one who joins must refuse ---- */

static const struct {
    const char *directory; /* of the server */
    const char *root;      /* that it sends besides its chain, or NULL */
    const char *host;      /* whom the client wants to reach */
    enum sp_error error;
} refused[] = {
    {"server", "root.pem", "elsewhere.invalid", SP_EHOST},
    {"server", "root.pem", "localhost.elsewhere.invalid", SP_EHOST},
    {"server", "root.pem", "*", SP_EHOST},
    {"server", "root.pem", "127.0.0.2", SP_EHOST},
    {"server", "root.pem", "::2", SP_EHOST},
    {"server", NULL, "localhost", SP_EUNTRUSTED}, /* where is the root? */
    {"bad-servers/wrong-host", "root.pem", "localhost", SP_EHOST},
    {"bad-servers/wrong-host", "root.pem", "127.0.0.1", SP_EHOST},
    {"bad-servers/wrong-host-in-cn", "root.pem", "localhost", SP_EHOST},
    {"bad-servers/cn-only", "root.pem", "localhost", SP_EHOST},
    {"bad-servers/member", "root.pem", "localhost", SP_EPROFILE},
    {"bad-servers/client-auth", "root.pem", "localhost", SP_EPROFILE},
    {"bad-servers/no-server-auth", "root.pem", "localhost", SP_EPROFILE},
    {"bad-servers/no-key-identifier", "root.pem", "localhost", SP_EPROFILE},
    {"bad-servers/expired", "root.pem", "localhost", SP_EEXPIRED},
    {"bad-servers/not-yet-valid", "root.pem", "localhost", SP_ENOTYET},
    {"bad-servers/other-ca", NULL, "localhost", SP_EUNTRUSTED},       /* its own root is there */
    {"bad-servers/other-ca", "root.pem", "localhost", SP_EUNTRUSTED}, /* and the true one, too */
    {"bad-servers/self-signed", NULL, "localhost", SP_EUNTRUSTED},
    {"bad-servers/self-signed", "root.pem", "localhost", SP_EUNTRUSTED},
    {"members/alice", "root.pem", "localhost", SP_EPROFILE},
};

/* What JOINING makes of a server on OpenSSL alone. */
static enum sp_error meet(struct pair *pair, const struct raw_config *config,
                          struct authority *joining, const char *host)
{
    enum sp_error result = SP_OK;
    SSL *server = NULL;

    pair_open(pair);
    assert_int_equal(stream_new_client(joining, pair->fds[1], host, &pair->client), SP_OK);
    authority_unref(joining);
    server = raw_new(config, true, pair->fds[0]);
    (void)raw_handshake(server, pair->client, &result);
    raw_free(server);
    return result;
}

static void test_refused_servers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        const struct raw_config config = {refused[i].directory, RAW_ALPN_JOIN, 0, refused[i].root,
                                          NULL};
        struct pair pair;
        enum sp_error error = meet(&pair, &config, join_authority(0, NULL), refused[i].host);

        if (error != refused[i].error) {
            fail_msg("%s with %s for %s: %s (%s)", refused[i].directory,
                     refused[i].root == NULL ? "no root" : refused[i].root, refused[i].host,
                     sp_error_name(error), stream_reason(pair.client));
        }
        assert_string_equal(stream_protocol(pair.client), "");
        assert_int_equal(stream_ca_count(pair.client), 0);
        assert_non_null(strstr(stream_reason(pair.client), "the server's certificate is refused"));
        pair_close(&pair);
    }
}

/* A good server, and what is still wrong. */
static void test_good_server(void **state)
{
    static const struct raw_config good = {"server", RAW_ALPN_JOIN, 0, "root.pem", NULL};
    static const struct raw_config no_alpn = {"server", NULL, 0, "root.pem", NULL};
    static const struct raw_config old = {"server", RAW_ALPN_JOIN, TLS1_2_VERSION, "root.pem",
                                          NULL};
    struct clock_settable clock;
    struct pair pair;

    (void)state;
    assert_int_equal(meet(&pair, &good, join_authority(0, NULL), "localhost"), SP_OK);
    pair_close(&pair);
    /* Another code's fingerprint, if only by one bit. */
    assert_int_equal(meet(&pair, &good, join_authority(1, NULL), "localhost"), SP_EUNTRUSTED);
    assert_non_null(strstr(stream_reason(pair.client), "join code"));
    pair_close(&pair);
    /* A code that names the issuing CA, which is there, but is no root. */
    assert_int_equal(
        meet(&pair, &good, join_authority_of("issuing/cert.pem", 0, NULL), "localhost"),
        SP_EUNTRUSTED);
    assert_non_null(strstr(stream_reason(pair.client), "join code"));
    pair_close(&pair);
    assert_int_equal(meet(&pair, &no_alpn, join_authority(0, NULL), "localhost"), SP_EUNSUPPORTED);
    pair_close(&pair);
    assert_int_equal(meet(&pair, &old, join_authority(0, NULL), "localhost"), SP_EUNSUPPORTED);
    pair_close(&pair);
    clock_settable_init(&clock, clock_wall_ms(clock_system()) + 91 * DAY_MS);
    assert_int_equal(meet(&pair, &good, join_authority(0, &clock.clock), "localhost"), SP_EEXPIRED);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),    cmocka_unit_test(test_members_as_ever),
        cmocka_unit_test(test_not_offered),  cmocka_unit_test(test_offers),
        cmocka_unit_test(test_second_hello), cmocka_unit_test(test_no_resumption),
        cmocka_unit_test(test_tls_1_2),      cmocka_unit_test(test_refused_servers),
        cmocka_unit_test(test_good_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
