/* sealpost send and submit: files to a room or to a box, one after the other. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/name.h"
#include "cli/keep.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/source.h"
#include "cli/target.h"
#include "cli/time_text.h"

#define MS_PER_S 1000

struct delivery {
    struct cli *cli;
    struct target *target;
    const char *log;
    bool submission;
    const char *path;
    const char *name; /* what the server is told */
    int fd;
    struct sp_once once; /* of every attempt, and in the outbox */
    struct progress progress;
};

static void on_notice(void *context, const struct sp_notice *notice)
{
    struct delivery *delivery = context;

    if (notice->type == SP_NOTICE_PROGRESS) {
        progress_update(&delivery->progress, notice->progress.done, notice->progress.total);
    }
}

/* What is said when PATH did not arrive; in JSON on standard output, too. Returns the exit code. */
static int report_failure(struct delivery *delivery, enum sp_error error)
{
    struct cli *cli = delivery->cli;
    const char *verdict = delivery->submission ? "NOT SUBMITTED" : "not sent";

    if (cli->session.unknown) {
        verdict = delivery->submission ? "NOT KNOWN TO BE SUBMITTED" : "not known to be sent";
    }
    if (cli->out.mode == OUTPUT_JSON) {
        struct json_out json;

        json_open(&json, cli->out.data, delivery->submission ? "not-submitted" : "not-sent");
        json_string(&json, delivery->submission ? "box" : "room", delivery->log);
        json_string(&json, "path", delivery->path);
        json_string(&json, "error", sp_error_name(error));
        json_bool(&json, "unknown", cli->session.unknown);
        json_close(&json);
    }
    return cli_fail(cli, error, delivery->log, "%s: %s", verdict, delivery->path);
}

static void report_json(const struct delivery *delivery, const struct sp_notice *notice)
{
    struct json_out json;

    json_open(&json, delivery->cli->out.data, delivery->submission ? "submitted" : "sent");
    json_made(&json, delivery->submission ? "box" : "room", delivery->log, notice);
    json_string(&json, "path", delivery->path);
    json_file(&json, "file", &notice->file);
    json_close(&json);
}

/* submitted|sent LOG SEQ TIME ID SIZE SHA256 NAME */
static void report_plain(const struct delivery *delivery, const struct sp_notice *notice,
                         const char *id, const char *sha256)
{
    struct output *output = &delivery->cli->out;

    (void)fprintf(output->data, "%s %s %" PRIu64 " ", delivery->submission ? "submitted" : "sent",
                  delivery->log, notice->sequence);
    put_time(output, notice->time_ms);
    (void)fprintf(output->data, " %s %" PRIu64 " %s ", id, notice->file.size, sha256);
    put_escaped(output, notice->file.name, strlen(notice->file.name), false);
    (void)fputc('\n', output->data);
}

static void report_human(const struct delivery *delivery, const struct sp_notice *notice,
                         const char *id, const char *sha256)
{
    struct output *output = &delivery->cli->out;
    char size[SIZE_TEXT_BYTES];

    size_format(notice->file.size, size);
    (void)fputs(delivery->submission ? "submitted " : "sent ", output->data);
    put_strong(output, notice->file.name);
    (void)fprintf(output->data, " to %s%s\n", delivery->log,
                  notice->repeated ? " (it was there already)" : "");
    (void)fprintf(output->data, "  id        %s\n  size      %" PRIu64 " bytes (%s)\n", id,
                  notice->file.size, size);
    (void)fprintf(output->data, "  SHA-256   %s\n  time      ", sha256);
    put_time(output, notice->time_ms);
    (void)fprintf(output->data, "\n  sequence  %" PRIu64 "\n", notice->sequence);
}

static void report_success(const struct delivery *delivery, const struct sp_notice *notice)
{
    char id[ID_HEX_BYTES];
    char sha256[DIGEST_HEX_BYTES];

    hex_encode(notice->file.id, sizeof(notice->file.id), id);
    hex_encode(notice->file.sha256, sizeof(notice->file.sha256), sha256);
    switch (delivery->cli->out.mode) {
    case OUTPUT_JSON:
        report_json(delivery, notice);
        break;
    case OUTPUT_PLAIN:
        report_plain(delivery, notice, id, sha256);
        break;
    case OUTPUT_HUMAN:
        report_human(delivery, notice, id, sha256);
        break;
    }
    if (!output_flush(&delivery->cli->out)) { /* else it would look as if it had not arrived */
        say_warning(&delivery->cli->out,
                    "%s was %s to %s all the same, as %s: only standard output is lost",
                    delivery->path, delivery->submission ? "submitted" : "sent", delivery->log, id);
    }
}

static void find_name(struct delivery *delivery)
{
    const char *wanted = delivery->cli->options->text[OPTION_NAME];
    const char *slash = strrchr(delivery->path, '/');

    delivery->name = wanted != NULL ? wanted : slash == NULL ? delivery->path : slash + 1;
}

/* Opens the file and checks its name, before anything is asked of the server. */
static enum sp_error open_file(struct delivery *delivery)
{
    struct session *session = &delivery->cli->session;

    session->unknown = false;
    session->text[0] = '\0';
    if (name_check_file(delivery->name, strlen(delivery->name)) != SP_OK) {
        session_keep_text(session, "its name is not allowed; give it another with --name");
        return SP_ENAME;
    }
    return source_open(session, delivery->path, &delivery->fd);
}

static enum sp_error send_file(struct delivery *delivery, struct sp_notice *notice)
{
    struct session *session = &delivery->cli->session;
    struct action action = {.kind = ACTION_SEND,
                            .log = delivery->log,
                            .text = delivery->name,
                            .size = strlen(delivery->name),
                            .fd = delivery->fd,
                            .once = delivery->once};
    enum sp_error error = SP_OK;

