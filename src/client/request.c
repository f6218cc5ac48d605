/* The table of requests, and how notices begin. */
#include <stdio.h>
#include <string.h>

#include "client/transfer.h"

static struct request *free_slot(struct core *core)
{
    for (size_t i = 0; i < CORE_REQUESTS; i++) {
        if (core->requests[i].number == 0) {
            return &core->requests[i];
        }
    }
    return NULL;
}

static bool stream_is_used(const struct core *core, uint16_t stream)
{
    for (size_t i = 0; i < CORE_REQUESTS; i++) {
        if (core->requests[i].number != 0 && core->requests[i].stream == stream) {
            return true;
        }
    }
    return false;
}

/* Numbers and streams rise, so that a late frame of an old request is not taken for a new one's. */
static uint32_t next_number(struct core *core, uint16_t *stream)
{
    do {
        core->last_number++;
        *stream = (uint16_t)(core->last_number % UINT16_MAX + 1);
    } while (core->last_number == 0 || stream_is_used(core, *stream));
    return core->last_number;
}

static bool is_transfer(enum ask ask)
{
    return ask == ASK_UPLOAD || ask == ASK_DOWNLOAD;
}

static bool is_full(const struct core *core, enum ask ask, size_t raw_size)
{
    size_t waiting = core->request_count - core->transfer_count;

    return (is_transfer(ask) ? core->transfer_count >= core->transfer_limit
                             : waiting >= core->request_limit) ||
           core->output.size + FRAME_HEADER_BYTES + LIMIT_MESSAGE_BYTES + raw_size >
               CORE_OUTPUT_BYTES;
}

enum sp_error core_request(struct core *core, enum ask ask, enum frame_type type,
                           const void *message, struct slice raw, struct request **out)
{
    uint16_t stream = 0;
    struct request *request = free_slot(core);

    *out = NULL;
    if (core->phase != CORE_OPEN || core->leaving || core->input_over) {
        return SP_EDISCONNECTED;
    }
    if (request == NULL || is_full(core, ask, raw.size)) {
        return SP_EBUSY;
    }
    uint32_t number = next_number(core, &stream);
    enum sp_error error = frame_append(&core->output, type, stream, message, raw);
    if (error != SP_OK) {
        return error;
    }
    *request = (struct request){.number = number, .stream = stream, .ask = ask};
    core->request_count++;
    core->transfer_count += is_transfer(ask) ? 1 : 0;
    *out = request;
    return SP_OK;
}

void core_request_end(struct core *core, struct request *request)
{
    if (request->number != 0) {
        transfer_free(request->transfer);
        core->request_count--;
        core->transfer_count -= is_transfer(request->ask) ? 1 : 0;
        *request = (struct request){0};
    }
}

struct request *core_request_find(struct core *core, uint32_t number)
{
    for (size_t i = 0; i < CORE_REQUESTS && number != 0; i++) {
        if (core->requests[i].number == number) {
            return &core->requests[i];
        }
    }
    return NULL;
}

void core_notice(struct sp_notice *out, enum sp_notice_type type, uint32_t request)
{
    memset(out, 0, sizeof *out);
    out->type = type;
    out->request = request;
    out->text = "";
    out->login.server = out->login.team = out->login.username = "";
    out->log.name = "";
    out->event.log_name = out->event.author = out->event.text = "";
    out->row.log.name = out->row.topic = out->row.username = "";
    out->presence.username = "";
    out->row.device.username = out->row.device.label = "";
    out->row.invitation.username = out->row.invitation.created_by = out->row.invitation.host = "";
    out->invitation.username = out->invitation.created_by = out->invitation.host = "";
    out->status.server = "";
    for (size_t i = 0; i < 3; i++) {
        struct sp_file *file = i == 0 ? &out->file : i == 1 ? &out->event.file : &out->row.file;

        file->name = file->log_name = file->member = "";
    }
}

void core_result(struct core *core, struct sp_notice *out, uint32_t request, enum sp_error error,
                 const char *text)
{
    core_notice(out, SP_NOTICE_RESULT, request);
    out->error = error;
    if (error != SP_OK) {
        (void)snprintf(core->text, sizeof core->text, "%s",
                       text[0] != '\0' ? text : sp_error_text(error));
        out->text = core->text;
    }
}
