#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/name.h"
#include "cli/keep.h"
#include "cli/line_reader.h"

#define DEFAULT_TIMEOUT_S 30
#define MS_PER_S 1000
#define WHAT_BYTES 512
#define READ_BYTES 16384

const char *cli_argument(const struct cli *cli, int index)
{
    return index < cli->options->arg_count ? cli->options->args[index] : NULL;
}

const char *log_name_of(const char *text)
{
    text += text[0] == '#' ? 1 : 0;
    return name_check_log(text, strlen(text)) == SP_OK ? text : NULL;
}

const char *cli_log_argument(struct cli *cli, int index)
{
    const char *argument = cli_argument(cli, index);
    const char *name = log_name_of(argument);

    if (name == NULL) {
        say_error(&cli->out, "'%s' is not a name of a room or box", argument);
        say_hint(&cli->out, "a name has a-z, 0-9, '.', '_' and '-', and begins with a letter or "
                            "digit");
    }
    return name;
}

const char *cli_environment(void *context, const char *name)
{
    (void)context;
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

static int timeout_ms(const struct options *options)
{
    uint64_t seconds = DEFAULT_TIMEOUT_S;

    if (option_given(options, OPTION_TIMEOUT) && options->number[OPTION_TIMEOUT] > 0) {
        seconds = options->number[OPTION_TIMEOUT];
    }
    return (int)seconds * MS_PER_S;
}

/* 0, or the exit code after it was said which file of the settings there is not. */
static int check_files(struct cli *cli)
{
    const struct settings *settings = &cli->settings;
    const struct {
        const char *what;
        const char *path;
    } files[] = {{"certificate", settings->cert},
                 {"private key", settings->key},
                 {"CA certificate", settings->ca}};

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (access(files[i].path, F_OK) != 0) {
            say_error(&cli->out, "the %s %s: %s", files[i].what, files[i].path,
                      strerror(errno)); /* NOLINT(concurrency-mt-unsafe): there is one thread */
            say_hint(&cli->out, "use --cert DIR with a directory that has cert.pem, key.pem and "
                                "ca.pem, or give --cert, --key and --ca");
            return EXIT_USAGE;
        }
    }
    return 0;
}

int cli_prepare(struct cli *cli)
{
    char message[WHAT_BYTES + SETTINGS_PATH_BYTES];
    char hint[WHAT_BYTES + SETTINGS_PATH_BYTES];
    enum sp_error error = SP_OK;

    if (cli->prepared) {
        return 0;
    }
    error = settings_resolve(cli->options, cli_environment, NULL, &cli->settings, message,
                             sizeof(message), hint, sizeof(hint));
    if (error != SP_OK) {
        say_error(&cli->out, "%s", message);
        if (hint[0] != '\0') {
            say_hint(&cli->out, "%s", hint);
        }
        return sp_error_exit_code(error);
    }
    if (check_files(cli) != 0) {
        return EXIT_USAGE;
    }
    session_init(&cli->session, &cli->out, &cli->settings, timeout_ms(cli->options), cli->stop);
    cli->session.passphrase.file = cli->options->text[OPTION_PASSPHRASE_FILE];
    cli->session.passphrase.may_ask = !option_given(cli->options, OPTION_NO_INPUT);
    cli->prepared = true;
    return 0;
}

static enum sp_error connect_by(struct cli *cli, enum sp_error (*connect)(struct session *session))
{
    enum sp_error error = SP_OK;

    keep_open(cli, SP_STORE_EXISTING);
    error = connect(&cli->session);
    if (error == SP_OK) {
        say_verbose(&cli->out, "logged in to %s (%s) as %s", cli->settings.server,
                    cli->session.server, cli->session.username);
    }
    return error;
}

enum sp_error cli_connect(struct cli *cli)
{
    return connect_by(cli, session_connect);
}

int cli_say_unreachable(struct cli *cli, enum sp_error error)
{
    return cli_fail(cli, error, "", "cannot log in to %s:%u", cli->settings.server,
                    cli->settings.port);
}

