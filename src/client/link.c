#include "client/link.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How long the server may take to answer our goodbye. */
#define GOODBYE_TIMEOUT_MS 3000
/* Records written in one step, so that reading gets its turn. */
#define RECORDS_PER_STEP 64

void link_init(struct link *link, struct core *core, const struct peer_names *names,
               struct authority *authority)
{
    *link = (struct link){.core = core, .names = names, .authority = authority, .fd = -1};
    dial_init(&link->dial);
}

static int64_t now_ms(const struct link *link)
{
    return clock_monotonic_ms(link->core->clock);
}

static void drop(struct link *link)
{
    if (link->stream != NULL) {
        link->moved_bytes += stream_bytes_sent(link->stream);
    }
    stream_free(link->stream);
    link->stream = NULL;
    if (link->fd >= 0) {
        (void)close(link->fd);
        link->fd = -1;
    }
    dial_deinit(&link->dial);
    link->more = false;
    link->state = LINK_DOWN;
}

void link_deinit(struct link *link)
{
    drop(link);
}

/* ---- Dialling ---- */

static void fail_dial(struct link *link, const char *problem)
{
    char text[REASON_BYTES];

    reason_connect(link->names, problem, text, sizeof text);
    core_stop(link->core, SP_EUNREACHABLE, text);
    drop(link);
}

void link_start(struct link *link, int timeout_ms)
{
    const char *problem = "";

    link->stage = SP_STAGE_CONNECT;
    link->deadline_ms = now_ms(link) + timeout_ms;
    if (dial_start(&link->dial, link->names->host, link->names->port, now_ms(link),
                   link->deadline_ms, &problem) != SP_OK) {
        fail_dial(link, problem);
        return;
    }
    link->deadline_ms = now_ms(link) + timeout_ms; /* looking the name up may have taken long */
    link->dial.deadline_ms = link->deadline_ms;
    link->state = LINK_DIALLING;
    link_service(link);
}

static void step_dialling(struct link *link)
{
    const char *problem = "";

    enum sp_error error = dial_step(&link->dial, now_ms(link), &link->fd, &problem);
    if (error == SP_EAGAIN) {
        return;
    }
    if (error != SP_OK) {
        fail_dial(link, problem);
        return;
    }
    dial_deinit(&link->dial);
    error = stream_new_client(link->authority, link->fd, link->names->host, &link->stream);
    if (error != SP_OK) {
        core_fail_own(link->core, error);
        drop(link);
        return;
    }
    link->state = LINK_HANDSHAKE;
    link->stage = SP_STAGE_TLS;
}

static void step_handshake(struct link *link)
{
    char text[REASON_BYTES];

    enum sp_error error = stream_handshake(link->stream);
    if (error == SP_OK) {
        link->state = LINK_UP;
        link->stage = SP_STAGE_LOGIN;
    } else if (error != SP_EAGAIN) {
        reason_server(link->names, error, stream_reason(link->stream), text, sizeof text);
        core_stop(link->core, error, text);
        drop(link);
    }
}

/* ---- Up ---- */

/* Nothing more will come. ERROR is what reading or writing ended with. */
static void end_of_stream(struct link *link, enum sp_error error)
{
    bool is_vague = error == SP_ETLS || error == SP_ECERT; /* TLS knows more */
    char text[REASON_BYTES];

    if (error != SP_EDISCONNECTED) {
        reason_refused(link->names, error, is_vague ? stream_reason(link->stream) : "", text,
                       sizeof text);
    } else if (link->core->phase == CORE_WELCOME) {
        (void)snprintf(text, sizeof text,
                       "the server ended the connection without letting us in, and did not say "
                       "why");
    } else {
        (void)snprintf(text, sizeof text, "%s",
                       stream_closed_cleanly(link->stream) ? "the server closed the connection"
                                                           : "the connection was cut");
    }
    core_input_end(link->core, error, text);
    drop(link);
}

/* SP_OK: all that came and had room has been read. Else what the connection ended with. */
static enum sp_error receive(struct link *link)
{
    uint8_t *room = NULL;
    size_t capacity = 0;

    link->more = false;
    while ((capacity = core_input_room(link->core, &room)) > 0) {
        size_t size = 0;

        enum sp_error error = stream_read(link->stream, room, capacity, &size);
        if (error == SP_EAGAIN) {
            return SP_OK;
        }
        if (error != SP_OK) {
            return error;
        }
        link->moved_bytes += size;
        core_received(link->core, size);
    }
    link->more = true;
    return SP_OK;
}

/* Writes what the core has to send. SP_EAGAIN: the socket takes no more now. */
static enum sp_error transmit(struct link *link, size_t records)
{
    enum sp_error error = stream_flush(link->stream);

