#include "tls/stream.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "crypto/openssl.h"
#include "tls/alert.h"
#include "tls/authority_internal.h"
#include "tls/socket_bio.h"
#include "tls/verify.h"

struct stream {
    SSL *ssl;
    struct authority *authority;
    struct wire_socket socket;
    struct verdict verdict;
    enum sp_error failed; /* why it is over; SP_OK while it is not */
    bool handshaken;
    bool closed_cleanly; /* the peer's close_notify came */
    bool closing;        /* ours was queued */
    char protocol[16];   /* a name of authority.h */
};

static_assert(sizeof(ALPN_JOIN) <= sizeof(((struct stream *)0)->protocol),
              "the protocol names fit");

static enum sp_error stream_alloc(struct authority *authority, int fd, struct stream **out)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    BIO *bio = NULL;
    enum sp_error error = SP_ENOMEM;

    *out = NULL;
    if (stream == NULL) {
        return SP_ENOMEM;
    }
    wire_socket_init(&stream->socket, fd);
    stream->authority = authority_ref(authority);
    stream->ssl = SSL_new(authority->context);
    if (stream->ssl == NULL ||
        socket_bio_new(authority->socket_method, &stream->socket, &bio) != SP_OK ||
        SSL_set_app_data(stream->ssl, &stream->verdict) != 1) {
        goto out;
    }
    SSL_set_bio(stream->ssl, bio, bio); /* takes it */
    bio = NULL;
    *out = stream;
    stream = NULL;
    error = SP_OK;
out:
    BIO_free(bio);
    stream_free(stream);
    ERR_clear_error();
    return error;
}

enum sp_error stream_new_server(struct authority *authority, int fd, struct stream **out)
{
    enum sp_error error = stream_alloc(authority, fd, out);

    if (error == SP_OK) {
        SSL_set_accept_state((*out)->ssl);
        /* What the client is told if memory does not even suffice to begin with its certificate. */
        SSL_set_verify_result((*out)->ssl, X509_V_ERR_OUT_OF_MEM);
    }
    return error;
}

static bool is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* Whom the server's certificate must name. A CN never counts. */
static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    char name[LIMIT_HOST_BYTES + 1]; /* OpenSSL's macro casts const away */

    (void)snprintf(name, sizeof(name), "%s", host);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(host)) {
        return X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1; /* and no SNI (RFC 6066, 3) */
    }
    return X509_VERIFY_PARAM_set1_host(parameters, host, strlen(host)) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

enum sp_error stream_new_client(struct authority *authority, int fd, const char *host,
                                struct stream **out)
{
    size_t size = strlen(host);
    enum sp_error error = SP_OK;

    *out = NULL;
    if (size == 0 || size > LIMIT_HOST_BYTES) { /* an empty name would switch the check off */
        return SP_EHOST;
    }
    error = stream_alloc(authority, fd, out);
    if (error != SP_OK) {
        return error;
    }
    if (!expect_host((*out)->ssl, host)) {
        stream_free(*out);
        *out = NULL;
        ERR_clear_error();
        return SP_EHOST;
    }
    SSL_set_connect_state((*out)->ssl);
    return SP_OK;
}

void stream_free(struct stream *stream)
{
    if (stream != NULL) {
        SSL_free(stream->ssl); /* and the BIO */
        wire_socket_deinit(&stream->socket);
        verdict_deinit(&stream->verdict);
        authority_unref(stream->authority);
        free(stream);
    }
}

static enum sp_error fail(struct stream *stream, enum sp_error error, const char *reason)
{
    stream->failed = error;
    if (reason != NULL) {
        (void)snprintf(stream->verdict.reason, sizeof(stream->verdict.reason), "%s", reason);
    }
    return error;
}

/* The socket has ended: by an error of its own, or the peer has closed it. */
static enum sp_error fail_cut(struct stream *stream, int number)
{
    char reason[VERDICT_REASON_BYTES];
    const char *text = number == 0 ? NULL : error_text(number);

    (void)snprintf(reason, sizeof(reason), "the connection was cut%s%s", text == NULL ? "" : ": ",
                   text == NULL ? "" : text);
    return fail(stream, SP_EDISCONNECTED, reason);
}

/* Why the TLS call that returned RESULT did not succeed. SP_EAGAIN if it only must wait. */
static enum sp_error judge_result(struct stream *stream, int result)
{
    unsigned long code = 0;
    enum sp_error error = SP_ETLS;

    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        /* Nothing more to read, and nothing can be said any more: there is nothing to wait for. */
        return stream->socket.write_error == 0 ? SP_EAGAIN
                                               : fail_cut(stream, stream->socket.write_error);
    case SSL_ERROR_ZERO_RETURN:
        stream->closed_cleanly = true;
        return fail(stream, SP_EDISCONNECTED, "the peer has closed the connection");
    case SSL_ERROR_SYSCALL:
        return fail_cut(stream, stream->socket.read_error);
    default:
        break;
    }
    code = ERR_peek_error();
    if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
        ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        error = fail_cut(stream, 0);
    } else if (!stream->handshaken && stream->verdict.error != SP_OK) {
        error = fail(stream, stream->verdict.error, NULL); /* our own check, with its own reason */
    } else {
        char reason[VERDICT_REASON_BYTES];

        error = alert_explain(code, stream->authority->is_server, reason, sizeof(reason));
        if (openssl_found_no_memory()) {
            error = SP_ENOMEM;
            (void)snprintf(reason, sizeof(reason), "TLS failed: out of memory");
        }
        (void)fail(stream, error, reason);
    }
    ERR_clear_error();
    return error;
}

