#include "domain/store.h"

#include <string.h>

#define LOG_COLUMNS                                                                       \
    "SELECT l.no, l.id, l.kind, coalesce(l.name, b.name), coalesce(l.parent, 0), l.owner" \
    " FROM logs l LEFT JOIN logs b ON b.no = l.parent "
#define FILE_COLUMNS                                                                            \
    "SELECT f.no, f.log, f.id, l.id, f.sequence, coalesce(l.name, b.name), m.username, f.name," \
    " f.size, f.sha256, f.time_ms, f.bucket"                                                    \
    " FROM files f JOIN logs l ON l.no = f.log LEFT JOIN logs b ON b.no = f.box"                \
    " JOIN members m ON m.no = f.member "

static const char *const queries[QUERY_COUNT] = {
    [QUERY_BEGIN] = "BEGIN",
    [QUERY_COMMIT] = "COMMIT",
    [QUERY_SAVEPOINT] = "SAVEPOINT command",
    [QUERY_RELEASE] = "RELEASE command",
    [QUERY_ROLL_BACK_TO] = "ROLLBACK TO command",

    [QUERY_TEAM] = "SELECT name, incarnation FROM team",
    [QUERY_ADD_TEAM] = "INSERT INTO team(name, incarnation, created_ms) VALUES(?, ?, ?)",

    [QUERY_CERTIFICATE] =
        "SELECT m.no, d.no, d.id, m.username, m.disabled != 0 OR d.revoked != 0"
        " FROM certificates c JOIN devices d ON d.no = c.device JOIN members m ON m.no = d.member"
        " WHERE c.fingerprint = ?",
    [QUERY_MEMBER] = "SELECT no, disabled != 0 FROM members WHERE username = ?",
    [QUERY_ADD_MEMBER] = "INSERT INTO members(username, created_ms) VALUES(?, ?)",
    [QUERY_ADD_DEVICE] = "INSERT INTO devices(id, member, created_ms) VALUES(?, ?, ?)",
    [QUERY_ADD_CERTIFICATE] = "INSERT INTO certificates(fingerprint, device, serial, issuer,"
                              " not_after_ms, first_seen_ms) VALUES(?, ?, ?, ?, ?, ?)",

    [QUERY_LOG_BY_NUMBER] = LOG_COLUMNS "WHERE l.no = ?",
    [QUERY_LOG_BY_ID] = LOG_COLUMNS "WHERE l.id = ?",
    [QUERY_LOG_BY_NAME] = LOG_COLUMNS "WHERE l.name = ?",
    [QUERY_LOG_OF_BOX] = LOG_COLUMNS "WHERE l.parent = ? AND l.owner = ?",
    [QUERY_HEAD] = "SELECT key, hash, header FROM events WHERE key BETWEEN ? AND ?"
                   " ORDER BY key DESC LIMIT 1",
    [QUERY_ADD_LOG] =
        "INSERT INTO logs(id, kind, name, parent, owner, created_ms) VALUES(?, ?, ?, ?, ?, ?)",
    [QUERY_SET_TOPIC] = "UPDATE logs SET topic = CAST(? AS TEXT) WHERE no = ?",

    [QUERY_ROLE] = "SELECT role FROM roster WHERE log = ? AND member = ?",
    [QUERY_SET_ROLE] = "INSERT INTO roster(log, member, role, joined_ms) VALUES(?, ?, ?, ?)"
                       " ON CONFLICT DO UPDATE SET role = excluded.role",
    [QUERY_REMOVE_ROLE] = "DELETE FROM roster WHERE log = ? AND member = ?",

    [QUERY_ADD_EVENT] =
        "INSERT INTO events(key, device, header, hash, salt, body) VALUES(?, ?, ?, ?, ?, ?)",
    [QUERY_HASH] = "SELECT hash FROM events WHERE key = ?",
    [QUERY_REQUEST] =
        "SELECT r.event_key, e.header, e.hash FROM requests r"
        " JOIN events e ON e.key = r.event_key WHERE r.device = ? AND r.client_id = ?",
    [QUERY_ADD_REQUEST] = "INSERT INTO requests(device, client_id, event_key) VALUES(?, ?, ?)",

    [QUERY_ADD_FILE] = "INSERT INTO files(id, log, box, sequence, name, size, sha256, member,"
                       " time_ms, bucket, content) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [QUERY_FILE] = FILE_COLUMNS "WHERE f.id = ?",
    [QUERY_FILES_OF_LOG] = FILE_COLUMNS "WHERE f.log = ? ORDER BY f.no LIMIT ? OFFSET ?",
    [QUERY_FILES_OF_BOX] = FILE_COLUMNS "WHERE f.box = ? ORDER BY f.no LIMIT ? OFFSET ?",
    [QUERY_FILES_FROM_TO] = FILE_COLUMNS "WHERE f.id BETWEEN ? AND ? ORDER BY f.id",
    [QUERY_CONTENT] = "SELECT content FROM files WHERE id = ?",

    [QUERY_LIST_LOGS] =
        "SELECT l.no, l.id, l.kind, l.name, l.topic,"
        " (SELECT count(*) FROM roster r WHERE r.log = l.no),"
        " coalesce((SELECT role FROM roster r WHERE r.log = l.no AND r.member = ?), 0)"
        " FROM logs l INDEXED BY logs_named WHERE l.name IS NOT NULL ORDER BY l.no",
    [QUERY_LIST_TEAM] =
        "SELECT no, username, 0 FROM members WHERE no > ? AND disabled = 0 ORDER BY no LIMIT ?",
    [QUERY_LIST_ROSTER] =
        "SELECT m.no, m.username, r.role FROM roster r JOIN members m ON m.no = r.member"
        " WHERE r.log = ? AND r.member > ? ORDER BY r.member LIMIT ?",

    [QUERY_EVENTS] =
        "SELECT e.key, e.header, e.salt, e.body, m.username FROM events e"
        " LEFT JOIN devices d ON d.no = e.device LEFT JOIN members m ON m.no = d.member"
        " WHERE e.key BETWEEN ? AND ? ORDER BY e.key",
};

