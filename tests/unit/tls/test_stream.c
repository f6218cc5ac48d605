/* Bytes through a stream: sockets that take little, ends that come clean or not. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/tls/raw.h"

static void open_connected(struct pair *pair)
{
    pair_open_streams(pair, server_authority(NULL), client_authority("members/alice", NULL),
                      "localhost");
    pair_connect(pair);
}

static void test_record_sizes(void **state)
{
    static const size_t records[] = {1, 2, 1000, 2999, 3000, 3001, 16383, STREAM_RECORD_BYTES};
    struct pair pair;

    (void)state;
    open_connected(&pair);
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        assert_transfer(pair.client, pair.server, 3 * records[i] + 1, records[i]);
        assert_transfer(pair.server, pair.client, 3 * records[i] + 1, records[i]);
    }
    pair_close(&pair);
}

/* The smallest socket buffers that the system gives: everything goes through in pieces, the
 * handshake too. */
static void test_small_socket(void **state)
{
    const int smallest = 1;
    struct pair pair;
    struct authority *server = server_authority(NULL);
    struct authority *client = client_authority("members/alice", NULL);

    (void)state;
    pair_open(&pair);
    for (size_t i = 0; i < COUNT_OF(pair.fds); i++) {
        assert_int_equal(
            setsockopt(pair.fds[i], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest)), 0);
    }
    assert_int_equal(stream_new_server(server, pair.fds[0], &pair.server), SP_OK);
    assert_int_equal(stream_new_client(client, pair.fds[1], "localhost", &pair.client), SP_OK);
    authority_unref(server);
    authority_unref(client);
    pair_connect(&pair);
    assert_transfer(pair.client, pair.server, 1000000, STREAM_RECORD_BYTES);
    assert_transfer(pair.server, pair.client, 1000000, 999);
    pair_close(&pair);
}

/* Moves what is there from one socket to the other, at most MAXIMUM bytes. */
static size_t move(int from, int to, size_t maximum)
{
    char block[4096];
    ssize_t got = recv(from, block, maximum < sizeof(block) ? maximum : sizeof(block), 0);

    if (got <= 0) {
        return 0;
    }
    assert_int_equal(send(to, block, (size_t)got, 0), got);
    return (size_t)got;
}

/* A wire between the two that passes one byte at a time: the handshake, then data. */
static void test_byte_at_a_time(void **state)
{
    struct authority *server = server_authority(NULL);
    struct authority *client = client_authority("members/alice", NULL);
    struct pair left;  /* the server's end is fds[0] */
    struct pair right; /* the client's end is fds[1] */
    enum sp_error at_server = SP_EAGAIN;
    enum sp_error at_client = SP_EAGAIN;
    uint8_t got[64];
    size_t size = 0;
    size_t moved = 1;

    (void)state;
    pair_open(&left);
    pair_open(&right);
    assert_int_equal(stream_new_server(server, left.fds[0], &left.server), SP_OK);
    assert_int_equal(stream_new_client(client, right.fds[1], "localhost", &right.client), SP_OK);
    authority_unref(server);
    authority_unref(client);
    while (moved > 0 || at_client == SP_EAGAIN) {
        at_client = at_client == SP_EAGAIN ? stream_handshake(right.client) : at_client;
        at_server = at_server == SP_EAGAIN ? stream_handshake(left.server) : at_server;
        moved = move(left.fds[1], right.fds[0], 1) + move(right.fds[0], left.fds[1], 1);
    }
    assert_int_equal(at_server, SP_OK);
    assert_int_equal(at_client, SP_OK);
    assert_int_equal(stream_write(left.server, "byte by byte", 12), SP_OK);
    while (stream_read(right.client, got, sizeof(got), &size) == SP_EAGAIN) {
        assert_int_equal(move(left.fds[1], right.fds[0], 1), 1);
    }
    assert_int_equal(size, 12);
    assert_memory_equal(got, "byte by byte", 12);
    pair_close(&left);
    pair_close(&right);
}

