/* join: from a join code to a profile with which everything else just works. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/name.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/passphrase.h"
#include "cli/show_team.h"
#include "cli/time_text.h"
#include "sealpost/join.h"

#define CODE_BYTES 1024 /* as typed or pasted, with blanks and line ends */
#define CODE_TRIES 3    /* at the terminal */

/* What is made, and out of what. */
struct joining {
    struct cli *cli;
    struct settings_place place;
    char code[CODE_BYTES];
    size_t code_size;
    char label[LIMIT_LABEL_BYTES + 1];
    char passphrase[PASSPHRASE_FILE_BYTES];
    char message[SETTINGS_PATH_BYTES + 512];
};

/* Whoever types has another try at it; check_code() says what is wrong with the last one. */
static enum sp_error ask_code(struct joining *joining)
{
    struct cli *cli = joining->cli;
    struct sp_join_code code;

    for (int tries = CODE_TRIES;; tries--) {
        enum sp_error error =
            terminal_ask("Join code: ", false, cli->stop, joining->code, sizeof joining->code);

        if (error == SP_OK && tries > 1 && joining->code[0] != '\0') {
            error = sp_join_code_read(joining->code, strlen(joining->code), &code, joining->message,
                                      sizeof joining->message);
            if (error != SP_OK && error != SP_ENOMEM) {
                say_warning(&cli->out, "%s; once more, please", joining->message);
                continue;
            }
        }
        return error;
    }
}

/* Out of the arguments, the terminal, or standard input. 0 or an exit code. */
static int read_code(struct joining *joining)
{
    struct cli *cli = joining->cli;
    const char *argument = cli_argument(cli, 0);
    enum sp_error error = SP_OK;

    if (argument != NULL) {
        if (strlen(argument) >= sizeof joining->code) {
            return cli_usage(cli, "this is no join code: it is too long");
        }
        memcpy(joining->code, argument, strlen(argument) + 1);
        say_hint(&cli->out, "what stands in a command line others can see, and the shell keeps it; "
                            "without the code, 'sealpost join' asks for it");
    } else if (isatty(STDIN_FILENO) != 0 && cli_may_read_input(cli)) {
        error = ask_code(joining);
    } else if (cli_may_read_input(cli)) {
        char *text = NULL;
        size_t size = 0;

        error = cli_read_all(cli, STDIN_FILENO, sizeof joining->code - 1, &text, &size);
        if (error == SP_OK) {
            memcpy(joining->code, text, size);
            explicit_bzero(text, size);
        }
        free(text);
    } else {
        return cli_usage(cli, "the join code must be read from standard input");
    }
    joining->code_size = strlen(joining->code);
    if (error == SP_ECANCELLED) {
        return EXIT_INTERRUPTED;
    }
    if (error != SP_OK) {
        session_keep_text(&cli->session, error == SP_ETOOLARGE ? "this is no join code" : "");
        return cli_fail(cli, error == SP_ETOOLARGE ? SP_EINVALID : error, "", "cannot join");
    }
    return 0;
}

/* Said before anything is sent: a mistyped code costs nothing. */
static int check_code(struct joining *joining)
{
    struct sp_join_code code;
    enum sp_error error = sp_join_code_read(joining->code, joining->code_size, &code,
                                            joining->message, sizeof joining->message);

    if (error != SP_OK) {
        session_keep_text(&joining->cli->session, joining->message);
        return cli_fail(joining->cli, error, "", "cannot join");
    }
    say_verbose(&joining->cli->out, "the code leads to %s:%u", code.host, code.port);
    return 0;
}

/* What the device is to be called: as asked, or as the host is. */
static int choose_label(struct joining *joining)
{
    const char *given = joining->cli->options->text[OPTION_DEVICE];
    size_t size = 0;

    if (given == NULL) {
        if (gethostname(joining->label, sizeof joining->label) != 0 || joining->label[0] == '\0') {
            memcpy(joining->label, "device", sizeof "device");
        }
        joining->label[sizeof joining->label - 1] = '\0';
        return 0;
    }
    size = strlen(given);
    if (name_check_label(given, size) != SP_OK) {
        return cli_usage(joining->cli,
                         "a device's name has 1 to %d bytes of UTF-8 and no control "
                         "characters",
                         LIMIT_LABEL_BYTES);
    }
    memcpy(joining->label, given, size + 1);
    return 0;
}

static int choose_passphrase(struct joining *joining)
{
    struct cli *cli = joining->cli;
    const struct passphrase source = {.output = &cli->out,
                                      .file = cli->options->text[OPTION_PASSPHRASE_FILE],
                                      .may_ask = !option_given(cli->options, OPTION_NO_INPUT),
                                      .stop = cli->stop};

    if (!option_given(cli->options, OPTION_SEAL)) {
        return 0;
    }
    enum sp_error error = passphrase_new(&source, joining->passphrase, sizeof joining->passphrase);
    return error == SP_OK           ? 0
           : error == SP_ECANCELLED ? EXIT_INTERRUPTED
                                    : sp_error_exit_code(SP_EPASSPHRASE);
}

