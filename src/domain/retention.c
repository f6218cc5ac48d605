#include "domain/retention.h"

#include <stdlib.h>

#include "domain/core.h"

/* docs/OPERATIONS.md promises a minute from when it is due to when it is gone: these keep it. */
#define PASS_MS 5000       /* between two passes over all logs that do not keep everything */
#define PAUSE_MS 20        /* between two steps of a pass: the members' commands come first */
#define SCRUB_RETRY_MS 250 /* when a reader was in the way */
#define STEP_EVENTS 256    /* erased in one step */
#define STEP_LOGS 256      /* looked at in one step */
#define READ_EVENTS 32     /* at once: few of a log that keeps most of what it has */
#define STEP_DISCARDS 256

enum sp_error retention_start(struct core *core, int64_t now_ms)
{
    struct retention *retention = &core->retention;
    struct kept_row kept;
    struct discard_row discard;
    enum sp_error error = store_next_kept(&core->store, 0, &kept);

    *retention = (struct retention){.due_ms = now_ms};
    retention->needed = error == SP_OK;
    if (error == SP_OK || error == SP_ENOTFOUND) {
        error = store_next_discard(&core->store, 0, &discard);
        retention->needed = retention->needed || error == SP_OK;
        retention->resumed = error == SP_ENOTFOUND;
    }
    return error == SP_ENOTFOUND ? SP_OK : error;
}

bool retention_is_due(const struct core *core, int64_t now_ms)
{
    return core->retention.needed && now_ms >= core->retention.due_ms;
}

bool retention_scrub_is_due(const struct core *core, int64_t now_ms)
{
    return core->retention.scrub && now_ms >= core->retention.scrub_due_ms;
}

void retention_scrubbed(struct core *core, int64_t now_ms, bool done)
{
    core->retention.scrub = !done;
    core->retention.scrub_due_ms = now_ms + SCRUB_RETRY_MS;
}

int64_t retention_wait_ms(const struct core *core, int64_t now_ms)
{
    const struct retention *retention = &core->retention;
    int64_t next = INT64_MAX;

    if (retention->needed) {
        next = retention->due_ms;
    }
    if (retention->scrub && retention->scrub_due_ms < next) {
        next = retention->scrub_due_ms;
    }
    if (next == INT64_MAX) {
        return -1;
    }
    return next > now_ms ? next - now_ms : 0;
}

/* ---- Setting it ---- */

/* The room, if the actor owns it or may do that to all rooms. */
static enum sp_error find_room(struct core *core, const struct command *command,
                               struct log_row **out)
{
    enum sp_error error = core_find_log(core, command, RIGHT_RETAIN, out);

    if (error != SP_EFORBIDDEN || access_check_team(command->actor.role, TEAM_RETENTION) != SP_OK) {
        return error;
    }
    error = cache_find_log_by_key(&core->cache, &command->log, out);
    return error == SP_OK && (*out)->info.kind != LOG_KIND_OPEN ? SP_EFORBIDDEN : error;
}

enum sp_error handle_retention(struct core *core, const struct command *command,
                               struct reply *reply)
{
    const struct retention_rule *rule = &command->retention;
    const struct body body = {.keep_seconds = rule->seconds, .keep_events = rule->events};
    struct log_row *log = NULL;
    struct draft draft;
    bool repeated = false;

    if (rule->seconds > LIMIT_KEEP_SECONDS || rule->events > LIMIT_SEQUENCE) {
        return SP_EINVALID;
    }
    enum sp_error error = draft_from_command(&draft, EVENT_RETENTION, command, &body);
    if (error == SP_OK) {
        error = core_find_repeated(core, command, &draft, reply, &repeated);
    }
    if (error == SP_OK && !repeated) {
        error = find_room(core, command, &log);
    }
    if (error != SP_OK || repeated) {
        return error;
    }
    error = store_set_retention(&core->store, log->info.number, rule);
    if (error != SP_OK) {
        return error;
    }
    core->retention.needed = true;
    core->retention.due_ms = 0; /* now: there may be much that it does not keep */
    return core_append(core, command, log, &draft, reply);
}