/* While something is kept nothing is accepted; when it has gone, writing goes on. */
static void test_write_is_all_or_nothing(void **state)
{
    static uint8_t block[STREAM_RECORD_BYTES];
    struct pair pair;
    size_t records = 0;
    size_t received = 0;
    size_t size = 0;

    (void)state;
    open_connected(&pair);
    while (!stream_wants_write(pair.server)) {
        assert_int_equal(stream_write(pair.server, block, sizeof(block)), SP_OK);
        records++;
    }
    assert_int_equal(stream_write(pair.server, block, sizeof(block)), SP_EAGAIN);
    assert_int_equal(stream_flush(pair.server), SP_EAGAIN);
    while (received < records * sizeof(block)) {
        enum sp_error error = stream_read(pair.client, block, sizeof(block), &size);

        assert_true(error == SP_OK || error == SP_EAGAIN);
        received += size;
        (void)!stream_flush(pair.server);
    }
    assert_int_equal(received, records * sizeof(block));
    assert_int_equal(stream_flush(pair.server), SP_OK);
    assert_int_equal(stream_write(pair.server, block, 1), SP_OK);
    assert_int_equal(stream_write(pair.server, block, 0), SP_EINTERNAL);
    assert_int_equal(stream_write(pair.server, block, STREAM_RECORD_BYTES + 1), SP_EINTERNAL);
    pair_close(&pair);
}

/* What TLS says by itself (here close_notify) stays behind what is kept, though the socket has
 * room. */
static void test_order_is_kept(void **state)
{
    static uint8_t block[STREAM_RECORD_BYTES];
    struct pair pair;
    size_t records = 0;
    size_t received = 0;
    size_t size = 0;
    enum sp_error error = SP_OK;

    (void)state;
    open_connected(&pair);
    while (!stream_wants_write(pair.server)) {
        assert_int_equal(stream_write(pair.server, block, sizeof(block)), SP_OK);
        records++;
    }
    while (error == SP_OK) { /* the socket is empty now */
        error = stream_read(pair.client, block, sizeof(block), &size);
        received += size;
    }
    assert_int_equal(error, SP_EAGAIN);
    stream_close_notify(pair.server);
    assert_int_equal(stream_flush(pair.server), SP_OK);
    do {
        error = stream_read(pair.client, block, sizeof(block), &size);
        received += size;
    } while (error == SP_OK);
    assert_int_equal(error, SP_EDISCONNECTED);
    assert_true(stream_closed_cleanly(pair.client));
    assert_int_equal(received, records * sizeof(block));
    pair_close(&pair);
}

static void test_nothing_before_the_handshake(void **state)
{
    struct pair pair;
    uint8_t byte = 0;
    size_t size = 1;

    (void)state;
    pair_open_streams(&pair, server_authority(NULL), client_authority("members/alice", NULL),
                      "localhost");
    assert_int_equal(stream_write(pair.client, &byte, 1), SP_EINTERNAL);
    assert_int_equal(stream_read(pair.client, &byte, 1, &size), SP_EINTERNAL);
    assert_int_equal(size, 0);
    stream_close_notify(pair.client);
    assert_int_equal(stream_bytes_sent(pair.client), 0);
    pair_connect(&pair);
    assert_true(stream_bytes_sent(pair.client) > 0);
    assert_int_equal(stream_bytes_sent(pair.client), stream_bytes_received(pair.server));
    assert_int_equal(stream_bytes_sent(pair.server), stream_bytes_received(pair.client));
    pair_close(&pair);
}

/* The last words arrive before the end, and the end is told from a cut. */
static void test_close_notify(void **state)
{
    struct pair pair;
    uint8_t buffer[16];
    size_t size = 0;

    (void)state;
    open_connected(&pair);
    assert_int_equal(stream_write(pair.server, "bye", 3), SP_OK);
    stream_close_notify(pair.server);
    assert_int_equal(stream_write(pair.server, "more", 4), SP_EDISCONNECTED);
    assert_int_equal(stream_flush(pair.server), SP_OK);
    assert_int_equal(stream_read(pair.client, buffer, sizeof(buffer), &size), SP_OK);
    assert_int_equal(size, 3);
    assert_int_equal(stream_read(pair.client, buffer, sizeof(buffer), &size), SP_EDISCONNECTED);
    assert_int_equal(size, 0);
    assert_true(stream_closed_cleanly(pair.client));
    assert_int_equal(stream_read(pair.client, buffer, sizeof(buffer), &size), SP_EDISCONNECTED);
    pair_close(&pair);
}

static void test_cut(void **state)
{
    struct pair pair;
    uint8_t buffer[16];
    size_t size = 0;

    (void)state;
    open_connected(&pair);
    assert_int_equal(stream_write(pair.server, "by", 2), SP_OK);
    (void)close(pair.fds[0]);
    pair.fds[0] = -1;
    assert_int_equal(stream_write(pair.client, "x", 1), SP_EDISCONNECTED); /* no SIGPIPE */
    assert_int_equal(stream_read(pair.client, buffer, sizeof(buffer), &size), SP_OK);
    assert_int_equal(size, 2); /* what was sent before is still read */
    assert_int_equal(stream_read(pair.client, buffer, sizeof(buffer), &size), SP_EDISCONNECTED);
    assert_false(stream_closed_cleanly(pair.client));
    assert_non_null(strstr(stream_reason(pair.client), "cut"));
    assert_int_equal(stream_flush(pair.client), SP_EDISCONNECTED);
    assert_false(stream_wants_write(pair.client));
    pair_close(&pair);
}

