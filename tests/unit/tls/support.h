/* What the tests of src/tls share: authorities out of the test CA, and two streams over a socket
 * pair. */
#ifndef TESTS_UNIT_TLS_SUPPORT_H
#define TESTS_UNIT_TLS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls/stream.h"

#define PATH_BYTES 512

/* The path of the file NAME in DIRECTORY of the test CA, "." for the top, into OUT; returns OUT. */
const char *ca_path(char out[PATH_BYTES], const char *directory, const char *name);

/* The good server. CLOCK NULL: the system's. */
struct authority *server_authority(const struct clock *clock);
/* A server with the certificate of DIRECTORY (below the test CA). */
struct authority *server_authority_of(const char *directory, const struct clock *clock);
/* The good server, where one can join, too. */
struct authority *join_server_authority(const struct clock *clock);
/* Who joins, trusting the certificate in the file ROOT below the test CA, with the last byte of the
 * fingerprint XOR DISTURB; the second: its root. */
struct authority *join_authority_of(const char *root, uint8_t disturb, const struct clock *clock);
struct authority *join_authority(uint8_t disturb, const struct clock *clock);
/* A client with the certificate and the root of DIRECTORY (below the test CA). */
struct authority *client_authority(const char *directory, const struct clock *clock);

/* The whole file; free() it. */
char *read_whole(const char *path, size_t *size);

/* Two streams and the socket pair between them, non-blocking. */
struct pair {
    int fds[2]; /* the server's, the client's */
    struct stream *server;
    struct stream *client;
    enum sp_error server_result;
    enum sp_error client_result;
};

/* Makes the socket pair only. */
void pair_open(struct pair *pair);
/* The same with streams; the authorities are dropped (the streams keep them). HOST: whom the client
 * wants to reach. */
void pair_open_streams(struct pair *pair, struct authority *server, struct authority *client,
                       const char *host);
void pair_close(struct pair *pair);

/* Both handshakes to their ends; then the client reads once, to hear what the server has against
 * it. The results are in PAIR: SP_EAGAIN of the client means that it was let in. */
void pair_handshake(struct pair *pair);
/* Asserts that both are in. */
void pair_connect(struct pair *pair);

/* Sends SIZE bytes from FROM to TO in records of at most RECORD bytes and checks what arrives. */
void assert_transfer(struct stream *from, struct stream *to, size_t size, size_t record);

#endif
