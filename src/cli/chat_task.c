#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/name.h"
#include "cli/chat.h"

#define BUSY_MS 200

struct task *task_new(struct chat *chat, enum task_kind kind, const char *log)
{
    struct task *task = calloc(1, sizeof(*task));
    struct task **at = &chat->tasks;

    if (task == NULL) {
        say_error(&chat->cli->out, "%s", sp_error_text(SP_ENOMEM));
        return NULL;
    }
    task->kind = kind;
    task->action.fd = -1;
    (void)snprintf(task->log, sizeof(task->log), "%s", log);
    task->action.log = task->log;
    task->target.log = task->log;
    sp_once_new(&task->action.once);
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = task;
    chat->task_count++;
    return task;
}

enum sp_error task_set_text(struct task *task, const char *text, size_t size)
{
    task->text = malloc(size + 1);
    if (task->text == NULL) {
        return SP_ENOMEM;
    }
    memcpy(task->text, text, size);
    task->text[size] = '\0';
    task->action.text = task->text;
    task->action.size = size;
    return SP_OK;
}

enum sp_error task_open_file(struct task *task, const char *path, const char *name, char *text,
                             size_t capacity)
{
    const char *slash = strrchr(path, '/');
    struct stat status;

    text[0] = '\0';
    name = name != NULL ? name : slash == NULL ? path : slash + 1;
    if (name_check_file(name, strlen(name)) != SP_OK) {
        return SP_ENAME;
    }
    /* Not to hang on a pipe that nobody writes to; reading a regular file is not changed by it. */
    task->action.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (task->action.fd < 0) {
        (void)snprintf(text, capacity, "%.400s: %s", path,
                       strerror(errno)); /* NOLINT(concurrency-mt-unsafe): there is one thread */
        return SP_EFILE;
    }
    if (fstat(task->action.fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)snprintf(text, capacity, "%.400s is not a regular file", path);
        return SP_EFILE;
    }
    task->path = strdup(path);
    return task->path == NULL ? SP_ENOMEM : task_set_text(task, name, strlen(name));
}

static void unlink_task(struct chat *chat, const struct task *task)
{
    struct task **at = &chat->tasks;

    while (*at != NULL && *at != task) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = task->next;
        chat->task_count--;
    }
}

void task_hurry(struct chat *chat, struct task *task)
{
    unlink_task(chat, task);
    task->next = chat->tasks;
    chat->tasks = task;
    chat->task_count++;
}

static void task_free(struct task *task)
{
    if (task->action.fd >= 0) {
        (void)close(task->action.fd);
    }
    free(task->path);
    free(task->text);
    free(task);
}

/* TASK is over; NOTICE is its result, if there is one. */
static void finish(struct chat *chat, struct task *task, enum sp_error error, const char *text,
                   const struct sp_notice *notice)
{
    unlink_task(chat, task);
    keep_settle(chat->cli, task->number, task->kept, error, notice);
    chat->face->done(chat, task, error, text[0] == '\0' ? sp_error_text(error) : text, notice);
    task_free(task);
}

void task_refuse(struct chat *chat, struct task *task, enum sp_error error, const char *text)
{
    finish(chat, task, error, text, NULL);
}

void tasks_are_not_kept(struct chat *chat)
{
    for (struct task *task = chat->tasks; task != NULL; task = task->next) {
        if (task->request == 0 && task->fresh) {
            task->number = 0;
        }
    }
}

/* Whatever has ended it all: what is in the outbox stays there. */
void tasks_fail(struct chat *chat, enum sp_error error, const char *text)
{
    while (chat->tasks != NULL) {
        chat->tasks->kept = chat->tasks->number > 0;
        finish(chat, chat->tasks, error, text, NULL);
    }
}

void task_keep(struct chat *chat, struct task *task)
{
    struct cli *cli = chat->cli;
    enum sp_error error = SP_OK;

    if (cli->store == NULL) {
        return;
    }
    error = sp_outbox_keep_message(cli->store, task->log, &task->action.once, task->text,
                                   task->action.size, &task->number);
    task->fresh = true;
    if (error != SP_OK && error != SP_ETOOLARGE) { /* that the server says */
        say_warning(&cli->out, "it cannot be kept in the outbox: %s", sp_error_text(error));
    }
}

