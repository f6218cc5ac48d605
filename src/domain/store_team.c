#include "domain/store_team.h"

#include <stdlib.h>
#include <string.h>

/* What a query that must have found a row, or nothing, came to. */
static enum sp_error finish_find(struct statement *query, bool found)
{
    enum sp_error error = statement_finish(query);

    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

/* The columns with which queries of devices begin: m.no, d.no, d.id, m.role, m.username. */
static void read_actor(struct statement *query, struct actor *actor)
{
    actor->member = statement_get_i64(query);
    actor->device = statement_get_i64(query);
    statement_get_bytes(query, actor->device_id.bytes, ID_BYTES);
    actor->role = (enum role)statement_get_i64(query);
    statement_get_text(query, actor->username, sizeof actor->username);
}

enum sp_error store_find_certificate(struct store *store, const struct digest *fingerprint,
                                     struct login_row *out)
{
    struct statement *query = store->queries[QUERY_CERTIFICATE];

    memset(out, 0, sizeof *out);
    statement_bind_blob(query, fingerprint->bytes, DIGEST_BYTES);
    bool found = statement_next(query);
    if (found) {
        read_actor(query, &out->actor);
        out->disabled_ms = statement_get_i64(query);
        out->revoked_ms = statement_get_i64(query);
        out->last_seen_ms = statement_get_i64(query);
    }
    return finish_find(query, found);
}

enum sp_error store_set_last_seen(struct store *store, int64_t device, int64_t now_ms)
{
    struct statement *query = store->queries[QUERY_SET_LAST_SEEN];

    statement_bind_i64(query, now_ms);
    statement_bind_i64(query, device);
    return statement_run(query);
}

enum sp_error store_find_member(struct store *store, const char *username, struct member_row *out)
{
    struct statement *query = store->queries[QUERY_MEMBER];

    memset(out, 0, sizeof *out);
    statement_bind_text(query, username);
    bool found = statement_next(query);
    if (found) {
        out->number = statement_get_i64(query);
        out->role = (enum role)statement_get_i64(query);
        out->disabled_ms = statement_get_i64(query);
    }
    return finish_find(query, found);
}

enum sp_error store_add_member(struct store *store, const char *username, enum role role,
                               int64_t now_ms, int64_t *member)
{
    struct statement *query = store->queries[QUERY_ADD_MEMBER];

    statement_bind_text(query, username);
    statement_bind_i64(query, role);
    statement_bind_i64(query, now_ms);
    enum sp_error error = statement_run(query);
    *member = error == SP_OK ? db_last_row(store->db) : 0;
    return error;
}

enum sp_error store_set_disabled(struct store *store, int64_t member, int64_t since_ms)
{
    struct statement *query = store->queries[QUERY_SET_DISABLED];

    statement_bind_i64(query, since_ms);
    statement_bind_i64(query, member);
    return statement_run(query);
}

enum sp_error store_add_device(struct store *store, const struct id *id, int64_t member,
                               const char *label, int64_t now_ms, int64_t *device)
{
    struct statement *query = store->queries[QUERY_ADD_DEVICE];

    statement_bind_blob(query, id->bytes, ID_BYTES);
    statement_bind_i64(query, member);
    statement_bind_text(query, label);
    statement_bind_i64(query, now_ms);
    statement_bind_i64(query, now_ms);
    enum sp_error error = statement_run(query);
    *device = error == SP_OK ? db_last_row(store->db) : 0;
    return error;
}

enum sp_error store_find_device(struct store *store, const struct id *id, int64_t *device,
                                int64_t *member, int64_t *revoked_ms)
{
    struct statement *query = store->queries[QUERY_DEVICE_BY_ID];

    *device = 0;
    *member = 0;
    *revoked_ms = 0;
    statement_bind_blob(query, id->bytes, ID_BYTES);
    bool found = statement_next(query);
    if (found) {
        *device = statement_get_i64(query);
        *member = statement_get_i64(query);
        *revoked_ms = statement_get_i64(query);
    }
    return finish_find(query, found);
}

enum sp_error store_check_device(struct store *store, int64_t device)
{
    struct statement *query = store->queries[QUERY_DEVICE_STATE];
    bool disabled = true;
    bool revoked = true;

