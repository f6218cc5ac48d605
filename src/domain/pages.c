/* Reading by itself: which handler, what the actor may, pages of events. */
#include <stdlib.h>
#include <string.h>

#include "domain/read.h"

#define PAGE_BYTES 65536                  /* encoded events of one page, unless one is larger */
#define SMALLEST_EVENT EVENT_HEADER_BYTES /* one that was erased */
#define PAGE_EVENTS (PAGE_BYTES / SMALLEST_EVENT + 1)

typedef enum sp_error (*read_handler)(struct store *store, const struct command *command,
                                      struct reply *reply);

static const read_handler handlers[] = {
    [COMMAND_LIST_LOGS] = read_list_logs,
    [COMMAND_LIST_MEMBERS] = read_list_members,
    [COMMAND_LIST_FILES] = read_list_files,
    [COMMAND_LIST_DEVICES] = read_list_devices,
    [COMMAND_LIST_INVITATIONS] = read_list_invitations,
    [COMMAND_FILE] = read_file,
    [COMMAND_READ] = read_events,
};

enum sp_error read_execute(struct store *store, const struct command *command, struct reply *reply)
{
    if ((size_t)command->kind >= COUNT_OF(handlers) || handlers[command->kind] == NULL) {
        return SP_EUNSUPPORTED;
    }
    return handlers[command->kind](store, command, reply);
}

enum sp_error read_rights(struct store *store, const struct log_row *log, const struct actor *actor,
                          unsigned *rights, enum relation *relation)
{
    int64_t roster = log->parent != 0 ? log->parent : log->info.number;
    enum relation role = RELATION_NONE;
    enum sp_error error = store_find_role(store, roster, actor->member, &role);

    *relation = access_relation(log->info.kind, role, log->owner == actor->member);
    *rights = error == SP_OK ? access_rights(log->info.kind, *relation) : 0;
    return error;
}

/* The current row of QUERY_EVENTS, which must be number SEQUENCE of its log. */
static enum sp_error read_record(struct statement *query, int64_t log, uint64_t sequence,
                                 struct event_record **out)
{
    uint8_t bytes[EVENT_HEADER_BYTES];
    struct event_header header;
    struct event_record *record = NULL;

    *out = NULL;
    int64_t key = statement_get_i64(query);
    statement_get_bytes(query, bytes, sizeof bytes);
    struct slice salt = statement_get_slice(query);
    struct slice body = statement_get_slice(query);
    bool erased = salt.data == NULL || body.data == NULL;
    if (key != store_event_key(log, sequence) || event_header_decode(bytes, &header) != SP_OK ||
        header.sequence != sequence ||
        (!erased && (salt.size != SALT_BYTES || body.size != header.body_bytes))) {
        return SP_EINTEGRITY;
    }
    enum sp_error error = event_record_new(erased ? 0 : body.size, &record);
    if (error != SP_OK) {
        return error;
    }
    record->log_number = log;
    record->sequence = sequence;
    record->erased = erased;
    memcpy(record->header, bytes, sizeof bytes);
    if (!erased) {
        memcpy(record->salt, salt.data, SALT_BYTES);
        memcpy(record->body, body.data, body.size);
    }
    statement_get_text(query, record->author, sizeof record->author);
    *out = record;
    return SP_OK;
}

static size_t encoded_bytes(const struct event_record *record)
{
    return EVENT_HEADER_BYTES + (record->erased ? 0 : SALT_BYTES + record->body_size);
}

enum sp_error read_events(struct store *store, const struct command *command, struct reply *reply)
{
    const struct command_read *read = &command->read;
    struct statement *query = store->queries[QUERY_EVENTS];
    size_t maximum = read->count < PAGE_EVENTS ? read->count : PAGE_EVENTS;
    struct event_record *record = NULL;
    size_t used = 0;
    enum sp_error error = SP_OK;

    if (read->from == 0 || read->from > LIMIT_SEQUENCE || read->log_number <= 0 ||
        read->log_number > LIMIT_LOGS) {
        return SP_EINVALID;
    }
    reply->kind = REPLY_PAGE;
    reply->page.log_number = read->log_number;
    reply->page.from = read->from;
    reply->page.events = calloc(maximum + 1, sizeof(struct event_record *));
    if (reply->page.events == NULL) {
        return SP_ENOMEM;
    }
    statement_bind_i64(query, store_event_key(read->log_number, read->from));
    statement_bind_i64(query, store_event_key(read->log_number, LIMIT_SEQUENCE));
    while (reply->page.count < maximum && statement_next(query)) {
        error = read_record(query, read->log_number, read->from + reply->page.count, &record);
        if (error != SP_OK) {
            break;
        }
        used += encoded_bytes(record);
        if (used > PAGE_BYTES && reply->page.count > 0) {
            free(record);
            break;
        }
        reply->page.events[reply->page.count++] = record;
    }
    enum sp_error query_error = statement_finish(query);
    return query_error != SP_OK ? query_error : error;
}
