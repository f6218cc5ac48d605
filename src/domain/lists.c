/*
 * Lists, page by page: logs, members, files; and one file by the start of its id.
 *
 * Logs and files are counted among those that the asker may see, and that count is the row's key: a
 * number of the store's would tell how many others there are.
 */
#include <stdlib.h>
#include <string.h>

#include "domain/read.h"

#define PREFIX_DIGITS_LEAST 6

enum sp_error read_begin_list(const struct command *command, struct reply *reply, size_t *maximum)
{
    *maximum = command->list.limit == 0 || command->list.limit > LIMIT_PAGE_ROWS
                   ? LIMIT_PAGE_ROWS
                   : command->list.limit;
    reply->kind = REPLY_LIST;
    reply->list.rows = calloc(*maximum, sizeof(struct row));
    if (command->list.after > INT64_MAX) {
        return SP_EINVALID;
    }
    return reply->list.rows == NULL ? SP_ENOMEM : SP_OK;
}

struct row *read_next_row(struct reply *reply, size_t maximum)
{
    if (reply->list.count == maximum) {
        reply->list.more = true;
        return NULL;
    }
    return &reply->list.rows[reply->list.count++];
}

/* The log that COMMAND names, if its actor has RIGHT there. */
static enum sp_error find_log(struct store *store, const struct command *command, enum right right,
                              struct log_row *log, unsigned *rights)
{
    enum relation relation = RELATION_NONE;
    enum sp_error error = store_find_log_by_key(store, &command->log, log);

    *rights = 0;
    if (error == SP_OK) {
        error = read_rights(store, log, &command->actor, rights, &relation);
    }
    return error != SP_OK ? error : access_check(log->info.kind, relation, right);
}

/* The current row of QUERY_LIST_LOGS; its head comes later, from another query. */
static void read_log_row(struct statement *query, struct row *row, enum relation *role)
{
    row->kind = ROW_LOG;
    row->log.info.number = statement_get_i64(query);
    statement_get_bytes(query, row->log.info.id.bytes, ID_BYTES);
    row->log.info.kind = (enum log_kind)statement_get_i64(query);
    statement_get_text(query, row->log.info.name, sizeof row->log.info.name);
    statement_get_text(query, row->log.topic, sizeof row->log.topic);
    row->log.retention.seconds = statement_get_u64(query);
    row->log.retention.events = statement_get_u64(query);
    row->log.member_count = (uint32_t)statement_get_u64(query);
    *role = (enum relation)statement_get_i64(query);
    row->log.joined = *role != RELATION_NONE;
    row->log.read = statement_get_u64(query);
}

/* The rest of ROW, whose log was read: its head, and what of it MEMBER has not read. */
static enum sp_error fill_log_row(struct store *store, const struct log_row *log, int64_t member,
                                  struct row *row)
{
    uint64_t read = 0;
    enum sp_error error = SP_OK;

    row->log.info = log->info;
    if (!row->log.joined || log->info.kind != LOG_KIND_OPEN) {
        row->log.read = 0; /* it has no read state */
        return SP_OK;
    }
    error = store_count_messages(store, log->info.number, row->log.read, &read);
    if (error != SP_OK) {
        return error;
    }
    row->log.unread = store_count_unread(log, read);
    return store_count_mentions(store, log->info.number, member, &row->log.mentions);
}

enum sp_error read_list_logs(struct store *store, const struct command *command,
                             struct reply *reply)
{
    struct statement *query = store->queries[QUERY_LIST_LOGS];
    struct row candidate;
    struct row *row = NULL;
    struct log_row log;
    enum relation role = RELATION_NONE;
    uint64_t seen = 0;
    size_t maximum = 0;
    enum sp_error error = read_begin_list(command, reply, &maximum);

