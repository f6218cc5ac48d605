/*
 * What the issuing CA makes anew by itself, long before it runs out: its revocation list, and the
 * certificate of the server. So a team is never locked out because nobody looked. Blocks; called at
 * start and daily, never on the poll thread.
 */
#ifndef SP_CA_REFRESH_H
#define SP_CA_REFRESH_H

#include "base/base.h"

#define CA_CRL_REFRESH_AGE_MS (INT64_C(24) * 3600000)           /* a list older than that, or */
#define CA_CRL_REFRESH_LEFT_MS (INT64_C(20) * 86400000)         /* good for less than that */
#define CA_CERTIFICATE_REFRESH_LEFT_MS (INT64_C(30) * 86400000) /* the server's certificate */

struct ca_refresh {
    const char *issuer_cert; /* files, as in issuer_config */
    const char *issuer_key;
    bool always; /* make a list anew whether it is time or not */
    int64_t now_ms;
};

/*
 * The issuing CA's list in CRL_FILE: when it is older than a day, or grows stale within 20 days, or
 * is from the future, another one with its entries and a higher number takes its place, in one
 * step (of a root one that is good for a year). All other lists of the file stay. *MADE tells
 * whether. A file that changes meanwhile is read again: nobody's withdrawal is lost. Nothing is
 * written when there is no list of this CA, or none that it has signed: what was withdrawn is not
 * known then (SP_ENOCRL). SP_ENOTFOUND, SP_ECERT, SP_EKEY, SP_EFILE, SP_EFULL, SP_EIO, SP_EBUSY (it
 * did not stand still), SP_EINTERNAL, SP_ENOMEM, and a sentence in REASON.
 */
SP_CHECK enum sp_error ca_crl_refresh(const struct ca_refresh *refresh, const char *crl_file,
                                      bool *made, char *reason, size_t capacity);

/*
 * The server's certificate in CERT_FILE, which this CA has signed: within 30 days of its end
 * another one for the same key and names takes its place; what follows it in the file stays. One of
 * another CA, and one that this CA's list in CRL_FILE withdraws, is left alone: the latter's key
 * may be in wrong hands. *MADE and errors as above, SP_EEXPIRED (the issuing CA ends too soon).
 */
SP_CHECK enum sp_error ca_server_refresh(const struct ca_refresh *refresh, const char *team,
                                         const char *crl_file, const char *cert_file, bool *made,
                                         char *reason, size_t capacity);

#endif
