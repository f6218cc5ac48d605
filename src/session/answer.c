/* Replies of the domain → frames. */
#include <stdio.h>
#include <string.h>

#include "session/internal.h"

void answer_fill_log(sealpost_v1_LogInfo *out, const struct log_info *info)
{
    *out = (sealpost_v1_LogInfo){
        .kind = (uint32_t)info->kind,
        .head_sequence = info->head_sequence,
    };
    memcpy(out->id, info->id.bytes, sizeof out->id);
    memcpy(out->name, info->name, sizeof out->name);
    memcpy(out->head, info->head.bytes, sizeof out->head);
}

void answer_fill_file(sealpost_v1_FileInfo *out, const struct file_info *info)
{
    *out = (sealpost_v1_FileInfo){
        .sequence = info->sequence,
        .size = info->size,
        .time_ms = info->time_ms,
    };
    memcpy(out->id, info->id.bytes, sizeof out->id);
    memcpy(out->log, info->log.bytes, sizeof out->log);
    memcpy(out->log_name, info->log_name, sizeof out->log_name);
    memcpy(out->member, info->member, sizeof out->member);
    memcpy(out->name, info->name, sizeof out->name);
    memcpy(out->sha256, info->sha256.bytes, sizeof out->sha256);
}

static void send_welcome(struct session *session, const struct reply *reply)
{
    const struct hub_config *config = &session->hub->config;
    session->actor = reply->login.actor;
    session->state = SESSION_OPEN;
    session->received_ms = session->hub->now_ms;
    sealpost_v1_Welcome welcome = {
        .protocol = 1,
        .time_ms = clock_wall_ms(config->clock),
        .has_limits = true,
        .limits =
            {
                .text_bytes = LIMIT_TEXT_BYTES,
                .topic_bytes = LIMIT_TOPIC_BYTES,
                .raw_bytes = LIMIT_RAW_BYTES,
                .message_bytes = LIMIT_MESSAGE_BYTES,
                .file_bytes = config->max_file_bytes,
                .file_name_bytes = LIMIT_FILE_NAME_BYTES,
                .page_rows = LIMIT_PAGE_ROWS,
                .follows = LIMIT_FOLLOWS_PER_SESSION,
                .requests = LIMIT_COMMANDS_PER_SESSION,
                .transfers = LIMIT_TRANSFERS_PER_SESSION,
                .idle_ms = IDLE_TIMEOUT_MS,
                .messages_per_second = config->message_rate,
                .message_burst = config->message_burst,
            },
    };
    snprintf(welcome.server, sizeof welcome.server, "%s", config->server);
    snprintf(welcome.team, sizeof welcome.team, "%s", config->team);
    memcpy(welcome.username, reply->login.actor.username, sizeof welcome.username);
    welcome.role = (uint32_t)reply->login.actor.role;
    memcpy(welcome.device, reply->login.actor.device_id.bytes, sizeof welcome.device);
    memcpy(welcome.incarnation, reply->login.incarnation.bytes, sizeof welcome.incarnation);
    enum sp_error error = presence_login(session);
    if (error != SP_OK) {
        session_end(session, error, NULL);
        return;
    }
    session_send(session, FRAME_WELCOME, 0, &welcome);
}

static void send_event_result(struct session *session, const struct reply *reply)
{
    sealpost_v1_EventResult result = {
        .has_log = true,
        .sequence = reply->event.sequence,
        .time_ms = reply->event.time_ms,
        .repeated = reply->event.repeated,
    };
    answer_fill_log(&result.log, &reply->event.log);
    memcpy(result.hash, reply->event.hash.bytes, sizeof result.hash);
    session_send(session, FRAME_EVENT_RESULT, TAG_STREAM(reply->origin.tag), &result);
}

static void send_following(struct session *session, const struct reply *reply)
{
    uint16_t stream = TAG_STREAM(reply->origin.tag);
    bool live = TAG_IS_LIVE(reply->origin.tag);
    uint64_t until = live ? UINT64_MAX : reply->follow.last;
    enum sp_error error = follow_begin(session, reply, until);
    if (error != SP_OK) {
        session_send_error(session, stream, error, NULL);
        return;
    }
    sealpost_v1_Following following = {
        .has_log = true,
        .first = reply->follow.first,
        .last = live ? 0 : reply->follow.last,
    };
    answer_fill_log(&following.log, &reply->follow.log);
    memcpy(following.before, reply->follow.before.bytes, sizeof following.before);
    session_send(session, FRAME_FOLLOWING, stream, &following);
}

static void send_row_log(struct session *session, uint16_t stream, const struct row *row)
{
    sealpost_v1_RowLog message = {
        .key = row->key,
        .has_log = true,
        .members = row->log.member_count,
        .joined = row->log.joined,
        .keep_seconds = row->log.retention.seconds,
        .keep_events = row->log.retention.events,
        .read = row->log.read,
        .unread = row->log.unread,
        .mentions = row->log.mentions,
    };
    answer_fill_log(&message.log, &row->log.info);
    memcpy(message.topic, row->log.topic, sizeof message.topic);
    session_send(session, FRAME_ROW_LOG, stream, &message);
}

