/* chat for people: lines typed, lines shown. A text that could not be posted is shown again. */
#include <string.h>

#include "base/name.h"
#include "cli/chat.h"
#include "cli/chat_parse.h"
#include "cli/show.h"

#define WORD_BYTES 64

/* What failed decides the exit code, unless somebody was there to see it. */
static void keep_code(struct chat *chat, int code)
{
    if (!chat->interactive) {
        chat->code = code;
    }
}

/* Fails the line that was typed, before anything was asked of the server. */
static void refuse(struct chat *chat, const char *text, size_t size, const char *why)
{
    say_error(&chat->cli->out, "not posted: %s", why);
    say_text(&chat->cli->out, text, size);
    keep_code(chat, EXIT_USAGE);
}

/* Whether there is a room that lines go to; if not, WHY. */
static bool may_talk(const struct chat *chat, char *why, size_t capacity)
{
    if (chat->room[0] == '\0') {
        (void)snprintf(why, capacity, "no room is chosen; /join ROOM");
    } else if (chat->gone) {
        (void)snprintf(why, capacity, "you are not in %s any more; /join %s", chat->room,
                       chat->room);
    }
    return chat->room[0] != '\0' && !chat->gone;
}

static void post(struct chat *chat, const char *text, size_t size)
{
    struct task *task = NULL;

    char why[WORD_BYTES + 2 * LIMIT_LOG_NAME_BYTES];

    if (!may_talk(chat, why, sizeof(why))) {
        refuse(chat, text, size, why);
        return;
    }
    if (name_check_text(text, size) != SP_OK) {
        refuse(chat, text, size, "it is not valid UTF-8");
        return;
    }
    task = task_new(chat, TASK_ACTION, chat->room);
    if (task == NULL || task_set_text(task, text, size) != SP_OK) {
        refuse(chat, text, size, sp_error_text(SP_ENOMEM));
        return;
    }
    task->action.kind = ACTION_POST;
    if (size <= chat->cli->session.text_bytes) {
        task_keep(chat, task);
    }
    if (size > chat->cli->session.text_bytes) {
        task_refuse(chat, task, SP_ETOOLARGE, "");
    } else if (!chat->cli->session.online) {
        say_note(&chat->cli->out, "not connected; it is posted as soon as that is possible%s",
                 task->number > 0 ? ", and kept in the outbox until then" : "");
    }
}

static void start_action(struct chat *chat, enum action_kind kind, const char *room,
                         const char *text)
{
    struct task *task = task_new(chat, TASK_ACTION, room);

    if (task == NULL) {
        return;
    }
    task->action.kind = kind;
    if (text != NULL && task_set_text(task, text, strlen(text)) != SP_OK) {
        task_refuse(chat, task, SP_ENOMEM, "");
    }
}

/* All that was there when it was typed: what comes in between is shown, or is not. */
static void mark_read(struct chat *chat, const char *room)
{
    const struct followed *followed = followed_find(chat, room);
    struct task *task = task_new(chat, TASK_ACTION, room);

    if (task != NULL) {
        task->action.kind = ACTION_READ;
        task->action.sequence = followed != NULL ? followed->last : LIMIT_SEQUENCE;
    }
}

static void send_file(struct chat *chat, const char *path)
{
    char text[SESSION_TEXT_BYTES];
    struct task *task = task_new(chat, TASK_ACTION, chat->room);
    enum sp_error error = SP_OK;

    if (task != NULL) {
        task->action.kind = ACTION_SEND;
        error = task_open_file(task, path, NULL, text, sizeof(text));
        if (error != SP_OK) {
            task_refuse(chat, task, error, text);
        }
    }
}

static void show_help(struct chat *chat)
{
    const char *line = NULL;

    for (size_t i = 0; (line = chat_help_line(i)) != NULL; i++) {
        say_note(&chat->cli->out, "%s", line);
    }
}

/* The room that the command is about: its argument, or where we are; NULL after it was said why. */
static const char *choose_room(struct chat *chat, const char *argument)
{
    const char *room = log_name_of(argument);
    char why[WORD_BYTES + 2 * LIMIT_LOG_NAME_BYTES];

    if (argument[0] == '\0' && may_talk(chat, why, sizeof(why))) {
        return chat->room;
    }
    if (argument[0] == '\0') {
        say_error(&chat->cli->out, "%s", why);
    } else if (room == NULL) {
        say_error(&chat->cli->out, "'%s' is not a name of a room", argument);
    }
    return room;
}

