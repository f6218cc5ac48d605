#include "unit/client/script.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEP_TIMEOUT_MS 10000
#define SCRIPTS_MAXIMUM 4

struct script {
    int listener;
    uint16_t port;
    pthread_t thread;
    struct authority *authority;
    script_fn scripts[SCRIPTS_MAXIMUM];
    size_t count;
    void *context;
    const char *failure;
};

const char *script_path(char out[512], const char *format, ...)
{
    va_list arguments;
    size_t used = (size_t)snprintf(out, 512, "%s/", TEST_CA);

    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is not */
    (void)vsnprintf(out + used, 512 - used, format, arguments);
    va_end(arguments);
    return out;
}

/* ---- The thread ---- */

static void fail_line(struct line *line, const char *what)
{
    if (line->failure == NULL) {
        line->failure = what;
    }
}

static void wait_line(struct line *line, short events)
{
    struct pollfd fd = {line->fd, events, 0};

    if (poll(&fd, 1, STEP_TIMEOUT_MS) <= 0) {
        fail_line(line, "nothing moves");
    }
}

static void *run(void *argument)
{
    struct script *script = argument;

    for (size_t i = 0; i < script->count && script->failure == NULL; i++) {
        struct line line = {.authority = script->authority, .context = script->context, .fd = -1};
        struct pollfd ready = {script->listener, POLLIN, 0};

        buffer_init(&line.heard, 1 << 20);
        if (poll(&ready, 1, STEP_TIMEOUT_MS) == 1) {
            line.fd = accept4(script->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        }
        if (line.fd < 0) {
            fail_line(&line, "nobody connects");
        } else {
            script->scripts[i](&line);
        }
        stream_free(line.stream);
        buffer_deinit(&line.heard);
        if (line.fd >= 0) {
            (void)close(line.fd);
        }
        script->failure = line.failure;
    }
    return NULL;
}

static struct authority *load_server(const char *certificate)
{
    char ca[512];
    char crl[512];
    char cert[512];
    char key[512];
    char reason[AUTHORITY_REASON_BYTES];
    struct authority *authority = NULL;
    const struct authority_server_config config = {
        .team = "test",
        .ca_file = script_path(ca, "ca.pem"),
        .crl_file = script_path(crl, "crl.pem"),
        .cert_file = script_path(cert, "%s/cert.pem", certificate),
        .key_file = script_path(key, "%s/key.pem", certificate),
        .allow_join = true,
        .clock = clock_system(),
    };

    enum sp_error error = authority_new_server(&config, &authority, reason, sizeof(reason));
    if (error != SP_OK) {
        fail_msg("%s: %s", certificate, reason);
    }
    return authority;
}

struct script *script_start(const char *certificate, const script_fn *scripts, size_t count,
                            void *context)
{
    struct script *script = calloc(1, sizeof(*script));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);

    assert_non_null(script);
    assert_true(count <= SCRIPTS_MAXIMUM);
    memcpy(script->scripts, scripts, count * sizeof(scripts[0]));
    script->count = count;
    script->context = context;
    script->authority = load_server(certificate);
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(script->listener >= 0);
    assert_int_equal(bind(script->listener, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(script->listener, 4), 0);
    assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &size), 0);
    script->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&script->thread, NULL, run, script), 0);
    return script;
}

uint16_t script_port(const struct script *script)
{
    return script->port;
}

void script_stop(struct script *script)
{
    assert_int_equal(pthread_join(script->thread, NULL), 0);
    const char *failure = script->failure;
    (void)close(script->listener);
    authority_unref(script->authority);
    free(script);
    if (failure != NULL) {
        fail_msg("the scripted server: %s", failure);
    }
}

/* ---- Steps ---- */

static enum sp_error shake(struct line *line)
{
    enum sp_error error = SP_EINTERNAL;

    if (stream_new_server(line->authority, line->fd, &line->stream) != SP_OK) {
        fail_line(line, "no stream");
        return SP_EINTERNAL;
    }
    do {
        error = stream_handshake(line->stream);
        if (error == SP_EAGAIN) {
            wait_line(line, stream_wants_write(line->stream) ? POLLIN | POLLOUT : POLLIN);
        }
    } while (error == SP_EAGAIN && line->failure == NULL);
    return error;
}

static void flush(struct line *line)
{
    while (line->failure == NULL && stream_flush(line->stream) == SP_EAGAIN) {
        wait_line(line, POLLOUT);
    }
}

void line_handshake(struct line *line)
{
    if (shake(line) != SP_OK) {
        fail_line(line, stream_reason(line->stream));
    }
    flush(line);
}

void line_refuse(struct line *line)
{
    if (shake(line) == SP_OK) {
        fail_line(line, "the handshake succeeded");
    }
    flush(line);
    (void)shutdown(line->fd, SHUT_WR);
    line_wait_hangup(line);
}

