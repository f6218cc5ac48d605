#include "client/upload.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much of a local file is hashed in one step, when the server has it already. */
#define COMPARE_STEP_BYTES (1024 * 1024UL)
#define COMPARE_PIECE_BYTES 16384UL

/* ---- OFFER ---- */

/* What FD is. SP_EFILE for what cannot be read. */
static enum sp_error look_at(struct transfer *transfer)
{
    struct stat status;

    if (fstat(transfer->fd, &status) != 0 || S_ISDIR(status.st_mode)) {
        return SP_EFILE;
    }
    if (S_ISREG(status.st_mode)) {
        off_t offset = lseek(transfer->fd, 0, SEEK_CUR);

        if (offset < 0) {
            return SP_EFILE;
        }
        transfer->regular = true;
        transfer->start = (uint64_t)offset;
        transfer->total = status.st_size > offset ? (uint64_t)(status.st_size - offset) : 0;
    }
    return SP_OK;
}

enum sp_error upload_start(struct core *core, const sealpost_v1_Offer *offer, int fd, uint32_t *out)
{
    sealpost_v1_Offer message = *offer;
    struct transfer *transfer = NULL;
    struct request *request = NULL;

    *out = 0;
    enum sp_error error = transfer_new(fd, &transfer);
    if (error != SP_OK) {
        return error;
    }
    error = look_at(transfer);
    if (error != SP_OK) {
        goto out;
    }
    message.size_unknown = !transfer->regular;
    message.size = transfer->regular ? transfer->total : 0;
    error =
        core_request(core, ASK_UPLOAD, FRAME_OFFER, &message, (struct slice){NULL, 0}, &request);
    if (error != SP_OK) {
        goto out;
    }
    request->transfer = transfer;
    transfer = NULL;
    *out = request->number;
out:
    transfer_free(transfer);
    return error;
}

/* ---- Reading ---- */

/*
 * Up to SIZE bytes of the file. SP_OK with *OUT 0: its end. SP_EAGAIN: a pipe that has nothing now.
 * SP_EFILE: errno says why.
 */