static void run_in_room(struct chat *chat, enum chat_verb verb, const char *room,
                        const char *argument)
{
    switch (verb) {
    case CHAT_JOIN:
        start_action(chat, ACTION_JOIN, room, NULL);
        break;
    case CHAT_LEAVE:
        start_action(chat, ACTION_LEAVE, room, NULL);
        break;
    case CHAT_MEMBERS:
        (void)task_new(chat, TASK_MEMBERS, room);
        break;
    case CHAT_FILES:
        (void)task_new(chat, TASK_FILES, room);
        break;
    case CHAT_TOPIC:
        if (argument[0] == '\0') {
            (void)task_new(chat, TASK_LOGS, room);
        } else {
            start_action(chat, ACTION_TOPIC, room, argument);
        }
        break;
    case CHAT_READ:
        mark_read(chat, room);
        break;
    case CHAT_SEND:
        send_file(chat, argument);
        break;
    default:
        break;
    }
}

static void run_command(struct chat *chat, const struct chat_input *input, const char *argument)
{
    bool names_room = input->verb != CHAT_TOPIC && input->verb != CHAT_SEND;
    const char *room = NULL;

    switch (input->verb) {
    case CHAT_HELP:
        show_help(chat);
        break;
    case CHAT_ROOMS:
        (void)task_new(chat, TASK_LOGS, "");
        break;
    case CHAT_QUIT:
        chat->reading = false;
        break;
    default:
        room = choose_room(chat, names_room ? argument : "");
        if (room != NULL) {
            run_in_room(chat, input->verb, room, argument);
        }
        break;
    }
}

static void on_line(struct chat *chat, char *line, size_t size)
{
    struct chat_input input;
    char argument[SETTINGS_PATH_BYTES];

    chat_parse(line, size, &input);
    if (input.verb == CHAT_NOTHING) {
        return;
    }
    if (!chat->commands) { /* others may have written it: it is text and nothing else */
        post(chat, line, size);
        return;
    }
    if (input.verb == CHAT_TEXT) {
        post(chat, input.text, input.size);
        return;
    }
    if (input.verb == CHAT_UNKNOWN) {
        say_error(&chat->cli->out, "there is no command '/%.*s' here, and nothing was posted",
                  (int)(input.size < WORD_BYTES ? input.size : WORD_BYTES), input.text);
        say_hint(&chat->cli->out, "/help lists the commands; '//text' posts '/text'");
        return;
    }
    if (input.mistake != NULL) {
        say_error(&chat->cli->out, "that command %s", input.mistake);
        return;
    }
    if (input.size >= sizeof(argument) || name_check_text(input.text, input.size) != SP_OK) {
        say_error(&chat->cli->out, "what stands behind the command is too long or not UTF-8");
        return;
    }
    memcpy(argument, input.text, input.size);
    argument[input.size] = '\0';
    run_command(chat, &input, argument);
}

static void on_line_too_long(struct chat *chat)
{
    say_error(&chat->cli->out, "a line was too long and was not posted; send it as a file");
    keep_code(chat, sp_error_exit_code(SP_ETOOLARGE));
}

static void on_line_cut(struct chat *chat, const char *line, size_t size)
{
    say_error(&chat->cli->out,
              "not posted: a line on a terminal holds %d bytes, and the rest of "
              "this one is lost",
              TERMINAL_LINE_BYTES);
    say_beginning(&chat->cli->out, line, size);
    say_hint(&chat->cli->out, "put it into a file, and: sealpost say %s - < FILE",
             chat->room[0] == '\0' ? "ROOM" : chat->room);
    keep_code(chat, sp_error_exit_code(SP_ETOOLARGE));
}

static const char *failure_of(const struct task *task)
{
    static const char *const words[] = {
        [ACTION_ROOM_CREATE] = "cannot make", [ACTION_BOX_CREATE] = "cannot make",
        [ACTION_JOIN] = "cannot come into",   [ACTION_LEAVE] = "cannot leave",
        [ACTION_TOPIC] = "no new topic in",   [ACTION_POST] = "not posted to",
        [ACTION_SEND] = "not sent to",        [ACTION_READ] = "not marked as read:",
    };

    if (task->kind == TASK_ACTION) {
        return task->maybe_done ? "not known to be done in" : words[task->action.kind];
    }
    return task->kind == TASK_FOLLOW ? "cannot read" : "cannot list";
}

