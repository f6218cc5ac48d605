/*
 * The SQL of the team: members, devices, certificates, invitations. As store.h, which it belongs
 * to: it decides nothing.
 */
#ifndef SP_DOMAIN_STORE_TEAM_H
#define SP_DOMAIN_STORE_TEAM_H

#include "domain/issue.h"
#include "domain/store.h"

/* A device with its member, as a certificate leads to it. */
struct login_row {
    struct actor actor;
    int64_t disabled_ms; /* the member; 0: it is not */
    int64_t revoked_ms;  /* the device; likewise */
    int64_t last_seen_ms;
};
SP_CHECK enum sp_error store_find_certificate(struct store *store, const struct digest *fingerprint,
                                              struct login_row *out);
SP_CHECK enum sp_error store_set_last_seen(struct store *store, int64_t device, int64_t now_ms);

struct member_row {
    int64_t number;
    enum role role;
    int64_t disabled_ms;
};
SP_CHECK enum sp_error store_find_member(struct store *store, const char *username,
                                         struct member_row *out);
SP_CHECK enum sp_error store_add_member(struct store *store, const char *username, enum role role,
                                        int64_t now_ms, int64_t *member);
/* SINCE_MS 0: not any more. */
SP_CHECK enum sp_error store_set_disabled(struct store *store, int64_t member, int64_t since_ms);

SP_CHECK enum sp_error store_add_device(struct store *store, const struct id *id, int64_t member,
                                        const char *label, int64_t now_ms, int64_t *device);
SP_CHECK enum sp_error store_find_device(struct store *store, const struct id *id, int64_t *device,
                                         int64_t *member, int64_t *revoked_ms);
/* Whether the device is, or its member is, shut out: SP_OK, SP_EREVOKED, SP_EDISABLED. */
SP_CHECK enum sp_error store_check_device(struct store *store, int64_t device);
/* How many devices MEMBER has that are not revoked, and how many of these are called LABEL. */
SP_CHECK enum sp_error store_count_devices(struct store *store, int64_t member, const char *label,
                                           uint64_t *all, uint64_t *labelled);
SP_CHECK enum sp_error store_set_revoked(struct store *store, int64_t device, int64_t now_ms);
/* Whether a revoked device of MEMBER has a certificate with the serial number and issuer of LOGIN.
 */
SP_CHECK enum sp_error store_is_serial_revoked(struct store *store, int64_t member,
                                               const struct command_login *login, bool *out);
SP_CHECK enum sp_error store_add_certificate(struct store *store, int64_t device,
                                             const struct command_login *login, int64_t now_ms);

/* Stored; never renumber. */
enum invitation_state { INVITATION_OPEN = 0, INVITATION_USED = 1 };

struct invitation_row {
    int64_t number;
    char username[LIMIT_USERNAME_BYTES + 1];
    int64_t member; /* for another device of this one; 0: for somebody new */
    enum role role;
    char logs[LIMIT_INVITATION_LOGS * (LIMIT_LOG_NAME_BYTES + 1) + 1];
    int64_t expires_ms;
    enum invitation_state state;
    int64_t disabled_ms; /* MEMBER */
};
SP_CHECK enum sp_error store_find_invitation(struct store *store, const struct digest *digest,
                                             struct invitation_row *out);
/* The one of somebody new that is open for USERNAME. */
SP_CHECK enum sp_error store_find_open_invitation(struct store *store, const char *username,
                                                  struct invitation_row *out);
/* Those that can still be used at NOW_MS, in all. */
SP_CHECK enum sp_error store_count_invitations(struct store *store, int64_t now_ms, uint64_t *out);
/* Those for USERNAME that can still be used at NOW_MS. */
SP_CHECK enum sp_error store_count_invitations_of(struct store *store, const char *username,
                                                  int64_t now_ms, uint64_t *out);
SP_CHECK enum sp_error store_add_invitation(struct store *store, const struct digest *digest,
                                            const struct invitation_row *row, int64_t now_ms,
                                            const struct actor *created_by);
/* What is void is deleted. Open ones for USERNAME that expire by UNTIL_MS; INT64_MAX: all. */
SP_CHECK enum sp_error store_void_invitations(struct store *store, const char *username,
                                              int64_t until_ms);
/* Open ones, for whomever, that MEMBER has made: with DEVICE; 0: with any. */
SP_CHECK enum sp_error store_void_invitations_by(struct store *store, int64_t member,
                                                 int64_t device);
SP_CHECK enum sp_error store_use_invitation(struct store *store, int64_t invitation, int64_t device,
                                            const struct digest *key, const struct issued *issued);
/* What a used invitation was used for, into REPLY (with a chain of its own), and by which key. */
SP_CHECK enum sp_error store_find_enrolled(struct store *store, int64_t invitation,
                                           struct digest *key, struct reply *reply);

#endif
