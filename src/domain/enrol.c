/*
 * Joining: a code and a key in, a member's device with its certificate out, all in one transaction.
 * Whoever lost the answer comes again with the same code and the same key, and gets it again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "crypto/secret.h"
#include "domain/core.h"
#include "domain/store_team.h"

/* The invitation that the secret of COMMAND belongs to, if it may be used, now or again. */
static enum sp_error find_invitation(struct core *core, const struct command *command,
                                     struct invitation_row *row)
{
    struct digest digest;
    enum sp_error error = command_join_digest(command->enrol.secret, &digest);

    memset(row, 0, sizeof *row);
    if (error == SP_OK) {
        error = store_find_invitation(&core->store, &digest, row);
    }
    if (error == SP_ENOTFOUND) {
        return SP_ECODE;
    }
    if (error == SP_OK && row->state == INVITATION_OPEN &&
        row->expires_ms <= command->received_ms) {
        return SP_ECODEEXPIRED;
    }
    return error == SP_OK && row->state == INVITATION_OPEN && row->disabled_ms != 0 ? SP_EDISABLED
                                                                                    : error;
}

/* A code that was used: by whom it was, it may be again. */
static enum sp_error find_repeated(struct core *core, const struct invitation_row *row,
                                   const struct digest *key, struct reply *reply)
{
    struct digest used_by;
    enum sp_error error = store_find_enrolled(&core->store, row->number, &used_by, reply);

    reply->enrolled.repeated = true;
    if (error == SP_ENOTFOUND) {
        return SP_EINTEGRITY;
    }
    if (error == SP_OK || error == SP_EREVOKED || error == SP_EDISABLED) {
        return digest_equal(&used_by, key) ? error : SP_ECODEUSED;
    }
    return error;
}

/* The member of ROW, made if it is somebody new. */
static enum sp_error find_or_add_member(struct core *core, const struct command *command,
                                        const struct invitation_row *row, struct reply *reply)
{
    struct actor *actor = &reply->enrolled.actor;

    memcpy(actor->username, row->username, sizeof actor->username);
    actor->role = row->role;
    actor->member = row->member;
    if (row->member != 0) {
        return SP_OK;
    }
    enum sp_error error = store_add_member(&core->store, row->username, row->role,
                                           command->received_ms, &actor->member);
    if (error == SP_EEXISTS) {
        (void)snprintf(reply->detail, sizeof reply->detail, "%s is a member already",
                       row->username);
    }
    return error;
}

/* The label asked for, with a number behind it if the member has a device of that name. */
static enum sp_error choose_label(struct core *core, const char *wanted, int64_t member,
                                  char label[LIMIT_LABEL_BYTES + 1])
{
    uint64_t devices = 0;
    uint64_t labelled = 0;
    size_t length = strlen(wanted);

    (void)snprintf(label, LIMIT_LABEL_BYTES + 1, "%s", wanted);
    for (unsigned number = 2;; number++) {
        enum sp_error error = store_count_devices(&core->store, member, label, &devices, &labelled);
        if (error != SP_OK || labelled == 0) {
            return error == SP_OK && devices >= LIMIT_DEVICES_PER_MEMBER ? SP_ELIMIT : error;
        }
        if (number > LIMIT_DEVICES_PER_MEMBER + 1) {
            return SP_ELIMIT;
        }
        char suffix[16];
        size_t size = (size_t)snprintf(suffix, sizeof suffix, "-%u", number);
        size_t kept = length + size <= LIMIT_LABEL_BYTES ? length : LIMIT_LABEL_BYTES - size;
        while (kept > 0 && ((unsigned char)wanted[kept] & 0xc0) == 0x80) {
            kept--; /* not in the middle of a character (RFC 3629) */
        }
        memcpy(label + kept, suffix, size + 1);
    }
}

static enum sp_error add_device(struct core *core, const struct command *command,
                                const struct invitation_row *row, const struct digest *key,
                                const struct issued *issued, struct reply *reply)
{
    struct actor *actor = &reply->enrolled.actor;
    char label[LIMIT_LABEL_BYTES + 1];
    struct command_login login = {
        .fingerprint = issued->fingerprint,
        .serial_bytes = issued->serial_bytes,
        .issuer = issued->issuer,
        .not_after_ms = issued->not_after_ms,
    };
    enum sp_error error = choose_label(core, command->enrol.label, actor->member, label);

    memcpy(login.serial, issued->serial, sizeof login.serial);
    random_id(&actor->device_id);
    if (error == SP_OK) {
        error = store_add_device(&core->store, &actor->device_id, actor->member, label,
                                 command->received_ms, &actor->device);
    }
    if (error == SP_OK) {
        error = store_add_certificate(&core->store, actor->device, &login, command->received_ms);
    }
    return error != SP_OK
               ? error
               : store_use_invitation(&core->store, row->number, actor->device, key, issued);
}

