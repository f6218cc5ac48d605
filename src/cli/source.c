#include "cli/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 100
#define MS_PER_S 1000

bool source_is_dry(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    return poll(&ready, 1, 0) == 0;
}

/* A named pipe that nobody has opened for writing looks like one that is at its end. */
static enum sp_error wait_for_writer(struct session *session, int fd)
{
    int64_t until_ms = clock_monotonic_ms(session->output->clock) + session->timeout_ms;

    while (source_is_dry(fd)) {
        if (clock_monotonic_ms(session->output->clock) >= until_ms) {
            session_explain(session, "is a pipe, and nobody wrote to it for %d s",
                            session->timeout_ms / MS_PER_S);
            return SP_EFILE;
        }
        if (!session_idle(session, LOOK_MS)) {
            return SP_ECANCELLED;
        }
    }
    return SP_OK;
}

static int open_source(const char *path)
{
    if (strcmp(path, "-") == 0) {
        return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    }
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe is waited for below */
}

enum sp_error source_open(struct session *session, const char *path, int *fd)
{
    struct stat status;

    *fd = open_source(path);
    if (*fd < 0 || fstat(*fd, &status) != 0) {
        session_explain(session, "cannot be opened: %s",
                        strerror(errno)); /* NOLINT(concurrency-mt-unsafe): one thread */
        return SP_EFILE;
    }
    if (S_ISDIR(status.st_mode)) {
        session_keep_text(session, "is a directory; pack it first, e.g. with tar");
        return SP_EFILE;
    }
    return S_ISFIFO(status.st_mode) && strcmp(path, "-") != 0 ? wait_for_writer(session, *fd)
                                                              : SP_OK;
}
