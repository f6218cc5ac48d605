/* Frames → commands. The table at the end is the index. */
#include <stdio.h>
#include <string.h>

#include "session/internal.h"

/* A list answer is long: it counts as so many requests against LIMIT_COMMANDS_PER_SESSION. */
#define LIST_WEIGHT 16

enum sp_error request_new_command(const struct session *session, enum command_kind kind,
                                  uint16_t stream, size_t body_size, struct command **out)
{
    enum sp_error error = command_new(kind, body_size, out);
    if (error != SP_OK) {
        return error;
    }
    unsigned weight =
        kind >= COMMAND_LIST_LOGS && kind <= COMMAND_LIST_INVITATIONS ? LIST_WEIGHT : 1;
    (*out)->origin =
        (struct origin){session->slot, session->generation, TAG(stream, false, weight)};
    (*out)->actor = session->actor;
    (*out)->received_ms = clock_wall_ms(session->hub->config.clock);
    return SP_OK;
}

enum sp_error request_log_key(bool present, const sealpost_v1_LogKey *key, struct log_key *out)
{
    *out = (struct log_key){0};
    bool is_id = present && key->name[0] == '\0' && key->id.size == ID_BYTES;
    if (!present || (key->name[0] == '\0' && !is_id)) {
        return SP_EINVALID;
    }
    memcpy(out->name, key->name, sizeof out->name);
    memcpy(out->id.bytes, key->id.bytes, ID_BYTES);
    return SP_OK;
}

enum sp_error request_once(bool present, const sealpost_v1_Once *once, struct id *client_id,
                           uint8_t salt[SALT_BYTES])
{
    if (!present) {
        return SP_EINVALID;
    }
    memcpy(client_id->bytes, once->client_id, ID_BYTES);
    memcpy(salt, once->salt, SALT_BYTES);
    return id_is_zero(client_id) ? SP_EINVALID : SP_OK;
}

enum sp_error request_submit(struct session *session, struct command *command)
{
    unsigned weight = TAG_WEIGHT(command->origin.tag);
    enum sp_error error = domain_submit(session->hub->config.domain, command);
    if (error == SP_OK) {
        session->waiting += weight;
        return SP_OK;
    }
    command_free(command);
    if (error != SP_EBUSY) {
        return error;
    }
    if (!session->stalled) {
        session->stalled = true;
        DL_APPEND2(session->hub->stalled, session, prev_stalled, next_stalled);
    }
    return SP_EAGAIN;
}

/* Whether the member may make an event now; else the request is answered. */
static bool may_write(struct session *session, const struct frame *frame)
{
    uint32_t retry_after_ms = presence_take_message(session);
    if (retry_after_ms > 0) {
        session_send_slow_down(session, frame->stream, retry_after_ms);
    }
    return retry_after_ms == 0;
}

static enum sp_error handle_ping(struct session *session, const struct frame *frame,
                                 const union message *message)
{
    (void)frame;
    session_send(session, FRAME_PONG, 0, &message->ping);
    return SP_OK;
}

static enum sp_error handle_pong(struct session *session, const struct frame *frame,
                                 const union message *message)
{
    (void)session; /* that a byte came was noted already */
    (void)frame;
    (void)message;
    return SP_OK;
}

static enum sp_error handle_bye(struct session *session, const struct frame *frame,
                                const union message *message)
{
    (void)frame;
    (void)message;
    session_end(session, SP_OK, "goodbye");
    return SP_OK;
}

static enum sp_error handle_create(struct session *session, const struct frame *frame,
                                   const union message *message)
{
    const sealpost_v1_Create *create = &message->create;
    struct command *command = NULL;
    enum command_kind kind =
        frame->type == FRAME_ROOM_CREATE ? COMMAND_ROOM_CREATE : COMMAND_BOX_CREATE;
    enum sp_error error = request_new_command(session, kind, frame->stream, 0, &command);
    if (error == SP_OK) {
        error = request_once(create->has_once, &create->once, &command->client_id, command->salt);
    }
    if (error != SP_OK) {
        command_free(command);
        return error;
    }
    memcpy(command->log.name, create->name, sizeof command->log.name);
    return request_submit(session, command);
}

static enum sp_error handle_write(struct session *session, const struct frame *frame,
                                  const union message *message)
{
    static const enum command_kind kinds[] = {
        [FRAME_JOIN] = COMMAND_ROOM_JOIN,
        [FRAME_LEAVE] = COMMAND_ROOM_LEAVE,
        [FRAME_TOPIC] = COMMAND_TOPIC,
        [FRAME_POST] = COMMAND_POST,
    };
    const sealpost_v1_Write *write = &message->write;
    struct command *command = NULL;
    enum sp_error error =
        request_new_command(session, kinds[frame->type], frame->stream, frame->raw.size, &command);
    if (error == SP_OK) {
        error = request_once(write->has_once, &write->once, &command->client_id, command->salt);
    }
    if (error == SP_OK) {
        error = request_log_key(write->has_log, &write->log, &command->log);
    }
    if (error != SP_OK) {
        command_free(command);
        return error;
    }
    if (frame->raw.size > 0) {
        memcpy(command->body, frame->raw.data, frame->raw.size);
    }
    return request_submit(session, command);
}

