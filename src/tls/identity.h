/*
 * Who a certificate says it is. Exactly one SAN URI "sealpost://TEAM/USERNAME" counts; a subject's
 * CN is never read. Names are read with their length: a NUL inside is a refusal. Also the profile
 * of a member's certificate, which OpenSSL's purpose check is too lenient about.
 *
 * OpenSSL's X509 appears here as an incomplete type, so that no header of ours includes OpenSSL.
 */
#ifndef SP_TLS_IDENTITY_H
#define SP_TLS_IDENTITY_H

#include "base/base.h"

struct evp_pkey_st;
struct x509_st;

/* What is known of a certificate. Everything is copied; nothing to free. */
struct certificate_info {
    char team[LIMIT_TEAM_BYTES + 1];         /* empty unless an identity was found */
    char username[LIMIT_USERNAME_BYTES + 1]; /* likewise */
    struct digest fingerprint;               /* SHA-256 of the DER form */
    uint8_t serial[SERIAL_BYTES];            /* big-endian, left-aligned */
    size_t serial_bytes;
    struct digest issuer;     /* SHA-256 of the issuer name's DER form */
    struct digest issuer_key; /* SHA-256 of the authority key identifier; zero if there is none */
    int64_t not_before_ms;
    int64_t not_after_ms;
};

/* Fills in everything but team and username. SP_EPROFILE for a serial that is negative or longer
 * than 20 bytes and for times that cannot be read, SP_EINTERNAL. */
SP_CHECK enum sp_error certificate_describe(const struct x509_st *certificate,
                                            struct certificate_info *info);

/*
 * Parses "sealpost://TEAM/USERNAME" of SIZE bytes, exactly (no port, no query, no trailing slash,
 * no escapes). SP_EIDENTITY. TEAM and USERNAME get LIMIT_…_BYTES + 1 bytes. Pure; fuzzed.
 */
SP_CHECK enum sp_error identity_parse_uri(const uint8_t *uri, size_t size, char *team,
                                          char *username);

/*
 * The identity of CERTIFICATE into INFO. SP_EIDENTITY unless its SAN is exactly one URI of the
 * right form and nothing beside it (DNS, e-mail, address: all could name somebody), or if it is of
 * a team other than TEAM; TEAM may be NULL for any team.
 */
SP_CHECK enum sp_error certificate_identity(const struct x509_st *certificate, const char *team,
                                            struct certificate_info *info);

/*
 * The profile of a member's certificate: X.509 v3; not a CA; extended key usage present and
 * clientAuth only; key usage present with digitalSignature; P-256, RSA of 3,072 to 8,192 bits or
 * Ed25519; no unknown critical extension. SP_EPROFILE with what is wrong in REASON.
 */
SP_CHECK enum sp_error certificate_check_member_profile(const struct x509_st *certificate,
                                                        char *reason, size_t capacity);

/* The same for a server's certificate, whose extended key usage has serverAuth and may have more.
 */
SP_CHECK enum sp_error certificate_check_server_profile(const struct x509_st *certificate,
                                                        char *reason, size_t capacity);

/* The part of both that is about the key, for who has not got a certificate yet. SP_EKEY with what
 * is wrong in REASON. */
SP_CHECK enum sp_error certificate_check_key(const struct evp_pkey_st *key, char *reason,
                                             size_t capacity);

#define SERIAL_HEX_BYTES (2 * SERIAL_BYTES + 1)
void certificate_serial_hex(const struct certificate_info *info, char out[SERIAL_HEX_BYTES]);

#endif
