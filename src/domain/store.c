#include "domain/store.h"

#include <string.h>

#define LOG_COLUMNS                                                                        \
    "SELECT l.no, l.id, l.kind, coalesce(l.name, b.name), coalesce(l.parent, 0), l.owner," \
    " l.erased FROM logs l LEFT JOIN logs b ON b.no = l.parent "
#define FILE_COLUMNS                                                                            \
    "SELECT f.no, f.log, f.id, l.id, f.sequence, coalesce(l.name, b.name), m.username, f.name," \
    " f.size, f.sha256, f.time_ms, f.bucket"                                                    \
    " FROM files f JOIN logs l ON l.no = f.log LEFT JOIN logs b ON b.no = f.box"                \
    " JOIN members m ON m.no = f.member "

#define INVITATION_COLUMNS                                                                   \
    "SELECT i.no, i.username, coalesce(i.member, 0), i.role, i.logs, i.expires_ms, i.state," \
    " coalesce(m.disabled, 0) FROM invitations i LEFT JOIN members m ON m.no = i.member "
/* With its newest certificate. */
#define DEVICE_COLUMNS                                                                     \
    "SELECT d.no, d.id, m.username, d.label, c.fingerprint, c.not_after_ms, d.created_ms," \
    " d.last_seen_ms, d.revoked FROM devices d JOIN members m ON m.no = d.member"          \
    " LEFT JOIN certificates c ON c.fingerprint = (SELECT fingerprint FROM certificates n" \
    " WHERE n.device = d.no ORDER BY n.first_seen_ms DESC, n.not_after_ms DESC LIMIT 1) "

/* When one of the devices of member m was logged in last. */
#define MEMBER_SEEN "coalesce((SELECT max(last_seen_ms) FROM devices WHERE member = m.no), 0)"

