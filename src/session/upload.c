/*
 * An upload: OFFER → the domain allows it → a worker reserves space → DATA → COMMIT → the worker
 * verifies and syncs → the domain makes the event → STORED. A commit that is under way goes on
 * without its session.
 */
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "session/internal.h"

/* The least credit with which an upload is begun. */
#define CREDIT_MINIMUM_BYTES (UINT64_C(64) * 1024)

/* What the uploads of one member may hold of the pool: one who stands still leaves room for others.
 */
#define MEMBER_POOL_BYTES ((uint64_t)TRANSFER_POOL_BYTES / 4)

static enum sp_error fill_offer(struct transfer *transfer, const sealpost_v1_Offer *offer)
{
    enum sp_error error =
        request_once(offer->has_once, &offer->once, &transfer->client_id, transfer->salt);
    if (error == SP_OK) {
        error = request_log_key(offer->has_log, &offer->log, &transfer->log);
    }
    if (error != SP_OK) {
        return error;
    }
    if (offer->sha256.size != 0 && offer->sha256.size != DIGEST_BYTES) {
        return SP_EINVALID;
    }
    struct command_file *file = &transfer->file;
    memcpy(file->name, offer->name, sizeof file->name);
    file->size = offer->size_unknown ? UINT64_MAX : offer->size;
    file->has_sha256 = offer->sha256.size == DIGEST_BYTES;
    memcpy(file->sha256.bytes, offer->sha256.bytes, offer->sha256.size);
    return event_file_id(&transfer->actor.device_id, &transfer->client_id, &file->file);
}

static enum sp_error new_command(const struct transfer *transfer, enum command_kind kind,
                                 size_t body_size, struct command **out)
{
    enum sp_error error = command_new(kind, body_size, out);
    if (error != SP_OK) {
        return error;
    }
    struct command *command = *out;
    command->origin = transfer_origin(transfer);
    command->actor = transfer->actor;
    command->received_ms = clock_wall_ms(transfer->hub->config.clock);
    command->client_id = transfer->client_id;
    memcpy(command->salt, transfer->salt, SALT_BYTES);
    command->log = transfer->log;
    command->file = transfer->file;
    return SP_OK;
}

enum sp_error upload_offer(struct session *session, const struct frame *frame,
                           const sealpost_v1_Offer *offer)
{
    struct transfer *transfer = NULL;
    struct command *command = NULL;
    enum sp_error error = transfer_open(session, frame->stream, UPLOAD_OFFERING, &transfer);
    if (error != SP_OK) {
        return error;
    }
    error = fill_offer(transfer, offer);
    if (error == SP_OK) {
        error = new_command(transfer, COMMAND_OFFER, 0, &command);
    }
    if (error != SP_OK) {
        transfer_close(transfer);
        return error;
    }
    transfer_submit(transfer, command);
    return SP_OK;
}

/* The upload comes to nothing: nothing of it stays, and the domain forgets the offer. Frees
 * TRANSFER, now or later. */
static void withdraw(struct transfer *transfer)
{
    transfer_orphan(transfer);
    if (transfer->upload != NULL) {
        files_upload_release(transfer->upload);
        transfer->upload = NULL;
    }
    if (transfer->phase == UPLOAD_WAITING) {
        transfer->hub->waiting_uploads--;
    }
    transfer->phase = UPLOAD_WITHDRAWN;
    struct command *command = NULL;
    if (new_command(transfer, COMMAND_OFFER_END, 0, &command) != SP_OK) {
        /* Without memory the domain keeps the offer in mind, and a new attempt under the same
         * client id is "busy". */
        transfer_close(transfer);
        return;
    }
    transfer_submit(transfer, command);
}

void upload_cancel(struct transfer *transfer, enum sp_error error, const char *text)
{
    /* The error goes out last: a session that has no room for it ends, and cancels all its
     * transfers. */
    struct session *session = transfer->session;
    uint16_t stream = transfer->stream;
    switch (transfer->phase) {
    case UPLOAD_OFFERING:
        transfer_orphan(transfer); /* its reply withdraws it */
        break;
    case UPLOAD_WAITING:
    case UPLOAD_PREPARING:
    case UPLOAD_RECEIVING:
        withdraw(transfer);
        break;
    case UPLOAD_COMMITTING:
    case UPLOAD_STORING:
    case UPLOAD_WITHDRAWN:
        transfer_orphan(transfer);
        break;
    case DOWNLOAD_ASKING:
    case DOWNLOAD_SENDING:
        transfer_close(transfer);
        break;
    }
    if (error != SP_OK && session != NULL) {
        session_send_error(session, stream, error, text);
    }
}

