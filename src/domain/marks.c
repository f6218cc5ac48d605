#include "domain/marks.h"

#include <stdlib.h>

#include "base/mention.h"
#include "domain/store_team.h"

static struct read_state state_of(const struct log_row *log, const struct mark *mark)
{
    return (struct read_state){
        .log = log->info,
        .sequence = mark->sequence,
        .unread = store_count_unread(log, mark->messages),
        .mentions = mark->mentions,
    };
}

/* For all sessions of MEMBER. */
static enum sp_error publish(struct core *core, int64_t member, const struct read_state *state)
{
    struct publication *publication = calloc(1, sizeof *publication);
    struct read_state *copy = malloc(sizeof *copy);

    if (publication == NULL || copy == NULL) {
        free(copy);
        free(publication);
        return SP_ENOMEM;
    }
    *copy = *state;
    publication->kind = PUBLISH_READ_STATE;
    publication->read.member = member;
    publication->read.state = copy;
    core_publish(core, publication);
    return SP_OK;
}

/* What LOG has up to SEQUENCE is read. */
static enum sp_error move_mark(struct core *core, const struct log_row *log, int64_t member,
                               uint64_t sequence, struct mark *mark)
{
    struct mark moved = *mark;
    enum sp_error error = SP_OK;

    moved.sequence = sequence;
    moved.messages = log->messages;
    if (sequence < log->info.head_sequence) {
        error = store_count_messages(&core->store, log->info.number, sequence, &moved.messages);
    }
    if (error == SP_OK) {
        error = store_set_mark(&core->store, log->info.number, member, sequence);
    }
    if (error == SP_OK) {
        core->cache.changed = true;
        *mark = moved;
    }
    return error;
}

static enum sp_error remove_mentions(struct core *core, const struct log_row *log, int64_t member,
                                     uint64_t sequence, struct mark *mark)
{
    enum sp_error error = store_remove_mentions(&core->store, log->info.number, member, sequence);

    return error != SP_OK
               ? error
               : store_count_mentions(&core->store, log->info.number, member, &mark->mentions);
}

enum sp_error handle_mark_read(struct core *core, const struct command *command,
                               struct reply *reply)
{
    int64_t member = command->actor.member;
    uint64_t sequence = command->read_up_to;
    struct log_row *log = NULL;
    struct mark *mark = NULL;
    enum sp_error error = core_find_log(core, command, RIGHT_MARK, &log);

    if (error == SP_OK) {
        error = cache_find_mark(&core->cache, log, member, &mark);
    }
    if (error != SP_OK) {
        return error;
    }
    sequence = sequence < log->info.head_sequence ? sequence : log->info.head_sequence;
    bool moves = sequence > mark->sequence;
    if (moves) {
        error = move_mark(core, log, member, sequence, mark);
    }
    if (error == SP_OK && moves && mark->mentions > 0) {
        error = remove_mentions(core, log, member, sequence, mark);
    }
    reply->read_state = state_of(log, mark);
    if (error == SP_OK && moves) {
        error = publish(core, member, &reply->read_state);
    }
    reply->kind = error == SP_OK ? REPLY_READ_STATE : REPLY_ERROR;
    return error;
}

/* The last message of LOG mentions the member NAME, if there is one, and it is in the room. */
static enum sp_error note_mention(struct core *core, const struct command *command,
                                  const struct log_row *log, const char *name)
{
    struct member_row member;
    struct mark *mark = NULL;
    enum sp_error error = store_find_member(&core->store, name, &member);

    if (error != SP_OK || member.number == command->actor.member) {
        return error == SP_ENOTFOUND ? SP_OK : error;
    }
    error = cache_find_mark(&core->cache, log, member.number, &mark);
    if (error != SP_OK) {
        return error == SP_ENOTJOINED ? SP_OK : error;
    }
    if (mark->mentions >= LIMIT_UNREAD_MENTIONS) {
        return SP_OK;
    }
    error =
        store_add_mention(&core->store, log->info.number, member.number, log->info.head_sequence);
    if (error != SP_OK) {
        return error;
    }
    core->cache.changed = true;
    mark->mentions++;
    struct read_state state = state_of(log, mark);
    return publish(core, member.number, &state);
}

enum sp_error marks_posted(struct core *core, const struct command *command, struct log_row *log,
                           struct slice text)
{
    struct mentions mentions;
    struct mark *mark = NULL;
    enum sp_error error = SP_OK;

    if (log->info.kind != LOG_KIND_OPEN) {
        return SP_OK; /* boxes have no read state */
    }
    error = cache_find_mark(&core->cache, log, command->actor.member, &mark);
    /* One: the message itself. */
    if (error == SP_OK && store_count_unread(log, mark->messages) == 1) {
        error = move_mark(core, log, command->actor.member, log->info.head_sequence, mark);
    }
    if (error != SP_OK) {
        return error;
    }
    mentions_find((const char *)text.data, text.size, &mentions);
    for (size_t i = 0; error == SP_OK && i < mentions.count; i++) {
        error = note_mention(core, command, log, mentions.names[i]);
    }
    return error;
}
