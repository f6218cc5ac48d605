/*
 * Read state is state, not history, and all sessions of a member have the same: per member, how far
 * it has read each room that has changed while it was logged in, with the number of the change.
 * Each of its sessions remembers up to which change it was told, and pulls what is newer. So a slow
 * session gets the newest state of a room once, and owes no memory for those between. One that is
 * behind in more rooms than LIMIT_READ_STATES ends.
 */
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

struct read_entry {
    int64_t log_number;
    struct read_state state;
    uint64_t version;
    struct read_entry *prev, *next; /* by version, oldest first */
    UT_hash_handle hh;
};

void read_state_fill(sealpost_v1_ReadState *out, const struct read_state *state)
{
    *out = (sealpost_v1_ReadState){
        .has_log = true,
        .sequence = state->sequence,
        .unread = state->unread,
        .mentions = state->mentions,
    };
    answer_fill_log(&out->log, &state->log);
}

enum sp_error request_mark_read(struct session *session, const struct frame *frame,
                                const union message *message)
{
    const sealpost_v1_MarkRead *mark = &message->mark_read;
    struct command *command = NULL;
    enum sp_error error =
        request_new_command(session, COMMAND_MARK_READ, frame->stream, 0, &command);
    if (error == SP_OK) {
        error = request_log_key(mark->has_log, &mark->log, &command->log);
    }
    if (error != SP_OK) {
        command_free(command);
        return error;
    }
    command->read_up_to = mark->sequence;
    uint32_t retry_after_ms = presence_take_mark(session);
    if (retry_after_ms > 0) {
        command_free(command);
        session_send_slow_down(session, frame->stream, retry_after_ms);
        return SP_OK;
    }
    error = request_submit(session, command);
    if (error == SP_EAGAIN) {
        presence_return_mark(session);
    }
    return error;
}

void read_state_pull(struct session *session)
{
    const struct presence_entry *member = session->presence;
    if (session->state != SESSION_OPEN || session->read_seen == member->read_version ||
        session->out.size >= OUTPUT_PAUSE_BYTES || member->reads_by_version == NULL) {
        return;
    }
    const struct read_entry *entry = member->reads_by_version->prev; /* the newest */
    if (entry->version <= session->read_seen) {
        return; /* what came later has ended */
    }
    while (entry != member->reads_by_version && entry->prev->version > session->read_seen) {
        entry = entry->prev;
    }
    /* What it is not told now stays as it is: session_pull() comes again. */
    while (entry != NULL && session->out.size < OUTPUT_PAUSE_BYTES) {
        const struct read_entry *next = entry->next;
        sealpost_v1_ReadState message;
        read_state_fill(&message, &entry->state);
        session->read_seen = entry->version;
        session_send(session, FRAME_READ_STATE, 0, &message);
        if (session->state != SESSION_OPEN) {
            return; /* its member may be gone, and all that is its */
        }
        entry = next;
    }
}

static struct read_entry *entry_get(struct presence_entry *member, int64_t log_number)
{
    struct read_entry *entry = NULL;
    HASH_FIND(hh, member->reads, &log_number, sizeof log_number, entry);
    if (entry != NULL) {
        DL_DELETE(member->reads_by_version, entry);
        return entry;
    }
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return NULL;
    }
    entry->log_number = log_number;
    HASH_ADD(hh, member->reads, log_number, sizeof entry->log_number, entry);
    if (!TABLE_ADDED(entry, hh)) {
        free(entry);
        return NULL;
    }
    return entry;
}

static void entry_remove(struct presence_entry *member, struct read_entry *entry)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what is in the list is in the table */
    HASH_DEL(member->reads, entry);
    DL_DELETE(member->reads_by_version, entry);
    free(entry);
}

/* Forgets what all of the member's sessions have been told. */
static void forget_told(struct presence_entry *member)
{
    uint64_t told = member->read_version;
    const struct session *session = NULL;
    DL_FOREACH2 (member->live, session, next_of_member) {
        told = session->read_seen < told ? session->read_seen : told;
    }
    while (member->reads_by_version != NULL && member->reads_by_version->version <= told) {
        entry_remove(member, member->reads_by_version);
    }
}

/* Whether there is more to be told than is kept for a session, and SESSION is what it is kept for.
 */
static bool is_too_late(const struct presence_entry *member, const struct session *session)
{
    return HASH_COUNT(member->reads) > LIMIT_READ_STATES &&
           session->read_seen < member->reads_by_version->version;
}

void read_state_published(struct hub *hub, int64_t number, const struct read_state *state)
{
    struct presence_entry *member = presence_find(hub, number);
    struct session *session = NULL;
    struct session *next = NULL;
    if (member == NULL || member->sessions == 0) {
        return; /* who logs in later asks for it */
    }
    struct read_entry *entry = entry_get(member, state->log.number);
    if (entry != NULL) {
        entry->state = *state;
        entry->version = ++member->read_version;
        DL_APPEND(member->reads_by_version, entry);
    }
    DL_FOREACH_SAFE2 (member->live, session, next, next_of_member) {
        if (entry == NULL) { /* rather than leave it with numbers that are wrong */
            session_end(session, SP_ENOMEM, NULL);
        } else if (is_too_late(member, session)) {
            session_end(session, SP_EIDLE, NULL);
        } else {
            read_state_pull(session);
        }
    }
    forget_told(member);
}

void read_state_ended(struct hub *hub, int64_t number, int64_t log_number)
{
    struct presence_entry *member = presence_find(hub, number);
    struct read_entry *entry = NULL;
    if (member != NULL) {
        HASH_FIND(hh, member->reads, &log_number, sizeof log_number, entry);
    }
    if (entry != NULL) {
        entry_remove(member, entry);
    }
}

void read_state_forget(struct presence_entry *member)
{
    struct read_entry *entry = NULL;
    struct read_entry *next = NULL;
    HASH_CLEAR(hh, member->reads);
    DL_FOREACH_SAFE (member->reads_by_version, entry, next) {
        free(entry);
    }
    member->reads_by_version = NULL;
}
