/* Logs, their rosters, their events, and which request made which event. */
#include <string.h>

#include "domain/schema.h"
#include "domain/store.h"

int64_t store_event_key(int64_t log, uint64_t sequence)
{
    return (int64_t)(((uint64_t)log << EVENT_KEY_SHIFT) | sequence);
}

int64_t store_key_log(int64_t key)
{
    return (int64_t)((uint64_t)key >> EVENT_KEY_SHIFT);
}

static void get_header(struct statement *query, struct event_header *header, enum sp_error *error)
{
    uint8_t bytes[EVENT_HEADER_BYTES];

    statement_get_bytes(query, bytes, sizeof bytes);
    *error = event_header_decode(bytes, header);
}

/* The last event of LOG, or the start of its chain if there is none. */
static enum sp_error find_head(struct store *store, struct log_row *log)
{
    struct statement *query = store->queries[QUERY_HEAD];
    struct event_header header;
    enum sp_error header_error = SP_OK;

    statement_bind_i64(query, store_event_key(log->info.number, 0));
    statement_bind_i64(query, store_event_key(log->info.number, LIMIT_SEQUENCE));
    bool found = statement_next(query);
    if (found) {
        log->info.head_sequence = statement_get_u64(query) & LIMIT_SEQUENCE;
        statement_get_bytes(query, log->info.head.bytes, DIGEST_BYTES);
        get_header(query, &header, &header_error);
        log->last_ms = header.time_ms;
    }
    enum sp_error error = statement_finish(query);
    if (error != SP_OK) {
        return error;
    }
    if (!found) {
        return event_chain_start(&log->info.id, &log->info.head);
    }
    return header_error == SP_OK ? SP_OK : SP_EINTEGRITY;
}

/* How many messages there are, and are gone. */
static enum sp_error count_messages(struct store *store, struct log_row *log, uint64_t erased)
{
    enum sp_error error =
        store_count_messages(store, log->info.number, log->info.head_sequence, &log->messages);

    return error == SP_OK && erased > 0
               ? store_count_messages(store, log->info.number, erased, &log->erased_messages)
               : error;
}

/* The one row of QUERY, whose parameters are bound. */
static enum sp_error find_log(struct store *store, struct statement *query, struct log_row *out)
{
    uint64_t erased = 0;

    memset(out, 0, sizeof *out);
    bool found = statement_next(query);
    if (found) {
        out->info.number = statement_get_i64(query);
        statement_get_bytes(query, out->info.id.bytes, ID_BYTES);
        out->info.kind = (enum log_kind)statement_get_i64(query);
        statement_get_text(query, out->info.name, sizeof out->info.name);
        out->parent = statement_get_i64(query);
        out->owner = statement_get_i64(query);
        erased = statement_get_u64(query);
    }
    enum sp_error error = statement_finish(query);
    if (error == SP_OK) {
        error = found ? find_head(store, out) : SP_ENOTFOUND;
    }
    if (error == SP_OK) {
        error = count_messages(store, out, erased);
    }
    if (error != SP_OK) {
        memset(out, 0, sizeof *out);
    }
    return error;
}

enum sp_error store_find_log(struct store *store, int64_t number, struct log_row *out)
{
    struct statement *query = store->queries[QUERY_LOG_BY_NUMBER];

    statement_bind_i64(query, number);
    return find_log(store, query, out);
}

enum sp_error store_find_log_by_key(struct store *store, const struct log_key *key,
                                    struct log_row *out)
{
    struct statement *query = NULL;

    if (key->name[0] != '\0') {
        query = store->queries[QUERY_LOG_BY_NAME];
        statement_bind_text(query, key->name);
    } else {
        query = store->queries[QUERY_LOG_BY_ID];
        statement_bind_blob(query, key->id.bytes, ID_BYTES);
    }
    return find_log(store, query, out);
}

enum sp_error store_find_log_of_box(struct store *store, int64_t box, int64_t owner,
                                    struct log_row *out)
{
    struct statement *query = store->queries[QUERY_LOG_OF_BOX];

    statement_bind_i64(query, box);
    statement_bind_i64(query, owner);
    return find_log(store, query, out);
}

enum sp_error store_add_log(struct store *store, struct log_row *log, int64_t now_ms)
{
    struct statement *query = store->queries[QUERY_ADD_LOG];

