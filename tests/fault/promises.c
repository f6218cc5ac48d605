#include "fault/promises.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/digest.h"

static void *need(void *memory)
{
    if (memory == NULL) {
        (void)fprintf(stderr, "promises.c: out of memory\n");
        abort();
    }
    return memory;
}

void promises_init(struct promises *promises, const char *journal)
{
    memset(promises, 0, sizeof *promises);
    promises->journal = need(fopen(journal, "we"));
}

void promises_deinit(struct promises *promises)
{
    for (size_t i = 0; i < promises->count; i++) {
        free(promises->all[i]);
    }
    free(promises->all);
    free(promises->by_id);
    free(promises->shown);
    (void)fclose(promises->journal);
}

void promises_blame(struct promises *promises, const char *format, ...)
{
    va_list arguments;

    if (promises->trouble[0] == '\0') {
        va_start(arguments, format);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is not */
        (void)vsnprintf(promises->trouble, sizeof promises->trouble, format, arguments);
        va_end(arguments);
    }
}

/* --- which promise a client id belongs to --- */

static struct promise **find_slot(struct promise **slots, size_t count, const uint8_t *client_id)
{
    uint64_t start = 0;

    memcpy(&start, client_id, sizeof start); /* random by itself */
    for (size_t at = (size_t)start % count;; at = (at + 1) % count) {
        if (slots[at] == NULL || memcmp(slots[at]->once.client_id, client_id, SP_ID_BYTES) == 0) {
            return &slots[at];
        }
    }
}

static void grow(struct promises *promises)
{
    size_t capacity = promises->capacity > 0 ? 2 * promises->capacity : 1024;
    size_t slots = 4 * capacity;
    struct promise **by_id = need(calloc(slots, sizeof *by_id));

    promises->all = need(realloc(promises->all, capacity * sizeof(struct promise *)));
    promises->capacity = capacity;
    for (size_t i = 0; i < promises->count; i++) {
        if (promises->all[i]->kind != PROMISE_CONFLICT) {
            *find_slot(by_id, slots, promises->all[i]->once.client_id) = promises->all[i];
        }
    }
    free(promises->by_id);
    promises->by_id = by_id;
    promises->slots = slots;
}

/* --- asking --- */

char *promise_content(const struct promise *promise)
{
    char *content = need(malloc(promise->size + 32));
    uint32_t state = promise->number * 2654435761U | 1;
    size_t at = (size_t)snprintf(content, 32, "%u ", promise->number);

    for (; at < promise->size; at++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        content[at] = (char)(promise->kind == PROMISE_FILE ? state >> 24 : 'a' + state % 26);
    }
    return content;
}

static void write_journal(struct promises *promises, const struct promise *promise,
                          const char *what, uint64_t number)
{
    char id[2 * SP_ID_BYTES + 1];
    char digest[DIGEST_HEX_BYTES];

    hex_encode(promise->once.client_id, SP_ID_BYTES, id);
    hex_encode(promise->digest.bytes, DIGEST_BYTES, digest);
    (void)fprintf(promises->journal, "%u client=%u kind=%d id=%s sha256=%s %s %llu\n",
                  promise->number, promise->client, (int)promise->kind, id, digest, what,
                  (unsigned long long)number);
    promises->journal_dirty = true;
}

struct promise *promises_make(struct promises *promises, enum promise_kind kind, unsigned client,
                              size_t size, const struct promise *other)
{
    struct promise *promise = need(calloc(1, sizeof *promise));

    if (promises->count == promises->capacity) {
        grow(promises);
    }
    promise->kind = kind;
    promise->client = client;
    promise->number = (uint32_t)promises->count + 1;
    promise->size = size < 16 ? 16 : size;
    char *content = promise_content(promise);
    const struct slice part = {(const uint8_t *)content, promise->size};
    if (digest_of(&part, 1, &promise->digest) != SP_OK) {
        abort();
    }
    free(content);
    sp_once_new(&promise->once);
    if (other != NULL) {
        promise->once = other->once;
    } else {
        *find_slot(promises->by_id, promises->slots, promise->once.client_id) = promise;
    }
    promises->all[promises->count++] = promise;
    write_journal(promises, promise, "sent", promise->size);
    return promise;
}

void promises_sync(struct promises *promises)
{
    if (promises->journal_dirty &&
        (fflush(promises->journal) != 0 || fdatasync(fileno(promises->journal)) != 0)) {
        (void)fprintf(stderr, "promises.c: the journal cannot be written\n");
        abort();
    }
    promises->journal_dirty = false;
}

/* --- answers --- */

