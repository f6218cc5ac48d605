/*
 * One TLS connection over a non-blocking socket: bytes in, bytes out, nothing ever waits.
 *
 * A step returns SP_OK (done), SP_EAGAIN (wait for the socket; see stream_wants_write()) or why the
 * connection is over. The caller alone sets poll events. What TLS has encrypted and the socket did
 * not take is kept here (at most one record and an alert or two), and nothing more is accepted
 * until it is gone: so a write is either taken whole or not at all, and there is no "retry with the
 * same buffer" rule for callers to know. A stream that has nothing in flight owns no buffers.
 *
 * TLS 1.3 only; no tickets, no resumption, no renegotiation, no early data.
 */
#ifndef SP_TLS_STREAM_H
#define SP_TLS_STREAM_H

#include "tls/authority.h"

struct stream;

/* What one stream_write() takes at most: one full TLS record (RFC 8446, 5.1). */
#define STREAM_RECORD_BYTES 16384

/* FD must be non-blocking; it stays the caller's, who closes it after stream_free(). */
SP_CHECK enum sp_error stream_new_server(struct authority *authority, int fd, struct stream **out);
/* HOST is what the server's certificate must be for: a DNS name, or an IPv4 or IPv6 address in text
 * form. */
SP_CHECK enum sp_error stream_new_client(struct authority *authority, int fd, const char *host,
                                         struct stream **out);
void stream_free(struct stream *stream); /* NULL is allowed */

/*
 * One step of the handshake. SP_OK when it is done. On failure one of the certificate errors of
 * error.h where the cause is known from our own checks or from the peer's alert, else SP_ETLS,
 * SP_EDISCONNECTED; see stream_reason(). Then stream_flush() sends the alert that tells the peer.
 * NB a client's handshake is done before the server has judged the client's certificate: an alert
 * may still come from stream_read().
 */
SP_CHECK enum sp_error stream_handshake(struct stream *stream);

/*
 * Reads up to CAPACITY decrypted bytes. SP_OK with *SIZE > 0; SP_EAGAIN when the socket has no more
 * now (only then may the caller poll for reading: TLS may hold decrypted bytes that poll does not
 * see). At the end of the connection SP_EDISCONNECTED, and stream_closed_cleanly() tells
 * close_notify from a cut. Other errors as in stream_handshake().
 */
SP_CHECK enum sp_error stream_read(struct stream *stream, void *buffer, size_t capacity,
                                   size_t *size);

/*
 * Takes all SIZE bytes (1 to STREAM_RECORD_BYTES) as one record: SP_OK. SP_EAGAIN: took nothing, an
 * earlier record is still on its way. SP_EDISCONNECTED: the socket does not take any more;
 * stream_read() may still say what the peer has sent before, an alert for instance. SP_EINTERNAL
 * before the handshake is done or for another SIZE.
 */
SP_CHECK enum sp_error stream_write(struct stream *stream, const void *data, size_t size);

/* Sends on what is kept. SP_OK when nothing is left, SP_EAGAIN, SP_EDISCONNECTED. */
SP_CHECK enum sp_error stream_flush(struct stream *stream);

/* Whether encrypted bytes wait for the socket: poll for POLLOUT. */
bool stream_wants_write(const struct stream *stream);

/* Encrypted bytes that the socket has taken and given so far; to notice stalls. */
uint64_t stream_bytes_sent(const struct stream *stream);
uint64_t stream_bytes_received(const struct stream *stream);

/* Queues close_notify (RFC 8446, 6.1); then stream_flush(). Nothing can be written afterwards. */
void stream_close_notify(struct stream *stream);
bool stream_closed_cleanly(const struct stream *stream);

/* The peer's certificate once the handshake is done, also after a failed one if it got so far;
 * borrowed, NULL if none was seen. */
const struct certificate_info *stream_peer(const struct stream *stream);
/*
 * Of a client that joins, once the handshake is done: the CAs above the server's certificate, which
 * lead from its issuer (0) to the root (the last), in DER. Borrowed; empty for other streams.
 */
size_t stream_ca_count(const struct stream *stream);
struct slice stream_ca(const struct stream *stream, size_t index);
/* The ALPN protocol chosen, ALPN_SEALPOST or ALPN_JOIN; "" before the handshake is done. On a
 * server's ALPN_JOIN stream nobody has shown a certificate: stream_peer() is NULL. Borrowed. */
const char *stream_protocol(const struct stream *stream);
/*
 * Why the last step failed, for a log line or for the user: names the check that failed, or the
 * peer's alert, and who sent it. Borrowed; never NULL.
 */
const char *stream_reason(const struct stream *stream);

#endif
