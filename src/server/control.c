#include "server/control_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "domain/census.h"
#include "server/json.h"
#include "server/server.h"

#define PEER_TIMEOUT_S 5     /* for whoever asks to send, and to take the answer */
#define LOOP_TIMEOUT_MS 2000 /* for the poll thread to look */
#define WAITING_PEERS 8

/* What only the poll thread knows. */
struct look {
    struct hub_status hub;
    size_t connections;
    size_t unauthenticated;
};

struct control {
    struct control_config config;
    char *state; /* copies: settings change while the server runs */
    char *team;
    int directory_fd;
    int listen_fd;
    struct wake stop;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t looked;
    bool done;
    bool stopping;
    int peer_fd; /* who is being served; -1: nobody */
    struct look look;
    _Atomic bool asked; /* for a look */
};

/* ---- The socket ---- */

static enum sp_error open_socket(struct control *control)
{
    struct sockaddr_un address;
    control->directory_fd = open(control->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->directory_fd < 0 || control->listen_fd < 0) {
        return SP_EFILE;
    }
    /* The database's lock keeps a second server out: one that is there was left by a crash. */
    if (unlinkat(control->directory_fd, CONTROL_SOCKET, 0) != 0 && errno != ENOENT) {
        return SP_EFILE;
    }
    control_set_address(control->directory_fd, &address);
    if (fchmod(control->listen_fd, 0600) != 0 || /* the file gets the socket's mode */
        bind(control->listen_fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        fchmodat(control->directory_fd, CONTROL_SOCKET, 0600, 0) != 0 ||
        listen(control->listen_fd, WAITING_PEERS) != 0) {
        return SP_EFILE;
    }
    return SP_OK;
}

/* ---- The look ---- */

bool control_is_asked(const struct control *control)
{
    return control != NULL && atomic_load(&control->asked);
}

void control_serve(struct control *control, const struct hub *hub, size_t connections,
                   size_t unauthenticated)
{
    struct look look = {.connections = connections, .unauthenticated = unauthenticated};
    hub_get_status(hub, &look.hub);
    (void)pthread_mutex_lock(&control->mutex);
    atomic_store(&control->asked, false);
    control->look = look;
    control->done = true;
    (void)pthread_mutex_unlock(&control->mutex);
    (void)pthread_cond_signal(&control->looked);
}

/* False: the poll thread does not come to it. */
static bool take_look(struct control *control, struct look *out)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOP_TIMEOUT_MS / 1000;
    (void)pthread_mutex_lock(&control->mutex);
    control->done = false;
    atomic_store(&control->asked, true);
    (void)pthread_mutex_unlock(&control->mutex);
    wake_up(control->config.wake);
    (void)pthread_mutex_lock(&control->mutex);
    int result = 0;
    while (!control->done && !control->stopping && result == 0) {
        result = pthread_cond_timedwait(&control->looked, &control->mutex, &until);
    }
    bool done = control->done;
    *out = control->look;
    (void)pthread_mutex_unlock(&control->mutex);
    return done;
}

/* ---- Answers ---- */

static uint64_t size_of(int directory_fd, const char *name)
{
    struct stat status;
    return fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)status.st_size
                                                                          : 0;
}

static void put_domain(struct json *json, const struct control *control)
{
    struct domain_status domain;
    domain_get_status(control->config.domain, &domain);
    json_object_open(json, "queues");
    json_number(json, "commands", domain.waiting_writes);
    json_number(json, "reads", domain.waiting_reads);
    json_object_close(json);
    json_object_open(json, "commits");
    json_number(json, "count", domain.commits);
    json_number(json, "events", domain.events);
    json_number(json, "last_us", domain.last_commit_us);
    json_number(json, "longest_us", domain.longest_commit_us);
    json_object_close(json);
}

static void put_census(struct json *json, const struct control *control)
{
    struct census census;
    char *path = NULL;
    enum sp_error error = SP_ENOMEM;
    if (asprintf(&path, "%s/sealpost.db", control->state) >= 0) {
        error = census_take(path, &census);
        free(path);
    }
    json_object_open(json, "stored");
    if (error == SP_OK) {
        json_number(json, "members", census.members);
        json_number(json, "devices", census.devices);
        json_number(json, "logs", census.logs);
        json_number(json, "events", census.events);
        json_number(json, "files", census.files);
        json_number(json, "logs_with_retention", census.erased_logs);
        json_number(json, "blobs_to_erase", census.blobs_to_erase);
    } else {
        json_string(json, "error", sp_error_name(error));
    }
    json_number(json, "database_bytes", size_of(control->directory_fd, "sealpost.db"));
    json_number(json, "wal_bytes", size_of(control->directory_fd, "sealpost.db-wal"));
    json_object_close(json);
}

static void put_look(struct json *json, const struct look *look)
{
    json_time(json, "started", look->hub.started_ms);
    json_number(json, "sessions", look->hub.sessions);
    json_number(json, "members_online", look->hub.members_online);
    json_number(json, "connections", look->connections);
    json_number(json, "unauthenticated", look->unauthenticated);
    json_number(json, "uploads_waiting", look->hub.uploads_waiting);
    json_object_open(json, "tail");
    json_number(json, "bytes", look->hub.tail_bytes);
    json_number(json, "store_reads", look->hub.store_reads);
    json_object_close(json);
}

