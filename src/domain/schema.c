#include "domain/schema.h"

#include <assert.h>

#include "base/base.h"
#include "event/event.h"

/*
 * Never changed, only added to. Times are milliseconds since 1970. Members, devices and logs are
 * never deleted: a name or a number never comes to mean somebody else.
 *
 * logs      rooms and boxes have a name, in one name space; a submission log has none but its box
 *           (parent) and its submitter (owner). The head is that of its last event.
 * roster    who is in a room or owns a box; role as in domain/access.h
 * events    key = log << 40 | sequence: a log's events lie together, in order. hash: the chain up
 * to here. device NULL: made by the server. salt and body NULL: erased. requests  which event a
 * device's client id has made; what makes it exactly once files     box: of a submission. bucket 0:
 * the bytes are content
 */
static const char version_1[] =
    "CREATE TABLE team(name TEXT NOT NULL, incarnation BLOB NOT NULL, created_ms INTEGER NOT NULL)"
    " STRICT;"

    "CREATE TABLE members(no INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE,"
    " role INTEGER NOT NULL DEFAULT 0, disabled INTEGER NOT NULL DEFAULT 0,"
    " created_ms INTEGER NOT NULL) STRICT;"

    "CREATE TABLE devices(no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
    " member INTEGER NOT NULL REFERENCES members(no), label TEXT NOT NULL DEFAULT '',"
    " created_ms INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE TABLE certificates(fingerprint BLOB PRIMARY KEY,"
    " device INTEGER NOT NULL REFERENCES devices(no), serial BLOB NOT NULL, issuer BLOB NOT NULL,"
    " not_after_ms INTEGER NOT NULL, first_seen_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE logs(no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,"
    " name TEXT UNIQUE, parent INTEGER REFERENCES logs(no),"
    " owner INTEGER NOT NULL REFERENCES members(no), topic TEXT NOT NULL DEFAULT '',"
    " created_ms INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX logs_of_box ON logs(parent, owner) WHERE parent IS NOT NULL;"
    "CREATE INDEX logs_named ON logs(no) WHERE name IS NOT NULL;"

    "CREATE TABLE roster(log INTEGER NOT NULL REFERENCES logs(no),"
    " member INTEGER NOT NULL REFERENCES members(no), role INTEGER NOT NULL,"
    " joined_ms INTEGER NOT NULL, PRIMARY KEY(log, member)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE events(key INTEGER PRIMARY KEY, device INTEGER, header BLOB NOT NULL,"
    " hash BLOB NOT NULL, salt BLOB, body BLOB) STRICT;"

    "CREATE TABLE requests(device INTEGER NOT NULL, client_id BLOB NOT NULL,"
    " event_key INTEGER NOT NULL, PRIMARY KEY(device, client_id)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE files(no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
    " log INTEGER NOT NULL REFERENCES logs(no), box INTEGER REFERENCES logs(no),"
    " sequence INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL,"
    " member INTEGER NOT NULL REFERENCES members(no), time_ms INTEGER NOT NULL,"
    " bucket INTEGER NOT NULL, content BLOB) STRICT;"
    "CREATE INDEX files_of_log ON files(log, no);"
    "CREATE INDEX files_of_box ON files(box, no) WHERE box IS NOT NULL;";

/*
 * Joining. members.disabled and devices.revoked hold since when, 0: they are not.
 *
 * invitations  secret_digest: the secret itself is never here. member: of one for another device,
 *              whose; NULL: for somebody new. logs: names with spaces between them. state as in
 *              domain/store_team.h. device, key_digest, chain: what it was used for, so that
 *              whoever lost the answer gets it again
 */
static const char version_2[] =
    "ALTER TABLE devices ADD COLUMN last_seen_ms INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX devices_of_member ON devices(member, no);"
    "CREATE INDEX certificates_of_device ON certificates(device);"

    "CREATE TABLE invitations(no INTEGER PRIMARY KEY, secret_digest BLOB NOT NULL UNIQUE,"
    " username TEXT NOT NULL, member INTEGER REFERENCES members(no), role INTEGER NOT NULL,"
    " logs TEXT NOT NULL, created_ms INTEGER NOT NULL, created_by INTEGER REFERENCES members(no),"
    " expires_ms INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0,"
    " device INTEGER REFERENCES devices(no), key_digest BLOB, chain BLOB) STRICT;"
    "CREATE INDEX invitations_open ON invitations(username, no) WHERE state = 0;";

/*
 * Retention. keep_seconds, keep_events: 0 is no limit. erased: up to this sequence number it has
 * been done. discards: blobs whose files were erased, until it is certain that they are unlinked.
 */
static const char version_3[] =
    "ALTER TABLE logs ADD COLUMN keep_seconds INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE logs ADD COLUMN keep_events INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE logs ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX logs_kept ON logs(no) WHERE keep_seconds + keep_events > 0;"

    "CREATE TABLE discards(no INTEGER PRIMARY KEY, file BLOB NOT NULL, bucket INTEGER NOT NULL,"
    " UNIQUE(file, bucket)) STRICT;";

/*
 * Invitations fall with who made them: created_by_device is which device that was, NULL: the
 * server, or it is not known. What is void is deleted, and state 2, which said so, is no more.
 */
static const char version_4[] =
    "ALTER TABLE invitations ADD COLUMN created_by_device INTEGER REFERENCES devices(no);"
    "DELETE FROM invitations WHERE state = 2;";

/*
 * Read state. roster.read: up to this sequence number the member has read; what was there before it
 * was counted counts as read.
 *
 * state_events  the events that are neither messages nor files, and the how manyth of its log each
 *               is. So the messages up to any sequence number are counted with one look, and a
 *               message itself writes nothing here.
 * mentions      of members that have not read them yet
 */
static const char version_5[] =
    "ALTER TABLE roster ADD COLUMN read INTEGER NOT NULL DEFAULT 0;"
    "UPDATE roster SET read = coalesce((SELECT max(key) & 1099511627775 FROM events"
    " WHERE key BETWEEN log << 40 AND (log << 40 | 1099511627775)), 0);"

    "CREATE TABLE state_events(log INTEGER NOT NULL,"
    " sequence INTEGER NOT NULL, ordinal INTEGER NOT NULL, PRIMARY KEY(log, sequence))"
    " STRICT, WITHOUT ROWID;"
    "INSERT INTO state_events SELECT key >> 40, key & 1099511627775,"
    " row_number() OVER (PARTITION BY key >> 40 ORDER BY key) FROM events"
    " WHERE substr(header, 3, 2) NOT IN (x'0001', x'0006');"

    "CREATE TABLE mentions(log INTEGER NOT NULL REFERENCES logs(no),"
    " member INTEGER NOT NULL REFERENCES members(no), sequence INTEGER NOT NULL,"
    " PRIMARY KEY(log, member, sequence)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX mentions_by_event ON mentions(log, sequence);";
static_assert(EVENT_MESSAGE == 1 && EVENT_FILE == 6, "the kinds that are no state events");

const char *const schema_steps[] = {version_1, version_2, version_3, version_4, version_5};
const size_t schema_step_count = COUNT_OF(schema_steps);
