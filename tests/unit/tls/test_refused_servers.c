/* Which servers a client must refuse, whatever they say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/tls/raw.h"

static const struct {
    const char *directory; /* of the server */
    const char *host;      /* whom the client wants to reach */
    enum sp_error error;
} refused[] = {
    {"server", "elsewhere.invalid", SP_EHOST},
    {"server", "localhost.elsewhere.invalid", SP_EHOST},
    {"server", "ocalhost", SP_EHOST},
    {"server", "*", SP_EHOST},
    {"server", "127.0.0.2", SP_EHOST},
    {"server", "::2", SP_EHOST},
    {"bad-servers/wrong-host", "localhost", SP_EHOST},
    {"bad-servers/wrong-host", "127.0.0.1", SP_EHOST},
    {"bad-servers/wrong-host-in-cn", "localhost", SP_EHOST},
    {"bad-servers/cn-only", "localhost", SP_EHOST},
    {"bad-servers/member", "localhost", SP_EPROFILE},
    {"bad-servers/client-auth", "localhost", SP_EPROFILE},
    {"bad-servers/no-server-auth", "localhost", SP_EPROFILE},
    {"bad-servers/no-key-identifier", "localhost", SP_EPROFILE},
    {"bad-servers/expired", "localhost", SP_EEXPIRED},
    {"bad-servers/not-yet-valid", "localhost", SP_ENOTYET},
    {"bad-servers/other-ca", "localhost", SP_EUNTRUSTED},
    {"bad-servers/self-signed", "localhost", SP_EUNTRUSTED},
};

/* A server on OpenSSL alone, which would take anybody, with the certificate of CONFIG. What our
 * client makes of it. */
static enum sp_error meet(struct pair *pair, const struct raw_config *config,
                          struct authority *client, const char *host)
{
    enum sp_error result = SP_OK;
    SSL *server = NULL;

    pair_open(pair);
    assert_int_equal(stream_new_client(client, pair->fds[1], host, &pair->client), SP_OK);
    authority_unref(client);
    server = raw_new(config, true, pair->fds[0]);
    (void)raw_handshake(server, pair->client, &result);
    raw_free(server);
    return result;
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        const struct raw_config config = {refused[i].directory, RAW_ALPN, 0, NULL, NULL};
        struct pair pair;
        enum sp_error error =
            meet(&pair, &config, client_authority("members/alice", NULL), refused[i].host);

        if (error != refused[i].error) {
            fail_msg("%s for %s: %s (%s)", refused[i].directory, refused[i].host,
                     sp_error_name(error), stream_reason(pair.client));
        }
        assert_string_equal(stream_protocol(pair.client), "");
        assert_non_null(strstr(stream_reason(pair.client), "the server's certificate is refused"));
        pair_close(&pair);
    }
}

/* Lists beside the pinned root (bad-servers/revoked/ca.pem) tell of revoked servers. */
static void test_revoked(void **state)
{
    char ca[PATH_BYTES];
    char cert[PATH_BYTES];
    char key[PATH_BYTES];
    char reason[AUTHORITY_REASON_BYTES] = "";
    const struct authority_client_config config = {
        .ca_file = ca_path(ca, ".", "bad-servers/revoked/ca.pem"),
        .cert_file = ca_path(cert, ".", "members/alice/cert.pem"),
        .key_file = ca_path(key, ".", "members/alice/key.pem"),
        .clock = clock_system(),
    };
    static const struct raw_config revoked = {"bad-servers/revoked", RAW_ALPN, 0, NULL, NULL};
    static const struct raw_config good = {"server", RAW_ALPN, 0, NULL, NULL};
    struct authority *client = NULL;
    struct pair pair;

    (void)state;
    assert_int_equal(authority_new_client(&config, &client, reason, sizeof(reason)), SP_OK);
    assert_true(authority_revoked_count(client) > 0);
    assert_int_equal(meet(&pair, &revoked, authority_ref(client), "localhost"), SP_EREVOKED);
    pair_close(&pair);
    assert_int_equal(meet(&pair, &good, client, "localhost"), SP_OK);
    pair_close(&pair);
}

/* The client's clock decides: this server's certificate is good today. */
static void test_clock_decides(void **state)
{
    static const struct raw_config config = {"server", RAW_ALPN, 0, NULL, NULL};
    struct clock_settable clock;
    struct authority *client = NULL;
    struct pair pair;

    (void)state;
    clock_settable_init(&clock, clock_wall_ms(clock_system()));
    client = client_authority("members/alice", &clock.clock);
    clock_settable_advance(&clock, 91 * INT64_C(86400000));
    assert_int_equal(meet(&pair, &config, client, "localhost"), SP_EEXPIRED);
    pair_close(&pair);
}

static void test_no_alpn(void **state)
{
    static const struct raw_config config = {"server", NULL, 0, NULL, NULL};
    struct pair pair;

    (void)state;
    assert_int_equal(meet(&pair, &config, client_authority("members/alice", NULL), "localhost"),
                     SP_EUNSUPPORTED);
    pair_close(&pair);
}

static void test_tls_1_2(void **state)
{
    static const struct raw_config config = {"server", RAW_ALPN, TLS1_2_VERSION, NULL, NULL};
    struct pair pair;

    (void)state;
    assert_int_equal(meet(&pair, &config, client_authority("members/alice", NULL), "localhost"),
                     SP_EUNSUPPORTED);
    pair_close(&pair);
}

static void test_silent(void **state)
{
    struct authority *client = client_authority("members/alice", NULL);
    struct pair pair;

    (void)state;
    pair_open(&pair);
    assert_int_equal(stream_new_client(client, pair.fds[1], "localhost", &pair.client), SP_OK);
    authority_unref(client);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(stream_handshake(pair.client), SP_EAGAIN);
        assert_false(stream_wants_write(pair.client)); /* so the caller polls, with its deadline */
    }
    pair_close(&pair);
}

static void test_host_must_be_given(void **state)
{
    struct authority *client = client_authority("members/alice", NULL);
    char long_name[LIMIT_HOST_BYTES + 2];
    struct stream *stream = NULL;

    (void)state;
    memset(long_name, 'a', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(stream_new_client(client, -1, "", &stream), SP_EHOST);
    assert_null(stream);
    assert_int_equal(stream_new_client(client, -1, long_name, &stream), SP_EHOST);
    assert_null(stream);
    authority_unref(client);
}

/* What our server hears of it. */
static void test_server_is_told(void **state)
{
    struct pair pair;
    enum sp_error error = SP_OK;

    (void)state;
    pair_open_streams(&pair, server_authority(NULL), client_authority("members/alice", NULL),
                      "elsewhere.invalid");
    pair_handshake(&pair);
    error = pair.server_result;
    assert_int_equal(pair.client_result, SP_EHOST);
    assert_int_equal(error, SP_ETLS);
    assert_non_null(strstr(stream_reason(pair.server), "bad_certificate"));
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_revoked),
        cmocka_unit_test(test_clock_decides),
        cmocka_unit_test(test_no_alpn),
        cmocka_unit_test(test_tls_1_2),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_host_must_be_given),
        cmocka_unit_test(test_server_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
