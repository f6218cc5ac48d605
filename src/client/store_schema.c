#include "client/store_schema.h"

#include "base/base.h"

/*
 * Never changed, only added to. Times are milliseconds since 1970, by this device's clock but for
 * time_ms, which is the server's.
 *
 * owner   one row: whose store it is. listed_ms: the last list of the logs that came to its end
 * logs    name '': another log has it now. sequence, hash: the head that was seen, 0: none. stale:
 *         it is of an incarnation that is no more, or the user has given it up. refused_at: the
 *         event from which on the server's history is another one, refused_hash what it has there.
 *         missing, missing_first, own: what has been found to be missing so far, while stale
 * events  verified, as they came. salt and body NULL: erased
 * posted  own messages that were acknowledged, to be offered again if the server loses them
 * outbox  what is to be sent, in the order of its numbers; held: not before the user says so
 */
static const char version_1[] =
    "CREATE TABLE owner(one INTEGER PRIMARY KEY CHECK(one = 1), root BLOB, device BLOB,"
    " incarnation BLOB, listed_ms INTEGER NOT NULL DEFAULT 0) STRICT;"
    "INSERT INTO owner(one) VALUES(1);"

    "CREATE TABLE logs(no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,"
    " name TEXT NOT NULL, topic TEXT NOT NULL DEFAULT '', members INTEGER NOT NULL DEFAULT 0,"
    " joined INTEGER NOT NULL DEFAULT 0, keep_seconds INTEGER NOT NULL DEFAULT 0,"
    " keep_events INTEGER NOT NULL DEFAULT 0, listed_ms INTEGER NOT NULL DEFAULT 0,"
    " listed_sequence INTEGER NOT NULL DEFAULT 0, listed_hash BLOB,"
    " sequence INTEGER NOT NULL DEFAULT 0, hash BLOB, seen_ms INTEGER NOT NULL DEFAULT 0,"
    " stale INTEGER NOT NULL DEFAULT 0, refused_at INTEGER NOT NULL DEFAULT 0, refused_hash BLOB,"
    " missing_first INTEGER NOT NULL DEFAULT 0, missing INTEGER NOT NULL DEFAULT 0,"
    " own INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX logs_named ON logs(name) WHERE name <> '';"

    "CREATE TABLE events(log INTEGER NOT NULL REFERENCES logs(no), sequence INTEGER NOT NULL,"
    " time_ms INTEGER NOT NULL, header BLOB NOT NULL, author TEXT NOT NULL, hash BLOB NOT NULL,"
    " salt BLOB, body BLOB, PRIMARY KEY(log, sequence)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX events_by_time ON events(time_ms);"

    "CREATE TABLE posted(no INTEGER PRIMARY KEY, log INTEGER NOT NULL REFERENCES logs(no),"
    " sequence INTEGER NOT NULL, hash BLOB NOT NULL, client_id BLOB NOT NULL UNIQUE,"
    " salt BLOB NOT NULL, text BLOB NOT NULL, created_ms INTEGER NOT NULL,"
    " time_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX posted_in ON posted(log, sequence);"

    "CREATE TABLE outbox(no INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL,"
    " log TEXT NOT NULL, client_id BLOB NOT NULL UNIQUE, salt BLOB NOT NULL, text BLOB,"
    " path TEXT, name TEXT, size INTEGER NOT NULL DEFAULT 0, sha256 BLOB,"
    " created_ms INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
    " held INTEGER NOT NULL DEFAULT 0, error INTEGER NOT NULL DEFAULT 0,"
    " reason TEXT NOT NULL DEFAULT '') STRICT;";

const char *const store_schema_steps[] = {version_1};
const size_t store_schema_step_count = COUNT_OF(store_schema_steps);