static int open_by(struct cli *cli, enum sp_error (*connect)(struct session *session))
{
    int code = cli_prepare(cli);
    enum sp_error error = code == 0 ? connect_by(cli, connect) : SP_OK;

    if (error != SP_OK) {
        return cli_say_unreachable(cli, error);
    }
    if (code == 0) {
        keep_drain(cli);
    }
    return code;
}

int cli_open(struct cli *cli)
{
    return open_by(cli, session_connect);
}

int cli_open_patiently(struct cli *cli)
{
    return open_by(cli, session_connect_patiently);
}

void cli_close(struct cli *cli)
{
    session_deinit(&cli->session);
    keep_close(cli);
}

int cli_fail(struct cli *cli, enum sp_error error, const char *subject, const char *format, ...)
{
    char what[WHAT_BYTES];
    char hint[WHAT_BYTES];
    const char *text = cli->session.text;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    if (*cli->stop != 0 && error == SP_ECANCELLED) {
        say_error(&cli->out, "%s: interrupted", what);
    } else {
        say_error(&cli->out, "%s: %s (%s)", what, text[0] == '\0' ? sp_error_text(error) : text,
                  sp_error_name(error));
    }
    hint_for_error(error, subject, hint, sizeof(hint));
    if (cli->session.unknown) {
        say_hint(&cli->out, "it may have been done all the same: the connection ended before the "
                            "answer came; look before you do it again");
    } else if (hint[0] != '\0') {
        say_hint(&cli->out, "%s", hint);
    }
    return *cli->stop != 0 && error == SP_ECANCELLED ? EXIT_INTERRUPTED : sp_error_exit_code(error);
}

int cli_usage(struct cli *cli, const char *format, ...)
{
    char what[WHAT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    say_error(&cli->out, "%s", what);
    say_hint(&cli->out, "see 'sealpost help %s'",
             cli->options->command == NULL ? "" : cli->options->command->name);
    return EXIT_USAGE;
}

/* Reads on into BUFFER until the end of FD. */
static enum sp_error read_on(struct cli *cli, int fd, struct buffer *buffer)
{
    for (;;) {
        uint8_t *at = NULL;
        ssize_t got = 0;
        enum sp_error error = buffer_reserve(buffer, READ_BYTES, &at);

        if (error != SP_OK) {
            return error;
        }
        got = read(fd, at, READ_BYTES);
        if (got > 0 && isatty(fd) == 1 && line_may_be_cut(at, (size_t)got)) {
            session_explain(&cli->session,
                            "a line on a terminal holds %d bytes, and the rest of "
                            "one is lost; put it into a file",
                            TERMINAL_LINE_BYTES);
            return SP_ETOOLARGE;
        }
        if (got > 0) {
            buffer_commit(buffer, (size_t)got);
        } else if (got == 0) {
            return SP_OK;
        } else if (errno != EINTR) {
            return SP_EFILE;
        }
        if (*cli->stop != 0) {
            return SP_ECANCELLED;
        }
    }
}

enum sp_error cli_read_all(struct cli *cli, int fd, size_t maximum, char **out, size_t *size)
{
    struct buffer buffer;
    enum sp_error error = SP_OK;

    *out = NULL;
    *size = 0;
    buffer_init(&buffer, maximum + READ_BYTES);
    error = read_on(cli, fd, &buffer);
    if (error == SP_OK && buffer.size > maximum) {
        error = SP_ETOOLARGE;
    }
    if (error == SP_OK) {
        *out = malloc(buffer.size + 1);
        error = *out == NULL ? SP_ENOMEM : SP_OK;
    }
    if (error == SP_OK) {
        *size = buffer.size;
        if (buffer.size > 0) {
            memcpy(*out, buffer_data(&buffer), buffer.size);
        }
        (*out)[*size] = '\0';
    }
    buffer_deinit(&buffer);
    return error;
}

bool cli_may_read_input(const struct cli *cli)
{
    return !option_given(cli->options, OPTION_NO_INPUT);
}