static void acknowledged(struct promises *promises, struct promise *promise,
                         const struct sp_notice *result)
{
    if (promise->kind == PROMISE_INTRUSION || promise->kind == PROMISE_CONFLICT) {
        promises_blame(promises, "request %u was taken, and must not be", promise->number);
    }
    promise->outcome = OUTCOME_ACKNOWLEDGED;
    promise->sequence = promise->kind == PROMISE_FILE ? result->file.sequence : result->sequence;
    memcpy(promise->hash, result->hash, sizeof promise->hash);
    if (promise->found_before > 0 &&
        (!result->repeated || promise->found_at != promise->sequence)) {
        promises_blame(promises, "request %u is in the log at %llu and was acknowledged at %llu",
                       promise->number, (unsigned long long)promise->found_at,
                       (unsigned long long)promise->sequence);
    }
    if (promise->kind == PROMISE_FILE) {
        memcpy(promise->file, result->file.id, sizeof promise->file);
        if (memcmp(result->file.sha256, promise->digest.bytes, DIGEST_BYTES) != 0) {
            promises_blame(promises, "file %u was stored with another SHA-256", promise->number);
        }
    }
    promises->acknowledged++;
    promises->repeated += result->repeated;
}

void promises_answered(struct promises *promises, struct promise *promise,
                       const struct sp_notice *result)
{
    if (result->error == SP_OK) {
        acknowledged(promises, promise, result);
    } else if (sp_error_class(result->error) == SP_CLASS_REFUSED) {
        enum sp_error expected = promise->kind == PROMISE_INTRUSION  ? SP_ENOTJOINED
                                 : promise->kind == PROMISE_CONFLICT ? SP_ECONFLICT
                                                                     : SP_OK;
        if (result->error != expected) {
            promises_blame(promises, "request %u was refused: %s", promise->number, result->text);
        }
        promise->outcome = OUTCOME_REFUSED;
        promises->refused++;
    } else if (sp_error_class(result->error) == SP_CLASS_RETRY) {
        promises->retried++;
    }
    write_journal(promises, promise, sp_error_name(result->error), result->sequence);
}

/* --- what the logs show --- */

static void count_event(struct promises *promises, const struct sp_event *event)
{
    if (promises->slots == 0) {
        return;
    }
    struct promise *promise = *find_slot(promises->by_id, promises->slots, event->client_id);
    if (promise == NULL) {
        return; /* the room's creation, or that somebody joined */
    }
    bool is_file = promise->kind == PROMISE_FILE;
    struct digest digest;
    const struct slice part = {(const uint8_t *)event->text, event->text_bytes};

    promise->found++;
    promise->found_at = event->sequence;
    if (digest_of(&part, 1, &digest) != SP_OK) {
        abort();
    }
    if (is_file) {
        memcpy(digest.bytes, event->file.sha256, DIGEST_BYTES);
    }
    if (promise->kind == PROMISE_INTRUSION || promise->found > 1 ||
        event->kind != (is_file ? SP_EVENT_FILE : SP_EVENT_MESSAGE) ||
        !digest_equal(&digest, &promise->digest)) {
        promises_blame(promises, "request %u is in the log %u times, the last time %s",
                       promise->number, promise->found,
                       digest_equal(&digest, &promise->digest) ? "whole" : "with other bytes");
    }
}

void promises_shown(struct promises *promises, unsigned client, const struct sp_event *event)
{
    uint64_t sequence = event->sequence;

    if (sequence == promises->shown_count + 1) {
        if (promises->shown_count == promises->shown_capacity) {
            promises->shown_capacity = 2 * promises->shown_capacity + 1024;
            promises->shown =
                need(realloc(promises->shown, promises->shown_capacity * SP_DIGEST_BYTES));
        }
        memcpy(promises->shown[promises->shown_count++], event->hash, SP_DIGEST_BYTES);
    } else if (sequence > promises->shown_count ||
               memcmp(promises->shown[sequence - 1], event->hash, SP_DIGEST_BYTES) != 0) {
        promises_blame(promises, "client %u sees another event %llu than was shown before", client,
                       (unsigned long long)sequence);
        return;
    }
    if (sequence == promises->counted + 1) {
        promises->counted = sequence;
        count_event(promises, event);
    }
}

void promises_check(struct promises *promises)
{
    for (size_t i = 0; i < promises->count; i++) {
        const struct promise *promise = promises->all[i];
        if (promise->kind == PROMISE_CONFLICT) {
            continue;
        }
        if (promise->outcome == OUTCOME_ACKNOWLEDGED &&
            (promise->found != 1 || promise->found_at != promise->sequence ||
             memcmp(promises->shown[promise->sequence - 1], promise->hash, SP_DIGEST_BYTES) != 0)) {
            promises_blame(promises, "request %u was acknowledged, and is there %u times",
                           promise->number, promise->found);
        } else if (promise->outcome == OUTCOME_REFUSED && promise->found != 0) {
            promises_blame(promises, "request %u was refused, and is there", promise->number);
        }
    }
}

void promises_recount(struct promises *promises)
{
    for (size_t i = 0; i < promises->count; i++) {
        promises->all[i]->found = 0;
    }
    promises->counted = 0;
}
