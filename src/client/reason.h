/*
 * Sentences for people about why a connection failed. They name the file or the host that is
 * concerned and say what to do. Pure.
 */
#ifndef SP_CLIENT_REASON_H
#define SP_CLIENT_REASON_H

#include "base/base.h"

#define REASON_BYTES 768

/* Who talks to whom, for the sentences. Borrowed from the client. */
struct peer_names {
    const char *host;
    uint16_t port;
    const char *ca_file;
    const char *cert_file;
};

/*
 * The server refused us: by an alert or by BYE. DETAIL is what the server or TLS says about it; it
 * may be empty. Names our certificate's file where ERROR is about the certificate.
 */
void reason_refused(const struct peer_names *names, enum sp_error error, const char *detail,
                    char *out, size_t capacity);

/* We refuse the server, or the handshake failed. DETAIL is stream_reason()'s. */
void reason_server(const struct peer_names *names, enum sp_error error, const char *detail,
                   char *out, size_t capacity);

/* The same on the way to joining, where there is a join code in place of files. */
void reason_join(const struct peer_names *names, enum sp_error error, const char *detail, char *out,
                 size_t capacity);

/* The TCP connection failed: PROBLEM is what the system says. */
void reason_connect(const struct peer_names *names, const char *problem, char *out,
                    size_t capacity);

#endif