struct drain {
    struct chat *chat;
    uint64_t own; /* of tasks, that were sent */
};

static void on_entry(void *context, const struct sp_outbox_entry *entry, enum sp_error error,
                     const struct sp_notice *result)
{
    struct drain *drain = context;
    struct task *task = drain->chat->tasks;

    while (task != NULL && task->number != entry->number) {
        task = task->next;
    }
    if (task == NULL) {
        keep_say_entry(drain->chat->cli, entry, error, result);
    } else if (error == SP_OK || sp_error_class(error) == SP_CLASS_REFUSED) {
        drain->own += error == SP_OK ? 1 : 0;
        finish(drain->chat, task, error, result->text, result);
    }
}

enum sp_error tasks_drain(struct chat *chat, sp_notice_fn other)
{
    struct session *session = &chat->cli->session;
    struct drain mine = {.chat = chat};
    struct sp_drained drained;
    const struct sp_drain drain = {.timeout_ms = session->timeout_ms,
                                   .stop = session->stop,
                                   .fn = on_entry,
                                   .context = &mine,
                                   .other = other,
                                   .other_context = chat};

    enum sp_error error = SP_OK;

    chat->drain_due = false;
    if (chat->cli->store != NULL) {
        error = sp_outbox_drain(session->client, chat->cli->store, &drain, &drained);
        if (error == SP_OK || drained.sent > 0) {
            keep_say_sent(chat->cli, drained.sent - mine.own);
        } /* what could not be sent is asked for again: by its task, or at the next login */
    }
    return error;
}

void tasks_free(struct chat *chat)
{
    while (chat->tasks != NULL) {
        struct task *task = chat->tasks;

        unlink_task(chat, task);
        task_free(task);
    }
}

/* A file may take long: what comes behind it does not wait. */
static bool is_transfer(const struct task *task)
{
    return task->kind == TASK_ACTION && task->action.kind == ACTION_SEND;
}

static enum sp_error ask(struct chat *chat, struct task *task)
{
    struct sp_client *client = chat->cli->session.client;
    const char *log = task->log[0] == '\0' ? NULL : task->log;
    struct sp_follow follow = {.after = task->after, .last = task->last, .live = true};
    const struct followed *followed = NULL;

    switch (task->kind) {
    case TASK_ACTION:
        task->looking = is_transfer(task) && !task->looked;
        return task->looking ? sp_list_logs(client, &task->request)
                             : action_start(&task->action, client, &task->request);
    case TASK_FOLLOW:
        follow.last = task->only_new ? 1 : task->last;
        return sp_follow(client, task->log, &follow, &task->request);
    case TASK_UNFOLLOW:
        followed = followed_find(chat, task->log);
        return followed == NULL ? SP_ENOTFOUND : sp_unfollow(client, followed->id, &task->request);
    case TASK_LOGS:
        return sp_list_logs(client, &task->request);
    case TASK_MEMBERS:
        return sp_list_members(client, log, &task->request);
    case TASK_FILES:
        return sp_list_files(client, log, &task->request);
    }
    return SP_EINVALID;
}

/* The other commands follow each other at the server; but unfollow needs what follow is answered.
 */
static bool is_behind_follow(const struct chat *chat, const struct task *task)
{
    const struct task *before = chat->tasks;

    while (before != task && (before->kind != TASK_FOLLOW || strcmp(before->log, task->log) != 0)) {
        before = before->next;
    }
    return before != task;
}

/* Asks for TASK; false when what stands behind it has to wait, too, since the order is the user's.
 */
static bool start(struct chat *chat, struct task *task, int64_t now_ms)
{
    enum sp_error error = SP_EBUSY;

    if (task->kind == TASK_UNFOLLOW && is_behind_follow(chat, task)) {
        return false;
    }
    if (task->not_before_ms <= now_ms) {
        error = ask(chat, task);
    }
    if (error == SP_EBUSY) {
        task->not_before_ms = task->not_before_ms > now_ms ? task->not_before_ms : now_ms + BUSY_MS;
        return is_transfer(task);
    }
    if (error != SP_OK && error != SP_EDISCONNECTED) {
        task_refuse(chat, task, error, sp_client_reason(chat->cli->session.client));
    }
    return true;
}

