#include "domain/batch.h"

#include <string.h>

#include "domain/read.h"

/* What a handler does to the database, and so what there is to undo when it refuses. */
enum handler_kind {
    READS,
    WRITES,  /* whenever: it gets a savepoint to come back to */
    DECIDES, /* it refuses before it writes, and a savepoint would be for nothing. execute() does
                not rely on it: an error after the first write costs the whole transaction, and
                then each of its commands is tried again by itself */
};

static const struct {
    core_handler handle;
    enum handler_kind kind;
} handlers[] = {
    [COMMAND_LOGIN] = {handle_login, WRITES},
    [COMMAND_ROOM_CREATE] = {handle_create, WRITES},
    [COMMAND_ROOM_JOIN] = {handle_join, WRITES},
    [COMMAND_ROOM_LEAVE] = {handle_leave, WRITES},
    [COMMAND_TOPIC] = {handle_topic, WRITES},
    [COMMAND_POST] = {handle_post, DECIDES},
    [COMMAND_FOLLOW] = {handle_follow, READS},
    [COMMAND_BOX_CREATE] = {handle_create, WRITES},
    [COMMAND_ENROL] = {handle_enrol, WRITES},
    [COMMAND_INVITE] = {handle_invite, WRITES},
    [COMMAND_DEVICE_REVOKE] = {handle_device_revoke, WRITES},
    [COMMAND_MEMBER_SET] = {handle_member_set, WRITES},
    [COMMAND_OFFER] = {handle_offer, READS},
    [COMMAND_STORE] = {handle_store, WRITES},
    [COMMAND_RETENTION] = {handle_retention, WRITES},
    [COMMAND_ERASE] = {handle_erase, WRITES},
    [COMMAND_MARK_READ] = {handle_mark_read, DECIDES},
    [COMMAND_SEEN] = {handle_seen, WRITES},
    [COMMAND_DISCARDED] = {handle_discarded, WRITES},
    [COMMAND_OFFER_END] = {handle_offer_end, READS},
};

static struct command *command_of(struct queue_item *item)
{
    return CONTAINER_OF(item, struct command, item);
}

/* What our own side has got wrong, or the machine's; a refusal is nothing to report. */
static bool is_trouble(enum sp_error error)
{
    return error == SP_EFULL || error == SP_EIO || error == SP_EINTEGRITY ||
           error == SP_EINTERNAL || error == SP_ENOMEM;
}

static enum sp_error handle(struct core *core, const struct command *command, struct reply *reply)
{
    enum sp_error error =
        command_is_silent(command->kind) ? SP_OK : core_check_actor(core, &command->actor);

    if (error != SP_OK) {
        return error;
    }
    if (!command_is_for_domain(command->kind)) {
        return read_execute(&core->store, command, reply);
    }
    return handlers[command->kind].handle(core, command, reply);
}

/* Takes back what a command has published since MARK. */
static void unpublish(struct core *core, struct queue_item **mark)
{
    struct queue_item *item = *mark;

    while (item != NULL) {
        struct queue_item *next = item->next;
        struct publication *publication = CONTAINER_OF(item, struct publication, item);
        core->event_count -= publication->kind == PUBLISH_EVENT ? 1 : 0;
        publication_free(publication);
        item = next;
    }
    *mark = NULL;
    core->last = mark;
}

/*
 * After a refusal: as if the command had never been. An error: the whole transaction is lost.
 * WROTE: it has begun to write.
 */
static enum sp_error undo(struct core *core, bool has_savepoint, bool wrote,
                          struct queue_item **mark, enum sp_error error)
{
    enum sp_error undo_error = SP_OK;

    unpublish(core, mark);
    if (core->cache.changed) {
        cache_drop(&core->cache);
    }
    if (!db_in_transaction(core->db) || (wrote && !has_savepoint)) {
        return error;
    }
    if (has_savepoint) {
        undo_error = store_do(&core->store, QUERY_ROLL_BACK_TO);
        if (undo_error == SP_OK) {
            undo_error = store_do(&core->store, QUERY_RELEASE);
        }
    }
    return undo_error;
}

static void answer_refusal(struct core *core, struct command *command, enum sp_error error)
{
    if (is_trouble(error)) {
        log_line(core->log, LOG_ERROR, "event=command-failed kind=%d error=%s", command->kind,
                 sp_error_name(error));
    }
    reply_fail(command->answer->reply, command, error);
}

/* One command, its reply included. An error: the whole transaction is lost. */
static enum sp_error execute(struct core *core, struct command *command)
{
    struct reply *reply = command->answer->reply;
    struct queue_item **mark = core->last;
    bool has_savepoint =
        command_is_for_domain(command->kind) && handlers[command->kind].kind == WRITES;
    enum sp_error error = has_savepoint ? store_do(&core->store, QUERY_SAVEPOINT) : SP_OK;

