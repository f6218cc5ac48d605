#include "cli/chat.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cli/show.h"

#define MAX_LINE_BYTES (128 * 1024UL) /* JSON may need six bytes for one */
#define FIRST_BACKOFF_MS 500
#define LAST_BACKOFF_MS 30000
#define GOODBYE_MS 2000

static int64_t now_ms(const struct chat *chat)
{
    return clock_monotonic_ms(chat->cli->out.clock);
}

static void on_event(struct chat *chat, const struct sp_event *event)
{
    struct followed *followed = followed_find(chat, event->log_name);

    if (followed != NULL) {
        followed->last = event->sequence;
        if (event->sequence <= followed->hidden) {
            return;
        }
    }
    show_event(&chat->cli->out, event, strcmp(event->log_name, chat->room) != 0);
    if (followed != NULL) {
        read_shown(chat, followed, event->sequence);
    }
}

static void on_login(struct chat *chat, const struct sp_notice *notice)
{
    struct session *session = &chat->cli->session;

    if (memcmp(session->incarnation, notice->login.incarnation, SP_ID_BYTES) != 0) {
        read_restored(chat);
    }
    session_logged_in(session, &notice->login);
    chat->backoff_ms = FIRST_BACKOFF_MS;
    chat->offline_since_ms = 0;
    chat->drain_due = true;
    followed_resume(chat);
    chat->face->online(chat);
}

static void schedule_connect(struct chat *chat)
{
    chat->connect_at_ms = now_ms(chat) + chat->backoff_ms;
    chat->backoff_ms *= 2;
    if (chat->backoff_ms > LAST_BACKOFF_MS) {
        chat->backoff_ms = LAST_BACKOFF_MS;
    }
}

/* The connection is over, or could not be made. */
static void on_closed(struct chat *chat, enum sp_error error, const char *text)
{
    bool was_online = chat->cli->session.online;

    chat->cli->session.online = false;
    error = error == SP_OK ? SP_EDISCONNECTED : error;
    tasks_disconnected(chat);
    read_disconnected(chat);
    if (chat->offline_since_ms == 0) {
        chat->offline_since_ms = now_ms(chat);
    }
    if (!error_is_passing(error)) { /* shut out: connecting again will not help */
        session_keep_text(&chat->cli->session, text);
        chat->face->offline(chat, error, text);
        chat->code = cli_fail(chat->cli, error, "", "the connection is over");
        chat->quit = true;
        tasks_fail(chat, error, text);
        return;
    }
    if (was_online) {
        chat->face->offline(chat, error, text);
    }
    schedule_connect(chat);
}

static void on_notice(struct chat *chat, const struct sp_notice *notice)
{
    switch (notice->type) {
    case SP_NOTICE_LOGIN:
        on_login(chat, notice);
        break;
    case SP_NOTICE_CLOSED:
        on_closed(chat, notice->error, notice->text);
        break;
    case SP_NOTICE_EVENT:
        on_event(chat, &notice->event);
        break;
    case SP_NOTICE_READ_STATE:
        read_came(chat, notice->log.name, &notice->read);
        chat->face->read_state(chat, &notice->log, &notice->read);
        break;
    case SP_NOTICE_HISTORY:
        session_tell_history(&chat->cli->session, notice);
        break;
    case SP_NOTICE_FOLLOW_ENDED:
        chat->face->follow_ended(chat, notice->log.name, notice->error, notice->text);
        followed_remove(chat, notice->log.name);
        break;
    default:
        if (!tasks_take(chat, notice)) {
            (void)read_take(chat, notice);
        }
        break;
    }
}

static void on_other(void *context, const struct sp_notice *notice)
{
    on_notice(context, notice);
}

static void take_notices(struct chat *chat)
{
    struct sp_notice notice;

    while (!chat->quit && chat->cli->session.client != NULL &&
           sp_client_next(chat->cli->session.client, &notice)) {
        on_notice(chat, &notice);
    }
}

