#include "bench/transfer.h"

#include <stdio.h>
#include <string.h>

#include "bench/load.h"
#include "bench/process.h"
#include "crypto/digest.h"

#define RECORDS_PER_PUMP 8
#define PIECE_BYTES (STREAM_RECORD_BYTES - FRAME_HEADER_BYTES) /* a DATA frame fills a record */
#define DOWNLOAD_WINDOW_BYTES (UINT64_C(4) << 20)
#define STREAM_FILE 2000
#define LOGIN_TIMEOUT_NS UINT64_C(30000000000)
#define ID_UPLOADS (UINT64_C(1) << 40) /* away from the numbers of a load's messages */

static const struct slice nothing = {NULL, 0};

static void fail(struct transfer *transfer, const char *why)
{
    transfer->step = TRANSFER_FAILED;
    (void)fprintf(stderr, "sealpost-bench: error: a transfer: %s\n", why);
}

/* The piece of the made-up file that begins at AT: behind a frame's header, at OUT. */
static size_t fill_piece(uint64_t at, uint64_t size, uint8_t *out)
{
    size_t piece = size - at < PIECE_BYTES ? (size_t)(size - at) : (size_t)PIECE_BYTES;
    memcpy(out, &at, piece < sizeof at ? piece : sizeof at);
    return piece;
}

enum sp_error transfer_digest(uint64_t size, struct digest *out)
{
    uint8_t piece[PIECE_BYTES] = {0};
    struct digest_stream *stream = NULL;
    enum sp_error error = digest_stream_new(&stream);
    for (uint64_t at = 0; error == SP_OK && at < size; at += PIECE_BYTES) {
        error = digest_stream_update(stream, piece, fill_piece(at, size, piece));
    }
    if (error == SP_OK) {
        error = digest_stream_finish(stream, out);
    }
    digest_stream_free(stream);
    return error;
}

static void begin_moving(struct transfer *transfer, uint64_t credit)
{
    transfer->credit += credit;
    transfer->step = TRANSFER_MOVING;
}

static void finish_download(struct transfer *transfer)
{
    struct digest digest;
    bool good = transfer->is_bare || (digest_stream_finish(transfer->hash, &digest) == SP_OK &&
                                      digest_equal(&digest, &transfer->digest));
    if (good) {
        transfer->step = TRANSFER_DONE;
    } else {
        fail(transfer, "what arrived is not what was sent");
    }
}

static void take_data(struct loop *loop, struct transfer *transfer, struct slice raw)
{
    if (raw.size > transfer->size - transfer->moved || raw.size > transfer->credit) {
        fail(transfer, "more came than was asked for");
        return;
    }
    if (!transfer->is_bare && digest_stream_update(transfer->hash, raw.data, raw.size) != SP_OK) {
        fail(transfer, "SHA-256");
        return;
    }
    transfer->moved += raw.size;
    transfer->credit -= raw.size;
    if (transfer->moved == transfer->size) {
        finish_download(transfer);
    } else if (!transfer->is_bare && transfer->credit < DOWNLOAD_WINDOW_BYTES / 2) {
        const sealpost_v1_Credit credit = {.bytes = DOWNLOAD_WINDOW_BYTES / 2};
        transfer->credit += credit.bytes;
        client_send(loop, &transfer->client, FRAME_CREDIT, STREAM_FILE, &credit, nothing);
    }
}

static void take_frame(struct loop *loop, struct client *client, const struct frame *frame)
{
    struct transfer *transfer = CONTAINER_OF(client, struct transfer, client);
    union message message;
    if (frame->type == FRAME_DATA) {
        take_data(loop, transfer, frame->raw);
        return;
    }
    if (frame_decode(frame, &message) != SP_OK) {
        fail(transfer, "a frame cannot be decoded");
        return;
    }
    switch (frame->type) {
    case FRAME_WELCOME:
        transfer->step = TRANSFER_READY;
        break;
    case FRAME_OFFERED:
        begin_moving(transfer, message.offered.credit);
        break;
    case FRAME_CREDIT:
        transfer->credit += message.credit.bytes;
        break;
    case FRAME_STORED:
        hex_encode(message.stored.file.id, ID_BYTES, transfer->file);
        transfer->step = TRANSFER_DONE;
        break;
    case FRAME_FILE:
        transfer->step = TRANSFER_MOVING;
        break;
    case FRAME_EVENT_RESULT: /* of a JOIN */
        break;
    case FRAME_ERROR:
        fail(transfer, message.error.text);
        break;
    default:
        fail(transfer, frame_name(frame->type));
        break;
    }
}

