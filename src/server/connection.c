/* One client's connection: a TLS stream on one side, a session on the other. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/internal.h"

/* One turn of one connection: then others come first. */
#define TURN_READS 4
#define TURN_RECORDS 8

#define NOTSENT_LOWAT_BYTES (128 * 1024)

void connection_set_state(struct connection *connection, enum connection_state state)
{
    static const char *const names[] = {"handshake", "serving", "closing", "dead"};
    if (connection->state == state) {
        return;
    }
    log_line(connection->server->log, LOG_DEBUG, "event=connection peer=%s from=%s to=%s",
             connection->peer, names[connection->state], names[state]);
    connection->state = state;
    connection->server->any_dead |= state == CONNECTION_DEAD;
}

void connection_release_address(struct connection *connection, bool failed)
{
    struct server *server = connection->server;
    if (connection->address != NULL) {
        server->unauthenticated--;
        server->joining -= connection->joins ? 1 : 0;
        DL_DELETE2(server->newcomers, connection, prev_newcomer, next_newcomer);
        address_release(server->addresses, connection->address, failed, server->now_ms);
        connection->address = NULL;
    }
}

void connection_cut_oldest(struct server *server, bool joins)
{
    struct connection *connection = server->newcomers;
    /* Whoever logs in is with the domain already, which will not keep it long. */
    while (connection != NULL && !connection->joins &&
           (joins || connection->state != CONNECTION_HANDSHAKE)) {
        connection = connection->next_newcomer;
    }
    if (connection != NULL) {
        connection_set_state(connection, CONNECTION_DEAD);
        connection_release_address(connection, false);
    }
}

static void source_ready(struct source *source, short revents)
{
    struct connection *connection = CONTAINER_OF(source, struct connection, source);
    if ((revents & (POLLERR | POLLNVAL)) != 0) {
        connection_set_state(connection, CONNECTION_DEAD);
        return;
    }
    if ((revents & (POLLIN | POLLHUP)) != 0) {
        connection->input_left = true;
    }
    connection_turn(connection);
    bool deaf = connection->state == CONNECTION_SERVING &&
                (connection->server->stopping || !session_wants_input(connection->session));
    bool cut = (revents & POLLHUP) != 0 && deaf;
    if (cut) {
        /* Both ways are closed: nobody is there. */
        connection_set_state(connection, CONNECTION_DEAD);
    }
}

enum sp_error connection_new(struct server *server, int fd, struct address *address,
                             const char *peer)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        address_release(server->addresses, address, false, server->now_ms);
        return SP_ENOMEM;
    }
    /* Without these it works, only slower. */
    int one = 1;
    int lowat = NOTSENT_LOWAT_BYTES;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
    connection->source.ready = source_ready;
    connection->server = server;
    connection->fd = fd;
    connection->deadline_ms = server->now_ms + HANDSHAKE_TIMEOUT_MS;
    connection->moved_ms = server->now_ms;
    snprintf(connection->peer, sizeof connection->peer, "%s", peer);
    enum sp_error error = stream_new_server(server->authority, fd, &connection->stream);
    if (error == SP_OK) {
        error = pollset_add(&server->pollset, &connection->source, fd, POLLIN);
    }
    if (error != SP_OK) {
        stream_free(connection->stream);
        free(connection);
        address_release(server->addresses, address, false, server->now_ms);
        return error;
    }
    connection->address = address;
    server->unauthenticated++;
    DL_APPEND2(server->newcomers, connection, prev_newcomer, next_newcomer);
    DL_APPEND(server->connections, connection);
    return SP_OK;
}

void connection_free(struct connection *connection)
{
    struct server *server = connection->server;
    connection_set_state(connection, CONNECTION_DEAD);
    connection_release_address(connection, !connection->joins);
    if (connection->decided && session_username(connection->session)[0] != '\0') {
        log_line(server->log, LOG_INFO, "event=logout session=%llu member=%s reason=%s",
                 (unsigned long long)session_number(connection->session),
                 session_username(connection->session),
                 session_ended(connection->session)
                     ? sp_error_name(session_end_reason(connection->session))
                     : "cut");
    }
    session_free(connection->session);
    stream_free(connection->stream);
    pollset_remove(&server->pollset, &connection->source);
    if (server->judging == connection) {
        server->judging = connection->next;
    }
    DL_DELETE(server->connections, connection);
    close(connection->fd);
    free(connection);
}

/* Everything was said, or there is nothing to say: let the peer read it, and do not reset the
 * connection under it. */
static void begin_closing(struct connection *connection)
{
    stream_close_notify(connection->stream);
    enum sp_error error = stream_flush(connection->stream);
    if (error != SP_OK && error != SP_EAGAIN) {
        connection_set_state(connection, CONNECTION_DEAD);
        return;
    }
    connection->deadline_ms = connection->server->now_ms + CLOSING_TIMEOUT_MS;
    connection_set_state(connection, CONNECTION_CLOSING);
    if (error == SP_OK) {
        (void)shutdown(connection->fd, SHUT_WR);
    }
}

