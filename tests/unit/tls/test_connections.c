/* Good connections: who is at the other end, and what TLS must never offer. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "unit/tls/raw.h"

#define DAY_MS INT64_C(86400000)

static void test_both_ways(void **state)
{
    static const char *const hosts[] = {"localhost", "LOCALHOST", "127.0.0.1", "::1"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct pair pair;

        pair_open_streams(&pair, server_authority(NULL), client_authority("members/alice", NULL),
                          hosts[i]);
        assert_null(stream_peer(pair.server));
        assert_string_equal(stream_protocol(pair.server), "");
        pair_connect(&pair);
        assert_string_equal(stream_protocol(pair.server), ALPN_SEALPOST);
        assert_string_equal(stream_protocol(pair.client), ALPN_SEALPOST);
        assert_string_equal(stream_peer(pair.server)->team, "test");
        assert_string_equal(stream_peer(pair.server)->username, "alice");
        assert_string_equal(stream_peer(pair.client)->username, "");
        assert_transfer(pair.client, pair.server, 100000, STREAM_RECORD_BYTES);
        assert_transfer(pair.server, pair.client, 100000, STREAM_RECORD_BYTES);
        pair_close(&pair);
    }
}

/* Two devices of one member differ by fingerprint and serial only. */
static void test_devices(void **state)
{
    static const char *const directories[] = {"members/alice", "members/alice.phone"};
    struct certificate_info seen[COUNT_OF(directories)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(directories); i++) {
        struct authority *client = client_authority(directories[i], NULL);
        struct pair pair;

        seen[i] = *authority_own(client);
        pair_open_streams(&pair, server_authority(NULL), client, "localhost");
        pair_connect(&pair);
        assert_memory_equal(&seen[i], stream_peer(pair.server), sizeof(seen[i]));
        pair_close(&pair);
    }
    assert_string_equal(seen[0].username, seen[1].username);
    assert_false(digest_equal(&seen[0].fingerprint, &seen[1].fingerprint));
    assert_true(digest_equal(&seen[0].issuer, &seen[1].issuer));
    assert_true(digest_equal(&seen[0].issuer_key, &seen[1].issuer_key));
    assert_memory_not_equal(seen[0].serial, seen[1].serial, SERIAL_BYTES);
}

static int count_session(SSL *ssl, SSL_SESSION *session)
{
    int *count = SSL_get_app_data(ssl);

    (void)session;
    (*count)++;
    return 0;
}

