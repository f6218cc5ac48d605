/* The requests of sealpost/team.h. */
#include "sealpost/team.h"

#include <stdio.h>
#include <string.h>

#include "base/name.h"
#include "client/internal.h"

static const struct slice no_raw = {NULL, 0};

static enum sp_error take_number(enum sp_error error, const struct request *asked,
                                 uint32_t *request)
{
    *request = error == SP_OK ? asked->number : 0;
    return error;
}

/* Rooms and boxes, by their names. */
static enum sp_error add_logs(const struct sp_invite *invite, sealpost_v1_Invite *message)
{
    if (invite->log_count > LIMIT_INVITATION_LOGS) {
        return SP_ELIMIT;
    }
    for (size_t i = 0; i < invite->log_count; i++) {
        const char *name = invite->logs[i];

        name += name[0] == '#' ? 1 : 0;
        if (name_check_log(name, strlen(name)) != SP_OK) {
            return SP_ENAME;
        }
        (void)snprintf(message->logs[i], sizeof message->logs[i], "%s", name);
    }
    message->logs_count = (pb_size_t)invite->log_count;
    return SP_OK;
}

enum sp_error sp_invite(struct sp_client *client, const struct sp_invite *invite, uint32_t *request)
{
    sealpost_v1_Invite message = {
        .role = (uint32_t)invite->role,
        .valid_ms = invite->valid_ms,
        .renew = invite->renew,
        .device = invite->device,
    };
    const char *username = invite->username != NULL ? invite->username : "";
    struct request *asked = NULL;

    *request = 0;
    bool myself = invite->device && username[0] == '\0';
    enum sp_error error = myself ? SP_OK : name_check_username(username, strlen(username));
    if (error == SP_OK) {
        error = add_logs(invite, &message);
    }
    if (error != SP_OK) {
        return error;
    }
    memcpy(message.secret_digest, invite->secret_digest, sizeof message.secret_digest);
    (void)snprintf(message.username, sizeof message.username, "%s", username);
    error = core_request(&client->core, ASK_INVITE, FRAME_INVITE, &message, no_raw, &asked);
    return take_number(error, asked, request);
}

enum sp_error sp_device_revoke(struct sp_client *client, const uint8_t device[SP_ID_BYTES],
                               uint32_t *request)
{
    sealpost_v1_DeviceRevoke message;
    struct request *asked = NULL;

    memcpy(message.device, device, sizeof message.device);
    enum sp_error error =
        core_request(&client->core, ASK_DONE, FRAME_DEVICE_REVOKE, &message, no_raw, &asked);
    return take_number(error, asked, request);
}

enum sp_error sp_member_disable(struct sp_client *client, const char *username, bool disabled,
                                uint32_t *request)
{
    sealpost_v1_MemberSet message = {.disabled = disabled};
    struct request *asked = NULL;

    *request = 0;
    if (username == NULL || name_check_username(username, strlen(username)) != SP_OK) {
        return SP_ENAME;
    }
    (void)snprintf(message.username, sizeof message.username, "%s", username);
    enum sp_error error =
        core_request(&client->core, ASK_DONE, FRAME_MEMBER_SET, &message, no_raw, &asked);
    return take_number(error, asked, request);
}

static enum sp_error list(struct sp_client *client, const sealpost_v1_List *message,
                          uint32_t *request)
{
    struct request *asked = NULL;
    enum sp_error error =
        core_request(&client->core, ASK_LIST, FRAME_LIST, message, no_raw, &asked);

    if (error == SP_OK) {
        asked->list = *message;
    }
    return take_number(error, asked, request);
}

enum sp_error sp_list_devices(struct sp_client *client, const char *member, uint32_t *request)
{
    sealpost_v1_List message = {.what = sealpost_v1_List_What_DEVICES};

    *request = 0;
    if (member != NULL && strcmp(member, "*") != 0 &&
        name_check_username(member, strlen(member)) != SP_OK) {
        return SP_ENAME;
    }
    (void)snprintf(message.member, sizeof message.member, "%s", member != NULL ? member : "");
    return list(client, &message, request);
}

enum sp_error sp_list_invitations(struct sp_client *client, uint32_t *request)
{
    const sealpost_v1_List message = {.what = sealpost_v1_List_What_INVITATIONS};

    return list(client, &message, request);
}