    if (error != SP_OK) {
        return error;
    }
    uint64_t writes_before = db_write_count(core->db);
    core->cache.changed = false;
    reply_clear(reply); /* it may have been tried before */
    reply->origin = command->origin;
    error = handle(core, command, reply);
    if (error == SP_OK && has_savepoint) {
        error = store_do(&core->store, QUERY_RELEASE);
        if (error != SP_OK) {
            return error;
        }
    } else if (error != SP_OK) {
        bool wrote = db_write_count(core->db) != writes_before;
        enum sp_error lost = undo(core, has_savepoint, wrote, mark, error);
        if (lost != SP_OK) {
            return lost;
        }
        answer_refusal(core, command, error);
    }
    if (!command_is_silent(command->kind)) {
        core_publish(core, command->answer);
    }
    return SP_OK;
}

/* Frees what is published from ITEM on, but not the replies: they are the commands'. */
static void drop_events(struct queue_item *item)
{
    while (item != NULL) {
        struct queue_item *next = item->next;
        struct publication *publication = CONTAINER_OF(item, struct publication, item);
        if (publication->kind != PUBLISH_REPLY) {
            publication_free(publication);
        }
        item = next;
    }
}

static void start_publications(struct core *core)
{
    core->first = NULL;
    core->last = &core->first;
    core->event_count = 0;
}

/* The transaction is gone: memory follows. */
static void abandon(struct core *core)
{
    db_rollback(core->db);
    cache_drop(&core->cache);
    offers_undo(&core->offers, core->batch);
    drop_events(core->first);
    start_publications(core);
}

/* COUNT commands from FIRST in one transaction. On an error nothing has happened. */
static enum sp_error attempt(struct core *core, struct queue_item *first, size_t count)
{
    core->batch++;
    start_publications(core);
    enum sp_error error = store_do(&core->store, QUERY_BEGIN);
    for (struct queue_item *item = first; error == SP_OK && count > 0; item = item->next, count--) {
        error = execute(core, command_of(item));
    }
    if (error == SP_OK) {
        error = store_do(&core->store, QUERY_COMMIT);
    }
    if (error != SP_OK) {
        log_line(core->log, LOG_ERROR, "event=commit-failed error=%s sync=%s", sp_error_name(error),
                 db_sync_failed(core->db) ? "failed" : "ok");
        abandon(core);
    }
    return error;
}

/* Moves what was published by the last attempt into OUT. */
static void collect(struct core *core, struct batch_result *out)
{
    out->event_count += core->event_count;
    if (core->first == NULL) {
        return;
    }
    if (out->first == NULL) {
        out->first = core->first;
    } else {
        out->last->next = core->first;
    }
    out->last = CONTAINER_OF(core->last, struct queue_item, next);
}

static void answer_failure(struct core *core, struct command *command, enum sp_error error)
{
    struct reply *reply = command->answer->reply;

    reply_clear(reply);
    reply->origin = command->origin;
    reply->error = error;
    if (!command_is_silent(command->kind)) {
        core_publish(core, command->answer);
    }
}

/* The commands are done: their answers, if they are published, are no longer theirs. */
static void free_commands(struct queue_item *item, bool answered)
{
    while (item != NULL) {
        struct queue_item *next = item->next;
        struct command *command = command_of(item);
        if (answered && !command_is_silent(command->kind)) {
            command->answer = NULL;
        }
        command_free(command);
        item = next;
    }
}

/* Each of the commands by itself, until a sync fails. */
static void run_singly(struct core *core, struct queue_item *commands, struct batch_result *out)
{
    for (struct queue_item *item = commands; item != NULL && !db_sync_failed(core->db);
         item = item->next) {
        enum sp_error error = attempt(core, item, 1);
        if (error == SP_OK) {
            out->commit_count++;
        } else {
            answer_failure(core, command_of(item), error);
        }
        collect(core, out);
    }
}

enum sp_error batch_run(struct core *core, struct queue_item *commands, struct batch_result *out)
{
    size_t count = 0;

    memset(out, 0, sizeof *out);
    cache_trim(&core->cache);
    for (const struct queue_item *item = commands; item != NULL; item = item->next) {
        count++;
    }
    if (attempt(core, commands, count) == SP_OK) {
        out->commit_count = 1;
        collect(core, out);
    } else {
        run_singly(core, commands, out);
    }
    bool lost = db_sync_failed(core->db);
    if (lost) {
        drop_events(out->first);
        memset(out, 0, sizeof *out);
    }
    free_commands(commands, !lost);
    return lost ? SP_EIO : SP_OK;
}
