/*
 * The certificates of a whole team, made at once or taken over from tools/make-test-ca. Called by
 * `sealpostd init`, once, in a directory that nobody else uses. Blocks.
 */
#ifndef SP_CA_TEAM_H
#define SP_CA_TEAM_H

#include "ca/host.h"

#define CA_TEAM_REASON_BYTES 4096

struct ca_team_order {
    const char *directory; /* exists, and is empty of what is made below */
    const char *team;      /* NULL, when one is adopted: whatever that is called */
    const struct ca_hosts *hosts;
    const char *adopt; /* directory of tools/make-test-ca; NULL: all is new */
    int64_t now_ms;
};

struct ca_team {
    char team[LIMIT_TEAM_BYTES + 1];
    struct digest root;   /* SHA-256 of the root certificate's DER form */
    int64_t root_ends_ms; /* its notAfter; the others' likewise */
    int64_t issuing_ends_ms;
    int64_t server_ends_ms;
    int64_t root_list_ends_ms; /* its nextUpdate */
    size_t withdrawn;          /* entries of the issuing CA's list */
};

/*
 * Makes in DIRECTORY:
 *     ca/root.pem, ca/issuing.pem, ca/receipts.pem    certificates
 *     ca/root-key.pem (not when adopted), ca/issuing-key.pem, ca/receipts-key.pem
 *     ca.pem, crl.pem         the CAs, and their revocation lists
 *     server/cert.pem (then the issuing CA), server/key.pem
 * Keys have mode 0600; every file and directory is synced. What was made stays when it fails: the
 * caller removes it. SP_ENAME, SP_EEXISTS, SP_ENOTFOUND, SP_ECERT, SP_EKEY, SP_ENOCRL, SP_EEXPIRED,
 * SP_EFILE, SP_EFULL, SP_EIO, SP_EINTERNAL, SP_ENOMEM, and a sentence in REASON.
 */
SP_CHECK enum sp_error ca_team_make(const struct ca_team_order *order, struct ca_team *out,
                                    char *reason, size_t capacity);

#endif