static void send_stored(struct transfer *transfer, const struct file_info *file,
                        const struct digest *hash, bool repeated)
{
    if (transfer->session == NULL) {
        return;
    }
    sealpost_v1_Stored stored = {.has_file = true, .repeated = repeated};
    answer_fill_file(&stored.file, file);
    memcpy(stored.hash, hash->bytes, sizeof stored.hash);
    session_send(transfer->session, FRAME_STORED, transfer->stream, &stored);
}

/* The domain has said no, and has forgotten the offer. */
static void refused(struct transfer *transfer, enum sp_error error, const char *text)
{
    struct session *session = transfer->session;
    uint16_t stream = transfer->stream;
    transfer_close(transfer);
    if (session != NULL) {
        session_send_error(session, stream, error, text);
    }
}

static void offered(struct transfer *transfer, const struct reply *reply)
{
    if (reply->kind == REPLY_ERROR) {
        refused(transfer, reply->error, reply->detail);
        return;
    }
    if (reply->offer.stored) {
        send_stored(transfer, &reply->offer.info, &reply->offer.hash, true);
        transfer_close(transfer);
        return;
    }
    transfer->phase = UPLOAD_WAITING;
    transfer->hub->waiting_uploads++;
    if (transfer->session == NULL) {
        withdraw(transfer);
        return;
    }
    enum sp_error error = upload_prepare(transfer);
    if (error != SP_OK) {
        upload_cancel(transfer, error, NULL);
    }
}

enum sp_error upload_prepare(struct transfer *transfer)
{
    struct hub *hub = transfer->hub;
    uint64_t left = TRANSFER_POOL_BYTES - hub->upload_pool_bytes;
    uint64_t own = MEMBER_POOL_BYTES - transfer->member->pool_bytes;
    uint64_t credit = own < left ? own : left;
    credit = credit < TRANSFER_WINDOW_BYTES ? credit : (uint64_t)TRANSFER_WINDOW_BYTES;
    if (credit < CREDIT_MINIMUM_BYTES) {
        return SP_OK; /* other uploads hold it; hub_tick() comes again */
    }
    enum sp_error error =
        files_upload_begin(hub->config.files, transfer->token, &transfer->file.file,
                           transfer->file.size, credit, &transfer->upload);
    if (error != SP_OK) {
        return error;
    }
    hub->waiting_uploads--;
    hub->upload_pool_bytes += credit;
    transfer->member->pool_bytes += credit;
    transfer->pool_bytes = credit;
    transfer->credit = credit;
    transfer->phase = UPLOAD_PREPARING;
    return SP_OK;
}

enum sp_error upload_data(struct transfer *transfer, struct slice raw)
{
    if (transfer->phase != UPLOAD_RECEIVING || raw.size > transfer->credit) {
        return SP_EPROTOCOL;
    }
    transfer->credit -= raw.size;
    transfer->received += raw.size;
    transfer->moved_ms = transfer->hub->now_ms;
    if (raw.size == 0) {
        return SP_OK;
    }
    if (transfer->received > transfer->hub->config.max_file_bytes) {
        upload_cancel(transfer, SP_ETOOLARGE, NULL); /* its size was not announced */
        return SP_OK;
    }
    enum sp_error error = files_upload_write(transfer->upload, raw.data, raw.size);
    if (error != SP_OK) {
        upload_cancel(transfer, error, NULL);
        return SP_OK;
    }
    return SP_OK;
}

enum sp_error upload_commit(struct transfer *transfer, const sealpost_v1_Commit *commit)
{
    if (transfer->phase != UPLOAD_RECEIVING) {
        return SP_EPROTOCOL;
    }
    struct digest sha256;
    memcpy(sha256.bytes, commit->sha256, sizeof sha256.bytes);
    if (transfer->file.has_sha256 && !digest_equal(&sha256, &transfer->file.sha256)) {
        upload_cancel(transfer, SP_EDIGEST, "the SHA-256 is not the one of the offer");
        return SP_OK;
    }
    enum sp_error error = files_upload_commit(transfer->upload, commit->size, &sha256);
    if (error != SP_OK) {
        upload_cancel(transfer, error, NULL);
        return SP_OK;
    }
    transfer->phase = UPLOAD_COMMITTING;
    return SP_OK;
}

