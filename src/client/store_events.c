/* The events and rows that are kept, and what was sent: they wait, and are written in one
 * transaction; bounded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/store.h"

#define SLICE_OF_OLDEST 500 /* events that go at once when there are too many bytes */
#define DELAY_MS 100        /* what waits to be written waits for more that long */
#define RETRY_MS 1000       /* between attempts while another process has the file */
#define MOST_BATCHES 4      /* that wait in memory meanwhile */

enum kept_type { KEPT_EVENT, KEPT_ROW, KEPT_LIST_END, KEPT_SENT };

/* What waits to be written; the names and bytes behind it are its own. */
struct store_kept {
    struct store_kept *next;
    enum kept_type type;
    int64_t stamp_ms; /* of rows: when their list began */
    size_t size;
    /* KEPT_EVENT */
    struct event_header header;
    uint8_t header_bytes[EVENT_HEADER_BYTES];
    struct digest hash;
    char author[LIMIT_USERNAME_BYTES + 1];
    bool erased;
    uint8_t salt[SALT_BYTES];
    size_t body_bytes;
    /* KEPT_SENT */
    uint64_t number;
    struct sp_notice result;
    /* KEPT_ROW */
    struct sp_row row;
    char name[LIMIT_LOG_NAME_BYTES + 1];
    char topic[LIMIT_TOPIC_BYTES + 1];
    uint8_t body[];
};

/* ---- Waiting ---- */

void store_drop_kept(struct sp_store *store)
{
    while (store->kept != NULL) {
        struct store_kept *next = store->kept->next;

        free(store->kept);
        store->kept = next;
    }
    store->kept_end = &store->kept;
    store->kept_count = 0;
    store->kept_bytes = 0;
}

static void append(struct sp_store *store, struct store_kept *kept)
{
    *store->kept_end = kept;
    store->kept_end = &kept->next;
    store->kept_count++;
    store->kept_bytes += kept->size;
}

/* What was read is given up. What was sent stays: it is bounded by the outbox, and is written when
 * that is possible again. */
static void drop_read(struct sp_store *store)
{
    struct store_kept *next = store->kept;

    store->kept = NULL;
    store->kept_end = &store->kept;
    store->kept_count = store->kept_bytes = 0;
    while (next != NULL) {
        struct store_kept *kept = next;

        next = kept->next;
        kept->next = NULL;
        if (kept->type == KEPT_SENT) {
            append(store, kept);
        } else {
            free(kept);
        }
    }
}

static bool is_full(const struct sp_store *store, size_t size, size_t batches)
{
    return store->kept_count >= batches * LIMIT_STORE_BATCH_EVENTS ||
           store->kept_bytes + size > batches * LIMIT_STORE_BATCH_BYTES;
}

/* Room for one more thing; NULL when there is no memory for it, or keeping has failed before. */
static struct store_kept *keep(struct sp_store *store, enum kept_type type, size_t body_bytes)
{
    size_t size = sizeof(struct store_kept) + body_bytes;
    struct store_kept *kept = NULL;

    if (store != NULL && is_full(store, size, 1)) {
        store_flush_soon(store);
    }
    if (store != NULL && type != KEPT_SENT && is_full(store, size, MOST_BATCHES)) {
        store_give_up(store, SP_EBUSY);
        drop_read(store);
    }
    if (store == NULL || (store->trouble[0] != '\0' && type != KEPT_SENT)) {
        return NULL;
    }
    kept = calloc(1, size);
    if (kept == NULL) {
        store_fail(store, SP_ENOMEM);
        return NULL;
    }
    kept->type = type;
    kept->size = size;
    if (store->kept == NULL) {
        store->kept_since_ms = clock_monotonic_ms(clock_system());
    }
    append(store, kept);
    return kept;
}

