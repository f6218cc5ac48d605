/* What is kept, read again, for those who are not connected. */
#include <stdlib.h>
#include <string.h>

#include "client/core.h"
#include "client/store.h"

/* What one event or row points to. */
struct texts {
    char strings[CONVERT_STRINGS_BYTES];
    char author[LIMIT_USERNAME_BYTES + 1];
    char name[LIMIT_LOG_NAME_BYTES + 1];
    char topic[LIMIT_TOPIC_BYTES + 1];
};

/* From which event on, and up to which. */
struct range {
    uint64_t first;
    uint64_t last;
};

/* The COUNTth event that is kept before END, or the first that there is. */
static enum sp_error count_back(struct sp_store *store, const struct store_log *log, uint64_t end,
                                uint64_t count, uint64_t *out)
{
    return store_number(store, out,
                        "SELECT min(sequence) FROM (SELECT sequence FROM events WHERE log = ? AND"
                        " sequence < ? ORDER BY sequence DESC LIMIT ?)",
                        "iuu", log->number, end, count);
}

static enum sp_error count_on(struct sp_store *store, const struct store_log *log, uint64_t first,
                              uint64_t count, uint64_t *out)
{
    return store_number(store, out,
                        "SELECT max(sequence) FROM (SELECT sequence FROM events WHERE log = ? AND"
                        " sequence >= ? ORDER BY sequence LIMIT ?)",
                        "iuu", log->number, first, count);
}

/* As the server would choose (struct sp_follow), of what is kept. */
static enum sp_error choose(struct sp_store *store, const struct store_log *log,
                            const struct sp_follow *follow, struct range *out)
{
    uint64_t count = follow->count > 0 ? follow->count : LIMIT_STORE_EVENTS_PER_LOG;
    enum sp_error error = SP_OK;

    *out = (struct range){follow->after + 1, LIMIT_SEQUENCE};
    if (follow->before > 0) {
        out->last = follow->before - 1;
        error = count_back(store, log, follow->before, count, &out->first);
    } else if (follow->around > 0) {
        error = count_back(store, log, follow->around, count / 2, &out->first);
        out->first = out->first == 0 ? follow->around : out->first;
        if (error == SP_OK) {
            error = count_on(store, log, out->first, count, &out->last);
        }
    } else if (follow->last > 0) {
        error = count_back(store, log, LIMIT_SEQUENCE, follow->last, &out->first);
    } else if (follow->count > 0) {
        error = count_on(store, log, out->first, count, &out->last);
    }
    return error;
}

/* The row that STATEMENT stands at, as a notice. */
static enum sp_error read_event(struct statement *statement, const struct store_log *log,
                                struct texts *texts, struct sp_notice *out)
{
    uint8_t header[EVENT_HEADER_BYTES];
    struct digest hash;
    struct event_view view = {.header_bytes = header};

    statement_get_bytes(statement, header, sizeof header);
    statement_get_text(statement, texts->author, sizeof texts->author);
    statement_get_bytes(statement, hash.bytes, DIGEST_BYTES);
    view.salt = statement_get_slice(statement).data;
    view.body = statement_get_slice(statement);
    if (event_header_decode(header, &view.header) != SP_OK ||
        view.body.size > LIMIT_EVENT_BODY_BYTES) {
        return SP_EINTEGRITY;
    }
    core_notice(out, SP_NOTICE_EVENT, 0);
    convert_event(&view, texts->author, log->name, &hash, texts->strings, &out->event);
    return SP_OK;
}