static void ready(struct transfer *transfer)
{
    transfer->phase = UPLOAD_RECEIVING;
    transfer->moved_ms = transfer->hub->now_ms;
    sealpost_v1_Offered message = {.credit = transfer->credit};
    memcpy(message.file, transfer->file.file.bytes, sizeof message.file);
    session_send(transfer->session, FRAME_OFFERED, transfer->stream, &message);
}

static void written(struct transfer *transfer, uint64_t bytes)
{
    transfer->credit_due += bytes;
    bool worth_it = transfer->credit_due >= transfer->pool_bytes / 4;
    if (transfer->phase != UPLOAD_RECEIVING || !worth_it) {
        return;
    }
    sealpost_v1_Credit credit = {.bytes = transfer->credit_due};
    transfer->credit += transfer->credit_due;
    transfer->credit_due = 0;
    session_send(transfer->session, FRAME_CREDIT, transfer->stream, &credit);
}

/* The bytes are verified and durable: now the event. */
static void sealed(struct transfer *transfer, struct files_completion *completion)
{
    bool is_inline = completion->bucket == 0;
    size_t body_size = is_inline ? (size_t)completion->size : 0;
    transfer->file.size = completion->size;
    transfer->file.sha256 = completion->sha256;
    transfer->file.has_sha256 = true;
    transfer->file.bucket = completion->bucket;
    transfer->phase = UPLOAD_STORING;
    files_upload_release(transfer->upload);
    transfer->upload = NULL;
    struct command *command = NULL;
    if (new_command(transfer, COMMAND_STORE, body_size, &command) != SP_OK) {
        if (!is_inline) {
            files_discard(transfer->hub->config.files, completion->bucket, &transfer->file.file);
        }
        upload_cancel(transfer, SP_ENOMEM, NULL);
        withdraw(transfer);
        return;
    }
    if (body_size > 0) {
        memcpy(command->body, completion->data, body_size);
    }
    transfer_submit(transfer, command);
}

static void stored(struct transfer *transfer, const struct reply *reply)
{
    if (reply->kind == REPLY_STORED) {
        send_stored(transfer, &reply->event.file, &reply->event.hash, reply->event.repeated);
    }
    if (reply->kind != REPLY_STORED || reply->event.file.bucket != transfer->file.bucket) {
        if (transfer->file.bucket != 0) {
            files_discard(transfer->hub->config.files, transfer->file.bucket, &transfer->file.file);
        }
    }
    if (reply->kind != REPLY_STORED && transfer->session != NULL) {
        session_send_error(transfer->session, transfer->stream, reply->error, reply->detail);
    }
    transfer_close(transfer);
}

static void failed(struct transfer *transfer, const struct files_completion *completion)
{
    struct session *session = transfer->session;
    uint16_t stream = transfer->stream;
    if (transfer->phase == UPLOAD_WITHDRAWN) {
        return;
    }
    withdraw(transfer);
    if (session != NULL) {
        session_send_error(session, stream, completion->error, completion->detail);
    }
}

void upload_reply(struct transfer *transfer, const struct reply *reply)
{
    if (transfer->phase == UPLOAD_OFFERING) {
        offered(transfer, reply);
    } else if (transfer->phase == UPLOAD_STORING) {
        stored(transfer, reply);
    }
}

void upload_completed(struct transfer *transfer, struct files_completion *completion)
{
    switch (completion->event) {
    case FILES_READY:
        if (transfer->phase == UPLOAD_PREPARING) {
            ready(transfer);
        }
        break;
    case FILES_WRITTEN:
        written(transfer, completion->bytes);
        break;
    case FILES_SEALED:
        if (transfer->phase == UPLOAD_COMMITTING) {
            sealed(transfer, completion);
        }
        break;
    case FILES_FAILED:
        failed(transfer, completion);
        break;
    case FILES_READ:
    case FILES_ERASED:
        break;
    }
}
