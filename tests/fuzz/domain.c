/*
 * Any series of commands, in any commits, on a database in memory. What must hold: every command is
 * answered once and in order, every event is the next of its log, what a member reads it may read,
 * no marker goes back or beyond the head, no more is unread than there is behind it, and at the end
 * each log's chain, commitments and times are right.
 *
 * The input is decoded command by command; a byte that is missing is 0. Few names, members and
 * client ids, so that they meet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "unit/domain/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COMMANDS 200 /* of one input at most */
#define LOGS 64
#define MEMBERS 64

struct run {
    struct world world;
    struct reader input;
    struct actor actors[3];
    uint64_t heads[LOGS + 1];
    uint64_t marks[MEMBERS + 1][LOGS + 1]; /* as they were told last, since they came in */
    struct id ids[LOGS + 1];               /* of logs, as events have told them */
    uint32_t submitted;
    uint32_t answered;
    bool no_reply[COMMANDS];
    struct id last_file;
};

static uint8_t next(struct run *run)
{
    return reader_left(&run->input) > 0 ? reader_u8(&run->input) : 0;
}

static void choose_log(struct run *run, struct command *command)
{
    static const char *const names[] = {"a", "b", "c", "d", "", "No", "e", "f"};
    uint8_t choice = next(run);

    if (choice < 128) {
        (void)snprintf(command->log.name, sizeof command->log.name, "%s",
                       names[choice % COUNT_OF(names)]);
    } else {
        command->log.id = run->ids[choice % (LOGS + 1)];
    }
}

static void choose_file(struct run *run, struct command *command)
{
    static const char *const names[] = {"x", "y.txt", "..", ""};
    uint8_t choice = next(run);

    (void)snprintf(command->file.name, sizeof command->file.name, "%s",
                   names[choice % COUNT_OF(names)]);
    command->file.size = (choice & 64) != 0 ? UINT64_MAX : next(run);
    command->file.has_sha256 = (choice & 128) == 0;
    memset(command->file.sha256.bytes, choice & 3, DIGEST_BYTES);
    if (command->kind == COMMAND_STORE) {
        command->file.bucket = (choice >> 4) & 1;
        command->file.size = (choice & 32) != 0 ? command->file.size : command->body_size;
        (void)!event_file_id(&command->actor.device_id, &command->client_id, &command->file.file);
        run->last_file = command->file.file;
    }
}

static const char *choose_member(struct run *run)
{
    static const char *const names[] = {"ann", "bob", "eve", "dan", "fay", "", "No", "*"};

    return names[next(run) % COUNT_OF(names)];
}

static void choose_invitation(struct run *run, struct command *command)
{
    uint8_t secret[JOIN_SECRET_BYTES] = {(uint8_t)(next(run) % 8)};
    uint8_t choice = next(run);

    WORLD_REQUIRE(command_join_digest(secret, &command->invite.secret_digest) == SP_OK);
    (void)snprintf(command->invite.username, sizeof command->invite.username, "%s",
                   choose_member(run));
    command->invite.role = (enum role)(choice % 3);
    command->invite.renew = (choice & 4) != 0;
    command->invite.device = (choice & 8) != 0;
    command->invite.valid_ms = choice < 128 ? 0 : choice * 100;
}

static void choose_what(struct run *run, struct command *command)
{
    switch (command->kind) {
    case COMMAND_FOLLOW:
        command->follow.after = next(run);
        command->follow.last = next(run) / 64;
        command->follow.before = next(run) / 32;
        command->follow.around = next(run) / 32;
        command->follow.count = next(run) / 32;
        break;
    case COMMAND_RETENTION:
        command->retention.seconds = next(run) / 16;
        command->retention.events = next(run) / 16;
        break;
    case COMMAND_OFFER:
    case COMMAND_STORE:
    case COMMAND_OFFER_END:
    case COMMAND_DISCARDED:
        choose_file(run, command);
        break;
    case COMMAND_INVITE:
        choose_invitation(run, command);
        break;
    case COMMAND_ENROL:
        command->actor = (struct actor){0};
        command->enrol.secret[0] = next(run) % 8;
        command->enrol.label[0] = next(run) % 64 == 0 ? '\n' : 'x';
        if (command->body_size >= 4 && next(run) % 8 != 0) {
            memcpy(command->body, "key:", 4);
        }
        break;
    case COMMAND_DEVICE_REVOKE:
        command->device = run->actors[next(run) % COUNT_OF(run->actors)].device_id;
        break;
    case COMMAND_MEMBER_SET:
        (void)snprintf(command->member.username, sizeof command->member.username, "%s",
                       choose_member(run));
        command->member.disabled = next(run) % 2 == 0;
        break;
    case COMMAND_MARK_READ:
        command->read_up_to = next(run) / 4;
        break;
    case COMMAND_FILE:
        hex_encode(run->last_file.bytes, ID_BYTES, command->file_prefix.digits);
        command->file_prefix.digits[next(run) % ID_HEX_BYTES] = '\0';
        break;
    case COMMAND_READ:
        command->read.log_number = next(run) % 16;
        command->read.from = next(run) % 32;
        command->read.count = next(run);
        break;
    default:
        (void)snprintf(command->list.member, sizeof command->list.member, "%s", choose_member(run));
        command->list.after = next(run);
        command->list.limit = next(run) % 4;
        break;
    }
}

static struct command *make(struct run *run)
{
    enum command_kind kind = (enum command_kind)(next(run) % (COMMAND_READ + 1));
    static const char mention[] = "@bob,@eve @ann.";
    uint8_t body_size = next(run);
    struct command *command = NULL;

