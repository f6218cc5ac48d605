#include "bench/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAXIMUM_BYTES (4UL << 20)
#define EVENTS_PER_TURN 512
#define TLS13_RECORD_OVERHEAD_BYTES 22 /* header, content type, tag (RFC 8446, 5.2) */

static void fail(struct loop *loop, struct client *client, const char *what, const char *why)
{
    if (client->state != CLIENT_FAILED) {
        client->state = CLIENT_FAILED;
        loop->failed++;
        (void)fprintf(stderr, "sealpost-bench: error: a session: %s: %s\n", what, why);
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, client->fd, NULL);
    }
}

enum sp_error loop_init(struct loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->failed = 0;
    loop->records = 0;
    return loop->epoll_fd < 0 ? SP_EINTERNAL : SP_OK;
}

void loop_deinit(struct loop *loop)
{
    if (loop->epoll_fd >= 0) {
        (void)close(loop->epoll_fd);
    }
    loop->epoll_fd = -1;
}

enum sp_error client_connect(struct loop *loop, struct client *client, struct authority *authority,
                             uint16_t port, client_frame_fn frame_fn)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    /* Closing resets the connection: no port is kept waiting, however many are opened. */
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    const int one = 1;
    *client = (struct client){
        .frame_fn = frame_fn,
        .state = CLIENT_HANDSHAKE,
        .watched = EPOLLIN | EPOLLOUT,
    };
    buffer_init(&client->in, 2UL * LIMIT_FRAME_BYTES);
    buffer_init(&client->out, OUT_MAXIMUM_BYTES);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = client->watched, .data.ptr = client};
    bool good = client->fd >= 0 &&
                setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0 &&
                setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 &&
                (connect(client->fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
                 errno == EINPROGRESS) &&
                epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) == 0;
    if (!good) {
        fail(loop, client, "connect", strerrordesc_np(errno));
        return SP_EUNREACHABLE;
    }
    return stream_new_client(authority, client->fd, "127.0.0.1", &client->stream);
}

void client_close(struct client *client)
{
    if (client->state == CLIENT_NONE) {
        return;
    }
    stream_free(client->stream);
    buffer_deinit(&client->in);
    buffer_deinit(&client->out);
    if (client->fd >= 0) {
        (void)close(client->fd);
    }
    *client = (struct client){.state = CLIENT_NONE, .fd = -1};
}

static void watch(struct loop *loop, struct client *client)
{
    bool writes = client->out.size > 0 || stream_wants_write(client->stream);
    uint32_t wanted = EPOLLIN | (writes ? (uint32_t)EPOLLOUT : 0);
    if (wanted != client->watched && client->state != CLIENT_FAILED) {
        struct epoll_event event = {.events = wanted, .data.ptr = client};
        client->watched = wanted;
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
    }
}

static void flush_out(struct loop *loop, struct client *client)
{
    enum sp_error error = stream_flush(client->stream);
    while (error == SP_OK && client->out.size > 0) {
        size_t size =
            client->out.size < STREAM_RECORD_BYTES ? client->out.size : (size_t)STREAM_RECORD_BYTES;
        error = stream_write(client->stream, buffer_data(&client->out), size);
        if (error == SP_OK) {
            buffer_consume(&client->out, size);
        }
    }
    if (error != SP_OK && error != SP_EAGAIN) {
        fail(loop, client, "writing", sp_error_text(error));
    }
}

void client_send(struct loop *loop, struct client *client, enum frame_type type, uint16_t stream,
                 const void *message, struct slice raw)
{
    if (client->state == CLIENT_FAILED) {
        return;
    }
    enum sp_error error = frame_append(&client->out, type, stream, message, raw);
    if (error != SP_OK) {
        fail(loop, client, "sending", sp_error_text(error));
        return;
    }
    flush_out(loop, client);
    watch(loop, client);
}

bool client_send_record(struct loop *loop, struct client *client, const void *data, size_t size)
{
    if (client->state == CLIENT_FAILED || client->out.size > 0) {
        return false;
    }
    enum sp_error error = stream_write(client->stream, data, size);
    if (error != SP_OK && error != SP_EAGAIN) {
        fail(loop, client, "writing", sp_error_text(error));
    }
    watch(loop, client);
    return error == SP_OK;
}

