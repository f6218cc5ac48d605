/* sealpost log: what was said, page by page or live; without a connection, what was seen of it. */
#include "cli/keep.h"
#include "cli/show.h"
#include "cli/time_text.h"

#define DEFAULT_LINES 50
#define RECONNECT_MS 1000

struct view {
    struct cli *cli;
    const char *room;
    uint64_t recent; /* events before now to begin with; 0: not to be counted from now */
    uint64_t limit;  /* events to show at most */
    uint64_t shown;
    int64_t since_ms;
    uint64_t last;   /* sequence number of the last event that came */
    uint64_t end;    /* number of the last event that is to come, unless it goes on live */
    uint64_t head;   /* of the last event that was there when following began */
    uint64_t first;  /* of the page */
    uint64_t before; /* the page that is asked for, by --before or --around; 0: none */
    uint64_t around;
    uint64_t count;
    uint64_t hidden; /* events up to this number are not shown */
    bool only_new;   /* nothing that is there already */
    bool live;
    bool started; /* the first answer has come */
    bool ended;   /* the server ended it */
    bool lost;    /* the connection */
    enum sp_error error;
};

static void on_notice(void *context, const struct sp_notice *notice)
{
    struct view *view = context;

    switch (notice->type) {
    case SP_NOTICE_EVENT:
        view->last = notice->event.sequence;
        if (notice->event.time_ms >= view->since_ms && notice->event.sequence > view->hidden &&
            view->shown < view->limit) {
            view->shown++;
            show_event(&view->cli->out, &notice->event, false);
        }
        break;
    case SP_NOTICE_HISTORY:
        session_tell_history(&view->cli->session, notice);
        break;
    case SP_NOTICE_FOLLOW_ENDED:
        view->ended = true;
        view->error = notice->error;
        session_keep_text(&view->cli->session, notice->text);
        break;
    case SP_NOTICE_CLOSED:
        view->lost = true;
        view->error = notice->error == SP_OK ? SP_EDISCONNECTED : notice->error;
        session_keep_text(&view->cli->session, notice->text);
        break;
    default:
        break;
    }
}

static bool is_page(const struct view *view)
{
    return view->before > 0 || view->around > 0;
}

static enum sp_error attempt(struct session *session, void *context, struct sp_notice *notice)
{
    struct view *view = context;
    struct sp_follow follow = {.after = view->last, .live = view->live};
    uint32_t request = 0;
    enum sp_error error = SP_OK;

    if (!view->started) {
        follow.last = view->only_new ? 1 : view->recent;
        follow.before = view->before;
        follow.around = view->around;
    }
    if (is_page(view)) {
        follow.after = view->started ? view->last : 0;
        follow.count = view->started ? view->end - view->last : view->count;
    }
    view->lost = false;
    error = sp_follow(session->client, view->room, &follow, &request);
    if (error == SP_OK) {
        error = session_wait(session, request, false, on_notice, view, notice);
    }
    if (error == SP_OK) {
        if (!view->started && notice->log.kind == SP_LOG_BOX &&
            view->cli->out.mode == OUTPUT_HUMAN && !view->cli->out.quiet) {
            say_hint(&view->cli->out, "what was submitted is in: sealpost box show %s", view->room);
        }
        view->head = notice->log.head_sequence;
        view->first = view->started ? view->first : notice->sequence;
        view->end = notice->last;
        view->hidden = !view->started && view->only_new ? view->head : view->hidden;
        if (notice->sequence > view->head ||
            notice->sequence > view->end) { /* nothing comes, unless it is new */
            view->last = view->last > view->end || view->live ? view->last : view->end;
        }
        view->started = true;
    }
    return error;
}

static bool is_finished(const struct view *view)
{
    return view->ended || *view->cli->stop != 0 || view->shown >= view->limit ||
           (!view->live && view->last >= view->end);
}

/* Shows what comes, until it is over or the connection is. */
static enum sp_error read_events(struct view *view)
{
    struct session *session = &view->cli->session;
    struct sp_notice notice;
    enum sp_error error = SP_OK;

