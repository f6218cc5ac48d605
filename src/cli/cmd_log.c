/* sealpost log: what was said, page by page or live. */
#include "cli/cli.h"
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
    uint64_t head;   /* of the last event that was there when following began */
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

static enum sp_error attempt(struct session *session, void *context, struct sp_notice *notice)
{
    struct view *view = context;
    struct sp_follow follow = {.after = view->last, .live = view->live};
    uint32_t request = 0;
    enum sp_error error = SP_OK;

    if (!view->started) {
        follow.last = view->only_new ? 1 : view->recent;
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
        view->hidden = !view->started && view->only_new ? view->head : view->hidden;
        if (notice->sequence > view->head) { /* nothing comes, unless it is new */
            view->last = view->last > view->head ? view->last : view->head;
        }
        view->started = true;
    }
    return error;
}

static bool is_finished(const struct view *view)
{
    return view->ended || *view->cli->stop != 0 || view->shown >= view->limit ||
           (!view->live && view->last >= view->head);
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
    if (error == SP_EIO) { /* standard output: that has been said */
        return 0;
    }
    if (error == SP_OK && (view->ended || view->lost)) {
        error = view->error;
    }
    if (*view->cli->stop != 0) {
        return EXIT_INTERRUPTED;
    }
    return error == SP_OK ? 0
                          : cli_fail(view->cli, error, view->room, "cannot read %s", view->room);
}

int cmd_log(struct cli *cli)
{
    const struct options *options = cli->options;
    const char *room = cli_log_argument(cli, 0);
    const char *since = options->text[OPTION_SINCE];
    bool counted = option_given(options, OPTION_LINES);
    bool from = since != NULL || option_given(options, OPTION_AFTER);
    uint64_t lines = counted ? options->number[OPTION_LINES] : DEFAULT_LINES;
    struct view view = {.cli = cli,
                        .room = room,
                        .recent = from ? 0 : lines,
                        .limit = from && counted ? lines : UINT64_MAX,
                        .since_ms = INT64_MIN,
                        .last = options->number[OPTION_AFTER],
                        .only_new = !from && lines == 0,
                        .live = option_given(options, OPTION_FOLLOW)};
    int code = 0;

    if (room == NULL) {
        return EXIT_USAGE;
    }
    if (since != NULL &&
        time_parse(since, clock_wall_ms(cli->out.clock), &view.since_ms) != SP_OK) {
        return cli_usage(cli, "'%s' is not a time", since);
    }
    code = cli_open(cli);
    return code == 0 ? run(&view) : code;
}
