/* What uploads and downloads share: their table, their commands, their end. */
#include <stdlib.h>

#include "session/internal.h"

static bool is_upload(const struct transfer *transfer)
{
    return transfer->phase < DOWNLOAD_ASKING;
}

static struct transfer *find_token(struct hub *hub, uint64_t token)
{
    struct transfer *transfer = NULL;
    HASH_FIND(hh, hub->transfers, &token, sizeof token, transfer);
    return transfer;
}

struct transfer *transfer_find(struct session *session, uint16_t stream)
{
    struct transfer *transfer = NULL;
    DL_SEARCH_SCALAR(session->transfers, transfer, stream, stream);
    return transfer;
}

enum sp_error transfer_open(struct session *session, uint16_t stream, enum transfer_phase phase,
                            struct transfer **out)
{
    *out = NULL;
    struct hub *hub = session->hub;
    if (transfer_find(session, stream) != NULL) {
        return SP_EPROTOCOL;
    }
    if (session->transfer_count >= LIMIT_TRANSFERS_PER_SESSION) {
        return SP_ELIMIT;
    }
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) {
        return SP_ENOMEM;
    }
    transfer->hub = hub;
    transfer->token = ++hub->next_token;
    transfer->stream = stream;
    transfer->phase = phase;
    transfer->actor = session->actor;
    transfer->member = session->presence;
    HASH_ADD(hh, hub->transfers, token, sizeof transfer->token, transfer);
    if (!TABLE_ADDED(transfer, hh)) {
        free(transfer);
        return SP_ENOMEM;
    }
    transfer->session = session;
    DL_APPEND(session->transfers, transfer);
    session->transfer_count++;
    *out = transfer;
    return SP_OK;
}

void transfer_orphan(struct transfer *transfer)
{
    struct session *session = transfer->session;
    if (session != NULL) {
        DL_DELETE(session->transfers, transfer);
        session->transfer_count--;
        transfer->session = NULL;
    }
}

void transfer_close(struct transfer *transfer)
{
    struct hub *hub = transfer->hub;
    transfer_orphan(transfer);
    if (transfer->upload != NULL) {
        files_upload_release(transfer->upload);
    }
    if (transfer->download != NULL) {
        files_download_release(transfer->download);
    }
    if (transfer->command != NULL) {
        hub->held_commands--;
        command_free(transfer->command);
    }
    if (transfer->phase == UPLOAD_WAITING) {
        hub->waiting_uploads--;
    }
    hub->upload_pool_bytes -= transfer->pool_bytes;
    transfer->member->pool_bytes -= transfer->pool_bytes;
    struct transfer_chunk *chunk = NULL;
    struct transfer_chunk *next = NULL;
    DL_FOREACH_SAFE (transfer->chunks, chunk, next) {
        hub->download_pool_bytes -= chunk->size;
        free(chunk->data);
        free(chunk);
    }
    hub->download_pool_bytes -= transfer->asked_bytes;
    HASH_DEL(hub->transfers, transfer);
    free(transfer);
}

struct origin transfer_origin(const struct transfer *transfer)
{
    return (struct origin){ORIGIN_TRANSFER, (uint32_t)(transfer->token >> 32),
                           (uint32_t)transfer->token};
}

/* An OFFER_END has no reply: once it is on its way, nothing is left to wait for. */
static void submitted(struct transfer *transfer)
{
    if (transfer->phase == UPLOAD_WITHDRAWN) {
        transfer_close(transfer);
    }
}

void transfer_submit(struct transfer *transfer, struct command *command)
{
    struct hub *hub = transfer->hub;
    if (domain_submit(hub->config.domain, command) == SP_OK) {
        submitted(transfer);
        return;
    }
    transfer->command = command;
    hub->held_commands++;
}

void transfer_retry(struct hub *hub)
{
    struct transfer *transfer = hub->transfers;
    while (transfer != NULL) {
        struct transfer *next = transfer->hh.next;
        enum sp_error error = SP_OK;
        if (transfer->command != NULL &&
            domain_submit(hub->config.domain, transfer->command) == SP_OK) {
            transfer->command = NULL;
            hub->held_commands--;
            submitted(transfer);
        } else if (transfer->phase == UPLOAD_WAITING) {
            error = upload_prepare(transfer);
        }
        if (error != SP_OK) {
            upload_cancel(transfer, error, NULL);
            next = hub->transfers; /* a session may have ended over it, and all that is its */
        }
        transfer = next;
    }
}

void transfer_reply(struct hub *hub, struct reply *reply)
{
    uint64_t token = (uint64_t)reply->origin.generation << 32 | reply->origin.tag;
    struct transfer *transfer = find_token(hub, token);
    if (transfer == NULL) {
        return;
    }
    if (is_upload(transfer)) {
        upload_reply(transfer, reply);
    } else {
        download_reply(transfer, reply);
    }
}

void transfer_completed(struct hub *hub, struct files_completion *completion)
{
    struct transfer *transfer = find_token(hub, completion->token);
    if (transfer == NULL) {
        /* Released before; only a sealed blob would be left behind. */
        return;
    }
    if (is_upload(transfer)) {
        upload_completed(transfer, completion);
    } else {
        download_completed(transfer, completion);
    }
}

void transfer_session_gone(struct transfer *transfer)
{
    bool goes_on = transfer->phase == UPLOAD_COMMITTING || transfer->phase == UPLOAD_STORING ||
                   transfer->phase == UPLOAD_OFFERING;
    if (goes_on) {
        transfer_orphan(transfer);
    } else {
        upload_cancel(transfer, SP_OK, NULL);
    }
}
