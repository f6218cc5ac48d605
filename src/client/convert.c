#include "client/convert.h"

#include <assert.h>
#include <string.h>

#include "event/body.h"

void convert_log(const sealpost_v1_LogInfo *in, struct sp_log *out)
{
    memcpy(out->id, in->id, sizeof out->id);
    out->kind = (enum sp_log_kind)in->kind;
    out->name = in->name;
    out->head_sequence = in->head_sequence;
    memcpy(out->head, in->head, sizeof out->head);
}

void convert_file(const sealpost_v1_FileInfo *in, struct sp_file *out)
{
    memcpy(out->id, in->id, sizeof out->id);
    out->name = in->name;
    out->log_name = in->log_name;
    out->member = in->member;
    out->sequence = in->sequence;
    out->size = in->size;
    memcpy(out->sha256, in->sha256, sizeof out->sha256);
    out->time_ms = in->time_ms;
}

void convert_welcome(const sealpost_v1_Welcome *in, struct sp_login *out)
{
    out->server = in->server;
    out->team = in->team;
    out->username = in->username;
    memcpy(out->device, in->device, sizeof out->device);
    memcpy(out->incarnation, in->incarnation, sizeof out->incarnation);
    out->time_ms = in->time_ms;
    out->text_bytes = in->limits.text_bytes;
    out->file_bytes = in->limits.file_bytes;
    out->role = (enum sp_role)in->role;
}

void convert_status(const sealpost_v1_StatusResult *in, struct sp_status *out)
{
    out->server = in->server;
    out->time_ms = in->time_ms;
    out->started_ms = in->started_ms;
    out->sessions = in->sessions;
    out->members_online = in->members_online;
    out->waiting_commands = in->waiting_commands;
    out->commits = in->commits;
    out->last_commit_us = in->last_commit_us;
    out->crl_next_update_ms = in->crl_next_update_ms;
    out->certificate_not_after_ms = in->certificate_not_after_ms;
}

void convert_device(const sealpost_v1_RowDevice *in, struct sp_device *out)
{
    memcpy(out->id, in->device, sizeof out->id);
    out->username = in->username;
    out->label = in->label;
    memcpy(out->fingerprint, in->fingerprint, sizeof out->fingerprint);
    out->first_seen_ms = in->first_seen_ms;
    out->last_seen_ms = in->last_seen_ms;
    out->not_after_ms = in->not_after_ms;
    out->revoked_ms = in->revoked_ms;
    out->sessions = in->sessions;
    out->current = in->current;
}

void convert_invitation(const sealpost_v1_RowInvitation *in, struct sp_invitation *out)
{
    out->username = in->username;
    out->role = (enum sp_role)in->role;
    out->device = in->device;
    out->created_ms = in->created_ms;
    out->expires_ms = in->expires_ms;
    out->created_by = in->created_by;
}

void convert_read_state(const sealpost_v1_ReadState *in, struct sp_read_state *out)
{
    *out = (struct sp_read_state){in->sequence, in->unread, in->mentions};
}

enum sp_error convert_error(uint32_t number)
{
    return number == 0 ? SP_EINTERNAL : (enum sp_error)number;
}

/* SLICE as a string at *AT, which moves behind its NUL. */
static const char *keep_string(char **at, struct slice slice)
{
    char *string = *at;

    if (slice.size > 0) {
        memcpy(string, slice.data, slice.size);
    }
    string[slice.size] = '\0';
    *at += slice.size + 1;
    return string;
}

/* What the body says. One that cannot be read is its author's business: it says nothing. */
static void convert_body(const struct event_view *view, char *strings, struct sp_event *out)
{
    struct body body;
    char *at = strings;

    static_assert(CONVERT_STRINGS_BYTES >= LIMIT_EVENT_BODY_BYTES + 2, "text and name fit");
    if (body_parse(view->body, &body) != SP_OK) {
        return;
    }
    out->text = keep_string(&at, body.text);
    out->text_bytes = body.text.size;
    out->retention = (struct sp_retention){body.keep_seconds, body.keep_events};
    if (view->header.kind == SP_EVENT_FILE) {
        out->file.name = keep_string(&at, body.name);
        out->file.member = out->author;
        out->file.sequence = out->sequence;
        out->file.time_ms = out->time_ms;
        out->file.size = body.size;
        memcpy(out->file.id, body.file.bytes, sizeof out->file.id);
        memcpy(out->file.sha256, body.sha256.bytes, sizeof out->file.sha256);
    }
}

void convert_event(const struct event_view *view, const char *author, const char *log_name,
                   const struct digest *hash, char *strings, struct sp_event *event)
{
    const struct event_header *header = &view->header;

    memcpy(event->log, header->log.bytes, sizeof event->log);
    event->log_name = log_name;
    event->sequence = header->sequence;
    event->time_ms = header->time_ms;
    event->kind = header->kind;
    event->author = author;
    memcpy(event->device, header->author.bytes, sizeof event->device);
    memcpy(event->client_id, header->client_id.bytes, sizeof event->client_id);
    memcpy(event->hash, hash->bytes, sizeof event->hash);
    memcpy(event->commitment, header->commitment.bytes, sizeof event->commitment);
    event->body_bytes = header->body_bytes;
    event->erased = view->salt == NULL;
    if (!event->erased) {
        convert_body(view, strings, event);
    }
}