/* The new member of COMMAND, whose actor it is, comes into the room NAME. */
static enum sp_error join_room(struct core *core, const struct command *joining, const char *name)
{
    const struct body body = {.member = slice_of_string(joining->actor.username)};
    struct log_key key = {{0}, {{0}}};
    struct log_row *log = NULL;
    enum relation relation = RELATION_NONE;
    struct draft draft;

    memcpy(key.name, name, strlen(name));
    enum sp_error error = cache_find_log_by_key(&core->cache, &key, &log);
    if (error == SP_OK) {
        error = cache_find_relation(&core->cache, log, joining->actor.member, &relation);
    }
    if (error != SP_OK || relation != RELATION_NONE ||
        access_check(log->info.kind, relation, RIGHT_JOIN) != SP_OK) {
        return error; /* boxes need no joining */
    }
    error = core_set_role(core, joining, log, RELATION_MEMBER);
    if (error == SP_OK) {
        error = draft_from_server(&draft, EVENT_JOINED, &body);
    }
    return error != SP_OK ? error : core_append(core, joining, log, &draft, NULL);
}

static enum sp_error join_rooms(struct core *core, const struct command *command,
                                const struct invitation_row *row, const struct actor *actor)
{
    const struct command joining = {.actor = *actor, .received_ms = command->received_ms};
    char names[sizeof row->logs];
    char *rest = NULL;
    enum sp_error error = SP_OK;

    memcpy(names, row->logs, sizeof names);
    for (char *name = strtok_r(names, " ", &rest); name != NULL && error == SP_OK;
         name = strtok_r(NULL, " ", &rest)) {
        error = join_room(core, &joining, name);
    }
    return error;
}

/* What was issued, for the answer. */
static enum sp_error fill_reply(const struct issued *issued, struct reply *reply)
{
    reply->enrolled.fingerprint = issued->fingerprint;
    memcpy(reply->enrolled.serial, issued->serial, sizeof reply->enrolled.serial);
    reply->enrolled.serial_bytes = issued->serial_bytes;
    reply->enrolled.not_after_ms = issued->not_after_ms;
    reply->enrolled.chain = malloc(issued->size);
    if (reply->enrolled.chain == NULL) {
        return SP_ENOMEM;
    }
    memcpy(reply->enrolled.chain, issued->chain, issued->size);
    reply->enrolled.size = issued->size;
    return SP_OK;
}

static enum sp_error enrol(struct core *core, const struct command *command,
                           const struct invitation_row *row, const struct digest *key,
                           struct reply *reply)
{
    const struct slice request = {command->body, command->body_size};
    struct issued *issued = calloc(1, sizeof *issued);
    enum sp_error error = issued == NULL ? SP_ENOMEM : SP_OK;

    reply->kind = REPLY_ENROLLED;
    if (error == SP_OK) {
        error = find_or_add_member(core, command, row, reply);
    }
    if (error == SP_OK) {
        error =
            core->issue->issue(core->issue->context, request, row->username, command->received_ms,
                               issued, reply->detail, sizeof reply->detail);
    }
    if (error == SP_OK) {
        error = add_device(core, command, row, key, issued, reply);
    }
    if (error == SP_OK) {
        error = join_rooms(core, command, row, &reply->enrolled.actor);
    }
    if (error == SP_OK) {
        error = fill_reply(issued, reply);
    }
    free(issued);
    return error;
}

enum sp_error handle_enrol(struct core *core, const struct command *command, struct reply *reply)
{
    const struct slice request = {command->body, command->body_size};
    struct invitation_row row;
    struct digest key;

    if (core->issue == NULL) {
        return SP_EUNSUPPORTED;
    }
    enum sp_error error = find_invitation(core, command, &row);
    if (error != SP_OK) {
        return error;
    }
    if (name_check_label(command->enrol.label, strlen(command->enrol.label)) != SP_OK) {
        (void)snprintf(reply->detail, sizeof reply->detail,
                       "the device's name is empty, too long, or has control characters");
        return SP_ENAME;
    }
    error = core->issue->check(core->issue->context, request, &key, reply->detail,
                               sizeof reply->detail);
    if (error != SP_OK) {
        return error;
    }
    return row.state == INVITATION_USED ? find_repeated(core, &row, &key, reply)
                                        : enrol(core, command, &row, &key, reply);
}