static const char *const queries[QUERY_COUNT] = {
    [QUERY_BEGIN] = "BEGIN",
    [QUERY_COMMIT] = "COMMIT",
    [QUERY_SAVEPOINT] = "SAVEPOINT command",
    [QUERY_RELEASE] = "RELEASE command",
    [QUERY_ROLL_BACK_TO] = "ROLLBACK TO command",

    [QUERY_TEAM] = "SELECT name, incarnation FROM team",
    [QUERY_ADD_TEAM] = "INSERT INTO team(name, incarnation, created_ms) VALUES(?, ?, ?)",

    [QUERY_CERTIFICATE] =
        "SELECT m.no, d.no, d.id, m.role, m.username, m.disabled, d.revoked, d.last_seen_ms"
        " FROM certificates c JOIN devices d ON d.no = c.device JOIN members m ON m.no = d.member"
        " WHERE c.fingerprint = ?",
    [QUERY_SET_LAST_SEEN] = "UPDATE devices SET last_seen_ms = ? WHERE no = ?",
    [QUERY_MEMBER] = "SELECT no, role, disabled FROM members WHERE username = ?",
    [QUERY_ADD_MEMBER] = "INSERT INTO members(username, role, created_ms) VALUES(?, ?, ?)",
    [QUERY_SET_DISABLED] = "UPDATE members SET disabled = ? WHERE no = ?",
    [QUERY_ADD_DEVICE] =
        "INSERT INTO devices(id, member, label, created_ms, last_seen_ms) VALUES(?, ?, ?, ?, ?)",
    [QUERY_DEVICE_BY_ID] = "SELECT no, member, revoked FROM devices WHERE id = ?",
    [QUERY_DEVICE_STATE] = "SELECT m.disabled, d.revoked FROM devices d"
                           " JOIN members m ON m.no = d.member WHERE d.no = ?",
    [QUERY_DEVICE_LABEL] = "SELECT count(*), coalesce(sum(label = ?), 0) FROM devices WHERE member "
                           "= ? AND revoked = 0",
    [QUERY_REVOKED_SERIAL] =
        "SELECT count(*) FROM devices d JOIN certificates c ON c.device = d.no"
        " WHERE d.member = ? AND d.revoked <> 0 AND c.serial = ? AND c.issuer = ?",
    [QUERY_SET_REVOKED] = "UPDATE devices SET revoked = ? WHERE no = ?",

    [QUERY_INVITATION] = INVITATION_COLUMNS "WHERE i.secret_digest = ?",
    [QUERY_OPEN_INVITATION] =
        INVITATION_COLUMNS "WHERE i.username = ? AND i.state = 0 AND i.member IS NULL",
    [QUERY_COUNT_INVITATIONS] =
        "SELECT count(*) FROM invitations WHERE state = 0 AND expires_ms > ?",
    [QUERY_COUNT_INVITATIONS_OF] = "SELECT count(*) FROM invitations WHERE state = 0 AND"
                                   " username = ? AND expires_ms > ?",
    [QUERY_ADD_INVITATION] =
        "INSERT INTO invitations(secret_digest, username, member, role, logs, created_ms,"
        " created_by, created_by_device, expires_ms) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [QUERY_VOID_INVITATIONS] = "DELETE FROM invitations WHERE username = ? AND state = 0"
                               " AND expires_ms <= ?",
    [QUERY_VOID_INVITATIONS_BY] = "DELETE FROM invitations WHERE created_by = ?1 AND state = 0"
                                  " AND (?2 = 0 OR coalesce(created_by_device, ?2) = ?2)",
    [QUERY_USE_INVITATION] = "UPDATE invitations SET state = 1, device = ?, key_digest = ?,"
                             " chain = ? WHERE no = ?",
    [QUERY_ENROLLED] =
        "SELECT m.no, d.no, d.id, m.role, m.username, m.disabled, d.revoked, i.key_digest,"
        " i.chain, c.fingerprint, c.serial, c.not_after_ms FROM invitations i"
        " JOIN devices d ON d.no = i.device JOIN members m ON m.no = d.member"
        " JOIN certificates c ON c.device = d.no WHERE i.no = ?"
        " ORDER BY c.first_seen_ms LIMIT 1",
    [QUERY_LIST_DEVICES] = DEVICE_COLUMNS "WHERE d.member = ? ORDER BY d.no LIMIT ? OFFSET ?",
    [QUERY_LIST_ALL_DEVICES] = DEVICE_COLUMNS "WHERE ? = 0 ORDER BY d.no LIMIT ? OFFSET ?",
    [QUERY_LIST_INVITATIONS] =
        "SELECT i.username, i.role, i.member IS NOT NULL, i.created_ms, i.expires_ms,"
        " coalesce(m.username, '') FROM invitations i LEFT JOIN members m ON m.no = i.created_by"
        " WHERE i.state = 0 ORDER BY i.username, i.no LIMIT ? OFFSET ?",
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
    [QUERY_SET_ROLE] =
        "INSERT INTO roster(log, member, role, joined_ms, read) VALUES(?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET role = excluded.role",
    [QUERY_REMOVE_ROLE] = "DELETE FROM roster WHERE log = ? AND member = ?",

    [QUERY_MARK] = "SELECT read FROM roster WHERE log = ? AND member = ?",
    [QUERY_SET_MARK] = "UPDATE roster SET read = ?3 WHERE log = ?1 AND member = ?2",
    [QUERY_ADD_STATE_EVENT] =
        "INSERT INTO state_events(log, sequence, ordinal) VALUES(?1, ?2, 1 + coalesce((SELECT"
        " ordinal FROM state_events WHERE log = ?1 ORDER BY sequence DESC LIMIT 1), 0))",
    [QUERY_STATE_EVENTS_BEFORE] = "SELECT ordinal FROM state_events WHERE log = ? AND sequence <= ?"
                                  " ORDER BY sequence DESC LIMIT 1",
    [QUERY_ADD_MENTION] = "INSERT INTO mentions(log, member, sequence) VALUES(?, ?, ?)",
    [QUERY_COUNT_MENTIONS] = "SELECT count(*) FROM mentions WHERE log = ? AND member = ?",
    [QUERY_REMOVE_MENTIONS] = "DELETE FROM mentions WHERE log = ? AND member = ? AND sequence <= ?",
    [QUERY_ERASE_MENTIONS] =
        "DELETE FROM mentions INDEXED BY mentions_by_event WHERE log = ? AND sequence <= ?",

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
        "SELECT l.no, l.id, l.kind, l.name, l.topic, l.keep_seconds, l.keep_events,"
        " (SELECT count(*) FROM roster r WHERE r.log = l.no),"
        " coalesce((SELECT role FROM roster r WHERE r.log = l.no AND r.member = ?1), 0),"
        " coalesce((SELECT read FROM roster r WHERE r.log = l.no AND r.member = ?1), 0)"
        " FROM logs l INDEXED BY logs_named WHERE l.name IS NOT NULL ORDER BY l.no",
    [QUERY_LIST_TEAM] =
        "SELECT m.no, m.username, 0, m.role, m.disabled, " MEMBER_SEEN
        " FROM members m WHERE (m.disabled = 0 OR ?) AND m.no > ? ORDER BY m.no LIMIT ?",
    [QUERY_LIST_ROSTER] = "SELECT m.no, m.username, r.role, m.role, m.disabled, " MEMBER_SEEN
                          " FROM roster r JOIN members m ON m.no = r.member"
                          " WHERE r.log = ? AND r.member > ? ORDER BY r.member LIMIT ?",

    [QUERY_EVENTS] =
        "SELECT e.key, e.header, e.salt, e.body, m.username FROM events e"
        " LEFT JOIN devices d ON d.no = e.device LEFT JOIN members m ON m.no = d.member"
        " WHERE e.key BETWEEN ? AND ? ORDER BY e.key",

    [QUERY_SET_RETENTION] = "UPDATE logs SET keep_seconds = ?, keep_events = ? WHERE no = ?",
    [QUERY_NEXT_KEPT] =
        "SELECT no, keep_seconds, keep_events, erased FROM logs INDEXED BY logs_kept"
        " WHERE no > ? AND keep_seconds + keep_events > 0 ORDER BY no LIMIT 1",
    [QUERY_SET_ERASED] = "UPDATE logs SET erased = ? WHERE no = ?",
    [QUERY_HEADERS] = "SELECT key, header FROM events WHERE key BETWEEN ? AND ? ORDER BY key"
                      " LIMIT ?",
    [QUERY_ERASE_EVENT] = "UPDATE events SET salt = NULL, body = NULL WHERE key = ?",
    [QUERY_FILE_BUCKET] = "SELECT bucket FROM files WHERE id = ?",
    [QUERY_REMOVE_FILE] = "DELETE FROM files WHERE id = ?",
    [QUERY_ADD_DISCARD] = "INSERT INTO discards(file, bucket) VALUES(?, ?)",
    [QUERY_DISCARDS] = "SELECT no, file, bucket FROM discards WHERE no > ? ORDER BY no LIMIT 1",
    [QUERY_REMOVE_DISCARD] = "DELETE FROM discards WHERE file = ? AND bucket = ?",
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
