/* Which logs chat sees the events of, and how far; so that it can go on after a lost connection. */
#include <stdlib.h>
#include <string.h>

#include "cli/chat.h"

struct followed *followed_find(struct chat *chat, const char *log)
{
    struct followed *followed = chat->followed;

    while (followed != NULL && strcmp(followed->log, log) != 0) {
        followed = followed->next;
    }
    return followed;
}

void followed_add(struct chat *chat, const struct task *task, const struct sp_notice *notice)
{
    struct followed *followed = followed_find(chat, notice->log.name);

    if (followed == NULL) {
        followed = calloc(1, sizeof(*followed));
        if (followed == NULL) { /* it is shown, but not asked for again after a lost connection */
            return;
        }
        (void)snprintf(followed->log, sizeof(followed->log), "%s", notice->log.name);
        followed->next = chat->followed;
        chat->followed = followed;
        followed->is_room = notice->log.kind == SP_LOG_ROOM;
        read_begin(chat, followed,
                   task->only_new ? notice->log.head_sequence + 1 : notice->sequence);
    }
    memcpy(followed->id, notice->log.id, sizeof(followed->id));
    followed->last = notice->sequence > 0 ? notice->sequence - 1 : 0;
    followed->hidden = task->only_new ? notice->log.head_sequence : 0;
}

void followed_remove(struct chat *chat, const char *log)
{
    struct followed *followed = followed_find(chat, log);
    struct followed **at = &chat->followed;

    if (followed == NULL) {
        return;
    }
    while (*at != followed) {
        at = &(*at)->next;
    }
    *at = followed->next;
    free(followed);
}

/* Whether it is asked for already. */
static bool is_asked_for(const struct chat *chat, const char *log)
{
    for (const struct task *task = chat->tasks; task != NULL; task = task->next) {
        if (task->kind == TASK_FOLLOW && strcmp(task->log, log) == 0) {
            return true;
        }
    }
    return false;
}

void followed_resume(struct chat *chat)
{
    for (const struct followed *at = chat->followed; at != NULL; at = at->next) {
        struct task *task =
            is_asked_for(chat, at->log) ? NULL : task_new(chat, TASK_FOLLOW, at->log);

        if (task != NULL) {
            task->after = at->last > at->hidden ? at->last : at->hidden;
            task->silent = true;
            task_hurry(chat, task); /* an unfollow that waits is to find it followed */
        }
    }
}

void followed_free(struct chat *chat)
{
    while (chat->followed != NULL) {
        struct followed *next = chat->followed->next;

        free(chat->followed);
        chat->followed = next;
    }
}
