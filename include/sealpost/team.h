/*
 * The team's members and devices: inviting, listing, shutting out. As sealpost/client.h, of which
 * this is a part: its rules about threads, pointers and requests hold here, too.
 */
#ifndef SEALPOST_TEAM_H
#define SEALPOST_TEAM_H

#include "sealpost/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a join code is to be good for; make the code with sealpost/join.h. */
struct sp_invite {
    uint8_t secret_digest[SP_DIGEST_BYTES]; /* the server never learns the secret from this */
    const char *username; /* of somebody new; with DEVICE of a member, NULL: of oneself */
    enum sp_role role;    /* not with DEVICE */
    const char *const
        *logs; /* rooms that the member is in from the start, and boxes; may be NULL */
    size_t log_count;
    int64_t valid_ms; /* from now; 0: as long as the server thinks right */
    bool renew;       /* codes that are open for the same name are void from now on */
    bool device;      /* for another device of a member */
};

/*
 * Makes a join code known to the server. Administrators; for one's own further devices, everybody.
 * The result has .invitation. The same INVITE again changes nothing. At once SP_ENAME for a name
 * that is not allowed, SP_ELIMIT for too many logs, and the errors of sealpost/client.h; as result
 * SP_EEXISTS (a member or an open invitation of that name), SP_EDISABLED, SP_EFORBIDDEN,
 * SP_ENOTFOUND (a log, or the member of DEVICE), SP_ELIMIT.
 */
SP_API SP_CHECK enum sp_error sp_invite(struct sp_client *client, const struct sp_invite *invite,
                                        uint32_t *request);

/* Shuts a device out for ever: one's own, or, for administrators, anybody's. SP_ENOTFOUND. Of the
 * device that asks, the end of the connection with SP_EREVOKED is the answer. */
SP_API SP_CHECK enum sp_error
sp_device_revoke(struct sp_client *client, const uint8_t device[SP_ID_BYTES], uint32_t *request);

/* Shuts a member out with all devices, or lets it in again; also withdraws open invitations.
 * Administrators, and not themselves. SP_ENOTFOUND, SP_EFORBIDDEN. */
SP_API SP_CHECK enum sp_error sp_member_disable(struct sp_client *client, const char *username,
                                                bool disabled, uint32_t *request);

/* Rows SP_ROW_DEVICE. MEMBER NULL: one's own; "*": everybody's; others' are for administrators. */
SP_API SP_CHECK enum sp_error sp_list_devices(struct sp_client *client, const char *member,
                                              uint32_t *request);
/* Rows SP_ROW_INVITATION: those that are open. Administrators. */
SP_API SP_CHECK enum sp_error sp_list_invitations(struct sp_client *client, uint32_t *request);

#ifdef __cplusplus
}
#endif

#endif
