#include "client/answer_internal.h"

#include <string.h>

#include "client/chain.h"
#include "client/convert.h"
#include "client/download.h"
#include "client/store.h"
#include "client/upload.h"

/* True: *OUT is a notice. */
typedef bool (*arrival_fn)(struct core *core, const struct arrival *arrival, struct sp_notice *out);

/* ---- The connection ---- */

static size_t smaller_of(uint32_t announced, size_t own)
{
    return announced != 0 && announced < own ? announced : own;
}

static bool on_welcome(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    const sealpost_v1_Welcome *welcome = &core->message.welcome;
    const sealpost_v1_Limits *limits = &welcome->limits;

    (void)arrival;
    if (core->phase != CORE_WELCOME) {
        core_fail(core, SP_EPROTOCOL, "the server welcomed us twice");
        return false;
    }
    if (welcome->protocol != 1) {
        core_fail(core, SP_EUNSUPPORTED,
                  "the server speaks version %u of the protocol, and this program version 1",
                  (unsigned)welcome->protocol);
        return false;
    }
    core->request_limit = smaller_of(limits->requests, LIMIT_COMMANDS_PER_SESSION);
    core->transfer_limit = smaller_of(limits->transfers, CORE_TRANSFERS);
    core->idle_ms = limits->idle_ms != 0 ? limits->idle_ms : IDLE_TIMEOUT_MS;
    core->phase = CORE_OPEN;
    core_notice(out, SP_NOTICE_LOGIN, 0);
    convert_welcome(welcome, &out->login);
    out->login.certificate_not_after_ms = core->certificate_not_after_ms;
    enum sp_error error = core->store == NULL ? SP_OK
                                              : store_logged_in(core->store, &out->login,
                                                                core->text, sizeof core->text);
    if (error != SP_OK) {
        core_stop(core, error, core->text);
        return false;
    }
    return true;
}

static bool on_bye(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    const sealpost_v1_Bye *bye = &core->message.bye;
    enum sp_error error = bye->error == 0 ? SP_EDISCONNECTED : convert_error(bye->error);
    char text[REASON_BYTES];

    (void)arrival;
    (void)out;
    reason_refused(core->names, error, bye->text, text, sizeof text);
    core_stop(core, error, text);
    return false;
}

static bool on_ping(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)arrival;
    (void)out;
    core_send(core, FRAME_PONG, 0, &core->message.ping);
    return false;
}

static bool on_pong(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)core; /* any byte shows that the server is there */
    (void)arrival;
    (void)out;
    return false;
}

static bool on_event(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    return chain_event(core, arrival->raw, out);
}

static bool on_follow_ended(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    const sealpost_v1_FollowEnded *ended = &core->message.follow_ended;
    struct id log;

    (void)arrival;
    memcpy(log.bytes, ended->log, sizeof log.bytes);
    uint32_t silent = chain_drop(core, &log);
    struct request *request = core_request_find(core, silent);
    if (request != NULL) { /* it was catching up: nobody knows that it was followed */
        core_result(core, out, silent, convert_error(ended->error), "");
        core_request_end(core, request);
        return true;
    }
    core_notice(out, SP_NOTICE_FOLLOW_ENDED, 0);
    out->error = convert_error(ended->error);
    out->text = sp_error_text(out->error);
    memcpy(out->log.id, log.bytes, sizeof out->log.id);
    out->log.name = core->log_name;
    return true;
}

bool answer_next_presence(struct core *core, struct sp_notice *out)
{
    if (core->presence_at >= core->presence_count) {
        return false;
    }
    const sealpost_v1_Presence_Change *change =
        &core->message.presence.changes[core->presence_at++];
    core_notice(out, SP_NOTICE_PRESENCE, 0);
    out->presence.username = change->username;
    out->presence.online = change->online;
    out->presence.last_seen_ms = change->last_seen_ms;
    return true;
}

static bool on_presence(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)arrival;
    core->presence_at = 0;
    core->presence_count = core->message.presence.changes_count;
    return answer_next_presence(core, out);
}

static bool on_read_state(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)arrival;
    core_notice(out, SP_NOTICE_READ_STATE, 0);
    convert_log(&core->message.read_state.log, &out->log);
    convert_read_state(&core->message.read_state, &out->read);
    return true;
}

/* ---- Requests ---- */

