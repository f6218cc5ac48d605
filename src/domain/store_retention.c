/* What is not kept for ever: which logs, how far it has been erased, and blobs that must go. */
#include "domain/store.h"

enum sp_error store_set_retention(struct store *store, int64_t log,
                                  const struct retention_rule *rule)
{
    struct statement *query = store->queries[QUERY_SET_RETENTION];

    statement_bind_u64(query, rule->seconds);
    statement_bind_u64(query, rule->events);
    statement_bind_i64(query, log);
    return statement_run(query);
}

enum sp_error store_next_kept(struct store *store, int64_t after, struct kept_row *out)
{
    struct statement *query = store->queries[QUERY_NEXT_KEPT];

    *out = (struct kept_row){0};
    statement_bind_i64(query, after);
    bool found = statement_next(query);
    if (found) {
        out->log = statement_get_i64(query);
        out->rule.seconds = statement_get_u64(query);
        out->rule.events = statement_get_u64(query);
        out->erased = statement_get_u64(query);
    }
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}

enum sp_error store_set_erased(struct store *store, int64_t log, uint64_t sequence)
{
    struct statement *query = store->queries[QUERY_SET_ERASED];

    statement_bind_u64(query, sequence);
    statement_bind_i64(query, log);
    return statement_run(query);
}

enum sp_error store_read_headers(struct store *store, int64_t log, uint64_t after, uint64_t last,
                                 struct event_header *out, size_t capacity, size_t *count)
{
    struct statement *query = store->queries[QUERY_HEADERS];
    uint8_t bytes[EVENT_HEADER_BYTES];
    enum sp_error error = SP_OK;

    *count = 0;
    statement_bind_i64(query, store_event_key(log, after + 1));
    statement_bind_i64(query, store_event_key(log, last));
    statement_bind_u64(query, capacity);
    while (error == SP_OK && *count < capacity && statement_next(query)) {
        int64_t key = statement_get_i64(query);
        statement_get_bytes(query, bytes, sizeof bytes);
        error = event_header_decode(bytes, &out[*count]);
        if (error != SP_OK || key != store_event_key(log, out[*count].sequence)) {
            error = SP_EINTEGRITY;
        } else {
            ++*count;
        }
    }
    enum sp_error query_error = statement_finish(query);
    return query_error != SP_OK ? query_error : error;
}

enum sp_error store_erase_event(struct store *store, int64_t log, uint64_t sequence)
{
    struct statement *query = store->queries[QUERY_ERASE_EVENT];

    statement_bind_i64(query, store_event_key(log, sequence));
    return statement_run(query);
}

enum sp_error store_remove_file(struct store *store, const struct id *file, uint32_t *bucket)
{
    struct statement *query = store->queries[QUERY_FILE_BUCKET];

    *bucket = 0;
    statement_bind_blob(query, file->bytes, ID_BYTES);
    bool found = statement_next(query);
    if (found) {
        *bucket = (uint32_t)statement_get_u64(query);
    }
    enum sp_error error = statement_finish(query);
    if (error != SP_OK || !found) {
        return error == SP_OK ? SP_ENOTFOUND : error;
    }
    query = store->queries[QUERY_REMOVE_FILE];
    statement_bind_blob(query, file->bytes, ID_BYTES);
    return statement_run(query);
}

enum sp_error store_add_discard(struct store *store, const struct id *file, uint32_t bucket)
{
    struct statement *query = store->queries[QUERY_ADD_DISCARD];

    statement_bind_blob(query, file->bytes, ID_BYTES);
    statement_bind_i64(query, bucket);
    return statement_run(query);
}

enum sp_error store_remove_discard(struct store *store, const struct id *file, uint32_t bucket)
{
    struct statement *query = store->queries[QUERY_REMOVE_DISCARD];

    statement_bind_blob(query, file->bytes, ID_BYTES);
    statement_bind_i64(query, bucket);
    return statement_run(query);
}

enum sp_error store_next_discard(struct store *store, int64_t after, struct discard_row *out)
{
    struct statement *query = store->queries[QUERY_DISCARDS];

    *out = (struct discard_row){0};
    statement_bind_i64(query, after);
    bool found = statement_next(query);
    if (found) {
        out->number = statement_get_i64(query);
        statement_get_bytes(query, out->file.bytes, ID_BYTES);
        out->bucket = (uint32_t)statement_get_u64(query);
    }
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}
