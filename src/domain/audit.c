#include "domain/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/audit_internal.h"
#include "domain/schema.h"

#define FINDINGS_OF_SQLITE "100" /* at most, of its own checks */
#define UNREAD_LOGS 4096         /* one after the other: then the table is unreadable, not a row */

static const char *const queries[AUDIT_QUERIES] = {
    [AUDIT_BEGIN] = "BEGIN",
    [AUDIT_INTEGRITY] = "SELECT integrity_check FROM pragma_integrity_check(" FINDINGS_OF_SQLITE
                        ") WHERE integrity_check != 'ok'",
    [AUDIT_FOREIGN_KEYS] = "SELECT \"table\", coalesce(rowid, 0), parent"
                           " FROM pragma_foreign_key_check LIMIT " FINDINGS_OF_SQLITE,
    [AUDIT_COUNT] = "SELECT count(*) FROM events",
    [AUDIT_NEXT_LOG] =
        "SELECT l.no, l.id, l.kind, coalesce(l.name, b.name, ''), m.username, l.topic,"
        " l.keep_seconds, l.keep_events, l.erased"
        " FROM logs l LEFT JOIN logs b ON b.no = l.parent LEFT JOIN members m ON m.no = l.owner"
        " WHERE l.no > ? ORDER BY l.no LIMIT 1",
    [AUDIT_EVENTS] =
        "SELECT e.key, e.header, e.hash, e.salt, e.body, d.id, e.device FROM events e"
        " LEFT JOIN devices d ON d.no = e.device WHERE e.key BETWEEN ? AND ? ORDER BY e.key",
    [AUDIT_REQUEST] = "SELECT event_key FROM requests WHERE device = ? AND client_id = ?",
    [AUDIT_FILE] = "SELECT log, sequence, name, size, sha256, bucket, content FROM files"
                   " WHERE id = ?",
    [AUDIT_ROSTER] =
        "SELECT m.username, r.role, r.read FROM roster r JOIN members m ON m.no = r.member"
        " WHERE r.log = ?",
    [AUDIT_STATE_EVENTS] = "SELECT sequence, ordinal FROM state_events WHERE log = ?"
                           " ORDER BY sequence",
    [AUDIT_MENTIONS] =
        "SELECT n.sequence, coalesce(m.username, '') FROM mentions n"
        " LEFT JOIN members m ON m.no = n.member"
        " LEFT JOIN roster r ON r.log = n.log AND r.member = n.member"
        " LEFT JOIN events e ON e.key = (n.log << 40 | n.sequence)"
        " WHERE n.log = ? AND (r.member IS NULL OR n.sequence <= r.read OR e.body IS NULL"
        " OR substr(e.header, 3, 2) IS NOT x'0001') LIMIT " FINDINGS_OF_SQLITE,
    [AUDIT_STRAY_EVENTS] =
        "SELECT DISTINCT key >> 40 FROM events WHERE key >> 40 NOT IN (SELECT no FROM logs)"
        " LIMIT " FINDINGS_OF_SQLITE,
    [AUDIT_STRAY_COUNTS] =
        "SELECT DISTINCT log FROM state_events WHERE log NOT IN (SELECT no FROM logs)"
        " LIMIT " FINDINGS_OF_SQLITE,
    [AUDIT_STRAY_REQUESTS] =
        "SELECT r.event_key >> 40, r.event_key & 1099511627775, coalesce(l.name, '')"
        " FROM requests r LEFT JOIN events e ON e.key = r.event_key"
        " LEFT JOIN logs l ON l.no = r.event_key >> 40"
        " WHERE e.key IS NULL OR e.device IS NOT r.device"
        " OR substr(e.header, 57, 16) IS NOT r.client_id LIMIT " FINDINGS_OF_SQLITE,
    [AUDIT_STRAY_FILES] =
        "SELECT f.id, f.sequence, coalesce(l.name, b.name, '') FROM files f"
        " LEFT JOIN events e ON e.key = (f.log << 40 | f.sequence)"
        " LEFT JOIN logs l ON l.no = f.log LEFT JOIN logs b ON b.no = f.box"
        " WHERE e.key IS NULL OR e.body IS NULL OR substr(e.header, 3, 2) IS NOT x'0006'"
        " LIMIT " FINDINGS_OF_SQLITE,
    [AUDIT_NEXT_BLOB] =
        "SELECT f.no, f.id, f.bucket, f.size, f.sha256, coalesce(l.name, b.name, ''), f.sequence"
        " FROM files f LEFT JOIN logs l ON l.no = f.log LEFT JOIN logs b ON b.no = f.box"
        " WHERE f.bucket > 0 AND f.no > ? ORDER BY f.no LIMIT 1",
    [AUDIT_FIND_BLOB] = "SELECT 1 FROM files WHERE id = ? AND bucket = ?",
    [AUDIT_FIND_DISCARD] = "SELECT 1 FROM discards WHERE file = ? AND bucket = ?",
};

/* ---- Opening ---- */

