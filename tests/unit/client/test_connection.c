/* The client over TCP and TLS, with a scripted server: login, refusals, ends. */
#include "unit/client/script.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct slice nothing = {NULL, 0};

/* Connects and expects to be told no. */
static void expect_refused(const char *certificate, const char *host, uint16_t port,
                           enum sp_error expected, const char *words[], size_t count)
{
    struct sp_client *client = script_client(certificate, host, port, 2000);
    struct sp_notice notice;

    enum sp_error error = sp_wait_login(client, &notice);
    if (error != expected) {
        print_error("%s: %s\n", sp_error_name(error), notice.text);
    }
    assert_int_equal(error, expected);
    assert_int_equal(notice.type, SP_NOTICE_CLOSED);
    for (size_t i = 0; i < count; i++) {
        if (strstr(notice.text, words[i]) == NULL) {
            fail_msg("'%s' is not in '%s'", words[i], notice.text);
        }
    }
    assert_int_equal(sp_client_fd(client), -1);
    sp_client_free(client);
}

#define EXPECT_REFUSED(certificate, host, port, error, ...)                     \
    do {                                                                        \
        const char *words[] = {__VA_ARGS__};                                    \
        expect_refused(certificate, host, port, error, words, COUNT_OF(words)); \
    } while (0)

/* ---- Login ---- */

static void serve_post(struct line *line)
{
    sealpost_v1_EventResult result = {.sequence = 42};
    sealpost_v1_Ping ping = {.token = 5};

    line_welcome(line);
    uint16_t stream = line_hear(line, FRAME_POST, NULL, NULL);
    line_say(line, FRAME_PING, 0, &ping, nothing);
    line_hear(line, FRAME_PONG, NULL, NULL);
    line_say(line, FRAME_EVENT_RESULT, stream, &result, nothing);
    line_hear(line, FRAME_POST, NULL, NULL); /* sent right before the goodbye */
    line_hear(line, FRAME_BYE, NULL, NULL);
    line_expect_end(line);
    line_close(line);
}

static void test_session(void **state)
{
    const script_fn scripts[] = {serve_post, serve_post}; /* again, with the same client */
    struct script *script = script_start("server", scripts, 2, NULL);
    struct sp_client *client = script_client("members/alice", "localhost", script_port(script), 0);
    struct sp_notice notice;
    uint32_t request = 0;

    (void)state;
    assert_int_equal(sp_client_fd(client), -1);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(sp_wait_login(client, &notice), SP_OK);
        assert_string_equal(notice.login.username, "alice");
        assert_true(notice.login.certificate_not_after_ms > 0);
        assert_int_equal(sp_client_connect(client), SP_EINVALID);
        assert_int_equal(sp_wait_login(client, &notice), SP_EINVALID);
        assert_int_equal(sp_post(client, NULL, "general", "x", 1, &request), SP_OK);
        assert_int_equal(sp_wait(client, request, 5000, NULL, NULL, NULL, &notice), SP_OK);
        assert_int_equal(notice.sequence, 42);
        assert_int_equal(sp_post(client, NULL, "general", "y", 1, &request), SP_OK);
        sp_client_close(client);
        assert_int_equal(sp_wait_any(client, 5000, NULL, &notice), SP_OK);
        assert_int_equal(notice.type, SP_NOTICE_RESULT);
        assert_int_equal(notice.error, SP_EDISCONNECTED);
        assert_int_equal(sp_wait_any(client, 5000, NULL, &notice), SP_OK);
        assert_int_equal(notice.type, SP_NOTICE_CLOSED);
        assert_int_equal(notice.error, SP_OK);
        assert_int_equal(sp_wait_any(client, 5000, NULL, &notice), SP_EDISCONNECTED);
    }
    sp_client_free(client);
    script_stop(script);
}

/* ---- Refused by the server ---- */

static void refuse(struct line *line)
{
    line_refuse(line);
}

static void test_revoked(void **state)
{
    const script_fn scripts[] = {refuse};
    struct script *script = script_start("server", scripts, 1, NULL);
    char file[512];

    (void)state;
    EXPECT_REFUSED("members/mallory", "localhost", script_port(script), SP_EREVOKED,
                   "has been revoked", script_path(file, "members/mallory/cert.pem"),
                   "ask an administrator for a new one");
    script_stop(script);
}

