/*
 * Certificate requests (PKCS #10, RFC 2986), which strangers send. Only the key of one counts; the
 * names and extensions in it are passed over. Pure; fuzzed.
 */
#ifndef SP_CA_REQUEST_H
#define SP_CA_REQUEST_H

#include "base/base.h"

struct evp_pkey_st;

/*
 * The key of REQUEST: exactly one request in DER, of at most LIMIT_REQUEST_BYTES, signed by its own
 * key, which may be certified (certificate_check_key()). *DIGEST is the SHA-256 of the key as a
 * SubjectPublicKeyInfo (RFC 5280, 4.1.2.7), *KEY the caller's, ca_key_free(); NULL when only the
 * check is wanted. SP_EINVALID, SP_EKEY, SP_ENOMEM, and what is wrong in REASON.
 */
SP_CHECK enum sp_error ca_request_read(struct slice request, struct evp_pkey_st **key,
                                       struct digest *digest, char *reason, size_t capacity);

#endif
