#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

/* One that has a place, but is not in it yet. */
static enum sp_error make_session(struct hub *hub, void *owner, struct session **out)
{
    *out = NULL;
    uint32_t slot = 0;
    while (slot < hub->slot_count && hub->slots[slot] != NULL) {
        slot++;
    }
    if (slot == hub->slot_count) {
        return SP_ELIMIT;
    }
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return SP_ENOMEM;
    }
    session->hub = hub;
    session->owner = owner;
    session->number = hub->next_session_number + 1;
    session->slot = slot;
    session->generation = hub->generations[slot] + 1;
    session->received_ms = hub->now_ms;
    buffer_init(&session->in, (size_t)2 * LIMIT_FRAME_BYTES);
    buffer_init(&session->out, OUTPUT_MAXIMUM_BYTES);
    *out = session;
    return SP_OK;
}

static void take_place(struct session *session)
{
    struct hub *hub = session->hub;
    hub->slots[session->slot] = session;
    hub->generations[session->slot]++;
    hub->next_session_number++;
    hub->session_count++;
}

enum sp_error session_new(struct hub *hub, const struct command_login *login, void *owner,
                          struct session **out)
{
    *out = NULL;
    struct session *session = NULL;
    struct command *command = NULL;
    enum sp_error error = make_session(hub, owner, &session);
    if (error == SP_OK) {
        error = command_new(COMMAND_LOGIN, 0, &command);
    }
    if (error == SP_OK) {
        session->not_after_ms = login->not_after_ms;
        command->login = *login;
        command->origin = (struct origin){session->slot, session->generation, 0};
        command->received_ms = clock_wall_ms(hub->config.clock);
        error = domain_submit(hub->config.domain, command);
    }
    if (error != SP_OK) {
        command_free(command);
        free(session);
        return error;
    }
    take_place(session);
    *out = session;
    return SP_OK;
}

enum sp_error session_new_join(struct hub *hub, void *owner, struct session **out)
{
    enum sp_error error = make_session(hub, owner, out);
    if (error != SP_OK) {
        return error;
    }
    error = join_begin(*out);
    if (error != SP_OK) {
        free(*out);
        *out = NULL;
        return error;
    }
    take_place(*out);
    return SP_OK;
}

void session_write_bye(struct writer *writer, enum sp_error error)
{
    sealpost_v1_Bye bye = {.error = (uint32_t)error};
    snprintf(bye.text, sizeof bye.text, "%s", sp_error_text(error));
    enum sp_error encoded = frame_encode(writer, FRAME_BYE, 0, &bye, (struct slice){NULL, 0});
    assert(encoded == SP_OK);
    (void)encoded;
}

/* Everything that sessions follow, transfer or wait for; not its unsent answers. */
static void release(struct session *session)
{
    while (session->cursors != NULL) {
        follow_end(session->cursors);
    }
    while (session->transfers != NULL) {
        transfer_session_gone(session->transfers);
    }
    presence_logout(session);
    if (session->stalled) {
        DL_DELETE2(session->hub->stalled, session, prev_stalled, next_stalled);
        session->stalled = false;
    }
    buffer_deinit(&session->in);
}

void session_free(struct session *session)
{
    if (session == NULL) {
        return;
    }
    release(session);
    if (session->ready) {
        DL_DELETE2(session->hub->ready, session, prev_ready, next_ready);
    }
    buffer_deinit(&session->out);
    join_free(session);
    session->hub->slots[session->slot] = NULL;
    session->hub->session_count--;
    free(session);
}

void *session_owner(const struct session *session)
{
    return session->owner;
}

uint64_t session_number(const struct session *session)
{
    return session->number;
}

bool session_ended(const struct session *session)
{
    return session->state == SESSION_ENDED;
}

enum sp_error session_end_reason(const struct session *session)
{
    return session->end_reason;
}

bool session_is_busy(const struct session *session)
{
    bool busy =
        session->state == SESSION_LOGGING_IN || session->waiting > 0 || session->out.size > 0;
    for (const struct transfer *transfer = session->transfers; transfer != NULL;
         transfer = transfer->next) {
        busy |= transfer->phase == UPLOAD_COMMITTING || transfer->phase == UPLOAD_STORING;
    }
    return busy && session->state != SESSION_ENDED;
}

bool session_is_open(const struct session *session)
{
    return session->state == SESSION_OPEN;
}

const char *session_username(const struct session *session)
{
    return session->actor.username;
}

bool session_wants_input(const struct session *session)
{
    return (session->state == SESSION_OPEN || session->state == SESSION_JOINING) &&
           !session->stalled && session->waiting < LIMIT_COMMANDS_PER_SESSION &&
           session->out.size < OUTPUT_PAUSE_BYTES;
}

void session_end(struct session *session, enum sp_error error, const char *text)
{
    if (session->state == SESSION_ENDED) {
        return;
    }
    sealpost_v1_Bye bye = {.error = (uint32_t)error};
    snprintf(bye.text, sizeof bye.text, "%s", text != NULL ? text : sp_error_text(error));
    /* If there is no memory for it, the close has to speak for itself. */
    enum sp_error sent = frame_append(&session->out, FRAME_BYE, 0, &bye, (struct slice){NULL, 0});
    session->state = SESSION_ENDED;
    session->end_reason = sent == SP_OK ? error : SP_ENOMEM;
    release(session);
    hub_mark_ready(session);
}

