/* Channels and cursors: who reads which log, and where they stand. */
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

/* At most that many reads of the store are under way for one log. */
#define READS_PER_CHANNEL 4

static struct channel *channel_find(struct hub *hub, int64_t log_number)
{
    struct channel *channel = NULL;
    HASH_FIND(hh, hub->channels, &log_number, sizeof log_number, channel);
    return channel;
}

static struct channel *channel_get(struct hub *hub, const struct log_info *log)
{
    struct channel *channel = channel_find(hub, log->number);
    if (channel == NULL) {
        channel = calloc(1, sizeof *channel);
        if (channel == NULL) {
            return NULL;
        }
        channel->log_number = log->number;
        channel->log = log->id;
        channel->head = log->head_sequence;
        channel->born = hub->erasures;
        HASH_ADD(hh, hub->channels, log_number, sizeof channel->log_number, channel);
        if (!TABLE_ADDED(channel, hh)) {
            free(channel);
            return NULL;
        }
    }
    return channel;
}

static void make_pending(struct cursor *cursor)
{
    if (!cursor->pending) {
        cursor->pending = true;
        DL_APPEND2(cursor->session->pending, cursor, prev_pending, next_pending);
        hub_mark_ready(cursor->session);
    }
}

static void make_calm(struct cursor *cursor)
{
    if (cursor->pending) {
        cursor->pending = false;
        DL_DELETE2(cursor->session->pending, cursor, prev_pending, next_pending);
    }
}

static void make_stale(struct hub *hub, struct channel *channel)
{
    if (channel->fresh) {
        channel->fresh = false;
        DL_DELETE2(hub->fresh, channel, prev_fresh, next_fresh);
    }
}

struct cursor *follow_find(struct session *session, const struct id *log)
{
    struct cursor *cursor = NULL;
    DL_FOREACH2 (session->cursors, cursor, next_of_session) {
        if (id_equal(&cursor->channel->log, log)) {
            return cursor;
        }
    }
    return NULL;
}

void follow_end(struct cursor *cursor)
{
    struct session *session = cursor->session;
    struct channel *channel = cursor->channel;
    make_calm(cursor);
    DL_DELETE2(session->cursors, cursor, prev_of_session, next_of_session);
    session->cursor_count--;
    DL_DELETE2(channel->followers, cursor, prev, next_follower);
    if (channel->followers == NULL) {
        make_stale(session->hub, channel);
        HASH_DEL(session->hub->channels, channel);
        free(channel);
    }
    free(cursor);
}

enum sp_error follow_begin(struct session *session, const struct reply *reply, uint64_t until)
{
    const struct log_info *log = &reply->follow.log;
    struct cursor *old = follow_find(session, &log->id);
    if (old != NULL) {
        follow_end(old);
    }
    if (until < reply->follow.first) {
        return SP_OK; /* a page with nothing on it */
    }
    if (session->cursor_count >= LIMIT_FOLLOWS_PER_SESSION) {
        return SP_ELIMIT;
    }
    struct cursor *cursor = calloc(1, sizeof *cursor);
    struct channel *channel = cursor == NULL ? NULL : channel_get(session->hub, log);
    if (channel == NULL) {
        free(cursor);
        return SP_ENOMEM;
    }
    cursor->session = session;
    cursor->channel = channel;
    cursor->next = reply->follow.first;
    cursor->until = until;
    DL_APPEND2(session->cursors, cursor, prev_of_session, next_of_session);
    session->cursor_count++;
    DL_APPEND2(channel->followers, cursor, prev, next_follower);
    make_pending(cursor);
    return SP_OK;
}

void follow_published(struct hub *hub, const struct event_record *record)
{
    struct channel *channel = channel_find(hub, record->log_number);
    if (channel == NULL) {
        return; /* nobody follows: who comes later reads the store */
    }
    channel->head = record->sequence;
    /* Without memory for it the cursors miss it here, and read it from the store. */
    enum sp_error ignored = tail_put(hub->tail, record);
    (void)ignored;
    if (!channel->fresh) {
        channel->fresh = true;
        DL_APPEND2(hub->fresh, channel, prev_fresh, next_fresh);
    }
}

void follow_tell(struct hub *hub)
{
    while (hub->fresh != NULL) {
        struct channel *channel = hub->fresh;
        struct cursor *cursor = NULL;
        make_stale(hub, channel);
        DL_FOREACH2 (channel->followers, cursor, next_follower) {
            if (!cursor->waiting) {
                make_pending(cursor);
            }
        }
    }
}

static void end_with(struct cursor *cursor, enum sp_error error)
{
    sealpost_v1_FollowEnded message = {.error = (uint32_t)error};
    memcpy(message.log, cursor->channel->log.bytes, sizeof message.log);
    struct session *session = cursor->session;
    follow_end(cursor);
    session_send(session, FRAME_FOLLOW_ENDED, 0, &message);
}

void follow_access_ended(struct hub *hub, int64_t member, int64_t log_number)
{
    for (uint32_t i = 0; i < hub->slot_count; i++) {
        struct session *session = hub->slots[i];
        if (session == NULL || session->actor.member != member) {
            continue;
        }
        struct cursor *cursor = NULL;
        struct cursor *next = NULL;
        DL_FOREACH_SAFE2 (session->cursors, cursor, next, next_of_session) {
            if (cursor->channel->log_number == log_number) {
                end_with(cursor, SP_ENOTJOINED);
                break;
            }
        }
    }
}

