/*
 * A download: GET → the readers find the file and judge access → FILE, then DATA as far as the
 * client's credit goes. While there is credit a worker reads ahead, two pieces at a time. What is
 * read and not sent counts against a pool; when that is empty, a download gets one small piece at a
 * time, and so goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define PIECE_BYTES ((size_t)128 * 1024)
#define PIECES_AHEAD 2
#define SMALL_PIECE_BYTES ((size_t)16 * 1024)

/* A DATA frame with that much raw fills one TLS record (RFC 8446, 5.1) exactly. */
#define DATA_BYTES (16384 - FRAME_HEADER_BYTES)

enum sp_error download_get(struct session *session, const struct frame *frame,
                           const sealpost_v1_Get *get)
{
    struct transfer *transfer = NULL;
    enum sp_error error = transfer_open(session, frame->stream, DOWNLOAD_ASKING, &transfer);
    if (error != SP_OK) {
        return error;
    }
    struct command *command = NULL;
    error = request_new_command(session, COMMAND_FILE, frame->stream, 0, &command);
    if (error != SP_OK) {
        transfer_close(transfer);
        return error;
    }
    transfer->offset = get->offset;
    transfer->credit = get->credit;
    command->origin = transfer_origin(transfer);
    snprintf(command->file_prefix.digits, sizeof command->file_prefix.digits, "%s", get->file);
    transfer_submit(transfer, command);
    return SP_OK;
}

static void fail(struct transfer *transfer, enum sp_error error, const char *text)
{
    struct session *session = transfer->session;
    uint16_t stream = transfer->stream;
    transfer_close(transfer);
    session_send_error(session, stream, error, text);
}

void download_ask(struct transfer *transfer)
{
    struct hub *hub = transfer->hub;
    while (transfer->asked < PIECES_AHEAD && transfer->to_ask > 0 && transfer->credit > 0) {
        bool pool_is_empty = hub->download_pool_bytes + PIECE_BYTES > TRANSFER_POOL_BYTES;
        bool has_pieces = transfer->asked > 0 || transfer->chunks != NULL;
        if (pool_is_empty && has_pieces) {
            return; /* what it has brings it here again */
        }
        size_t size = pool_is_empty ? SMALL_PIECE_BYTES : PIECE_BYTES;
        size = transfer->to_ask < size ? (size_t)transfer->to_ask : size;
        if (files_download_read(transfer->download, size) != SP_OK) {
            fail(transfer, SP_ENOMEM, NULL);
            return;
        }
        transfer->asked++;
        transfer->asked_bytes += size;
        transfer->to_ask -= size;
        hub->download_pool_bytes += size;
    }
}

static bool add_chunk(struct transfer *transfer, uint8_t *data, size_t size)
{
    struct transfer_chunk *chunk = calloc(1, sizeof *chunk);
    if (chunk == NULL) {
        return false;
    }
    chunk->data = data;
    chunk->size = size;
    DL_APPEND(transfer->chunks, chunk);
    return true;
}

/* The bytes are in the database, and came with the answer. */
static void begin_inline(struct transfer *transfer, struct reply *reply)
{
    size_t size = (size_t)transfer->info.size;
    uint8_t *content = reply->file.content;
    if (content == NULL || !add_chunk(transfer, content, size)) {
        fail(transfer, SP_ENOMEM, NULL);
        return;
    }
    reply->file.content = NULL;
    transfer->chunks->sent = (size_t)transfer->offset;
    transfer->hub->download_pool_bytes += size;
    hub_mark_ready(transfer->session);
}

