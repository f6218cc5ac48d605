#include "client/download.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

/* Credit is given back in steps of this. */
#define CREDIT_STEP_BYTES ((uint64_t)TRANSFER_WINDOW_BYTES / 4)

enum sp_error download_start(struct core *core, const char *id, int fd, uint32_t *out)
{
    sealpost_v1_Get get = {.credit = TRANSFER_WINDOW_BYTES};
    struct transfer *transfer = NULL;
    struct request *request = NULL;

    *out = 0;
    enum sp_error error = transfer_new(fd, &transfer);
    if (error != SP_OK) {
        return error;
    }
    for (size_t i = 0; i < sizeof transfer->id - 1 && id[i] != '\0'; i++) {
        transfer->id[i] = (char)tolower((unsigned char)id[i]);
    }
    transfer->credit = get.credit;
    (void)snprintf(get.file, sizeof get.file, "%s", transfer->id);
    error = core_request(core, ASK_DOWNLOAD, FRAME_GET, &get, (struct slice){NULL, 0}, &request);
    if (error != SP_OK) {
        transfer_free(transfer);
        return error;
    }
    request->transfer = transfer;
    *out = request->number;
    return SP_OK;
}

/* The last byte is here. */
static void finish(struct transfer *transfer)
{
    struct digest digest;

    transfer_complete(transfer);
    if (transfer->discard) {
        transfer_finish(transfer, SP_ECANCELLED, "");
        return;
    }
    transfer->error = SP_OK; /* it was too late to cancel */
    transfer->reason[0] = '\0';
    if (digest_stream_finish(transfer->digest, &digest) != SP_OK) {
        transfer_finish(transfer, SP_ENOMEM, "");
    } else if (memcmp(digest.bytes, transfer->file.sha256, sizeof digest.bytes) != 0) {
        transfer_finish(transfer, SP_EDIGEST, "");
    } else {
        transfer_finish(transfer, SP_OK, "");
    }
}

void download_file(struct core *core, struct request *request)
{
    struct transfer *transfer = request->transfer;
    const sealpost_v1_File *file = &core->message.file;
    char hex[ID_HEX_BYTES];

    if (transfer->state != TRANSFER_ASKED || !file->has_file) {
        core_fail(core, SP_EPROTOCOL, "the server sent FILE where it does not belong");
        return;
    }
    hex_encode(file->file.id, ID_BYTES, hex);
    if (strncmp(hex, transfer->id, strlen(transfer->id)) != 0) {
        core_fail(core, SP_EPROTOCOL, "the server sent another file than was asked for");
        return;
    }
    transfer->file = file->file;
    transfer->total = file->file.size;
    transfer->state = TRANSFER_MOVING;
    if (transfer->total == 0) {
        finish(transfer);
    }
}

static void write_and_hash(struct core *core, struct request *request, struct slice raw)
{
    struct transfer *transfer = request->transfer;

    if (file_write_all(transfer->fd, raw.data, raw.size) != SP_OK) {
        transfer_give_up_errno(core, request, "write", errno);
        transfer->discard = true;
    } else if (digest_stream_update(transfer->digest, raw.data, raw.size) != SP_OK) {
        transfer_give_up(core, request, SP_ENOMEM, NULL);
        transfer->discard = true;
    }
}

/* Gives credit back for what has been taken, as far as the rest of the file needs any. */
static void give_credit(struct core *core, struct request *request)
{
    struct transfer *transfer = request->transfer;

    if (transfer->taken >= CREDIT_STEP_BYTES &&
        transfer->total - transfer->done > transfer->credit) {
        sealpost_v1_Credit credit = {.bytes = transfer->taken};

        core_send(core, FRAME_CREDIT, request->stream, &credit);
        transfer->credit += transfer->taken;
        transfer->taken = 0;
    }
}

void download_data(struct core *core, struct request *request, struct slice raw)
{
    struct transfer *transfer = request->transfer;

    if (transfer->state == TRANSFER_FINISHED) {
        return;
    }
    if (transfer->state != TRANSFER_MOVING || raw.size > transfer->credit ||
        raw.size > transfer->total - transfer->done) {
        core_fail(core, SP_EPROTOCOL, "the server sent more of a file than it may");
        return;
    }
    if (!transfer->discard && raw.size > 0) {
        write_and_hash(core, request, raw);
    }
    transfer->credit -= raw.size;
    transfer->taken += raw.size;
    transfer_advance(transfer, raw.size);
    if (transfer->done == transfer->total) {
        finish(transfer);
    } else if (!transfer->cancelled) {
        give_credit(core, request);
    }
}