/* ---- Erasing ---- */

static enum sp_error publish(struct core *core, const struct publication *what)
{
    struct publication *publication = malloc(sizeof *publication);

    if (publication == NULL) {
        return SP_ENOMEM;
    }
    *publication = *what;
    core_publish(core, publication);
    return SP_OK;
}

static enum sp_error publish_discard(struct core *core, const struct id *file, uint32_t bucket)
{
    return publish(core, &(struct publication){.kind = PUBLISH_DISCARD,
                                               .discard = {.bucket = bucket, .file = *file}});
}

static enum sp_error erase_file(struct core *core, const struct event_header *header)
{
    struct id file;
    uint32_t bucket = 0;
    enum sp_error error = event_file_id(&header->author, &header->client_id, &file);

    if (error == SP_OK) {
        error = store_remove_file(&core->store, &file, &bucket);
    }
    if (error != SP_OK || bucket == 0) {
        return error == SP_ENOTFOUND ? SP_OK : error;
    }
    error = store_add_discard(&core->store, &file, bucket);
    return error != SP_OK ? error : publish_discard(core, &file, bucket);
}

static enum sp_error erase_event(struct core *core, int64_t log, const struct event_header *header)
{
    enum sp_error error = SP_OK;

    if (!event_is_erasable(header->kind)) {
        return SP_OK;
    }
    if (header->kind == EVENT_FILE) {
        error = erase_file(core, header);
    }
    core->retention.scrub = true;
    return error != SP_OK ? error : store_erase_event(&core->store, log, header->sequence);
}

/* Whether RULE keeps the event of HEADER, at WALL_MS, in a log that goes up to HEAD. */
static bool is_kept(const struct retention_rule *rule, const struct event_header *header,
                    uint64_t head, int64_t wall_ms)
{
    bool too_old = rule->seconds > 0 && header->time_ms < wall_ms - (int64_t)rule->seconds * 1000;
    bool too_far = rule->events > 0 && header->sequence + rule->events <= head;

    return !too_old && !too_far;
}

/* *COUNT is 1 if the next event of KEPT is to be erased, else 0: mostly there is none. */
static enum sp_error find_due(struct core *core, const struct kept_row *kept, int64_t wall_ms,
                              struct log_row **log, size_t *count)
{
    struct event_header next;
    enum sp_error error = cache_find_log(&core->cache, kept->log, log);

    *count = 0;
    if (error == SP_OK) {
        error = store_read_headers(&core->store, kept->log, kept->erased,
                                   (*log)->info.head_sequence, &next, 1, count);
    }
    if (error == SP_OK && *count > 0 &&
        is_kept(&kept->rule, &next, (*log)->info.head_sequence, wall_ms)) {
        *count = 0;
    }
    return error;
}

/* Up to LAST it is done; so many MESSAGES, files among them, were erased now. */
static enum sp_error finish(struct core *core, const struct kept_row *kept, struct log_row *log,
                            uint64_t last, uint64_t messages)
{
    enum sp_error error = store_set_erased(&core->store, kept->log, last);

    if (error == SP_OK) { /* whom they mentioned is of what they said */
        error = store_erase_mentions(&core->store, kept->log, last);
    }
    if (error != SP_OK) {
        return error;
    }
    cache_erased(&core->cache, log, messages);
    return publish(core, &(struct publication){
                             .kind = PUBLISH_ERASED,
                             .erased = {kept->log, kept->erased + 1, last},
                         });
}