static void on_failure(struct chat *chat, const struct task *task, enum sp_error error,
                       const char *text)
{
    struct session *session = &chat->cli->session;
    int code = 0;

    session_keep_text(session, text);
    if (task->kept) {
        char what[WORD_BYTES + LIMIT_LOG_NAME_BYTES];

        (void)snprintf(what, sizeof(what), "not posted to %s yet", task->log);
        code = keep_say_kept(chat->cli, task->number, error, what);
        if (chat->code == 0 || chat->code == sp_error_exit_code(SP_EUNREACHABLE)) {
            keep_code(chat, code); /* what has ended it all says more */
        }
        return;
    }
    session->unknown = task->maybe_done;
    code = keep_fail(chat->cli, error, task->log, failure_of(task), task->log);
    session->unknown = false;
    keep_code(chat, code);
    if (error == SP_ENOTJOINED && strcmp(task->log, chat->room) == 0) {
        chat->gone = true;
        followed_remove(chat, task->log);
    }
    if (task->text != NULL) {
        say_text(&chat->cli->out, task->text, strlen(task->text));
    }
    if (task->first) {
        chat->code = code;
        chat->quit = true;
    }
}

/* We are in ROOM now: lines go there, and its events are shown. */
static void enter(struct chat *chat, const char *room)
{
    struct task *task = NULL;

    (void)snprintf(chat->room, sizeof(chat->room), "%s", room);
    chat->gone = false;
    say_note(&chat->cli->out, "you are in %s", room);
    if (followed_find(chat, room) == NULL) {
        task = task_new(chat, TASK_FOLLOW, room);
    }
    if (task != NULL) {
        task->last = chat->recent;
        task->only_new = chat->recent == 0;
        task->silent = true;
    }
}

static void on_done(struct chat *chat, struct task *task, enum sp_error error, const char *text,
                    const struct sp_notice *notice)
{
    (void)notice;
    if (error != SP_OK) {
        on_failure(chat, task, error, text);
    } else if (task->kind == TASK_ACTION && task->action.kind == ACTION_JOIN) {
        enter(chat, task->log);
    } else if (task->kind == TASK_ACTION && task->action.kind == ACTION_LEAVE) {
        say_note(&chat->cli->out, "you have left %s", task->log);
        followed_remove(chat, task->log);
        if (strcmp(chat->room, task->log) == 0) {
            chat->room[0] = '\0';
        }
    } else if (task->kind == TASK_ACTION && task->action.kind == ACTION_READ) {
        say_note(&chat->cli->out, "%s is marked as read", task->log);
    } else if (task->kind == TASK_LOGS && task->silent && task->rows == 0) {
        say_note(&chat->cli->out, "there are no rooms yet: sealpost room create ROOM");
    }
}

/* At the start without ROOM: every room that we are in is followed. */
static void follow_joined(struct chat *chat, const struct sp_row *row)
{
    struct task *task = NULL;

    if (row->log.kind != SP_LOG_ROOM || !row->joined) {
        return;
    }
    task = task_new(chat, TASK_FOLLOW, row->log.name);
    if (task != NULL) {
        task->last = chat->recent;
        task->only_new = chat->recent == 0;
        task->silent = true;
    }
}

static void on_row(struct chat *chat, struct task *task, const struct sp_row *row)
{
    struct output *output = &chat->cli->out;
    bool is_topic = task->kind == TASK_LOGS && task->log[0] != '\0';

    if (task->first) {
        follow_joined(chat, row);
    } else if (!is_topic && (row->type != SP_ROW_LOG || row->log.kind == SP_LOG_ROOM)) {
        show_row(output, row);
    } else if (is_topic && strcmp(task->log, row->log.name) == 0) {
        put_escaped(output, row->topic, strlen(row->topic), false);
        (void)fputc('\n', output->data);
    }
}

static void on_online(struct chat *chat)
{
    say_note(&chat->cli->out, "connected to %s as %s", chat->cli->settings.server,
             chat->cli->session.username);
}

static void on_offline(struct chat *chat, enum sp_error error, const char *text)
{
    if (error_is_passing(error)) {
        say_warning(&chat->cli->out, "the connection is lost (%s); connecting again",
                    text[0] == '\0' ? sp_error_text(error) : text);
    }
}

/* Another device's, or one's own: the lines on the screen stay as they are. */
static void on_read_state(struct chat *chat, const struct sp_log *log,
                          const struct sp_read_state *read)
{
    (void)chat;
    (void)log;
    (void)read;
}

static void on_follow_ended(struct chat *chat, const char *log, enum sp_error error,
                            const char *text)
{
    if (followed_find(chat, log) != NULL) { /* else we have left it ourselves */
        say_warning(&chat->cli->out, "no more of %s: %s", log,
                    text[0] == '\0' ? sp_error_text(error) : text);
        chat->gone = chat->gone || (error == SP_ENOTJOINED && strcmp(log, chat->room) == 0);
    }
}

const struct chat_face chat_line_face = {.line = on_line,
                                         .line_too_long = on_line_too_long,
                                         .line_cut = on_line_cut,
                                         .done = on_done,
                                         .row = on_row,
                                         .online = on_online,
                                         .offline = on_offline,
                                         .read_state = on_read_state,
                                         .follow_ended = on_follow_ended};
