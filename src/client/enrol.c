/* Joining, in one blocking call: the connection on which ENROL is the only thing to say. */
#include "client/enrol.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/name.h"
#include "client/connect.h"
#include "client/convert.h"
#include "client/reason.h"
#include "crypto/secret.h"
#include "tls/enrol.h"
#include "tls/stream.h"
#include "wire/frame.h"

#define DEFAULT_TIMEOUT_MS 30000
#define STREAM 1

struct joining {
    const struct sp_enrol_config *config;
    struct join_code code;
    struct peer_names names;
    struct enrol_place place;
    struct authority *authority;
    struct dial dial;
    int fd;
    struct stream *stream;
    struct buffer input;
    int64_t deadline_ms;
    bool sent; /* the server may have made the certificate */
    union message message;
    char *text; /* the caller's, for a sentence */
    size_t capacity;
};

enum sp_error enrol_code_read(const char *code, size_t size, struct join_code *out, char *message,
                              size_t capacity)
{
    char why[256];
    enum sp_error error = join_code_parse(code, size, out, why, sizeof why);

    if (error != SP_OK) {
        (void)snprintf(message, capacity, "%s: %s",
                       error == SP_ECODE ? "the join code cannot be right" : "this is no join code",
                       why);
    }
    return error;
}

static enum sp_error say(struct joining *joining, enum sp_error error, const char *text)
{
    (void)snprintf(joining->text, joining->capacity, "%s", text);
    return error;
}

static int64_t now_ms(void)
{
    return clock_monotonic_ms(clock_system());
}

/* Until FD is ready for EVENTS. SP_ETIMEOUT, SP_ECANCELLED. */
static enum sp_error wait_for(struct joining *joining, int fd, short events, int64_t until_ms)
{
    for (;;) {
        struct pollfd one = {fd, events, 0};
        int64_t left_ms = until_ms - now_ms();

        if (joining->config->stop != NULL && *joining->config->stop != 0) {
            return SP_ECANCELLED;
        }
        if (left_ms <= 0) {
            return SP_ETIMEOUT;
        }
        int ready = poll(&one, 1, left_ms > 500 ? 500 : (int)left_ms);
        if (ready > 0) {
            return SP_OK;
        }
        if (ready < 0 && errno != EINTR) {
            return SP_EIO;
        }
    }
}

static enum sp_error connect_to(struct joining *joining)
{
    const char *problem = "no answer in time";
    enum sp_error error = dial_start(&joining->dial, joining->code.host, joining->code.port,
                                     now_ms(), joining->deadline_ms, &problem);

    while (error == SP_OK || error == SP_EAGAIN) {
        error = dial_step(&joining->dial, now_ms(), &joining->fd, &problem);
        if (error == SP_OK) {
            return SP_OK;
        }
        if (error == SP_EAGAIN) {
            int64_t until_ms = joining->dial.attempt_ms < joining->deadline_ms
                                   ? joining->dial.attempt_ms
                                   : joining->deadline_ms;
            enum sp_error waited = wait_for(joining, joining->dial.fd, POLLOUT, until_ms);

            error = waited == SP_ETIMEOUT && now_ms() < joining->deadline_ms ? SP_EAGAIN : waited;
        }
    }
    if (error != SP_ECANCELLED) {
        reason_connect(&joining->names, problem, joining->text, joining->capacity);
        return SP_EUNREACHABLE;
    }
    return error;
}

/* Waits as the stream wants it, and sends what it keeps. */
static enum sp_error wait_for_stream(struct joining *joining)
{
    bool writes = stream_wants_write(joining->stream);
    short events = (short)(writes ? POLLIN | POLLOUT : POLLIN);
    enum sp_error error = wait_for(joining, joining->fd, events, joining->deadline_ms);

    if (error == SP_OK && writes) {
        error = stream_flush(joining->stream);
        error = error == SP_EAGAIN ? SP_OK : error;
    }
    return error;
}

static enum sp_error shake_hands(struct joining *joining)
{
    struct authority_join_config config = {.clock = clock_system()};
    enum sp_error error = SP_OK;