static enum sp_error read_some(const struct transfer *transfer, uint8_t *data, size_t size,
                               size_t *out)
{
    ssize_t got = -1;

    *out = 0;
    if (!transfer->regular) {
        struct pollfd ready = {transfer->fd, POLLIN, 0};

        if (poll(&ready, 1, 0) == 0) {
            return SP_EAGAIN; /* read() would wait, and the whole connection with it */
        }
    }
    do {
        got = transfer->regular
                  ? pread(transfer->fd, data, size, (off_t)(transfer->start + transfer->done))
                  : read(transfer->fd, data, size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? SP_EAGAIN : SP_EFILE;
    }
    *out = (size_t)got;
    return SP_OK;
}

/* How many bytes may be read next, of at most MAXIMUM. */
static size_t bytes_wanted(const struct transfer *transfer, uint64_t maximum)
{
    uint64_t left = transfer->regular ? transfer->total - transfer->done : UINT64_MAX;

    return (size_t)(left < maximum ? left : maximum);
}

/* Reads a piece and hashes it. *OUT 0: the end, or nothing now (then dry), or a failure (then the
 * transfer has been given up). */
static size_t read_and_hash(struct core *core, struct request *request, uint8_t *data, size_t size)
{
    struct transfer *transfer = request->transfer;
    size_t got = 0;

    enum sp_error error = read_some(transfer, data, size, &got);
    if (error == SP_EAGAIN) {
        transfer->dry = true;
        return 0;
    }
    if (error != SP_OK) {
        transfer_give_up_errno(core, request, "read", errno);
        return 0;
    }
    if (got > 0 && digest_stream_update(transfer->digest, data, got) != SP_OK) {
        transfer_give_up(core, request, SP_ENOMEM, NULL);
        return 0;
    }
    return got;
}

/* Whether a regular file still ends where it did. */
static bool has_changed(const struct transfer *transfer)
{
    struct stat status;

    return transfer->regular &&
           (transfer->done != transfer->total || fstat(transfer->fd, &status) != 0 ||
            (uint64_t)status.st_size != transfer->start + transfer->total);
}

/* ---- DATA and COMMIT ---- */

bool upload_is_ready(const struct request *request)
{
    const struct transfer *transfer = request->transfer;

    return request->ask == ASK_UPLOAD && transfer->state == TRANSFER_MOVING &&
           !transfer->cancelled && !transfer->dry &&
           (transfer->credit > 0 || transfer->done == transfer->total);
}

/* At the end of the file. */
static void commit(struct core *core, struct request *request)
{
    struct transfer *transfer = request->transfer;
    sealpost_v1_Commit message = {.size = transfer->done};

    if (has_changed(transfer)) {
        transfer_give_up(core, request, SP_ECHANGED, NULL);
        return;
    }
    if (digest_stream_finish(transfer->digest, &transfer->sha256) != SP_OK) {
        transfer_give_up(core, request, SP_ENOMEM, NULL);
        return;
    }
    memcpy(message.sha256, transfer->sha256.bytes, sizeof message.sha256);
    core_send(core, FRAME_COMMIT, request->stream, &message);
    transfer->state = TRANSFER_COMMITTED;
    transfer_complete(transfer);
}

/* Reads straight into the output, behind the room for the header. Returns how many bytes. */
static size_t send_data(struct core *core, struct request *request, size_t size)
{
    struct transfer *transfer = request->transfer;
    uint8_t *frame = NULL;

    if (buffer_reserve(&core->output, FRAME_HEADER_BYTES + size, &frame) != SP_OK) {
        core_fail_own(core, SP_ENOMEM);
        return 0;
    }
    size_t got = read_and_hash(core, request, frame + FRAME_HEADER_BYTES, size);
    if (got > 0) {
        frame_write_header(frame, FRAME_DATA, request->stream, 0, got);
        buffer_commit(&core->output, FRAME_HEADER_BYTES + got);
        transfer->credit -= got;
        transfer_advance(transfer, got);
    }
    return got;
}

void upload_fill(struct core *core, struct request *request)
{
    struct transfer *transfer = request->transfer;
    size_t size = bytes_wanted(transfer, transfer->credit < LIMIT_RAW_BYTES ? transfer->credit
                                                                            : LIMIT_RAW_BYTES);
    size_t sent = size > 0 ? send_data(core, request, size) : 0;
    bool at_end = sent == 0 || transfer->done == transfer->total;

    if (at_end && core->phase == CORE_OPEN && !transfer->dry && !transfer->cancelled) {
        commit(core, request);
    }
}

/* ---- Answers ---- */

void upload_offered(struct core *core, struct request *request)
{
    struct transfer *transfer = request->transfer;

    if (transfer->state != TRANSFER_ASKED || core->message.offered.held != 0) {
        core_fail(core, SP_EPROTOCOL, "the server sent OFFERED where it does not belong");
        return;
    }
    transfer->state = TRANSFER_MOVING;
    transfer->credit = core->message.offered.credit;
}

void upload_credit(struct core *core, struct request *request)
{
    struct transfer *transfer = request->transfer;
    uint64_t more = core->message.credit.bytes;

    if (transfer->state == TRANSFER_ASKED) {
        core_fail(core, SP_EPROTOCOL, "the server sent CREDIT where it does not belong");
        return;
    }
    transfer->credit = more < UINT64_MAX - transfer->credit ? transfer->credit + more : UINT64_MAX;
}

void upload_stored(struct core *core, struct request *request)
{
    struct transfer *transfer = request->transfer;
    const sealpost_v1_Stored *stored = &core->message.stored;

    if (transfer->state != TRANSFER_ASKED && transfer->state != TRANSFER_COMMITTED) {
        core_fail(core, SP_EPROTOCOL, "the server sent STORED before all was sent");
        return;
    }
    transfer->file = stored->file;
    memcpy(transfer->hash.bytes, stored->hash, sizeof transfer->hash.bytes);
    transfer->repeated = stored->repeated;
    if (transfer->fd >= 0) {
        transfer->error = SP_OK; /* it was too late to cancel */
        transfer->reason[0] = '\0';
    }
    if (transfer->state == TRANSFER_ASKED) {
        transfer->state = TRANSFER_COMPARING;
        return;
    }
    bool same = transfer->file.size == transfer->done &&
                memcmp(transfer->file.sha256, transfer->sha256.bytes, DIGEST_BYTES) == 0;
    transfer_finish(transfer, same ? SP_OK : SP_EINTEGRITY,
                    same ? "" : "the server says that it has stored something else");
}

/* ---- Stored before ---- */

static void finish_comparing(struct core *core, struct request *request)
{
    struct transfer *transfer = request->transfer;
    struct digest local;

    if (has_changed(transfer)) {
        transfer_give_up(core, request, SP_ECHANGED, NULL);
        return;
    }
    if (digest_stream_finish(transfer->digest, &local) != SP_OK) {
        transfer_give_up(core, request, SP_ENOMEM, NULL);
        return;
    }
    transfer_complete(transfer);
    bool same = transfer->file.size == transfer->done &&
                memcmp(transfer->file.sha256, local.bytes, DIGEST_BYTES) == 0;
    transfer_finish(transfer, same ? SP_OK : SP_ECONFLICT,
                    same ? "" : "the same client id was used before for another file");
}

void upload_compare(struct core *core, struct request *request)
{
    struct transfer *transfer = request->transfer;
    uint8_t piece[COMPARE_PIECE_BYTES];

    if (transfer->fd < 0) {
        transfer_finish(transfer, SP_ECANCELLED, "");
        return;
    }
    for (size_t step = 0; step < COMPARE_STEP_BYTES && transfer->state == TRANSFER_COMPARING;) {
        size_t size = bytes_wanted(transfer, sizeof piece);
        size_t got = size > 0 ? read_and_hash(core, request, piece, size) : 0;

        if (transfer->dry) {
            return;
        }
        if (got == 0 && transfer->state == TRANSFER_COMPARING) {
            finish_comparing(core, request);
            return;
        }
        transfer_advance(transfer, got);
        step += got;
    }
}