/* Connects again when it is time; gives up when nobody waits for more than the answers. */
static void keep_connected(struct chat *chat)
{
    struct session *session = &chat->cli->session;
    enum sp_error error = SP_OK;

    if (session->online || chat->connect_at_ms == 0) {
        return;
    }
    if (!chat->reading && now_ms(chat) - chat->offline_since_ms > session->timeout_ms) {
        chat->code = sp_error_exit_code(SP_EUNREACHABLE);
        tasks_fail(chat, SP_EUNREACHABLE, session->text);
        chat->quit = true;
        return;
    }
    if (now_ms(chat) >= chat->connect_at_ms) {
        chat->connect_at_ms = 0;
        error = session_begin(session);
        if (error != SP_OK) {
            char text[SESSION_TEXT_BYTES];

            (void)snprintf(text, sizeof(text), "%s", session->text);
            on_closed(chat, error, text);
        }
    }
}

static void read_lines(struct chat *chat)
{
    char *line = NULL;
    size_t size = 0;

    while (chat->reading && !chat->quit && chat->task_count < CHAT_MAX_TASKS) {
        switch (line_reader_next(&chat->input, &line, &size)) {
        case LINE_READY:
            chat->face->line(chat, line, size);
            break;
        case LINE_TOO_LONG:
            chat->face->line_too_long(chat);
            break;
        case LINE_CUT:
            chat->face->line_cut(chat, line, size);
            break;
        case LINE_END:
            chat->reading = false;
            break;
        case LINE_NONE:
            return;
        }
    }
}

/* Whether lines are taken now. Those of a pipe are taken many at a time, see below. */
static bool wants_lines(const struct chat *chat)
{
    bool many = chat->cli->store != NULL && !chat->interactive && chat->face == &chat_line_face;

    return chat->reading && chat->task_count < (many ? CHAT_MAX_TASKS / 2 : CHAT_MAX_TASKS);
}

/* All lines that are there go into the outbox in one step: each step waits for the disk. */
static void take_lines(struct chat *chat)
{
    struct sp_store *store = chat->face == &chat_line_face ? chat->cli->store : NULL;
    bool begun = false;

    if (!wants_lines(chat) || !line_reader_has_any(&chat->input)) {
        return;
    }
    begun = store != NULL && sp_outbox_begin(store) == SP_OK;
    read_lines(chat);
    if (begun && sp_outbox_commit(store) != SP_OK) {
        say_warning(&chat->cli->out, "the last lines cannot be kept in the outbox");
        tasks_are_not_kept(chat);
    }
    for (struct task *task = chat->tasks; task != NULL; task = task->next) {
        task->fresh = false;
    }
}

static int shorter(int a, int b)
{
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    return a < b ? a : b;
}

static int timeout_ms(const struct chat *chat)
{
    const struct session *session = &chat->cli->session;
    int timeout = session->client == NULL ? -1 : sp_client_timeout_ms(session->client);

    if (session->online) {
        return shorter(timeout, shorter(tasks_timeout_ms(chat), read_timeout_ms(chat)));
    }
    if (chat->connect_at_ms != 0) {
        int64_t left = chat->connect_at_ms - now_ms(chat);

        timeout = shorter(timeout, left < 0 ? 0 : (int)left);
    }
    return timeout;
}

static void wait_and_move(struct chat *chat)
{
    struct sp_client *client = chat->cli->session.client;
    bool want_lines = wants_lines(chat);
    struct pollfd fds[] = {
        {.fd = -1},
        {.fd = want_lines ? STDIN_FILENO : -1, .events = POLLIN},
    };

    if (client != NULL) {
        fds[0].fd = sp_client_fd(client);
        fds[0].events = sp_client_poll_events(client);
    }
    (void)poll(fds, COUNT_OF(fds), timeout_ms(chat));
    if (fds[1].revents != 0 && line_reader_fill(&chat->input, STDIN_FILENO) != SP_OK) {
        say_error(&chat->cli->out, "standard input cannot be read");
        chat->reading = false;
    }
    if (client != NULL) {
        sp_client_service(client);
    }
}

