/* Whether a log still is the one that was seen. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "client/store.h"

#define SHOWN_HASH_BYTES 4 /* two digits each */

static void explain(char *text, size_t capacity, const char *name, uint64_t sequence,
                    const struct digest *ours, const struct digest *theirs)
{
    char here[DIGEST_HEX_BYTES];
    char there[DIGEST_HEX_BYTES];

    hex_encode(ours->bytes, SHOWN_HASH_BYTES, here);
    hex_encode(theirs->bytes, SHOWN_HASH_BYTES, there);
    (void)snprintf(text, capacity,
                   "the history of %s is not the one that this device has seen: event %llu was "
                   "%s... here, and is %s... on the server; nothing is sent there until you decide",
                   name, (unsigned long long)sequence, here, there);
}

/* The log is refused from event AT on, of which the server has THEIRS. */
static enum sp_error refuse(struct sp_store *store, const struct store_log *log, uint64_t at,
                            const struct digest *theirs)
{
    enum sp_error error =
        store_execute(store, "UPDATE logs SET refused_at = ?, refused_hash = ? WHERE no = ?", "ubi",
                      at, theirs->bytes, sizeof theirs->bytes, log->number);

    if (error != SP_OK) {
        store_fail(store, error); /* it is refused all the same: each look finds it again */
    }
    return SP_EINTEGRITY;
}

/* The hash that was seen at SEQUENCE, if it was. */
static enum sp_error hash_at(struct sp_store *store, const struct store_log *log, uint64_t sequence,
                             struct digest *out, bool *found)
{
    struct statement *statement = NULL;
    enum sp_error error = SP_OK;

    *found = sequence > 0 && sequence == log->sequence;
    *out = log->hash;
    if (*found || sequence == 0) {
        return SP_OK;
    }
    error = store_query(store, &statement,
                        "SELECT hash FROM events WHERE log = ?1 AND sequence = ?2 UNION ALL"
                        " SELECT hash FROM posted WHERE log = ?1 AND sequence = ?2",
                        "iu", log->number, sequence);
    if (error != SP_OK) {
        return error;
    }
    *found = statement_next(statement);
    if (*found) {
        statement_get_bytes(statement, out->bytes, DIGEST_BYTES);
    }
    error = statement_finish(statement);
    statement_free(statement);
    return error;
}

/* One place of the chain: what it was and what it is there. */
static enum sp_error check_place(struct sp_store *store, const struct store_log *log,
                                 uint64_t sequence, const struct digest *theirs, char *text,
                                 size_t capacity)
{
    struct digest ours;
    bool found = false;
    enum sp_error error = hash_at(store, log, sequence, &ours, &found);

    if (error != SP_OK || !found || digest_equal(&ours, theirs)) {
        return error;
    }
    explain(text, capacity, log->name, sequence, &ours, theirs);
    return refuse(store, log, sequence, theirs);
}

/* Compared with what was known when it was asked for: another process may have read on since. */
static enum sp_error check_end(struct sp_store *store, const struct store_log *log,
                               const struct store_following *following, char *text, size_t capacity)
{
    if (following->head_sequence >= following->seen) {
        return SP_OK;
    }
    (void)snprintf(text, capacity,
                   "the history of %s ends at event %llu on the server, and this device has seen "
                   "event %llu; nothing is sent there until you decide",
                   log->name, (unsigned long long)following->head_sequence,
                   (unsigned long long)following->seen);
    return refuse(store, log, following->head_sequence + 1, &following->head);
}

/* LOG is known; its history is to extend what was seen. */
static enum sp_error check_known(struct sp_store *store, const struct store_log *log,
                                 const struct store_following *following, char *text,
                                 size_t capacity)
{
    enum sp_error error = check_end(store, log, following, text, capacity);

    if (error == SP_OK) {
        error = check_place(store, log, following->first - 1, &following->before, text, capacity);
    }
    if (error == SP_OK) {
        error = check_place(store, log, following->head_sequence, &following->head, text, capacity);
    }
    bool compared =
        following->first - 1 == log->sequence || following->head_sequence == log->sequence;
    if (error == SP_OK && compared && log->refused_at > 0) { /* it does again */
        error =
            store_execute(store, "UPDATE logs SET refused_at = 0 WHERE no = ?", "i", log->number);
    }
    return error;
}

/* The first that is heard of a log: where it stands is what has to be extended from now on. */
static enum sp_error take_head(struct sp_store *store, const struct store_log *log,
                               const struct store_following *following)
{
    return store_execute(store, "UPDATE logs SET sequence = ?, hash = ?, seen_ms = ? WHERE no = ?",
                         "ubii", following->head_sequence, following->head.bytes,
                         sizeof following->head.bytes, clock_wall_ms(clock_system()), log->number);
}

static enum sp_error check(struct sp_store *store, const struct store_following *following,
                           char *text, size_t capacity)
{
    struct store_log log;
    struct store_log named;
    enum sp_error error =
        store_note_log(store, &following->id, following->kind, following->name, &log);

    if (error == SP_EINTEGRITY && store_find(store, following->name, &named) == SP_OK) {
        (void)snprintf(text, capacity,
                       "%s is not the room or box that this device has seen under that name; "
                       "nothing is sent there until you decide",
                       following->name);
        return refuse(store, &named, 1, &following->head);
    }
    if (error != SP_OK || log.stale) {
        return error;
    }
    error = check_known(store, &log, following, text, capacity);
    return error == SP_OK && log.sequence == 0 ? take_head(store, &log, following) : error;
}

enum sp_error store_check(struct sp_store *store, const struct store_following *following,
                          char *text, size_t capacity)
{
    text[0] = '\0';
    store_flush(store);
    enum sp_error error = store_begin(store);
    bool differs = false; /* else the store itself is damaged */
    if (error == SP_OK) {
        error = check(store, following, text, capacity);
        differs = text[0] != '\0';
        error = store_end(store, differs ? SP_OK : error);
    }
    if (differs) {
        return SP_EINTEGRITY;
    }
    if (error == SP_EBUSY) {
        store_explain(store, error, text, capacity);
        return SP_EBUSY;
    }
    if (error != SP_OK) {
        store_fail(store, error);
    }
    return SP_OK;
}

bool store_refuses(struct sp_store *store, const char *log, char *text, size_t capacity)
{
    struct store_log found;

    if (store_find(store, log, &found) != SP_OK || found.refused_at == 0) {
        return false;
    }
    (void)snprintf(text, capacity,
                   "the history of %s is not the one that this device has seen, from event %llu "
                   "on; nothing is sent there until you decide",
                   found.name, (unsigned long long)found.refused_at);
    return true;
}