static bool is_being_read(struct hub *hub, const struct cursor *cursor)
{
    struct store_read *read = NULL;
    DL_FOREACH (hub->reads, read) {
        if (read->log_number == cursor->channel->log_number && cursor->next >= read->from &&
            cursor->next < read->from + read->count) {
            return true;
        }
    }
    return false;
}

/* Asks the store for what CURSOR misses, unless it is being read for somebody else already. */
static void read_store(struct hub *hub, struct cursor *cursor)
{
    struct channel *channel = cursor->channel;
    cursor->waiting = true;
    if (is_being_read(hub, cursor)) {
        return;
    }
    if (channel->reads >= READS_PER_CHANNEL) {
        return; /* a page that arrives wakes this cursor as well */
    }
    uint32_t count = tail_missing(hub->tail, channel->log_number, cursor->next);
    uint64_t left = channel->head - cursor->next + 1;
    count = left < count ? (uint32_t)left : count;
    struct store_read *read = calloc(1, sizeof *read);
    struct command *command = NULL;
    if (read == NULL || command_new(COMMAND_READ, 0, &command) != SP_OK) {
        goto refused;
    }
    *read = (struct store_read){
        .id = ++hub->next_read,
        .log_number = channel->log_number,
        .from = cursor->next,
        .count = count,
        .erasures = hub->erasures,
    };
    command->origin = (struct origin){ORIGIN_READ, 0, read->id};
    command->read = (struct command_read){channel->log_number, cursor->next, count};
    if (domain_submit(hub->config.domain, command) != SP_OK) {
        goto refused;
    }
    channel->reads++;
    hub->store_reads++;
    DL_APPEND(hub->reads, read);
    return;
refused:
    command_free(command);
    free(read);
    hub->starved = true;
}

static void wake_waiting(struct channel *channel)
{
    struct cursor *cursor = NULL;
    DL_FOREACH2 (channel->followers, cursor, next_follower) {
        if (cursor->waiting) {
            cursor->waiting = false;
            make_pending(cursor);
        }
    }
}

/* The store cannot give what these cursors wait for: tell their sessions, rather than leave a
 * silent gap. */
static void fail_waiting(struct channel *channel, const struct store_read *read,
                         enum sp_error error)
{
    struct cursor *cursor = NULL;
    struct cursor *next = NULL;
    DL_FOREACH_SAFE2 (channel->followers, cursor, next, next_follower) {
        bool hit = cursor->waiting && cursor->next >= read->from &&
                   cursor->next < read->from + read->count;
        if (hit) {
            bool last = next == NULL && channel->followers == cursor;
            end_with(cursor, error);
            if (last) {
                return; /* the channel is gone with it */
            }
        }
    }
    wake_waiting(channel);
}

/* Whether READ may bring back what has been erased since it was asked for. */
static bool is_outdated(const struct channel *channel, const struct store_read *read)
{
    return read->erasures < channel->born ||
           (read->erasures < channel->erased_at && read->from <= channel->erased_through);
}

void follow_erased(struct hub *hub, int64_t log_number, uint64_t first, uint64_t last)
{
    struct channel *channel = channel_find(hub, log_number);
    hub->erasures++;
    tail_erase(hub->tail, log_number, first, last);
    if (channel != NULL) {
        channel->erased_at = hub->erasures;
        channel->erased_through = last > channel->erased_through ? last : channel->erased_through;
    }
}

void follow_page(struct hub *hub, const struct reply *reply)
{
    struct store_read *read = NULL;
    DL_SEARCH_SCALAR(hub->reads, read, id, reply->origin.tag);
    if (read == NULL) {
        return;
    }
    DL_DELETE(hub->reads, read);
    struct channel *channel = channel_find(hub, read->log_number);
    if (channel != NULL && channel->reads > 0) {
        channel->reads--;
    }
    if (channel != NULL && is_outdated(channel, read)) {
        wake_waiting(channel); /* to read it again */
        free(read);
        return;
    }
    enum sp_error error = reply->kind == REPLY_ERROR ? reply->error
                          : reply->page.count == 0   ? SP_EINTEGRITY
                                                     : SP_OK;
    for (size_t i = 0; channel != NULL && error == SP_OK && i < reply->page.count; i++) {
        error = tail_put(hub->tail, reply->page.events[i]);
    }
    if (channel != NULL && error == SP_OK) {
        wake_waiting(channel);
    } else if (channel != NULL) {
        if (sp_error_class(error) == SP_CLASS_RETRY) {
            hub->starved = true;
        } else {
            fail_waiting(channel, read, error);
        }
    }
    free(read);
}

void follow_retry(struct hub *hub)
{
    if (!hub->starved) {
        return;
    }
    hub->starved = false;
    for (struct channel *channel = hub->channels; channel != NULL; channel = channel->hh.next) {
        if (channel->reads == 0) {
            wake_waiting(channel);
        }
    }
}

void follow_pull(struct session *session, struct writer *writer)
{
    struct hub *hub = session->hub;
    while (session->pending != NULL) {
        struct cursor *cursor = session->pending;
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what follow_end() frees is in no list */
        struct channel *channel = cursor->channel;
        uint64_t until = cursor->until < channel->head ? cursor->until : channel->head;
        bool missing = tail_copy(hub->tail, channel->log_number, &cursor->next, until, writer);
        if (cursor->next > cursor->until) {
            follow_end(cursor); /* the page is complete */
        } else if (missing) {
            make_calm(cursor);
            read_store(hub, cursor);
        } else if (cursor->next > until) {
            make_calm(cursor);
        } else {
            /* No more room: next time another log comes first. */
            make_calm(cursor);
            make_pending(cursor);
            return;
        }
    }
}