static enum sp_error handle_retention(struct session *session, const struct frame *frame,
                                      const union message *message)
{
    const sealpost_v1_Retention *retention = &message->retention;
    struct command *command = NULL;
    enum sp_error error =
        request_new_command(session, COMMAND_RETENTION, frame->stream, 0, &command);
    if (error == SP_OK) {
        error =
            request_once(retention->has_once, &retention->once, &command->client_id, command->salt);
    }
    if (error == SP_OK) {
        error = request_log_key(retention->has_log, &retention->log, &command->log);
    }
    if (error != SP_OK) {
        command_free(command);
        return error;
    }
    command->retention = (struct retention_rule){retention->keep_seconds, retention->keep_events};
    return request_submit(session, command);
}

/* Whether what is asked for is one thing: one end to count from, and no end to what goes on. */
static bool is_page(const sealpost_v1_Follow *follow)
{
    bool backwards = follow->before > 0 || follow->around > 0;
    unsigned ends = (follow->after > 0 || follow->last > 0 ? 1 : 0) + (follow->before > 0 ? 1 : 0) +
                    (follow->around > 0 ? 1 : 0);
    return ends <= 1 && !(follow->live && (backwards || follow->count > 0)) &&
           !(follow->around > 0 && follow->count == 0);
}

static enum sp_error handle_follow(struct session *session, const struct frame *frame,
                                   const union message *message)
{
    const sealpost_v1_Follow *follow = &message->follow;
    struct command *command = NULL;
    if (!is_page(follow)) {
        return SP_EINVALID;
    }
    enum sp_error error = request_new_command(session, COMMAND_FOLLOW, frame->stream, 0, &command);
    if (error == SP_OK) {
        error = request_log_key(follow->has_log, &follow->log, &command->log);
    }
    if (error != SP_OK) {
        command_free(command);
        return error;
    }
    command->origin.tag = TAG(frame->stream, follow->live, 1);
    command->follow = (struct command_follow){
        .after = follow->after,
        .last = follow->last,
        .before = follow->before,
        .around = follow->around,
        .count = follow->count,
    };
    return request_submit(session, command);
}

static enum sp_error handle_unfollow(struct session *session, const struct frame *frame,
                                     const union message *message)
{
    struct id log;
    memcpy(log.bytes, message->unfollow.log, ID_BYTES);
    struct cursor *cursor = follow_find(session, &log);
    if (cursor == NULL) {
        return SP_ENOTFOUND;
    }
    follow_end(cursor);
    session_send(session, FRAME_DONE, frame->stream, NULL);
    return SP_OK;
}

static enum sp_error handle_list(struct session *session, const struct frame *frame,
                                 const union message *message)
{
    static const enum command_kind kinds[] = {
        [sealpost_v1_List_What_LOGS] = COMMAND_LIST_LOGS,
        [sealpost_v1_List_What_MEMBERS] = COMMAND_LIST_MEMBERS,
        [sealpost_v1_List_What_FILES] = COMMAND_LIST_FILES,
        [sealpost_v1_List_What_DEVICES] = COMMAND_LIST_DEVICES,
        [sealpost_v1_List_What_INVITATIONS] = COMMAND_LIST_INVITATIONS,
    };
    const sealpost_v1_List *list = &message->list;
    if ((unsigned)list->what >= COUNT_OF(kinds)) {
        return SP_EUNSUPPORTED;
    }
    struct command *command = NULL;
    enum sp_error error =
        request_new_command(session, kinds[list->what], frame->stream, 0, &command);
    if (error == SP_OK && list->has_log) {
        error = request_log_key(true, &list->log, &command->log);
    } else if (error == SP_OK && list->what == sealpost_v1_List_What_FILES) {
        error = SP_EINVALID;
    }
    if (error != SP_OK) {
        command_free(command);
        return error;
    }
    command->list.after = list->after;
    command->list.limit = list->limit;
    memcpy(command->list.member, list->member, sizeof command->list.member);
    return request_submit(session, command);
}

static enum sp_error handle_watch_presence(struct session *session, const struct frame *frame,
                                           const union message *message)
{
    session->watches_presence = message->watch_presence.on;
    session->presence_seen = 0;
    session_send(session, FRAME_DONE, frame->stream, NULL);
    presence_pull(session);
    return SP_OK;
}

static enum sp_error handle_status(struct session *session, const struct frame *frame,
                                   const union message *message)
{
    (void)message;
    const struct hub *hub = session->hub;
    struct domain_status domain;
    domain_get_status(hub->config.domain, &domain);
    sealpost_v1_StatusResult result = {
        .time_ms = clock_wall_ms(hub->config.clock),
        .started_ms = hub->started_ms,
        .sessions = (uint32_t)hub->session_count,
        .members_online = hub->presence.online_count,
        .waiting_commands = (uint32_t)domain.waiting_commands,
        .commits = domain.commits,
        .last_commit_us = domain.last_commit_us,
        .crl_next_update_ms = hub->crl_next_update_ms,
        .certificate_not_after_ms = session->not_after_ms,
    };
    snprintf(result.server, sizeof result.server, "%s", hub->config.server);
    session_send(session, FRAME_STATUS_RESULT, frame->stream, &result);
    return SP_OK;
}