    statement_bind_blob(query, log->info.id.bytes, ID_BYTES);
    statement_bind_i64(query, log->info.kind);
    if (log->parent == 0) {
        statement_bind_text(query, log->info.name);
        statement_bind_null(query);
    } else {
        statement_bind_null(query);
        statement_bind_i64(query, log->parent);
    }
    statement_bind_i64(query, log->owner);
    statement_bind_i64(query, now_ms);
    enum sp_error error = statement_run(query);
    if (error == SP_OK) {
        log->info.number = db_last_row(store->db);
        error = log->info.number > LIMIT_LOGS ? SP_ELIMIT : SP_OK;
    }
    return error;
}

enum sp_error store_set_topic(struct store *store, int64_t log, struct slice topic)
{
    struct statement *query = store->queries[QUERY_SET_TOPIC];

    statement_bind_blob(query, topic.data, topic.size);
    statement_bind_i64(query, log);
    return statement_run(query);
}

enum sp_error store_find_role(struct store *store, int64_t log, int64_t member, enum relation *out)
{
    struct statement *query = store->queries[QUERY_ROLE];

    *out = RELATION_NONE;
    statement_bind_i64(query, log);
    statement_bind_i64(query, member);
    if (statement_next(query)) {
        *out = (enum relation)statement_get_i64(query);
    }
    return statement_finish(query);
}

enum sp_error store_set_role(struct store *store, int64_t log, int64_t member, enum relation role,
                             uint64_t read, int64_t now_ms)
{
    struct statement *query =
        store->queries[role == RELATION_NONE ? QUERY_REMOVE_ROLE : QUERY_SET_ROLE];

    statement_bind_i64(query, log);
    statement_bind_i64(query, member);
    if (role != RELATION_NONE) {
        statement_bind_i64(query, role);
        statement_bind_i64(query, now_ms);
        statement_bind_u64(query, read);
    }
    return statement_run(query);
}

enum sp_error store_add_event(struct store *store, const struct event_record *record,
                              int64_t device, const struct digest *hash)
{
    struct statement *query = store->queries[QUERY_ADD_EVENT];

    statement_bind_i64(query, store_event_key(record->log_number, record->sequence));
    statement_bind_i64(query, device);
    statement_bind_blob(query, record->header, EVENT_HEADER_BYTES);
    statement_bind_blob(query, hash->bytes, DIGEST_BYTES);
    statement_bind_blob(query, record->salt, SALT_BYTES);
    statement_bind_blob(query, record->body, record->body_size);
    return statement_run(query);
}

enum sp_error store_find_hash(struct store *store, int64_t log, uint64_t sequence,
                              struct digest *out)
{
    struct statement *query = store->queries[QUERY_HASH];

    memset(out, 0, sizeof *out);
    statement_bind_i64(query, store_event_key(log, sequence));
    bool found = statement_next(query);
    if (found) {
        statement_get_bytes(query, out->bytes, DIGEST_BYTES);
    }
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

enum sp_error store_find_request(struct store *store, int64_t device, const struct id *client_id,
                                 struct request_row *out)
{
    struct statement *query = store->queries[QUERY_REQUEST];
    enum sp_error header_error = SP_OK;

    memset(out, 0, sizeof *out);
    statement_bind_i64(query, device);
    statement_bind_blob(query, client_id->bytes, ID_BYTES);
    bool found = statement_next(query);
    if (found) {
        out->log = store_key_log(statement_get_i64(query));
        get_header(query, &out->header, &header_error);
        statement_get_bytes(query, out->hash.bytes, DIGEST_BYTES);
    }
    enum sp_error error = statement_finish(query);
    if (error != SP_OK) {
        return error;
    }
    if (header_error != SP_OK) {
        return SP_EINTEGRITY;
    }
    return found ? SP_OK : SP_ENOTFOUND;
}

enum sp_error store_add_request(struct store *store, int64_t device, const struct id *client_id,
                                int64_t event_key)
{
    struct statement *query = store->queries[QUERY_ADD_REQUEST];

    statement_bind_i64(query, device);
    statement_bind_blob(query, client_id->bytes, ID_BYTES);
    statement_bind_i64(query, event_key);
    return statement_run(query);
}
