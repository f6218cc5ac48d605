#include "cli/action.h"

#include <sys/stat.h>

enum sp_error action_start(const struct action *action, struct sp_client *client, uint32_t *request)
{
    switch (action->kind) {
    case ACTION_ROOM_CREATE:
        return sp_room_create(client, &action->once, action->log, request);
    case ACTION_BOX_CREATE:
        return sp_box_create(client, &action->once, action->log, request);
    case ACTION_JOIN:
        return sp_join(client, &action->once, action->log, request);
    case ACTION_LEAVE:
        return sp_leave(client, &action->once, action->log, request);
    case ACTION_TOPIC:
        return sp_topic(client, &action->once, action->log, action->text, action->size, request);
    case ACTION_POST:
        return sp_post(client, &action->once, action->log, action->text, action->size, request);
    case ACTION_SEND:
        return sp_send(client, &action->once, action->log, action->text, action->fd, request);
    case ACTION_RETENTION:
        return sp_set_retention(client, &action->once, action->log, &action->retention, request);
    case ACTION_READ:
        return sp_mark_read(client, action->log, action->sequence, request);
    }
    *request = 0;
    return SP_EINVALID;
}

bool action_is_repeatable(const struct action *action)
{
    struct stat status;

    return action->kind != ACTION_SEND ||
           (fstat(action->fd, &status) == 0 && S_ISREG(status.st_mode));
}

bool error_is_passing(enum sp_error error)
{
    switch (error) {
    case SP_EBUSY:
    case SP_ESLOWDOWN:
    case SP_ESHUTDOWN:
    case SP_EUNREACHABLE:
    case SP_EIDLE:
        return true;
    default:
        return sp_error_class(error) == SP_CLASS_UNKNOWN;
    }
}
