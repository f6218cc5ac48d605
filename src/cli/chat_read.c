/*
 * What chat has shown on a terminal is read: it tells the server, but not for each line. Only what
 * joins on to what was read before: a room of which more is unread than is shown stays unread until
 * the user says otherwise.
 */
#include <inttypes.h>

#include "cli/chat.h"

#define MARK_INTERVAL_MS 1000
#define LAST_WORDS_MS 200 /* what a user waits after ^C */

static void wake(struct chat *chat, int64_t in_ms)
{
    if (chat->mark_at_ms == 0) {
        chat->mark_at_ms = clock_monotonic_ms(chat->cli->out.clock) + in_ms;
    }
}

void read_begin(struct chat *chat, struct followed *followed, uint64_t first)
{
    followed->first = first;
    wake(chat, 0);
}

void read_shown(struct chat *chat, struct followed *followed, uint64_t sequence)
{
    followed->first = followed->first == 0 ? sequence : followed->first;
    followed->shown = sequence;
    wake(chat, MARK_INTERVAL_MS);
}

/* What is to be told of FOLLOWED, or first asked: where its marker is. */
static enum sp_error tell_of(struct chat *chat, struct followed *followed)
{
    struct sp_client *client = chat->cli->session.client;
    uint32_t request = 0; /* nobody waits for the answer */
    enum sp_error error = SP_OK;

    if (!followed->is_room) {
        return SP_OK;
    }
    if (!followed->is_known) {
        return followed->asking != 0 ? SP_OK
                                     : sp_mark_read(client, followed->log, 0, &followed->asking);
    }
    if (!followed->has_gap && followed->shown > followed->marked) {
        error = sp_mark_read(client, followed->log, followed->shown, &request);
        followed->marked = error == SP_OK ? followed->shown : followed->marked;
    }
    return error;
}

/* Whether there was room for all that there is to tell. */
static bool tell(struct chat *chat)
{
    enum sp_error error = SP_OK;

    for (struct followed *at = chat->followed; at != NULL && error == SP_OK; at = at->next) {
        error = tell_of(chat, at);
    }
    return error == SP_OK;
}

void read_tell(struct chat *chat)
{
    int64_t now_ms = clock_monotonic_ms(chat->cli->out.clock);

    if (!chat->marks || chat->mark_at_ms == 0 || now_ms < chat->mark_at_ms ||
        !chat->cli->session.online) {
        return;
    }
    chat->mark_at_ms = tell(chat) ? 0 : now_ms + MARK_INTERVAL_MS;
}

void read_tell_last(struct chat *chat)
{
    if (!chat->marks || chat->mark_at_ms == 0 || !chat->cli->session.online) {
        return;
    }
    (void)tell(chat); /* it has been seen all the same */
    if (*chat->cli->stop != 0) {
        sp_goodbye(chat->cli->session.client, LAST_WORDS_MS); /* else there is time for it anyway */
    }
}

int read_timeout_ms(const struct chat *chat)
{
    int64_t left_ms = chat->mark_at_ms - clock_monotonic_ms(chat->cli->out.clock);

    if (!chat->marks || chat->mark_at_ms == 0) {
        return -1;
    }
    return left_ms > 0 ? (int)left_ms : 0;
}

bool read_take(struct chat *chat, const struct sp_notice *notice)
{
    struct followed *at = chat->followed;

    while (at != NULL && (at->asking == 0 || at->asking != notice->request)) {
        at = at->next;
    }
    if (at == NULL || notice->type != SP_NOTICE_RESULT) {
        return false;
    }
    at->asking = 0;
    at->is_known = notice->error == SP_OK;
    /* Refused: the server is older than this, or we are out; then there is nothing to mark. */
    at->is_room = sp_error_class(notice->error) != SP_CLASS_REFUSED;
    at->has_gap = at->is_known && notice->read.unread > 0 && notice->read.sequence + 1 < at->first;
    if (at->has_gap) {
        say_note(&chat->cli->out,
                 "%" PRIu64 " unread in %s, not all of it shown here: sealpost log --unread %s;"
                 " /read marks it",
                 notice->read.unread, at->log, at->log);
    }
    wake(chat, MARK_INTERVAL_MS);
    return true;
}

void read_came(struct chat *chat, const char *log, const struct sp_read_state *read)
{
    struct followed *followed = followed_find(chat, log);

    if (followed != NULL && read->sequence + 1 >= followed->first) {
        followed->has_gap = false; /* it was read on another device, or by /read */
        wake(chat, MARK_INTERVAL_MS);
    }
}

void read_disconnected(struct chat *chat)
{
    for (struct followed *at = chat->followed; at != NULL; at = at->next) {
        at->asking = 0;
        at->is_known = false; /* much may have been read elsewhere meanwhile */
        at->marked = 0;       /* what was told last may not have arrived */
    }
    wake(chat, 0);
}

void read_restored(struct chat *chat)
{
    for (struct followed *at = chat->followed; at != NULL; at = at->next) {
        at->first = 0;
        at->shown = 0; /* it may be beyond what is there now */
        at->marked = 0;
    }
}
