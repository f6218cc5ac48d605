/*
 * sealpost say: one message, from the command line or from standard input. It is in the outbox, on
 * the disk, before anything is sent, and leaves it with the server's answer.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/name.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/keep.h"
#include "cli/show.h"

#define LOOK_MS 100 /* how often the outbox is looked at while another process has it */

/* A server may allow longer messages than this version knows; more than this nobody means. */
#define MAX_INPUT_BYTES (1024 * 1024UL)

/* The text to post: *OWNED is to be freed. 0, or the exit code. */
static int find_text(struct cli *cli, const char **text, size_t *size, char **owned)
{
    const char *argument = cli_argument(cli, 1);
    enum sp_error error = SP_OK;

    *owned = NULL;
    if (argument != NULL && strcmp(argument, "-") != 0) {
        *text = argument;
        *size = strlen(argument);
        return 0;
    }
    if (!cli_may_read_input(cli)) {
        return cli_usage(cli, "there is no text, and --no-input forbids reading it");
    }
    if (argument == NULL && isatty(STDIN_FILENO) == 1) {
        return cli_usage(cli, "there is no text; give it as an argument, or '-' to type it");
    }
    error = cli_read_all(cli, STDIN_FILENO, MAX_INPUT_BYTES, owned, size);
    if (error != SP_OK) {
        return cli_fail(cli, error, "", "cannot read the text from standard input");
    }
    if (*size > 0 && (*owned)[*size - 1] == '\n') { /* the line's end is not part of the text */
        (*size)--;
    }
    *text = *owned;
    return 0;
}

static int check_text(struct cli *cli, const char *text, size_t size)
{
    if (size == 0) {
        return cli_usage(cli, "there is no text to post");
    }
    if (name_check_text(text, size) != SP_OK) {
        return cli_usage(cli, "the text is not valid UTF-8, or has a NUL in it; send it as a file");
    }
    return 0;
}

/* A message under way. */
struct saying {
    struct cli *cli;
    const char *room;
    const char *text;
    size_t size;
    struct sp_once once;
    uint64_t number;     /* in the outbox; 0: nothing is kept */
    bool tried;          /* ERROR is what came of the last attempt … */
    enum sp_error error; /* … at this message */
    char reason[SESSION_TEXT_BYTES];
    struct sp_notice result; /* numbers only */
};

static int report_success(const struct saying *saying)
{
    struct cli *cli = saying->cli;

    if (cli->out.mode == OUTPUT_JSON) {
        struct json_out json;

        json_open(&json, cli->out.data, "posted");
        json_made(&json, "room", saying->room, &saying->result);
        json_hex(&json, "client_id", saying->once.client_id, sizeof(saying->once.client_id));
        json_close(&json);
    }
    say_verbose(&cli->out, "posted to %s as %llu", saying->room,
                (unsigned long long)saying->result.sequence);
    return 0;
}

static int report_failure(const struct saying *saying, enum sp_error error)
{
    struct cli *cli = saying->cli;
    int code = keep_fail(cli, error, saying->room,
                         cli->session.unknown ? "not known to be posted to" : "not posted to",
                         saying->room);

    if (saying->number == 0 && error_is_passing(error)) {
        say_hint(&cli->out, "nothing was kept of it");
    }
    return code;
}

/* The message is not to be sent by itself later. */
static void forget(struct saying *saying)
{
    enum sp_error error =
        saying->number == 0 ? SP_ENOTFOUND : sp_outbox_drop(saying->cli->store, saying->number);

    if (error != SP_OK && error != SP_ENOTFOUND) {
        say_warning(&saying->cli->out, "it is still in the outbox, as %llu",
                    (unsigned long long)saying->number);
    }
}

/* An attempt came to nothing, and there will be no other now. */
static int give_up(struct saying *saying, enum sp_error error)
{
    struct cli *cli = saying->cli;
    char what[LIMIT_LOG_NAME_BYTES + 32];
    bool interrupted = *cli->stop != 0 && error == SP_ECANCELLED;

    /* What another entry has failed with says nothing about this one. */
    if (saying->number > 0 &&
        (error_is_passing(error) || cli->session.unknown || (!saying->tried && !interrupted))) {
        (void)snprintf(what, sizeof(what), "not posted to %s yet", saying->room);
        int code = keep_say_kept(cli, saying->number, error, what);
        return interrupted ? EXIT_INTERRUPTED : code;
    }
    forget(saying);
    return report_failure(saying, error);
}

static void on_entry(void *context, const struct sp_outbox_entry *entry, enum sp_error error,
                     const struct sp_notice *result)
{
    struct saying *saying = context;

    if (entry->number != saying->number) {
        keep_say_entry(saying->cli, entry, error, result);
        return;
    }
    saying->tried = true;
    saying->error = error;
    saying->result = *result;
    (void)snprintf(saying->reason, sizeof(saying->reason), "%s", result->text);
}

/* Another process has the outbox: whether it has dealt with our message. SP_EBUSY: not yet. */
static enum sp_error look_elsewhere(struct saying *saying)
{
    struct sp_outbox_entry entry;
    enum sp_error error = sp_outbox_next(saying->cli->store, saying->number - 1, &entry);
    bool there = error == SP_OK && entry.number == saying->number;

