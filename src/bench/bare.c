/* The only file of src/bench that calls OpenSSL. */
#include "bench/bare.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "bench/bare_room.h"
#include "bench/process.h"

#define RECORDS_PER_TURN 8 /* for one session, before others come first */
#define READS_PER_TURN 8
#define BACKLOG 1024

struct bare_client {
    struct bare_session session; /* first: a room's members lead back to here */
    SSL *ssl;
    int fd;
    bool handshaken;
    bool blocked; /* the socket takes no more */
    bool dead;
    size_t index; /* in fds and clients */
};

struct bare_server {
    SSL_CTX *context;
    struct bare_rooms rooms;
    struct pollfd *fds; /* the first is the listening socket */
    struct bare_client **clients;
    size_t count;
    size_t capacity;
    uint8_t input[32768];
};

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *offered, unsigned int size, void *unused)
{
    (void)ssl;
    (void)unused;
    if (size < 1 || size < 1U + offered[0]) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = offered + 1; /* the only one that the generator offers */
    *out_size = offered[0];
    return SSL_TLSEXT_ERR_OK;
}

/* What src/tls/context.c sets, without its checks of identity, profile and revocation. */
static SSL_CTX *make_context(const char *ca)
{
    char path[3][2048];
    static const char *const names[] = {"ca.pem", "server/cert.pem", "server/key.pem"};
    char groups[] = "X25519:P-256";
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path[i], sizeof path[i], "%s/%s", ca, names[i]);
    }
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_load_verify_locations(context, path[0], NULL) != 1 ||
        SSL_CTX_use_certificate_chain_file(context, path[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, path[2], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(context, groups) != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1) {
        ERR_print_errors_fp(stderr);
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
                                        SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    return context;
}

static bool add(struct bare_server *server, struct bare_client *client, int fd)
{
    if (server->count == server->capacity) {
        size_t capacity = 2 * server->capacity + 64;
        struct pollfd *fds = reallocarray(server->fds, capacity, sizeof *fds);
        server->fds = fds != NULL ? fds : server->fds;
        struct bare_client **clients =
            reallocarray(server->clients, capacity, sizeof(struct bare_client *));
        server->clients = clients != NULL ? clients : server->clients;
        if (fds == NULL || clients == NULL) {
            return false;
        }
        server->capacity = capacity;
    }
    server->fds[server->count] = (struct pollfd){.fd = fd, .events = POLLIN};
    server->clients[server->count] = client;
    if (client != NULL) {
        client->index = server->count;
    }
    server->count++;
    return true;
}

static void drop(struct bare_server *server, struct bare_client *client)
{
    size_t last = --server->count;
    server->fds[client->index] = server->fds[last];
    server->clients[client->index] = server->clients[last];
    server->clients[client->index]->index = client->index;
    bare_session_deinit(&client->session);
    SSL_free(client->ssl);
    (void)close(client->fd);
    free(client);
}

static void accept_all(struct bare_server *server)
{
    const int one = 1;
    for (;;) {
        int fd = accept4(server->fds[0].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct bare_client *client = fd < 0 ? NULL : calloc(1, sizeof *client);
        if (client == NULL) {
            return;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        bare_session_init(&client->session, &server->rooms);
        client->fd = fd;
        client->ssl = SSL_new(server->context);
        if (client->ssl == NULL || SSL_set_fd(client->ssl, fd) != 1 || !add(server, client, fd)) {
            _exit(1);
        }
        SSL_set_accept_state(client->ssl);
    }
}

/* Whether RESULT means only that it must wait. */
static bool must_wait(struct bare_client *client, int result)
{
    int error = SSL_get_error(client->ssl, result);
    bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    client->dead |= !waits;
    ERR_clear_error();
    return waits;
}

static void write_output(struct bare_server *server, struct bare_client *client)
{
    for (int i = 0; i < RECORDS_PER_TURN && client->handshaken && !client->dead; i++) {
        struct slice next = bare_next(&client->session);
        size_t written = 0;
        if (next.size == 0) {
            client->blocked = false;
            break;
        }
        if (SSL_write_ex(client->ssl, next.data, next.size, &written) != 1) {
            client->blocked = must_wait(client, 0);
            break;
        }
        bare_sent(&client->session, written);
        client->blocked = true; /* unless the next round finds nothing: then there may be more */
    }
    server->fds[client->index].events = (short)(POLLIN | (client->blocked ? POLLOUT : 0));
}

static void handshake(struct bare_client *client)
{
    const struct slice nothing = {NULL, 0};
    int result = SSL_do_handshake(client->ssl);
    if (result != 1) {
        (void)must_wait(client, result);
        return;
    }
    client->handshaken = true;
    client->dead |=
        frame_append(&client->session.answers, FRAME_WELCOME, 0, NULL, nothing) != SP_OK;
}

static void read_input(struct bare_server *server, struct bare_client *client)
{
    for (int i = 0; !client->dead && (i < READS_PER_TURN || SSL_has_pending(client->ssl) == 1);
         i++) {
        size_t size = 0;
        if (SSL_read_ex(client->ssl, server->input, sizeof server->input, &size) != 1) {
            (void)must_wait(client, 0);
            return;
        }
        bare_take(&client->session, server->input, size);
        client->dead |= client->session.broken;
        if (SSL_has_pending(client->ssl) == 0) {
            return; /* poll tells of what comes next */
        }
    }
}

static void step(struct bare_server *server, struct bare_client *client, short revents)
{
    if (!client->handshaken) {
        handshake(client);
    } else if ((revents & ~POLLOUT) != 0) {
        read_input(server, client);
    }
    if (client->session.answers.size > 0 || (revents & POLLOUT) != 0 ||
        client->session.file_bytes > 0) {
        write_output(server, client);
    }
}

/* What was said in this turn, to all members. */
static void fan_out(struct bare_server *server)
{
    for (size_t i = 0; i < server->rooms.count; i++) {
        struct bare_room *room = server->rooms.rooms[i];
        if (room == NULL || !room->dirty) {
            continue;
        }
        room->dirty = false;
        for (size_t j = 0; j < room->member_count; j++) {
            struct bare_client *client = (struct bare_client *)(void *)room->members[j];
            if (!client->blocked) {
                write_output(server, client);
            }
        }
        bare_room_trim(room);
    }
}

static void turn(struct bare_server *server)
{
    int ready = poll(server->fds, (nfds_t)server->count, -1);
    size_t count = server->count;
    for (size_t i = 1; i < count && ready > 0; i++) {
        if (server->fds[i].revents != 0) {
            step(server, server->clients[i], server->fds[i].revents);
        }
    }
    fan_out(server);
    for (size_t i = count; i-- > 1;) {
        if (server->clients[i]->dead) {
            drop(server, server->clients[i]);
        }
    }
    if (server->fds[0].revents != 0) {
        accept_all(server);
    }
}

static void quit(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

static int open_listener(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) != 0 ||
        listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        (void)fprintf(stderr, "the bare server: %s\n", strerrordesc_np(errno));
        return -1;
    }
    (void)fprintf(stderr, "event=listening port=%u\n", ntohs(address.sin_port));
    return fd;
}

void bare_serve(const char *ca)
{
    struct bare_server *server = calloc(1, sizeof *server);
    (void)signal(SIGTERM, quit); /* NOLINT(cert-sig34-c): it only ends the process */
    (void)signal(SIGPIPE, SIG_IGN);
    process_raise_descriptor_limit();
    if (server == NULL) {
        return;
    }
    server->context = make_context(ca);
    int fd = server->context == NULL ? -1 : open_listener();
    if (fd >= 0 && add(server, NULL, fd)) {
        for (;;) {
            turn(server);
        }
    }
    SSL_CTX_free(server->context);
    free(server);
}