/* One line about a certificate: who was let in, or who was not and why. */
static void log_judged(const struct connection *connection, const char *event, enum sp_error error,
                       const char *why)
{
    const struct certificate_info *info = stream_peer(connection->stream);
    char serial[SERIAL_HEX_BYTES] = "-";
    char fingerprint[DIGEST_HEX_BYTES] = "-";
    char reason[256];
    const char *member = "-";
    if (info != NULL) {
        certificate_serial_hex(info, serial);
        hex_encode(info->fingerprint.bytes, DIGEST_BYTES, fingerprint);
        member = info->username[0] != '\0' ? info->username : "-";
    }
    log_line(connection->server->log, error == SP_OK ? LOG_INFO : LOG_WARNING,
             "event=%s session=%llu member=%s peer=%s error=%s serial=%s fingerprint=%s reason=%s",
             event, (unsigned long long)connection->number, member, connection->peer,
             sp_error_name(error), serial, fingerprint,
             log_value(why, strlen(why), reason, sizeof reason));
}

/* Whether a refusal for ERROR counts against the client's address: not when the server was full or
 * busy. */
static bool is_own_fault(enum sp_error error)
{
    return sp_error_class(error) == SP_CLASS_REFUSED && error != SP_ELIMIT;
}

/* Once, when the domain has decided. */
static void log_decision(struct connection *connection)
{
    const struct session *session = connection->session;
    if (connection->joins) {
        connection_log_join(connection);
        return;
    }
    bool let_in = session_username(session)[0] != '\0';
    if (connection->decided || (!let_in && !session_ended(session))) {
        return;
    }
    connection->decided = true;
    connection_release_address(connection, !let_in && is_own_fault(session_end_reason(session)));
    if (let_in) {
        log_judged(connection, "login", SP_OK, "-");
    } else {
        enum sp_error error = session_end_reason(session);
        log_judged(connection, "refused", error, sp_error_text(error));
    }
}

void connection_refuse(struct connection *connection, enum sp_error error)
{
    struct server *server = connection->server;
    struct writer writer;
    log_judged(connection, "refused", error, sp_error_text(error));
    connection_release_address(connection, is_own_fault(error));
    writer_init(&writer, server->output, sizeof server->output);
    session_write_bye(&writer, error);
    if (stream_write(connection->stream, server->output, writer_used(&writer)) == SP_OK) {
        begin_closing(connection);
    } else {
        connection_set_state(connection, CONNECTION_DEAD);
    }
}

static void log_in(struct connection *connection)
{
    struct server *server = connection->server;
    const struct certificate_info *info = stream_peer(connection->stream);
    /* It may have begun before the lists were loaded again. */
    enum sp_error error = authority_judge(server->authority, info, clock_wall_ms(server->clock));
    if (error != SP_OK) {
        connection_refuse(connection, error);
        return;
    }
    struct command_login login = {
        .serial_bytes = info->serial_bytes,
        .fingerprint = info->fingerprint,
        .issuer = info->issuer,
        .not_after_ms = info->not_after_ms,
    };
    memcpy(login.username, info->username, sizeof login.username);
    memcpy(login.serial, info->serial, sizeof login.serial);
    error = session_new(server->hub, &login, connection, &connection->session);
    if (error != SP_OK) {
        connection_refuse(connection, error);
        return;
    }
    connection->number = session_number(connection->session);
    connection_set_state(connection, CONNECTION_SERVING);
}

static void step_handshake(struct connection *connection)
{
    enum sp_error error = stream_handshake(connection->stream);
    if (error == SP_EAGAIN) {
        connection->input_left = false;
        return;
    }
    if (error == SP_OK && strcmp(stream_protocol(connection->stream), ALPN_JOIN) == 0) {
        connection_begin_join(connection);
        return;
    }
    if (error == SP_OK) {
        log_in(connection);
        return;
    }
    if (error != SP_EDISCONNECTED) {
        log_judged(connection, "refused", error, stream_reason(connection->stream));
    }
    connection_release_address(connection, error == SP_EDISCONNECTED || is_own_fault(error));
    begin_closing(connection); /* the alert must reach the client */
}

static void read_input(struct connection *connection)
{
    struct server *server = connection->server;
    for (int i = 0; i < TURN_READS && session_wants_input(connection->session); i++) {
        size_t size = 0;
        enum sp_error error =
            stream_read(connection->stream, server->input, sizeof server->input, &size);
        if (error == SP_EAGAIN) {
            connection->input_left = false;
            return;
        }
        if (error != SP_OK) {
            connection_set_state(connection, CONNECTION_DEAD);
            return;
        }
        session_receive(connection->session, server->input, size);
    }
    if (session_wants_input(connection->session)) {
        hub_mark_ready(connection->session);
    }
}

