/* Frames → commands: those of the team, its members and devices. */
#include <string.h>

#include "session/internal.h"

/* The names of rooms and boxes, with a space between two. */
static size_t join_names(const sealpost_v1_Invite *invite, char *out)
{
    size_t size = 0;
    for (pb_size_t i = 0; i < invite->logs_count; i++) {
        size_t length = strlen(invite->logs[i]);
        if (out != NULL) {
            memcpy(out + size, invite->logs[i], length);
            out[size + length] = ' ';
        }
        size += length + 1;
    }
    return size > 0 ? size - 1 : 0;
}

enum sp_error request_invite(struct session *session, const struct frame *frame,
                             const union message *message)
{
    const sealpost_v1_Invite *invite = &message->invite;
    char names[LIMIT_INVITATION_LOGS * (LIMIT_LOG_NAME_BYTES + 1)];
    struct command *command = NULL;
    for (pb_size_t i = 0; i < invite->logs_count; i++) {
        if (strchr(invite->logs[i], ' ') != NULL) {
            return SP_ENAME;
        }
    }
    size_t size = join_names(invite, names);
    enum sp_error error =
        request_new_command(session, COMMAND_INVITE, frame->stream, size, &command);
    if (error != SP_OK) {
        return error;
    }
    memcpy(command->invite.secret_digest.bytes, invite->secret_digest, DIGEST_BYTES);
    memcpy(command->invite.username, invite->username, sizeof command->invite.username);
    command->invite.role = (enum role)invite->role; /* the domain knows which there are */
    command->invite.valid_ms = invite->valid_ms;
    command->invite.renew = invite->renew;
    command->invite.device = invite->device;
    memcpy(command->body, names, size);
    return request_submit(session, command);
}

enum sp_error request_device_revoke(struct session *session, const struct frame *frame,
                                    const union message *message)
{
    struct command *command = NULL;
    enum sp_error error =
        request_new_command(session, COMMAND_DEVICE_REVOKE, frame->stream, 0, &command);
    if (error != SP_OK) {
        return error;
    }
    memcpy(command->device.bytes, message->device_revoke.device, ID_BYTES);
    return request_submit(session, command);
}

enum sp_error request_member_set(struct session *session, const struct frame *frame,
                                 const union message *message)
{
    const sealpost_v1_MemberSet *set = &message->member_set;
    struct command *command = NULL;
    enum sp_error error =
        request_new_command(session, COMMAND_MEMBER_SET, frame->stream, 0, &command);
    if (error != SP_OK) {
        return error;
    }
    memcpy(command->member.username, set->username, sizeof command->member.username);
    command->member.disabled = set->disabled;
    return request_submit(session, command);
}
