#include "cli/keep.h"

#include <string.h>

#include "cli/json_out.h"

#define TEXT_BYTES 512

static enum sp_error try_open(struct cli *cli, enum sp_store_mode mode)
{
    char name[SP_STORE_NAME_BYTES];
    char path[SETTINGS_PATH_BYTES];
    char text[TEXT_BYTES] = "there is no home directory";
    enum sp_error error = SP_EFILE;
    int size = 0;

    if (cli->store != NULL) {
        return SP_OK;
    }
    if (cli->settings.stores[0] != '\0') {
        error = sp_store_name(cli->settings.ca, cli->settings.cert, name, text, sizeof(text));
    }
    if (error == SP_OK) {
        size = snprintf(path, sizeof(path), "%s/%s/store.db", cli->settings.stores, name);
        error = size < 0 || size >= (int)sizeof(path)
                    ? SP_EFILE
                    : sp_store_open(path, mode, &cli->store, text, sizeof(text));
    }
    if (error == SP_OK) {
        say_verbose(&cli->out, "the store of this device is %s", path);
        cli->session.store = cli->store;
    }
    session_keep_text(&cli->session, error == SP_OK ? "" : text);
    return error;
}

void keep_open(struct cli *cli, enum sp_store_mode mode)
{
    enum sp_error error = try_open(cli, mode);

    if (error != SP_OK && error != SP_ECERT && (mode == SP_STORE_CREATE || error != SP_ENOTFOUND) &&
        cli->settings.stores[0] != '\0') {
        /* What is wrong with a certificate is said when it is used. */
        say_warning(&cli->out, "nothing is kept on this device: %s", cli->session.text);
    }
    session_keep_text(&cli->session, "");
}

int keep_open_existing(struct cli *cli)
{
    enum sp_error error = try_open(cli, SP_STORE_EXISTING);

    return error == SP_OK || error == SP_ENOTFOUND || cli->settings.stores[0] == '\0'
               ? 0
               : cli_fail(cli, error, "", "cannot read what is kept on this device");
}

void keep_close(struct cli *cli)
{
    const char *trouble = cli->store == NULL ? NULL : sp_store_trouble(cli->store);

    if (trouble != NULL) {
        say_warning(&cli->out, "what was read could not be kept on this device: %s", trouble);
    }
    sp_store_close(cli->store);
    cli->store = NULL;
    cli->session.store = NULL;
}

const char *keep_kind_name(enum sp_outbox_kind kind)
{
    switch (kind) {
    case SP_OUTBOX_FILE:
        return "file";
    case SP_OUTBOX_SUBMISSION:
        return "submission";
    case SP_OUTBOX_MESSAGE:
    default:
        return "message";
    }
}

void keep_say_entry(void *context, const struct sp_outbox_entry *entry, enum sp_error error,
                    const struct sp_notice *result)
{
    struct cli *cli = context;

    if (sp_error_class(error) == SP_CLASS_REFUSED && error != SP_ECANCELLED) {
        say_warning(&cli->out, "%s %llu of the outbox, to %s, was not sent and is held: %s (%s)",
                    keep_kind_name(entry->kind), (unsigned long long)entry->number, entry->log,
                    result->text[0] == '\0' ? sp_error_text(error) : result->text,
                    sp_error_name(error));
        say_hint(&cli->out, "see: sealpost outbox list");
    }
}

void keep_say_sent(struct cli *cli, uint64_t sent)
{
    if (sent > 0) {
        say_note(&cli->out, "sent %llu from the outbox", (unsigned long long)sent);
    }
}

void keep_drain(struct cli *cli)
{
    struct sp_drained drained = {0};
    enum sp_error error = SP_OK;

    if (cli->store == NULL) {
        return;
    }
    error = session_drain(&cli->session, 0, keep_say_entry, cli, &drained);
    keep_say_sent(cli, drained.sent);
    if (error != SP_OK && error != SP_ECANCELLED && drained.waiting > 0) {
        say_note(&cli->out, "%llu wait on in the outbox: %s", (unsigned long long)drained.waiting,
                 sp_error_text(error));
    }
}

void keep_settle(struct cli *cli, uint64_t number, bool kept, enum sp_error error,
                 const struct sp_notice *result)
{
    enum sp_error settled = SP_OK;

    if (number == 0 || cli->store == NULL) {
        return;
    }
    if (error == SP_OK && result != NULL) {
        sp_outbox_sent(cli->store, number, result);
    } else if (kept) {
        settled = sp_outbox_failed(cli->store, number, error, sp_error_text(error), false);
    } else {
        settled = sp_outbox_drop(cli->store, number);
    }
    if (settled != SP_OK && settled != SP_ENOTFOUND) {
        say_warning(&cli->out, "number %llu of the outbox: %s", (unsigned long long)number,
                    sp_error_text(settled));
    }
}

int keep_fail(struct cli *cli, enum sp_error error, const char *subject, const char *what,
              const char *log)
{
    struct sp_store_log known;
    int code = cli_fail(cli, error, subject, "%s %s", what, log);

    if (error == SP_EINTEGRITY && cli->store != NULL &&
        sp_store_find_log(cli->store, log, &known) == SP_OK && known.refused) {
        say_hint(&cli->out,
                 "what was seen: sealpost log %s --offline; to take the server's history all the "
                 "same: sealpost log %s --accept-history",
                 log, log);
    }
    return code;
}

int keep_say_kept(struct cli *cli, uint64_t number, enum sp_error error, const char *what)
{
    uint64_t waiting = 0;
    uint64_t held = 0;
    struct sp_outbox_entry entry;
    struct json_out json;
    const char *text = cli->session.text[0] == '\0' ? sp_error_text(error) : cli->session.text;

    if (sp_outbox_count(cli->store, &waiting, &held) != SP_OK) {
        waiting = 1; /* it is there: only how many there are cannot be told */
    }
    say_warning(&cli->out, "%s: %s (%s); kept in the outbox (%llu waiting)", what, text,
                sp_error_name(error), (unsigned long long)waiting);
    say_hint(&cli->out,
             "it is sent with the next command that connects; see: sealpost outbox list");
    if (cli->out.mode == OUTPUT_JSON && sp_outbox_next(cli->store, number - 1, &entry) == SP_OK &&
        entry.number == number) {
        json_open(&json, cli->out.data, "kept");
        json_number(&json, "number", number);
        json_string(&json, "kind", keep_kind_name(entry.kind));
        json_string(&json, entry.kind == SP_OUTBOX_SUBMISSION ? "box" : "room", entry.log);
        json_hex(&json, "client_id", entry.once.client_id, sizeof(entry.once.client_id));
        json_string(&json, "error", sp_error_name(error));
        json_number(&json, "waiting", waiting);
        json_close(&json);
    }
    return EXIT_KEPT;
}