    statement_bind_i64(query, device);
    bool found = statement_next(query);
    if (found) {
        disabled = statement_get_i64(query) != 0;
        revoked = statement_get_i64(query) != 0;
    }
    enum sp_error error = statement_finish(query);
    if (error != SP_OK) {
        return error;
    }
    return disabled ? SP_EDISABLED : revoked ? SP_EREVOKED : SP_OK;
}

enum sp_error store_count_devices(struct store *store, int64_t member, const char *label,
                                  uint64_t *all, uint64_t *labelled)
{
    struct statement *query = store->queries[QUERY_DEVICE_LABEL];

    *all = 0;
    *labelled = 0;
    statement_bind_text(query, label);
    statement_bind_i64(query, member);
    if (statement_next(query)) {
        *all = statement_get_u64(query);
        *labelled = statement_get_u64(query);
    }
    return statement_finish(query);
}

enum sp_error store_set_revoked(struct store *store, int64_t device, int64_t now_ms)
{
    struct statement *query = store->queries[QUERY_SET_REVOKED];

    statement_bind_i64(query, now_ms);
    statement_bind_i64(query, device);
    return statement_run(query);
}

static enum sp_error count(struct statement *query, uint64_t *out)
{
    *out = statement_next(query) ? statement_get_u64(query) : 0;
    return statement_finish(query);
}

enum sp_error store_is_serial_revoked(struct store *store, int64_t member,
                                      const struct command_login *login, bool *out)
{
    struct statement *query = store->queries[QUERY_REVOKED_SERIAL];
    uint64_t devices = 0;

    statement_bind_i64(query, member);
    statement_bind_blob(query, login->serial, login->serial_bytes);
    statement_bind_blob(query, login->issuer.bytes, DIGEST_BYTES);
    enum sp_error error = count(query, &devices);
    *out = devices > 0;
    return error;
}

enum sp_error store_add_certificate(struct store *store, int64_t device,
                                    const struct command_login *login, int64_t now_ms)
{
    struct statement *query = store->queries[QUERY_ADD_CERTIFICATE];

    statement_bind_blob(query, login->fingerprint.bytes, DIGEST_BYTES);
    statement_bind_i64(query, device);
    statement_bind_blob(query, login->serial, login->serial_bytes);
    statement_bind_blob(query, login->issuer.bytes, DIGEST_BYTES);
    statement_bind_i64(query, login->not_after_ms);
    statement_bind_i64(query, now_ms);
    return statement_run(query);
}

/* The one row of QUERY, whose parameters are bound. */
static enum sp_error find_invitation(struct statement *query, struct invitation_row *out)
{
    memset(out, 0, sizeof *out);
    bool found = statement_next(query);
    if (found) {
        out->number = statement_get_i64(query);
        statement_get_text(query, out->username, sizeof out->username);
        out->member = statement_get_i64(query);
        out->role = (enum role)statement_get_i64(query);
        statement_get_text(query, out->logs, sizeof out->logs);
        out->expires_ms = statement_get_i64(query);
        out->state = (enum invitation_state)statement_get_i64(query);
        out->disabled_ms = statement_get_i64(query);
    }
    return finish_find(query, found);
}

enum sp_error store_find_invitation(struct store *store, const struct digest *digest,
                                    struct invitation_row *out)
{
    struct statement *query = store->queries[QUERY_INVITATION];

    statement_bind_blob(query, digest->bytes, DIGEST_BYTES);
    return find_invitation(query, out);
}

enum sp_error store_find_open_invitation(struct store *store, const char *username,
                                         struct invitation_row *out)
{
    struct statement *query = store->queries[QUERY_OPEN_INVITATION];

    statement_bind_text(query, username);
    return find_invitation(query, out);
}

enum sp_error store_count_invitations(struct store *store, int64_t now_ms, uint64_t *out)
{
    struct statement *query = store->queries[QUERY_COUNT_INVITATIONS];

