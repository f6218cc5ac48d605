/* member invite and device add: making join codes, one or a whole roster. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/name.h"
#include "cli/cli.h"
#include "cli/roster.h"
#include "cli/show_team.h"
#include "sealpost/join.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* One code that is to be made. */
struct invitation {
    struct cli *cli;
    struct sp_invite invite;
    uint8_t secret[SP_JOIN_SECRET_BYTES];
    char code[SP_JOIN_CODE_TEXT_BYTES];
};

static enum sp_error attempt(struct session *session, void *context, struct sp_notice *notice)
{
    const struct invitation *invitation = context;
    uint32_t request = 0;
    enum sp_error error = sp_invite(session->client, &invitation->invite, &request);

    return error == SP_OK ? session_wait(session, request, false, NULL, NULL, notice) : error;
}

/* The code in words: where the server wants to be found, else where we have found it. */
static enum sp_error write_code(struct invitation *invitation, const struct sp_notice *notice)
{
    const struct settings *settings = &invitation->cli->settings;
    bool told = notice->invitation.host[0] != '\0';
    char message[SETTINGS_PATH_BYTES + 128];
    enum sp_error error =
        sp_join_code_make(told ? notice->invitation.host : settings->server,
                          told ? notice->invitation.port : settings->port, settings->ca,
                          invitation->secret, invitation->code, message, sizeof message);

    session_keep_text(&invitation->cli->session, error == SP_OK ? "" : message);
    return error;
}

/* DIR/NAME.txt, which nobody else may read, and which must not be there. */
static enum sp_error write_file(struct cli *cli, const char *directory,
                                const struct shown_code *code)
{
    char path[SETTINGS_PATH_BYTES];
    int size = snprintf(path, sizeof path, "%s/%s.txt", directory, code->name);

    if (size < 0 || (size_t)size >= sizeof path) {
        return SP_EFILE;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        session_explain(&cli->session, "%s: %s", path, error_text(errno));
        return errno == EEXIST ? SP_EEXISTS : SP_EFILE;
    }
    enum sp_error error = file_write_all(fd, code->code, strlen(code->code));
    if (error == SP_OK) {
        error = file_write_all(fd, "\n", 1);
    }
    if (close(fd) != 0 || error != SP_OK) {
        session_explain(&cli->session, "%s: it could not be written whole", path);
        (void)unlink(path);
        return SP_EFILE;
    }
    return SP_OK;
}

/* Shows what came of it, on the screen or in a file of its own. */
static enum sp_error show(struct invitation *invitation, const struct shown_code *code)
{
    struct cli *cli = invitation->cli;
    const char *directory = cli->options->text[OPTION_FILES];

    if (directory != NULL && code->code != NULL) {
        enum sp_error error = write_file(cli, directory, code);
        struct shown_code quiet = *code;

        if (error != SP_OK) {
            return error;
        }
        quiet.code = NULL;
        quiet.status = "invited; the code is in the file";
        show_code(&cli->out, &quiet, option_given(cli->options, OPTION_CSV));
        return SP_OK;
    }
    show_code(&cli->out, code, option_given(cli->options, OPTION_CSV));
    return SP_OK;
}

/* Whether this one has a code, or is in, already; in a roster that is run again that is no error.
 */
static bool is_there_already(enum sp_error error)
{
    return error == SP_EEXISTS;
}

/* Makes one code and shows it. 0 or an exit code, after it was said why. */
static int invite_one(struct invitation *invitation, bool of_roster)
{
    struct cli *cli = invitation->cli;
    const char *name = invitation->invite.username;
    struct sp_notice notice;
    enum sp_error error = sp_join_secret_new(invitation->secret, invitation->invite.secret_digest);

    if (error == SP_OK) {
        error = session_retry(&cli->session, true, attempt, invitation, &notice);
    }
    struct shown_code code = {.name = name != NULL ? name : cli->session.username,
                              .role = invitation->invite.role,
                              .device = invitation->invite.device,
                              .status = "invited",
                              .code = invitation->code};
    if (is_there_already(error) && of_roster) {
        char why[SESSION_TEXT_BYTES];

        (void)snprintf(why, sizeof why, "%s", cli->session.text);
        code.code = NULL;
        code.status = why;
        show_code(&cli->out, &code, option_given(cli->options, OPTION_CSV));
        return 0;
    }
    if (error == SP_OK) {
        code.expires_ms = notice.invitation.expires_ms;
        error = write_code(invitation, &notice);
    }
    if (error == SP_OK) {
        error = show(invitation, &code);
    }
    explicit_bzero(invitation->secret, sizeof invitation->secret);
    explicit_bzero(invitation->code, sizeof invitation->code);
    if (error == SP_EEXISTS) {
        int exit_code = cli_fail(cli, error, "", "cannot invite %s", code.name);
        say_hint(&cli->out, "--renew makes a new code for an invitation that is open; a member's "
                            "next device: sealpost device add [--member NAME]");
        return exit_code;
    }
    return error == SP_OK ? 0 : cli_fail(cli, error, "", "cannot invite %s", code.name);
}

static void fill_invite(const struct cli *cli, const struct roster_row *row,
                        const char *logs[LIMIT_INVITATION_LOGS], struct sp_invite *out)
{
    *out = (struct sp_invite){
        .username = row->username,
        .role = row->administrator ? SP_ROLE_ADMINISTRATOR : SP_ROLE_MEMBER,
        .logs = logs,
        .log_count = row->log_count,
        .renew = option_given(cli->options, OPTION_RENEW),
    };
    for (size_t i = 0; i < row->log_count; i++) {
        logs[i] = row->logs[i];
    }
    if (option_given(cli->options, OPTION_DAYS)) {
        out->valid_ms = (int64_t)cli->options->number[OPTION_DAYS] * DAY_MS;
    }
}

