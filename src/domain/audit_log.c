/* One log: its chain, its bodies, and whether the tables say what its events say. */
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "crypto/digest.h"
#include "domain/access.h"
#include "domain/audit_internal.h"
#include "domain/store.h"
#include "event/body.h"

#define PROGRESS_EVENTS 4096

/* Who is in the log, as the events have it. */
struct inside {
    char username[LIMIT_USERNAME_BYTES + 1];
    bool owner;
    bool seen; /* in the roster */
    UT_hash_handle hh;
};

struct reading {
    struct audit *audit;
    const struct audit_log *log;
    uint64_t sequence;  /* of the event at hand */
    struct digest head; /* the chain up to the event before … */
    bool has_head;      /* … unless that is damaged or missing */
    int64_t time_ms;
    struct inside *members;
    char topic[LIMIT_TOPIC_BYTES + 1];
    uint64_t keep_seconds;
    uint64_t keep_events;
    bool known; /* all bodies that matter could be read */
};

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

#define SAY(reading, check, ...) \
    audit_say((reading)->audit, check, (reading)->log, (reading)->sequence, __VA_ARGS__)

/* ---- The roster, replayed ---- */

static struct inside *find_inside(struct reading *reading, const char *username)
{
    struct inside *inside = NULL;

    HASH_FIND_STR(reading->members, username, inside);
    return inside;
}

static enum sp_error come_in(struct reading *reading, const char *username, bool owner)
{
    struct inside *inside = find_inside(reading, username);

    if (inside != NULL) {
        return SP_OK;
    }
    inside = calloc(1, sizeof *inside);
    if (inside == NULL) {
        return SP_ENOMEM;
    }
    memcpy(inside->username, username, sizeof inside->username);
    inside->owner = owner;
    HASH_ADD_STR(reading->members, username, inside);
    if (!TABLE_ADDED(inside, hh)) {
        free(inside);
        return SP_ENOMEM;
    }
    return SP_OK;
}

static void go_out(struct reading *reading, const char *username)
{
    struct inside *inside = find_inside(reading, username);

    if (inside != NULL) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed is in no list any more */
        HASH_DEL(reading->members, inside);
        free(inside);
    }
}

static void free_members(struct reading *reading)
{
    struct inside *inside = NULL;
    struct inside *next = NULL;

    HASH_ITER (hh, reading->members, inside, next) {
        go_out(reading, inside->username);
    }
}

static bool is_text(struct slice slice, const char *text)
{
    return slice.size == strlen(text) && memcmp(slice.data, text, slice.size) == 0;
}

static bool copy_text(struct slice slice, char *out, size_t capacity)
{
    if (slice.size >= capacity) {
        return false;
    }
    memset(out, 0, capacity);
    if (slice.size > 0) {
        memcpy(out, slice.data, slice.size);
    }
    return true;
}

static enum sp_error begin_log(struct reading *reading, const struct body *body)
{
    const struct audit_log *log = reading->log;
    char username[LIMIT_USERNAME_BYTES + 1];

    if (!is_text(body->name, log->name) || body->log_kind != (uint8_t)log->kind ||
        !is_text(body->member, log->owner)) {
        SAY(reading, "log", "its name, kind or owner are not those that it was made with");
    }
    bool has_roster = log->kind == LOG_KIND_OPEN || log->kind == LOG_KIND_BOX;
    return has_roster && copy_text(body->member, username, sizeof username)
               ? come_in(reading, username, true)
               : SP_OK;
}

/* What a state event changes. */
static enum sp_error replay(struct reading *reading, const struct event_header *header,
                            const struct body *body)
{
    char username[LIMIT_USERNAME_BYTES + 1];
    bool named = copy_text(body->member, username, sizeof username);

    switch (header->kind) {
    case EVENT_LOG_CREATED:
        return begin_log(reading, body);
    case EVENT_JOINED:
        return named ? come_in(reading, username, false) : SP_OK;
    case EVENT_LEFT:
        if (named) {
            go_out(reading, username);
        }
        return SP_OK;
    case EVENT_TOPIC:
        reading->known =
            copy_text(body->text, reading->topic, sizeof reading->topic) && reading->known;
        return SP_OK;
    case EVENT_RETENTION:
        reading->keep_seconds = body->keep_seconds;
        reading->keep_events = body->keep_events;
        return SP_OK;
    default:
        return SP_OK;
    }
}

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
    return error != SP_OK ? error : replay(reading, &row->header, &body);
}

/* ---- What follows from all of them ---- */

static enum sp_error check_roster(struct reading *reading)
{
    struct statement *query = reading->audit->queries[AUDIT_ROSTER];
    char username[LIMIT_USERNAME_BYTES + 1];
    const struct inside *inside = NULL;

    statement_bind_i64(query, reading->log->number);
    while (statement_next(query)) {
        statement_get_text(query, username, sizeof username);
        bool owner = statement_get_i64(query) == RELATION_OWNER;
        struct inside *member = find_inside(reading, username);
        if (member == NULL || member->owner != owner) {
            SAY(reading, "roster", "%s is on the roster as %s, but not by the events", username,
                owner ? "the owner" : "a member");
        }
        if (member != NULL) {
            member->seen = true;
        }
    }
    enum sp_error error = statement_finish(query);
    for (inside = reading->members; error == SP_OK && inside != NULL; inside = inside->hh.next) {
        if (!inside->seen) {
            SAY(reading, "roster", "%s is in it by the events, but not on the roster",
                inside->username);
        }
    }
    return error;
}

static enum sp_error check_state(struct reading *reading)
{
    const struct audit_log *log = reading->log;

    reading->sequence = 0; /* of the log as a whole */
    if (!reading->known) {
        return SP_OK; /* it cannot be known; what was the matter has been said */
    }
    if (strcmp(reading->topic, log->topic) != 0) {
        SAY(reading, "log", "its topic is not the one that was set last");
    }
    if (reading->keep_seconds != log->keep_seconds || reading->keep_events != log->keep_events) {
        SAY(reading, "log", "what it keeps is not what was set last");
    }
    return check_roster(reading);
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
    struct event_row row;
    enum sp_error error = event_chain_start(&log->id, &reading.head);

    if (error != SP_OK) {
        return error;
    }
    statement_bind_i64(query, store_event_key(log->number, 1));
    statement_bind_i64(query, store_event_key(log->number, LIMIT_SEQUENCE));
    while (error == SP_OK && statement_next(query)) {
        read_row(query, &row);
        tell_progress(audit);
        error = check_event(&reading, &row);
    }
    enum sp_error query_error = statement_finish(query);
    error = error != SP_OK ? error : query_error;
    if (error == SP_OK && reading.sequence == 0) {
        audit_say(audit, "chain", log, 0, "it has no event at all");
    } else if (error == SP_OK) {
        error = check_state(&reading);
    }
    free_members(&reading);
    return error;
}