    if (error != SP_OK && error != SP_ENOTFOUND) {
        return error;
    }
    if (there && !entry.held) {
        session_keep_text(&saying->cli->session,
                          "another process is sending what is in the outbox");
        return SP_EBUSY;
    }
    saying->tried = true;
    if (there) {
        saying->error = entry.error;
        (void)snprintf(saying->reason, sizeof(saying->reason), "%s", entry.reason);
    } else {
        error = sp_outbox_find_sent(saying->cli->store, &saying->once, &saying->result);
        saying->error = error == SP_ENOTFOUND ? SP_ECANCELLED : error;
        (void)snprintf(saying->reason, sizeof(saying->reason), "it was dropped from the outbox");
    }
    session_keep_text(&saying->cli->session, saying->reason);
    return saying->error;
}

/* One pass over the outbox, which ends with this message. */
static enum sp_error attempt(struct saying *saying)
{
    struct session *session = &saying->cli->session;
    struct sp_drained drained;
    bool own = false;
    enum sp_error error = session_drain(session, saying->number, on_entry, saying, &drained);

    own = saying->tried && saying->error == SP_OK;
    keep_say_sent(saying->cli, drained.sent - (own ? 1 : 0));
    if (saying->tried) {
        session->unknown = sp_error_class(saying->error) == SP_CLASS_UNKNOWN ||
                           saying->error == SP_ECANCELLED; /* nobody waits for the answer */
        session_keep_text(session, saying->reason);
        return saying->error;
    }
    return error == SP_OK ? look_elsewhere(saying) : error;
}

/* As long as somebody would wait, and no longer: what is in the outbox is not lost. */
static enum sp_error attempt_patiently(struct saying *saying)
{
    struct session *session = &saying->cli->session;
    int64_t until_ms = clock_monotonic_ms(session->output->clock) + session->timeout_ms;
    enum sp_error error = SP_OK;

    for (;;) {
        error = session->online ? SP_OK : session_connect(session);
        if (error == SP_OK) {
            error = attempt(saying);
        }
        if (error == SP_OK || !error_is_passing(error) ||
            clock_monotonic_ms(session->output->clock) >= until_ms ||
            !session_idle(session, LOOK_MS)) {
            return error;
        }
    }
}

/* Without an outbox. */
static enum sp_error post_directly(struct saying *saying)
{
    struct action action = {.kind = ACTION_POST,
                            .log = saying->room,
                            .text = saying->text,
                            .size = saying->size,
                            .once = saying->once};

    return session_perform(&saying->cli->session, &action, NULL, NULL, &saying->result);
}

static int post(struct saying *saying)
{
    struct cli *cli = saying->cli;
    enum sp_error error = SP_OK;

    if (saying->size > cli->session.text_bytes) {
        session_explain(&cli->session,
                        "it has %zu bytes, and the server takes %llu; send it as a file",
                        saying->size, (unsigned long long)cli->session.text_bytes);
        forget(saying);
        return report_failure(saying, SP_ETOOLARGE);
    }
    error = saying->number > 0 ? attempt_patiently(saying) : post_directly(saying);
    return error == SP_OK ? report_success(saying) : give_up(saying, error);
}

/* Into the outbox first; without one it is sent all the same. */
static void keep(struct saying *saying)
{
    struct cli *cli = saying->cli;
    enum sp_error error = SP_OK;

    sp_once_new(&saying->once);
    keep_open(cli, SP_STORE_CREATE);
    if (cli->store == NULL) {
        return;
    }
    error = sp_outbox_keep_message(cli->store, saying->room, &saying->once, saying->text,
                                   saying->size, &saying->number);
    if (error != SP_OK && error != SP_ETOOLARGE) { /* that the server says */
        say_warning(&cli->out, "it cannot be kept in the outbox: %s (%s)", sp_error_text(error),
                    sp_error_name(error));
    }
}

static int say(struct saying *saying)
{
    struct cli *cli = saying->cli;
    int code = cli_prepare(cli);
    enum sp_error error = SP_OK;

    if (code != 0) {
        return code;
    }
    keep(saying);
    error = cli_connect(cli);
    if (error == SP_OK) {
        return post(saying);
    }
    if (error_is_passing(error) && saying->number > 0) {
        return give_up(saying, error);
    }
    forget(saying);
    code = cli_say_unreachable(cli, error);
    if (error_is_passing(error)) {
        say_hint(&cli->out, "nothing was kept of it");
    }
    return code;
}

int cmd_say(struct cli *cli)
{
    struct saying saying = {.cli = cli, .room = cli_log_argument(cli, 0)};
    char *owned = NULL;
    int code =
        saying.room == NULL ? EXIT_USAGE : find_text(cli, &saying.text, &saying.size, &owned);

    if (code == 0) {
        code = check_text(cli, saying.text, saying.size);
    }
    if (code == 0) {
        code = say(&saying);
    }
    free(owned);
    return code;
}