/* All of them; what cannot be invited does not keep the others from being. */
static int invite_all(struct cli *cli, const struct roster *roster, bool of_roster)
{
    int code = cli_open(cli);

    if (code != 0) {
        return code;
    }
    if (option_given(cli->options, OPTION_CSV) && cli->out.mode != OUTPUT_JSON) {
        (void)fputs("name,role,status,expires,code\n", cli->out.data);
    }
    for (size_t i = 0; i < roster->count && *cli->stop == 0; i++) {
        const char *logs[LIMIT_INVITATION_LOGS];
        struct invitation invitation = {.cli = cli};

        fill_invite(cli, &roster->rows[i], logs, &invitation.invite);
        int failed = invite_one(&invitation, of_roster);
        code = code == 0 ? failed : code;
        (void)fflush(cli->out.data);
    }
    return *cli->stop != 0 ? EXIT_INTERRUPTED : code;
}

/* Reads PATH, or standard input. 0 or an exit code. */
static int read_roster(struct cli *cli, const char *path, struct roster *out)
{
    char message[SETTINGS_PATH_BYTES + ROSTER_MESSAGE_BYTES] = "";
    char *text = NULL;
    size_t size = 0;
    bool piped = strcmp(path, "-") == 0;
    enum sp_error error =
        piped ? cli_read_all(cli, STDIN_FILENO, LIMIT_ROSTER_BYTES, &text, &size)
              : file_read(path, LIMIT_ROSTER_BYTES, &text, &size, message, sizeof message);

    if (error != SP_OK) {
        say_error(&cli->out, "%s: %s", piped ? "standard input" : path,
                  message[0] != '\0' ? message : sp_error_text(error));
        return EXIT_USAGE;
    }
    error = roster_parse(piped ? "standard input" : path, text, size, out, message, sizeof message);
    free(text);
    if (error == SP_OK && out->count == 0) {
        roster_deinit(out);
        return cli_usage(cli, "%s names nobody", path);
    }
    if (error != SP_OK) {
        say_error(&cli->out, "%s", message);
        return sp_error_exit_code(error);
    }
    return 0;
}

/* The names of the command line, all with the role and the rooms of its options. */
static int read_arguments(struct cli *cli, struct roster *out)
{
    const struct options *options = cli->options;
    struct roster_row model = {0};
    char reason[ROSTER_MESSAGE_BYTES];

    if (option_given(options, OPTION_ROLE) &&
        !roster_role(options->text[OPTION_ROLE], &model.administrator)) {
        return cli_usage(cli, "--role is member or administrator");
    }
    if (option_given(options, OPTION_ROOMS) &&
        roster_add_logs(&model, options->text[OPTION_ROOMS], reason, sizeof reason) != SP_OK) {
        return cli_usage(cli, "the value of --rooms %s", reason);
    }
    out->rows = calloc((size_t)options->arg_count, sizeof *out->rows);
    if (out->rows == NULL) {
        return cli_fail(cli, SP_ENOMEM, "", "cannot invite");
    }
    for (int i = 0; i < options->arg_count; i++) {
        const char *name = options->args[i];

        if (name_check_username(name, strlen(name)) != SP_OK) {
            say_error(&cli->out, "'%s' is not a name of a member", name);
            say_hint(&cli->out,
                     "a name has a-z, 0-9, '.', '_' and '-', 32 at most, and begins with "
                     "a letter or digit");
            return EXIT_USAGE;
        }
        model.line = 0;
        out->rows[out->count] = model;
        memcpy(out->rows[out->count++].username, name, strlen(name) + 1);
    }
    return 0;
}

int cmd_member_invite(struct cli *cli)
{
    const struct options *options = cli->options;
    const char *from = options->text[OPTION_FROM];
    struct roster roster = {0};
    int code = 0;

    if ((from != NULL) == (options->arg_count > 0)) {
        return cli_usage(cli, "give either NAME... or --from FILE");
    }
    if (from != NULL &&
        (option_given(options, OPTION_ROLE) || option_given(options, OPTION_ROOMS))) {
        return cli_usage(cli, "with --from, roles and rooms stand in the file");
    }
    if (option_given(options, OPTION_DAYS) && options->number[OPTION_DAYS] == 0) {
        return cli_usage(cli, "--days must be 1 at least");
    }
    code = from != NULL ? read_roster(cli, from, &roster) : read_arguments(cli, &roster);
    if (code == 0) {
        code = invite_all(cli, &roster, from != NULL);
    }
    roster_deinit(&roster);
    return code;
}

int cmd_device_add(struct cli *cli)
{
    struct invitation invitation = {
        .cli = cli,
        .invite = {.device = true,
                   .username = cli->options->text[OPTION_MEMBER],
                   .renew = option_given(cli->options, OPTION_RENEW)},
    };
    const char *member = invitation.invite.username;
    int code = 0;

    if (member != NULL && name_check_username(member, strlen(member)) != SP_OK) {
        return cli_usage(cli, "'%s' is not a name of a member", member);
    }
    if (option_given(cli->options, OPTION_DAYS)) {
        invitation.invite.valid_ms = (int64_t)cli->options->number[OPTION_DAYS] * DAY_MS;
    }
    code = cli_open(cli);
    return code == 0 ? invite_one(&invitation, false) : code;
}