    WORLD_REQUIRE(command_new(kind, body_size % 40, &command) == SP_OK);
    command->origin.tag = run->submitted++;
    command->actor = run->actors[next(run) % COUNT_OF(run->actors)];
    command->received_ms = (int64_t)next(run) * 1000;
    command->client_id.bytes[0] = next(run); /* 0: none */
    command->salt[0] = next(run) & 1;
    for (size_t i = 0; i < command->body_size; i++) {
        command->body[i] = (uint8_t)(body_size > 250 ? next(run) : 'a' + body_size % 8);
    }
    if (body_size % 8 == 7 && command->body_size >= sizeof mention - 1) {
        memcpy(command->body, mention, sizeof mention - 1);
    }
    if (kind == COMMAND_LOGIN) {
        command->login.fingerprint.bytes[0] = next(run) % 4;
        (void)snprintf(command->login.username, sizeof command->login.username, "%s",
                       next(run) % 2 == 0 ? "ann" : "Eve");
    } else {
        choose_log(run, command);
        choose_what(run, command);
    }
    run->no_reply[command->origin.tag] = command_is_silent(kind);
    return command;
}

static void check_event(struct run *run, const struct event_record *record)
{
    struct event_header header;

    WORLD_REQUIRE(record->log_number > 0 && record->log_number <= LOGS);
    WORLD_REQUIRE(record->sequence == ++run->heads[record->log_number]);
    WORLD_REQUIRE(event_header_decode(record->header, &header) == SP_OK);
    WORLD_REQUIRE(header.sequence == record->sequence);
    run->ids[record->log_number] = header.log;
}

static void check_read_state(struct run *run, int64_t member, const struct read_state *state)
{
    uint64_t head = run->heads[state->log.number];

    WORLD_REQUIRE(member > 0 && member <= MEMBERS);
    WORLD_REQUIRE(state->log.head_sequence == head && state->sequence <= head);
    WORLD_REQUIRE(state->unread <= head - state->sequence && state->mentions <= state->unread);
    WORLD_REQUIRE(state->sequence >= run->marks[member][state->log.number]);
    run->marks[member][state->log.number] = state->sequence;
}

static void check_reply(struct run *run, const struct reply *reply)
{
    while (run->answered < run->submitted && run->no_reply[run->answered]) {
        run->answered++;
    }
    WORLD_REQUIRE(reply->origin.tag == run->answered++);
    WORLD_REQUIRE((reply->kind == REPLY_ERROR) == (reply->error != SP_OK));
    WORLD_REQUIRE(reply->error != SP_EINTEGRITY && reply->error != SP_EINTERNAL);
    if (reply->kind == REPLY_EVENT || reply->kind == REPLY_STORED) {
        WORLD_REQUIRE(reply->event.sequence >= 1 &&
                      reply->event.sequence <= run->heads[reply->event.log.number]);
        WORLD_REQUIRE(reply->event.repeated ||
                      reply->event.sequence == run->heads[reply->event.log.number]);
    }
    if (reply->kind == REPLY_ENROLLED) {
        WORLD_REQUIRE(reply->enrolled.chain != NULL && reply->enrolled.size > 0);
        run->actors[2] = reply->enrolled.actor;
    }
    if (reply->kind == REPLY_FOLLOW) {
        WORLD_REQUIRE(reply->follow.log.head_sequence == run->heads[reply->follow.log.number]);
        WORLD_REQUIRE(reply->follow.first >= 1 &&
                      reply->follow.first <= reply->follow.log.head_sequence + 1);
    }
}

static void step(struct run *run)
{
    WORLD_REQUIRE(domain_step(run->world.domain) == SP_OK);
    struct publication *publication = domain_take(run->world.domain);
    while (publication != NULL) {
        struct queue_item *following = publication->item.next;
        if (publication->kind == PUBLISH_EVENT) {
            check_event(run, publication->event);
        } else if (publication->kind == PUBLISH_READ_STATE) {
            check_read_state(run, publication->read.member, publication->read.state);
        } else if (publication->kind == PUBLISH_ACCESS_ENDED) {
            run->marks[publication->access.member][publication->access.log_number] = 0;
        } else if (publication->kind == PUBLISH_REPLY) {
            check_reply(run, publication->reply);
        }
        publication_free(publication);
        publication = following != NULL ? CONTAINER_OF(following, struct publication, item) : NULL;
    }
    while (run->answered < run->submitted && run->no_reply[run->answered]) {
        run->answered++;
    }
    WORLD_REQUIRE(run->answered == run->submitted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const members[] = {"ann", "bob", "eve"};
    struct run *run = calloc(1, sizeof *run);
    uint64_t events = 0;

    if (run == NULL) {
        return 0;
    }
    reader_init(&run->input, data, size);
    world_open(&run->world, NULL);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        run->actors[i] = world_login(&run->world, members[i], 1);
    }
    run->actors[0].role = ROLE_ADMINISTRATOR;
    while (reader_left(&run->input) > 0 && run->submitted < COMMANDS) {
        bool commits = next(run) % 4 == 0;
        world_submit(&run->world, make(run));
        if (commits) {
            step(run);
        }
    }
    step(run);
    for (size_t i = 1; i <= LOGS; i++) {
        events += run->heads[i];
    }
    WORLD_REQUIRE(world_verify(&run->world) == events);
    world_close(&run->world);
    free(run);
    return 0;
}