static void say_not_admitted(struct line *line)
{
    sealpost_v1_Bye bye = {.error = SP_ENOTADMITTED};

    line_handshake(line);
    line_say(line, FRAME_BYE, 0, &bye, nothing);
    line_close(line);
}

static void test_not_admitted(void **state)
{
    const script_fn scripts[] = {say_not_admitted};
    struct script *script = script_start("server", scripts, 1, NULL);

    (void)state;
    EXPECT_REFUSED("members/bob", "127.0.0.1", script_port(script), SP_ENOTADMITTED,
                   "members/bob/cert.pem", "not admitted");
    script_stop(script);
}

static void close_at_once(struct line *line)
{
    line_handshake(line);
    line_close(line);
}

static void never_speak(struct line *line)
{
    line_wait_hangup(line);
}

static void test_closed_without_a_word(void **state)
{
    const script_fn scripts[] = {close_at_once};
    struct script *script = script_start("server", scripts, 1, NULL);

    (void)state;
    EXPECT_REFUSED("members/bob", "localhost", script_port(script), SP_EDISCONNECTED,
                   "without letting us in");
    script_stop(script);
}

static void speak_smtp(struct line *line)
{
    if (send(line->fd, "220 mail.example ESMTP\r\n", 24, MSG_NOSIGNAL) != 24) {
        line->failure = "cannot write";
    }
    line_wait_hangup(line);
}

static void test_not_tls(void **state)
{
    const script_fn scripts[] = {speak_smtp};
    struct script *script = script_start("server", scripts, 1, NULL);

    (void)state;
    EXPECT_REFUSED("members/bob", "localhost", script_port(script), SP_ETLS,
                   "localhost:", "handshake");
    script_stop(script);
}

static void hang_up(struct line *line)
{
    (void)shutdown(line->fd, SHUT_RDWR);
}

static void test_hung_up_in_the_handshake(void **state)
{
    const script_fn scripts[] = {hang_up};
    struct script *script = script_start("server", scripts, 1, NULL);

    (void)state;
    EXPECT_REFUSED("members/bob", "localhost", script_port(script), SP_EDISCONNECTED,
                   "is it a Sealpost server?");
    script_stop(script);
}

/* ---- Refused by the client ---- */

static void test_wrong_host(void **state)
{
    const script_fn scripts[] = {refuse};
    struct script *script = script_start("bad-servers/wrong-host", scripts, 1, NULL);

    (void)state;
    EXPECT_REFUSED("members/bob", "localhost", script_port(script), SP_EHOST, "another host name",
                   "localhost:");
    script_stop(script);
}

static void test_another_address(void **state)
{
    const script_fn scripts[] = {refuse};
    struct script *script = script_start("bad-servers/wrong-host", scripts, 1, NULL);

    (void)state;
    EXPECT_REFUSED("members/bob", "127.0.0.1", script_port(script), SP_EHOST, "127.0.0.1:");
    script_stop(script);
}

/* ---- Not reached ---- */

static void test_connection_refused(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char port[16];

    (void)state;
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0); /* and not listening */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(port, sizeof(port), ":%u", (unsigned)ntohs(address.sin_port));
    EXPECT_REFUSED("members/bob", "127.0.0.1", ntohs(address.sin_port), SP_EUNREACHABLE,
                   "127.0.0.1", port, "Connection refused");
    EXPECT_REFUSED("members/bob", "localhost", ntohs(address.sin_port), SP_EUNREACHABLE,
                   "localhost", port, "Connection refused");
    (void)close(fd);
}

static void test_no_such_host(void **state)
{
    (void)state;
    EXPECT_REFUSED("members/bob", "no-such-host.invalid", 7643, SP_EUNREACHABLE,
                   "no-such-host.invalid:7643");
}

static void stay_silent(struct line *line)
{
    line_handshake(line);
    line_wait_hangup(line);
}

