#include "client/core.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/answer.h"
#include "client/chain.h"
#include "client/upload.h"

/* How often a pipe that had nothing to read is asked again. */
#define DRY_RETRY_MS 20

void core_init(struct core *core, const struct clock *clock, const struct peer_names *names)
{
    *core = (struct core){.clock = clock, .names = names};
    buffer_init(&core->input, CORE_INPUT_BYTES);
    buffer_init(&core->output, CORE_OUTPUT_BYTES + CORE_RESERVE_BYTES);
}

void core_deinit(struct core *core)
{
    for (size_t i = 0; i < CORE_REQUESTS; i++) {
        core_request_end(core, &core->requests[i]);
    }
    chain_clear(core);
    buffer_deinit(&core->input);
    buffer_deinit(&core->output);
}

void core_start(struct core *core)
{
    buffer_deinit(&core->output);
    core->phase = CORE_WELCOME;
    core->leaving = false;
    core->input_over = false;
    core->end_error = SP_OK;
    core->end_text[0] = '\0';
    core->last_received_ms = clock_monotonic_ms(core->clock);
    core->ping_deadline_ms = 0;
    core->presence_at = core->presence_count = 0;
}

/* ---- Bytes in ---- */

static bool is_connected(const struct core *core)
{
    return (core->phase == CORE_WELCOME || core->phase == CORE_OPEN) && !core->input_over;
}

bool core_wants_input(const struct core *core)
{
    return is_connected(core) && core->input.size < core->input.maximum;
}

size_t core_input_room(struct core *core, uint8_t **out)
{
    size_t room = core->input.maximum - core->input.size;

    *out = NULL;
    if (!core_wants_input(core)) {
        return 0;
    }
    room = room < LIMIT_RAW_BYTES ? room : LIMIT_RAW_BYTES;
    if (buffer_reserve(&core->input, room, out) != SP_OK) {
        core_fail_own(core, SP_ENOMEM);
        return 0;
    }
    return room;
}

void core_received(struct core *core, size_t size)
{
    buffer_commit(&core->input, size);
    core->last_received_ms = clock_monotonic_ms(core->clock);
    core->ping_deadline_ms = 0;
}

/* ---- The end ---- */

static void set_end(struct core *core, enum sp_error error, const char *text)
{
    core->end_error = error;
    (void)snprintf(core->end_text, sizeof core->end_text, "%s", text);
}

void core_input_end(struct core *core, enum sp_error error, const char *text)
{
    if (is_connected(core)) {
        set_end(core, error, text);
        core->input_over = true;
        buffer_deinit(&core->output);
    }
}

void core_stop(struct core *core, enum sp_error error, const char *text)
{
    if (core->phase == CORE_WELCOME || core->phase == CORE_OPEN) {
        if (core->leaving) {
            error = SP_OK; /* we wanted it to end: it hardly matters how it did */
            text = "";
        }
        set_end(core, error, text);
        core->phase = CORE_ENDED;
    }
}

void core_fail(struct core *core, enum sp_error error, const char *format, ...)
{
    sealpost_v1_Bye bye = {.error = error};
    char text[REASON_BYTES];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (is_connected(core) && !core->leaving) {
        (void)snprintf(bye.text, sizeof bye.text, "%s", sp_error_text(error));
        core_send(core, FRAME_BYE, 0, &bye);
    }
    core_stop(core, error, text);
}

void core_fail_own(struct core *core, enum sp_error error)
{
    core_stop(core, error, sp_error_text(error));
}

void core_goodbye(struct core *core)
{
    if (core->phase == CORE_WELCOME) {
        core->leaving = true;
        core_stop(core, SP_OK, "");
    } else if (core->phase == CORE_OPEN && !core->leaving) {
        sealpost_v1_Bye bye = sealpost_v1_Bye_init_zero;

        core_send(core, FRAME_BYE, 0, &bye);
        core->leaving = true;
    }
}

/* What every request gets that has had no answer, the oldest first; then SP_NOTICE_CLOSED. */
static bool end_next(struct core *core, struct sp_notice *out)
{
    struct request *oldest = NULL;

    buffer_deinit(&core->input);
    for (size_t i = 0; i < CORE_REQUESTS; i++) {
        struct request *request = &core->requests[i];

        if (request->number != 0 && (oldest == NULL || request->number < oldest->number)) {
            oldest = request;
        }
    }
    if (oldest != NULL) {
        const char *reason = "";
        enum sp_error error = transfer_outcome_unknown(oldest, &reason);

        core_result(core, out, oldest->number, error, reason);
        core_request_end(core, oldest);
        return true;
    }
    core_notice(out, SP_NOTICE_CLOSED, 0);
    out->error = core->end_error;
    out->text = core->end_text;
    chain_clear(core);
    core->phase = CORE_IDLE; /* the output stays: our BYE may be in it */
    return true;
}

/* ---- Bytes out ---- */

void core_send(struct core *core, enum frame_type type, uint16_t stream, const void *message)
{
    if (!is_connected(core) || core->leaving) {
        return;
    }
    enum sp_error error =
        frame_append(&core->output, type, stream, message, (struct slice){NULL, 0});
    if (error != SP_OK) {
        core_fail_own(core, error == SP_ENOMEM ? SP_ENOMEM : SP_EINTERNAL);
    }
}

static bool may_fill(const struct core *core)
{
    return core->phase == CORE_OPEN && !core->leaving && !core->input_over;
}