    if (error != SP_OK) {
        return error;
    }
    statement_bind_i64(query, command->actor.member);
    while (!reply->list.more && statement_next(query)) {
        memset(&candidate, 0, sizeof candidate);
        read_log_row(query, &candidate, &role);
        bool visible = (access_rights(candidate.log.info.kind, role) & RIGHT_SEE) != 0;
        candidate.key = visible ? ++seen : 0;
        if (candidate.key <= command->list.after) {
            continue;
        }
        row = read_next_row(reply, maximum);
        if (row != NULL) {
            *row = candidate;
        }
    }
    error = statement_finish(query);
    for (size_t i = 0; error == SP_OK && i < reply->list.count; i++) {
        row = &reply->list.rows[i];
        error = store_find_log(store, row->log.info.number, &log);
        if (error == SP_OK) {
            error = fill_log_row(store, &log, command->actor.member, row);
        }
    }
    return error;
}

enum sp_error read_list_members(struct store *store, const struct command *command,
                                struct reply *reply)
{
    struct statement *query = store->queries[QUERY_LIST_TEAM];
    struct log_row log;
    unsigned rights = 0;
    struct row *row = NULL;
    size_t maximum = 0;
    bool of_team = command->log.name[0] == '\0' && id_is_zero(&command->log.id);
    enum sp_error error = of_team ? SP_OK : find_log(store, command, RIGHT_ROSTER, &log, &rights);

    if (error == SP_OK) {
        error = read_begin_list(command, reply, &maximum);
    }
    if (error != SP_OK) {
        return error;
    }
    if (!of_team) {
        query = store->queries[QUERY_LIST_ROSTER];
        statement_bind_i64(query, log.info.number);
    } else {
        /* Who is shut out is shown to those who can let them in again. */
        statement_bind_i64(query,
                           access_check_team(command->actor.role, TEAM_MEMBERS) == SP_OK ? 1 : 0);
    }
    statement_bind_u64(query, command->list.after);
    statement_bind_u64(query, maximum + 1);
    while (!reply->list.more && statement_next(query)) {
        row = read_next_row(reply, maximum);
        if (row != NULL) {
            row->kind = ROW_MEMBER;
            row->member.number = statement_get_i64(query);
            row->key = (uint64_t)row->member.number;
            statement_get_text(query, row->member.username, sizeof row->member.username);
            row->member.owner = statement_get_i64(query) == RELATION_OWNER;
            row->member.role = (enum role)statement_get_i64(query);
            row->member.disabled = statement_get_i64(query) != 0;
            row->member.last_seen_ms = statement_get_i64(query);
        }
    }
    return statement_finish(query);
}

/* Of a box its owners see all submissions, others their own, which are in one log. */
static enum sp_error choose_files(struct store *store, const struct command *command,
                                  enum store_query *query, int64_t *number)
{
    struct log_row log;
    unsigned rights = 0;
    enum sp_error error = find_log(store, command, RIGHT_READ, &log, &rights);

    *query = QUERY_FILES_OF_LOG;
    *number = log.info.number;
    if (error != SP_OK || log.info.kind != LOG_KIND_BOX) {
        return error;
    }
    if ((rights & RIGHT_ALL) != 0) {
        *query = QUERY_FILES_OF_BOX;
        return SP_OK;
    }
    error = store_find_log_of_box(store, *number, command->actor.member, &log);
    if (error == SP_OK) {
        *number = log.info.number;
    }
    /* Without a submission the list is empty; the box's own log has no files. */
    return error == SP_ENOTFOUND ? SP_OK : error;
}

enum sp_error read_list_files(struct store *store, const struct command *command,
                              struct reply *reply)
{
    enum store_query which = QUERY_FILES_OF_LOG;
    int64_t number = 0;
    int64_t key = 0;
    int64_t log = 0;
    size_t maximum = 0;
    struct row *row = NULL;
    enum sp_error error = choose_files(store, command, &which, &number);

