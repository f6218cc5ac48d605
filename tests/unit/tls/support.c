#include "unit/tls/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/file.h"

#define STEPS 200

/* The SHA-256 of the certificate in PATH. */
static void root_fingerprint(const char *path, struct digest *out)
{
    size_t size = 0;
    char *pem = read_whole(path, &size);
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_int_equal(X509_digest(root, EVP_sha256(), out->bytes, NULL), 1);
    X509_free(root);
    BIO_free(bio);
    free(pem);
}

const char *ca_path(char out[PATH_BYTES], const char *directory, const char *name)
{
    (void)snprintf(out, PATH_BYTES, "%s/%s/%s", TEST_CA, directory, name);
    return out;
}

static struct authority *make_server(const char *directory, const struct clock *clock,
                                     bool allow_join)
{
    char ca[PATH_BYTES];
    char crl[PATH_BYTES];
    char cert[PATH_BYTES];
    char key[PATH_BYTES];
    char reason[AUTHORITY_REASON_BYTES] = "";
    const struct authority_server_config config = {
        .team = "test",
        .ca_file = ca_path(ca, ".", "ca.pem"),
        .crl_file = ca_path(crl, ".", "crl.pem"),
        .cert_file = ca_path(cert, directory, "cert.pem"),
        .key_file = ca_path(key, directory, "key.pem"),
        .allow_join = allow_join,
        .clock = clock == NULL ? clock_system() : clock,
    };
    struct authority *authority = NULL;
    enum sp_error error = authority_new_server(&config, &authority, reason, sizeof(reason));

    if (error != SP_OK) {
        fail_msg("server of %s: %s: %s", directory, sp_error_name(error), reason);
    }
    return authority;
}

struct authority *server_authority_of(const char *directory, const struct clock *clock)
{
    return make_server(directory, clock, false);
}

struct authority *join_server_authority(const struct clock *clock)
{
    return make_server("server", clock, true);
}

struct authority *join_authority(uint8_t disturb, const struct clock *clock)
{
    return join_authority_of("root.pem", disturb, clock);
}

struct authority *join_authority_of(const char *root, uint8_t disturb, const struct clock *clock)
{
    struct authority_join_config config = {.clock = clock == NULL ? clock_system() : clock};
    char reason[AUTHORITY_REASON_BYTES] = "";
    struct authority *authority = NULL;
    struct digest fingerprint;
    char path[PATH_BYTES];

    root_fingerprint(ca_path(path, ".", root), &fingerprint);
    memcpy(config.fingerprint, fingerprint.bytes, sizeof(config.fingerprint));
    config.fingerprint[JOIN_FINGERPRINT_BYTES - 1] ^= disturb;
    assert_int_equal(authority_new_join(&config, &authority, reason, sizeof(reason)), SP_OK);
    return authority;
}

struct authority *server_authority(const struct clock *clock)
{
    return server_authority_of("server", clock);
}

struct authority *client_authority(const char *directory, const struct clock *clock)
{
    char ca[PATH_BYTES];
    char cert[PATH_BYTES];
    char key[PATH_BYTES];
    char reason[AUTHORITY_REASON_BYTES] = "";
    const struct authority_client_config config = {
        .ca_file = ca_path(ca, directory, "ca.pem"),
        .cert_file = ca_path(cert, directory, "cert.pem"),
        .key_file = ca_path(key, directory, "key.pem"),
        .clock = clock == NULL ? clock_system() : clock,
    };
    struct authority *authority = NULL;
    enum sp_error error = authority_new_client(&config, &authority, reason, sizeof(reason));

    if (error != SP_OK) {
        fail_msg("client of %s: %s: %s", directory, sp_error_name(error), reason);
    }
    return authority;
}

char *read_whole(const char *path, size_t *size)
{
    char *content = NULL;
    char reason[256];

    assert_int_equal(file_read(path, LIMIT_PEM_FILE_BYTES, &content, size, reason, sizeof(reason)),
                     SP_OK);
    return content;
}

