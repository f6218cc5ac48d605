/* One log: its chain, its bodies, and whether the tables say what its events say. */
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"
#include "domain/audit_internal.h"
#include "domain/store.h"
#include "event/body.h"

#define PROGRESS_EVENTS 4096

/* A row of AUDIT_EVENTS. */
struct event_row {
    int64_t key;
    bool readable; /* header and hash have their lengths */
    uint8_t header_bytes[EVENT_HEADER_BYTES];
    struct event_header header;
    struct digest hash;
    struct slice salt;
    struct slice body;
    struct slice device_id;
    int64_t device;
};

/* ---- One event ---- */

/* The row's place, its header, its link. False: the event cannot be looked at any further. */
static bool check_header(struct reading *reading, struct event_row *row)
{
    struct digest hash;

    reading->sequence++;
    uint64_t sequence = (uint64_t)row->key & LIMIT_SEQUENCE;
    if (sequence != reading->sequence) {
        SAY(reading, "chain", "events up to %llu are missing", (unsigned long long)sequence - 1);
        reading->sequence = sequence;
        reading->has_head = false;
        reading->known = false;
    }
    if (!row->readable) {
        SAY(reading, "header", "the header or its hash is cut");
        reading->has_head = false;
        return false;
    }
    /* What stands behind damage is judged by what is on record there: it is told once. */
    bool linked = event_chain_next(&reading->head, row->header_bytes, &hash) == SP_OK &&
                  digest_equal(&hash, &row->hash);
    if (!linked && reading->has_head) {
        SAY(reading, "chain", "the chain does not fit: the header or its hash was changed");
    }
    reading->head = row->hash;
    reading->has_head = true;
    if (event_header_decode(row->header_bytes, &row->header) != SP_OK) {
        SAY(reading, "header", "the header cannot be read");
        return false;
    }
    if (row->header.sequence != sequence || !id_equal(&row->header.log, &reading->log->id)) {
        SAY(reading, "header", "the header is another event's");
        return false;
    }
    if (row->header.time_ms < reading->time_ms) {
        SAY(reading, "header", "its time is before that of the event before");
    }
    reading->time_ms = row->header.time_ms;
    return true;
}

static enum sp_error check_content(struct reading *reading, struct slice content,
                                   const struct digest *sha256)
{
    struct digest digest;
    enum sp_error error = digest_of(&content, 1, &digest);

    if (error == SP_OK && !digest_equal(&digest, sha256)) {
        SAY(reading, "file",
            "the bytes of the file, which are in the database, are not the ones "
            "that were stored");
    }
    return error;
}

/* The current row of AUDIT_FILE: whether it says what BODY, of the event at hand, says. */
static enum sp_error check_file_row(struct reading *reading, const struct body *body,
                                    const struct id *id, bool *same)
{
    struct statement *query = reading->audit->queries[AUDIT_FILE];
    struct digest sha256;

    *same = statement_get_i64(query) == reading->log->number;
    *same = statement_get_u64(query) == reading->sequence && *same;
    struct slice name = statement_get_slice(query);
    *same =
        *same && name.size == body->name.size && memcmp(name.data, body->name.data, name.size) == 0;
    *same = statement_get_u64(query) == body->size && *same;
    statement_get_bytes(query, sha256.bytes, DIGEST_BYTES);
    *same = *same && digest_equal(&sha256, &body->sha256) && id_equal(id, &body->file);
    bool is_inline = statement_get_i64(query) == 0;
    struct slice content = statement_get_slice(query);
    *same = *same && is_inline == (content.data != NULL);
    return *same && is_inline ? check_content(reading, content, &sha256) : SP_OK;
}

/* The row of a file against the event that made it; ERASED: there must be none. */
static enum sp_error check_file(struct reading *reading, const struct event_row *row,
                                const struct body *body, bool erased)
{
    struct statement *query = reading->audit->queries[AUDIT_FILE];
    struct id id;
    bool same = false;
    enum sp_error error = event_file_id(&row->header.author, &row->header.client_id, &id);

    if (error != SP_OK) {
        return error;
    }
    statement_bind_blob(query, id.bytes, ID_BYTES);
    bool found = statement_next(query);
    if (found && !erased) {
        error = check_file_row(reading, body, &id, &same);
    }
    enum sp_error query_error = statement_finish(query);
    reading->audit->counts.files += found ? 1 : 0;
    if (erased && found) {
        SAY(reading, "erasure", "the file is still there, although its event was erased");
    } else if (!erased && !same) {
        SAY(reading, "file",
            found ? "the row of the file says something else than the event"
                  : "the row of the file is missing");
    }
    return query_error != SP_OK ? query_error : error;
}

