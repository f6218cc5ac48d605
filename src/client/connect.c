#include "client/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How much may wait in the kernel: a chat message is not to wait behind a file there. */
#define NOT_SENT_LOW_WATER_BYTES (128 * 1024)

static const char timed_out[] = "no answer in time";

void dial_init(struct dial *dial)
{
    *dial = (struct dial){.fd = -1};
}

void dial_deinit(struct dial *dial)
{
    if (dial->fd >= 0) {
        (void)close(dial->fd);
    }
    if (dial->addresses != NULL) {
        freeaddrinfo(dial->addresses);
    }
    dial_init(dial);
}

static const char *describe(int number)
{
    const char *problem = strerrordesc_np(number); /* unlike strerror(), safe in any thread */

    return problem != NULL ? problem : "unknown error";
}

enum sp_error dial_start(struct dial *dial, const char *host, uint16_t port, int64_t now_ms,
                         int64_t deadline_ms, const char **problem)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_protocol = IPPROTO_TCP,
                                   .ai_flags = AI_NUMERICSERV};
    char service[8];

    *problem = "";
    dial_init(dial);
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    int result = getaddrinfo(host, service, &hints, &dial->addresses);
    if (result != 0) {
        *problem = result == EAI_SYSTEM ? describe(errno) : gai_strerror(result);
        dial->addresses = NULL;
        return SP_EUNREACHABLE;
    }
    dial->at = dial->addresses;
    for (const struct addrinfo *address = dial->at; address != NULL; address = address->ai_next) {
        dial->left++;
    }
    dial->deadline_ms = deadline_ms;
    dial->attempt_ms = now_ms;
    dial->problem = timed_out;
    return SP_OK;
}

static void set_options(int fd)
{
    int on = 1;
    int low_water = NOT_SENT_LOW_WATER_BYTES;

    /* Both only make it faster. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low_water, sizeof low_water);
}

/* Begins with the address at dial->at. False: it failed already. */
static bool begin_attempt(struct dial *dial, int64_t now_ms)
{
    const struct addrinfo *address = dial->at;
    int64_t share = (dial->deadline_ms - now_ms) / (int64_t)(dial->left > 0 ? dial->left : 1);

    dial->attempt_ms = now_ms + share;
    dial->fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                      address->ai_protocol);
    if (dial->fd < 0) {
        dial->problem = describe(errno);
        return false;
    }
    set_options(dial->fd);
    if (connect(dial->fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
        dial->problem = describe(errno);
        return false;
    }
    return true;
}

/* SP_OK: connected. SP_EAGAIN: under way. SP_EUNREACHABLE: failed. */
static enum sp_error check_attempt(struct dial *dial, int64_t now_ms)
{
    struct pollfd writable = {dial->fd, POLLOUT, 0};
    int number = 0;
    socklen_t size = sizeof number;

    if (poll(&writable, 1, 0) <= 0) {
        if (now_ms < dial->attempt_ms) {
            return SP_EAGAIN;
        }
        dial->problem = timed_out;
        return SP_EUNREACHABLE;
    }
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        number = errno;
    }
    if (number != 0) {
        dial->problem = describe(number);
        return SP_EUNREACHABLE;
    }
    return SP_OK;
}

enum sp_error dial_step(struct dial *dial, int64_t now_ms, int *out, const char **problem)
{
    *out = -1;
    *problem = "";
    while (dial->at != NULL) {
        enum sp_error error = SP_EUNREACHABLE;

        if (dial->fd >= 0 || begin_attempt(dial, now_ms)) {
            error = check_attempt(dial, now_ms);
        }
        if (error == SP_OK) {
            *out = dial->fd;
            dial->fd = -1;
        }
        if (error != SP_EUNREACHABLE) {
            return error;
        }
        if (dial->fd >= 0) {
            (void)close(dial->fd);
            dial->fd = -1;
        }
        dial->at = dial->at->ai_next;
        dial->left--;
    }
    *problem = dial->problem;
    return SP_EUNREACHABLE;
}
