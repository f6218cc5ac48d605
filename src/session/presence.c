/*
 * Presence is state, not history: per member, the number of sessions and when that last went from
 * or to none. Each watching session remembers up to which change it has seen, and pulls what is
 * newer; changes of one second are seen together.
 */
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define PRESENCE_INTERVAL_MS 1000
#define NOTE_STEP_MS 1000   /* between two parts of the pass over all sessions */
#define NOTE_LEAST_MS 10000 /* a session that is shorter has been noted by its login */

struct presence_entry *presence_find(const struct hub *hub, int64_t member)
{
    struct presence_entry *entry = NULL;
    HASH_FIND(hh, hub->presence.members, &member, sizeof member, entry);
    return entry;
}

static void changed(struct presence *presence, struct presence_entry *entry, bool is_linked)
{
    if (is_linked) {
        DL_DELETE(presence->by_version, entry);
    }
    entry->version = ++presence->version;
    DL_APPEND(presence->by_version, entry);
    presence->lively = true;
}

/* ---- What outlives the server: when a device was here last ---- */

void presence_flush(struct hub *hub)
{
    struct presence *presence = &hub->presence;
    size_t size = presence->note_count * sizeof presence->notes[0];
    struct command *command = NULL;
    presence->note_count = 0; /* a note that gets lost is replaced by the next one */
    if (size == 0 || command_new(COMMAND_SEEN, size, &command) != SP_OK) {
        return;
    }
    memcpy(command->body, presence->notes, size);
    if (domain_submit(hub->config.domain, command) != SP_OK) {
        command_free(command);
    }
}

static void note(struct session *session)
{
    struct hub *hub = session->hub;
    struct presence *presence = &hub->presence;
    if (presence->note_count == COUNT_OF(presence->notes)) {
        presence_flush(hub);
    }
    presence->notes[presence->note_count++] = (struct seen_note){
        .device = session->actor.device,
        .wall_ms = clock_wall_ms(hub->config.clock),
    };
    session->noted_ms = hub->now_ms;
}

/* A part of the pass over all sessions, which takes a minute: what a server that is killed knows
 * of them is not older. */
static void note_some(struct hub *hub)
{
    struct presence *presence = &hub->presence;
    int64_t elapsed_ms = hub->now_ms - presence->noted_ms;
    if (elapsed_ms < NOTE_STEP_MS) {
        return;
    }
    uint32_t part = hub->slot_count / (SEEN_INTERVAL_MS / NOTE_STEP_MS) + 1;
    presence->noted_ms = hub->now_ms;
    for (uint32_t i = 0; i < part && i < hub->slot_count; i++) {
        presence->note_slot = (presence->note_slot + 1) % hub->slot_count;
        struct session *session = hub->slots[presence->note_slot];
        if (session != NULL && session->state == SESSION_OPEN &&
            hub->now_ms - session->noted_ms >= NOTE_LEAST_MS) {
            note(session);
        }
    }
    presence_flush(hub);
}

int64_t presence_last_seen(const struct hub *hub, int64_t member, int64_t stored_ms)
{
    const struct presence_entry *entry = presence_find(hub, member);
    if (entry == NULL) {
        return stored_ms;
    }
    return entry->last_seen_ms; /* the store may not have it yet */
}

/* ---- Now ---- */

enum sp_error presence_login(struct session *session)
{
    struct presence *presence = &session->hub->presence;
    struct presence_entry *entry = presence_find(session->hub, session->actor.member);
    bool is_new = entry == NULL;
    if (is_new) {
        entry = calloc(1, sizeof *entry);
        if (entry == NULL) {
            return SP_ENOMEM;
        }
        entry->member = session->actor.member;
        memcpy(entry->username, session->actor.username, sizeof entry->username);
        entry->messages = (struct allowance){session->hub->config.message_burst * INT64_C(1000),
                                             session->hub->now_ms};
        entry->marks = (struct allowance){LIMIT_MARKS_BURST * INT64_C(1000), session->hub->now_ms};
        HASH_ADD(hh, presence->members, member, sizeof entry->member, entry);
        if (!TABLE_ADDED(entry, hh)) {
            free(entry);
            return SP_ENOMEM;
        }
    }
    session->presence = entry;
    session->noted_ms = session->hub->now_ms; /* by its login */
    session->read_seen = entry->read_version;
    DL_APPEND2(entry->live, session, prev_of_member, next_of_member);
    if (entry->sessions++ == 0) {
        entry->last_seen_ms = 0;
        presence->online_count++;
        changed(presence, entry, !is_new);
    }
    return SP_OK;
}