    for (size_t i = 0; error == SP_OK && i < records; i++) {
        struct slice output = core_output(link->core);
        size_t size = output.size < STREAM_RECORD_BYTES ? output.size : STREAM_RECORD_BYTES;

        if (size == 0) {
            return SP_OK;
        }
        error = stream_write(link->stream, output.data, size);
        if (error == SP_OK) {
            core_sent(link->core, size);
        }
    }
    return error;
}

static void step_up(struct link *link)
{
    enum sp_error error = receive(link);

    if (error == SP_OK) {
        core_tick(link->core);
        error = transmit(link, RECORDS_PER_STEP);
        if (error == SP_EAGAIN) {
            error = SP_OK;
        } else if (error != SP_OK) {
            /* The server may have said why before it stopped listening. */
            enum sp_error cause = receive(link);

            error = cause != SP_OK ? cause : error;
        }
    }
    if (error != SP_OK) {
        end_of_stream(link, error);
    } else if (link->core->leaving && link->core->output.size == 0 &&
               !stream_wants_write(link->stream)) {
        stream_close_notify(link->stream);
        link->deadline_ms = now_ms(link) + GOODBYE_TIMEOUT_MS;
        link->state = LINK_GOODBYE;
    }
}

static void step_goodbye(struct link *link)
{
    enum sp_error error = stream_flush(link->stream);

    if (error == SP_OK || error == SP_EAGAIN) {
        error = receive(link);
    }
    if (error != SP_OK) {
        end_of_stream(link, error);
    }
}

/* ---- Steps ---- */

static bool is_waiting_for_login(const struct link *link)
{
    return link->state != LINK_DOWN && link->core->phase == CORE_WELCOME &&
           !core_has_input(link->core);
}

static void check_deadline(struct link *link)
{
    char text[REASON_BYTES];

    if (now_ms(link) < link->deadline_ms) {
        return;
    }
    if (link->state == LINK_GOODBYE) {
        core_input_end(link->core, SP_OK, "");
        drop(link);
    } else if (is_waiting_for_login(link)) {
        reason_connect(link->names,
                       link->state == LINK_DIALLING
                           ? "no answer in time"
                           : "it takes connections, but does not answer; is it a Sealpost server?",
                       text, sizeof text);
        core_stop(link->core, SP_ETIMEOUT, text);
        drop(link);
    }
}

static void step_down(struct link *link)
{
    (void)link;
}

void link_service(struct link *link)
{
    static void (*const steps[])(struct link * link) = {
        [LINK_DOWN] = step_down, [LINK_DIALLING] = step_dialling, [LINK_HANDSHAKE] = step_handshake,
        [LINK_UP] = step_up,     [LINK_GOODBYE] = step_goodbye,
    };
    for (bool moved = true; moved;) {
        enum link_state before = link->state;

        steps[before](link);
        moved = link->state != before;
    }
    check_deadline(link);
}

void link_close(struct link *link)
{
    if (link->state == LINK_UP && transmit(link, RECORDS_PER_STEP) == SP_OK) {
        stream_close_notify(link->stream);
        if (stream_flush(link->stream) != SP_OK) {
            link->more = false; /* it is a courtesy; the peer also notices without */
        }
    }
    drop(link);
}

/* ---- For poll ---- */

int link_fd(const struct link *link)
{
    return link->state == LINK_DIALLING ? link->dial.fd : link->fd;
}

short link_poll_events(const struct link *link)
{
    short events = 0;

    if (link->state == LINK_DIALLING) {
        return POLLOUT;
    }
    if (link->state == LINK_DOWN) {
        return 0;
    }
    if (link->state == LINK_HANDSHAKE || core_wants_input(link->core)) {
        events |= POLLIN;
    }
    if (stream_wants_write(link->stream) ||
        (link->state == LINK_UP && core_has_output(link->core))) {
        events |= POLLOUT;
    }
    return events;
}

static int shorter(int a, int64_t b)
{
    b = b < 0 ? 0 : b > INT_MAX ? INT_MAX : b;
    return a < 0 || b < a ? (int)b : a;
}

int link_timeout_ms(const struct link *link)
{
    int timeout = core_timeout_ms(link->core);

    if (link->state == LINK_DOWN) {
        return timeout;
    }
    if (link->more && core_wants_input(link->core)) {
        return 0;
    }
    if (link->state == LINK_DIALLING) {
        timeout = shorter(timeout, link->dial.attempt_ms - now_ms(link));
    }
    if (link->state == LINK_GOODBYE || is_waiting_for_login(link)) {
        timeout = shorter(timeout, link->deadline_ms - now_ms(link));
    }
    return timeout;
}

uint64_t link_bytes_moved(const struct link *link)
{
    return link->moved_bytes + (link->stream != NULL ? stream_bytes_sent(link->stream) : 0);
}