/* Whether the body is there, and is the one that the header commits to. */
static bool check_body(struct reading *reading, const struct event_row *row, struct body *body)
{
    struct digest commitment;

    if (row->salt.data == NULL || row->body.data == NULL) {
        SAY(reading, "commitment", "the content is missing, and was not erased by any rule");
        return false;
    }
    if (row->salt.size != SALT_BYTES || row->body.size != row->header.body_bytes ||
        event_commitment(row->salt.data, row->body, &commitment) != SP_OK ||
        !digest_equal(&commitment, &row->header.commitment)) {
        SAY(reading, "commitment", "the content is not the one that it was stored with");
        return false;
    }
    if (body_parse(row->body, body) != SP_OK) {
        SAY(reading, "commitment", "the content cannot be read");
        return false;
    }
    return true;
}

static enum sp_error check_request(struct reading *reading, const struct event_row *row)
{
    struct statement *query = reading->audit->queries[AUDIT_REQUEST];

    if (id_is_zero(&row->header.client_id)) {
        return SP_OK;
    }
    statement_bind_i64(query, row->device);
    statement_bind_blob(query, row->header.client_id.bytes, ID_BYTES);
    bool found = statement_next(query);
    bool right = found && statement_get_i64(query) == row->key;
    enum sp_error error = statement_finish(query);
    if (error == SP_OK && !right) {
        SAY(reading, "request",
            "the request that made it is not on record: repeated, it would be "
            "carried out twice");
    }
    return error;
}

static void check_author(struct reading *reading, const struct event_row *row)
{
    static const struct id nobody;
    const uint8_t *device = row->device_id.size == ID_BYTES ? row->device_id.data : nobody.bytes;

    if (memcmp(device, row->header.author.bytes, ID_BYTES) != 0) {
        SAY(reading, "header", "the device on record is not the author in the header");
    }
}

static enum sp_error check_event(struct reading *reading, struct event_row *row)
{
    struct body body = {0};
    enum sp_error error = SP_OK;
    bool erasable = false;

    if (!check_header(reading, row)) {
        reading->known = false;
        return SP_OK;
    }
    erasable = event_is_erasable(row->header.kind) && reading->sequence <= reading->log->erased;
    check_author(reading, row);
    audit_count(reading, &row->header);
    error = check_request(reading, row);
    if (error != SP_OK) {
        return error;
    }
    if (erasable) {
        reading->audit->counts.erased++;
        if (row->salt.data != NULL || row->body.data != NULL) {
            SAY(reading, "erasure", "the content is still there, although it was erased");
        }
        return row->header.kind == EVENT_FILE ? check_file(reading, row, &body, true) : SP_OK;
    }
    if (!check_body(reading, row, &body)) {
        reading->known = reading->known && event_is_erasable(row->header.kind);
        return SP_OK;
    }
    if (row->header.kind == EVENT_FILE) {
        error = check_file(reading, row, &body, false);
    }
    return error != SP_OK ? error : audit_replay(reading, &row->header, &body);
}

static void read_row(struct statement *query, struct event_row *row)
{
    row->key = statement_get_i64(query);
    struct slice header = statement_get_slice(query);
    struct slice hash = statement_get_slice(query);
    row->readable = header.size == EVENT_HEADER_BYTES && hash.size == DIGEST_BYTES;
    if (row->readable) {
        memcpy(row->header_bytes, header.data, EVENT_HEADER_BYTES);
        memcpy(row->hash.bytes, hash.data, DIGEST_BYTES);
    }
    row->salt = statement_get_slice(query);
    row->body = statement_get_slice(query);
    row->device_id = statement_get_slice(query);
    row->device = statement_get_i64(query);
}

static void tell_progress(struct audit *audit)
{
    if (++audit->counts.events % PROGRESS_EVENTS == 0 && audit->config.progress != NULL) {
        audit->config.progress(audit->config.context, audit->counts.events, audit->total);
    }
}

enum sp_error audit_check_log(struct audit *audit, const struct audit_log *log)
{
    struct statement *query = audit->queries[AUDIT_EVENTS];
    struct reading reading = {.audit = audit, .log = log, .has_head = true, .known = true};
    struct event_row row = {0};
    enum sp_error error = event_chain_start(&log->id, &reading.head);

    if (error != SP_OK) {
        return error;
    }
    statement_bind_i64(audit->queries[AUDIT_STATE_EVENTS], log->number);
    statement_bind_i64(query, store_event_key(log->number, 1));
    statement_bind_i64(query, store_event_key(log->number, LIMIT_SEQUENCE));
    while (error == SP_OK && statement_next(query)) {
        read_row(query, &row);
        tell_progress(audit);
        error = check_event(&reading, &row);
    }
    enum sp_error query_error = statement_finish(query);
    error = error != SP_OK ? error : query_error;
    if (error == SP_OK) {
        audit_count_end(&reading);
    }
    query_error = statement_finish(audit->queries[AUDIT_STATE_EVENTS]);
    error = error != SP_OK ? error : query_error;
    if (error == SP_OK && reading.sequence == 0) {
        audit_say(audit, "chain", log, 0, "it has no event at all");
    } else if (error == SP_OK) {
        error = audit_check_state(&reading);
    }
    audit_forget(&reading);
    return error;
}
