/* What a log's events add up to (who is in it, its topic, what it keeps), against the tables. */
#include <stdlib.h>
#include <string.h>

#include "domain/access.h"
#include "domain/audit_internal.h"

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

void audit_forget(struct reading *reading)
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
enum sp_error audit_replay(struct reading *reading, const struct event_header *header,
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

/* ---- What is counted ---- */

static void say_miscounted(struct reading *reading)
{
    reading->miscounted = true;
    SAY(reading, "read-state", "what is neither message nor file is counted wrongly from here on");
}

void audit_count(struct reading *reading, const struct event_header *header)
{
    struct statement *query = reading->audit->queries[AUDIT_STATE_EVENTS];

    if (event_is_erasable(header->kind) || reading->miscounted || !reading->known) {
        return;
    }
    reading->state_events++;
    if (!statement_next(query) || statement_get_u64(query) != reading->sequence ||
        statement_get_u64(query) != reading->state_events) {
        say_miscounted(reading);
    }
}

void audit_count_end(struct reading *reading)
{
    struct statement *query = reading->audit->queries[AUDIT_STATE_EVENTS];
    uint64_t head = reading->sequence;

    if (!reading->miscounted && reading->known && statement_next(query)) {
        reading->sequence = statement_get_u64(query);
        say_miscounted(reading);
        reading->sequence = head;
    }
}

static enum sp_error check_mentions(struct reading *reading)
{
    struct statement *query = reading->audit->queries[AUDIT_MENTIONS];
    char username[LIMIT_USERNAME_BYTES + 1];

    statement_bind_i64(query, reading->log->number);
    while (statement_next(query)) {
        reading->sequence = statement_get_u64(query);
        statement_get_text(query, username, sizeof username);
        SAY(reading, "read-state", "%s is mentioned there as unread, which cannot be", username);
    }
    return statement_finish(query);
}

/* ---- What follows from all of them ---- */

/* HEAD: sequence number of its last event. */
static enum sp_error check_roster(struct reading *reading, uint64_t head)
{
    struct statement *query = reading->audit->queries[AUDIT_ROSTER];
    char username[LIMIT_USERNAME_BYTES + 1];
    const struct inside *inside = NULL;

    statement_bind_i64(query, reading->log->number);
    while (statement_next(query)) {
        statement_get_text(query, username, sizeof username);
        bool owner = statement_get_i64(query) == RELATION_OWNER;
        uint64_t read = statement_get_u64(query);
        if (read > head) {
            SAY(reading, "read-state", "%s has read up to %llu, which is not there", username,
                (unsigned long long)read);
        }
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

enum sp_error audit_check_state(struct reading *reading)
{
    const struct audit_log *log = reading->log;

    uint64_t head = reading->sequence;
    enum sp_error error = check_mentions(reading);

    reading->sequence = 0; /* of the log as a whole */
    if (error != SP_OK) {
        return error;
    }
    if (!reading->known) {
        return SP_OK; /* it cannot be known; what was the matter has been said */
    }
    if (strcmp(reading->topic, log->topic) != 0) {
        SAY(reading, "log", "its topic is not the one that was set last");
    }
    if (reading->keep_seconds != log->keep_seconds || reading->keep_events != log->keep_events) {
        SAY(reading, "log", "what it keeps is not what was set last");
    }
    return check_roster(reading, head);
}
