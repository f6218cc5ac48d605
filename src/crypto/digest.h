/* SHA-256 (FIPS 180-4), by OpenSSL's EVP. The only place that computes it. */
#ifndef SP_CRYPTO_DIGEST_H
#define SP_CRYPTO_DIGEST_H

#include "base/base.h"

/* The digest of the PARTS one after the other. SP_ENOMEM or SP_EINTERNAL when OpenSSL fails. */
SP_CHECK enum sp_error digest_of(const struct slice *parts, size_t count, struct digest *out);

/* A digest in the making. One thread at a time. */
struct digest_stream;

SP_CHECK enum sp_error digest_stream_new(struct digest_stream **out);
void digest_stream_free(struct digest_stream *stream); /* NULL is allowed */
SP_CHECK enum sp_error digest_stream_update(struct digest_stream *stream, const void *data,
                                            size_t size);
/* The digest of all so far; the stream starts anew afterwards. */
SP_CHECK enum sp_error digest_stream_finish(struct digest_stream *stream, struct digest *out);
/* Back to the empty message. */
SP_CHECK enum sp_error digest_stream_reset(struct digest_stream *stream);

#endif