void store_event(struct sp_store *store, const struct event_view *view, const char *author,
                 const struct digest *hash)
{
    struct store_kept *kept = keep(store, KEPT_EVENT, view->body.size);

    if (kept != NULL) {
        kept->header = view->header;
        memcpy(kept->header_bytes, view->header_bytes, EVENT_HEADER_BYTES);
        kept->hash = *hash;
        (void)snprintf(kept->author, sizeof kept->author, "%s", author);
        kept->erased = view->salt == NULL;
        if (!kept->erased) {
            memcpy(kept->salt, view->salt, SALT_BYTES);
            kept->body_bytes = view->body.size;
            memcpy(kept->body, view->body.size > 0 ? view->body.data : kept->salt, view->body.size);
        }
    }
}

void store_row(struct sp_store *store, const struct sp_row *row, int64_t stamp_ms)
{
    struct store_kept *kept = keep(store, KEPT_ROW, 0);

    if (kept != NULL) {
        kept->stamp_ms = stamp_ms;
        kept->row = *row;
        (void)snprintf(kept->name, sizeof kept->name, "%s", row->log.name);
        (void)snprintf(kept->topic, sizeof kept->topic, "%s", row->topic);
    }
}

void store_listed(struct sp_store *store, int64_t stamp_ms)
{
    struct store_kept *kept = keep(store, KEPT_LIST_END, 0);

    if (kept != NULL) {
        kept->stamp_ms = stamp_ms;
    }
}

void store_sent(struct sp_store *store, uint64_t number, const struct sp_notice *result)
{
    struct store_kept *kept = keep(store, KEPT_SENT, 0);

    if (kept != NULL) {
        kept->number = number;
        kept->result = *result;
        (void)snprintf(kept->name, sizeof kept->name, "%s", result->log.name);
        kept->result.log.name = kept->name;
    }
}

int store_timeout_ms(const struct sp_store *store)
{
    int64_t left_ms = -1;

    if (store != NULL && store->kept != NULL) {
        int64_t due_ms = is_full(store, 0, 1) ? 0 : store->kept_since_ms + DELAY_MS;

        due_ms = due_ms > store->retry_ms ? due_ms : store->retry_ms;
        left_ms = due_ms - clock_monotonic_ms(clock_system());
        left_ms = left_ms < 0 ? 0 : left_ms;
    }
    return (int)left_ms;
}

void store_flush_soon(struct sp_store *store)
{
    if (store_timeout_ms(store) == 0) {
        store_flush(store);
    }
}

/* ---- Writing ---- */

/* The statements that a batch needs for each event. */
struct batch {
    struct sp_store *store;
    struct statement *known;  /* what is there of an event */
    struct statement *insert; /* an event */
    struct statement *head;   /* of its log */
    struct store_log log;     /* of the last event */
    uint64_t highest;         /* the greatest number that was written of it */
};

static enum sp_error batch_begin(struct batch *batch, struct sp_store *store)
{
    static const char known[] = "SELECT hash FROM events WHERE log = ?1 AND sequence = ?2"
                                " UNION ALL SELECT hash FROM posted WHERE log = ?1 AND sequence ="
                                " ?2 LIMIT 1";
    static const char insert[] =
        "INSERT INTO events(log, sequence, time_ms, header, author, hash, salt, body)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(log, sequence) DO UPDATE SET"
        " salt = excluded.salt, body = excluded.body";
    static const char head[] = "UPDATE logs SET sequence = ?, hash = ?, seen_ms = ? WHERE no = ?";

    *batch = (struct batch){.store = store};
    enum sp_error error = statement_new(store->db, known, &batch->known);
    if (error == SP_OK) {
        error = statement_new(store->db, insert, &batch->insert);
    }
    return error == SP_OK ? statement_new(store->db, head, &batch->head) : error;
}

static void batch_deinit(struct batch *batch)
{
    statement_free(batch->known);
    statement_free(batch->insert);
    statement_free(batch->head);
}