static void send_row_member(struct session *session, uint16_t stream, const struct row *row)
{
    sealpost_v1_RowMember message = {
        .key = row->key,
        .owner = row->member.owner,
        .role = (uint32_t)row->member.role,
        .disabled = row->member.disabled,
        .online = presence_is_online(session->hub, row->member.number),
        .last_seen_ms =
            presence_last_seen(session->hub, row->member.number, row->member.last_seen_ms),
    };
    memcpy(message.username, row->member.username, sizeof message.username);
    session_send(session, FRAME_ROW_MEMBER, stream, &message);
}

static void send_row_file(struct session *session, uint16_t stream, const struct row *row)
{
    sealpost_v1_RowFile message = {.key = row->key, .has_file = true};
    answer_fill_file(&message.file, &row->file);
    session_send(session, FRAME_ROW_FILE, stream, &message);
}

static void send_row_device(struct session *session, uint16_t stream, const struct row *row)
{
    const struct device_info *device = &row->device;
    sealpost_v1_RowDevice message = {
        .key = row->key,
        .first_seen_ms = device->first_seen_ms,
        .last_seen_ms = device->last_seen_ms,
        .not_after_ms = device->not_after_ms,
        .revoked_ms = device->revoked_ms,
        .sessions = hub_count_sessions(session->hub, device->number),
        .current = device->number == session->actor.device,
    };
    memcpy(message.device, device->id.bytes, sizeof message.device);
    memcpy(message.username, device->username, sizeof message.username);
    memcpy(message.label, device->label, sizeof message.label);
    memcpy(message.fingerprint, device->fingerprint.bytes, sizeof message.fingerprint);
    session_send(session, FRAME_ROW_DEVICE, stream, &message);
}

static void send_row_invitation(struct session *session, uint16_t stream, const struct row *row)
{
    const struct invitation_info *invitation = &row->invitation;
    sealpost_v1_RowInvitation message = {
        .key = row->key,
        .role = (uint32_t)invitation->role,
        .device = invitation->device,
        .created_ms = invitation->created_ms,
        .expires_ms = invitation->expires_ms,
    };
    memcpy(message.username, invitation->username, sizeof message.username);
    memcpy(message.created_by, invitation->created_by, sizeof message.created_by);
    session_send(session, FRAME_ROW_INVITATION, stream, &message);
}

static void send_list(struct session *session, const struct reply *reply)
{
    static void (*const send_row[])(struct session *, uint16_t, const struct row *) = {
        [ROW_LOG] = send_row_log,
        [ROW_MEMBER] = send_row_member,
        [ROW_FILE] = send_row_file,
        [ROW_DEVICE] = send_row_device,
        [ROW_INVITATION] = send_row_invitation,
    };
    uint16_t stream = TAG_STREAM(reply->origin.tag);
    for (size_t i = 0; i < reply->list.count; i++) {
        send_row[reply->list.rows[i].kind](session, stream, &reply->list.rows[i]);
    }
    sealpost_v1_ListEnd end = {.more = reply->list.more};
    session_send(session, FRAME_LIST_END, stream, &end);
}

static void send_invited(struct session *session, const struct reply *reply)
{
    const struct hub_config *config = &session->hub->config;
    sealpost_v1_Invited invited = {
        .expires_ms = reply->invited.expires_ms,
        .port = config->public_port,
        .repeated = reply->invited.repeated,
    };
    memcpy(invited.username, reply->invited.username, sizeof invited.username);
    snprintf(invited.host, sizeof invited.host, "%s", config->public_host);
    session_send(session, FRAME_INVITED, TAG_STREAM(reply->origin.tag), &invited);
}

static void send_done(struct session *session, const struct reply *reply)
{
    session_send(session, FRAME_DONE, TAG_STREAM(reply->origin.tag), NULL);
}

static void send_marked(struct session *session, const struct reply *reply)
{
    sealpost_v1_ReadState message;
    read_state_fill(&message, &reply->read_state);
    session_send(session, FRAME_MARKED, TAG_STREAM(reply->origin.tag), &message);
}

static void send_error(struct session *session, const struct reply *reply)
{
    session_send_error(session, TAG_STREAM(reply->origin.tag), reply->error, reply->detail);
}

void answer_send(struct session *session, const struct reply *reply)
{
    static void (*const senders[])(struct session *, const struct reply *) = {
        [REPLY_ERROR] = send_error,        [REPLY_LOGIN] = send_welcome,
        [REPLY_EVENT] = send_event_result, [REPLY_FOLLOW] = send_following,
        [REPLY_LIST] = send_list,          [REPLY_INVITED] = send_invited,
        [REPLY_DONE] = send_done,          [REPLY_READ_STATE] = send_marked,
    };
    if (session->state == SESSION_LOGGING_IN) {
        if (reply->kind == REPLY_LOGIN) {
            send_welcome(session, reply);
        } else {
            session_end(session, reply->error, reply->detail[0] != '\0' ? reply->detail : NULL);
        }
        return;
    }
    session->waiting -= TAG_WEIGHT(reply->origin.tag);
    senders[reply->kind](session, reply);
    session_continue(session);
}
