/*
 * A private key that is sealed under a passphrase: Argon2id (RFC 9106) makes a key of the
 * passphrase, XSalsa20-Poly1305 (libsodium's secretbox) seals with it. In the file it is base 64
 * between two lines, like PEM:
 *
 *   0  u8   1, the version; also: Argon2id 1.3
 *   1  u32  passes
 *   5  u32  memory, KiB
 *   9       salt (16), nonce (24), the sealed bytes (16 more than what they seal)
 *
 * Written when a device joins, read when it logs in. The parameters are bounded when read, so a
 * file cannot ask for hours or for all memory; changing them makes another key, and the seal does
 * not open.
 */
#ifndef SP_CRYPTO_SEALED_KEY_H
#define SP_CRYPTO_SEALED_KEY_H

#include "base/base.h"

struct secret;

#define LIMIT_SEALED_PLAIN_BYTES 16384 /* an RSA key of 8,192 bits has less, in PEM form */
#define SEALED_TEXT_BYTES 24576        /* what sealed_key_seal() writes at most, with its NUL */

/* How much opening costs. */
struct sealed_key_cost {
    uint32_t passes;
    uint32_t memory_kib;
};

/* libsodium's "moderate" and "interactive" costs; what is read lies between them. */
#define SEALED_COST_MODERATE ((struct sealed_key_cost){3, 262144})
#define SEALED_COST_INTERACTIVE ((struct sealed_key_cost){2, 65536})

/* Where the parts of a sealed key stand, decoded. */
struct sealed_key {
    struct sealed_key_cost cost;
    uint8_t salt[16];
    uint8_t nonce[24];
    uint8_t sealed[LIMIT_SEALED_PLAIN_BYTES + 16];
    size_t sealed_size;
};

/* Whether TEXT begins as a sealed key does; it may still be damaged. */
bool sealed_key_is(struct slice text);

/* Reads TEXT without opening it. SP_EKEY and what is wrong in REASON. Pure; fuzzed. */
SP_CHECK enum sp_error sealed_key_parse(struct slice text, struct sealed_key *out, char *reason,
                                        size_t capacity);

/* Seals KEY; OUT gets the text with a NUL. SP_EPASSPHRASE (empty), SP_ETOOLARGE, SP_EINVALID (a
 * cost out of bounds), SP_ENOMEM. */
SP_CHECK enum sp_error sealed_key_seal(struct slice key, struct slice passphrase,
                                       const struct sealed_key_cost *cost,
                                       char out[SEALED_TEXT_BYTES]);

/* Opens TEXT; takes a second or so. SP_EKEY (damaged), SP_EPASSPHRASE (wrong, or damaged),
 * SP_ENOMEM, and what is wrong in REASON. */
SP_CHECK enum sp_error sealed_key_open(struct slice text, struct slice passphrase,
                                       struct secret **out, char *reason, size_t capacity);

#endif