static bool is_finished(const struct chat *chat)
{
    bool listening = !cli_may_read_input(chat->cli); /* then nothing but a signal ends it */

    return chat->quit || *chat->cli->stop != 0 ||
           (!chat->reading && !listening && chat->tasks == NULL);
}

/* Sends the outbox. A server that does not answer is left: what came of it is asked for anew. */
static void drain(struct chat *chat)
{
    struct session *session = &chat->cli->session;

    if (tasks_drain(chat, on_other) == SP_ETIMEOUT && session->online) {
        sp_client_free(session->client);
        session->client = NULL;
        on_closed(chat, SP_ETIMEOUT, sp_error_text(SP_ETIMEOUT));
    }
}

static void run(struct chat *chat)
{
    for (;;) {
        take_notices(chat);
        take_lines(chat);
        keep_connected(chat);
        if (chat->drain_due && chat->cli->session.online) {
            drain(chat);
        }
        tasks_start(chat);
        read_tell(chat);
        if (!output_flush(&chat->cli->out) || is_finished(chat)) {
            break;
        }
        wait_and_move(chat);
    }
    if (*chat->cli->stop != 0) {
        chat->code = EXIT_INTERRUPTED;
        tasks_fail(chat, SP_ECANCELLED, "");
    }
}

/* What is followed at first: ROOM, or all rooms that we are in, or with JSON and no ROOM nothing.
 */
static void begin(struct chat *chat, const char *room)
{
    struct task *task = NULL;

    if (room != NULL) {
        (void)snprintf(chat->room, sizeof(chat->room), "%s", room);
        task = task_new(chat, TASK_FOLLOW, room);
    } else if (chat->face == &chat_line_face) {
        task = task_new(chat, TASK_LOGS, "");
    }
    if (task != NULL) {
        task->last = chat->recent;
        task->only_new = chat->recent == 0;
        task->first = true;
        task->silent = chat->face == &chat_line_face; /* a bot wants to know since when it sees */
    }
}

int cmd_chat(struct cli *cli)
{
    const struct options *options = cli->options;
    bool json = cli->out.mode == OUTPUT_JSON;
    const char *room = options->arg_count == 0 ? NULL : cli_log_argument(cli, 0);
    struct chat chat = {
        .cli = cli,
        .face = json ? &chat_json_face : &chat_line_face,
        /* One by one, lines keep their order even when the server says: too fast. */
        .window = json ? CHAT_MAX_TASKS : 1,
        .recent = json ? 0 : CHAT_RECENT_LINES,
        .reading = cli_may_read_input(cli),
        .interactive = isatty(STDIN_FILENO) == 1,
        .marks = !json && isatty(STDIN_FILENO) == 1 && isatty(fileno(cli->out.data)) == 1,
        .commands = isatty(STDIN_FILENO) == 1 || option_given(options, OPTION_COMMANDS),
        .backoff_ms = FIRST_BACKOFF_MS};

    if (options->arg_count > 0 && room == NULL) {
        return EXIT_USAGE;
    }
    if (option_given(options, OPTION_LINES)) {
        chat.recent = options->number[OPTION_LINES];
    }
    chat.code = cli_prepare(cli);
    if (chat.code == 0) {
        keep_open(cli, SP_STORE_CREATE);
        chat.code = cli_open_patiently(cli);
    }
    if (chat.code != 0) {
        return chat.code;
    }
    line_reader_init(&chat.input, MAX_LINE_BYTES, chat.interactive);
    chat.face->online(&chat);
    begin(&chat, room);
    run(&chat);
    read_tell_last(&chat);
    session_deinit(&cli->session); /* before the files of unfinished tasks are closed */
    tasks_free(&chat);
    followed_free(&chat);
    line_reader_deinit(&chat.input);
    return chat.code;
}