    while (error == SP_OK && !is_finished(view) && !view->lost) {
        if (sp_client_next(session->client, &notice)) {
            on_notice(view, &notice);
        } else if (!output_flush(&view->cli->out)) {
            return SP_EIO;
        } else {
            error = sp_wait_any(session->client, view->live ? 0 : session->timeout_ms,
                                view->cli->stop, &notice);
            if (error == SP_OK) {
                on_notice(view, &notice);
            }
        }
    }
    if (error == SP_ETIMEOUT) {
        view->lost = true;
        view->error = SP_ETIMEOUT;
        error = SP_OK;
    }
    return error;
}

/* For programs: what came, and whether there is more on either side. */
static void show_page_end(const struct view *view)
{
    struct json_out json;

    if (view->cli->out.mode == OUTPUT_JSON && !view->lost) {
        json_open(&json, view->cli->out.data, "page");
        json_string(&json, "room", view->room);
        json_number(&json, "first", view->first);
        json_number(&json, "last", view->end);
        json_number(&json, "head", view->head);
        json_close(&json);
    }
}

static int run(struct view *view)
{
    struct session *session = &view->cli->session;
    struct sp_notice notice;
    enum sp_error error = SP_OK;

    do {
        if (view->lost) {
            session->online = false;
            say_note(&view->cli->out, "the connection was lost; connecting again");
            if (!session_sleep(session, RECONNECT_MS)) {
                break;
            }
        }
        error = session_retry(session, true, attempt, view, &notice);
        session->unknown = false; /* reading changes nothing */
        if (error == SP_OK) {
            error = read_events(view);
        }
    } while (
        view->lost && *view->cli->stop == 0 &&
        (error == SP_OK ? error_is_passing(view->error) : view->live && error_is_passing(error)));
    if (error == SP_OK && !view->ended && is_page(view)) {
        show_page_end(view);
    }
    if (error == SP_EIO) { /* standard output: that has been said */
        return 0;
    }
    if (error == SP_OK && (view->ended || view->lost)) {
        error = view->error;
    }
    if (*view->cli->stop != 0) {
        return EXIT_INTERRUPTED;
    }
    return error == SP_OK ? 0 : keep_fail(view->cli, error, view->room, "cannot read", view->room);
}

/* ---- Without a connection ---- */

/* Says from when it is, and in JSON how far it goes. */
static void say_offline(struct view *view, const struct sp_store_log *log)
{
    struct cli *cli = view->cli;
    char time[RFC3339_BYTES];
    struct json_out json;

    clock_format_rfc3339(log->seen_ms, time);
    say_note(&cli->out, "not connected: as of %s, up to event %llu", time,
             (unsigned long long)log->log.head_sequence);
    if (cli->out.mode == OUTPUT_JSON) {
        json_open(&json, cli->out.data, "offline");
        json_string(&json, "room", log->log.name);
        json_time(&json, "as_of", log->seen_ms);
        json_number(&json, "head", log->log.head_sequence);
        json_number(&json, "first", log->first);
        json_bool(&json, "refused", log->refused);
        json_close(&json);
    }
}

/* Shows what the store has of the log. SP_ENOTFOUND: nothing. */
static enum sp_error show_kept(struct view *view)
{
    struct cli *cli = view->cli;
    struct sp_follow follow = {.after = view->last,
                               .last = view->recent,
                               .before = view->before,
                               .around = view->around,
                               .count = is_page(view) ? view->count : 0};
    struct sp_store_log log;
    enum sp_error error =
        cli->store == NULL ? SP_ENOTFOUND : sp_store_find_log(cli->store, view->room, &log);

    if (error == SP_OK && log.log.head_sequence == 0) {
        error = SP_ENOTFOUND;
    }
    if (error != SP_OK) {
        return error;
    }
    say_offline(view, &log);
    if (view->only_new) {
        return SP_OK;
    }
    return sp_store_read(cli->store, view->room, &follow, on_notice, view);
}

static int fail_kept(struct view *view, enum sp_error error)
{
    session_keep_text(&view->cli->session,
                      error == SP_ENOTFOUND ? "this device has seen nothing of it" : "");
    return cli_fail(view->cli, error, "", "cannot read %s offline", view->room);
}

/* The server cannot be reached, because of ERROR. */
static int go_offline(struct view *view, enum sp_error error)
{
    enum sp_error shown = SP_ENOTFOUND;

    /* What is unread the server knows, and what will happen nobody does. */
    if (error_is_passing(error) && !view->live &&
        !option_given(view->cli->options, OPTION_UNREAD)) {
        shown = show_kept(view);
    }
    if (shown == SP_ENOTFOUND) {
        return cli_say_unreachable(view->cli, error);
    }
    return shown == SP_OK ? 0 : fail_kept(view, shown);
}

