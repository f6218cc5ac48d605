/* Invitations: who may have a code made, and for whom. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/name.h"
#include "domain/core.h"
#include "domain/store_team.h"

#define OPEN_PER_MEMBER 8 /* codes for further devices of one member that may be open at a time */

/* The server itself may do everything: it makes the first administrator's. */
static enum sp_error check_right(const struct command *command, enum team_right right)
{
    return command->actor.member == 0 ? SP_OK : access_check_team(command->actor.role, right);
}

/* A sentence for the user, and the error that it is about. */
static enum sp_error refuse(struct reply *reply, enum sp_error error, const char *format, ...)
    PRINTF_LIKE(3, 4);

static enum sp_error refuse(struct reply *reply, enum sp_error error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reply->detail, sizeof reply->detail, format, arguments);
    va_end(arguments);
    return error;
}

/* Each name of COMMAND's body is a room or a box; they stand in ROW->logs from then on. */
static enum sp_error check_logs(struct core *core, const struct command *command,
                                struct invitation_row *row, struct reply *reply)
{
    char *rest = NULL;

    if (command->body_size >= sizeof row->logs) {
        return SP_ELIMIT;
    }
    char names[sizeof row->logs];
    memcpy(names, command->body, command->body_size);
    names[command->body_size] = '\0';
    memcpy(row->logs, names, sizeof names);
    unsigned count = 0;
    for (char *name = strtok_r(names, " ", &rest); name != NULL;
         name = strtok_r(NULL, " ", &rest)) {
        struct log_key key = {{0}, {{0}}};
        struct log_row *log = NULL;

        if (strlen(name) > LIMIT_LOG_NAME_BYTES || ++count > LIMIT_INVITATION_LOGS) {
            return SP_ELIMIT;
        }
        memcpy(key.name, name, strlen(name));
        enum sp_error error = cache_find_log_by_key(&core->cache, &key, &log);
        if (error == SP_ENOTFOUND) {
            return refuse(reply, error, "there is no room and no box named %s", name);
        }
        if (error != SP_OK) {
            return error;
        }
    }
    return SP_OK;
}

/* For somebody new. */
static enum sp_error plan_member(struct core *core, const struct command *command,
                                 struct invitation_row *row, struct reply *reply)
{
    const char *name = command->invite.username;
    struct member_row member;
    struct invitation_row open;
    enum sp_error error = check_right(command, TEAM_INVITE);

    if (error == SP_OK) {
        error = name_check_username(name, strlen(name));
    }
    if (error != SP_OK) {
        return error;
    }
    if (command->invite.role != ROLE_MEMBER && command->invite.role != ROLE_ADMINISTRATOR) {
        return refuse(reply, SP_EINVALID, "there is no such role");
    }
    error = store_find_member(&core->store, name, &member);
    if (error == SP_OK) {
        return member.disabled_ms != 0 ? refuse(reply, SP_EDISABLED,
                                                "%s is shut out; a name is never given again", name)
                                       : refuse(reply, SP_EEXISTS, "%s is a member already", name);
    }
    error = error == SP_ENOTFOUND ? store_find_open_invitation(&core->store, name, &open) : error;
    if (error == SP_OK && !command->invite.renew && open.expires_ms > command->received_ms) {
        return refuse(reply, SP_EEXISTS, "%s is invited already", name);
    }
    row->role = command->invite.role;
    if (error == SP_OK) {
        if (open.expires_ms > command->received_ms && open.role > row->role) {
            row->role = open.role; /* a new code is no other promise */
        }
        error = store_void_invitations(&core->store, name, INT64_MAX);
    }
    memcpy(row->username, name, sizeof row->username);
    return error == SP_OK || error == SP_ENOTFOUND ? check_logs(core, command, row, reply) : error;
}

/* For another device of somebody. */
static enum sp_error plan_device(struct core *core, const struct command *command,
                                 struct invitation_row *row, struct reply *reply)
{
    const char *name =
        command->invite.username[0] != '\0' ? command->invite.username : command->actor.username;
    struct member_row member;
    uint64_t open = 0;
    enum sp_error error =
        strcmp(name, command->actor.username) == 0 ? SP_OK : check_right(command, TEAM_INVITE);

    if (error == SP_OK) {
        error = store_find_member(&core->store, name, &member);
    }
    if (error == SP_ENOTFOUND) {
        return refuse(reply, error, "there is no member named %s", name);
    }
    if (error == SP_OK && member.disabled_ms != 0) {
        return refuse(reply, SP_EDISABLED, "%s is shut out", name);
    }
    if (error == SP_OK) { /* expired ones, too: else a member could have any number of them */
        error = store_void_invitations(&core->store, name,
                                       command->invite.renew ? INT64_MAX : command->received_ms);
    }
    if (error == SP_OK) {
        error = store_count_invitations_of(&core->store, name, command->received_ms, &open);
    }
    if (error == SP_OK && open >= OPEN_PER_MEMBER) {
        return refuse(reply, SP_ELIMIT, "%d codes for devices of %s are open already",
                      OPEN_PER_MEMBER, name);
    }
    if (error == SP_OK) {
        (void)snprintf(row->username, sizeof row->username, "%s", name);
        row->member = member.number;
        row->role = member.role;
    }
    return error;
}

/* SP_OK: the same was asked for before, and REPLY says so. SP_ENOTFOUND: it was not. */
static enum sp_error find_repeated(struct core *core, const struct command *command,
                                   struct reply *reply)
{
    const struct command_invite *invite = &command->invite;
    const char *name = invite->username[0] != '\0' ? invite->username : command->actor.username;
    struct invitation_row row;
    enum sp_error error = store_find_invitation(&core->store, &invite->secret_digest, &row);

    if (error != SP_OK) {
        return error;
    }
    if (strcmp(row.username, name) != 0 || (row.member != 0) != invite->device) {
        return SP_ECONFLICT;
    }
    reply->kind = REPLY_INVITED;
    memcpy(reply->invited.username, row.username, sizeof row.username);
    reply->invited.expires_ms = row.expires_ms;
    reply->invited.repeated = true;
    return SP_OK;
}

enum sp_error handle_invite(struct core *core, const struct command *command, struct reply *reply)
{
    const struct command_invite *invite = &command->invite;
    struct invitation_row row = {0};
    uint64_t open = 0;
    enum sp_error error = find_repeated(core, command, reply);

    if (error != SP_ENOTFOUND) {
        return error;
    }
    if (invite->valid_ms < 0 || invite->valid_ms > LIMIT_INVITATION_VALID_MS) {
        return refuse(reply, SP_EINVALID, "a code is valid for %d days at most",
                      (int)(LIMIT_INVITATION_VALID_MS / 86400000));
    }
    row.expires_ms =
        command->received_ms + (invite->valid_ms > 0 ? invite->valid_ms : INVITATION_VALID_MS);
    error = invite->device ? plan_device(core, command, &row, reply)
                           : plan_member(core, command, &row, reply);
    if (error == SP_OK) {
        error = store_count_invitations(&core->store, command->received_ms, &open);
    }
    if (error == SP_OK && open >= LIMIT_INVITATIONS) {
        error = refuse(reply, SP_ELIMIT, "%d invitations are open already", LIMIT_INVITATIONS);
    }
    if (error == SP_OK) {
        error = store_add_invitation(&core->store, &invite->secret_digest, &row,
                                     command->received_ms, &command->actor);
    }
    if (error != SP_OK) {
        return error;
    }
    reply->kind = REPLY_INVITED;
    memcpy(reply->invited.username, row.username, sizeof row.username);
    reply->invited.expires_ms = row.expires_ms;
    return SP_OK;
}
