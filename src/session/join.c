/*
 * A session that joins: one ENROL, one answer, goodbye. It belongs to nobody, so nothing of what
 * members may say is reachable from here. A wrong code is answered late, so that trying many takes
 * time at no cost of ours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

struct join {
    bool asked;
    int64_t answer_ms; /* monotonic: when the failure may be told; 0: there is none */
    struct join_result result;
};

enum sp_error join_begin(struct session *session)
{
    session->join = calloc(1, sizeof *session->join);
    session->state = SESSION_JOINING;
    return session->join == NULL ? SP_ENOMEM : SP_OK;
}

void join_free(struct session *session)
{
    free(session->join);
    session->join = NULL;
}

const struct join_result *session_join_result(const struct session *session)
{
    return session->join != NULL ? &session->join->result : NULL;
}

static enum sp_error enrol(struct session *session, const struct frame *frame,
                           const sealpost_v1_Enrol *enrol)
{
    struct command *command = NULL;
    if (session->join->asked || frame->raw.size > LIMIT_REQUEST_BYTES) {
        return SP_EPROTOCOL;
    }
    enum sp_error error =
        request_new_command(session, COMMAND_ENROL, frame->stream, frame->raw.size, &command);
    if (error != SP_OK) {
        return error;
    }
    memcpy(command->enrol.secret, enrol->secret, sizeof command->enrol.secret);
    memcpy(command->enrol.label, enrol->label, sizeof command->enrol.label);
    if (frame->raw.size > 0) {
        memcpy(command->body, frame->raw.data, frame->raw.size);
    }
    error = request_submit(session, command);
    session->join->asked = error == SP_OK;
    return error;
}

enum sp_error join_handle(struct session *session, const struct frame *frame)
{
    union message message;
    bool on_stream = frame->type == FRAME_ENROL;
    if (on_stream != (frame->stream != 0) || frame_decode(frame, &message) != SP_OK) {
        return SP_EPROTOCOL;
    }
    switch (frame->type) {
    case FRAME_ENROL:
        return enrol(session, frame, &message.enrol);
    case FRAME_PING:
        session_send(session, FRAME_PONG, 0, &message.ping);
        return SP_OK;
    case FRAME_PONG:
        return SP_OK;
    case FRAME_BYE:
        session_end(session, SP_OK, "goodbye");
        return SP_OK;
    default:
        return SP_EPROTOCOL;
    }
}

static bool is_about_the_code(enum sp_error error)
{
    return error == SP_ECODE || error == SP_ECODEUSED || error == SP_ECODEEXPIRED;
}

static void tell(struct session *session)
{
    const struct join_result *result = &session->join->result;
    session_end(session, result->error, result->detail[0] != '\0' ? result->detail : NULL);
}

static void fail(struct session *session, const struct reply *reply)
{
    struct join *join = session->join;
    join->result.error = reply->error;
    join->result.code_failed = is_about_the_code(reply->error);
    memcpy(join->result.detail, reply->detail, sizeof join->result.detail);
    if (join->result.code_failed) {
        join->answer_ms = session->hub->now_ms + JOIN_FAILURE_DELAY_MS;
    } else {
        tell(session);
    }
}

static void succeed(struct session *session, const struct reply *reply)
{
    struct join_result *result = &session->join->result;
    sealpost_v1_Enrolled enrolled = {
        .role = (uint32_t)reply->enrolled.actor.role,
        .not_after_ms = reply->enrolled.not_after_ms,
        .repeated = reply->enrolled.repeated,
    };
    result->enrolled = true;
    result->repeated = reply->enrolled.repeated;
    result->fingerprint = reply->enrolled.fingerprint;
    result->serial_bytes = reply->enrolled.serial_bytes;
    memcpy(result->serial, reply->enrolled.serial, sizeof result->serial);
    memcpy(result->username, reply->enrolled.actor.username, sizeof result->username);
    snprintf(enrolled.team, sizeof enrolled.team, "%s", session->hub->config.team);
    memcpy(enrolled.username, reply->enrolled.actor.username, sizeof enrolled.username);
    memcpy(enrolled.device, reply->enrolled.actor.device_id.bytes, sizeof enrolled.device);
    const struct slice chain = {reply->enrolled.chain, reply->enrolled.size};
    enum sp_error error = frame_append(&session->out, FRAME_ENROLLED, TAG_STREAM(reply->origin.tag),
                                       &enrolled, chain);
    session_end(session, error, error == SP_OK ? "goodbye" : NULL);
}

void join_reply(struct session *session, const struct reply *reply)
{
    session->waiting -= TAG_WEIGHT(reply->origin.tag);
    if (reply->kind == REPLY_ENROLLED) {
        succeed(session, reply);
    } else {
        fail(session, reply);
    }
}

void join_tick(struct session *session, int64_t now_ms)
{
    const struct join *join = session->join;
    if (join != NULL && join->answer_ms != 0 && now_ms >= join->answer_ms) {
        tell(session);
    }
}