static void take_frame(struct loop *loop, struct client *client, const struct frame *frame)
{
    union message message;
    if (frame->type == FRAME_BYE && frame_decode(frame, &message) == SP_OK) {
        fail(loop, client, "BYE", message.bye.text);
    } else if (frame->type == FRAME_PING && frame_decode(frame, &message) == SP_OK) {
        client_send(loop, client, FRAME_PONG, 0, &message.ping, (struct slice){NULL, 0});
    } else {
        if (frame->type == FRAME_WELCOME) {
            client->state = CLIENT_OPEN;
        }
        client->frame_fn(loop, client, frame);
    }
}

/* The frames that are all there; how many bytes they were. Header fields are read in place, since
 * this is done for every delivery. */
static size_t take_frames(struct loop *loop, struct client *client, const uint8_t *data,
                          size_t size)
{
    size_t done = 0;
    while (size - done >= FRAME_HEADER_BYTES && client->state != CLIENT_FAILED) {
        const uint8_t *at = data + done;
        size_t message_size = (size_t)(at[0] << 8 | at[1]);
        size_t raw_size = (size_t)(at[2] << 8 | at[3]);
        size_t whole = FRAME_HEADER_BYTES + message_size + raw_size;
        if (size - done < whole) {
            break;
        }
        const struct frame frame = {
            .type = at[4],
            .stream = (uint16_t)(at[6] << 8 | at[7]),
            .message = {at + FRAME_HEADER_BYTES, message_size},
            .raw = {at + FRAME_HEADER_BYTES + message_size, raw_size},
        };
        take_frame(loop, client, &frame);
        done += whole;
    }
    return done;
}

static void take_bytes(struct loop *loop, struct client *client, const uint8_t *data, size_t size)
{
    size_t used = 0;
    if (client->in.size == 0) {
        used = take_frames(loop, client, data, size);
    }
    if (used == size || client->state == CLIENT_FAILED) {
        return;
    }
    if (buffer_append(&client->in, data + used, size - used) != SP_OK) {
        fail(loop, client, "reading", "a frame is too large");
        return;
    }
    used = take_frames(loop, client, buffer_data(&client->in), client->in.size);
    buffer_consume(&client->in, used);
}

static void read_input(struct loop *loop, struct client *client)
{
    bool more = true;
    while (more && client->state != CLIENT_FAILED) {
        uint64_t before = stream_bytes_received(client->stream);
        size_t size = 0;
        enum sp_error error =
            stream_read(client->stream, loop->scratch, sizeof loop->scratch, &size);
        if (error == SP_EAGAIN) {
            return;
        }
        if (error != SP_OK) {
            fail(loop, client, "reading", stream_reason(client->stream));
            return;
        }
        loop->records++;
        take_bytes(loop, client, loop->scratch, size);
        /* One record came alone: TLS holds no other, and epoll will tell of the next. It saves the
         * call that would only say so. */
        uint64_t received = stream_bytes_received(client->stream) - before;
        more = received != size + TLS13_RECORD_OVERHEAD_BYTES;
    }
}

static void client_step(struct loop *loop, struct client *client)
{
    if (client->state == CLIENT_HANDSHAKE) {
        enum sp_error error = stream_handshake(client->stream);
        if (error == SP_OK) {
            client->state = CLIENT_WELCOME;
        } else if (error != SP_EAGAIN) {
            fail(loop, client, "handshake", stream_reason(client->stream));
        }
    }
    if (client->state == CLIENT_WELCOME || client->state == CLIENT_OPEN) {
        read_input(loop, client);
    }
    if (client->state == CLIENT_OPEN) {
        flush_out(loop, client);
    }
    if (client->state != CLIENT_NONE) {
        watch(loop, client);
    }
}

void loop_turn(struct loop *loop, uint64_t timeout_ns)
{
    struct epoll_event events[EVENTS_PER_TURN];
    const struct timespec timeout = {
        .tv_sec = (time_t)(timeout_ns / 1000000000),
        .tv_nsec = (long)(timeout_ns % 1000000000),
    };
    int count = epoll_pwait2(loop->epoll_fd, events, EVENTS_PER_TURN, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        client_step(loop, events[i].data.ptr);
    }
}