static void expect_timeout(script_fn fn)
{
    struct script *script = script_start("server", &fn, 1, NULL);
    struct sp_client *client = script_client("members/bob", "localhost", script_port(script), 300);
    struct sp_notice notice;

    int64_t before = clock_monotonic_ms(clock_system());
    assert_int_equal(sp_wait_login(client, &notice), SP_ETIMEOUT);
    assert_in_range(clock_monotonic_ms(clock_system()) - before, 290, 3000);
    assert_non_null(strstr(notice.text, "does not answer"));
    sp_client_free(client);
    script_stop(script);
}

static void test_silent_servers(void **state)
{
    (void)state;
    expect_timeout(never_speak); /* takes the connection, and that is all */
    expect_timeout(stay_silent); /* no WELCOME */
}

/* ---- Ends ---- */

static void answer_by_cutting(struct line *line)
{
    line_welcome(line);
    line_hear(line, FRAME_POST, NULL, NULL);
    line_cut(line);
}

static void answer_by_closing(struct line *line)
{
    line_welcome(line);
    line_hear(line, FRAME_POST, NULL, NULL);
    line_close(line);
}

static void answer_by_bye(struct line *line)
{
    sealpost_v1_Bye bye = {.error = SP_ESHUTDOWN};

    line_welcome(line);
    line_hear(line, FRAME_POST, NULL, NULL);
    line_say(line, FRAME_BYE, 0, &bye, nothing);
    line_close(line);
}

static void expect_end(script_fn fn, enum sp_error error, const char *word)
{
    struct script *script = script_start("server", &fn, 1, NULL);
    struct sp_client *client = script_client("members/bob", "localhost", script_port(script), 0);
    struct sp_notice notice;
    uint32_t request = 0;

    assert_int_equal(sp_wait_login(client, &notice), SP_OK);
    assert_int_equal(sp_post(client, NULL, "general", "x", 1, &request), SP_OK);
    assert_int_equal(sp_wait(client, request, 5000, NULL, NULL, NULL, &notice), SP_EDISCONNECTED);
    assert_int_equal(notice.request, request);
    assert_int_equal(sp_wait_any(client, 5000, NULL, &notice), SP_OK);
    assert_int_equal(notice.type, SP_NOTICE_CLOSED);
    assert_int_equal(notice.error, error);
    assert_non_null(strstr(notice.text, word));
    sp_client_free(client);
    script_stop(script);
}

static void test_ends(void **state)
{
    (void)state;
    expect_end(answer_by_cutting, SP_EDISCONNECTED, "cut");
    expect_end(answer_by_closing, SP_EDISCONNECTED, "closed");
    expect_end(answer_by_bye, SP_ESHUTDOWN, "shutting down");
}

static void send_garbage(struct line *line)
{
    union message message;

    line_welcome(line);
    if (line->failure == NULL &&
        stream_write(line->stream, "\xff\xff\xff\xff\xff\xff\xff\xff", 8) != SP_OK) {
        line->failure = "cannot write";
    }
    line_hear(line, FRAME_BYE, &message, NULL);
    if (line->failure == NULL && message.bye.error != SP_EPROTOCOL) {
        line->failure = "not a BYE with the reason";
    }
    line_expect_end(line);
}

static void test_wrong_peer_gets_bye(void **state)
{
    const script_fn scripts[] = {send_garbage};
    struct script *script = script_start("server", scripts, 1, NULL);
    struct sp_client *client = script_client("members/bob", "localhost", script_port(script), 0);
    struct sp_notice notice;

    (void)state;
    assert_int_equal(sp_wait_login(client, &notice), SP_OK);
    assert_int_equal(sp_wait_any(client, 5000, NULL, &notice), SP_OK);
    assert_int_equal(notice.type, SP_NOTICE_CLOSED);
    assert_int_equal(notice.error, SP_EPROTOCOL);
    script_stop(script); /* while the client is still there: its BYE was sent */
    sp_client_free(client);
}

static void never_answer(struct line *line)
{
    line_welcome(line);
    line_hear(line, FRAME_STATUS, NULL, NULL);
    line_wait_hangup(line);
}

