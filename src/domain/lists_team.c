/* Lists of devices and of open invitations, page by page; their keys count rows, as in lists.c. */
#include <string.h>

#include "domain/read.h"
#include "domain/store_team.h"

static void read_device(struct statement *query, struct device_info *out)
{
    out->number = statement_get_i64(query);
    statement_get_bytes(query, out->id.bytes, ID_BYTES);
    statement_get_text(query, out->username, sizeof out->username);
    statement_get_text(query, out->label, sizeof out->label);
    struct slice fingerprint = statement_get_slice(query);
    if (fingerprint.size == DIGEST_BYTES) {
        memcpy(out->fingerprint.bytes, fingerprint.data, DIGEST_BYTES);
    }
    out->not_after_ms = statement_get_i64(query);
    out->first_seen_ms = statement_get_i64(query);
    out->last_seen_ms = statement_get_i64(query);
    out->revoked_ms = statement_get_i64(query);
}

/* Whose devices are asked for; 0: everybody's. */
static enum sp_error choose_member(struct store *store, const struct command *command,
                                   int64_t *member)
{
    const char *name = command->list.member;
    struct member_row row;

    *member = command->actor.member;
    if (name[0] == '\0' || strcmp(name, command->actor.username) == 0) {
        return SP_OK;
    }
    enum sp_error error = access_check_team(command->actor.role, TEAM_DEVICES);
    if (error == SP_OK && strcmp(name, "*") == 0) {
        *member = 0;
        return SP_OK;
    }
    if (error == SP_OK) {
        error = store_find_member(store, name, &row);
        *member = row.number;
    }
    return error;
}

enum sp_error read_list_devices(struct store *store, const struct command *command,
                                struct reply *reply)
{
    int64_t member = 0;
    size_t maximum = 0;
    struct row *row = NULL;
    enum sp_error error = choose_member(store, command, &member);

    if (error == SP_OK) {
        error = read_begin_list(command, reply, &maximum);
    }
    if (error != SP_OK) {
        return error;
    }
    struct statement *query =
        store->queries[member == 0 ? QUERY_LIST_ALL_DEVICES : QUERY_LIST_DEVICES];
    statement_bind_i64(query, member);
    statement_bind_u64(query, maximum + 1);
    statement_bind_u64(query, command->list.after);
    while (!reply->list.more && statement_next(query)) {
        row = read_next_row(reply, maximum);
        if (row != NULL) {
            row->kind = ROW_DEVICE;
            read_device(query, &row->device);
            row->key = command->list.after + reply->list.count;
        }
    }
    return statement_finish(query);
}

enum sp_error read_list_invitations(struct store *store, const struct command *command,
                                    struct reply *reply)
{
    struct statement *query = store->queries[QUERY_LIST_INVITATIONS];
    size_t maximum = 0;
    struct row *row = NULL;
    enum sp_error error = access_check_team(command->actor.role, TEAM_INVITE);

    if (error == SP_OK) {
        error = read_begin_list(command, reply, &maximum);
    }
    if (error != SP_OK) {
        return error;
    }
    statement_bind_u64(query, maximum + 1);
    statement_bind_u64(query, command->list.after);
    while (!reply->list.more && statement_next(query)) {
        row = read_next_row(reply, maximum);
        if (row != NULL) {
            struct invitation_info *info = &row->invitation;

            row->kind = ROW_INVITATION;
            statement_get_text(query, info->username, sizeof info->username);
            info->role = (enum role)statement_get_i64(query);
            info->device = statement_get_i64(query) != 0;
            info->created_ms = statement_get_i64(query);
            info->expires_ms = statement_get_i64(query);
            statement_get_text(query, info->created_by, sizeof info->created_by);
            row->key = command->list.after + reply->list.count;
        }
    }
    return statement_finish(query);
}