/* Ends the request with a result that the caller completes. */
static bool succeed(struct core *core, struct request *request, struct sp_notice *out)
{
    core_result(core, out, request->number, SP_OK, "");
    core_request_end(core, request);
    return true;
}

static bool on_event_result(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    const sealpost_v1_EventResult *result = &core->message.event_result;

    (void)succeed(core, arrival->request, out);
    convert_log(&result->log, &out->log);
    out->sequence = result->sequence;
    out->time_ms = result->time_ms;
    memcpy(out->hash, result->hash, sizeof out->hash);
    out->repeated = result->repeated;
    return true;
}

static bool on_following(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    uint64_t last = 0;
    enum chain_answer answer = chain_following(core, arrival->request, &last);

    if (answer == CHAIN_REFUSED || answer == CHAIN_NOT_NOW) {
        core_result(core, out, arrival->request->number,
                    answer == CHAIN_REFUSED ? SP_EINTEGRITY : SP_EBUSY, core->reason);
        core_request_end(core, arrival->request);
        return true;
    }
    if (answer != CHAIN_FOLLOWING) {
        return false;
    }
    (void)succeed(core, arrival->request, out);
    convert_log(&core->message.following.log, &out->log);
    out->sequence = core->message.following.first;
    out->last = last;
    return true;
}

static bool on_list_end(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    struct request *request = arrival->request;

    if (!core->message.list_end.more) {
        if (request->list_stamp_ms != 0) {
            store_listed(core->store, request->list_stamp_ms);
        }
        return succeed(core, request, out);
    }
    if (!request->page_has_rows) {
        core_fail(core, SP_EPROTOCOL, "the server promised more rows of a list, but sent none");
        return false;
    }
    /* LIST_END was the last answer: the stream is free again for the next page. */
    request->page_has_rows = false;
    core_send(core, FRAME_LIST, request->stream, &request->list);
    return false;
}

static bool on_status(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)succeed(core, arrival->request, out);
    convert_status(&core->message.status_result, &out->status);
    return true;
}

static bool on_marked(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)succeed(core, arrival->request, out);
    convert_log(&core->message.read_state.log, &out->log);
    convert_read_state(&core->message.read_state, &out->read);
    return true;
}

static bool on_invited(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    const sealpost_v1_Invited *invited = &core->message.invited;

    (void)succeed(core, arrival->request, out);
    out->invitation.username = invited->username;
    out->invitation.expires_ms = invited->expires_ms;
    out->invitation.host = invited->host;
    out->invitation.port = (uint16_t)invited->port;
    out->invitation.repeated = invited->repeated;
    return true;
}

static bool on_done(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    struct request *request = arrival->request;

    if (request->transfer != NULL) {
        if (request->transfer->state == TRANSFER_COMPARING) {
            return false; /* to a CANCEL that was too late */
        }
        if (!request->transfer->cancelled) {
            core_fail(core, SP_EPROTOCOL, "the server ended a transfer that was not cancelled");
        } else {
            transfer_finish(request->transfer, SP_ECANCELLED, "");
        }
        return false;
    }
    if (request->unfollow) {
        (void)chain_drop(core, &request->log);
    }
    return succeed(core, request, out);
}

static bool on_error(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    struct request *request = arrival->request;
    enum sp_error error = convert_error(core->message.error.error);

    if (request->transfer != NULL) {
        if (request->transfer->state == TRANSFER_COMPARING) {
            return false; /* likewise */
        }
        request->transfer->retry_after_ms = core->message.error.retry_after_ms;
        transfer_finish(request->transfer, error, core->message.error.text);
        return false;
    }
    core_result(core, out, request->number, error, core->message.error.text);
    out->retry_after_ms = core->message.error.retry_after_ms;
    core_request_end(core, request);
    return true;
}

/* ---- Transfers ---- */

static bool on_offered(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)out;
    upload_offered(core, arrival->request);
    return false;
}

static bool on_credit(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)out;
    upload_credit(core, arrival->request);
    return false;
}

static bool on_stored(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)out;
    upload_stored(core, arrival->request);
    return false;
}

static bool on_file(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)out;
    download_file(core, arrival->request);
    return false;
}

static bool on_data(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    (void)out;
    download_data(core, arrival->request, arrival->raw);
    return false;
}