/* Forgets what is too far behind the head of the log that was written last. */
static enum sp_error trim_log(struct batch *batch)
{
    uint64_t highest = batch->highest;

    batch->highest = 0;
    return highest <= LIMIT_STORE_EVENTS_PER_LOG
               ? SP_OK
               : store_execute(batch->store, "DELETE FROM events WHERE log = ? AND sequence <= ?",
                               "iu", batch->log.number, highest - LIMIT_STORE_EVENTS_PER_LOG);
}

/*
 * The event is not the one that was seen under its number. After a restored backup that is where
 * the new history begins; else the log is refused at the next look, which finds the same.
 */
static enum sp_error take_other(struct batch *batch, const struct store_kept *kept)
{
    struct sp_store *store = batch->store;
    uint64_t sequence = kept->header.sequence;

    return batch->log.stale
               ? store_fork(store, &batch->log, sequence)
               : store_execute(
                     store, "UPDATE logs SET refused_at = ?, refused_hash = ? WHERE no = ?", "ubi",
                     sequence, kept->hash.bytes, sizeof kept->hash.bytes, batch->log.number);
}

/* *SAME: nothing is known that speaks against the event. */
static enum sp_error compare(struct batch *batch, const struct store_kept *kept, bool *same)
{
    struct digest known = kept->hash;

    statement_bind_i64(batch->known, batch->log.number);
    statement_bind_u64(batch->known, kept->header.sequence);
    if (statement_next(batch->known)) {
        statement_get_bytes(batch->known, known.bytes, DIGEST_BYTES);
    }
    *same = digest_equal(&known, &kept->hash);
    return statement_finish(batch->known);
}

static enum sp_error insert_event(struct batch *batch, const struct store_kept *kept)
{
    struct statement *insert = batch->insert;

    statement_bind_i64(insert, batch->log.number);
    statement_bind_u64(insert, kept->header.sequence);
    statement_bind_i64(insert, kept->header.time_ms);
    statement_bind_blob(insert, kept->header_bytes, EVENT_HEADER_BYTES);
    statement_bind_text(insert, kept->author);
    statement_bind_blob(insert, kept->hash.bytes, DIGEST_BYTES);
    if (kept->erased) {
        statement_bind_null(insert);
        statement_bind_null(insert);
    } else {
        statement_bind_blob(insert, kept->salt, SALT_BYTES);
        statement_bind_blob(insert, kept->body, kept->body_bytes);
    }
    return statement_run(insert);
}

/* What the server has erased is erased here, too, wherever it stands. */
static enum sp_error erase_posted(struct batch *batch, const struct store_kept *kept)
{
    return kept->erased
               ? store_execute(batch->store, "DELETE FROM posted WHERE log = ? AND sequence = ?",
                               "iu", batch->log.number, kept->header.sequence)
               : SP_OK;
}

static enum sp_error move_head(struct batch *batch, const struct store_kept *kept)
{
    uint64_t sequence = kept->header.sequence;

    batch->highest = sequence > batch->highest ? sequence : batch->highest;
    if (batch->log.stale || sequence <= batch->log.sequence) {
        return SP_OK;
    }
    batch->log.sequence = sequence;
    statement_bind_u64(batch->head, sequence);
    statement_bind_blob(batch->head, kept->hash.bytes, DIGEST_BYTES);
    statement_bind_i64(batch->head, clock_wall_ms(clock_system()));
    statement_bind_i64(batch->head, batch->log.number);
    return statement_run(batch->head);
}

static enum sp_error write_event(struct batch *batch, const struct store_kept *kept)
{
    bool same = true;
    enum sp_error error = SP_OK;