/* ---- A history that is not the one that was seen ---- */

/* Takes the server's. 0, or the exit code. */
static int accept_history(struct view *view)
{
    struct cli *cli = view->cli;
    struct sp_store_log log;
    enum sp_error error =
        cli->store == NULL ? SP_ENOTFOUND : sp_store_find_log(cli->store, view->room, &log);

    if (error == SP_OK && !log.refused) {
        say_note(&cli->out,
                 "the history of %s is the one that was seen: there is nothing to accept",
                 view->room);
        return 0;
    }
    if (error == SP_OK) {
        error = sp_store_accept(cli->store, view->room);
    }
    if (error != SP_OK) {
        return fail_kept(view, error);
    }
    say_warning(&cli->out,
                "the server's history of %s is taken from now on: what this device had seen from "
                "event %llu on is forgotten if it is not in it, but for your own messages, which "
                "wait in the outbox, held",
                view->room, (unsigned long long)log.refused_at);
    return 0;
}

static int start(struct view *view)
{
    struct cli *cli = view->cli;
    enum sp_error error = SP_OK;
    int code = cli_prepare(cli);

    if (code != 0) {
        return code;
    }
    if (option_given(cli->options, OPTION_OFFLINE)) {
        code = keep_open_existing(cli);
        error = code == 0 ? show_kept(view) : SP_OK;
        return error == SP_OK ? code : fail_kept(view, error);
    }
    if (option_given(cli->options, OPTION_ACCEPT_HISTORY)) {
        code = keep_open_existing(cli);
        code = code == 0 ? accept_history(view) : code;
    }
    if (code != 0) {
        return code;
    }
    keep_open(cli, SP_STORE_CREATE);
    error = cli_connect(cli);
    if (error != SP_OK) {
        return go_offline(view, error);
    }
    keep_drain(cli);
    if (option_given(cli->options, OPTION_UNREAD)) {
        code = cli_find_marker(cli, view->room, &view->last);
    }
    return code == 0 ? run(view) : code;
}

int cmd_log(struct cli *cli)
{
    const struct options *options = cli->options;
    const char *room = cli_log_argument(cli, 0);
    const char *since = options->text[OPTION_SINCE];
    bool counted = option_given(options, OPTION_LINES);
    bool all = option_given(options, OPTION_ALL);
    bool unread = option_given(options, OPTION_UNREAD);
    bool from = since != NULL || option_given(options, OPTION_AFTER) || all || unread;
    bool page = option_given(options, OPTION_BEFORE) || option_given(options, OPTION_AROUND);
    uint64_t lines = counted ? options->number[OPTION_LINES] : DEFAULT_LINES;
    struct view view = {.cli = cli,
                        .room = room,
                        .recent = from || page ? 0 : lines,
                        .limit = from && counted ? lines : UINT64_MAX,
                        .since_ms = INT64_MIN,
                        .last = options->number[OPTION_AFTER],
                        .before = options->number[OPTION_BEFORE],
                        .around = options->number[OPTION_AROUND],
                        .count = lines,
                        .only_new = !from && !page && lines == 0,
                        .live = option_given(options, OPTION_FOLLOW)};

    if (room == NULL) {
        return EXIT_USAGE;
    }
    int ends = (from ? 1 : 0) + (view.before > 0 ? 1 : 0) + (view.around > 0 ? 1 : 0);
    if (page && (ends != 1 || view.live || lines == 0)) {
        return cli_usage(cli, "--before and --around go with none of the others but -n");
    }
    if (all && (since != NULL || view.last > 0)) {
        return cli_usage(cli, "--all goes with neither --since nor --after");
    }
    if (unread && (all || since != NULL || view.last > 0)) {
        return cli_usage(cli, "--unread goes with none of --all, --since and --after");
    }
    if (since != NULL &&
        time_parse(since, clock_wall_ms(cli->out.clock), &view.since_ms) != SP_OK) {
        return cli_usage(cli, "'%s' is not a time", since);
    }
    if (option_given(options, OPTION_OFFLINE) &&
        (view.live || unread || option_given(options, OPTION_ACCEPT_HISTORY))) {
        return cli_usage(cli, "--offline goes with none of --follow, --unread, --accept-history");
    }
    return start(&view);
}
