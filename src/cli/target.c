#include "cli/target.h"

#include <string.h>
#include <strings.h>

#include "base/base.h"

void target_take_row(struct target *target, const struct sp_row *row)
{
    char id[ID_HEX_BYTES];

    if (row->type != SP_ROW_LOG) {
        return;
    }
    hex_encode(row->log.id, sizeof(row->log.id), id);
    if (strcmp(row->log.name, target->log) == 0 || strcasecmp(id, target->log) == 0) {
        target->kind = row->log.kind;
    }
}

enum sp_error target_judge(const struct target *target, const char *path, char *text,
                           size_t capacity)
{
    if (target->wants_box && target->kind == SP_LOG_ROOM) {
        (void)snprintf(text, capacity,
                       "%s is a room: everybody in it would see the file; use: sealpost send %s "
                       "%.300s",
                       target->log, target->log, path);
        return SP_EINVALID;
    }
    if (!target->wants_box && target->kind == SP_LOG_BOX) {
        (void)snprintf(text, capacity, "%s is a box; use: sealpost submit %s %.300s", target->log,
                       target->log, path);
        return SP_EINVALID;
    }
    return SP_OK;
}

static void on_notice(void *context, const struct sp_notice *notice)
{
    if (notice->type == SP_NOTICE_ROW) {
        target_take_row(context, &notice->row);
    }
}

static enum sp_error attempt(struct session *session, void *context, struct sp_notice *notice)
{
    uint32_t request = 0;
    enum sp_error error = sp_list_logs(session->client, &request);

    return error == SP_OK ? session_wait(session, request, false, on_notice, context, notice)
                          : error;
}

enum sp_error target_check(struct target *target, struct session *session, const char *path)
{
    struct sp_notice notice;
    enum sp_error error =
        target->kind == 0 ? session_retry(session, true, attempt, target, &notice) : SP_OK;

    session->unknown = false; /* looking changes nothing */
    return error == SP_OK ? target_judge(target, path, session->text, sizeof(session->text))
                          : error;
}
