/* What chat has shown on a terminal is read: it tells the server, but not for each line. */
#include "cli/chat.h"

#define MARK_INTERVAL_MS 1000

void read_shown(struct chat *chat, struct followed *followed, uint64_t sequence)
{
    if (!chat->marks || !followed->is_room) {
        return;
    }
    followed->shown = sequence;
    if (chat->mark_at_ms == 0) {
        chat->mark_at_ms = clock_monotonic_ms(chat->cli->out.clock) + MARK_INTERVAL_MS;
    }
}

/* Whether there was room for all that there is to tell. */
static bool tell(struct chat *chat)
{
    for (struct followed *at = chat->followed; at != NULL; at = at->next) {
        uint32_t request = 0; /* nobody waits for the answer */

        if (at->shown > at->marked) {
            enum sp_error error =
                sp_mark_read(chat->cli->session.client, at->log, at->shown, &request);
            if (error != SP_OK) {
                return false;
            }
            at->marked = at->shown;
        }
    }
    return true;
}

void read_tell(struct chat *chat)
{
    int64_t now_ms = clock_monotonic_ms(chat->cli->out.clock);

    if (chat->mark_at_ms == 0 || now_ms < chat->mark_at_ms || !chat->cli->session.online) {
        return;
    }
    chat->mark_at_ms = tell(chat) ? 0 : now_ms + MARK_INTERVAL_MS;
}

void read_tell_last(struct chat *chat)
{
    if (chat->cli->session.online) {
        (void)tell(chat); /* it has been seen all the same */
    }
}

int read_timeout_ms(const struct chat *chat)
{
    int64_t left_ms = chat->mark_at_ms - clock_monotonic_ms(chat->cli->out.clock);

    if (chat->mark_at_ms == 0) {
        return -1;
    }
    return left_ms > 0 ? (int)left_ms : 0;
}

void read_disconnected(struct chat *chat)
{
    for (struct followed *at = chat->followed; at != NULL; at = at->next) {
        at->marked = 0; /* what was told last may not have arrived */
    }
    chat->mark_at_ms = chat->marks && chat->mark_at_ms == 0 ? 1 : chat->mark_at_ms;
}
