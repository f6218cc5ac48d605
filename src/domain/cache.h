/*
 * What the writer knows by heart: logs with their heads, and who is what in which roster. Filled as
 * it is needed, so that the start takes the same time for a large database as for a small one.
 *
 * It follows the statements of the transaction that is open. When these are undone it is wrong and
 * must be dropped: cache->changed tells whether a command has changed it. Domain thread only.
 */
#ifndef SP_DOMAIN_CACHE_H
#define SP_DOMAIN_CACHE_H

#include "domain/store.h"

#define MARK_UNCOUNTED UINT64_MAX

/* Up to where a member has read a room. */
struct mark {
    uint64_t sequence;
    uint64_t messages; /* of the room, up to there */
    uint32_t mentions; /* of the member, behind it */
    uint64_t counted;  /* log->erased_messages when these were; or MARK_UNCOUNTED */
};

struct cached_log;
struct cached_role;

struct cache {
    struct store *store; /* borrowed */
    struct cached_log *by_number;
    struct cached_log *by_id;
    struct cached_log *by_name;
    struct cached_role *roles;
    bool changed; /* set here when something was written through; cleared by the owner */
};

void cache_init(struct cache *cache, struct store *store);
/* Forgets everything; all borrowed logs are gone. Also ends its use. */
void cache_drop(struct cache *cache);
/* Forgets everything if it has grown too large. Between two batches only. */
void cache_trim(struct cache *cache);

/* The log, borrowed until the cache is dropped. SP_ENOTFOUND; errors of the store; SP_ENOMEM. */
SP_CHECK enum sp_error cache_find_log(struct cache *cache, int64_t number, struct log_row **out);
SP_CHECK enum sp_error cache_find_log_by_key(struct cache *cache, const struct log_key *key,
                                             struct log_row **out);
/* What MEMBER is to LOG. */
SP_CHECK enum sp_error cache_find_relation(struct cache *cache, const struct log_row *log,
                                           int64_t member, enum relation *out);

/* Where MEMBER, who is in the room LOG, has got to, with its mentions counted; borrowed as the log
 * is, and changed together with the store. SP_ENOTJOINED. */
SP_CHECK enum sp_error cache_find_mark(struct cache *cache, const struct log_row *log,
                                       int64_t member, struct mark **out);

/* After the statements that did it succeeded. */
SP_CHECK enum sp_error cache_add_log(struct cache *cache, const struct log_row *log,
                                     struct log_row **out);
/* Who comes in has read up to READ, which is all that the log has. */
SP_CHECK enum sp_error cache_set_role(struct cache *cache, const struct log_row *log,
                                      int64_t member, enum relation role, uint64_t read);
/* IS_MESSAGE: or a file. */
void cache_advance(struct cache *cache, struct log_row *log, const struct digest *head,
                   int64_t time_ms, bool is_message);
/* So many messages more of it are erased. */
void cache_erased(struct cache *cache, struct log_row *log, uint64_t messages);

#endif
