/* The rows of lists: one notice each. */
#include "client/answer_internal.h"
#include "client/convert.h"
#include "client/store.h"

/* A row is there; KEY is where the next page goes on. False: it goes back, and the connection has
 * been ended: such a list need not have an end. */
static bool begin_row(struct core *core, const struct arrival *arrival, uint64_t key,
                      enum sp_row_type type, struct sp_notice *out)
{
    if (key <= arrival->request->list.after) {
        core_fail(core, SP_EPROTOCOL, "the server sent a row of a list out of its order");
        return false;
    }
    arrival->request->list.after = key;
    arrival->request->page_has_rows = true;
    core_notice(out, SP_NOTICE_ROW, arrival->request->number);
    out->row.type = type;
    return true;
}

bool answer_row_log(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    const sealpost_v1_RowLog *row = &core->message.row_log;

    if (!begin_row(core, arrival, row->key, SP_ROW_LOG, out)) {
        return false;
    }
    convert_log(&row->log, &out->row.log);
    out->row.topic = row->topic;
    out->row.members = row->members;
    out->row.joined = row->joined;
    out->row.read = (struct sp_read_state){row->read, row->unread, row->mentions};
    out->row.retention = (struct sp_retention){row->keep_seconds, row->keep_events};
    store_row(core->store, &out->row, arrival->request->list_stamp_ms);
    return true;
}

bool answer_row_member(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    const sealpost_v1_RowMember *row = &core->message.row_member;

    if (!begin_row(core, arrival, row->key, SP_ROW_MEMBER, out)) {
        return false;
    }
    out->row.username = row->username;
    out->row.owner = row->owner;
    out->row.online = row->online;
    out->row.last_seen_ms = row->last_seen_ms;
    out->row.role = (enum sp_role)row->role;
    out->row.disabled = row->disabled;
    return true;
}

bool answer_row_device(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    const sealpost_v1_RowDevice *row = &core->message.row_device;

    if (!begin_row(core, arrival, row->key, SP_ROW_DEVICE, out)) {
        return false;
    }
    convert_device(row, &out->row.device);
    return true;
}

bool answer_row_invitation(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    const sealpost_v1_RowInvitation *row = &core->message.row_invitation;

    if (!begin_row(core, arrival, row->key, SP_ROW_INVITATION, out)) {
        return false;
    }
    convert_invitation(row, &out->row.invitation);
    return true;
}

bool answer_row_file(struct core *core, const struct arrival *arrival, struct sp_notice *out)
{
    const sealpost_v1_RowFile *row = &core->message.row_file;

    if (!begin_row(core, arrival, row->key, SP_ROW_FILE, out)) {
        return false;
    }
    convert_file(&row->file, &out->row.file);
    return true;
}