static enum sp_error handle_offer(struct session *session, const struct frame *frame,
                                  const union message *message)
{
    return upload_offer(session, frame, &message->offer);
}

static enum sp_error handle_get(struct session *session, const struct frame *frame,
                                const union message *message)
{
    return download_get(session, frame, &message->get);
}

/*
 * DATA, CREDIT, COMMIT and CANCEL may be under way while the server has ended the transfer with an
 * error: without a transfer they are passed over.
 */
static enum sp_error handle_data(struct session *session, const struct frame *frame,
                                 const union message *message)
{
    (void)message;
    struct transfer *transfer = transfer_find(session, frame->stream);
    return transfer == NULL ? SP_OK : upload_data(transfer, frame->raw);
}

static enum sp_error handle_credit(struct session *session, const struct frame *frame,
                                   const union message *message)
{
    struct transfer *transfer = transfer_find(session, frame->stream);
    if (transfer != NULL) {
        download_credit(transfer, message->credit.bytes);
    }
    return SP_OK;
}

static enum sp_error handle_commit(struct session *session, const struct frame *frame,
                                   const union message *message)
{
    struct transfer *transfer = transfer_find(session, frame->stream);
    return transfer == NULL ? SP_OK : upload_commit(transfer, &message->commit);
}

static enum sp_error handle_cancel(struct session *session, const struct frame *frame,
                                   const union message *message)
{
    (void)message;
    struct transfer *transfer = transfer_find(session, frame->stream);
    bool late = transfer == NULL || transfer->phase == UPLOAD_COMMITTING ||
                transfer->phase == UPLOAD_STORING;
    if (late) {
        return SP_OK; /* the transfer has had, or will have, its last answer by itself */
    }
    upload_cancel(transfer, SP_OK, NULL);
    session_send(session, FRAME_DONE, frame->stream, NULL); /* last: it may end the session */
    return SP_OK;
}

struct request_handler {
    enum sp_error (*handle)(struct session *session, const struct frame *frame,
                            const union message *message);
    bool on_stream; /* has a stream of its own, where errors are answered; else stream 0 */
    bool writes;    /* makes an event, and counts against the member's rate */
};

static const struct request_handler handlers[256] = {
    [FRAME_BYE] = {handle_bye, false, false},
    [FRAME_PING] = {handle_ping, false, false},
    [FRAME_PONG] = {handle_pong, false, false},
    [FRAME_ROOM_CREATE] = {handle_create, true, true},
    [FRAME_BOX_CREATE] = {handle_create, true, true},
    [FRAME_JOIN] = {handle_write, true, true},
    [FRAME_LEAVE] = {handle_write, true, true},
    [FRAME_TOPIC] = {handle_write, true, true},
    [FRAME_POST] = {handle_write, true, true},
    [FRAME_RETENTION] = {handle_retention, true, true},
    [FRAME_FOLLOW] = {handle_follow, true, false},
    [FRAME_UNFOLLOW] = {handle_unfollow, true, false},
    [FRAME_LIST] = {handle_list, true, false},
    [FRAME_WATCH_PRESENCE] = {handle_watch_presence, true, false},
    [FRAME_STATUS] = {handle_status, true, false},
    [FRAME_INVITE] = {request_invite, true, false},
    [FRAME_DEVICE_REVOKE] = {request_device_revoke, true, false},
    [FRAME_MEMBER_SET] = {request_member_set, true, false},
    [FRAME_MARK_READ] = {request_mark_read, true, false},
    [FRAME_OFFER] = {handle_offer, true, true},
    [FRAME_DATA] = {handle_data, true, false},
    [FRAME_CREDIT] = {handle_credit, true, false},
    [FRAME_COMMIT] = {handle_commit, true, false},
    [FRAME_CANCEL] = {handle_cancel, true, false},
    [FRAME_GET] = {handle_get, true, false},
};

enum sp_error request_handle(struct session *session, const struct frame *frame)
{
    const struct request_handler *handler = &handlers[frame->type];
    if (handler->handle == NULL) {
        session_send_error(session, frame->stream, SP_EUNSUPPORTED, NULL);
        return SP_OK;
    }
    if (handler->on_stream != (frame->stream != 0)) {
        return SP_EPROTOCOL;
    }
    union message message;
    enum sp_error error = frame_decode(frame, &message);
    if (error != SP_OK) {
        return SP_EPROTOCOL;
    }
    if (handler->writes && !may_write(session, frame)) {
        return SP_OK;
    }
    error = handler->handle(session, frame, &message);
    if (error == SP_EAGAIN && handler->writes) {
        presence_return_message(session);
    }
    if (error == SP_OK || error == SP_EAGAIN || error == SP_EPROTOCOL) {
        return error;
    }
    session_send_error(session, frame->stream, error, NULL);
    return SP_OK;
}
