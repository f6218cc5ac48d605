/* sealpost outbox: what waits to be sent, and what is to become of it. */
#include <inttypes.h>
#include <string.h>

#include "base/config.h"
#include "cli/json_out.h"
#include "cli/keep.h"
#include "cli/show.h"
#include "cli/time_text.h"

#define SHOWN_TEXT_BYTES 60

/* The store, if there is one; without it there is no outbox. 0, or the exit code. */
static int open_store(struct cli *cli)
{
    int code = cli_prepare(cli);

    return code == 0 ? keep_open_existing(cli) : code;
}

/* ---- list ---- */

static void show_json(struct output *output, const struct sp_outbox_entry *entry)
{
    struct json_out json;

    json_open(&json, output->data, "outbox");
    json_number(&json, "number", entry->number);
    json_string(&json, "kind", keep_kind_name(entry->kind));
    json_string(&json, entry->kind == SP_OUTBOX_SUBMISSION ? "box" : "room", entry->log);
    json_string(&json, "state", entry->held ? "held" : "waiting");
    json_time(&json, "created", entry->created_ms);
    json_number(&json, "attempts", entry->attempts);
    json_hex(&json, "client_id", entry->once.client_id, sizeof(entry->once.client_id));
    if (entry->kind == SP_OUTBOX_MESSAGE) {
        json_text(&json, "text", entry->text, entry->text_bytes);
    } else {
        json_string(&json, "path", entry->path);
        json_string(&json, "name", entry->name);
        json_number(&json, "size", entry->size);
        json_hex(&json, "sha256", entry->sha256, sizeof(entry->sha256));
    }
    if (entry->error != SP_OK) {
        json_string(&json, "error", sp_error_name(entry->error));
        json_string(&json, "reason", entry->reason);
    }
    json_close(&json);
}

/* NUMBER STATE TIME KIND LOG ERROR TEXT|PATH */
static void show_plain(struct output *output, const struct sp_outbox_entry *entry)
{
    bool message = entry->kind == SP_OUTBOX_MESSAGE;

    (void)fprintf(output->data, "%" PRIu64 " %s ", entry->number, entry->held ? "held" : "waiting");
    put_time(output, entry->created_ms);
    (void)fprintf(output->data, " %s %s %s ", keep_kind_name(entry->kind), entry->log,
                  entry->error == SP_OK ? "-" : sp_error_name(entry->error));
    put_escaped(output, message ? entry->text : entry->path,
                message ? entry->text_bytes : strlen(entry->path), false);
    (void)fputc('\n', output->data);
}

/* As much of a text as is shown: whole characters. */
static size_t shown_bytes(const char *text, size_t size)
{
    size_t shown = SHOWN_TEXT_BYTES;

    if (size <= shown) {
        return size;
    }
    while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80) {
        shown--;
    }
    return shown;
}

static void show_human(struct output *output, const struct sp_outbox_entry *entry)
{
    bool message = entry->kind == SP_OUTBOX_MESSAGE;
    size_t size = message ? entry->text_bytes : strlen(entry->path);
    char time[TIME_TEXT_BYTES];

    time_format_local(entry->created_ms, clock_wall_ms(output->clock), time);
    (void)fprintf(output->data, "%4" PRIu64 "  %-7s  %16s  %-16s  ", entry->number,
                  entry->held ? "held" : "waiting", time, entry->log);
    if (message && size > SHOWN_TEXT_BYTES) {
        put_escaped(output, entry->text, shown_bytes(entry->text, size), false);
        (void)fputs("...", output->data);
    } else {
        put_escaped(output, message ? entry->text : entry->path, size, false);
    }
    (void)fputc('\n', output->data);
    if (entry->error != SP_OK) {
        (void)fputs("      ", output->data);
        put_escaped(output, entry->reason, strlen(entry->reason), false);
        (void)fprintf(output->data, " (%s)\n", sp_error_name(entry->error));
    }
}

static void show(struct output *output, const struct sp_outbox_entry *entry)
{
    switch (output->mode) {
    case OUTPUT_JSON:
        show_json(output, entry);
        break;
    case OUTPUT_PLAIN:
        show_plain(output, entry);
        break;
    case OUTPUT_HUMAN:
        show_human(output, entry);
        break;
    }
}

static int fail(struct cli *cli, enum sp_error error, const char *what)
{
    session_keep_text(&cli->session, "");
    return cli_fail(cli, error, "", "%s", what);
}