/* One by one, so that the file is free whenever FN has one: it may wait for somebody who reads. */
static enum sp_error give_events(struct statement *next, const struct store_log *log,
                                 const struct range *range, sp_notice_fn fn, void *context)
{
    struct sp_notice notice;
    struct texts *texts = malloc(sizeof *texts);
    uint64_t sequence = range->first;
    bool found = texts != NULL;
    enum sp_error error = found ? SP_OK : SP_ENOMEM;

    while (found && error == SP_OK) {
        statement_bind_i64(next, log->number);
        statement_bind_u64(next, sequence);
        statement_bind_u64(next, range->last);
        found = statement_next(next);
        enum sp_error read = found ? read_event(next, log, texts, &notice) : SP_OK;
        error = statement_finish(next);
        error = error == SP_OK ? read : error;
        if (found && error == SP_OK) {
            sequence = notice.event.sequence + 1;
            fn(context, &notice);
        }
    }
    free(texts);
    return error;
}

enum sp_error sp_store_read(struct sp_store *store, const char *log, const struct sp_follow *follow,
                            sp_notice_fn fn, void *context)
{
    struct store_log found;
    struct range range = {0, 0};
    struct statement *next = NULL;

    store_flush(store);
    enum sp_error error = store_find(store, log, &found);
    if (error == SP_OK) {
        error = choose(store, &found, follow, &range);
    }
    if (error == SP_OK) {
        error = statement_new(store->db,
                              "SELECT header, author, hash, salt, body FROM events WHERE log = ?"
                              " AND sequence BETWEEN ? AND ? ORDER BY sequence LIMIT 1",
                              &next);
    }
    if (error == SP_OK) {
        error = give_events(next, &found, &range, fn, context);
    }
    statement_free(next);
    return error;
}

static void read_row(struct statement *statement, struct texts *texts, struct sp_notice *out)
{
    struct sp_row *row = &out->row;

    core_notice(out, SP_NOTICE_ROW, 0);
    row->type = SP_ROW_LOG;
    statement_get_bytes(statement, row->log.id, ID_BYTES);
    row->log.kind = (enum sp_log_kind)statement_get_i64(statement);
    statement_get_text(statement, texts->name, sizeof texts->name);
    statement_get_text(statement, texts->topic, sizeof texts->topic);
    row->members = (uint32_t)statement_get_i64(statement);
    row->joined = statement_get_i64(statement) != 0;
    row->retention.seconds = statement_get_u64(statement);
    row->retention.events = statement_get_u64(statement);
    row->log.head_sequence = statement_get_u64(statement);
    statement_get_bytes(statement, row->log.head, DIGEST_BYTES);
    row->log.name = texts->name;
    row->topic = texts->topic;
}

/* One by one, as give_events(). */
static enum sp_error give_rows(struct statement *next, uint64_t listed, sp_notice_fn fn,
                               void *context)
{
    struct sp_notice notice;
    struct texts *texts = malloc(sizeof *texts);
    int64_t number = 0;
    bool found = texts != NULL;
    enum sp_error error = found ? SP_OK : SP_ENOMEM;

    while (found && error == SP_OK) {
        statement_bind_i64(next, number);
        statement_bind_u64(next, listed);
        found = statement_next(next);
        if (found) {
            number = statement_get_i64(next);
            read_row(next, texts, &notice);
        }
        error = statement_finish(next);
        if (found && error == SP_OK) {
            fn(context, &notice);
        }
    }
    free(texts);
    return error;
}

enum sp_error sp_store_list_logs(struct sp_store *store, sp_notice_fn fn, void *context,
                                 int64_t *listed_ms)
{
    struct statement *next = NULL;
    uint64_t listed = 0;

    *listed_ms = 0;
    store_flush(store);
    enum sp_error error = store_number(store, &listed, "SELECT listed_ms FROM owner", "");
    if (error == SP_OK && listed > 0) {
        *listed_ms = (int64_t)listed;
        error = statement_new(store->db,
                              "SELECT no, id, kind, name, topic, members, joined, keep_seconds,"
                              " keep_events, listed_sequence, ifnull(listed_hash, zeroblob(32))"
                              " FROM logs WHERE no > ? AND listed_ms >= ? AND name <> ''"
                              " ORDER BY no LIMIT 1",
                              &next);
        if (error == SP_OK) {
            error = give_rows(next, listed, fn, context);
        }
        statement_free(next);
    }
    return error;
}
