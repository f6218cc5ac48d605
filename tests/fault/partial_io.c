/* Makes recv() and send() on TCP sockets do as little as they may. */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "preload.h"

enum mode {
    MODE_WHOLE = 0,
    MODE_ONE_BYTE = 1,
    MODE_PARTIAL = 2, /* any number of bytes */
    MODE_AGAIN = 3,   /* EAGAIN on nine of ten calls, else any number of bytes */
};

static struct {
    ssize_t (*recv)(int fd, void *data, size_t size, int flags);
    ssize_t (*send)(int fd, const void *data, size_t size, int flags);
    struct control *control;
    pthread_once_t once;
} next = {.once = PTHREAD_ONCE_INIT};

static _Thread_local uint32_t random_state = 1;

static void look_up(void)
{
    *(void **)&next.recv = dlsym(RTLD_NEXT, "recv");
    *(void **)&next.send = dlsym(RTLD_NEXT, "send");
    next.control = control_map();
}

/* xorshift32: the same in every run. */
static uint32_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static int is_tcp(int fd)
{
    int domain = 0;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
           (domain == AF_INET || domain == AF_INET6);
}

/* How many of SIZE bytes may be moved; 0: EAGAIN. */
static size_t allowed(int fd, size_t size)
{
    (void)pthread_once(&next.once, look_up);
    enum mode mode = next.control == NULL ? MODE_WHOLE : (enum mode)next.control->mode;
    if (mode == MODE_WHOLE || size == 0 || !is_tcp(fd)) {
        return size;
    }
    size_t count = 1 + random_number() % size;
    if (mode == MODE_ONE_BYTE) {
        count = 1;
    } else if (mode == MODE_AGAIN && random_number() % 10 != 0) {
        count = 0;
    }
    next.control->calls++;
    if (count < size) {
        next.control->faults++;
    }
    return count;
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    size_t count = allowed(fd, size);
    if (count == 0 && size > 0) {
        errno = EAGAIN;
        return -1;
    }
    return next.recv(fd, data, count, flags);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    size_t count = allowed(fd, size);
    if (count == 0 && size > 0) {
        errno = EAGAIN;
        return -1;
    }
    return next.send(fd, data, count, flags);
}