static enum sp_error check_version(struct audit *audit, char *reason, size_t capacity)
{
    struct statement *statement = NULL;
    int64_t version = 0;
    enum sp_error error = statement_new(audit->db, "PRAGMA user_version", &statement);

    if (error == SP_OK) {
        version = statement_next(statement) ? statement_get_i64(statement) : 0;
        error = statement_finish(statement);
        statement_free(statement);
    }
    if (error == SP_OK && version != (int64_t)schema_step_count) {
        (void)snprintf(reason, capacity,
                       "the database has version %lld, and this program checks version %zu",
                       (long long)version, schema_step_count);
        error = SP_ECONFIG;
    }
    return error;
}

enum sp_error audit_open(const struct audit_config *config, struct audit **out, char *reason,
                         size_t capacity)
{
    struct audit *audit = calloc(1, sizeof *audit);
    enum sp_error error = SP_ENOMEM;

    *out = NULL;
    reason[0] = '\0';
    if (audit != NULL) {
        audit->config = *config;
        error = db_open(config->path, DB_READER, &audit->db, reason, capacity);
    }
    if (error == SP_OK) {
        error = check_version(audit, reason, capacity);
    }
    for (size_t i = 0; error == SP_OK && i < AUDIT_QUERIES; i++) {
        error = statement_new(audit->db, queries[i], &audit->queries[i]);
    }
    if (error != SP_OK) {
        if (reason[0] == '\0') {
            (void)snprintf(reason, capacity, "the database cannot be checked: %s",
                           audit != NULL && audit->db != NULL ? db_last_message(audit->db)
                                                              : sp_error_text(error));
        }
        audit_close(audit);
        return error;
    }
    *out = audit;
    return SP_OK;
}

void audit_close(struct audit *audit)
{
    if (audit == NULL) {
        return;
    }
    for (size_t i = 0; i < AUDIT_QUERIES; i++) {
        statement_free(audit->queries[i]);
    }
    db_close(audit->db);
    free(audit);
}

const struct audit_counts *audit_counts(const struct audit *audit)
{
    return &audit->counts;
}

void audit_report(struct audit *audit, const struct audit_finding *finding)
{
    audit->counts.findings++;
    audit->config.found(audit->config.context, finding);
}

void audit_say(struct audit *audit, const char *check, const struct audit_log *log,
               uint64_t sequence, const char *format, ...)
{
    char text[512];
    struct audit_finding finding = {.check = check, .log = "", .sequence = sequence, .text = text};
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (log != NULL) {
        finding.log = log->name;
        finding.id = log->id;
    }
    audit_report(audit, &finding);
}

/* ---- The whole ---- */

/* SQLite gave up in the midst of something: what it could not read is damaged. */
static enum sp_error as_finding(struct audit *audit, enum sp_error error)
{
    if (error != SP_EINTEGRITY) {
        return error;
    }
    audit_say(audit, "sqlite", NULL, 0, "a table cannot be read: %s", db_last_message(audit->db));
    return SP_OK;
}

static enum sp_error check_integrity(struct audit *audit)
{
    struct statement *query = audit->queries[AUDIT_INTEGRITY];
    char text[256];

    while (statement_next(query)) {
        struct slice line = statement_get_slice(query);
        (void)snprintf(text, sizeof text, "%.*s", (int)(line.size < 200 ? line.size : 200),
                       line.data != NULL ? (const char *)line.data : "");
        audit_say(audit, "sqlite", NULL, 0, "%s", text);
    }
    enum sp_error error = as_finding(audit, statement_finish(query));
    if (error != SP_OK) {
        return error;
    }
    query = audit->queries[AUDIT_FOREIGN_KEYS];
    while (statement_next(query)) {
        char table[64];
        char parent[64];
        statement_get_text(query, table, sizeof table);
        int64_t row = statement_get_i64(query);
        statement_get_text(query, parent, sizeof parent);
        audit_say(audit, "foreign-key", NULL, 0, "row %lld of %s points to nothing in %s",
                  (long long)row, table, parent);
    }
    return as_finding(audit, statement_finish(query));
}

static enum sp_error count_events(struct audit *audit)
{
    struct statement *query = audit->queries[AUDIT_COUNT];

    audit->total = statement_next(query) ? statement_get_u64(query) : 0;
    return as_finding(audit, statement_finish(query));
}

/* The log behind number AFTER. SP_ENOTFOUND. */
static enum sp_error next_log(struct audit *audit, int64_t after, struct audit_log *out)
{
    struct statement *query = audit->queries[AUDIT_NEXT_LOG];