    if (batch->log.number == 0 || !id_equal(&batch->log.id, &kept->header.log)) {
        error = trim_log(batch);
        if (error == SP_OK) {
            error = store_find_id(batch->store, &kept->header.log, &batch->log);
        }
    }
    if (error == SP_ENOTFOUND ||
        (error == SP_OK &&
         kept->header.sequence + LIMIT_STORE_EVENTS_PER_LOG <= batch->log.sequence)) {
        return SP_OK; /* not followed through store_check(), or too old to be kept */
    }
    if (error == SP_OK) {
        error = compare(batch, kept, &same);
    }
    if (error == SP_OK && !same) {
        error = take_other(batch, kept);
        if (error != SP_OK || !batch->log.stale) {
            return error;
        }
    }
    if (error == SP_OK) {
        error = insert_event(batch, kept);
    }
    if (error == SP_OK) {
        error = erase_posted(batch, kept);
    }
    return error == SP_OK ? move_head(batch, kept) : error;
}

static enum sp_error write_row(struct sp_store *store, const struct store_kept *kept)
{
    const struct sp_row *row = &kept->row;
    struct store_log log;
    struct id id;

    memcpy(id.bytes, row->log.id, ID_BYTES);
    enum sp_error error = store_note_log(store, &id, (int)row->log.kind, kept->name, &log);
    if (error == SP_EINTEGRITY) {
        return SP_OK; /* whoever follows it is told */
    }
    return error != SP_OK
               ? error
               : store_execute(store,
                               "UPDATE logs SET topic = ?, members = ?, joined = ?, keep_seconds ="
                               " ?, keep_events = ?, listed_ms = ?, listed_sequence = ?,"
                               " listed_hash = ? WHERE no = ?",
                               "tiiuuiubi", kept->topic, (int64_t)row->members,
                               (int64_t)row->joined, row->retention.seconds, row->retention.events,
                               kept->stamp_ms, row->log.head_sequence, row->log.head,
                               (size_t)DIGEST_BYTES, log.number);
}

static enum sp_error write_one(struct batch *batch, const struct store_kept *kept)
{
    switch (kept->type) {
    case KEPT_EVENT:
        return write_event(batch, kept);
    case KEPT_ROW:
        return write_row(batch->store, kept);
    case KEPT_SENT:
        return outbox_write_sent(batch->store, kept->number, &kept->result);
    case KEPT_LIST_END:
        return store_execute(batch->store, "UPDATE owner SET listed_ms = ?", "i", kept->stamp_ms);
    }
    return SP_EINTERNAL;
}

/* The oldest events go when all of them together are too many bytes. */
static enum sp_error trim_all(struct sp_store *store)
{
    uint64_t used = 0;
    enum sp_error error =
        store_number(store, &used,
                     "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(),"
                     " pragma_freelist_count(), pragma_page_size()",
                     "");

    return error != SP_OK || used <= LIMIT_STORE_BYTES
               ? error
               : store_execute(store,
                               "DELETE FROM events WHERE (log, sequence) IN (SELECT log, sequence"
                               " FROM events ORDER BY time_ms LIMIT ?)",
                               "i", (int64_t)SLICE_OF_OLDEST);
}

static enum sp_error write_all(struct sp_store *store)
{
    struct batch batch;
    enum sp_error error = batch_begin(&batch, store);

    for (const struct store_kept *kept = store->kept; error == SP_OK && kept != NULL;
         kept = kept->next) {
        error = write_one(&batch, kept);
    }
    if (error == SP_OK) {
        error = trim_log(&batch);
    }
    if (error == SP_OK) {
        error = trim_all(store);
    }
    batch_deinit(&batch);
    return error;
}

void store_flush(struct sp_store *store)
{
    if (store == NULL || store->kept == NULL) {
        return;
    }
    enum sp_error error = store_begin(store);
    if (error == SP_OK) {
        error = write_all(store);
        error = store_end(store, error);
    }
    store->retry_ms = error == SP_OK ? 0 : clock_monotonic_ms(clock_system()) + RETRY_MS;
    if (error == SP_OK) {
        store_drop_kept(store);
    } else if (error != SP_EBUSY) {
        store_fail(store, error);
        drop_read(store);
    }
}
