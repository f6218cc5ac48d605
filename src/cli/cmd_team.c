/* member disable and enable, device revoke: shutting out, and letting in again. */
#include <string.h>

#include "base/name.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/show_team.h"
#include "sealpost/team.h"

/* ---- Members ---- */

struct change {
    const char *username;
    bool disabled;
};

static enum sp_error set_member(struct session *session, void *context, struct sp_notice *notice)
{
    const struct change *change = context;
    uint32_t request = 0;
    enum sp_error error =
        sp_member_disable(session->client, change->username, change->disabled, &request);

    return error == SP_OK ? session_wait(session, request, false, NULL, NULL, notice) : error;
}

static int change_member(struct cli *cli, bool disabled)
{
    struct change change = {cli_argument(cli, 0), disabled};
    struct sp_notice notice;
    int code = 0;

    if (name_check_username(change.username, strlen(change.username)) != SP_OK) {
        return cli_usage(cli, "'%s' is not a name of a member", change.username);
    }
    code = cli_open(cli);
    if (code != 0) {
        return code;
    }
    enum sp_error error = session_retry(&cli->session, true, set_member, &change, &notice);
    if (error != SP_OK) {
        return cli_fail(cli, error, "", disabled ? "cannot shut %s out" : "cannot let %s in",
                        change.username);
    }
    if (cli->out.mode == OUTPUT_JSON) {
        struct json_out json;

        json_open(&json, cli->out.data, disabled ? "disabled" : "enabled");
        json_string(&json, "name", change.username);
        json_close(&json);
    } else {
        say_note(&cli->out, disabled ? "%s is shut out, with every device" : "%s may log in again",
                 change.username);
    }
    return 0;
}

int cmd_member_disable(struct cli *cli)
{
    return change_member(cli, true);
}

int cmd_member_enable(struct cli *cli)
{
    return change_member(cli, false);
}

/* ---- Devices ---- */

#define LEAST_DIGITS 6 /* of a fingerprint */

/* What is looked for among the devices, and what was found. */
struct search {
    const char *wanted; /* a label, or the start of a fingerprint */
    const char *member; /* NULL: one's own */
    unsigned found;
    uint8_t id[SP_ID_BYTES];
    bool current;
    char label[4 * LIMIT_LABEL_BYTES];
};

static bool is_wanted(const struct search *search, const struct sp_device *device)
{
    char fingerprint[DIGEST_HEX_BYTES];
    size_t size = strlen(search->wanted);

    hex_encode(device->fingerprint, sizeof device->fingerprint, fingerprint);
    return strcmp(device->label, search->wanted) == 0 ||
           (size >= LEAST_DIGITS && strncasecmp(fingerprint, search->wanted, size) == 0);
}

static void look_at(void *context, const struct sp_notice *notice)
{
    struct search *search = context;
    const struct sp_device *device = &notice->row.device;

    if (notice->type != SP_NOTICE_ROW || device->revoked_ms != 0 || !is_wanted(search, device)) {
        return;
    }
    search->found++;
    search->current = device->current;
    memcpy(search->id, device->id, sizeof search->id);
    (void)snprintf(search->label, sizeof search->label, "%s", device->label);
}

static enum sp_error find(struct session *session, void *context, struct sp_notice *notice)
{
    struct search *search = context;
    uint32_t request = 0;

    search->found = 0;
    enum sp_error error = sp_list_devices(session->client, search->member, &request);
    return error == SP_OK ? session_wait(session, request, false, look_at, search, notice) : error;
}

static enum sp_error revoke(struct session *session, void *context, struct sp_notice *notice)
{
    const struct search *search = context;
    uint32_t request = 0;
    enum sp_error error = sp_device_revoke(session->client, search->id, &request);

    return error == SP_OK ? session_wait(session, request, false, NULL, NULL, notice) : error;
}

/* Exactly one device is meant. 0, or the exit code after it was said why not. */
static int check_found(struct cli *cli, const struct search *search)
{
    if (search->found == 1) {
        return 0;
    }
    if (search->found == 0) {
        say_error(&cli->out, "there is no device '%s' that is not revoked", search->wanted);
        say_hint(&cli->out,
                 "a device is named by its label or by the first %d digits or more of "
                 "its fingerprint: sealpost device list",
                 LEAST_DIGITS);
        return sp_error_exit_code(SP_ENOTFOUND);
    }
    say_error(&cli->out, "'%s' means %u devices", search->wanted, search->found);
    say_hint(&cli->out, "use the fingerprint: sealpost device list");
    return EXIT_USAGE;
}

int cmd_device_revoke(struct cli *cli)
{
    struct search search = {.wanted = cli_argument(cli, 0),
                            .member = cli->options->text[OPTION_MEMBER]};
    struct sp_notice notice;
    int code = cli_open(cli);

    if (code != 0) {
        return code;
    }
    enum sp_error error = session_retry(&cli->session, true, find, &search, &notice);
    if (error != SP_OK) {
        return cli_fail(cli, error, "", "cannot list the devices");
    }
    code = check_found(cli, &search);
    if (code == 0 && search.current && !option_given(cli->options, OPTION_FORCE)) {
        say_error(&cli->out, "'%s' is the device that you are using", search.wanted);
        say_hint(&cli->out, "--force revokes it all the same; it can then never log in again");
        return sp_error_exit_code(SP_EFORBIDDEN);
    }
    if (code != 0) {
        return code;
    }
    error = session_retry(&cli->session, true, revoke, &search, &notice);
    if (error == SP_EREVOKED || (search.current && error == SP_EDISCONNECTED)) {
        error = search.current ? SP_OK : error; /* that was the answer */
    }
    if (error != SP_OK) {
        return cli_fail(cli, error, "", "cannot revoke '%s'", search.wanted);
    }
    if (cli->out.mode == OUTPUT_JSON) {
        struct json_out json;

        json_open(&json, cli->out.data, "revoked");
        json_hex(&json, "id", search.id, sizeof search.id);
        json_string(&json, "label", search.label);
        json_close(&json);
    } else {
        say_note(&cli->out, "revoked '%s'; its sessions have ended", search.wanted);
    }
    return 0;
}
