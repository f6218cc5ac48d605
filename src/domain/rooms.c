/* Rooms and boxes: making them, being in them, writing in them, following them. */
#include <string.h>

#include "base/name.h"
#include "domain/marks.h"

/* COMMAND_ROOM_CREATE, COMMAND_BOX_CREATE. The creator owns it. */
enum sp_error handle_create(struct core *core, const struct command *command, struct reply *reply)
{
    enum log_kind kind = command->kind == COMMAND_BOX_CREATE ? LOG_KIND_BOX : LOG_KIND_OPEN;
    const struct body body = {
        .name = slice_of_string(command->log.name),
        .member = slice_of_string(command->actor.username),
        .log_kind = (uint8_t)kind,
    };
    struct log_row *log = NULL;
    struct draft draft;
    bool repeated = false;
    enum sp_error error = name_check_log(command->log.name, strlen(command->log.name));

    if (error == SP_OK) {
        error = draft_from_command(&draft, EVENT_LOG_CREATED, command, &body);
    }
    if (error == SP_OK) {
        error = core_find_repeated(core, command, &draft, reply, &repeated);
    }
    if (error != SP_OK || repeated) {
        return error;
    }
    error = cache_find_log_by_key(&core->cache, &command->log, &log);
    if (error != SP_ENOTFOUND) {
        return error == SP_OK ? SP_EEXISTS : error;
    }
    error = core_add_log(core, command, kind, NULL, &log);
    if (error == SP_OK) {
        error = core_set_role(core, command, log, RELATION_OWNER);
    }
    return error != SP_OK ? error : core_append(core, command, log, &draft, reply);
}

/* What joining and leaving have in common: a repetition, or the log with RIGHT. */
static enum sp_error begin_move(struct core *core, const struct command *command,
                                enum event_kind kind, enum right right, struct draft *draft,
                                struct reply *reply, struct log_row **log)
{
    const struct body body = {.member = slice_of_string(command->actor.username)};
    bool repeated = false;
    enum sp_error error = draft_from_command(draft, kind, command, &body);

    *log = NULL;
    if (error == SP_OK) {
        error = core_find_repeated(core, command, draft, reply, &repeated);
    }
    if (error == SP_OK && !repeated) {
        error = core_find_log(core, command, right, log);
    }
    return error;
}

enum sp_error handle_join(struct core *core, const struct command *command, struct reply *reply)
{
    struct log_row *log = NULL;
    enum relation relation = RELATION_NONE;
    struct draft draft;
    enum sp_error error = begin_move(core, command, EVENT_JOINED, RIGHT_JOIN, &draft, reply, &log);

    if (error != SP_OK || log == NULL) {
        return error;
    }
    error = cache_find_relation(&core->cache, log, command->actor.member, &relation);
    if (error != SP_OK) {
        return error;
    }
    if (relation != RELATION_NONE) {
        /* In it already: it is as if this had been done before. */
        reply->kind = REPLY_EVENT;
        reply->event.log = log->info;
        reply->event.sequence = log->info.head_sequence;
        reply->event.time_ms = log->last_ms;
        reply->event.hash = log->info.head;
        reply->event.repeated = true;
        return SP_OK;
    }
    error = core_set_role(core, command, log, RELATION_MEMBER);
    return error != SP_OK ? error : core_append(core, command, log, &draft, reply);
}

enum sp_error handle_leave(struct core *core, const struct command *command, struct reply *reply)
{
    struct log_row *log = NULL;
    struct draft draft;
    enum sp_error error = begin_move(core, command, EVENT_LEFT, RIGHT_LEAVE, &draft, reply, &log);

    if (error != SP_OK || log == NULL) {
        return error;
    }
    error = core_set_role(core, command, log, RELATION_NONE);
    if (error == SP_OK) {
        error = core_append(core, command, log, &draft, reply);
    }
    return error != SP_OK ? error : core_end_access(core, command->actor.member, log->info.number);
}

