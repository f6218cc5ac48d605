#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

enum sp_error hub_new(const struct hub_config *config, struct hub **out)
{
    struct hub *hub = calloc(1, sizeof *hub);
    *out = NULL;
    if (hub == NULL) {
        return SP_ENOMEM;
    }
    hub->config = *config;
    hub->slot_count = config->max_sessions;
    hub->slots = calloc(hub->slot_count, sizeof(struct session *));
    hub->generations = calloc(hub->slot_count, sizeof *hub->generations);
    hub->started_ms = clock_wall_ms(config->clock);
    hub->now_ms = clock_monotonic_ms(config->clock);
    hub->crl_next_update_ms = INT64_MAX;
    if (hub->slots == NULL || hub->generations == NULL ||
        tail_new(config->tail_bytes, &hub->tail) != SP_OK) {
        hub_free(hub);
        return SP_ENOMEM;
    }
    *out = hub;
    return SP_OK;
}

void hub_free(struct hub *hub)
{
    if (hub == NULL) {
        return;
    }
    struct transfer *transfer = NULL;
    struct transfer *next_transfer = NULL;
    HASH_ITER (hh, hub->transfers, transfer, next_transfer) {
        transfer_close(transfer);
    }
    struct store_read *read = NULL;
    struct store_read *next_read = NULL;
    DL_FOREACH_SAFE (hub->reads, read, next_read) {
        free(read);
    }
    presence_flush(hub);
    presence_deinit(hub);
    tail_free(hub->tail);
    free(hub->slots);
    free(hub->generations);
    free(hub);
}

void hub_mark_ready(struct session *session)
{
    if (!session->ready) {
        session->ready = true;
        DL_APPEND2(session->hub->ready, session, prev_ready, next_ready);
    }
}

struct session *hub_next_ready(struct hub *hub)
{
    struct session *session = hub->ready;
    if (session != NULL) {
        session->ready = false;
        DL_DELETE2(hub->ready, session, prev_ready, next_ready);
    }
    return session;
}

size_t hub_ready_count(const struct hub *hub)
{
    size_t count = 0;
    const struct session *session = NULL;
    DL_COUNT2(hub->ready, session, count, next_ready);
    return count;
}

static struct session *session_of(struct hub *hub, const struct origin *origin)
{
    struct session *session =
        origin->session < hub->slot_count ? hub->slots[origin->session] : NULL;
    return session != NULL && session->generation == origin->generation ? session : NULL;
}

static void take_reply(struct hub *hub, struct reply *reply)
{
    if (reply->origin.session == ORIGIN_TRANSFER) {
        transfer_reply(hub, reply);
        return;
    }
    if (reply->origin.session == ORIGIN_READ) {
        follow_page(hub, reply);
        return;
    }
    struct session *session = session_of(hub, &reply->origin);
    if (session != NULL && session->state != SESSION_ENDED) {
        if (session->join != NULL) {
            join_reply(session, reply);
        } else {
            answer_send(session, reply);
        }
        hub_mark_ready(session); /* it may be read from again */
    }
}

/* Tells every session concerned, which ends with it, and its uploads with that. */
static void shut_out(struct hub *hub, int64_t member, int64_t device, enum sp_error error)
{
    for (uint32_t i = 0; i < hub->slot_count; i++) {
        struct session *session = hub->slots[i];
        if (session != NULL && session->state == SESSION_OPEN && session->actor.member == member &&
            (device == 0 || session->actor.device == device)) {
            session_end(session, error, NULL);
        }
    }
}

uint32_t hub_count_sessions(const struct hub *hub, int64_t device)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < hub->slot_count; i++) {
        const struct session *session = hub->slots[i];
        count +=
            session != NULL && session->state == SESSION_OPEN && session->actor.device == device
                ? 1
                : 0;
    }
    return count;
}

static void take_publication(struct hub *hub, struct publication *publication)
{
    switch (publication->kind) {
    case PUBLISH_REPLY:
        take_reply(hub, publication->reply);
        break;
    case PUBLISH_EVENT:
        follow_published(hub, publication->event);
        break;
    case PUBLISH_ACCESS_ENDED:
        follow_access_ended(hub, publication->access.member, publication->access.log_number);
        read_state_ended(hub, publication->access.member, publication->access.log_number);
        break;
    case PUBLISH_READ_STATE:
        read_state_published(hub, publication->read.member, publication->read.state);
        break;
    case PUBLISH_SHUT_OUT:
        shut_out(hub, publication->shut_out.member, publication->shut_out.device,
                 publication->shut_out.error);
        break;
    case PUBLISH_ERASED:
        follow_erased(hub, publication->erased.log_number, publication->erased.first,
                      publication->erased.last);
        break;
    case PUBLISH_DISCARD:
        files_erase(hub->config.files, publication->discard.bucket, &publication->discard.file);
        break;
    }
}