    statement_bind_i64(query, now_ms);
    return count(query, out);
}

enum sp_error store_count_invitations_of(struct store *store, const char *username, int64_t now_ms,
                                         uint64_t *out)
{
    struct statement *query = store->queries[QUERY_COUNT_INVITATIONS_OF];

    statement_bind_text(query, username);
    statement_bind_i64(query, now_ms);
    return count(query, out);
}

/* A number of something that there may not be. */
static void bind_number(struct statement *query, int64_t number)
{
    if (number == 0) {
        statement_bind_null(query);
    } else {
        statement_bind_i64(query, number);
    }
}

enum sp_error store_add_invitation(struct store *store, const struct digest *digest,
                                   const struct invitation_row *row, int64_t now_ms,
                                   const struct actor *created_by)
{
    struct statement *query = store->queries[QUERY_ADD_INVITATION];

    statement_bind_blob(query, digest->bytes, DIGEST_BYTES);
    statement_bind_text(query, row->username);
    bind_number(query, row->member);
    statement_bind_i64(query, row->role);
    statement_bind_text(query, row->logs);
    statement_bind_i64(query, now_ms);
    bind_number(query, created_by->member);
    bind_number(query, created_by->device);
    statement_bind_i64(query, row->expires_ms);
    return statement_run(query);
}

enum sp_error store_void_invitations(struct store *store, const char *username, int64_t until_ms)
{
    struct statement *query = store->queries[QUERY_VOID_INVITATIONS];

    statement_bind_text(query, username);
    statement_bind_i64(query, until_ms);
    return statement_run(query);
}

enum sp_error store_void_invitations_by(struct store *store, int64_t member, int64_t device)
{
    struct statement *query = store->queries[QUERY_VOID_INVITATIONS_BY];

    statement_bind_i64(query, member);
    statement_bind_i64(query, device);
    return statement_run(query);
}

enum sp_error store_use_invitation(struct store *store, int64_t invitation, int64_t device,
                                   const struct digest *key, const struct issued *issued)
{
    struct statement *query = store->queries[QUERY_USE_INVITATION];

    statement_bind_i64(query, device);
    statement_bind_blob(query, key->bytes, DIGEST_BYTES);
    statement_bind_blob(query, issued->chain, issued->size);
    statement_bind_i64(query, invitation);
    return statement_run(query);
}

/* The columns of QUERY_ENROLLED after the device's state. */
static enum sp_error read_enrolled(struct statement *query, struct digest *key, struct reply *reply)
{
    statement_get_bytes(query, key->bytes, DIGEST_BYTES);
    struct slice chain = statement_get_slice(query);
    if (chain.data != NULL && chain.size > 0) {
        reply->enrolled.chain = malloc(chain.size);
        if (reply->enrolled.chain == NULL) {
            return SP_ENOMEM;
        }
        memcpy(reply->enrolled.chain, chain.data, chain.size);
        reply->enrolled.size = chain.size;
    }
    statement_get_bytes(query, reply->enrolled.fingerprint.bytes, DIGEST_BYTES);
    struct slice serial = statement_get_slice(query);
    if (serial.size > SERIAL_BYTES) {
        return SP_EINTEGRITY;
    }
    if (serial.size > 0) {
        memcpy(reply->enrolled.serial, serial.data, serial.size);
    }
    reply->enrolled.serial_bytes = serial.size;
    reply->enrolled.not_after_ms = statement_get_i64(query);
    return SP_OK;
}

enum sp_error store_find_enrolled(struct store *store, int64_t invitation, struct digest *key,
                                  struct reply *reply)
{
    struct statement *query = store->queries[QUERY_ENROLLED];
    enum sp_error shut = SP_OK;
    enum sp_error read = SP_OK;

    memset(key, 0, sizeof *key);
    reply->kind = REPLY_ENROLLED;
    statement_bind_i64(query, invitation);
    bool found = statement_next(query);
    if (found) {
        read_actor(query, &reply->enrolled.actor);
        bool disabled = statement_get_i64(query) != 0;
        bool revoked = statement_get_i64(query) != 0;
        shut = disabled ? SP_EDISABLED : revoked ? SP_EREVOKED : SP_OK;
        read = read_enrolled(query, key, reply);
    }
    enum sp_error error = finish_find(query, found);
    if (error == SP_OK) {
        error = read;
    }
    return error != SP_OK ? error : shut;
}
