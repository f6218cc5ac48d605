#include "tls/socket_bio.h"

#include <errno.h>
#include <sys/socket.h>

#include <openssl/bio.h>

/* One record, and handshake messages: the own chain and some more. A peer that makes TLS answer
 * (key updates) but does not read comes to this limit and is cut. */
#define KEPT_MAXIMUM_BYTES ((size_t)2 * LIMIT_CERT_CHAIN_BYTES)

void wire_socket_init(struct wire_socket *socket, int fd)
{
    *socket = (struct wire_socket){.fd = fd};
    buffer_init(&socket->kept, KEPT_MAXIMUM_BYTES);
}

void wire_socket_deinit(struct wire_socket *socket)
{
    buffer_deinit(&socket->kept);
}

static bool would_block(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK;
}

/* Sends as much as the socket takes now, and returns how much that was. */
static size_t send_some(struct wire_socket *socket, const uint8_t *data, size_t size)
{
    size_t sent = 0;

    while (sent < size && socket->write_error == 0) {
        ssize_t now = send(socket->fd, data + sent, size - sent, MSG_NOSIGNAL);

        if (now >= 0) {
            sent += (size_t)now;
        } else if (would_block(errno)) {
            break;
        } else if (errno != EINTR) {
            socket->write_error = errno;
        }
    }
    socket->sent += sent;
    return sent;
}

enum sp_error wire_socket_flush(struct wire_socket *socket)
{
    if (socket->kept.size > 0) {
        buffer_consume(&socket->kept,
                       send_some(socket, buffer_data(&socket->kept), socket->kept.size));
    }
    if (socket->write_error != 0) {
        return SP_EDISCONNECTED;
    }
    return socket->kept.size == 0 ? SP_OK : SP_EAGAIN;
}

/*
 * When the socket is broken OpenSSL is still told that all is well, because it would not go on
 * reading otherwise, and what the peer has sent before (an alert) says why it is broken.
 */
static int socket_write(BIO *bio, const char *data, int size)
{
    struct wire_socket *socket = BIO_get_data(bio);
    const uint8_t *bytes = (const uint8_t *)data;
    size_t sent = 0;

    BIO_clear_retry_flags(bio);
    if (size <= 0) {
        return 0;
    }
    if (socket->kept.size == 0) {
        sent = send_some(socket, bytes, (size_t)size);
    }
    if (socket->write_error == 0 && sent < (size_t)size &&
        buffer_append(&socket->kept, bytes + sent, (size_t)size - sent) != SP_OK) {
        socket->write_error = ENOBUFS;
    }
    return size;
}

static int socket_read(BIO *bio, char *data, int size)
{
    struct wire_socket *socket = BIO_get_data(bio);
    ssize_t got = -1;

    BIO_clear_retry_flags(bio);
    if (size <= 0) {
        return 0;
    }
    do {
        got = recv(socket->fd, data, (size_t)size, 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        socket->received += (uint64_t)got;
    } else if (got == 0) {
        socket->at_end = true;
    } else if (would_block(errno)) {
        BIO_set_retry_read(bio);
    } else {
        socket->read_error = errno;
    }
    return (int)got;
}

static long socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct wire_socket *socket = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return socket->at_end ? 1 : 0;
    default:
        return 0;
    }
}

enum sp_error socket_bio_method_new(struct bio_method_st **out)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sealpost socket");

    *out = NULL;
    if (method == NULL || BIO_meth_set_write(method, socket_write) != 1 ||
        BIO_meth_set_read(method, socket_read) != 1 ||
        BIO_meth_set_ctrl(method, socket_ctrl) != 1) {
        BIO_meth_free(method);
        return SP_ENOMEM;
    }
    *out = method;
    return SP_OK;
}

void socket_bio_method_free(struct bio_method_st *method)
{
    BIO_meth_free(method);
}

enum sp_error socket_bio_new(const struct bio_method_st *method, struct wire_socket *socket,
                             struct bio_st **out)
{
    *out = BIO_new(method);
    if (*out == NULL) {
        return SP_ENOMEM;
    }
    BIO_set_data(*out, socket);
    BIO_set_init(*out, 1);
    return SP_OK;
}