void tasks_start(struct chat *chat)
{
    int64_t now_ms = clock_monotonic_ms(chat->cli->out.clock);
    size_t waiting = 0; /* for their answers */
    struct task *next = NULL;

    for (struct task *task = chat->tasks; task != NULL && chat->cli->session.online; task = next) {
        bool counted = !is_transfer(task);

        next = task->next;
        if (task->request == 0 &&
            ((counted && waiting >= chat->window) || !start(chat, task, now_ms))) {
            return;
        }
        waiting += counted ? 1 : 0;
    }
}

int tasks_timeout_ms(const struct chat *chat)
{
    int64_t now_ms = clock_monotonic_ms(chat->cli->out.clock);
    int timeout = -1;

    for (const struct task *task = chat->tasks; task != NULL; task = task->next) {
        if (task->request == 0 && task->not_before_ms > now_ms &&
            (timeout < 0 || task->not_before_ms - now_ms < timeout)) {
            timeout = (int)(task->not_before_ms - now_ms);
        }
    }
    return timeout;
}

static struct task *find_request(const struct chat *chat, uint32_t request)
{
    struct task *task = chat->tasks;

    while (task != NULL && (task->request == 0 || task->request != request)) {
        task = task->next;
    }
    return task;
}

/* Whether TASK is to be asked for again after ERROR. */
static bool take_again(struct chat *chat, struct task *task, enum sp_error error)
{
    if (!error_is_passing(error)) {
        return false;
    }
    if (sp_error_class(error) == SP_CLASS_UNKNOWN) {
        task->maybe_done = task->kind == TASK_ACTION && !task->looking;
        if (!action_is_repeatable(&task->action)) {
            return false;
        }
    }
    task->request = 0;
    task->rows = 0;
    task->not_before_ms = clock_monotonic_ms(chat->cli->out.clock) + BUSY_MS;
    return true;
}

/* What the target of a file is has been answered: now the file itself, or not at all. */
static void look(struct chat *chat, struct task *task)
{
    char text[SESSION_TEXT_BYTES] = "";
    enum sp_error error = target_judge(&task->target, task->path, text, sizeof(text));

    task->looking = false;
    task->looked = true;
    task->request = 0;
    if (error != SP_OK) {
        task_refuse(chat, task, error, text);
    }
}

bool tasks_take(struct chat *chat, const struct sp_notice *notice)
{
    struct task *task = find_request(chat, notice->request);

    if (task == NULL) {
        return false;
    }
    if (notice->type == SP_NOTICE_ROW && task->looking) {
        target_take_row(&task->target, &notice->row);
        return true;
    }
    if (notice->type == SP_NOTICE_ROW) {
        task->rows++;
        chat->face->row(chat, task, &notice->row);
        return true;
    }
    if (notice->type != SP_NOTICE_RESULT || take_again(chat, task, notice->error)) {
        return true;
    }
    if (task->looking && notice->error == SP_OK) {
        look(chat, task);
        return true;
    }
    if (notice->error == SP_OK || sp_error_class(notice->error) == SP_CLASS_REFUSED) {
        task->maybe_done = false;
    }
    if (notice->error == SP_OK && task->kind == TASK_FOLLOW) {
        followed_add(chat, task, notice);
    } else if (notice->error == SP_OK && task->kind == TASK_UNFOLLOW) {
        followed_remove(chat, task->log);
    }
    finish(chat, task, notice->error, notice->text, notice);
    return true;
}

void tasks_disconnected(struct chat *chat)
{
    for (struct task *task = chat->tasks; task != NULL; task = task->next) {
        if (task->request != 0) {
            task->maybe_done = task->kind == TASK_ACTION && !task->looking;
            task->request = 0;
        }
    }
}
