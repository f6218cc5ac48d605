/* whoami, status, version, help. */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/show.h"
#include "cli/show_team.h"
#include "cli/time_text.h"

/* One line "name  value" for people and in plain; VALUE may come from the server. */
static void put_line(struct output *output, const char *name, const char *value)
{
    (void)fprintf(output->data, output->mode == OUTPUT_HUMAN ? "%-22s " : "%s ", name);
    put_escaped(output, value, strlen(value), false);
    (void)fputc('\n', output->data);
}

static void put_time_line(struct output *output, const char *name, int64_t wall_ms)
{
    (void)fprintf(output->data, output->mode == OUTPUT_HUMAN ? "%-22s " : "%s ", name);
    put_time(output, wall_ms);
    (void)fputc('\n', output->data);
}

static void put_number_line(struct output *output, const char *name, uint64_t value)
{
    (void)fprintf(output->data, output->mode == OUTPUT_HUMAN ? "%-22s " : "%s ", name);
    (void)fprintf(output->data, "%" PRIu64 "\n", value);
}

static void whoami_json(struct output *output, const struct session *session)
{
    struct json_out json;

    json_open(&json, output->data, "whoami");
    json_string(&json, "username", session->username);
    json_string(&json, "team", session->team);
    json_string(&json, "role", role_text(session->role));
    json_hex(&json, "device", session->device, sizeof(session->device));
    json_hex(&json, "incarnation", session->incarnation, sizeof(session->incarnation));
    json_time(&json, "certificate_expires", session->not_after_ms);
    json_string(&json, "address", session->settings->server);
    json_number(&json, "port", session->settings->port);
    json_string(&json, "server", session->server);
    json_time(&json, "server_time", session->server_time_ms);
    json_number(&json, "max_text_bytes", session->text_bytes);
    json_number(&json, "max_file_bytes", session->file_bytes);
    json_close(&json);
}

int cmd_whoami(struct cli *cli)
{
    const struct session *session = &cli->session;
    struct output *output = &cli->out;
    char device[ID_HEX_BYTES];
    int code = cli_open(cli);

    if (code != 0) {
        return code;
    }
    if (output->mode == OUTPUT_JSON) {
        whoami_json(output, session);
        return 0;
    }
    hex_encode(session->device, sizeof(session->device), device);
    put_line(output, "username", session->username);
    put_line(output, "team", session->team);
    put_line(output, "role", role_text(session->role));
    put_line(output, "device", device);
    put_time_line(output, "certificate-expires", session->not_after_ms);
    put_line(output, "address", session->settings->server);
    put_line(output, "server", session->server);
    put_number_line(output, "max-text-bytes", session->text_bytes);
    put_number_line(output, "max-file-bytes", session->file_bytes);
    return 0;
}

static void status_json(struct output *output, const struct sp_status *status)
{
    struct json_out json;

    json_open(&json, output->data, "status");
    json_string(&json, "server", status->server);
    json_time(&json, "time", status->time_ms);
    json_time(&json, "started", status->started_ms);
    json_number(&json, "sessions", status->sessions);
    json_number(&json, "members_online", status->members_online);
    json_number(&json, "waiting_commands", status->waiting_commands);
    json_number(&json, "commits", status->commits);
    json_number(&json, "last_commit_us", status->last_commit_us);
    json_time(&json, "crl_next_update", status->crl_next_update_ms);
    json_time(&json, "certificate_expires", status->certificate_not_after_ms);
    json_close(&json);
}

static void show_status(struct output *output, const struct sp_status *status)
{
    if (output->mode == OUTPUT_JSON) {
        status_json(output, status);
        return;
    }
    put_line(output, "server", status->server);
    put_time_line(output, "time", status->time_ms);
    put_time_line(output, "started", status->started_ms);
    put_number_line(output, "sessions", status->sessions);
    put_number_line(output, "members-online", status->members_online);
    put_number_line(output, "waiting-commands", status->waiting_commands);
    put_number_line(output, "commits", status->commits);
    put_number_line(output, "last-commit-us", status->last_commit_us);
    put_time_line(output, "crl-next-update", status->crl_next_update_ms);
    put_time_line(output, "certificate-expires", status->certificate_not_after_ms);
}

static enum sp_error attempt(struct session *session, void *context, struct sp_notice *notice)
{
    uint32_t request = 0;
    enum sp_error error = sp_get_status(session->client, &request);

    (void)context;
    return error == SP_OK ? session_wait(session, request, false, NULL, NULL, notice) : error;
}

int cmd_status(struct cli *cli)
{
    struct sp_notice notice;
    enum sp_error error = SP_OK;
    int code = cli_open(cli);

    if (code != 0) {
        return code;
    }
    error = session_retry(&cli->session, true, attempt, NULL, &notice);
    cli->session.unknown = false;
    if (error != SP_OK) {
        return cli_fail(cli, error, "", "cannot ask for the status");
    }
    show_status(&cli->out, &notice.status);
    return 0;
}

int cmd_version(struct cli *cli)
{
    if (cli->out.mode == OUTPUT_JSON) {
        struct json_out json;

        json_open(&json, cli->out.data, "version");
        json_string(&json, "version", sp_version());
        json_close(&json);
    } else {
        (void)fprintf(cli->out.data, "sealpost (%s)\n", sp_version());
    }
    return 0;
}

int cmd_help(struct cli *cli)
{
    const char *first = cli_argument(cli, 0);
    const char *second = cli_argument(cli, 1);
    const struct command *command = first == NULL ? NULL : command_find(first, second);
    bool group = first != NULL && second == NULL && command_is_group(first);

    if (first != NULL && command == NULL && !group) {
        return cli_usage(cli, "there is no command '%s%s%s'", first, second == NULL ? "" : " ",
                         second == NULL ? "" : second);
    }
    help_print(cli->out.data, command, group ? first : NULL);
    return 0;
}
