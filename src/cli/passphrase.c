#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"

/* A signal may come just before poll(2): STOP is looked at this often anyway. */
#define STOP_LOOK_MS 200

/* One line from FD. */
static enum sp_error read_line(int fd, const volatile int *stop, char *out, size_t capacity)
{
    size_t size = 0;

    for (;;) {
        struct pollfd readable = {fd, POLLIN, 0};
        char c = '\0';
        int ready = poll(&readable, 1, STOP_LOOK_MS);
        ssize_t got = 0;

        if (*stop != 0) {
            return SP_ECANCELLED;
        }
        if (ready == 0 || (ready < 0 && errno == EINTR)) {
            continue;
        }
        got = read(fd, &c, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || c == '\n') {
            break;
        }
        if (size + 1 >= capacity) {
            return SP_ETOOLARGE;
        }
        out[size++] = c;
    }
    out[size] = '\0';
    return SP_OK;
}

/*
 * Nothing that is typed on FD is shown from now on. What would end or stop the program in between
 * (^\, ^Z) waits until the terminal is as before; ^C is for STOP. False: it is no terminal.
 */
static bool hide(int fd, struct termios *before, sigset_t *signals)
{
    struct termios silent;
    sigset_t held;

    if (tcgetattr(fd, before) != 0) {
        return false;
    }
    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGQUIT);
    (void)sigaddset(&held, SIGTSTP);
    (void)pthread_sigmask(SIG_BLOCK, &held, signals);
    silent = *before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(fd, TCSAFLUSH, &silent) != 0) {
        (void)pthread_sigmask(SIG_SETMASK, signals, NULL);
        return false;
    }
    return true;
}

static void show_again(int fd, const struct termios *before, const sigset_t *signals)
{
    (void)tcsetattr(fd, TCSAFLUSH, before);
    (void)!write(fd, "\n", 1); /* the user's own was not shown */
    (void)pthread_sigmask(SIG_SETMASK, signals, NULL);
}

enum sp_error terminal_ask(const char *prompt, bool hidden, const volatile int *stop, char *out,
                           size_t capacity)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before;
    sigset_t signals;
    enum sp_error error = SP_EFILE;

    out[0] = '\0';
    if (fd < 0) {
        return SP_EFILE;
    }
    bool changed = hidden && hide(fd, &before, &signals);
    if ((changed || !hidden) && file_write_all(fd, prompt, strlen(prompt)) == SP_OK) {
        error = read_line(fd, stop, out, capacity);
    }
    if (error != SP_OK) { /* the rest of a line that is too long is not for the shell */
        explicit_bzero(out, capacity);
        (void)tcflush(fd, TCIFLUSH);
    }
    if (changed) {
        show_again(fd, &before, &signals);
    }
    (void)close(fd);
    return error;
}

static enum sp_error read_file(const struct passphrase *source, char *out, size_t capacity)
{
    char why[256];
    int fd = -1;
    static const volatile int never = 0;
    enum sp_error error = file_open_private(source->file, &fd, why, sizeof why);

    out[0] = '\0';
    if (error != SP_OK) {
        say_error(source->output, "%s: %s", source->file, why);
        return SP_EPASSPHRASE;
    }
    error = read_line(fd, &never, out, capacity);
    (void)close(fd);
    if (error != SP_OK || out[0] == '\0') {
        say_error(source->output, "%s: there is no passphrase in its first line", source->file);
        return SP_EPASSPHRASE;
    }
    return SP_OK;
}

/* From the file, or the terminal. */
static enum sp_error ask(const struct passphrase *source, const char *path, char *out,
                         size_t capacity)
{
    char prompt[4200];

    if (source->file != NULL) {
        return read_file(source, out, capacity);
    }
    if (!source->may_ask) {
        return SP_EPASSPHRASE;
    }
    (void)snprintf(prompt, sizeof prompt, "Passphrase of %s: ", path);
    enum sp_error error = terminal_ask(prompt, true, source->stop, out, capacity);
    return error == SP_EFILE || error == SP_ETOOLARGE ? SP_EPASSPHRASE : error;
}

enum sp_error passphrase_get(void *context, const char *path, char *out, size_t capacity)
{
    struct passphrase *source = context;
    enum sp_error error = SP_OK;

    if (source->kept[0] == '\0') {
        error = ask(source, path, source->kept, sizeof source->kept);
    }
    if (error == SP_OK && strlen(source->kept) >= capacity) {
        error = SP_EPASSPHRASE;
    }
    if (error != SP_OK) {
        passphrase_forget(source);
        return error;
    }
    memcpy(out, source->kept, strlen(source->kept) + 1);
    return SP_OK;
}

void passphrase_forget(struct passphrase *passphrase)
{
    explicit_bzero(passphrase->kept, sizeof passphrase->kept);
}

enum sp_error passphrase_new(const struct passphrase *source, char *out, size_t capacity)
{
    char again[PASSPHRASE_FILE_BYTES];
    enum sp_error error = SP_OK;

    if (source->file != NULL) {
        return read_file(source, out, capacity);
    }
    if (!source->may_ask) {
        say_error(source->output, "a passphrase must be asked for, or given by --passphrase-file");
        return SP_EPASSPHRASE;
    }
    error = terminal_ask("New passphrase for the private key: ", true, source->stop, out, capacity);
    if (error == SP_OK) {
        error = terminal_ask("The same again: ", true, source->stop, again, sizeof again);
    }
    if (error == SP_OK && (out[0] == '\0' || strcmp(out, again) != 0)) {
        say_error(source->output, out[0] == '\0' ? "the passphrase is empty"
                                                 : "these were two different passphrases");
        error = SP_EPASSPHRASE;
    } else if (error == SP_EFILE) {
        say_error(source->output, "there is no terminal to ask for a passphrase on");
        error = SP_EPASSPHRASE;
    }
    explicit_bzero(again, sizeof again);
    return error;
}