void pair_open(struct pair *pair)
{
    *pair = (struct pair){.server_result = SP_EAGAIN, .client_result = SP_EAGAIN};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fds),
                     0);
}

void pair_open_streams(struct pair *pair, struct authority *server, struct authority *client,
                       const char *host)
{
    pair_open(pair);
    assert_int_equal(stream_new_server(server, pair->fds[0], &pair->server), SP_OK);
    assert_int_equal(stream_new_client(client, pair->fds[1], host, &pair->client), SP_OK);
    authority_unref(server);
    authority_unref(client);
}

void pair_close(struct pair *pair)
{
    stream_free(pair->server);
    stream_free(pair->client);
    for (size_t i = 0; i < COUNT_OF(pair->fds); i++) {
        if (pair->fds[i] >= 0) {
            (void)close(pair->fds[i]);
        }
    }
}

static void step(struct stream *stream, enum sp_error *result)
{
    if (*result == SP_EAGAIN) {
        *result = stream_handshake(stream);
    }
    (void)!stream_flush(stream);
}

void pair_handshake(struct pair *pair)
{
    uint8_t byte = 0;
    size_t size = 0;

    for (int i = 0; i < STEPS; i++) {
        step(pair->client, &pair->client_result);
        step(pair->server, &pair->server_result);
        if (pair->server_result != SP_EAGAIN && pair->client_result != SP_EAGAIN) {
            break;
        }
    }
    if (pair->client_result == SP_OK) {
        pair->client_result = stream_read(pair->client, &byte, 1, &size);
    }
}

void pair_connect(struct pair *pair)
{
    pair_handshake(pair);
    if (pair->server_result != SP_OK || pair->client_result != SP_EAGAIN) {
        fail_msg("server: %s (%s), client: %s (%s)", sp_error_name(pair->server_result),
                 stream_reason(pair->server), sp_error_name(pair->client_result),
                 stream_reason(pair->client));
    }
}

/* A pattern that shows bytes out of place. */
static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 7 + (at >> 8) * 13 + (at >> 16));
}

/* Writes the next record if FROM takes it; returns how many bytes it has. */
static size_t write_record(struct stream *from, size_t at, size_t size)
{
    uint8_t block[STREAM_RECORD_BYTES];
    bool was_busy = stream_wants_write(from);
    enum sp_error error = SP_EAGAIN;

    for (size_t i = 0; i < size; i++) {
        block[i] = pattern(at + i);
    }
    if (size > 0) {
        error = stream_write(from, block, size);
        assert_int_equal(error, was_busy ? SP_EAGAIN : SP_OK);
    }
    return error == SP_OK ? size : 0;
}

/* Reads all that is there; returns how many bytes that was. */
static size_t read_all(struct stream *to, size_t at)
{
    uint8_t block[3000]; /* fits no record */
    size_t total = 0;

    for (;;) {
        size_t size = 0;
        enum sp_error error = stream_read(to, block, sizeof(block), &size);

        if (error == SP_EAGAIN) {
            return total;
        }
        assert_int_equal(error, SP_OK);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(block[i], pattern(at + total + i));
        }
        total += size;
    }
}

void assert_transfer(struct stream *from, struct stream *to, size_t size, size_t record)
{
    size_t sent = 0;
    size_t received = 0;

    while (received < size) {
        size_t before = sent + received + stream_bytes_sent(from);
        enum sp_error error = SP_OK;

        sent += write_record(from, sent, size - sent < record ? size - sent : record);
        error = stream_flush(from);
        assert_int_equal(error, stream_wants_write(from) ? SP_EAGAIN : SP_OK);
        received += read_all(to, received);
        assert_true(sent + received + stream_bytes_sent(from) > before); /* it moves */
    }
    assert_int_equal(received, size);
    assert_false(stream_wants_write(from));
}
