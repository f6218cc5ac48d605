#include "session/tail.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "wire/frame.h"

/* Whatever an event holds, its frame fits into one TLS record (RFC 8446, 5.1): a cursor never
 * stands inside one. */
static_assert(FRAME_HEADER_BYTES + sealpost_v1_Event_size + EVENT_HEADER_BYTES + SALT_BYTES +
                      LIMIT_EVENT_BODY_BYTES <=
                  16384,
              "an EVENT frame is larger than a TLS record");

struct tail_frame {
    size_t size;
    uint8_t bytes[];
};

struct block_key {
    int64_t log_number;
    uint64_t index;
};

struct block {
    struct block_key key;
    struct tail_frame *frames[TAIL_BLOCK_EVENTS];
    size_t bytes;
    struct block *newer; /* in order of use */
    struct block *older;
    UT_hash_handle hh;
};

struct tail {
    struct block *blocks;
    struct block *newest;
    struct block *oldest;
    size_t bytes;
    size_t maximum_bytes;
};

enum sp_error tail_new(size_t maximum_bytes, struct tail **out)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return SP_ENOMEM;
    }
    (*out)->maximum_bytes = maximum_bytes;
    return SP_OK;
}

static struct block_key key_of(int64_t log_number, uint64_t sequence)
{
    return (struct block_key){log_number, (sequence - 1) / TAIL_BLOCK_EVENTS};
}

static size_t slot_of(uint64_t sequence)
{
    return (size_t)((sequence - 1) % TAIL_BLOCK_EVENTS);
}

static void unlink_block(struct tail *tail, struct block *block)
{
    *(block->newer != NULL ? &block->newer->older : &tail->newest) = block->older;
    *(block->older != NULL ? &block->older->newer : &tail->oldest) = block->newer;
    block->newer = block->older = NULL;
}

static void link_newest(struct tail *tail, struct block *block)
{
    block->older = tail->newest;
    *(tail->newest != NULL ? &tail->newest->newer : &tail->oldest) = block;
    tail->newest = block;
}

static void drop_block(struct tail *tail, struct block *block)
{
    unlink_block(tail, block);
    HASH_DEL(tail->blocks, block);
    tail->bytes -= block->bytes;
    for (size_t i = 0; i < TAIL_BLOCK_EVENTS; i++) {
        free(block->frames[i]);
    }
    free(block);
}

void tail_free(struct tail *tail)
{
    if (tail == NULL) {
        return;
    }
    while (tail->newest != NULL) {
        drop_block(tail, tail->newest);
    }
    free(tail);
}

static struct block *find_block(struct tail *tail, int64_t log_number, uint64_t sequence)
{
    const struct block_key key = key_of(log_number, sequence);
    struct block *block = NULL;
    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): the key has no padding */
    HASH_FIND(hh, tail->blocks, &key, sizeof key, block);
    if (block != NULL && block != tail->newest) {
        unlink_block(tail, block);
        link_newest(tail, block);
    }
    return block;
}

static struct block *add_block(struct tail *tail, int64_t log_number, uint64_t sequence)
{
    struct block *block = calloc(1, sizeof *block);
    if (block == NULL) {
        return NULL;
    }
    block->key = key_of(log_number, sequence);
    block->bytes = sizeof *block;
    HASH_ADD(hh, tail->blocks, key, sizeof block->key, block);
    if (!TABLE_ADDED(block, hh)) {
        free(block);
        return NULL;
    }
    tail->bytes += block->bytes;
    link_newest(tail, block);
    return block;
}

/* The frame around RECORD, encoded once for all who will ever read it. */
static struct tail_frame *encode(const struct event_record *record)
{
    sealpost_v1_Event message = sealpost_v1_Event_init_zero;
    memcpy(message.author, record->author, sizeof message.author);
    size_t event_size = EVENT_HEADER_BYTES + (record->erased ? 0 : SALT_BYTES + record->body_size);
    size_t capacity = FRAME_HEADER_BYTES + sealpost_v1_Event_size + event_size;
    struct tail_frame *frame = malloc(sizeof *frame + capacity);
    uint8_t *event = malloc(event_size);
    if (frame == NULL || event == NULL) {
        goto fail;
    }
    memcpy(event, record->header, EVENT_HEADER_BYTES);
    if (!record->erased) {
        memcpy(event + EVENT_HEADER_BYTES, record->salt, SALT_BYTES);
        memcpy(event + EVENT_HEADER_BYTES + SALT_BYTES, record->body, record->body_size);
    }
    struct writer writer;
    writer_init(&writer, frame->bytes, capacity);
    struct slice raw = {event, event_size};
    if (frame_encode(&writer, FRAME_EVENT, 0, &message, raw) != SP_OK) {
        goto fail;
    }
    frame->size = writer_used(&writer);
    free(event);
    return frame;
fail:
    free(event);
    free(frame);
    return NULL;
}

enum sp_error tail_put(struct tail *tail, const struct event_record *record)
{
    struct block *block = find_block(tail, record->log_number, record->sequence);
    size_t slot = slot_of(record->sequence);
    if (block != NULL && block->frames[slot] != NULL) {
        return SP_OK;
    }
    struct tail_frame *frame = encode(record);
    if (frame == NULL) {
        return SP_ENOMEM;
    }
    if (block == NULL) {
        block = add_block(tail, record->log_number, record->sequence);
    }
    if (block == NULL) {
        free(frame);
        return SP_ENOMEM;
    }
    block->frames[slot] = frame;
    block->bytes += sizeof *frame + frame->size;
    tail->bytes += sizeof *frame + frame->size;
    while (tail->bytes > tail->maximum_bytes && tail->oldest != block) {
        drop_block(tail, tail->oldest);
    }
    return SP_OK;
}

bool tail_copy(struct tail *tail, int64_t log_number, uint64_t *next, uint64_t until,
               struct writer *writer)
{
    while (*next <= until) {
        struct block *block = find_block(tail, log_number, *next);
        if (block == NULL) {
            return true;
        }
        size_t slot = slot_of(*next);
        for (; slot < TAIL_BLOCK_EVENTS && *next <= until; slot++, (*next)++) {
            struct tail_frame *frame = block->frames[slot];
            if (frame == NULL) {
                return true;
            }
            if (frame->size > writer_left(writer)) {
                return false;
            }
            writer_copy(writer, frame->bytes, frame->size);
        }
    }
    return false;
}

uint32_t tail_missing(struct tail *tail, int64_t log_number, uint64_t from)
{
    struct block *block = find_block(tail, log_number, from);
    size_t slot = slot_of(from);
    size_t end = slot;
    while (end < TAIL_BLOCK_EVENTS && (block == NULL || block->frames[end] == NULL)) {
        end++;
    }
    return (uint32_t)(end - slot);
}

static void erase_frame(struct tail *tail, struct block *block, size_t slot)
{
    struct tail_frame *frame = block->frames[slot];
    if (frame == NULL) {
        return;
    }
    size_t size = sizeof *frame + frame->size;
    explicit_bzero(frame, size);
    free(frame);
    block->frames[slot] = NULL;
    block->bytes -= size;
    tail->bytes -= size;
}

void tail_erase(struct tail *tail, int64_t log_number, uint64_t first, uint64_t last)
{
    while (first <= last) {
        struct block *block = find_block(tail, log_number, first);
        size_t slot = slot_of(first);
        for (; slot < TAIL_BLOCK_EVENTS && first <= last; slot++, first++) {
            if (block != NULL) {
                erase_frame(tail, block, slot);
            }
        }
    }
}

size_t tail_bytes(const struct tail *tail)
{
    return tail->bytes;
}