enum sp_error transfer_open(struct loop *loop, struct lab *lab, bool is_bare,
                            struct transfer *transfers, size_t count)
{
    enum sp_error error = SP_OK;
    memset(transfers, 0, count * sizeof *transfers);
    for (size_t i = 0; error == SP_OK && i < count; i++) {
        transfers[i].is_bare = is_bare;
        error = client_connect(loop, &transfers[i].client, lab->members[i % lab->options->members],
                               lab->port, take_frame);
    }
    uint64_t deadline_ns = now_ns() + LOGIN_TIMEOUT_NS;
    for (size_t i = 0; error == SP_OK && i < count; i++) {
        while (transfers[i].step == TRANSFER_LOGGING_IN && loop->failed == 0 &&
               now_ns() < deadline_ns) {
            loop_turn(loop, 100000000);
        }
        error = transfers[i].step == TRANSFER_READY ? SP_OK : SP_EINTERNAL;
    }
    for (size_t i = 0; error == SP_OK && !is_bare && i < count; i++) {
        /* A room is left to who is in it; one of the same member's sessions may be already. */
        sealpost_v1_Write join = {.has_once = true, .has_log = true};
        load_fill_once(&join.once, ID_UPLOADS + (UINT64_C(1) << 32) + i);
        load_room_name(0, join.log.name, sizeof join.log.name);
        client_send(loop, &transfers[i].client, FRAME_JOIN, STREAM_FILE + 1, &join, nothing);
    }
    return error;
}

void transfer_close(struct transfer *transfers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        client_close(&transfers[i].client);
        digest_stream_free(transfers[i].hash);
        transfers[i].hash = NULL;
    }
}

void transfer_start_upload(struct loop *loop, struct transfer *transfer, uint64_t number,
                           uint64_t size, const struct digest *digest)
{
    transfer->is_download = false;
    transfer->size = size;
    transfer->moved = 0;
    transfer->credit = 0;
    transfer->digest = *digest;
    transfer->step = TRANSFER_ASKING;
    if (transfer->is_bare) {
        begin_moving(transfer, size);
        return;
    }
    sealpost_v1_Offer offer = {.has_once = true, .has_log = true, .size = size};
    load_fill_once(&offer.once, ID_UPLOADS + number);
    load_room_name(0, offer.log.name, sizeof offer.log.name);
    (void)snprintf(offer.name, sizeof offer.name, "file-%llu", (unsigned long long)number);
    offer.sha256.size = DIGEST_BYTES;
    memcpy(offer.sha256.bytes, digest->bytes, DIGEST_BYTES);
    client_send(loop, &transfer->client, FRAME_OFFER, STREAM_FILE, &offer, nothing);
}

enum sp_error transfer_start_download(struct loop *loop, struct transfer *transfer,
                                      const char *file, uint64_t size, const struct digest *digest)
{
    if (transfer->hash == NULL) {
        enum sp_error error = digest_stream_new(&transfer->hash);
        if (error != SP_OK) {
            return error;
        }
    }
    transfer->is_download = true;
    transfer->size = size;
    transfer->moved = 0;
    transfer->digest = *digest;
    transfer->step = transfer->is_bare ? TRANSFER_MOVING : TRANSFER_ASKING;
    transfer->credit = transfer->is_bare ? size : DOWNLOAD_WINDOW_BYTES;
    sealpost_v1_Get get = {.credit = transfer->credit};
    if (transfer->is_bare) {
        get.offset = size; /* it has no files, and is told how much to send */
    } else {
        (void)snprintf(get.file, sizeof get.file, "%s", file);
    }
    client_send(loop, &transfer->client, FRAME_GET, STREAM_FILE, &get, nothing);
    return SP_OK;
}

/* One DATA frame; false: the socket takes none now, or there is no credit. */
static bool send_piece(struct loop *loop, struct transfer *transfer)
{
    uint8_t record[STREAM_RECORD_BYTES] = {0};
    uint64_t left = transfer->size - transfer->moved;
    size_t size = left < PIECE_BYTES ? (size_t)left : (size_t)PIECE_BYTES;
    if (size > transfer->credit) {
        return false; /* a credit is worth waiting for: the file is made of whole pieces */
    }
    (void)fill_piece(transfer->moved, transfer->size, record + FRAME_HEADER_BYTES);
    frame_write_header(record, FRAME_DATA, STREAM_FILE, 0, size);
    if (!client_send_record(loop, &transfer->client, record, FRAME_HEADER_BYTES + size)) {
        return false;
    }
    transfer->moved += size;
    transfer->credit -= size;
    return true;
}

bool transfer_pump(struct loop *loop, struct transfer *transfer)
{
    bool sends = transfer->step == TRANSFER_MOVING && !transfer->is_download;
    for (int i = 0; sends && i < RECORDS_PER_PUMP && transfer->moved < transfer->size; i++) {
        sends = send_piece(loop, transfer);
    }
    if (sends && transfer->moved == transfer->size) {
        sealpost_v1_Commit commit = {.size = transfer->size};
        memcpy(commit.sha256, transfer->digest.bytes, DIGEST_BYTES);
        transfer->step = TRANSFER_CLOSING;
        client_send(loop, &transfer->client, FRAME_COMMIT, STREAM_FILE, &commit, nothing);
        sends = false;
    }
    return sends;
}

bool transfers_are_over(const struct transfer *transfers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (transfers[i].step != TRANSFER_DONE && transfers[i].step != TRANSFER_FAILED) {
            return false;
        }
    }
    return true;
}