void download_reply(struct transfer *transfer, struct reply *reply)
{
    struct session *session = transfer->session;
    if (reply->kind != REPLY_FILE) {
        fail(transfer, reply->error, reply->detail);
        return;
    }
    transfer->info = reply->file.info;
    if (transfer->offset > transfer->info.size) {
        fail(transfer, SP_EINVALID, "the offset is behind the end of the file");
        return;
    }
    sealpost_v1_File message = {.has_file = true};
    answer_fill_file(&message.file, &transfer->info);
    session_send(session, FRAME_FILE, transfer->stream, &message);
    if (session->state != SESSION_OPEN) {
        return; /* the transfer is gone with it */
    }
    transfer->phase = DOWNLOAD_SENDING;
    transfer->to_send = transfer->info.size - transfer->offset;
    if (transfer->to_send == 0) {
        transfer_close(transfer);
        return;
    }
    if (transfer->info.bucket == 0) {
        begin_inline(transfer, reply);
        return;
    }
    transfer->to_ask = transfer->to_send;
    enum sp_error error = files_download_open(
        transfer->hub->config.files, transfer->token, transfer->info.bucket, &transfer->info.id,
        transfer->info.size, transfer->offset, &transfer->download);
    if (error != SP_OK) {
        fail(transfer, error, NULL);
        return;
    }
    download_ask(transfer);
}

void download_completed(struct transfer *transfer, struct files_completion *completion)
{
    if (completion->event == FILES_FAILED) {
        fail(transfer, completion->error, completion->detail);
        return;
    }
    if (completion->event != FILES_READ || transfer->asked == 0) {
        return;
    }
    size_t size = (size_t)completion->bytes;
    transfer->asked--;
    transfer->asked_bytes -= size;
    if (size == 0 || !add_chunk(transfer, completion->data, size)) {
        transfer->hub->download_pool_bytes -= size;
        fail(transfer, size == 0 ? SP_EINTEGRITY : SP_ENOMEM, NULL);
        return;
    }
    completion->data = NULL;
    hub_mark_ready(transfer->session);
}

void download_credit(struct transfer *transfer, uint64_t bytes)
{
    bool is_download = transfer->phase == DOWNLOAD_ASKING || transfer->phase == DOWNLOAD_SENDING;
    if (!is_download) {
        return;
    }
    uint64_t room = UINT64_MAX - transfer->credit;
    transfer->credit += bytes < room ? bytes : room;
    hub_mark_ready(transfer->session);
    if (transfer->download != NULL) {
        download_ask(transfer);
    }
}

static void drop_chunk(struct transfer *transfer)
{
    struct transfer_chunk *chunk = transfer->chunks;
    transfer->hub->download_pool_bytes -= chunk->size;
    DL_DELETE(transfer->chunks, chunk);
    free(chunk->data);
    free(chunk);
}

/* One DATA frame of TRANSFER. Returns false when it has nothing to send now, or no room. */
static bool pull_one(struct transfer *transfer, struct writer *writer)
{
    struct transfer_chunk *chunk = transfer->chunks;
    size_t room = writer_left(writer);
    if (transfer->phase != DOWNLOAD_SENDING || chunk == NULL || transfer->credit == 0 ||
        room <= FRAME_HEADER_BYTES) {
        return false;
    }
    size_t size = chunk->size - chunk->sent;
    size = size < transfer->credit ? size : (size_t)transfer->credit;
    size = size < DATA_BYTES ? size : DATA_BYTES;
    size = size < room - FRAME_HEADER_BYTES ? size : room - FRAME_HEADER_BYTES;
    struct slice raw = {chunk->data + chunk->sent, size};
    if (frame_encode(writer, FRAME_DATA, transfer->stream, NULL, raw) != SP_OK) {
        return false;
    }
    chunk->sent += size;
    transfer->credit -= size;
    transfer->to_send -= size;
    if (chunk->sent == chunk->size) {
        drop_chunk(transfer);
    }
    return true;
}

void download_pull(struct session *session, struct writer *writer)
{
    struct transfer *transfer = session->transfers;
    while (transfer != NULL) {
        struct transfer *next = transfer->next;
        bool sent = pull_one(transfer, writer);
        if (sent && transfer->to_send == 0) {
            transfer_close(transfer);
        } else if (sent) {
            /* The others come first next time. */
            DL_DELETE(session->transfers, transfer);
            DL_APPEND(session->transfers, transfer);
            if (transfer->download != NULL) {
                download_ask(transfer);
            }
            return;
        }
        transfer = next;
    }
}