    memcpy(config.fingerprint, joining->code.fingerprint, sizeof config.fingerprint);
    error = authority_new_join(&config, &joining->authority, joining->text, joining->capacity);
    if (error == SP_OK) {
        error = stream_new_client(joining->authority, joining->fd, joining->code.host,
                                  &joining->stream);
    }
    while (error == SP_OK) {
        error = stream_handshake(joining->stream);
        if (error == SP_OK) {
            return SP_OK;
        }
        if (error == SP_EAGAIN) {
            error = wait_for_stream(joining);
        } else {
            const char *why = stream_reason(joining->stream);

            (void)!stream_flush(joining->stream);
            reason_join(&joining->names, error, why, joining->text, joining->capacity);
            return error;
        }
    }
    if (error == SP_ETIMEOUT) {
        reason_connect(&joining->names,
                       "it takes connections, but does not answer; is it a Sealpost server?",
                       joining->text, joining->capacity);
        error = SP_EUNREACHABLE;
    }
    return error;
}

/* ---- What is said ---- */

static enum sp_error ask(struct joining *joining)
{
    uint8_t request[LIMIT_REQUEST_BYTES];
    uint8_t bytes[STREAM_RECORD_BYTES];
    sealpost_v1_Enrol enrol = sealpost_v1_Enrol_init_zero;
    struct writer writer;
    size_t size = 0;
    enum sp_error error = enrol_request(joining->place.key, request, &size);

    if (error != SP_OK) {
        return error;
    }
    memcpy(enrol.secret, joining->code.secret, sizeof enrol.secret);
    (void)snprintf(enrol.label, sizeof enrol.label, "%s", joining->config->label);
    writer_init(&writer, bytes, sizeof bytes);
    error = frame_encode(&writer, FRAME_ENROL, STREAM, &enrol, (struct slice){request, size});
    secret_wipe(&enrol, sizeof enrol);
    joining->sent = true;
    if (error == SP_OK) {
        error = stream_write(joining->stream, bytes, writer_used(&writer));
    }
    secret_wipe(bytes, sizeof bytes);
    return error;
}

/* The next frame; its parts are borrowed from the input. SP_EDISCONNECTED and others. */
static enum sp_error next_frame(struct joining *joining, struct frame *frame, size_t *used)
{
    for (;;) {
        uint8_t bytes[STREAM_RECORD_BYTES];
        size_t size = 0;
        enum sp_error error =
            frame_parse(buffer_data(&joining->input), joining->input.size, frame, used);

        if (error != SP_EAGAIN) {
            return error;
        }
        error = stream_read(joining->stream, bytes, sizeof bytes, &size);
        if (error == SP_OK) {
            error = buffer_append(&joining->input, bytes, size);
        } else if (error == SP_EAGAIN) {
            error = wait_for_stream(joining);
        }
        if (error != SP_OK) {
            return error;
        }
    }
}

static enum sp_error take_certificate(struct joining *joining, const struct frame *frame,
                                      struct sp_enrolled *out)
{
    const sealpost_v1_Enrolled *enrolled = &joining->message.enrolled;
    struct enrol_files files = {0};
    char why[256];
    size_t cas = stream_ca_count(joining->stream);
    const struct enrol_answer answer = {
        .key = joining->place.key,
        .root = cas > 0 ? stream_ca(joining->stream, cas - 1) : (struct slice){NULL, 0},
        .issued = frame->raw,
        .team = enrolled->team,
        .username = enrolled->username,
        .wall_ms = clock_wall_ms(clock_system()),
    };
    enum sp_error error = enrol_check(&answer, &files, why, sizeof why);

    if (error != SP_OK) {
        bool is_clock = error == SP_ENOTYET || error == SP_EEXPIRED;

        (void)snprintf(joining->text, joining->capacity,
                       is_clock ? "the server's and this machine's clock do not agree (%s); set "
                                  "the one that is wrong, and enter the same code again"
                                : "the certificate that the server sent is not good: %s",
                       why);
        return is_clock ? error : SP_EINTEGRITY;
    }
    memcpy(out->team, enrolled->team, sizeof out->team);
    memcpy(out->username, enrolled->username, sizeof out->username);
    memcpy(out->device, enrolled->device, sizeof out->device);
    memcpy(out->host, joining->code.host, sizeof out->host);
    out->administrator = enrolled->role == 1;
    out->not_after_ms = files.info.not_after_ms;
    out->repeated = enrolled->repeated;
    out->port = joining->code.port;
    error = enrol_place_finish(joining->config, &joining->place, &files, out, joining->text,
                               joining->capacity);
    enrol_files_deinit(&files);
    return error;
}