/* What is next to be erased in one log, at most *BUDGET events of it, which is lowered. */
static enum sp_error erase_some(struct core *core, const struct kept_row *kept, int64_t wall_ms,
                                size_t *budget)
{
    struct event_header headers[READ_EVENTS];
    struct log_row *log = NULL;
    uint64_t last = kept->erased;
    uint64_t messages = 0;
    size_t count = 0;
    enum sp_error error = find_due(core, kept, wall_ms, &log, &count);
    bool more = error == SP_OK && count > 0;

    while (more && *budget > 0) {
        size_t capacity = *budget < READ_EVENTS ? *budget : READ_EVENTS;
        uint64_t head = log->info.head_sequence;
        size_t done = 0;
        error = store_read_headers(&core->store, kept->log, last, head, headers, capacity, &count);
        while (error == SP_OK && done < count &&
               !is_kept(&kept->rule, &headers[done], head, wall_ms)) {
            last = headers[done].sequence;
            messages += event_is_erasable(headers[done].kind) ? 1 : 0;
            error = erase_event(core, kept->log, &headers[done++]);
        }
        *budget -= done;
        more = error == SP_OK && done == capacity;
    }
    return error == SP_OK && last > kept->erased ? finish(core, kept, log, last, messages) : error;
}

/* Tells again of blobs that had to go when the server ended. */
static enum sp_error resume(struct core *core)
{
    struct retention *retention = &core->retention;
    struct discard_row row;
    int64_t last = retention->discard;
    enum sp_error error = SP_OK;

    for (size_t i = 0; error == SP_OK && i < STEP_DISCARDS; i++) {
        error = store_next_discard(&core->store, last, &row);
        if (error == SP_OK) {
            error = publish_discard(core, &row.file, row.bucket);
            last = row.number;
        }
    }
    retention->resumed = error == SP_ENOTFOUND;
    if (error == SP_OK || retention->resumed) {
        retention->discard = last; /* else nothing was published: all of them again */
    }
    return retention->resumed ? SP_OK : error;
}

/*
 * One step through the logs; *DONE: they have all had their turn. An error undoes all of the step:
 * the log it came from then has a step of its own, so that the others do not suffer from it.
 */
static enum sp_error step(struct core *core, int64_t wall_ms, bool *done)
{
    struct retention *retention = &core->retention;
    int64_t start = retention->log;
    struct kept_row kept;
    size_t budget = STEP_EVENTS;
    enum sp_error error = SP_OK;

    *done = false;
    for (size_t i = 0; error == SP_OK && i < STEP_LOGS; i++) {
        error = store_next_kept(&core->store, retention->log, &kept);
        if (error != SP_OK) {
            break;
        }
        bool is_first = budget == STEP_EVENTS; /* of those that had anything to be erased */
        if (!is_first && kept.log == retention->alone) {
            return SP_OK;
        }
        error = erase_some(core, &kept, wall_ms, &budget);
        if (error != SP_OK && !is_first) {
            retention->alone = kept.log;
            retention->log = start;
            return error;
        }
        if (error == SP_OK && budget == 0) {
            return SP_OK; /* the same log goes on */
        }
        retention->log = kept.log; /* on an error too: the others have their turn */
    }
    *done = error == SP_ENOTFOUND;
    if (*done) {
        retention->needed = retention->log != 0;
        retention->log = 0;
    }
    return *done ? SP_OK : error;
}

enum sp_error handle_erase(struct core *core, const struct command *command, struct reply *reply)
{
    struct retention *retention = &core->retention;
    bool done = false;
    enum sp_error error =
        retention->resumed ? step(core, command->received_ms, &done) : resume(core);

    (void)reply;
    if (error != SP_OK) {
        log_line(core->log, LOG_ERROR, "event=erasing-failed log=%lld error=%s",
                 (long long)retention->log, sp_error_name(error));
    }
    /* Until it is committed, and it may be that it cannot be: with a full disk, say. */
    retention->due_ms = command->erase_ms + PASS_MS;
    retention->more = !done && error == SP_OK;
    return error;
}

void retention_stepped(struct core *core, int64_t now_ms)
{
    if (core->retention.more) {
        core->retention.due_ms = now_ms + PAUSE_MS;
    }
}

enum sp_error handle_discarded(struct core *core, const struct command *command,
                               struct reply *reply)
{
    (void)reply;
    return store_remove_discard(&core->store, &command->file.file, command->file.bucket);
}