/* A client that would love to resume: no ticket comes, and nothing to resume is left. */
static void test_no_resumption(void **state)
{
    static const struct raw_config config = {"members/alice", RAW_ALPN, 0, NULL, NULL};
    struct authority *authority = server_authority(NULL);
    struct pair pair;
    enum sp_error result = SP_OK;
    SSL *client = NULL;
    int sessions = 0;
    char buffer[16];

    (void)state;
    pair_open(&pair);
    assert_int_equal(stream_new_server(authority, pair.fds[0], &pair.server), SP_OK);
    authority_unref(authority);
    client = raw_new(&config, false, pair.fds[1]);
    SSL_set_app_data(client, &sessions);
    (void)SSL_CTX_set_session_cache_mode(SSL_get_SSL_CTX(client), SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(SSL_get_SSL_CTX(client), count_session);
    assert_int_equal(raw_handshake(client, pair.server, &result), -1);
    assert_int_equal(result, SP_OK);
    assert_int_equal(stream_write(pair.server, "welcome", 7), SP_OK);
    assert_int_equal(SSL_read(client, buffer, sizeof(buffer)), 7);
    assert_int_equal(sessions, 0);
    assert_false(SSL_SESSION_is_resumable(SSL_get_session(client)));
    assert_int_equal(SSL_SESSION_get_max_early_data(SSL_get_session(client)), 0);
    assert_int_equal(SSL_version(client), TLS1_3_VERSION);
    raw_free(client);
    pair_close(&pair);
}

/* Let in once, judged again: the lookups that cut live sessions. */
static void test_judged_again(void **state)
{
    struct clock_settable clock;
    struct authority *server = NULL;
    struct certificate_info info;
    struct certificate_info foreign;
    struct pair pair;
    int64_t now_ms = clock_wall_ms(clock_system());

    (void)state;
    clock_settable_init(&clock, now_ms);
    server = server_authority(&clock.clock);
    pair_open_streams(&pair, authority_ref(server), client_authority("members/bob", NULL),
                      "localhost");
    pair_connect(&pair);
    info = *stream_peer(pair.server);
    pair_close(&pair);
    assert_int_equal(authority_judge(server, &info, now_ms), SP_OK);
    assert_int_equal(authority_judge(server, &info, authority_crl_next_update_ms(server) - 1),
                     SP_OK);
    assert_int_equal(authority_judge(server, &info, authority_crl_next_update_ms(server)),
                     SP_ENOCRL);
    assert_int_equal(authority_judge(server, &info, info.not_after_ms), SP_EEXPIRED);
    foreign = info;
    foreign.issuer_key.bytes[0] ^= 1;
    assert_int_equal(authority_judge(server, &foreign, now_ms), SP_EUNTRUSTED);
    foreign = info;
    foreign.issuer.bytes[0] ^= 1;
    assert_int_equal(authority_judge(server, &foreign, now_ms), SP_EUNTRUSTED);
    authority_unref(server);
}

/* The authority's clock decides at a login, not the machine's. */
static void test_clock_decides(void **state)
{
    static const struct {
        int64_t later_ms;
        enum sp_error server;
        enum sp_error client;
    } cases[] = {
        {0, SP_OK, SP_EAGAIN},
        {29 * DAY_MS, SP_OK, SP_EAGAIN},
        {31 * DAY_MS, SP_ENOCRL, SP_ETLS}, /* the issuing CA's list is good for 30 days */
        {91 * DAY_MS, SP_EEXPIRED, SP_EEXPIRED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct clock_settable clock;
        struct pair pair;

        clock_settable_init(&clock, clock_wall_ms(clock_system()));
        pair_open_streams(&pair, server_authority(&clock.clock),
                          client_authority("members/carol", NULL), "localhost");
        clock_settable_advance(&clock, cases[i].later_ms);
        pair_handshake(&pair);
        assert_int_equal(pair.server_result, cases[i].server);
        assert_int_equal(pair.client_result, cases[i].client);
        pair_close(&pair);
    }
}

/* A team name of another server: the CA is right, the team is not. */
static void test_other_team(void **state)
{
    char paths[4][PATH_BYTES];
    char reason[AUTHORITY_REASON_BYTES] = "";
    const struct authority_server_config config = {
        .team = "tes",
        .ca_file = ca_path(paths[0], ".", "ca.pem"),
        .crl_file = ca_path(paths[1], ".", "crl.pem"),
        .cert_file = ca_path(paths[2], ".", "server/cert.pem"),
        .key_file = ca_path(paths[3], ".", "server/key.pem"),
        .clock = clock_system(),
    };
    struct authority *server = NULL;
    struct pair pair;

    (void)state;
    assert_int_equal(authority_new_server(&config, &server, reason, sizeof(reason)), SP_OK);
    pair_open_streams(&pair, server, client_authority("members/alice", NULL), "localhost");
    pair_handshake(&pair);
    assert_int_equal(pair.server_result, SP_EIDENTITY);
    assert_int_equal(pair.client_result, SP_EIDENTITY);
    assert_string_equal(stream_peer(pair.server)->username, "");
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),     cmocka_unit_test(test_devices),
        cmocka_unit_test(test_no_resumption), cmocka_unit_test(test_judged_again),
        cmocka_unit_test(test_clock_decides), cmocka_unit_test(test_other_team),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
