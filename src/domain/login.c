/* Who logs in: from the certificate, which TLS has judged, to the member and the device. */
#include <string.h>

#include "base/name.h"
#include "crypto/secret.h"
#include "domain/core.h"

/* A certificate that was never seen: its member, made if new, gets one more device. */
static enum sp_error admit(struct core *core, const struct command *command, struct actor *actor)
{
    const struct command_login *login = &command->login;
    bool disabled = false;
    enum sp_error error =
        store_find_member(&core->store, login->username, &actor->member, &disabled);

    if (error == SP_ENOTFOUND) {
        error =
            store_add_member(&core->store, login->username, command->received_ms, &actor->member);
    } else if (error == SP_OK && disabled) {
        error = SP_EDISABLED;
    }
    if (error == SP_OK) {
        random_id(&actor->device_id);
        error = store_add_device(&core->store, &actor->device_id, actor->member,
                                 command->received_ms, &actor->device);
    }
    if (error == SP_OK) {
        error = store_add_certificate(&core->store, actor->device, login, command->received_ms);
    }
    memcpy(actor->username, login->username, sizeof actor->username);
    return error;
}

enum sp_error handle_login(struct core *core, const struct command *command, struct reply *reply)
{
    const struct command_login *login = &command->login;
    struct login_row row;
    bool is_new = false;

    if (name_check_username(login->username, strlen(login->username)) != SP_OK ||
        login->serial_bytes > SERIAL_BYTES) {
        return SP_EIDENTITY;
    }
    enum sp_error error = store_find_certificate(&core->store, &login->fingerprint, &row);
    if (error == SP_ENOTFOUND) {
        is_new = true;
        error = core->admit_ca ? admit(core, command, &row.actor) : SP_ENOTADMITTED;
    } else if (error == SP_OK && strcmp(row.actor.username, login->username) != 0) {
        error = SP_EIDENTITY;
    } else if (error == SP_OK && row.disabled) {
        error = SP_EDISABLED;
    }
    if (error != SP_OK) {
        return error;
    }
    reply->kind = REPLY_LOGIN;
    reply->login.actor = row.actor;
    reply->login.incarnation = core->incarnation;
    reply->login.new_device = is_new;
    return SP_OK;
}