/* Text of others is text: what cannot be shown is not taken. */
static enum sp_error begin_text(struct core *core, const struct command *command,
                                enum event_kind kind, enum right right, struct draft *draft,
                                struct reply *reply, struct log_row **log)
{
    const struct body body = {.text = {command->body, command->body_size}};
    bool repeated = false;

    *log = NULL;
    if (name_check_text((const char *)command->body, command->body_size) != SP_OK) {
        return SP_EINVALID;
    }
    enum sp_error error = draft_from_command(draft, kind, command, &body);
    if (error == SP_OK) {
        error = core_find_repeated(core, command, draft, reply, &repeated);
    }
    if (error == SP_OK && !repeated) {
        error = core_find_log(core, command, right, log);
    }
    return error;
}

enum sp_error handle_topic(struct core *core, const struct command *command, struct reply *reply)
{
    struct log_row *log = NULL;
    struct draft draft;
    enum sp_error error = SP_OK;

    if (command->body_size > LIMIT_TOPIC_BYTES) {
        return SP_ETOOLARGE;
    }
    error = begin_text(core, command, EVENT_TOPIC, RIGHT_TOPIC, &draft, reply, &log);
    if (error != SP_OK || log == NULL) {
        return error;
    }
    error = store_set_topic(&core->store, log->info.number,
                            (struct slice){command->body, command->body_size});
    return error != SP_OK ? error : core_append(core, command, log, &draft, reply);
}

enum sp_error handle_post(struct core *core, const struct command *command, struct reply *reply)
{
    struct log_row *log = NULL;
    struct draft draft;
    enum sp_error error = SP_OK;

    if (command->body_size > LIMIT_TEXT_BYTES) {
        return SP_ETOOLARGE;
    }
    if (command->body_size == 0) {
        return SP_EINVALID;
    }
    error = begin_text(core, command, EVENT_MESSAGE, RIGHT_POST, &draft, reply, &log);
    if (error != SP_OK || log == NULL) {
        return error;
    }
    error = core_append(core, command, log, &draft, reply);
    return error != SP_OK ? error
                          : marks_posted(core, command, log,
                                         (struct slice){command->body, command->body_size});
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The page: behind *BEFORE and up to *LAST, in a log that goes up to HEAD. */
static void choose_page(const struct command_follow *follow, uint64_t head, uint64_t *before,
                        uint64_t *last)
{
    uint64_t count = follow->count > 0 ? follow->count : LIMIT_SEQUENCE;

    if (follow->before > 0) {
        *last = smaller(follow->before - 1, head);
        *before = *last - smaller(count, *last);
        return;
    }
    if (follow->around > 0) {
        uint64_t middle = smaller(follow->around, head);
        *before = middle - smaller(count / 2 + 1, middle);
    } else if (follow->last > 0) {
        *before = head - smaller(follow->last, head);
    } else {
        *before = smaller(follow->after, head);
    }
    *last = *before + smaller(count, head - *before);
}

enum sp_error handle_follow(struct core *core, const struct command *command, struct reply *reply)
{
    struct log_row *log = NULL;
    enum sp_error error = core_find_log(core, command, RIGHT_READ, &log);

    if (error != SP_OK) {
        return error;
    }
    uint64_t head = log->info.head_sequence;
    uint64_t before = 0;
    choose_page(&command->follow, head, &before, &reply->follow.last);
    reply->follow.log = log->info;
    reply->follow.first = before + 1;
    if (before == head) {
        reply->follow.before = log->info.head;
    } else if (before == 0) {
        error = event_chain_start(&log->info.id, &reply->follow.before);
    } else {
        error = store_find_hash(&core->store, log->info.number, before, &reply->follow.before);
        error = error == SP_ENOTFOUND ? SP_EINTEGRITY : error;
    }
    reply->kind = error == SP_OK ? REPLY_FOLLOW : REPLY_ERROR;
    return error;
}