/* Index of the upload whose turn it is; CORE_REQUESTS if none has anything to send. */
static size_t next_upload(const struct core *core)
{
    if (!may_fill(core) || core->transfer_count == 0) {
        return CORE_REQUESTS;
    }
    for (size_t i = 0; i < CORE_REQUESTS; i++) {
        size_t index = (core->turn + i) % CORE_REQUESTS;

        if (upload_is_ready(&core->requests[index])) {
            return index;
        }
    }
    return CORE_REQUESTS;
}

bool core_has_output(const struct core *core)
{
    return core->output.size > 0 || next_upload(core) < CORE_REQUESTS;
}

struct slice core_output(struct core *core)
{
    size_t index = 0;

    while (core->output.size < CORE_LOW_WATER_BYTES &&
           (index = next_upload(core)) < CORE_REQUESTS) {
        core->turn = index + 1;
        upload_fill(core, &core->requests[index]);
    }
    return (struct slice){buffer_data(&core->output), core->output.size};
}

void core_sent(struct core *core, size_t size)
{
    buffer_consume(&core->output, size);
}

/* ---- Timers ---- */

static void tick_ping(struct core *core, int64_t now)
{
    if (core->input.size >= core->input.maximum) {
        core->last_received_ms = now; /* it is us who do not read */
        core->ping_deadline_ms = 0;
    } else if (core->ping_deadline_ms != 0 && now >= core->ping_deadline_ms) {
        core_stop(core, SP_ETIMEOUT, "the server does not answer any more");
    } else if (core->ping_deadline_ms == 0 && now >= core->last_received_ms + core->idle_ms) {
        sealpost_v1_Ping ping = {.token = (uint64_t)now};

        core_send(core, FRAME_PING, 0, &ping);
        core->ping_deadline_ms = now + PING_ANSWER_TIMEOUT_MS;
    }
}

void core_tick(struct core *core)
{
    if (!may_fill(core)) {
        return;
    }
    for (size_t i = 0; i < CORE_REQUESTS && core->transfer_count > 0; i++) {
        struct transfer *transfer = core->requests[i].transfer;

        if (transfer != NULL) {
            transfer->dry = false;
            if (transfer->state == TRANSFER_COMPARING) {
                upload_compare(core, &core->requests[i]);
            }
        }
    }
    tick_ping(core, clock_monotonic_ms(core->clock));
}

int core_timeout_ms(const struct core *core)
{
    int64_t deadline = 0;
    int64_t left = 0;

    if (core_has_input(core)) {
        return 0;
    }
    if (!may_fill(core)) {
        return -1;
    }
    deadline = core->ping_deadline_ms != 0 ? core->ping_deadline_ms
                                           : core->last_received_ms + core->idle_ms;
    left = deadline - clock_monotonic_ms(core->clock);
    for (size_t i = 0; i < CORE_REQUESTS && core->transfer_count > 0; i++) {
        const struct transfer *transfer = core->requests[i].transfer;

        if (transfer != NULL && transfer->dry) {
            left = left < DRY_RETRY_MS ? left : DRY_RETRY_MS;
        } else if (transfer != NULL && transfer->state == TRANSFER_COMPARING) {
            left = 0;
        }
    }
    return left <= 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

/* ---- Notices out ---- */

/* Whether what the core may have to say about a frame would fit into the output. */
static bool may_handle(const struct core *core)
{
    return core->input_over || core->output.maximum - core->output.size >= CORE_RESERVE_BYTES / 2;
}

bool core_has_input(const struct core *core)
{
    struct frame frame;
    size_t used = 0;

    if (core->phase == CORE_IDLE) {
        return false;
    }
    if (core->phase == CORE_ENDED || core->input_over || core->presence_at < core->presence_count ||
        transfer_is_due(core) || chain_is_due(core)) {
        return true;
    }
    return may_handle(core) && core->input.size > 0 &&
           frame_parse(buffer_data(&core->input), core->input.size, &frame, &used) != SP_EAGAIN;
}

/* Takes one frame off the input. False: there is none. */
static bool take_frame(struct core *core, struct sp_notice *out, bool *made)
{
    struct frame frame;
    size_t used = 0;

    *made = false;
    enum sp_error error = frame_parse(buffer_data(&core->input), core->input.size, &frame, &used);
    if (error == SP_EAGAIN) {
        return false;
    }
    if (error != SP_OK) {
        core_fail(core, SP_EPROTOCOL, "the server sent something that is no frame");
        return true;
    }
    *made = answer_handle(core, &frame, out);
    buffer_consume(&core->input, used);
    return true;
}

bool core_next(struct core *core, struct sp_notice *out)
{
    for (bool made = false; !made;) {
        if (core->phase == CORE_IDLE) {
            return false;
        }
        if (answer_next_presence(core, out) || chain_next(core, out) || transfer_next(core, out)) {
            return true;
        }
        if (core->phase == CORE_ENDED) {
            return end_next(core, out);
        }
        if (!may_handle(core)) {
            return false;
        }
        if (!take_frame(core, out, &made)) {
            if (!core->input_over) {
                return false;
            }
            /* A copy: core_stop() writes to where the text is. */
            char text[REASON_BYTES];
            memcpy(text, core->end_text, sizeof text);
            core_stop(core, core->end_error, text);
        }
    }
    return true;
}