enum sp_error store_init(struct store *store, struct db *db)
{
    enum sp_error error = SP_OK;

    memset(store, 0, sizeof *store);
    store->db = db;
    for (size_t i = 0; error == SP_OK && i < QUERY_COUNT; i++) {
        error = statement_new(db, queries[i], &store->queries[i]);
    }
    if (error != SP_OK) {
        store_deinit(store);
    }
    return error;
}

void store_deinit(struct store *store)
{
    for (size_t i = 0; i < QUERY_COUNT; i++) {
        statement_free(store->queries[i]);
        store->queries[i] = NULL;
    }
}

enum sp_error store_do(struct store *store, enum store_query query)
{
    return statement_run(store->queries[query]);
}

enum sp_error store_find_team(struct store *store, char name[LIMIT_TEAM_BYTES + 1],
                              struct id *incarnation)
{
    struct statement *query = store->queries[QUERY_TEAM];
    bool found = statement_next(query);

    if (found) {
        statement_get_text(query, name, LIMIT_TEAM_BYTES + 1);
        statement_get_bytes(query, incarnation->bytes, ID_BYTES);
    }
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

enum sp_error store_add_team(struct store *store, const char *name, const struct id *incarnation,
                             int64_t now_ms)
{
    struct statement *query = store->queries[QUERY_ADD_TEAM];

    statement_bind_text(query, name);
    statement_bind_blob(query, incarnation->bytes, ID_BYTES);
    statement_bind_i64(query, now_ms);
    return statement_run(query);
}

enum sp_error store_find_certificate(struct store *store, const struct digest *fingerprint,
                                     struct login_row *out)
{
    struct statement *query = store->queries[QUERY_CERTIFICATE];

    memset(out, 0, sizeof *out);
    statement_bind_blob(query, fingerprint->bytes, DIGEST_BYTES);
    bool found = statement_next(query);
    if (found) {
        out->actor.member = statement_get_i64(query);
        out->actor.device = statement_get_i64(query);
        statement_get_bytes(query, out->actor.device_id.bytes, ID_BYTES);
        statement_get_text(query, out->actor.username, sizeof out->actor.username);
        out->disabled = statement_get_i64(query) != 0;
    }
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

enum sp_error store_find_member(struct store *store, const char *username, int64_t *member,
                                bool *disabled)
{
    struct statement *query = store->queries[QUERY_MEMBER];

    *member = 0;
    *disabled = false;
    statement_bind_text(query, username);
    bool found = statement_next(query);
    if (found) {
        *member = statement_get_i64(query);
        *disabled = statement_get_i64(query) != 0;
    }
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

enum sp_error store_add_member(struct store *store, const char *username, int64_t now_ms,
                               int64_t *member)
{
    struct statement *query = store->queries[QUERY_ADD_MEMBER];

    statement_bind_text(query, username);
    statement_bind_i64(query, now_ms);
    enum sp_error error = statement_run(query);
    *member = error == SP_OK ? db_last_row(store->db) : 0;
    return error;
}

enum sp_error store_add_device(struct store *store, const struct id *id, int64_t member,
                               int64_t now_ms, int64_t *device)
{
    struct statement *query = store->queries[QUERY_ADD_DEVICE];

    statement_bind_blob(query, id->bytes, ID_BYTES);
    statement_bind_i64(query, member);
    statement_bind_i64(query, now_ms);
    enum sp_error error = statement_run(query);
    *device = error == SP_OK ? db_last_row(store->db) : 0;
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
