/* sealpost get: a file, under its own name, under a given one, or to standard output. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/name.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/time_text.h"

#define TEMPORARY ".sealpost-XXXXXX"
#define PROC_PATH "/proc/self/fd/%d" /* by which what has no name is linked, see open(2) */
#define PROC_PATH_BYTES 32
#define MIN_ID_DIGITS 6

struct fetch {
    struct cli *cli;
    const char *id;
    const char *directory;          /* where it gets its own name; NULL: it does not */
    char path[SETTINGS_PATH_BYTES]; /* where it is in the end */
    char temporary[SETTINGS_PATH_BYTES];
    int fd;
    bool nameless; /* there is no TEMPORARY: nothing is left of it however this ends */
    bool force;
    bool taken; /* its name is, so it was given up on the way */
    uint32_t request;
    struct progress progress;
};

/* Whether the file may be called so without the user having said it: no way out of the directory,
 * and nothing that hides in it or that a shell would run. */
static bool is_safe_name(const char *name)
{
    return name_check_file(name, strlen(name)) == SP_OK && name[0] != '.' && name[0] != '-';
}

static bool set_path(struct fetch *fetch, const char *name)
{
    int size = snprintf(fetch->path, sizeof(fetch->path), "%s%s%s",
                        strcmp(fetch->directory, ".") == 0 ? "" : fetch->directory,
                        strcmp(fetch->directory, ".") == 0 ? "" : "/", name);

    return size > 0 && (size_t)size < sizeof(fetch->path);
}

static void on_notice(void *context, const struct sp_notice *notice)
{
    struct fetch *fetch = context;
    struct stat status;

    if (notice->type != SP_NOTICE_PROGRESS) {
        return;
    }
    progress_update(&fetch->progress, notice->progress.done, notice->progress.total);
    if (fetch->directory != NULL && !fetch->force && !fetch->taken && fetch->request != 0 &&
        notice->file.name != NULL && is_safe_name(notice->file.name) &&
        set_path(fetch, notice->file.name) && lstat(fetch->path, &status) == 0) {
        fetch->taken = true; /* better now than after the last byte */
        sp_cancel(fetch->cli->session.client, fetch->request);
    }
}

/* To FD, again from the start if this is not the first attempt. */
static enum sp_error attempt_fd(struct session *session, void *context, struct sp_notice *notice)
{
    struct fetch *fetch = context;
    enum sp_error error = SP_OK;

    if (fetch->directory != NULL &&
        (ftruncate(fetch->fd, 0) != 0 || lseek(fetch->fd, 0, SEEK_SET) != 0)) {
        return SP_EFILE;
    }
    error = sp_get(session->client, fetch->id, fetch->fd, &fetch->request);
    if (error == SP_OK) {
        error = session_wait(session, fetch->request, true, on_notice, fetch, notice);
    }
    if (error == SP_ECANCELLED && fetch->taken) {
        error = SP_EEXISTS;
        session_explain(session, "there is a file '%s' here already", fetch->path);
    }
    return error;
}

static enum sp_error attempt_path(struct session *session, void *context, struct sp_notice *notice)
{
    struct fetch *fetch = context;
    enum sp_error error = sp_get_file(session->client, fetch->id, fetch->path, fetch->force,
                                      session->stop, on_notice, fetch, notice);

    session_keep_text(session, error == SP_OK || notice->text == NULL ? "" : notice->text);
    if (error == SP_EEXISTS) {
        session_explain(session, "there is a file '%s' already", fetch->path);
    }
    session->online = session->online && error != SP_EDISCONNECTED && error != SP_ETIMEOUT;
    return error;
}

static enum sp_error keep_errno(struct session *session, const char *what, const char *path)
{
    enum sp_error error = errno == EEXIST ? SP_EEXISTS : SP_EFILE;

    session_explain(session, "%s %s: %s", what, path,
                    strerror(errno)); /* NOLINT(concurrency-mt-unsafe): there is one thread */
    return error;
}

static enum sp_error open_temporary(struct fetch *fetch)
{
    char proc[PROC_PATH_BYTES];
    int size =
        snprintf(fetch->temporary, sizeof(fetch->temporary), "%s/" TEMPORARY, fetch->directory);

    if (size < 0 || (size_t)size >= sizeof(fetch->temporary)) {
        fetch->temporary[0] = '\0';
        return SP_EFILE;
    }
    (void)snprintf(proc, sizeof(proc), PROC_PATH, 0);
    fetch->nameless = !fetch->force && access(proc, F_OK) == 0; /* it cannot replace another */
    if (fetch->nameless) {
        fetch->fd = open(fetch->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        fetch->nameless = fetch->fd >= 0;
    }
    if (!fetch->nameless) {
        fetch->fd = mkostemp(fetch->temporary, O_CLOEXEC);
    }
    if (fetch->fd < 0) {
        fetch->temporary[0] = '\0';
        return keep_errno(&fetch->cli->session, "cannot make a file in", fetch->directory);
    }
    return SP_OK;
}

/* The file's name; as link(2). */
static int link_to_path(const struct fetch *fetch)
{
    char proc[PROC_PATH_BYTES];
    int failed = 0;

    if (fetch->nameless) {
        (void)snprintf(proc, sizeof(proc), PROC_PATH, fetch->fd);
        return linkat(AT_FDCWD, proc, AT_FDCWD, fetch->path, AT_SYMLINK_FOLLOW);
    }
    if (fetch->force) {
        return rename(fetch->temporary, fetch->path);
    }
    failed = link(fetch->temporary, fetch->path);
    if (failed != 0 && errno != EEXIST) { /* a file system without hard links */
        failed = renameat2(AT_FDCWD, fetch->temporary, AT_FDCWD, fetch->path, RENAME_NOREPLACE);
    }
    return failed;
}

/* The verified file gets its name, durably. */
static enum sp_error give_name(struct fetch *fetch, const char *name)
{
    struct session *session = &fetch->cli->session;
    mode_t mask = umask(0);