/* ---- The table ---- */

struct handler {
    arrival_fn handle; /* NULL: not for a client */
    unsigned asks;     /* which requests it may answer (enum ask); 0: it comes on stream 0 */
};

static const struct handler handlers[256] = {
    [FRAME_WELCOME] = {on_welcome, 0},
    [FRAME_BYE] = {on_bye, 0},
    [FRAME_PING] = {on_ping, 0},
    [FRAME_PONG] = {on_pong, 0},
    [FRAME_OFFERED] = {on_offered, ASK_UPLOAD},
    [FRAME_DATA] = {on_data, ASK_DOWNLOAD},
    [FRAME_CREDIT] = {on_credit, ASK_UPLOAD},
    [FRAME_STORED] = {on_stored, ASK_UPLOAD},
    [FRAME_FILE] = {on_file, ASK_DOWNLOAD},
    [FRAME_EVENT_RESULT] = {on_event_result, ASK_EVENT},
    [FRAME_FOLLOWING] = {on_following, ASK_FOLLOW},
    [FRAME_ROW_LOG] = {answer_row_log, ASK_LIST},
    [FRAME_ROW_MEMBER] = {answer_row_member, ASK_LIST},
    [FRAME_ROW_FILE] = {answer_row_file, ASK_LIST},
    [FRAME_ROW_DEVICE] = {answer_row_device, ASK_LIST},
    [FRAME_ROW_INVITATION] = {answer_row_invitation, ASK_LIST},
    [FRAME_MARKED] = {on_marked, ASK_MARK},
    [FRAME_INVITED] = {on_invited, ASK_INVITE},
    [FRAME_LIST_END] = {on_list_end, ASK_LIST},
    [FRAME_STATUS_RESULT] = {on_status, ASK_STATUS},
    [FRAME_DONE] = {on_done, ASK_DONE | ASK_UPLOAD | ASK_DOWNLOAD},
    [FRAME_ERROR] = {on_error, ASK_ANY},
    [FRAME_EVENT] = {on_event, 0},
    [FRAME_FOLLOW_ENDED] = {on_follow_ended, 0},
    [FRAME_PRESENCE] = {on_presence, 0},
    [FRAME_READ_STATE] = {on_read_state, 0},
};

static struct request *find_stream(struct core *core, uint16_t stream)
{
    for (size_t i = 0; i < CORE_REQUESTS; i++) {
        if (core->requests[i].number != 0 && core->requests[i].stream == stream) {
            return &core->requests[i];
        }
    }
    return NULL;
}

/* Whether the frame may come now and there; if not, the connection has been ended. */
static bool is_in_place(struct core *core, const struct frame *frame, const struct request *request)
{
    const struct handler *handler = &handlers[frame->type];
    bool welcomes = frame->type == FRAME_WELCOME || frame->type == FRAME_BYE;

    if (core->phase == CORE_WELCOME && !welcomes) {
        core_fail(core, SP_EPROTOCOL, "the server sent %s before it let us in",
                  frame_name(frame->type));
        return false;
    }
    if ((handler->asks == 0) != (frame->stream == 0) ||
        (request != NULL && (handler->asks & request->ask) == 0)) {
        core_fail(core, SP_EPROTOCOL, "the server sent %s where it does not belong",
                  frame_name(frame->type));
        return false;
    }
    return true;
}

bool answer_handle(struct core *core, const struct frame *frame, struct sp_notice *out)
{
    const struct handler *handler = &handlers[frame->type];
    struct arrival arrival = {find_stream(core, frame->stream), frame->raw};

    if (handler->handle == NULL) {
        if (frame_known(frame->type, FROM_CLIENT)) {
            core_fail(core, SP_EPROTOCOL, "the server sent %s, which is for clients to send",
                      frame_name(frame->type));
        }
        return false; /* of a later version: passed over */
    }
    if (!is_in_place(core, frame, arrival.request)) {
        return false;
    }
    if (frame_decode(frame, &core->message) != SP_OK) {
        core_fail(core, SP_EPROTOCOL, "the server sent %s in a form that cannot be read",
                  frame_name(frame->type));
        return false;
    }
    if (handler->asks != 0 && arrival.request == NULL) {
        return false; /* to a request that is over: it was on its way */
    }
    return handler->handle(core, &arrival, out);
}
