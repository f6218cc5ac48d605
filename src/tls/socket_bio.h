/*
 * What OpenSSL reads from and writes to in place of the socket. Writing never fails for OpenSSL:
 * what the socket does not take is kept in a buffer, so that no TLS call must be repeated with the
 * same arguments. For src/tls only.
 */
#ifndef SP_TLS_SOCKET_BIO_H
#define SP_TLS_SOCKET_BIO_H

#include "base/bytes.h"

struct bio_method_st;
struct bio_st;

/* One socket and what waits for it. */
struct wire_socket {
    int fd;
    struct buffer kept; /* encrypted bytes that the socket did not take yet */
    uint64_t sent;
    uint64_t received;
    bool at_end;     /* the peer has closed its side */
    int read_error;  /* errno of the recv() that failed, or 0 */
    int write_error; /* errno of the send() that failed, or 0; nothing is written afterwards */
};

void wire_socket_init(struct wire_socket *socket, int fd);
void wire_socket_deinit(struct wire_socket *socket);
/* Sends on what is kept. SP_OK when nothing is left, SP_EAGAIN, SP_EDISCONNECTED. */
SP_CHECK enum sp_error wire_socket_flush(struct wire_socket *socket);

SP_CHECK enum sp_error socket_bio_method_new(struct bio_method_st **out); /* SP_ENOMEM */
void socket_bio_method_free(struct bio_method_st *method);                /* NULL is allowed */

/* SOCKET must outlive the BIO. SP_ENOMEM. */
SP_CHECK enum sp_error socket_bio_new(const struct bio_method_st *method,
                                      struct wire_socket *socket, struct bio_st **out);

#endif