void session_send(struct session *session, enum frame_type type, uint16_t stream,
                  const void *message)
{
    if (session->state == SESSION_ENDED) {
        return;
    }
    enum sp_error error =
        frame_append(&session->out, type, stream, message, (struct slice){NULL, 0});
    if (error != SP_OK) {
        session_end(session, error, "the server has no room for the answer");
        return;
    }
    hub_mark_ready(session);
}

void session_send_error(struct session *session, uint16_t stream, enum sp_error error,
                        const char *text)
{
    sealpost_v1_Error message = {.error = (uint32_t)error};
    const char *sentence = text != NULL && text[0] != '\0' ? text : sp_error_text(error);
    snprintf(message.text, sizeof message.text, "%s", sentence);
    message.retry_after_ms = sp_error_class(error) == SP_CLASS_RETRY ? 1000 : 0;
    session_send(session, FRAME_ERROR, stream, &message);
}

void session_send_slow_down(struct session *session, uint16_t stream, uint32_t retry_after_ms)
{
    sealpost_v1_Error message = {.error = SP_ESLOWDOWN, .retry_after_ms = retry_after_ms};
    snprintf(message.text, sizeof message.text, "too many requests; slow down for %u ms",
             retry_after_ms);
    session_send(session, FRAME_ERROR, stream, &message);
}

/* Carries out whole frames at DATA. Returns how many bytes were used up. */
static size_t take_frames(struct session *session, const uint8_t *data, size_t size)
{
    size_t done = 0;
    while (session_wants_input(session)) {
        struct frame frame;
        size_t used = 0;
        enum sp_error error = frame_parse(data + done, size - done, &frame, &used);
        if (error == SP_OK) {
            error = session->join != NULL ? join_handle(session, &frame)
                                          : request_handle(session, &frame);
        }
        if (error == SP_EAGAIN) {
            break;
        }
        if (error != SP_OK) {
            session_end(session, SP_EPROTOCOL, "a malformed frame");
            break;
        }
        done += used;
        session->partial_ms = 0;
    }
    return done;
}

void session_continue(struct session *session)
{
    if (session->in.size == 0) {
        return;
    }
    size_t used = take_frames(session, buffer_data(&session->in), session->in.size);
    if (session->state != SESSION_ENDED) {
        buffer_consume(&session->in, used);
    }
}

void session_receive(struct session *session, const uint8_t *data, size_t size)
{
    if (session->state == SESSION_ENDED) {
        return;
    }
    session->received_ms = session->hub->now_ms;
    session->pinged = false;
    size_t used = 0;
    if (session->in.size == 0) {
        /* The common case: frames are carried out where they are, and nothing is copied. */
        used = take_frames(session, data, size);
    }
    if (session->state == SESSION_ENDED || used == size) {
        return;
    }
    enum sp_error error = buffer_append(&session->in, data + used, size - used);
    if (error != SP_OK) {
        session_end(session, error, NULL);
        return;
    }
    session_continue(session);
}

void session_pull(struct session *session, struct writer *writer)
{
    if (session_wants_input(session)) {
        session_continue(session); /* requests whose answers had no room before */
    }
    size_t left = writer_left(writer);
    size_t size = session->out.size < left ? session->out.size : left;
    if (size > 0) {
        writer_copy(writer, buffer_data(&session->out), size);
        buffer_consume(&session->out, size);
    }
    if (session->state != SESSION_OPEN || session->out.size > 0) {
        return; /* an answer that is cut in two must be whole before anything else comes */
    }
    presence_pull(session);
    read_state_pull(session);
    follow_pull(session, writer);
    download_pull(session, writer);
}

/* An upload that stands still gives its credit to others. */
static void check_uploads(struct session *session, int64_t now_ms)
{
    struct transfer *transfer = session->transfers;
    while (transfer != NULL) {
        struct transfer *next = transfer->next;
        if (transfer->phase == UPLOAD_RECEIVING && transfer->credit > 0 &&
            now_ms - transfer->moved_ms >= UPLOAD_IDLE_TIMEOUT_MS) {
            upload_cancel(transfer, SP_EIDLE, "no data came for too long");
            next = session->transfers; /* the session may have ended over it, and all that is its */
        }
        transfer = next;
    }
}

void session_check_idle(struct session *session, int64_t now_ms)
{
    join_tick(session, now_ms);
    if (session->state != SESSION_OPEN || !session_wants_input(session)) {
        return;
    }
    check_uploads(session, now_ms);
    int64_t idle_ms = now_ms - session->received_ms;
    if (session->in.size == 0) {
        session->partial_ms = 0;
    } else if (session->partial_ms == 0) {
        session->partial_ms = now_ms;
    }
    bool drips =
        session->partial_ms != 0 && now_ms - session->partial_ms >= PARTIAL_FRAME_TIMEOUT_MS;
    if (idle_ms >= IDLE_TIMEOUT_MS || drips) {
        session_end(session, SP_EIDLE, drips ? "a frame took too long to arrive" : NULL);
    } else if (idle_ms >= PING_AFTER_IDLE_MS && !session->pinged) {
        session->pinged = true;
        sealpost_v1_Ping ping = {.token = (uint64_t)now_ms};
        session_send(session, FRAME_PING, 0, &ping);
    }
}