    (void)umask(mask);
    if (!is_safe_name(name) || !set_path(fetch, name)) {
        session_keep_text(session, "its own name is not safe here; give it one with -o PATH");
        return SP_ENAME;
    }
    if (fchmod(fetch->fd, 0666 & ~mask) != 0 || fsync(fetch->fd) != 0) {
        return keep_errno(session, "cannot write", fetch->path);
    }
    if (link_to_path(fetch) != 0) {
        return keep_errno(session, "cannot make", fetch->path);
    }
    return file_sync_directory(fetch->directory);
}

static enum sp_error run(struct fetch *fetch, struct sp_notice *notice)
{
    struct session *session = &fetch->cli->session;
    char name[LIMIT_FILE_NAME_BYTES + 1];
    enum sp_error error = SP_OK;

    if (fetch->directory == NULL && fetch->fd < 0) {
        return session_retry(session, true, attempt_path, fetch, notice);
    }
    if (fetch->directory != NULL) {
        error = open_temporary(fetch);
    }
    if (error == SP_OK) {
        error = session_retry(session, fetch->directory != NULL, attempt_fd, fetch, notice);
    }
    if (error == SP_OK && fetch->directory != NULL) {
        (void)snprintf(name, sizeof(name), "%s", notice->file.name);
        error = give_name(fetch, name);
    }
    if (fetch->temporary[0] != '\0') {
        if (!fetch->nameless) {
            (void)unlink(fetch->temporary);
        }
        (void)close(fetch->fd);
    }
    return error;
}

static void report(struct fetch *fetch, const struct sp_notice *notice)
{
    struct output *output = &fetch->cli->out;
    struct json_out json;
    char size[SIZE_TEXT_BYTES];

    if (fetch->path[0] == '\0') { /* standard output belongs to the file */
        return;
    }
    if (output->mode == OUTPUT_JSON) {
        json_open(&json, output->data, "got");
        json_string(&json, "path", fetch->path);
        json_file(&json, "file", &notice->file);
        json_close(&json);
        return;
    }
    put_escaped(output, fetch->path, strlen(fetch->path), false);
    (void)fputc('\n', output->data);
    size_format(notice->file.size, size);
    say_note(output, "%s, SHA-256 verified", size);
}

/* Where to: sets DIRECTORY, PATH or FD. 0, or the exit code. */
static int choose_target(struct fetch *fetch)
{
    const char *target = fetch->cli->options->text[OPTION_OUTPUT];
    struct stat status;

    if (target == NULL) {
        fetch->directory = ".";
    } else if (strcmp(target, "-") == 0) {
        if (isatty(STDOUT_FILENO) == 1) {
            return cli_usage(fetch->cli, "a file is not written to a terminal; use a pipe or -o");
        }
        fetch->fd = STDOUT_FILENO;
    } else if (stat(target, &status) == 0 && S_ISDIR(status.st_mode)) {
        fetch->directory = target;
    } else if (target[0] == '\0' || strlen(target) >= sizeof(fetch->path)) {
        return cli_usage(fetch->cli, "the path behind -o is empty or too long");
    } else {
        (void)snprintf(fetch->path, sizeof(fetch->path), "%s", target);
    }
    return 0;
}

/* Whether FD is a pipe that nobody reads any more, which needs no words. */
static bool is_abandoned(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLERR) != 0;
}

int cmd_get(struct cli *cli)
{
    struct fetch fetch = {.cli = cli,
                          .id = cli_argument(cli, 0),
                          .fd = -1,
                          .force = option_given(cli->options, OPTION_FORCE)};
    size_t digits = strspn(fetch.id, "0123456789abcdefABCDEF");
    struct sp_notice notice = {0};
    enum sp_error error = SP_OK;
    int code = 0;

    if (fetch.id[digits] != '\0' || digits < MIN_ID_DIGITS || digits > ID_HEX_BYTES - 1) {
        return cli_usage(cli, "'%s' is not a file's id: %d to %d hexadecimal digits", fetch.id,
                         MIN_ID_DIGITS, 2 * ID_BYTES);
    }
    code = choose_target(&fetch);
    if (code == 0) {
        code = cli_open(cli);
    }
    if (code != 0) {
        return code;
    }
    progress_init(&fetch.progress, &cli->out, fetch.id);
    error = run(&fetch, &notice);
    progress_end(&fetch.progress);
    cli->session.unknown = false; /* fetching changes nothing */
    if (error == SP_EEXISTS) {
        (void)cli_fail(cli, SP_EEXISTS, "", "cannot get %s", fetch.id);
        say_hint(&cli->out, "use -o PATH for another name, or --force to overwrite it");
        return sp_error_exit_code(SP_EEXISTS);
    }
    if (error != SP_OK && fetch.fd == STDOUT_FILENO && is_abandoned(STDOUT_FILENO)) {
        return EXIT_FAILURE;
    }
    if (error != SP_OK) {
        return cli_fail(cli, error, "", "cannot get %s", fetch.id);
    }
    report(&fetch, &notice);
    return 0;
}