static void show_joined(struct joining *joining, const struct sp_enrolled *enrolled)
{
    struct output *output = &joining->cli->out;
    enum sp_role role = enrolled->administrator ? SP_ROLE_ADMINISTRATOR : SP_ROLE_MEMBER;
    char until[TIME_TEXT_BYTES];

    if (output->mode == OUTPUT_JSON) {
        struct json_out json;

        json_open(&json, output->data, "joined_team");
        json_string(&json, "username", enrolled->username);
        json_string(&json, "team", enrolled->team);
        json_string(&json, "role", role_text(role));
        json_hex(&json, "device", enrolled->device, sizeof enrolled->device);
        json_string(&json, "label", joining->label);
        json_string(&json, "address", enrolled->host);
        json_number(&json, "port", enrolled->port);
        json_time(&json, "certificate_expires", enrolled->not_after_ms);
        json_string(&json, "profile", joining->place.profile);
        json_string(&json, "directory", joining->place.directory);
        json_close(&json);
        return;
    }
    time_format_local(enrolled->not_after_ms, clock_wall_ms(output->clock), until);
    say_note(output, "you are %s (%s) of the team %s, at %s:%u; this certificate is good until %s",
             enrolled->username, role_text(role), enrolled->team, enrolled->host, enrolled->port,
             until);
    say_note(output, "the key, made here and kept here, is in %s", joining->place.directory);
    if (enrolled->old_directory[0] != '\0') {
        say_note(output, "the profile before is kept in %s", enrolled->old_directory);
    }
    bool is_default = strcmp(joining->place.profile, "default") == 0;
    say_note(output, "go on with: sealpost %s%s%sroom list", is_default ? "" : "--profile ",
             is_default ? "" : joining->place.profile, is_default ? "" : " ");
}

/* What to do about what is about joining alone, or is about --server, --cert and --ca elsewhere. */
static const struct {
    enum sp_error error;
    const char *hint;
} hints[] = {
    {SP_EEXISTS, "--profile NAME joins beside it; --force replaces it, and keeps the old one under "
                 "another name"},
    {SP_EUNTRUSTED, "ask whoever sent the code, not the server, whether it is right"},
    {SP_EUNSUPPORTED, "ask whoever sent the code; the server's administrator sees why: sealpostd "
                      "check"},
    {SP_EUNREACHABLE, "check the network; the code can be used later, as long as it is good"},
    {SP_EHOST,
     "the code leads to a name that the server's certificate is not for; tell who sent it"},
    {SP_EPROFILE, "ask whoever sent the code whether it is right"},
    {SP_EEXPIRED, "check this machine's clock; if it is right, tell the server's administrator"},
    {SP_ENOTYET, "check this machine's clock"},
    {SP_ETLS, "check that nothing is in between; ask whoever sent the code whether it is right"},
    {SP_EINTEGRITY, "tell the server's administrator; the same code can be entered again"},
    {SP_EPASSPHRASE, "--seal asks for it, or takes it from --passphrase-file FILE"},
    {SP_EDISCONNECTED, "enter the same code again"},
    {SP_ETIMEOUT, "enter the same code again"},
};

/* Says why, and what to do; returns the exit code. */
static int fail(struct joining *joining, enum sp_error error)
{
    struct output *output = &joining->cli->out;

    for (size_t i = 0; i < COUNT_OF(hints); i++) {
        if (hints[i].error == error) {
            say_error(output, "cannot join: %s (%s)", joining->message, sp_error_name(error));
            say_hint(output, "%s", hints[i].hint);
            return sp_error_exit_code(error);
        }
    }
    session_keep_text(&joining->cli->session, joining->message);
    return cli_fail(joining->cli, error, "", "cannot join");
}

static int enrol(struct joining *joining)
{
    struct cli *cli = joining->cli;
    const struct options *options = cli->options;
    struct sp_enrolled enrolled;
    const struct sp_enrol_config config = {
        .code = joining->code,
        .code_size = joining->code_size,
        .label = joining->label,
        .directory = joining->place.directory,
        .settings_file = joining->place.file,
        .replace = option_given(options, OPTION_FORCE),
        .passphrase = option_given(options, OPTION_SEAL) ? joining->passphrase : NULL,
        .passphrase_size = strlen(joining->passphrase),
        .timeout_ms =
            option_given(options, OPTION_TIMEOUT) ? (int)options->number[OPTION_TIMEOUT] * 1000 : 0,
        .stop = cli->stop,
    };
    enum sp_error error = sp_enrol(&config, &enrolled, joining->message, sizeof joining->message);

    if (error == SP_OK) {
        show_joined(joining, &enrolled);
        return 0;
    }
    return fail(joining, error);
}

int cmd_join(struct cli *cli)
{
    struct joining joining = {.cli = cli};
    int (*const steps[])(struct joining *) = {choose_label, read_code, check_code,
                                              choose_passphrase, enrol};
    enum sp_error error = settings_find_place(cli->options, cli_environment, NULL, &joining.place,
                                              joining.message, sizeof joining.message);
    int code = 0;

    if (error != SP_OK) {
        say_error(&cli->out, "%s", joining.message);
        return sp_error_exit_code(error);
    }
    for (size_t i = 0; i < COUNT_OF(steps) && code == 0; i++) {
        code = steps[i](&joining);
    }
    explicit_bzero(joining.code, sizeof joining.code);
    explicit_bzero(joining.passphrase, sizeof joining.passphrase);
    return code;
}