static void test_wait_times_out(void **state)
{
    const script_fn scripts[] = {never_answer};
    struct script *script = script_start("server", scripts, 1, NULL);
    struct sp_client *client = script_client("members/bob", "localhost", script_port(script), 0);
    struct sp_notice notice;
    uint32_t request = 0;
    volatile int stop = 0;

    (void)state;
    assert_int_equal(sp_wait_login(client, &notice), SP_OK);
    assert_int_equal(sp_get_status(client, &request), SP_OK);
    assert_int_equal(sp_wait(client, request, 100, &stop, NULL, NULL, &notice), SP_ETIMEOUT);
    assert_int_equal(notice.request, request);
    assert_int_equal(sp_wait_any(client, 100, NULL, &notice), SP_ETIMEOUT);
    stop = 1;
    assert_int_equal(sp_wait(client, request, 0, &stop, NULL, NULL, &notice), SP_ECANCELLED);
    sp_goodbye(client, 200); /* the server does not answer this either */
    sp_client_free(client);
    script_stop(script);
}

static void test_goodbye_is_not_answered(void **state)
{
    const script_fn scripts[] = {never_answer};
    struct script *script = script_start("server", scripts, 1, NULL);
    struct sp_client *client = script_client("members/bob", "localhost", script_port(script), 0);
    struct sp_notice notice;
    uint32_t request = 0;

    (void)state;
    assert_int_equal(sp_wait_login(client, &notice), SP_OK);
    assert_int_equal(sp_get_status(client, &request), SP_OK);
    sp_client_close(client);
    assert_int_equal(sp_wait(client, request, 10000, NULL, NULL, NULL, &notice), SP_EDISCONNECTED);
    assert_int_equal(sp_wait_any(client, 10000, NULL, &notice), SP_OK);
    assert_int_equal(notice.type, SP_NOTICE_CLOSED);
    assert_int_equal(notice.error, SP_OK);
    sp_client_free(client);
    script_stop(script);
}

/* ---- Configuration ---- */

static void test_bad_configuration(void **state)
{
    char ca[512];
    char cert[512];
    char key[512];
    char message[512];
    struct sp_client *client = NULL;
    struct sp_client_config config = {
        .host = "localhost",
        .ca_file = script_path(ca, "root.pem"),
        .cert_file = script_path(cert, "members/bob/cert.pem"),
        .key_file = script_path(key, "members/alice/key.pem"),
    };

    (void)state;
    assert_int_equal(sp_client_new(&config, &client, message, sizeof(message)), SP_EKEY);
    assert_null(client);
    assert_non_null(strstr(message, "key.pem"));
    config.key_file = "/nonexistent/key.pem";
    assert_int_equal(sp_client_new(&config, &client, message, sizeof(message)), SP_ENOTFOUND);
    assert_non_null(strstr(message, "/nonexistent/key.pem"));
    config.key_file = NULL;
    assert_int_equal(sp_client_new(&config, &client, message, sizeof(message)), SP_EINVALID);
    assert_string_not_equal(message, "");
    config.host = "";
    assert_int_equal(sp_client_new(&config, &client, NULL, 0), SP_EINVALID);
    assert_null(client);
    sp_client_free(NULL);
}

static void test_version_and_once(void **state)
{
    struct sp_once a;
    struct sp_once b;

    (void)state;
    assert_non_null(strstr(sp_version(), "libsealpost "));
    sp_once_new(&a);
    sp_once_new(&b);
    assert_memory_not_equal(a.client_id, b.client_id, sizeof(a.client_id));
    assert_memory_not_equal(a.salt, b.salt, sizeof(a.salt));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_revoked),
        cmocka_unit_test(test_not_admitted),
        cmocka_unit_test(test_closed_without_a_word),
        cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_hung_up_in_the_handshake),
        cmocka_unit_test(test_wrong_host),
        cmocka_unit_test(test_another_address),
        cmocka_unit_test(test_connection_refused),
        cmocka_unit_test(test_no_such_host),
        cmocka_unit_test(test_silent_servers),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_wrong_peer_gets_bye),
        cmocka_unit_test(test_wait_times_out),
        cmocka_unit_test(test_goodbye_is_not_answered),
        cmocka_unit_test(test_bad_configuration),
        cmocka_unit_test(test_version_and_once),
    };

    return cmocka_run_group_tests_name("client connection", tests, NULL, NULL);
}
