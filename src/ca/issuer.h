/*
 * The issuing CA at work: makes members' certificates for the requests of those who join. Immutable
 * once loaded; its functions may be called from any thread, and do not block. Who may have a
 * certificate is decided elsewhere (src/domain), which knows this through a port that src/server
 * makes of it.
 */
#ifndef SP_CA_ISSUER_H
#define SP_CA_ISSUER_H

#include "tls/identity.h"

struct issuer;

struct issuer_config {
    const char *team;
    const char *cert_file; /* PEM: the issuing CA's certificate */
    const char *key_file;  /* PEM: its private key, rules of file_open_private() */
    const char *ca_file;   /* PEM: the CAs that logins trust; the issuing CA must be among them */
};

/*
 * Loads and checks: it is a CA that may sign certificates, the key is its key, members'
 * certificates of it will be let in by CA_FILE. Blocks. SP_ENOTFOUND, SP_ECERT, SP_EKEY, SP_ENAME,
 * SP_ENOMEM, and one sentence that names the file in REASON.
 */
SP_CHECK enum sp_error issuer_new(const struct issuer_config *config, struct issuer **out,
                                  char *reason, size_t capacity);
void issuer_free(struct issuer *issuer); /* NULL is allowed */

/* When the issuing CA's own certificate ends. */
int64_t issuer_not_after_ms(const struct issuer *issuer);

/* What a member gets. */
struct issuer_chain {
    struct certificate_info info;
    uint8_t *der; /* the caller's memory: the certificate, then its issuing CA */
    size_t capacity;
    size_t size;
};

/*
 * A certificate for USERNAME and the key of REQUEST, which is checked (again) as ca_request_read()
 * does. It is good for 90 days, or until the issuing CA ends. SP_EINVALID, SP_EKEY, SP_ENAME,
 * SP_EEXPIRED (the issuing CA ends too soon), SP_EINTERNAL (also when DER is too small), SP_ENOMEM,
 * and what is wrong in REASON.
 */
SP_CHECK enum sp_error issuer_issue(const struct issuer *issuer, struct slice request,
                                    const char *username, int64_t now_ms, struct issuer_chain *out,
                                    char *reason, size_t capacity);

#endif
