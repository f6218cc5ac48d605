/*
 * Any bytes to three sessions of one hub, of which the first is an administrator's and the third
 * joins, over the real domain with a database in memory: nothing may crash, what comes back must be
 * frames that a client can decode, events come in order and fit their logs' chains, and a session
 * ends only with a BYE.
 *
 * An input is a series of pieces: a byte that says to which session it goes (bit 0; with bit 3 to
 * the one that joins), whether everything waiting is carried out first (bit 1) and whether the
 * session is pulled (bit 2), a byte of length, and so many bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "event/event.h"
#include "session/hub.h"
#include "unit/domain/signer.h"
#include "wire/frame.h"

#define INPUTS_PER_WORLD 500

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct clock_settable clock;
    struct domain *domain;
    struct files *files; /* opened, never started: an upload gets as far as its first job */
    struct hub *hub;
    struct signer signer;
    struct issue_port port;
    struct digest administrator; /* the fingerprint of its certificate */
    unsigned inputs;
};

struct log_state {
    struct id log;
    uint64_t sequence;
    UT_hash_handle hh;
};

struct peer {
    struct session *session;
    struct buffer received;
    struct log_state *logs;
    bool ended;
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void nothing(void *context)
{
    (void)context;
}

static void lost(void *context, enum sp_error error)
{
    (void)context;
    (void)error;
    abort();
}

static void settle(struct world *world);

/* A code from the server itself: SECRET is its first byte, the others are 0. */
static void invite(struct world *world, uint8_t secret, const char *username, enum role role)
{
    uint8_t bytes[JOIN_SECRET_BYTES] = {secret};
    struct command *command = NULL;
    require(command_new(COMMAND_INVITE, 0, &command) == SP_OK);
    require(command_join_digest(bytes, &command->invite.secret_digest) == SP_OK);
    command->origin = (struct origin){3, UINT32_MAX, 0};
    command->received_ms = world->clock.wall_ms;
    command->invite.role = role;
    command->invite.renew = true;
    (void)snprintf(command->invite.username, sizeof command->invite.username, "%s", username);
    require(domain_submit(world->domain, command) == SP_OK);
}

/* "alice" joins, and is an administrator. */
static void make_administrator(struct world *world)
{
    struct session *session = NULL;
    sealpost_v1_Enrol enrol = {.secret = {1}, .label = "x"};
    uint8_t bytes[256];
    struct writer writer;
    writer_init(&writer, bytes, sizeof bytes);
    invite(world, 1, "alice", ROLE_ADMINISTRATOR);
    settle(world);
    require(frame_encode(&writer, FRAME_ENROL, 1, &enrol, slice_of_string("key:")) == SP_OK);
    require(session_new_join(world->hub, NULL, &session) == SP_OK);
    session_receive(session, bytes, writer_used(&writer));
    settle(world);
    require(session_join_result(session)->enrolled);
    world->administrator = session_join_result(session)->fingerprint;
    session_free(session);
    invite(world, 2, "carol", ROLE_MEMBER);
    settle(world);
}

static void world_open(struct world *world)
{
    signer_init(&world->signer, &world->port);
    char reason[256];
    char directory[] = "/tmp/sealpost-fuzz-XXXXXX";
    clock_settable_init(&world->clock, INT64_C(1800000000000));
    require(mkdtemp(directory) != NULL);
    struct domain_config domain = {.path = ":memory:",
                                   .team = "test",
                                   .admit_ca = true,
                                   .issue = &world->port,
                                   .clock = &world->clock.clock,
                                   .notify = nothing,
                                   .fatal = lost};
    struct files_config files = {.directory = directory, .workers = 1, .notify = nothing};
    require(domain_open(&domain, &world->domain, reason, sizeof reason) == SP_OK);
    require(files_open(&files, &world->files, reason, sizeof reason) == SP_OK);
    struct hub_config hub = {.team = "test",
                             .server = "fuzz",
                             .max_sessions = 4,
                             .max_file_bytes = 1 << 20,
                             .message_rate = 100,
                             .message_burst = 1000,
                             .tail_bytes = 64 * 1024,
                             .clock = &world->clock.clock,
                             .domain = world->domain,
                             .files = world->files};
    require(hub_new(&hub, &world->hub) == SP_OK);
    char command[128];
    (void)snprintf(command, sizeof command, "%s/incoming", directory);
    (void)remove(command);
    (void)snprintf(command, sizeof command, "%s/blobs", directory);
    (void)remove(command);
    (void)remove(directory);
    make_administrator(world);
}

static void world_close(struct world *world)
{
    hub_free(world->hub);
    files_close(world->files);
    domain_close(world->domain);
    *world = (struct world){0};
}

static void settle(struct world *world)
{
    for (int i = 0; i < 3; i++) {
        require(domain_step(world->domain) == SP_OK);
        hub_set_time(world->hub, clock_monotonic_ms(&world->clock.clock));
        hub_take(world->hub);
        hub_tick(world->hub);
    }
}

/* Of each log, events come one after the other, or start anew with another follow; each fits its
 * commitment. */
static void check_event(struct peer *peer, const struct frame *frame)
{
    struct event_view view;
    struct log_state *state = NULL;
    require(event_view_parse(frame->raw.data, frame->raw.size, &view) == SP_OK);
    require(event_view_verify(&view) == SP_OK);
    HASH_FIND(hh, peer->logs, &view.header.log, sizeof view.header.log, state);
    require(state != NULL && view.header.sequence == state->sequence);
    state->sequence++;
}

static void begin_log(struct peer *peer, const sealpost_v1_Following *following)
{
    struct log_state *state = NULL;
    HASH_FIND(hh, peer->logs, following->log.id, sizeof following->log.id, state);
    if (state == NULL) {
        state = calloc(1, sizeof *state);
        require(state != NULL);
        memcpy(state->log.bytes, following->log.id, ID_BYTES);
        HASH_ADD(hh, peer->logs, log, sizeof state->log, state);
    }
    state->sequence = following->first;
}

static void check_frames(struct peer *peer)
{
    struct frame frame;
    union message message;
    size_t used = 0;
    while (frame_parse(buffer_data(&peer->received), peer->received.size, &frame, &used) == SP_OK) {
        require(!peer->ended && frame_known(frame.type, FROM_SERVER));
        require(frame_decode(&frame, &message) == SP_OK);
        if (frame.type == FRAME_EVENT) {
            check_event(peer, &frame);
        } else if (frame.type == FRAME_FOLLOWING) {
            begin_log(peer, &message.following);
        }
        peer->ended = frame.type == FRAME_BYE;
        buffer_consume(&peer->received, used);
    }
}

static void pull(struct peer *peer)
{
    uint8_t record[16384];
    struct writer writer;
    do {
        writer_init(&writer, record, sizeof record);
        session_pull(peer->session, &writer);
        require(buffer_append(&peer->received, record, writer_used(&writer)) == SP_OK);
        check_frames(peer);
    } while (writer_used(&writer) > 0);
    require(peer->received.size == 0);
    require(peer->ended == session_ended(peer->session));
}

static void peer_open(struct world *world, const char *username, struct peer *peer)
{
    *peer = (struct peer){0};
    buffer_init(&peer->received, (size_t)4 << 20);
    struct command_login login = {.serial_bytes = 1, .not_after_ms = INT64_MAX};
    (void)snprintf(login.username, sizeof login.username, "%s", username);
    memcpy(login.fingerprint.bytes, username, strlen(username));
    if (strcmp(username, "alice") == 0) {
        login.fingerprint = world->administrator;
    }
    require(session_new(world->hub, &login, peer, &peer->session) == SP_OK);
}

static void peer_close(struct peer *peer)
{
    struct log_state *state = NULL;
    struct log_state *next = NULL;
    HASH_ITER (hh, peer->logs, state, next) {
        HASH_DEL(peer->logs, state);
        free(state);
    }
    session_free(peer->session);
    buffer_deinit(&peer->received);
}

static void peer_join(struct world *world, struct peer *peer)
{
    *peer = (struct peer){0};
    buffer_init(&peer->received, (size_t)4 << 20);
    require(session_new_join(world->hub, peer, &peer->session) == SP_OK);
}

static bool is_shut_out(const struct peer *peer)
{
    enum sp_error reason = session_end_reason(peer->session);
    return session_ended(peer->session) && (reason == SP_EREVOKED || reason == SP_EDISABLED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    if (world.inputs == INPUTS_PER_WORLD) {
        world_close(&world);
    }
    if (world.inputs++ == 0) {
        world_open(&world);
    }
    struct peer peers[3];
    peer_open(&world, "alice", &peers[0]);
    peer_open(&world, "bob", &peers[1]);
    peer_join(&world, &peers[2]);
    settle(&world);
    struct reader reader;
    reader_init(&reader, data, size);
    while (reader_left(&reader) >= 2) {
        uint8_t what = reader_u8(&reader);
        size_t length = reader_u8(&reader);
        length = length < reader_left(&reader) ? length : reader_left(&reader);
        struct slice bytes = reader_take(&reader, length);
        struct peer *peer = &peers[(what & 8) != 0 ? 2 : what & 1];
        if ((what & 2) != 0) {
            settle(&world);
        }
        if (session_wants_input(peer->session)) {
            session_receive(peer->session, bytes.data, bytes.size);
        }
        if ((what & 4) != 0) {
            pull(peer);
        }
        clock_settable_advance(&world.clock, 10);
        session_check_idle(peers[2].session, clock_monotonic_ms(&world.clock.clock));
    }
    for (int i = 0; i < 4; i++) {
        settle(&world);
        pull(&peers[0]);
        pull(&peers[1]);
        pull(&peers[2]);
    }
    /* Nobody who is shut out comes in again: then the next input begins in a new world. */
    world.inputs =
        is_shut_out(&peers[0]) || is_shut_out(&peers[1]) ? INPUTS_PER_WORLD : world.inputs;
    peer_close(&peers[0]);
    peer_close(&peers[1]);
    peer_close(&peers[2]);
    settle(&world);
    return 0;
}
