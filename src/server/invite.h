/*
 * Join codes that the server itself makes, of the first administrator and of whoever has no other
 * way in. Called by `sealpostd init` and `sealpostd invite` on a domain without threads. Blocks.
 */
#ifndef SP_SERVER_INVITE_H
#define SP_SERVER_INVITE_H

#include "domain/domain.h"

struct invite_order {
    const char *username;
    enum role role; /* of somebody new; a member's stays as it is */
    const char *host;
    uint16_t port;
    struct digest root; /* SHA-256 of the team's root certificate, DER */
    int64_t now_ms;
};

struct invite_made {
    char code[LIMIT_JOIN_CODE_BYTES];
    int64_t ends_ms;
    bool device; /* for another device of a member */
};

/*
 * Makes a code: of a member for another device, else for somebody new. Older codes for the same
 * name are void from then on. SP_EDISABLED, SP_ENAME, SP_ELIMIT, SP_EFULL, SP_EIO, SP_ENOMEM, and a
 * sentence in MESSAGE.
 */
SP_CHECK enum sp_error invite_make(struct domain *domain, const struct invite_order *order,
                                   struct invite_made *out, char *message, size_t capacity);

#endif
