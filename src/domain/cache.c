#include "domain/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"

#define CACHED_LOGS 65536
#define CACHED_ROLES 262144

struct cached_log {
    struct log_row row;
    UT_hash_handle by_number;
    UT_hash_handle by_id;
    UT_hash_handle by_name; /* submission logs are not in it */
};

struct role_key {
    int64_t log;
    int64_t member;
};

struct cached_role {
    struct role_key key;
    enum relation role;
    struct mark mark; /* of who is in it */
    UT_hash_handle handle;
};

void cache_init(struct cache *cache, struct store *store)
{
    memset(cache, 0, sizeof *cache);
    cache->store = store;
}

void cache_drop(struct cache *cache)
{
    struct cached_log *log = NULL;
    struct cached_log *next_log = NULL;
    struct cached_role *role = NULL;
    struct cached_role *next_role = NULL;

    HASH_CLEAR(by_id, cache->by_id);
    HASH_CLEAR(by_name, cache->by_name);
    HASH_ITER (by_number, cache->by_number, log, next_log) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed is in no list any more */
        HASH_DELETE(by_number, cache->by_number, log);
        free(log);
    }
    HASH_ITER (handle, cache->roles, role, next_role) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): likewise */
        HASH_DELETE(handle, cache->roles, role);
        free(role);
    }
}

void cache_trim(struct cache *cache)
{
    if (HASH_CNT(by_number, cache->by_number) > CACHED_LOGS ||
        HASH_CNT(handle, cache->roles) > CACHED_ROLES) {
        cache_drop(cache);
    }
}

/* All or nothing: an entry that is in one table only would outlive its memory. */
static enum sp_error insert_log(struct cache *cache, const struct log_row *row,
                                struct log_row **out)
{
    struct cached_log *log = calloc(1, sizeof *log);

    *out = NULL;
    if (log == NULL) {
        return SP_ENOMEM;
    }
    log->row = *row;
    HASH_ADD(by_number, cache->by_number, row.info.number, sizeof log->row.info.number, log);
    if (!TABLE_ADDED(log, by_number)) {
        free(log);
        return SP_ENOMEM;
    }
    HASH_ADD(by_id, cache->by_id, row.info.id, sizeof log->row.info.id, log);
    if (!TABLE_ADDED(log, by_id)) {
        HASH_DELETE(by_number, cache->by_number, log);
        free(log);
        return SP_ENOMEM;
    }
    if (row->parent == 0) {
        HASH_ADD_KEYPTR(by_name, cache->by_name, log->row.info.name, strlen(log->row.info.name),
                        log);
        if (!TABLE_ADDED(log, by_name)) {
            HASH_DELETE(by_number, cache->by_number, log);
            HASH_DELETE(by_id, cache->by_id, log);
            free(log);
            return SP_ENOMEM;
        }
    }
    *out = &log->row;
    return SP_OK;
}

/* The cached entry of a row that was just read: it may be there by another of its keys. */
static enum sp_error keep_log(struct cache *cache, const struct log_row *row, struct log_row **out)
{
    struct cached_log *log = NULL;

    HASH_FIND(by_number, cache->by_number, &row->info.number, sizeof row->info.number, log);
    if (log != NULL) {
        *out = &log->row;
        return SP_OK;
    }
    return insert_log(cache, row, out);
}

enum sp_error cache_find_log(struct cache *cache, int64_t number, struct log_row **out)
{
    struct cached_log *log = NULL;
    struct log_row row;

    *out = NULL;
    HASH_FIND(by_number, cache->by_number, &number, sizeof number, log);
    if (log != NULL) {
        *out = &log->row;
        return SP_OK;
    }
    enum sp_error error = store_find_log(cache->store, number, &row);
    return error != SP_OK ? error : insert_log(cache, &row, out);
}

enum sp_error cache_find_log_by_key(struct cache *cache, const struct log_key *key,
                                    struct log_row **out)
{
    struct cached_log *log = NULL;
    struct log_row row;

    *out = NULL;
    if (key->name[0] != '\0') {
        HASH_FIND(by_name, cache->by_name, key->name, strlen(key->name), log);
    } else {
        HASH_FIND(by_id, cache->by_id, &key->id, sizeof key->id, log);
    }
    if (log != NULL) {
        *out = &log->row;
        return SP_OK;
    }
    enum sp_error error = store_find_log_by_key(cache->store, key, &row);
    return error != SP_OK ? error : keep_log(cache, &row, out);
}

