/*
 * Join codes: what an invited person types or pastes once. A code says where to join, which root
 * certificate to trust, and holds the one-time secret:
 *
 *     HOST[:PORT]/XXXXXXX-XXXXXXX-…   (8 groups of 7)
 *
 * The groups are 35 bytes in Crockford's base 32 (no I, L, O, U; case does not matter): the first
 * 16 bytes of the root certificate's SHA-256, the secret (16), and a CRC-24 (RFC 9580, 6.1) over
 * "1 HOST:PORT " and those 32 bytes. So a mistyped code is told from a wrong one before anything is
 * sent. Pure; allocates nothing; fuzzed.
 */
#ifndef SP_BASE_JOIN_CODE_H
#define SP_BASE_JOIN_CODE_H

#include "base/base.h"

struct join_code {
    char host[LIMIT_HOST_BYTES + 1]; /* lower case; an IPv6 address without brackets */
    uint16_t port;
    uint8_t fingerprint[JOIN_FINGERPRINT_BYTES];
    uint8_t secret[JOIN_SECRET_BYTES];
};

/*
 * Reads a code; white space around it and between its groups is passed over, so that one that was
 * broken over lines can be pasted. SP_EINVALID: it is no join code at all; SP_ECODE: it looks like
 * one, but is mistyped. A sentence part about which, without the code, in REASON.
 */
SP_CHECK enum sp_error join_code_parse(const char *text, size_t size, struct join_code *out,
                                       char *reason, size_t capacity);

/* Writes CODE with its NUL into OUT, which must hold LIMIT_JOIN_CODE_BYTES. SP_EINVALID when the
 * host is empty or has characters that no host name or address has. */
SP_CHECK enum sp_error join_code_format(const struct join_code *code, char *out, size_t capacity);

#endif
