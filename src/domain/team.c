/* Shutting out: a device, or a member with all devices. */
#include <stdio.h>
#include <string.h>

#include "domain/core.h"
#include "domain/store_team.h"

enum sp_error handle_device_revoke(struct core *core, const struct command *command,
                                   struct reply *reply)
{
    int64_t device = 0;
    int64_t owner = 0;
    int64_t revoked_ms = 0;
    enum sp_error error =
        store_find_device(&core->store, &command->device, &device, &owner, &revoked_ms);

    if (error == SP_OK && owner != command->actor.member &&
        access_check_team(command->actor.role, TEAM_DEVICES) != SP_OK) {
        error = SP_ENOTFOUND;
    }
    if (error == SP_ENOTFOUND) {
        (void)snprintf(reply->detail, sizeof reply->detail, "there is no such device of yours");
    }
    if (error == SP_OK && revoked_ms == 0) {
        error = store_set_revoked(&core->store, device, command->received_ms);
        if (error == SP_OK) { /* who has it may have made some, to come back with */
            error = store_void_invitations_by(&core->store, owner, device);
        }
        if (error == SP_OK) {
            error = core_shut_out(core, owner, device, SP_EREVOKED);
        }
    }
    reply->kind = error == SP_OK ? REPLY_DONE : REPLY_ERROR;
    return error;
}

/* Only codes were given out for the name so far: they are void. */
static enum sp_error withdraw(struct core *core, const struct command *command, struct reply *reply)
{
    struct invitation_row open;
    enum sp_error error = store_find_open_invitation(&core->store, command->member.username, &open);

    if (error == SP_ENOTFOUND || !command->member.disabled) {
        (void)snprintf(reply->detail, sizeof reply->detail, "there is no member named %s",
                       command->member.username);
        return SP_ENOTFOUND;
    }
    return error != SP_OK
               ? error
               : store_void_invitations(&core->store, command->member.username, INT64_MAX);
}

static enum sp_error set_disabled(struct core *core, const struct command *command,
                                  const struct member_row *member)
{
    bool disabled = command->member.disabled;
    enum sp_error error = SP_OK;

    if (disabled == (member->disabled_ms != 0)) {
        return SP_OK;
    }
    error = store_set_disabled(&core->store, member->number, disabled ? command->received_ms : 0);
    if (error == SP_OK && disabled) {
        error = store_void_invitations(&core->store, command->member.username, INT64_MAX);
    }
    if (error == SP_OK && disabled) {
        error = store_void_invitations_by(&core->store, member->number, 0);
    }
    if (error == SP_OK && disabled) {
        error = core_shut_out(core, member->number, 0, SP_EDISABLED);
    }
    return error;
}

enum sp_error handle_member_set(struct core *core, const struct command *command,
                                struct reply *reply)
{
    struct member_row member;
    enum sp_error error = access_check_team(command->actor.role, TEAM_MEMBERS);

    if (error == SP_OK) {
        error = store_find_member(&core->store, command->member.username, &member);
        if (error == SP_OK && member.number == command->actor.member) {
            (void)snprintf(reply->detail, sizeof reply->detail,
                           "you cannot shut yourself out; another administrator can");
            error = SP_EFORBIDDEN;
        } else if (error == SP_OK) {
            error = set_disabled(core, command, &member);
        } else if (error == SP_ENOTFOUND) {
            error = withdraw(core, command, reply);
        }
    }
    reply->kind = error == SP_OK ? REPLY_DONE : REPLY_ERROR;
    return error;
}
