/*
 * One light client session of the generator: a TLS stream and frames, and nothing that is not
 * needed to load a server. Thousands of them are driven by one epoll loop (load.h, transfer.h). It
 * owns no buffers while nothing is cut in two.
 */
#ifndef SP_BENCH_CLIENT_H
#define SP_BENCH_CLIENT_H

#include "base/bytes.h"
#include "tls/stream.h"
#include "wire/frame.h"

enum client_state {
    CLIENT_NONE,
    CLIENT_HANDSHAKE,
    CLIENT_WELCOME, /* the handshake is done; the server speaks first */
    CLIENT_OPEN,
    CLIENT_FAILED,
};

struct client;
struct loop;

/* A frame has come; it is borrowed. May send on CLIENT. */
typedef void (*client_frame_fn)(struct loop *loop, struct client *client,
                                const struct frame *frame);

struct client {
    struct stream *stream;
    client_frame_fn frame_fn;
    int fd;
    enum client_state state;
    uint32_t watched;  /* the epoll events that are asked for */
    struct buffer in;  /* a frame that is not all there */
    struct buffer out; /* frames that the socket did not take */
};

/* One epoll loop with all its clients, which stay where they are. */
struct loop {
    int epoll_fd;
    size_t failed;          /* clients whose connection is over */
    uint64_t records;       /* read by all of them */
    uint8_t scratch[32768]; /* what was read, for all clients, one after the other */
};

SP_CHECK enum sp_error loop_init(struct loop *loop);
void loop_deinit(struct loop *loop); /* may be called twice */
/* Waits for TIMEOUT_NS at most, and steps those that are ready. */
void loop_turn(struct loop *loop, uint64_t timeout_ns);

/* Begins to connect to 127.0.0.1:PORT. FRAME_FN gets all frames but PING and BYE. */
SP_CHECK enum sp_error client_connect(struct loop *loop, struct client *client,
                                      struct authority *authority, uint16_t port,
                                      client_frame_fn frame_fn);
/* Cuts the connection off. May be called twice, and for a client that was never connected. */
void client_close(struct client *client);

/* Sends a frame, or keeps it until the socket takes it. */
void client_send(struct loop *loop, struct client *client, enum frame_type type, uint16_t stream,
                 const void *message, struct slice raw);
/* Sends SIZE bytes, at most a record's, that are frames already. false: not now, ask again later.
 */
bool client_send_record(struct loop *loop, struct client *client, const void *data, size_t size);

#endif