/* Until the answer. */
static enum sp_error listen_to(struct joining *joining, struct sp_enrolled *out)
{
    for (;;) {
        struct frame frame;
        size_t used = 0;
        enum sp_error error = next_frame(joining, &frame, &used);

        if (error != SP_OK) {
            return error;
        }
        if (frame_known(frame.type, FROM_SERVER) &&
            frame_decode(&frame, &joining->message) != SP_OK) {
            return say(joining, SP_EPROTOCOL, "the server's answer cannot be read");
        }
        if (frame.type == FRAME_ENROLLED) {
            return take_certificate(joining, &frame, out);
        }
        if (frame.type == FRAME_BYE) {
            const sealpost_v1_Bye *bye = &joining->message.bye;

            (void)say(joining, SP_OK, bye->text);
            return bye->error == 0 ? SP_EDISCONNECTED : convert_error(bye->error);
        }
        buffer_consume(&joining->input, used);
    }
}

static enum sp_error talk(struct joining *joining, struct sp_enrolled *out)
{
    enum sp_error error = connect_to(joining);

    if (error == SP_OK) {
        error = shake_hands(joining);
    }
    if (error == SP_OK) {
        error = ask(joining);
    }
    if (error == SP_OK) {
        error = listen_to(joining, out);
    }
    if (joining->sent && (error == SP_EDISCONNECTED || error == SP_ETIMEOUT)) {
        (void)say(joining, error,
                  "the server did not answer; enter the same code again: it goes on from there");
    }
    if (error != SP_OK && joining->text[0] == '\0') {
        (void)say(joining, error, sp_error_text(error));
    }
    return error;
}

/* ---- The call ---- */

static enum sp_error check_config(struct joining *joining)
{
    const struct sp_enrol_config *config = joining->config;
    enum sp_error error = enrol_code_read(config->code, config->code_size, &joining->code,
                                          joining->text, joining->capacity);

    if (error != SP_OK) {
        return error;
    }
    if (name_check_label(config->label, strlen(config->label)) != SP_OK) {
        return say(joining, SP_ENAME,
                   "the device's name must have 1 to 64 bytes of UTF-8 and no control characters");
    }
    if (config->directory == NULL || config->directory[0] == '\0') {
        return say(joining, SP_EINVALID, "no directory is given for the key and the certificate");
    }
    return SP_OK;
}

/*
 * Whether nothing of this attempt can be of any use later. Once the code was sent, the server may
 * have used it up for the key that is kept here, whatever went wrong then (a clock that is slow, a
 * disk that is full): the key goes only when the server says that there is nothing to be had with
 * this code.
 */
static bool is_final(const struct joining *joining, enum sp_error error)
{
    if (!joining->sent) {
        return joining->place.made;
    }
    return error == SP_OK || error == SP_ECODE || error == SP_ECODEUSED || error == SP_ECODEEXPIRED;
}

enum sp_error sp_enrol(const struct sp_enrol_config *config, struct sp_enrolled *out, char *message,
                       size_t capacity)
{
    struct joining joining = {.config = config, .fd = -1, .text = message, .capacity = capacity};
    int timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : DEFAULT_TIMEOUT_MS;
    enum sp_error error = secret_init();

    *out = (struct sp_enrolled){0};
    message[0] = '\0';
    buffer_init(&joining.input, (size_t)2 * LIMIT_FRAME_BYTES);
    dial_init(&joining.dial);
    if (error == SP_OK) {
        error = check_config(&joining);
    }
    if (error == SP_OK) {
        joining.names = (struct peer_names){.host = joining.code.host, .port = joining.code.port};
        joining.deadline_ms = now_ms() + timeout_ms;
        error = enrol_place_open(config, &joining.code, &joining.place, message, capacity);
    }
    if (error == SP_OK) {
        error = talk(&joining, out);
    }
    enrol_place_close(&joining.place, is_final(&joining, error));
    stream_free(joining.stream);
    authority_unref(joining.authority);
    dial_deinit(&joining.dial);
    if (joining.fd >= 0) {
        (void)close(joining.fd);
    }
    buffer_deinit(&joining.input);
    secret_wipe(&joining.code, sizeof joining.code);
    if (error != SP_OK) {
        *out = (struct sp_enrolled){0};
        if (message[0] == '\0') {
            (void)snprintf(message, capacity, "%s", sp_error_text(error));
        }
    }
    return error;
}
