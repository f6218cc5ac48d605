#include "client/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/convert.h"

enum sp_error transfer_new(int fd, struct transfer **out)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);

    *out = NULL;
    if (transfer == NULL) {
        return SP_ENOMEM;
    }
    enum sp_error error = digest_stream_new(&transfer->digest);
    if (error != SP_OK) {
        free(transfer);
        return error;
    }
    transfer->fd = fd;
    transfer->total = SIZE_UNKNOWN;
    *out = transfer;
    return SP_OK;
}

void transfer_free(struct transfer *transfer)
{
    if (transfer != NULL) {
        digest_stream_free(transfer->digest);
        free(transfer);
    }
}

void transfer_advance(struct transfer *transfer, uint64_t size)
{
    transfer->done += size;
    if (transfer->done - transfer->reported >= PROGRESS_STEP_BYTES) {
        transfer->progress_due = true;
    }
}

void transfer_complete(struct transfer *transfer)
{
    transfer->total = transfer->done;
    transfer->progress_due = true;
}

void transfer_finish(struct transfer *transfer, enum sp_error error, const char *reason)
{
    transfer->state = TRANSFER_FINISHED;
    if (transfer->error == SP_OK) {
        transfer->error = error;
        (void)snprintf(transfer->reason, sizeof transfer->reason, "%s", reason);
    }
}

void transfer_give_up(struct core *core, struct request *request, enum sp_error error,
                      const char *reason)
{
    struct transfer *transfer = request->transfer;
    bool on_wire = transfer->state != TRANSFER_COMPARING;

    if (transfer->state == TRANSFER_FINISHED) {
        return;
    }
    if (transfer->error == SP_OK) {
        transfer->error = error;
        (void)snprintf(transfer->reason, sizeof transfer->reason, "%s",
                       reason != NULL ? reason : "");
    }
    if (!on_wire) {
        transfer->state = TRANSFER_FINISHED;
    } else if (!transfer->cancelled) {
        transfer->cancelled = true;
        core_send(core, FRAME_CANCEL, request->stream, NULL);
    }
}

void transfer_give_up_errno(struct core *core, struct request *request, const char *what,
                            int number)
{
    const char *problem = strerrordesc_np(number); /* unlike strerror(), safe in any thread */
    char reason[128];

    (void)snprintf(reason, sizeof reason, "cannot %s the file: %s", what,
                   problem != NULL ? problem : "unknown error");
    transfer_give_up(core, request, SP_EFILE, reason);
}

void transfer_detach(struct core *core, struct request *request)
{
    transfer_give_up(core, request, SP_ECANCELLED, NULL);
    request->transfer->discard = true;
    request->transfer->fd = -1;
}

bool transfer_is_due(const struct core *core)
{
    for (size_t i = 0; i < CORE_REQUESTS && core->transfer_count > 0; i++) {
        const struct transfer *transfer = core->requests[i].transfer;

        if (transfer != NULL && (transfer->progress_due || transfer->state == TRANSFER_FINISHED)) {
            return true;
        }
    }
    return false;
}

static void give_progress(struct request *request, struct sp_notice *out)
{
    struct transfer *transfer = request->transfer;

    transfer->progress_due = false;
    transfer->reported = transfer->done;
    core_notice(out, SP_NOTICE_PROGRESS, request->number);
    out->progress.done = transfer->done;
    out->progress.total = transfer->total;
}

static void give_result(struct core *core, struct request *request, struct sp_notice *out)
{
    const struct transfer *transfer = request->transfer;

    core_result(core, out, request->number, transfer->error, transfer->reason);
    out->retry_after_ms = transfer->retry_after_ms;
    if (transfer->error == SP_OK) {
        core->file = transfer->file;
        convert_file(&core->file, &out->file);
        out->sequence = core->file.sequence;
        out->time_ms = core->file.time_ms;
        memcpy(out->hash, transfer->hash.bytes, sizeof out->hash);
        out->repeated = transfer->repeated;
    }
    core_request_end(core, request);
}

bool transfer_next(struct core *core, struct sp_notice *out)
{
    for (size_t i = 0; i < CORE_REQUESTS && core->transfer_count > 0; i++) {
        struct request *request = &core->requests[i];
        const struct transfer *transfer = request->transfer;

        if (transfer != NULL && transfer->progress_due) {
            give_progress(request, out);
            return true;
        }
        if (transfer != NULL && transfer->state == TRANSFER_FINISHED) {
            give_result(core, request, out);
            return true;
        }
    }
    return false;
}

enum sp_error transfer_outcome_unknown(const struct request *request, const char **reason)
{
    const struct transfer *transfer = request->transfer;

    *reason = "";
    if (transfer == NULL || transfer->error == SP_OK || transfer->state == TRANSFER_COMMITTED) {
        return SP_EDISCONNECTED;
    }
    /* An upload that was not committed is discarded by the server: our own reason stands. */
    *reason = transfer->reason;
    return transfer->error;
}