static void answer_status(struct control *control, FILE *out)
{
    struct look look;
    struct json json;
    bool looked = take_look(control, &look);
    json_open(&json, out);
    json_string(&json, "type", "status");
    json_string(&json, "server", SERVER_NAME);
    json_string(&json, "team", control->team);
    json_number(&json, "pid", (uint64_t)getpid());
    json_time(&json, "time", clock_wall_ms(clock_system()));
    json_bool(&json, "responsive", looked);
    if (looked) {
        put_look(&json, &look);
    }
    put_domain(&json, control);
    put_census(&json, control);
    json_close(&json);
}

static void answer_unknown(FILE *out)
{
    struct json json;
    json_open(&json, out);
    json_string(&json, "type", "error");
    json_string(&json, "error", sp_error_name(SP_EUNSUPPORTED));
    json_close(&json);
}

/* ---- One peer ---- */

static bool is_admitted(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void set_timeouts(int fd)
{
    const struct timeval timeout = {.tv_sec = PEER_TIMEOUT_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

/* A line without its newline; false: none came. */
static bool read_request(int fd, char out[CONTROL_REQUEST_BYTES])
{
    size_t used = 0;
    while (used < CONTROL_REQUEST_BYTES - 1) {
        ssize_t count = read(fd, out + used, CONTROL_REQUEST_BYTES - 1 - used);
        if (count <= 0) {
            return false;
        }
        used += (size_t)count;
        out[used] = '\0';
        char *newline = strchr(out, '\n');
        if (newline != NULL) {
            *newline = '\0';
            return true;
        }
    }
    return false;
}

static void serve_peer(struct control *control, int fd)
{
    char request[CONTROL_REQUEST_BYTES] = "";
    char *answer = NULL;
    size_t size = 0;
    if (!is_admitted(fd)) {
        log_line(control->config.log, LOG_WARNING, "event=control_refused");
        return;
    }
    set_timeouts(fd);
    if (!read_request(fd, request)) {
        return;
    }
    FILE *out = open_memstream(&answer, &size);
    if (out == NULL) {
        return;
    }
    if (strcmp(request, "status") == 0) {
        answer_status(control, out);
    } else {
        answer_unknown(out);
    }
    if (fclose(out) == 0) {
        enum sp_error ignored = file_write_all(fd, answer, size); /* it may have gone away */
        (void)ignored;
    }
    free(answer);
}

/* Who is to be hung up on when the server ends. False: it does, and nobody is served any more. */
static bool set_peer(struct control *control, int fd)
{
    (void)pthread_mutex_lock(&control->mutex);
    bool stopping = control->stopping;
    control->peer_fd = fd;
    (void)pthread_mutex_unlock(&control->mutex);
    return !stopping;
}

static void *run(void *argument)
{
    struct control *control = argument;
    struct pollfd fds[] = {{.fd = control->stop.read_fd, .events = POLLIN},
                           {.fd = control->listen_fd, .events = POLLIN}};
    while (poll(fds, COUNT_OF(fds), -1) >= 0 || errno == EINTR) {
        if (fds[0].revents != 0) {
            break;
        }
        int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            if (set_peer(control, fd)) {
                serve_peer(control, fd);
            }
            (void)set_peer(control, -1);
            close(fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            (void)poll(fds, 1, 1000); /* there will be descriptors again */
        }
    }
    return NULL;
}

/* ---- Start and end ---- */

enum sp_error control_start(const struct control_config *config, struct control **out, char *reason,
                            size_t capacity)
{
    struct control *control = calloc(1, sizeof *control);
    *out = NULL;
    if (control == NULL) {
        snprintf(reason, capacity, "out of memory");
        return SP_ENOMEM;
    }
    control->config = *config;
    control->state = strdup(config->state);
    control->team = strdup(config->team);
    control->directory_fd = control->listen_fd = control->peer_fd = -1;
    if (control->state == NULL || control->team == NULL || wake_init(&control->stop) != SP_OK) {
        snprintf(reason, capacity, "the control thread cannot be started");
        free(control->state);
        free(control->team);
        free(control);
        return SP_ENOMEM;
    }
    (void)pthread_mutex_init(&control->mutex, NULL);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&control->looked, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    enum sp_error error = open_socket(control);
    if (error != SP_OK) {
        snprintf(reason, capacity, "%s/" CONTROL_SOCKET ": %s", config->state, error_text(errno));
    } else if (pthread_create(&control->thread, NULL, run, control) != 0) {
        snprintf(reason, capacity, "the control thread cannot be started");
        error = SP_EIO;
    } else {
        control->started = true;
    }
    if (error != SP_OK) {
        control_stop(control);
        return error;
    }
    *out = control;
    return SP_OK;
}

void control_stop(struct control *control)
{
    if (control == NULL) {
        return;
    }
    if (control->started) {
        (void)pthread_mutex_lock(&control->mutex);
        control->stopping = true;
        if (control->peer_fd >= 0) {
            (void)shutdown(control->peer_fd, SHUT_RDWR);
        }
        (void)pthread_mutex_unlock(&control->mutex);
        (void)pthread_cond_signal(&control->looked);
        wake_up(&control->stop);
        (void)pthread_join(control->thread, NULL);
        (void)unlinkat(control->directory_fd, CONTROL_SOCKET, 0);
    }
    if (control->listen_fd >= 0) {
        close(control->listen_fd);
    }
    if (control->directory_fd >= 0) {
        close(control->directory_fd);
    }
    (void)pthread_cond_destroy(&control->looked);
    (void)pthread_mutex_destroy(&control->mutex);
    wake_deinit(&control->stop);
    free(control->state);
    free(control->team);
    free(control);
}