/* Tells the domain, which keeps a note until then. If it is busy the next start does it again. */
static void blob_erased(struct hub *hub, const struct files_completion *completion)
{
    struct command *command = NULL;
    if (command_new(COMMAND_DISCARDED, 0, &command) != SP_OK) {
        return;
    }
    command->file.file = completion->file;
    command->file.bucket = completion->bucket;
    if (domain_submit(hub->config.domain, command) != SP_OK) {
        command_free(command);
    }
}

static void take_completion(struct hub *hub, struct files_completion *completion)
{
    if (completion->event == FILES_ERASED) {
        blob_erased(hub, completion);
    } else {
        transfer_completed(hub, completion);
    }
    files_completion_free(completion);
}

void hub_take(struct hub *hub)
{
    struct publication *publication = domain_take(hub->config.domain);
    while (publication != NULL) {
        struct queue_item *next = publication->item.next;
        take_publication(hub, publication);
        publication_free(publication);
        publication = next == NULL ? NULL : CONTAINER_OF(next, struct publication, item);
    }
    follow_tell(hub);
    struct files_completion *completion = files_take(hub->config.files);
    while (completion != NULL) {
        struct queue_item *next = completion->item.next;
        take_completion(hub, completion);
        completion = next == NULL ? NULL : CONTAINER_OF(next, struct files_completion, item);
    }
}

static void wake_stalled(struct hub *hub)
{
    struct session *stalled = hub->stalled;
    hub->stalled = NULL;
    while (stalled != NULL) {
        struct session *session = stalled;
        DL_DELETE2(stalled, session, prev_stalled, next_stalled);
        session->stalled = false;
        session_continue(session);
        hub_mark_ready(session);
    }
}

void hub_set_time(struct hub *hub, int64_t now_ms)
{
    hub->now_ms = now_ms;
}

void hub_tick(struct hub *hub)
{
    if (hub->stalled != NULL || hub->starved || hub->held_commands > 0) {
        if (domain_has_room(hub->config.domain)) {
            transfer_retry(hub);
            follow_retry(hub);
            wake_stalled(hub);
        }
    } else if (hub->waiting_uploads > 0) {
        transfer_retry(hub);
    }
    presence_tick(hub);
}

int hub_timeout_ms(const struct hub *hub)
{
    if (hub->ready != NULL) {
        return 0;
    }
    if (hub->stalled != NULL || hub->starved || hub->held_commands > 0 ||
        hub->waiting_uploads > 0) {
        return 10;
    }
    return hub->presence.lively || hub->presence.note_count > 0 ? 100 : -1;
}

void hub_set_limits(struct hub *hub, uint64_t max_file_bytes, uint32_t message_rate,
                    uint32_t message_burst)
{
    hub->config.max_file_bytes = max_file_bytes;
    hub->config.message_rate = message_rate;
    hub->config.message_burst = message_burst;
}

size_t hub_session_count(const struct hub *hub)
{
    return hub->session_count;
}

size_t hub_busy_count(const struct hub *hub)
{
    size_t count = 0;
    for (const struct transfer *transfer = hub->transfers; transfer != NULL;
         transfer = transfer->hh.next) {
        bool busy = transfer->phase == UPLOAD_COMMITTING || transfer->phase == UPLOAD_STORING;
        count += busy ? 1 : 0;
    }
    return count;
}

void hub_set_public_host(struct hub *hub, const char *host, uint16_t port)
{
    (void)snprintf(hub->config.public_host, sizeof hub->config.public_host, "%s", host);
    hub->config.public_port = port;
}

void hub_get_status(const struct hub *hub, struct hub_status *out)
{
    *out = (struct hub_status){
        .sessions = hub->session_count,
        .members_online = hub->presence.online_count,
        .tail_bytes = tail_bytes(hub->tail),
        .store_reads = hub->store_reads,
        .uploads_waiting = hub->waiting_uploads,
        .started_ms = hub->started_ms,
    };
}

void hub_set_crl_next_update(struct hub *hub, int64_t wall_ms)
{
    hub->crl_next_update_ms = wall_ms;
}