    progress_init(&delivery->progress, &delivery->cli->out, delivery->name);
    error = session_perform(session, &action, on_notice, delivery, notice);
    progress_end(&delivery->progress);
    if (error == SP_ETIMEOUT && !action_is_repeatable(&action) && source_is_dry(delivery->fd)) {
        session->unknown = false; /* its end was not announced */
        session_explain(session, "it gave nothing for %d s", session->timeout_ms / MS_PER_S);
        error = SP_EFILE;
    }
    return error;
}

/* The file did not arrive, because of ERROR: into the outbox with it, if that is wanted and worth
 * it. Returns the exit code. */
static int keep_or_fail(struct delivery *delivery, enum sp_error error)
{
    struct cli *cli = delivery->cli;
    char why[SESSION_TEXT_BYTES];
    char what[SESSION_TEXT_BYTES];
    uint64_t number = 0;
    enum sp_error kept = SP_EFILE;

    if (!option_given(cli->options, OPTION_QUEUE) || !error_is_passing(error)) {
        return report_failure(delivery, error);
    }
    (void)snprintf(why, sizeof(why), "there is no outbox on this device");
    if (cli->store != NULL) {
        kept = sp_outbox_keep_file(cli->store, delivery->log, &delivery->once,
                                   delivery->submission ? SP_OUTBOX_SUBMISSION : SP_OUTBOX_FILE,
                                   delivery->path, delivery->name, &number, why, sizeof(why));
    }
    if (kept != SP_OK) {
        int code = report_failure(delivery, error);
        say_error(&cli->out, "%s is not kept either: %s (%s)", delivery->path,
                  why[0] == '\0' ? sp_error_text(kept) : why, sp_error_name(kept));
        return code;
    }
    (void)snprintf(what, sizeof(what), "%s yet: %.400s",
                   delivery->submission ? "NOT SUBMITTED" : "not sent", delivery->path);
    return keep_say_kept(cli, number, error, what);
}

static int deliver(struct delivery *delivery)
{
    struct sp_notice notice;
    int code = 0;
    enum sp_error error = target_check(delivery->target, &delivery->cli->session, delivery->path);

    if (error == SP_OK) {
        error = open_file(delivery);
    }
    if (error == SP_OK) {
        error = send_file(delivery, &notice);
    }
    if (error == SP_OK) {
        report_success(delivery, &notice);
    } else {
        code = keep_or_fail(delivery, error);
    }
    if (delivery->fd >= 0) {
        (void)close(delivery->fd);
    }
    return code;
}

/* 0, or the exit code: what can be said without the server. */
static int check_arguments(struct cli *cli)
{
    const struct options *options = cli->options;

    if (option_given(options, OPTION_NAME) && options->arg_count != 2) {
        return cli_usage(cli, "--name goes with one file only");
    }
    for (int i = 1; i < options->arg_count; i++) {
        if (strcmp(options->args[i], "-") != 0) {
            continue;
        }
        if (option_given(options, OPTION_QUEUE)) {
            return cli_usage(cli, "standard input cannot be kept: --queue goes with files only");
        }
        if (!option_given(options, OPTION_NAME)) {
            return cli_usage(cli, "standard input has no name; give it one with --name");
        }
        if (!cli_may_read_input(cli)) {
            return cli_usage(cli, "--no-input forbids reading standard input");
        }
        if (isatty(STDIN_FILENO) == 1) {
            return cli_usage(cli, "standard input is a terminal; use a pipe or a file");
        }
    }
    return 0;
}

/* With --queue there is no need to wait for the server, and its absence is no failure. */
static int open_connection(struct cli *cli, enum sp_error *unreachable)
{
    int code = 0;

    if (!option_given(cli->options, OPTION_QUEUE)) {
        return cli_open_patiently(cli);
    }
    code = cli_prepare(cli);
    if (code != 0) {
        return code;
    }
    keep_open(cli, SP_STORE_CREATE);
    *unreachable = cli_connect(cli);
    if (*unreachable == SP_OK) {
        keep_drain(cli);
    } else if (!error_is_passing(*unreachable)) {
        return cli_say_unreachable(cli, *unreachable);
    }
    return 0;
}

static int deliver_all(struct cli *cli, bool submission)
{
    const char *log = cli_log_argument(cli, 0);
    struct target target = {.log = log, .wants_box = submission};
    enum sp_error unreachable = SP_OK;
    int code = 0;

    if (log == NULL) {
        return EXIT_USAGE;
    }
    code = check_arguments(cli);
    if (code != 0) {
        return code;
    }
    code = open_connection(cli, &unreachable);
    if (code != 0) {
        if (submission) {
            say_error(&cli->out, "NOT SUBMITTED: nothing of it");
        }
        return code;
    }
    for (int i = 1; i < cli->options->arg_count; i++) {
        struct delivery delivery = {.cli = cli,
                                    .target = &target,
                                    .log = log,
                                    .submission = submission,
                                    .path = cli->options->args[i],
                                    .fd = -1};
        int file_code = 0;

        find_name(&delivery);
        sp_once_new(&delivery.once);
        if (*cli->stop != 0) {
            file_code = report_failure(&delivery, SP_ECANCELLED);
        } else {
            file_code =
                unreachable == SP_OK ? deliver(&delivery) : keep_or_fail(&delivery, unreachable);
        }
        code = code == 0 ? file_code : code; /* the first failure decides */
    }
    return code;
}

int cmd_send(struct cli *cli)
{
    return deliver_all(cli, false);
}

int cmd_submit(struct cli *cli)
{
    return deliver_all(cli, true);
}
