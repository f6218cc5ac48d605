/*
 * Certificates of a team, in the five profiles of certs/README.md and nothing else: what is not in
 * the order is decided here. Called when a team is made and when a member joins.
 */
#ifndef SP_CA_CERTIFICATE_H
#define SP_CA_CERTIFICATE_H

#include "ca/host.h"

struct evp_pkey_st;
struct x509_st;

enum ca_profile { CA_ROOT, CA_ISSUING, CA_MEMBER, CA_SERVER, CA_RECEIPTS };

/* For clocks of clients that are a little slow: certificates and lists begin that much before they
 * are made. */
#define CA_BACKDATE_MS (INT64_C(5) * 60000)
/* Nothing is signed by a CA that has less than this left. */
#define CA_MINIMUM_VALID_MS (INT64_C(24) * 3600000)

struct ca_order {
    enum ca_profile profile;
    const char *team;
    const char *username;         /* of a member */
    const struct ca_hosts *hosts; /* of a server, or: */
    const struct x509_st *like;   /* the server's certificate whose names are taken over */
    struct evp_pkey_st *key;      /* to be certified; only its public part is used */
    const struct x509_st *issuer; /* NULL for a root, which signs itself with KEY */
    struct evp_pkey_st *issuer_key;
    int64_t now_ms;
};

/*
 * *OUT is the caller's, to be freed with ca_certificate_free(). It ends after the profile's
 * lifetime, or with its issuer. SP_ENAME (a name that is not allowed), SP_EEXPIRED (the issuer ends
 * too soon), SP_EINTERNAL, and what is wrong in REASON.
 */
SP_CHECK enum sp_error ca_certificate_new(const struct ca_order *order, struct x509_st **out,
                                          char *reason, size_t capacity);
void ca_certificate_free(struct x509_st *certificate); /* NULL is allowed */

/* How long certificates of PROFILE are good for, in days. */
int ca_valid_days(enum ca_profile profile);

#endif