int cmd_outbox_list(struct cli *cli)
{
    struct sp_outbox_entry entry = {0};
    enum sp_error error = SP_OK;
    int code = open_store(cli);

    while (code == 0 && cli->store != NULL && error == SP_OK) {
        error = sp_outbox_next(cli->store, entry.number, &entry);
        if (error == SP_OK) {
            show(&cli->out, &entry);
        }
    }
    return error == SP_OK || error == SP_ENOTFOUND ? code
                                                   : fail(cli, error, "cannot read the outbox");
}

/* ---- retry and drop ---- */

typedef enum sp_error (*entry_fn)(struct sp_store *store, uint64_t number);

/* FN for each number of the command line, or with --all for all. 0, or the exit code. */
static int for_each(struct cli *cli, entry_fn fn, const char *what)
{
    int code = 0;

    if (option_given(cli->options, OPTION_ALL)) {
        enum sp_error error = cli->store == NULL ? SP_OK : fn(cli->store, 0);
        return error == SP_OK ? 0 : fail(cli, error, what);
    }
    for (int i = 0; i < cli->options->arg_count && code == 0; i++) {
        uint64_t number = 0;
        enum sp_error error = SP_ENOTFOUND;

        if (config_parse_u64(cli->options->args[i], 1, INT64_MAX, &number) != SP_OK) {
            return cli_usage(cli, "'%s' is not a number of the outbox", cli->options->args[i]);
        }
        if (cli->store != NULL) {
            error = fn(cli->store, number);
        }
        if (error == SP_ENOTFOUND) {
            say_error(&cli->out, "%s: there is no entry %s in the outbox", what,
                      cli->options->args[i]);
            say_hint(&cli->out, "see: sealpost outbox list");
            code = sp_error_exit_code(error);
        } else if (error != SP_OK) {
            code = fail(cli, error, what);
        }
    }
    return code;
}

static int check_choice(struct cli *cli, bool needed)
{
    bool all = option_given(cli->options, OPTION_ALL);

    if (all && cli->options->arg_count > 0) {
        return cli_usage(cli, "either numbers, or --all");
    }
    return needed && !all && cli->options->arg_count == 0
               ? cli_usage(cli, "say which: numbers as 'outbox list' shows them, or --all")
               : 0;
}

int cmd_outbox_drop(struct cli *cli)
{
    int code = check_choice(cli, true);

    if (code == 0) {
        code = open_store(cli);
    }
    return code == 0 ? for_each(cli, sp_outbox_drop, "cannot drop") : code;
}

struct retry {
    struct cli *cli;
    enum sp_error refused; /* the first refusal */
};

static void on_entry(void *context, const struct sp_outbox_entry *entry, enum sp_error error,
                     const struct sp_notice *result)
{
    struct retry *retry = context;

    if (retry->refused == SP_OK && sp_error_class(error) == SP_CLASS_REFUSED) {
        retry->refused = error;
    }
    keep_say_entry(retry->cli, entry, error, result);
}

static enum sp_error attempt(struct session *session, void *context, struct sp_notice *notice)
{
    struct retry *retry = context;
    struct sp_drained drained;
    enum sp_error error = session_drain(session, 0, on_entry, retry, &drained);

    (void)notice;
    keep_say_sent(retry->cli, drained.sent);
    if (error == SP_OK && drained.elsewhere && drained.waiting > 0) {
        session_keep_text(session, "another process is sending it");
        return SP_EBUSY;
    }
    return error;
}

static int send_all(struct cli *cli)
{
    struct retry retry = {.cli = cli};
    struct sp_notice notice;
    enum sp_error error = cli_connect(cli);

    if (error == SP_OK) {
        error = session_retry(&cli->session, true, attempt, &retry, &notice);
    }
    cli->session.unknown = false; /* it stays in the outbox, and is asked for again */
    if (error != SP_OK) {
        int code = cli_fail(cli, error, "", "not everything in the outbox was sent");

        return error_is_passing(error) ? EXIT_KEPT : code;
    }
    return sp_error_exit_code(retry.refused);
}

int cmd_outbox_retry(struct cli *cli)
{
    uint64_t waiting = 0;
    uint64_t held = 0;
    enum sp_error error = SP_OK;
    int code = check_choice(cli, false);

    if (code == 0) {
        code = open_store(cli);
    }
    if (code == 0) {
        code = for_each(cli, sp_outbox_release, "cannot retry");
    }
    if (code != 0 || cli->store == NULL) {
        return code;
    }
    error = sp_outbox_count(cli->store, &waiting, &held);
    if (error != SP_OK) {
        return fail(cli, error, "cannot read the outbox");
    }
    return waiting == 0 ? 0 : send_all(cli); /* not for nothing: a timer may ask every minute */
}
