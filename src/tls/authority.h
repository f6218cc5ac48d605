/*
 * The authority: everything that decides whether a peer is let in, loaded and checked as one: TLS
 * context, own certificate and key, trusted root and issuing CAs, revocation table. Immutable. A
 * reload builds a new one and swaps it in; connections keep the one they were made from.
 * Reference-counted (atomic).
 */
#ifndef SP_TLS_AUTHORITY_H
#define SP_TLS_AUTHORITY_H

#include "base/clock.h"
#include "tls/identity.h"

struct authority;

#define AUTHORITY_REASON_BYTES 512

/* ALPN protocol names (RFC 7301). */
#define ALPN_SEALPOST "sealpost/1"
#define ALPN_JOIN "sealpost-join/1"

struct authority_server_config {
    const char *team;
    const char *ca_file;       /* PEM: the root, and any number of issuing CAs */
    const char *cert_file;     /* PEM: the server's certificate, then its issuing CAs */
    const char *key_file;      /* PEM: its private key, rules of file_open_private() */
    const char *crl_file;      /* PEM: revocation lists of the root and of every issuing CA */
    bool allow_join;           /* offer ALPN_JOIN too: to who shows no certificate */
    const struct clock *clock; /* decides freshness; kept, not copied */
};

/*
 * Loads and checks all: the key fits the certificate, the certificate chains to the root, is
 * serverAuth and valid now; the lists are signed by their issuers. Blocks. On error one sentence in
 * REASON that names the file, what is wrong and what to do. SP_ECERT, SP_EKEY, SP_EEXPIRED,
 * SP_ENOTFOUND, SP_ENOCRL (no fresh list of the root or of an issuing CA), SP_ENAME (the team's),
 * SP_ENOMEM.
 */
SP_CHECK enum sp_error authority_new_server(const struct authority_server_config *config,
                                            struct authority **out, char *reason, size_t capacity);

/*
 * Gives the passphrase of the sealed private key file PATH: writes it, with a NUL, into OUT, which
 * is wiped after use. SP_EPASSPHRASE: there is none to be had; SP_ECANCELLED.
 */
typedef enum sp_error (*passphrase_fn)(void *context, const char *path, char *out, size_t capacity);
#define PASSPHRASE_BYTES 1025 /* with its NUL */

struct authority_client_config {
    const char *ca_file;      /* PEM: the team's root, pinned; nothing else is trusted. Revocation
                                 lists beside it are used to refuse revoked servers */
    const char *cert_file;    /* PEM: the device's certificate, then its issuing CAs */
    const char *key_file;     /* PEM, or sealed (crypto/sealed_key.h) */
    passphrase_fn passphrase; /* for a sealed key; may be NULL */
    void *passphrase_context;
    const struct clock *clock;
};

/* Errors as above; SP_EPASSPHRASE; SP_EEXPIRED and SP_ENOTYET for the device's own certificate,
 * which is looked at before any connection. Whether it is a member's is left to the server. */
SP_CHECK enum sp_error authority_new_client(const struct authority_client_config *config,
                                            struct authority **out, char *reason, size_t capacity);

/* What a device has that joins: nothing but its join code. */
struct authority_join_config {
    uint8_t fingerprint[JOIN_FINGERPRINT_BYTES]; /* the root's SHA-256 begins with it */
    const struct clock *clock;
};

/*
 * A client without a certificate, which speaks ALPN_JOIN only. It takes the root out of what the
 * server shows, if it is self-signed and has the fingerprint, and trusts nothing else; see
 * stream_ca(). Reads no file. SP_ENOMEM, SP_EINTERNAL.
 */
SP_CHECK enum sp_error authority_new_join(const struct authority_join_config *config,
                                          struct authority **out, char *reason, size_t capacity);

struct authority *authority_ref(struct authority *authority);
void authority_unref(struct authority *authority); /* NULL is allowed */

/* The own certificate's description. Borrowed. */
const struct certificate_info *authority_own(const struct authority *authority);

/*
 * Judges a certificate again that was let in before: SP_OK, SP_EREVOKED, SP_EEXPIRED, SP_ENOCRL, or
 * SP_EUNTRUSTED when its issuer is no longer among the CAs. Memory only; cheap.
 */
SP_CHECK enum sp_error authority_judge(const struct authority *authority,
                                       const struct certificate_info *info, int64_t wall_ms);

/* When the first revocation list grows stale; see revocation_table_next_update_ms(). */
int64_t authority_crl_next_update_ms(const struct authority *authority);
size_t authority_revoked_count(const struct authority *authority);

#endif