static void write_output(struct connection *connection)
{
    struct server *server = connection->server;
    enum sp_error error = stream_flush(connection->stream);
    for (int i = 0; i < TURN_RECORDS && error == SP_OK; i++) {
        struct writer writer;
        writer_init(&writer, server->output, sizeof server->output);
        session_pull(connection->session, &writer);
        size_t size = writer_used(&writer);
        if (size == 0) {
            if (session_ended(connection->session)) {
                begin_closing(connection);
            } else if (connection->input_left && !server->stopping &&
                       session_wants_input(connection->session)) {
                hub_mark_ready(connection->session); /* TLS may hold what poll does not see */
            }
            return;
        }
        error = stream_write(connection->stream, server->output, size);
        if (error == SP_OK && stream_wants_write(connection->stream)) {
            error = SP_EAGAIN; /* it was taken, but no more would be */
        }
    }
    if (error == SP_OK) {
        hub_mark_ready(connection->session);
    } else if (error != SP_EAGAIN) {
        connection_set_state(connection, CONNECTION_DEAD);
    }
}

/* Reads what the peer still sends, until it closes too. */
static void discard_input(struct connection *connection)
{
    struct server *server = connection->server;
    enum sp_error error = stream_flush(connection->stream);
    if (error == SP_OK) {
        (void)shutdown(connection->fd, SHUT_WR);
    }
    ssize_t size = recv(connection->fd, server->input, sizeof server->input, 0);
    bool over = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
    if (over || (error != SP_OK && error != SP_EAGAIN)) {
        connection_set_state(connection, CONNECTION_DEAD);
    }
}

static void update_events(struct connection *connection)
{
    bool wants_input = connection->state != CONNECTION_SERVING ||
                       (session_wants_input(connection->session) && !connection->server->stopping);
    short events = wants_input ? POLLIN : 0;
    if (stream_wants_write(connection->stream)) {
        events |= POLLOUT;
    }
    pollset_set_events(&connection->server->pollset, &connection->source, events);
}

void connection_turn(struct connection *connection)
{
    if (connection->state == CONNECTION_HANDSHAKE) {
        step_handshake(connection);
    }
    if (connection->state == CONNECTION_SERVING && connection->input_left &&
        !connection->server->stopping) {
        read_input(connection);
    }
    if (connection->state == CONNECTION_SERVING) {
        log_decision(connection);
        write_output(connection);
    } else if (connection->state == CONNECTION_CLOSING) {
        discard_input(connection);
    }
    update_events(connection);
}

void connection_end(struct connection *connection, enum sp_error error)
{
    if (connection->state == CONNECTION_SERVING) {
        session_end(connection->session, error, NULL);
    } else if (connection->state == CONNECTION_HANDSHAKE) {
        connection_set_state(connection, CONNECTION_DEAD);
    }
}

void connection_judge(struct connection *connection, int64_t wall_ms)
{
    if (connection->state != CONNECTION_SERVING || connection->joins ||
        session_ended(connection->session)) {
        return;
    }
    const struct certificate_info *info = stream_peer(connection->stream);
    enum sp_error error = authority_judge(connection->server->authority, info, wall_ms);
    if (error != SP_OK && error != SP_ENOCRL) {
        /* A list that has grown stale lets nobody in, but throws nobody out. */
        session_end(connection->session, error, NULL);
    }
}

/*
 * Whether bytes wait for a peer that has taken none for too long. What counts is what its TCP has
 * acknowledged: our own kernel may take more at any time.
 */
static bool is_stalled(struct connection *connection)
{
    int64_t now_ms = connection->server->now_ms;
    int unacknowledged = 0;
    if (!stream_wants_write(connection->stream)) {
        connection->moved_ms = now_ms;
        return false;
    }
    (void)ioctl(connection->fd, SIOCOUTQ, &unacknowledged);
    uint64_t taken_bytes = stream_bytes_sent(connection->stream) - (uint64_t)unacknowledged;
    if (taken_bytes != connection->taken_bytes) {
        connection->taken_bytes = taken_bytes;
        connection->moved_ms = now_ms;
    }
    return now_ms - connection->moved_ms >= STALLED_WRITE_TIMEOUT_MS;
}

void connection_sweep(struct connection *connection, int64_t wall_ms)
{
    struct server *server = connection->server;
    if (connection->state == CONNECTION_SERVING) {
        session_check_idle(connection->session, server->now_ms);
        const struct certificate_info *info = stream_peer(connection->stream);
        if (info != NULL && info->not_after_ms <= wall_ms) {
            session_end(connection->session, SP_EEXPIRED, NULL);
        }
        if (connection->joins && server->now_ms >= connection->deadline_ms) {
            session_end(connection->session, SP_EIDLE, NULL);
        }
        if (is_stalled(connection)) {
            session_end(connection->session, SP_EIDLE,
                        NULL); /* for the log: it would not be read */
            connection_set_state(connection, CONNECTION_DEAD);
        }
    } else if (server->now_ms >= connection->deadline_ms) {
        if (connection->state == CONNECTION_HANDSHAKE) {
            log_line(server->log, LOG_INFO, "event=refused peer=%s error=%s reason=handshake",
                     connection->peer, sp_error_name(SP_ETIMEOUT));
        }
        connection_set_state(connection, CONNECTION_DEAD);
    }
}