    *out = (struct audit_log){0};
    statement_bind_i64(query, after);
    bool found = statement_next(query);
    if (found) {
        out->number = statement_get_i64(query);
        statement_get_bytes(query, out->id.bytes, ID_BYTES);
        out->kind = (enum log_kind)statement_get_i64(query);
        statement_get_text(query, out->name, sizeof out->name);
        statement_get_text(query, out->owner, sizeof out->owner);
        statement_get_text(query, out->topic, sizeof out->topic);
        out->keep_seconds = statement_get_u64(query);
        out->keep_events = statement_get_u64(query);
        out->erased = statement_get_u64(query);
    }
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

/* Each log in a transaction of its own: what follows from its events is of the same moment. */
static enum sp_error check_logs(struct audit *audit)
{
    struct audit_log log = {0};
    unsigned unread = 0;
    enum sp_error error = SP_OK;

    while (error == SP_OK && unread < UNREAD_LOGS) {
        int64_t before = log.number;
        error = statement_run(audit->queries[AUDIT_BEGIN]);
        if (error == SP_OK) {
            error = next_log(audit, before, &log);
        }
        if (error == SP_EINTEGRITY) {
            /* The row has something that no row can have, or not even its number can be read. */
            bool is_read = log.number > before;

            if (is_read || unread == 0) {
                audit_say(audit, "log", NULL, 0, "the row of a log behind number %lld is damaged",
                          (long long)before);
            }
            unread = is_read ? 0 : unread + 1;
            log.number = is_read ? log.number : before + 1;
            error = SP_OK;
        } else if (error == SP_OK) {
            unread = 0;
            audit->counts.logs++;
            error = as_finding(audit, audit_check_log(audit, &log));
        }
        db_rollback(audit->db);
    }
    return error == SP_ENOTFOUND ? SP_OK : error;
}

static enum sp_error check_strays(struct audit *audit)
{
    struct statement *query = audit->queries[AUDIT_STRAY_EVENTS];
    char name[LIMIT_LOG_NAME_BYTES + 1];

    while (statement_next(query)) {
        audit_say(audit, "log", NULL, 0, "there are events of log number %lld, but no such log",
                  (long long)statement_get_i64(query));
    }
    enum sp_error error = as_finding(audit, statement_finish(query));
    query = audit->queries[AUDIT_STRAY_COUNTS];
    while (error == SP_OK && statement_next(query)) {
        audit_say(audit, "read-state", NULL, 0,
                  "there are counts of log number %lld, but no such log",
                  (long long)statement_get_i64(query));
    }
    if (error == SP_OK) {
        error = as_finding(audit, statement_finish(query));
    }
    query = audit->queries[AUDIT_STRAY_REQUESTS];
    while (error == SP_OK && statement_next(query)) {
        int64_t number = statement_get_i64(query);
        struct audit_finding finding = {.check = "request",
                                        .log = name,
                                        .sequence = statement_get_u64(query),
                                        .text =
                                            "a request points to an event that it did not make"};
        statement_get_text(query, name, sizeof name);
        (void)number;
        audit_report(audit, &finding);
    }
    if (error == SP_OK) {
        error = as_finding(audit, statement_finish(query));
    }
    query = audit->queries[AUDIT_STRAY_FILES];
    while (error == SP_OK && statement_next(query)) {
        struct audit_finding finding = {
            .check = "file", .log = name, .text = "a file has no event that says so"};
        statement_get_bytes(query, finding.id.bytes, ID_BYTES);
        finding.sequence = statement_get_u64(query);
        statement_get_text(query, name, sizeof name);
        audit_report(audit, &finding);
    }
    return error != SP_OK ? error : as_finding(audit, statement_finish(query));
}

enum sp_error audit_run(struct audit *audit)
{
    enum sp_error error = check_integrity(audit);

    if (error == SP_OK) {
        error = count_events(audit);
    }
    if (error == SP_OK) {
        error = check_logs(audit);
    }
    return error != SP_OK ? error : check_strays(audit);
}

/* ---- Blobs ---- */

enum sp_error audit_next_blob(struct audit *audit, struct audit_blob *out)
{
    struct statement *query = audit->queries[AUDIT_NEXT_BLOB];

    *out = (struct audit_blob){0};
    statement_bind_i64(query, audit->blob);
    bool found = statement_next(query);
    if (found) {
        audit->blob = statement_get_i64(query);
        statement_get_bytes(query, out->file.bytes, ID_BYTES);
        out->bucket = (uint32_t)statement_get_u64(query);
        out->size = statement_get_u64(query);
        statement_get_bytes(query, out->sha256.bytes, DIGEST_BYTES);
        statement_get_text(query, out->log, sizeof out->log);
        out->sequence = statement_get_u64(query);
    }
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

static enum sp_error find(struct statement *query, const struct id *file, uint32_t bucket)
{
    statement_bind_blob(query, file->bytes, ID_BYTES);
    statement_bind_i64(query, bucket);
    bool found = statement_next(query);
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

enum sp_error audit_find_blob(struct audit *audit, const struct id *file, uint32_t bucket)
{
    enum sp_error error = find(audit->queries[AUDIT_FIND_BLOB], file, bucket);

    if (error != SP_ENOTFOUND) {
        return error;
    }
    error = find(audit->queries[AUDIT_FIND_DISCARD], file, bucket);
    return error == SP_OK ? SP_EAGAIN : error;
}
