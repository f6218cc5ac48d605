/* Stored files: names, digests, and where the bytes are. */
#include <string.h>

#include "domain/store.h"

enum sp_error store_add_file(struct store *store, const struct log_row *log,
                             const struct file_info *file, int64_t member, struct slice content)
{
    struct statement *query = store->queries[QUERY_ADD_FILE];

    statement_bind_blob(query, file->id.bytes, ID_BYTES);
    statement_bind_i64(query, log->info.number);
    if (log->parent != 0) {
        statement_bind_i64(query, log->parent);
    } else {
        statement_bind_null(query);
    }
    statement_bind_u64(query, file->sequence);
    statement_bind_text(query, file->name);
    statement_bind_u64(query, file->size);
    statement_bind_blob(query, file->sha256.bytes, DIGEST_BYTES);
    statement_bind_i64(query, member);
    statement_bind_i64(query, file->time_ms);
    statement_bind_i64(query, file->bucket);
    if (file->bucket == 0) {
        statement_bind_blob(query, content.data, content.size);
    } else {
        statement_bind_null(query);
    }
    return statement_run(query);
}

void store_read_file(struct statement *statement, int64_t *key, int64_t *log, struct file_info *out)
{
    memset(out, 0, sizeof *out);
    *key = statement_get_i64(statement);
    *log = statement_get_i64(statement);
    statement_get_bytes(statement, out->id.bytes, ID_BYTES);
    statement_get_bytes(statement, out->log.bytes, ID_BYTES);
    out->sequence = statement_get_u64(statement);
    statement_get_text(statement, out->log_name, sizeof out->log_name);
    statement_get_text(statement, out->member, sizeof out->member);
    statement_get_text(statement, out->name, sizeof out->name);
    out->size = statement_get_u64(statement);
    statement_get_bytes(statement, out->sha256.bytes, DIGEST_BYTES);
    out->time_ms = statement_get_i64(statement);
    out->bucket = (uint32_t)statement_get_u64(statement);
}

enum sp_error store_find_file(struct store *store, const struct id *file, struct file_info *out)
{
    struct statement *query = store->queries[QUERY_FILE];
    int64_t key = 0;
    int64_t log = 0;

    memset(out, 0, sizeof *out);
    statement_bind_blob(query, file->bytes, ID_BYTES);
    bool found = statement_next(query);
    if (found) {
        store_read_file(query, &key, &log, out);
    }
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_ENOTFOUND : error;
}