    if (error == SP_OK) {
        error = read_begin_list(command, reply, &maximum);
    }
    if (error != SP_OK) {
        return error;
    }
    struct statement *query = store->queries[which];
    statement_bind_i64(query, number);
    statement_bind_u64(query, maximum + 1);
    statement_bind_u64(query, command->list.after);
    while (!reply->list.more && statement_next(query)) {
        row = read_next_row(reply, maximum);
        if (row != NULL) {
            row->kind = ROW_FILE;
            store_read_file(query, &key, &log, &row->file);
            row->key = command->list.after + reply->list.count;
        }
    }
    return statement_finish(query);
}

/* The least and the greatest id that start with DIGITS. */
static enum sp_error prefix_range(const char *digits, struct id *low, struct id *high)
{
    char text[ID_HEX_BYTES];
    size_t length = strnlen(digits, ID_HEX_BYTES);

    if (length < PREFIX_DIGITS_LEAST || length >= ID_HEX_BYTES) {
        return SP_EINVALID;
    }
    memset(text, '0', sizeof text);
    memcpy(text, digits, length);
    text[ID_HEX_BYTES - 1] = '\0';
    enum sp_error error = hex_decode(text, low->bytes, ID_BYTES);
    memset(text + length, 'f', ID_HEX_BYTES - 1 - length);
    return error != SP_OK ? error : hex_decode(text, high->bytes, ID_BYTES);
}

/* The one file from LOW to HIGH that the actor may read. Files of others do not exist here. */
static enum sp_error find_file(struct store *store, const struct command *command,
                               const struct id *low, const struct id *high, struct reply *reply)
{
    struct statement *query = store->queries[QUERY_FILES_FROM_TO];
    struct file_info file;
    struct log_row log;
    enum relation relation = RELATION_NONE;
    int64_t key = 0;
    int64_t number = 0;
    unsigned rights = 0;
    size_t count = 0;
    enum sp_error error = SP_OK;

    statement_bind_blob(query, low->bytes, ID_BYTES);
    statement_bind_blob(query, high->bytes, ID_BYTES);
    while (error == SP_OK && count < 2 && statement_next(query)) {
        store_read_file(query, &key, &number, &file);
        error = store_find_log(store, number, &log);
        if (error == SP_OK) {
            error = read_rights(store, &log, &command->actor, &rights, &relation);
        }
        if (error == SP_OK && (rights & RIGHT_READ) != 0) {
            reply->file.info = file;
            count++;
        }
    }
    enum sp_error query_error = statement_finish(query);
    if (error != SP_OK || query_error != SP_OK) {
        return query_error != SP_OK ? query_error : error;
    }
    if (count > 1) {
        (void)strcpy(reply->detail, "several files have an id that starts like this");
        return SP_EINVALID;
    }
    return count == 1 ? SP_OK : SP_ENOTFOUND;
}

static enum sp_error read_content(struct store *store, struct reply *reply)
{
    struct statement *query = store->queries[QUERY_CONTENT];
    size_t size = (size_t)reply->file.info.size;

    if (reply->file.info.size > LIMIT_INLINE_FILE_BYTES) {
        return SP_EINTEGRITY;
    }
    reply->file.content = malloc(size + 1);
    if (reply->file.content == NULL) {
        return SP_ENOMEM;
    }
    statement_bind_blob(query, reply->file.info.id.bytes, ID_BYTES);
    bool found = statement_next(query);
    if (found) {
        statement_get_bytes(query, reply->file.content, size);
    }
    enum sp_error error = statement_finish(query);
    return error == SP_OK && !found ? SP_EINTEGRITY : error;
}

enum sp_error read_file(struct store *store, const struct command *command, struct reply *reply)
{
    struct id low;
    struct id high;
    enum sp_error error = prefix_range(command->file_prefix.digits, &low, &high);

    reply->kind = REPLY_FILE;
    if (error == SP_OK) {
        error = find_file(store, command, &low, &high, reply);
    }
    if (error == SP_OK && reply->file.info.bucket == 0) {
        error = read_content(store, reply);
    }
    return error;
}