void line_say(struct line *line, enum frame_type type, uint16_t stream, const void *message,
              struct slice raw)
{
    static _Thread_local uint8_t frame[LIMIT_FRAME_BYTES];
    struct writer writer;

    writer_init(&writer, frame, sizeof(frame));
    if (frame_encode(&writer, type, stream, message, raw) != SP_OK) {
        fail_line(line, "a frame that is too large");
    }
    for (size_t sent = 0; sent < writer_used(&writer) && line->failure == NULL;) {
        size_t left = writer_used(&writer) - sent;
        size_t size = left < STREAM_RECORD_BYTES ? left : STREAM_RECORD_BYTES;

        flush(line);
        if (stream_write(line->stream, frame + sent, size) != SP_OK) {
            fail_line(line, "cannot write");
        }
        sent += size;
    }
    flush(line);
}

void line_welcome(struct line *line)
{
    sealpost_v1_Welcome welcome = {
        .protocol = 1,
        .server = "script",
        .team = "test",
        .has_limits = true,
        .limits = {.requests = 64, .transfers = 8, .idle_ms = 90000},
    };

    line_handshake(line);
    if (line->failure == NULL) {
        memcpy(welcome.username, stream_peer(line->stream)->username, sizeof(welcome.username));
        line_say(line, FRAME_WELCOME, 0, &welcome, (struct slice){NULL, 0});
    }
}

/* More bytes of the client. What it ended with. */
static enum sp_error read_more(struct line *line)
{
    uint8_t *room = NULL;
    size_t size = 0;
    enum sp_error error = SP_EAGAIN;

    if (buffer_reserve(&line->heard, 16384, &room) != SP_OK) {
        fail_line(line, "out of memory");
        return SP_ENOMEM;
    }
    while (error == SP_EAGAIN && line->failure == NULL) {
        error = stream_read(line->stream, room, 16384, &size);
        if (error == SP_EAGAIN) {
            wait_line(line, POLLIN);
        }
    }
    buffer_commit(&line->heard, size);
    return error;
}

uint16_t line_hear(struct line *line, enum frame_type type, union message *message,
                   struct slice *raw)
{
    union message ignored;
    struct frame frame = {0};
    enum sp_error error = SP_EAGAIN;

    buffer_consume(&line->heard, line->used);
    line->used = 0;
    while (line->failure == NULL) {
        error = frame_parse(buffer_data(&line->heard), line->heard.size, &frame, &line->used);
        if (error != SP_EAGAIN) {
            break;
        }
        if (read_more(line) != SP_OK) {
            fail_line(line, "the client ended the connection");
        }
    }
    if (line->failure == NULL && (error != SP_OK || frame.type != type)) {
        fail_line(line, "another frame than expected");
    }
    if (line->failure == NULL &&
        frame_decode(&frame, message != NULL ? message : &ignored) != SP_OK) {
        fail_line(line, "a frame that does not decode");
    }
    if (raw != NULL) {
        *raw = line->failure == NULL ? frame.raw : (struct slice){NULL, 0};
    }
    return frame.stream;
}

void line_expect_end(struct line *line)
{
    enum sp_error error = SP_OK;

    while (error == SP_OK && line->failure == NULL) {
        buffer_consume(&line->heard, line->heard.size);
        error = read_more(line);
    }
    if (!stream_closed_cleanly(line->stream)) {
        fail_line(line, "the client did not send close_notify");
    }
}

void line_wait_hangup(struct line *line)
{
    char byte[4096];
    ssize_t got = 0;

    do {
        wait_line(line, POLLIN);
        got = recv(line->fd, byte, sizeof(byte), 0);
    } while (got > 0 && line->failure == NULL);
}

void line_close(struct line *line)
{
    if (line->failure == NULL) {
        stream_close_notify(line->stream);
        flush(line);
        (void)shutdown(line->fd, SHUT_WR);
        line_wait_hangup(line);
    }
}

void line_cut(struct line *line)
{
    (void)shutdown(line->fd, SHUT_WR);
    line_wait_hangup(line);
}

/* ---- The client ---- */

struct sp_client *script_client(const char *certificate, const char *host, uint16_t port,
                                int timeout_ms)
{
    char ca[512];
    char cert[512];
    char key[512];
    char message[512];
    struct sp_client *client = NULL;
    const struct sp_client_config config = {
        .host = host,
        .port = port,
        .ca_file = script_path(ca, "root.pem"),
        .cert_file = script_path(cert, "%s/cert.pem", certificate),
        .key_file = script_path(key, "%s/key.pem", certificate),
        .connect_timeout_ms = timeout_ms,
    };

    if (sp_client_new(&config, &client, message, sizeof(message)) != SP_OK) {
        fail_msg("%s: %s", certificate, message);
    }
    assert_string_equal(message, "");
    return client;
}