void presence_logout(struct session *session)
{
    struct presence *presence = &session->hub->presence;
    struct presence_entry *entry = session->presence;
    session->presence = NULL;
    if (entry == NULL) {
        return;
    }
    DL_DELETE2(entry->live, session, prev_of_member, next_of_member);
    if (session->hub->now_ms - session->noted_ms >= NOTE_LEAST_MS) {
        note(session);
    }
    if (--entry->sessions == 0) {
        read_state_forget(entry);
        entry->last_seen_ms = clock_wall_ms(session->hub->config.clock);
        presence->online_count--;
        changed(presence, entry, true);
    }
}

/* Takes one of RATE a second, of which BURST are there after a silence; as presence_take_message().
 */
static uint32_t take(struct allowance *allowance, int64_t now_ms, int64_t rate, int64_t burst)
{
    int64_t burst_milli = burst * 1000;
    int64_t elapsed_ms = now_ms - allowance->refilled_ms;
    allowance->refilled_ms = now_ms;
    /* After so long a silence it is full whatever it was; the product cannot overflow below. */
    bool full = elapsed_ms >= burst_milli / rate + 1;
    allowance->tokens_milli += full ? burst_milli : elapsed_ms * rate;
    if (allowance->tokens_milli > burst_milli) {
        allowance->tokens_milli = burst_milli;
    }
    if (allowance->tokens_milli >= 1000) {
        allowance->tokens_milli -= 1000;
        return 0;
    }
    return (uint32_t)((1000 - allowance->tokens_milli) / rate + 1);
}

uint32_t presence_take_message(struct session *session)
{
    const struct hub_config *config = &session->hub->config;
    return config->message_rate == 0 ? 0
                                     : take(&session->presence->messages, session->hub->now_ms,
                                            config->message_rate, config->message_burst);
}

void presence_return_message(struct session *session)
{
    session->presence->messages.tokens_milli += session->hub->config.message_rate == 0 ? 0 : 1000;
}

uint32_t presence_take_mark(struct session *session)
{
    return take(&session->presence->marks, session->hub->now_ms, LIMIT_MARKS_PER_SECOND,
                LIMIT_MARKS_BURST);
}

void presence_return_mark(struct session *session)
{
    session->presence->marks.tokens_milli += 1000;
}

bool presence_is_online(const struct hub *hub, int64_t member)
{
    const struct presence_entry *entry = presence_find(hub, member);
    return entry != NULL && entry->sessions > 0;
}

void presence_tick(struct hub *hub)
{
    struct presence *presence = &hub->presence;
    note_some(hub);
    if (!presence->lively || hub->now_ms - presence->published_ms < PRESENCE_INTERVAL_MS) {
        return;
    }
    presence->lively = false;
    presence->published = presence->version;
    presence->published_ms = hub->now_ms;
    for (uint32_t i = 0; i < hub->slot_count; i++) {
        struct session *session = hub->slots[i];
        if (session != NULL && session->watches_presence) {
            presence_pull(session);
            presence->lively |= session->presence_seen != presence->published;
        }
    }
}

void presence_pull(struct session *session)
{
    struct presence *presence = &session->hub->presence;
    if (!session->watches_presence || session->state != SESSION_OPEN ||
        session->presence_seen == presence->published || session->out.size >= OUTPUT_PAUSE_BYTES) {
        return; /* it catches up later: states are not queued */
    }
    struct presence_entry *entry = presence->by_version;
    if (entry == NULL) {
        return;
    }
    bool is_first = session->presence_seen == 0;
    entry = entry->prev; /* the newest */
    while (entry != presence->by_version && entry->prev->version > session->presence_seen) {
        entry = entry->prev;
    }
    sealpost_v1_Presence message = sealpost_v1_Presence_init_zero;
    for (; entry != NULL && session->state == SESSION_OPEN; entry = entry->next) {
        if (entry->version <= session->presence_seen || entry->version > presence->published ||
            (is_first && entry->sessions == 0)) {
            continue;
        }
        sealpost_v1_Presence_Change *change = &message.changes[message.changes_count++];
        memcpy(change->username, entry->username, sizeof change->username);
        change->online = entry->sessions > 0;
        change->last_seen_ms = entry->last_seen_ms;
        if (message.changes_count == COUNT_OF(message.changes)) {
            session_send(session, FRAME_PRESENCE, 0, &message);
            message.changes_count = 0;
            session->presence_seen = entry->version;
            if (session->out.size >= OUTPUT_PAUSE_BYTES) {
                return; /* session_pull() comes again */
            }
        }
    }
    if (message.changes_count > 0) {
        session_send(session, FRAME_PRESENCE, 0, &message);
    }
    session->presence_seen = presence->published;
}

void presence_deinit(struct hub *hub)
{
    struct presence_entry *entry = NULL;
    struct presence_entry *next = NULL;
    HASH_CLEAR(hh, hub->presence.members);
    DL_FOREACH_SAFE (hub->presence.by_version, entry, next) {
        read_state_forget(entry);
        free(entry);
    }
}
