/* How far members have read, and where they are mentioned. */
#include "domain/store.h"

enum sp_error store_add_state_event(struct store *store, int64_t log, uint64_t sequence)
{
    struct statement *query = store->queries[QUERY_ADD_STATE_EVENT];

    statement_bind_i64(query, log);
    statement_bind_u64(query, sequence);
    return statement_run(query);
}

enum sp_error store_count_messages(struct store *store, int64_t log, uint64_t sequence,
                                   uint64_t *out)
{
    struct statement *query = store->queries[QUERY_STATE_EVENTS_BEFORE];

    *out = sequence;
    statement_bind_i64(query, log);
    statement_bind_u64(query, sequence);
    if (statement_next(query)) {
        uint64_t state_events = statement_get_u64(query);
        *out -= state_events < sequence ? state_events : sequence;
    }
    return statement_finish(query);
}

uint64_t store_count_unread(const struct log_row *log, uint64_t read)
{
    uint64_t done = read > log->erased_messages ? read : log->erased_messages;

    return log->messages > done ? log->messages - done : 0;
}

enum sp_error store_find_mark(struct store *store, int64_t log, int64_t member, uint64_t *out)
{
    struct statement *query = store->queries[QUERY_MARK];

    *out = 0;
    statement_bind_i64(query, log);
    statement_bind_i64(query, member);
    if (statement_next(query)) {
        *out = statement_get_u64(query);
    }
    return statement_finish(query);
}

enum sp_error store_set_mark(struct store *store, int64_t log, int64_t member, uint64_t sequence)
{
    struct statement *query = store->queries[QUERY_SET_MARK];

    statement_bind_i64(query, log);
    statement_bind_i64(query, member);
    statement_bind_u64(query, sequence);
    return statement_run(query);
}

enum sp_error store_add_mention(struct store *store, int64_t log, int64_t member, uint64_t sequence)
{
    struct statement *query = store->queries[QUERY_ADD_MENTION];

    statement_bind_i64(query, log);
    statement_bind_i64(query, member);
    statement_bind_u64(query, sequence);
    return statement_run(query);
}

enum sp_error store_count_mentions(struct store *store, int64_t log, int64_t member, uint32_t *out)
{
    struct statement *query = store->queries[QUERY_COUNT_MENTIONS];

    *out = 0;
    statement_bind_i64(query, log);
    statement_bind_i64(query, member);
    if (statement_next(query)) {
        *out = (uint32_t)statement_get_u64(query);
    }
    return statement_finish(query);
}

enum sp_error store_remove_mentions(struct store *store, int64_t log, int64_t member,
                                    uint64_t sequence)
{
    struct statement *query = store->queries[QUERY_REMOVE_MENTIONS];

    statement_bind_i64(query, log);
    statement_bind_i64(query, member);
    statement_bind_u64(query, sequence);
    return statement_run(query);
}

enum sp_error store_erase_mentions(struct store *store, int64_t log, uint64_t sequence)
{
    struct statement *query = store->queries[QUERY_ERASE_MENTIONS];

    statement_bind_i64(query, log);
    statement_bind_u64(query, sequence);
    return statement_run(query);
}
