#include "client/convert.h"

#include <string.h>

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
