/* sealpost say: one message, from the command line or from standard input. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/name.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/show.h"

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

static int post(struct cli *cli, const char *room, const char *text, size_t size)
{
    struct action action = {.kind = ACTION_POST, .log = room, .text = text, .size = size};
    struct sp_notice notice;
    enum sp_error error = SP_OK;

    if (size > cli->session.text_bytes) {
        session_explain(&cli->session,
                        "it has %zu bytes, and the server takes %llu; send it as a file", size,
                        (unsigned long long)cli->session.text_bytes);
        return cli_fail(cli, SP_ETOOLARGE, room, "not posted to %s", room);
    }
    sp_once_new(&action.once);
    error = session_perform(&cli->session, &action, NULL, NULL, &notice);
    if (error != SP_OK) {
        return cli_fail(cli, error, room,
                        cli->session.unknown ? "not known to be posted to %s" : "not posted to %s",
                        room);
    }
    if (cli->out.mode == OUTPUT_JSON) {
        struct json_out json;

        json_open(&json, cli->out.data, "posted");
        json_made(&json, "room", room, &notice);
        json_hex(&json, "client_id", action.once.client_id, sizeof(action.once.client_id));
        json_close(&json);
    }
    say_verbose(&cli->out, "posted to %s as %llu", room, (unsigned long long)notice.sequence);
    return 0;
}

int cmd_say(struct cli *cli)
{
    const char *room = cli_log_argument(cli, 0);
    const char *text = NULL;
    char *owned = NULL;
    size_t size = 0;
    int code = room == NULL ? EXIT_USAGE : find_text(cli, &text, &size, &owned);

    if (code == 0) {
        code = check_text(cli, text, size);
    }
    if (code == 0) {
        code = cli_open(cli);
    }
    if (code == 0) {
        code = post(cli, room, text, size);
    }
    free(owned);
    return code;
}