/* A cut at every byte of the server's handshake: never in, never a crash, never "cleanly". */
static void test_cut_in_handshake(void **state)
{
    struct authority *server = server_authority(NULL);
    struct authority *client = client_authority("members/alice", NULL);
    size_t cut = 0;
    bool whole = false;

    (void)state;
    for (cut = 0; !whole; cut += 7) {
        struct pair left;
        struct pair right;
        enum sp_error error = SP_EAGAIN;
        size_t passed = 0;

        pair_open(&left);
        pair_open(&right);
        assert_int_equal(stream_new_server(server, left.fds[0], &left.server), SP_OK);
        assert_int_equal(stream_new_client(client, right.fds[1], "localhost", &right.client),
                         SP_OK);
        for (int i = 0; i < 20 && passed < cut; i++) {
            (void)!stream_handshake(right.client);
            (void)move(right.fds[0], left.fds[1], 4096);
            (void)!stream_handshake(left.server);
            passed += move(left.fds[1], right.fds[0], cut - passed);
        }
        whole = passed < cut;
        (void)close(right.fds[0]);
        right.fds[0] = -1;
        error = stream_handshake(right.client);
        if (!whole && error != SP_OK) {
            assert_int_equal(error, SP_EDISCONNECTED);
            assert_false(stream_closed_cleanly(right.client));
        }
        pair_close(&left);
        pair_close(&right);
    }
    assert_true(cut > 1000);
    authority_unref(server);
    authority_unref(client);
}

/* A flipped bit anywhere in a record: an error, never a wrong byte. */
static void test_damage(void **state)
{
    (void)state;
    for (size_t at = 0; at < 27; at++) { /* 5 header, 5 text, 1 type, 16 tag */
        struct pair pair;
        uint8_t record[64];
        uint8_t got[64];
        size_t size = 0;
        ssize_t length = 0;
        enum sp_error error = SP_OK;

        open_connected(&pair);
        assert_int_equal(stream_write(pair.server, "hello", 5), SP_OK);
        length = recv(pair.fds[1], record, sizeof(record), 0);
        assert_int_equal(length, 27);
        record[at] ^= 0x10;
        assert_int_equal(send(pair.fds[0], record, (size_t)length, 0), length);
        error = stream_read(pair.client, got, sizeof(got), &size);
        assert_int_equal(size, 0);
        assert_true(error == SP_ETLS || error == SP_EAGAIN); /* it may wait for a longer record */
        pair_close(&pair);
    }
}

/* A peer that asks for key updates and never reads the answers is cut; it cannot fill our memory.
 */
static void test_key_update_flood(void **state)
{
    static const struct raw_config config = {"members/alice", RAW_ALPN, 0, NULL, NULL};
    struct authority *authority = server_authority(NULL);
    struct pair pair;
    enum sp_error result = SP_OK;
    enum sp_error error = SP_EAGAIN;
    SSL *client = NULL;
    uint8_t byte = 0;
    size_t size = 0;

    (void)state;
    pair_open(&pair);
    assert_int_equal(stream_new_server(authority, pair.fds[0], &pair.server), SP_OK);
    authority_unref(authority);
    client = raw_new(&config, false, pair.fds[1]);
    (void)raw_handshake(client, pair.server, &result);
    assert_int_equal(result, SP_OK);
    for (int i = 0; i < 100000 && error == SP_EAGAIN; i++) {
        assert_int_equal(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED), 1);
        (void)SSL_do_handshake(client);
        error = stream_read(pair.server, &byte, 1, &size);
    }
    assert_int_not_equal(error, SP_EAGAIN);
    raw_free(client);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_sizes),
        cmocka_unit_test(test_small_socket),
        cmocka_unit_test(test_byte_at_a_time),
        cmocka_unit_test(test_write_is_all_or_nothing),
        cmocka_unit_test(test_order_is_kept),
        cmocka_unit_test(test_nothing_before_the_handshake),
        cmocka_unit_test(test_close_notify),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_in_handshake),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_key_update_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
