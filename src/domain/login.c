/* Who logs in: from the certificate, which TLS has judged, to the member and the device. */
#include <string.h>

#include "base/name.h"
#include "crypto/secret.h"
#include "domain/core.h"
#include "domain/store_team.h"

/* How exactly it is known when somebody was here last; saves a write for each login. */
#define LAST_SEEN_STEP_MS SEEN_INTERVAL_MS

/* A certificate that was never seen: its member, made if new, gets one more device. */
static enum sp_error admit(struct core *core, const struct command *command, struct actor *actor)
{
    const struct command_login *login = &command->login;
    struct member_row member;
    enum sp_error error = store_find_member(&core->store, login->username, &member);

    actor->member = member.number;
    actor->role = member.role;
    if (error == SP_ENOTFOUND) {
        error = store_add_member(&core->store, login->username, ROLE_MEMBER, command->received_ms,
                                 &actor->member);
    } else if (error == SP_OK && member.disabled_ms != 0) {
        error = SP_EDISABLED;
    }
    /* The same certificate can be written in another way, with another fingerprint: of an ECDSA
     * signature (r, s) both s and n - s are good. */
    bool is_revoked = false;
    if (error == SP_OK) {
        error = store_is_serial_revoked(&core->store, actor->member, login, &is_revoked);
    }
    if (error == SP_OK && is_revoked) {
        error = SP_EREVOKED;
    }
    if (error == SP_OK) {
        random_id(&actor->device_id);
        error = store_add_device(&core->store, &actor->device_id, actor->member, "",
                                 command->received_ms, &actor->device);
    }
    if (error == SP_OK) {
        error = store_add_certificate(&core->store, actor->device, login, command->received_ms);
    }
    memcpy(actor->username, login->username, sizeof actor->username);
    return error;
}

/* A certificate that is known. */
static enum sp_error greet(struct core *core, const struct command *command,
                           const struct login_row *row)
{
    int64_t since_ms = command->received_ms - row->last_seen_ms;

    if (strcmp(row->actor.username, command->login.username) != 0) {
        return SP_EIDENTITY;
    }
    if (row->disabled_ms != 0) {
        return SP_EDISABLED;
    }
    if (row->revoked_ms != 0) {
        return SP_EREVOKED;
    }
    return since_ms < LAST_SEEN_STEP_MS
               ? SP_OK
               : store_set_last_seen(&core->store, row->actor.device, command->received_ms);
}

enum sp_error handle_seen(struct core *core, const struct command *command, struct reply *reply)
{
    struct seen_note note;
    enum sp_error error = SP_OK;

    (void)reply;
    for (size_t at = 0; error == SP_OK && at + sizeof note <= command->body_size;
         at += sizeof note) {
        memcpy(&note, command->body + at, sizeof note);
        error = store_set_last_seen(&core->store, note.device, note.wall_ms);
    }
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
    } else if (error == SP_OK) {
        error = greet(core, command, &row);
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