/* What may have been agreed on: a client offers one protocol, a server has chosen. */
static const char *expected_protocol(const struct stream *stream)
{
    const struct authority *authority = stream->authority;
    const char *chosen = stream->verdict.chosen;

    if (authority->is_server) {
        return chosen == NULL ? "" : chosen;
    }
    return authority->is_joining ? ALPN_JOIN : ALPN_SEALPOST;
}

/* Whether the peer's certificate was seen and found good, as far as OpenSSL and we know. */
static bool peer_is_verified(const struct stream *stream)
{
    return SSL_get0_peer_certificate(stream->ssl) != NULL && stream->verdict.peer_seen &&
           SSL_get_verify_result(stream->ssl) == X509_V_OK && stream->verdict.error == SP_OK;
}

/* What holds after every handshake; that it does is for OpenSSL and our callbacks to see to, but
 * nobody is let in on trust in that. */
static enum sp_error finish_handshake(struct stream *stream)
{
    const char *expected = expected_protocol(stream);
    bool is_anonymous = stream->authority->is_server && strcmp(expected, ALPN_JOIN) == 0;
    const unsigned char *protocol = NULL;
    unsigned int size = 0;

    SSL_get0_alpn_selected(stream->ssl, &protocol, &size);
    if (size == 0 || size != strlen(expected) || memcmp(protocol, expected, size) != 0) {
        return fail(stream, SP_EUNSUPPORTED, "the peer has not agreed to the Sealpost protocol");
    }
    if (is_anonymous ? stream->verdict.peer_seen : !peer_is_verified(stream)) {
        return fail(stream, SP_ENOCERT, "the peer was not asked for a certificate");
    }
    memcpy(stream->protocol, protocol, size);
    stream->handshaken = true;
    return SP_OK;
}

enum sp_error stream_handshake(struct stream *stream)
{
    int result = 0;

    if (stream->failed != SP_OK || stream->handshaken) {
        return stream->failed;
    }
    /* What the socket did not take before, and the peer waits for. That it is broken shows below.
     */
    (void)!wire_socket_flush(&stream->socket);
    openssl_forget_errors();
    result = SSL_do_handshake(stream->ssl);
    return result == 1 ? finish_handshake(stream) : judge_result(stream, result);
}

enum sp_error stream_read(struct stream *stream, void *buffer, size_t capacity, size_t *size)
{
    *size = 0;
    if (stream->failed != SP_OK) {
        return stream->failed;
    }
    if (!stream->handshaken) {
        return SP_EINTERNAL; /* a mistake of the caller's; TLS would go on with the handshake */
    }
    openssl_forget_errors();
    if (SSL_read_ex(stream->ssl, buffer, capacity, size) == 1) {
        return SP_OK;
    }
    *size = 0;
    return judge_result(stream, 0);
}

enum sp_error stream_write(struct stream *stream, const void *data, size_t size)
{
    size_t written = 0;

    if (stream->failed != SP_OK) {
        return stream->failed;
    }
    if (!stream->handshaken || size == 0 || size > STREAM_RECORD_BYTES) {
        return SP_EINTERNAL;
    }
    if (stream->closing || stream->socket.write_error != 0) {
        return SP_EDISCONNECTED;
    }
    if (stream->socket.kept.size > 0) {
        return SP_EAGAIN;
    }
    openssl_forget_errors();
    if (SSL_write_ex(stream->ssl, data, size, &written) != 1) {
        enum sp_error error = judge_result(stream, 0);

        /* The BIO takes everything, and TLS 1.3 never has to read before it writes. */
        return error == SP_EAGAIN ? fail(stream, SP_EINTERNAL, "TLS did not take a record") : error;
    }
    return stream->socket.write_error == 0 ? SP_OK : SP_EDISCONNECTED;
}

enum sp_error stream_flush(struct stream *stream)
{
    return wire_socket_flush(&stream->socket);
}

bool stream_wants_write(const struct stream *stream)
{
    return stream->socket.kept.size > 0 && stream->socket.write_error == 0;
}

uint64_t stream_bytes_sent(const struct stream *stream)
{
    return stream->socket.sent;
}

uint64_t stream_bytes_received(const struct stream *stream)
{
    return stream->socket.received;
}

void stream_close_notify(struct stream *stream)
{
    if (stream->handshaken && !stream->closing) {
        stream->closing = true;
        ERR_clear_error();
        /* After a fatal error there is nothing to notify of, and OpenSSL refuses. */
        (void)SSL_shutdown(stream->ssl);
        ERR_clear_error();
    }
}

bool stream_closed_cleanly(const struct stream *stream)
{
    return stream->closed_cleanly;
}

const struct certificate_info *stream_peer(const struct stream *stream)
{
    return stream->verdict.peer_seen ? &stream->verdict.peer : NULL;
}

size_t stream_ca_count(const struct stream *stream)
{
    return stream->handshaken ? stream->verdict.ca_count : 0;
}

struct slice stream_ca(const struct stream *stream, size_t index)
{
    return index < stream_ca_count(stream) ? stream->verdict.cas[index] : (struct slice){0};
}

const char *stream_protocol(const struct stream *stream)
{
    return stream->protocol;
}

const char *stream_reason(const struct stream *stream)
{
    return stream->verdict.reason;
}
