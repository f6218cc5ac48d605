/* Peers that do not behave: clients and servers straight on OpenSSL, without our contexts. */
#ifndef TESTS_UNIT_TLS_RAW_H
#define TESTS_UNIT_TLS_RAW_H

#include <openssl/ssl.h>

#include "unit/tls/support.h"

struct raw_config {
    const char *directory; /* certificate and key, below the test CA; NULL: none */
    const char *alpn;      /* in wire form; NULL: none */
    int max_version;       /* 0: the newest */
    const char *root;      /* a file below the test CA, whose certificate is sent at the end of
                              the chain; NULL: without */
    const char *groups;    /* NULL: OpenSSL's */
};

/* A non-blocking client (or server) on FD that checks nothing. */
SSL *raw_new(const struct raw_config *config, bool is_server, int fd);
void raw_free(SSL *ssl);

/* Both sides until they are done or failed. The alert that the raw side was sent, or -1. */
int raw_handshake(SSL *raw, struct stream *ours, enum sp_error *our_result);

#define RAW_ALPN "\x0asealpost/1"
#define RAW_ALPN_JOIN "\x0fsealpost-join/1"

#endif
