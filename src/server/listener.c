/* Listening sockets. What cannot be taken now stays in the kernel's queue, and the loop does not
 * spin on it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/config.h"
#include "server/internal.h"

#define BACKLOG 1024
#define ACCEPTS_PER_TURN 16 /* handshakes go on in between, so few are open at a time */
#define PAUSE_MS 200

static void format_peer(const struct sockaddr_storage *address, socklen_t size, char *out)
{
    char host[INET6_ADDRSTRLEN] = "?";
    char port[8] = "?";
    (void)getnameinfo((const struct sockaddr *)address, size, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(out, PEER_BYTES, is_v6 ? "[%s]:%s" : "%s:%s", host, port);
}

static void pause_accepting(struct server *server, enum sp_error error, const char *reason)
{
    log_line(server->log, LOG_WARNING, "event=accept_paused error=%s reason=\"%s\"",
             sp_error_name(error), reason);
    server->accept_again_ms = server->now_ms + PAUSE_MS;
    listener_update(server);
}

/* Returns false when there is nothing more to accept now. */
static bool accept_one(struct listener *listener)
{
    struct server *server = listener->server;
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int fd =
        accept4(listener->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        bool transient = errno == ECONNABORTED || errno == EINTR;
        if (!transient && errno != EAGAIN) {
            pause_accepting(server, SP_EIO, error_text(errno));
        }
        return transient;
    }
    struct address *from = NULL;
    enum sp_error error = address_take(server->addresses, &address, server->now_ms, &from);
    if (error == SP_EBUSY) {
        close(fd);
        server->turned_away++;
        return true;
    }
    char peer[PEER_BYTES];
    format_peer(&address, size, peer);
    if (error == SP_OK) {
        error = connection_new(server, fd, from, peer);
    }
    if (error != SP_OK) {
        close(fd);
        pause_accepting(server, error, sp_error_text(error));
        return false;
    }
    if (server->unauthenticated > LIMIT_UNAUTHENTICATED) {
        connection_cut_oldest(server, false); /* a crowd does not keep others out */
        server->crowded_out++;
    }
    return true;
}

static void listener_ready(struct source *source, short revents)
{
    (void)revents;
    struct listener *listener = CONTAINER_OF(source, struct listener, source);
    if (listener->server->stopping) {
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        if (!accept_one(listener)) {
            break;
        }
    }
    listener_update(listener->server);
}

void listener_update(struct server *server)
{
    if (server->accept_again_ms != 0 && server->now_ms >= server->accept_again_ms) {
        server->accept_again_ms = 0;
    }
    bool accepting = !server->stopping && server->accept_again_ms == 0;
    if (accepting == server->accepting) {
        return;
    }
    server->accepting = accepting;
    for (size_t i = 0; i < server->listener_count; i++) {
        pollset_set_events(&server->pollset, &server->listeners[i].source, accepting ? POLLIN : 0);
    }
}

static enum sp_error open_one(struct server *server, const struct addrinfo *info)
{
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return SP_EIO;
    }
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct listener *listener = &server->listeners[server->listener_count];
    listener->server = server;
    listener->source.ready = listener_ready;
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0 ||
        pollset_add(&server->pollset, &listener->source, fd, POLLIN) != SP_OK) {
        int saved = errno;
        close(fd);
        errno = saved;
        return SP_EIO;
    }
    listener->fd = fd;
    server->listener_count++;
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char name[PEER_BYTES] = "?";
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
        format_peer(&address, size, name);
    }
    const char *port = strrchr(name, ':');
    log_line(server->log, LOG_INFO, "event=listening address=%s port=%s", name,
             port != NULL ? port + 1 : "?");
    return SP_OK;
}

enum sp_error listener_open_all(struct server *server, char *message, size_t capacity)
{
    char host[LIMIT_HOST_BYTES + 1];
    uint16_t port = 0;
    const char *listen_on = server->settings->listen;
    if (config_parse_host_port(listen_on, host, &port) != SP_OK) {
        snprintf(message, capacity, "listen: '%s' is not HOST:PORT", listen_on);
        return SP_ECONFIG;
    }
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *infos = NULL;
    int failed = getaddrinfo(host, service, &hints, &infos);
    if (failed != 0) {
        snprintf(message, capacity, "listen: '%s': %s", listen_on, gai_strerror(failed));
        return SP_ECONFIG;
    }
    enum sp_error error = SP_EIO;
    for (struct addrinfo *info = infos; info != NULL; info = info->ai_next) {
        if (server->listener_count < LISTENERS && open_one(server, info) == SP_OK) {
            error = SP_OK;
        } else {
            snprintf(message, capacity, "listen: cannot listen on '%s': %s", listen_on,
                     error_text(errno));
        }
    }
    freeaddrinfo(infos);
    server->accepting = error == SP_OK;
    return error;
}

void listener_close_all(struct server *server)
{
    while (server->listener_count > 0) {
        struct listener *listener = &server->listeners[--server->listener_count];
        pollset_remove(&server->pollset, &listener->source);
        close(listener->fd);
    }
}