static struct cached_role *find_role(struct cache *cache, int64_t log, int64_t member)
{
    struct cached_role *role = NULL;
    struct role_key key = {log, member};

    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): the key has no padding */
    HASH_FIND(handle, cache->roles, &key, sizeof key, role);
    return role;
}

static enum sp_error insert_role(struct cache *cache, int64_t log, int64_t member,
                                 enum relation relation, const struct mark *mark)
{
    struct cached_role *role = calloc(1, sizeof *role);

    if (role == NULL) {
        return SP_ENOMEM;
    }
    role->key.log = log;
    role->key.member = member;
    role->role = relation;
    role->mark = *mark;
    HASH_ADD(handle, cache->roles, key, sizeof role->key, role);
    if (!TABLE_ADDED(role, handle)) {
        free(role);
        return SP_ENOMEM;
    }
    return SP_OK;
}

/* What MEMBER is in the roster of number LOG, from the store. */
static enum sp_error read_role(struct cache *cache, int64_t log, int64_t member,
                               enum relation *role)
{
    struct mark mark = {.counted = MARK_UNCOUNTED};
    enum sp_error error = store_find_role(cache->store, log, member, role);

    if (error == SP_OK && *role != RELATION_NONE) {
        error = store_find_mark(cache->store, log, member, &mark.sequence);
        if (error == SP_OK) {
            error = store_count_messages(cache->store, log, mark.sequence, &mark.messages);
        }
    }
    return error != SP_OK ? error : insert_role(cache, log, member, *role, &mark);
}

enum sp_error cache_find_relation(struct cache *cache, const struct log_row *log, int64_t member,
                                  enum relation *out)
{
    int64_t roster = log->parent != 0 ? log->parent : log->info.number;
    const struct cached_role *cached = find_role(cache, roster, member);
    enum relation role = RELATION_NONE;
    enum sp_error error = SP_OK;

    *out = RELATION_NONE;
    if (cached != NULL) {
        role = cached->role;
    } else {
        error = read_role(cache, roster, member, &role);
        if (error != SP_OK) {
            return error;
        }
    }
    *out = access_relation(log->info.kind, role, log->owner == member);
    return SP_OK;
}

/* What was erased took its mentions with it. */
static enum sp_error count_mentions(struct cache *cache, const struct log_row *log, int64_t member,
                                    struct mark *mark)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): cache_find_relation() put it there */
    if (mark->counted == log->erased_messages) {
        return SP_OK;
    }
    enum sp_error error =
        store_count_mentions(cache->store, log->info.number, member, &mark->mentions);
    mark->counted = error == SP_OK ? log->erased_messages : MARK_UNCOUNTED;
    return error;
}

enum sp_error cache_find_mark(struct cache *cache, const struct log_row *log, int64_t member,
                              struct mark **out)
{
    enum relation relation = RELATION_NONE;
    enum sp_error error = cache_find_relation(cache, log, member, &relation);

    *out = NULL;
    if (error == SP_OK && relation == RELATION_NONE) {
        error = SP_ENOTJOINED;
    }
    if (error == SP_OK) {
        *out = &find_role(cache, log->info.number, member)->mark;
        error = count_mentions(cache, log, member, *out);
    }
    return error;
}

enum sp_error cache_add_log(struct cache *cache, const struct log_row *log, struct log_row **out)
{
    cache->changed = true;
    return insert_log(cache, log, out);
}

enum sp_error cache_set_role(struct cache *cache, const struct log_row *log, int64_t member,
                             enum relation role, uint64_t read)
{
    struct cached_role *cached = find_role(cache, log->info.number, member);
    const struct mark mark = {read, log->messages, 0, MARK_UNCOUNTED};

    cache->changed = true;
    if (cached == NULL) {
        return insert_role(cache, log->info.number, member, role, &mark);
    }
    cached->role = role;
    cached->mark = mark;
    return SP_OK;
}

void cache_advance(struct cache *cache, struct log_row *log, const struct digest *head,
                   int64_t time_ms, bool is_message)
{
    cache->changed = true;
    log->messages += is_message ? 1 : 0;
    log->info.head_sequence++;
    log->info.head = *head;
    log->last_ms = time_ms;
}

void cache_erased(struct cache *cache, struct log_row *log, uint64_t messages)
{
    cache->changed = true;
    log->erased_messages += messages;
}
