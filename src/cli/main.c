/* sealpost: the command line client. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

/* The one variable that a signal handler may write (C17, 7.14.1.1); read through a pointer. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void set_up_signals(void)
{
    /* Once is asking, twice is insisting: the second ends the program at once. */
    struct sigaction stop = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)sigemptyset(&stop.sa_mask);
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL); /* a closed pipe is an error of write(2) */
}

static int run(struct cli *cli)
{
    const struct options *options = cli->options;

    if (option_given(options, OPTION_VERSION)) {
        return cmd_version(cli);
    }
    if (option_given(options, OPTION_HELP)) {
        help_print(cli->out.data, options->command, options->group);
        return 0;
    }
    return options->command->run(cli);
}

int main(int argc, char **argv)
{
    struct options options;
    char message[256];
    struct cli cli = {.options = &options, .stop = &interrupted};
    enum sp_error error = SP_OK;
    int code = 0;

    tzset();
    set_up_signals();
    error = options_parse(argc, argv, &options, message, sizeof(message));
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    output_init(&cli.out, &options, stdout, stderr, getenv("TERM"), getenv("NO_COLOR"));
    session_init(&cli.session, &cli.out, &cli.settings, 0, cli.stop);
    if (error != SP_OK) {
        const char *name = options.command != NULL ? options.command->name : options.group;

        say_error(&cli.out, "%s", message);
        say_hint(&cli.out, "see 'sealpost help%s%s'", name == NULL ? "" : " ",
                 name == NULL ? "" : name);
        return EXIT_USAGE;
    }
    code = run(&cli);
    cli_close(&cli);
    if (!output_flush(&cli.out) && code == 0) {
        code = cli.out.broken ? 0 : EXIT_FAILURE;
    }
    return code;
}
