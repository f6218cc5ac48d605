#include "unit/domain/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "crypto/secret.h"
#include "db/db.h"
#include "event/body.h"

void world_require(bool condition, const char *text, const char *file, int line)
{
    if (!condition) {
        (void)fprintf(stderr, "%s:%d: %s\n", file, line, text);
        abort();
    }
}

static void open_domain(struct world *world)
{
    char reason[256];
    enum sp_error error = domain_open(&world->config, &world->domain, reason, sizeof reason);

    if (error != SP_OK) {
        (void)fprintf(stderr, "%s\n", reason);
    }
    WORLD_REQUIRE(error == SP_OK);
}

void world_prepare(struct world *world, const char *path)
{
    memset(world, 0, sizeof *world);
    WORLD_REQUIRE(secret_init() == SP_OK);
    clock_settable_init(&world->clock, WORLD_START_MS);
    world->config.path = path != NULL ? path : ":memory:";
    world->config.team = "team";
    world->config.admit_ca = true;
    signer_init(&world->signer, &world->port);
    world->config.issue = &world->port;
    world->config.clock = &world->clock.clock;
}

void world_open(struct world *world, const char *path)
{
    world_prepare(world, path);
    open_domain(world);
}

void world_close(struct world *world)
{
    domain_close(world->domain);
    world->domain = NULL;
}

void world_reopen(struct world *world)
{
    world_close(world);
    open_domain(world);
}

void world_execute(const struct world *world, const char *sql)
{
    char reason[128];
    struct db *db = NULL;

    WORLD_REQUIRE(db_open(world->config.path, DB_WRITER, &db, reason, sizeof reason) == SP_OK);
    WORLD_REQUIRE(db_execute(db, sql) == SP_OK);
    db_close(db);
}

void world_make_path(char path[WORLD_PATH_BYTES])
{
    char directory[] = "/tmp/sealpost-domain-XXXXXX";

    WORLD_REQUIRE(mkdtemp(directory) != NULL);
    (void)snprintf(path, WORLD_PATH_BYTES, "%s/server.db", directory);
}

void world_remove_path(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char name[WORLD_PATH_BYTES + 8];

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
    (void)snprintf(name, sizeof name, "%s", path);
    *strrchr(name, '/') = '\0';
    WORLD_REQUIRE(rmdir(name) == 0);
}

struct actor world_login(struct world *world, const char *username, uint8_t device)
{
    struct command *command = world_command(world, COMMAND_LOGIN, NULL, NULL, NULL);
    const struct slice parts[] = {slice_of_string(username), {&device, 1}};
    size_t used = world->used;

    (void)snprintf(command->login.username, sizeof command->login.username, "%s", username);
    WORLD_REQUIRE(digest_of(parts, 2, &command->login.fingerprint) == SP_OK);
    command->login.serial_bytes = 1;
    struct reply *reply = world_run(world, command);
    WORLD_REQUIRE(reply->kind == REPLY_LOGIN);
    struct actor actor = reply->login.actor;
    reply_free(reply);
    world->used = used;
    world->transcript[used] = '\0';
    return actor;
}

struct command *world_command(struct world *world, enum command_kind kind,
                              const struct actor *actor, const char *log, const char *text)
{
    struct command *command = NULL;
    size_t size = text != NULL ? strlen(text) : 0;

    WORLD_REQUIRE(command_new(kind, size, &command) == SP_OK);
    command->received_ms = world->clock.wall_ms;
    if (actor != NULL) {
        command->actor = *actor;
    }
    if (log != NULL) {
        (void)snprintf(command->log.name, sizeof command->log.name, "%s", log);
    }
    if (size > 0) {
        memcpy(command->body, text, size);
    }
    world->requests++;
    memcpy(command->client_id.bytes, &world->requests, sizeof world->requests);
    memset(command->salt, (int)(world->requests & 0xff), SALT_BYTES);
    return command;
}

struct command *world_store(struct world *world, const struct actor *actor, const char *log,
                            const char *name, const char *content, const struct command *offer)
{
    struct command *command = world_command(world, COMMAND_STORE, actor, log, content);
    const struct slice bytes = slice_of_string(content);

    if (offer != NULL) {
        command->client_id = offer->client_id;
        memcpy(command->salt, offer->salt, SALT_BYTES);
    }
    (void)snprintf(command->file.name, sizeof command->file.name, "%s", name);
    command->file.size = bytes.size;
    command->file.has_sha256 = true;
    WORLD_REQUIRE(digest_of(&bytes, 1, &command->file.sha256) == SP_OK);
    WORLD_REQUIRE(event_file_id(&actor->device_id, &command->client_id, &command->file.file) ==
                  SP_OK);
    return command;
}

struct command *world_again(const struct command *command)
{
    struct command *copy = NULL;

    WORLD_REQUIRE(command_new(command->kind, command->body_size, &copy) == SP_OK);
    struct publication *answer = copy->answer;
    memcpy(copy, command, sizeof *command + command->body_size);
    copy->answer = answer;
    return copy;
}

void world_submit(struct world *world, struct command *command)
{
    WORLD_REQUIRE(domain_submit(world->domain, command) == SP_OK);
}

static void say(struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct world *world, const char *format, ...)
{
    size_t left = sizeof world->transcript - world->used;
    va_list arguments;

    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is not */
    int length = vsnprintf(world->transcript + world->used, left, format, arguments);
    va_end(arguments);
    WORLD_REQUIRE(length >= 0 && (size_t)length < left);
    world->used += (size_t)length;
}

/* "3/7 ann message hello": log, number, author, kind, and what the body says. */
static void say_event(struct world *world, const struct event_record *record)
{
    static const char *const names[] = {"?",    "message", "log-created", "joined",
                                        "left", "topic",   "file",        "retention"};
    struct event_header header;
    struct body body;

    WORLD_REQUIRE(event_header_decode(record->header, &header) == SP_OK);
    WORLD_REQUIRE(body_parse((struct slice){record->body, record->body_size}, &body) == SP_OK);
    say(world, "event %lld/%llu %s %s", (long long)record->log_number,
        (unsigned long long)record->sequence, record->author,
        header.kind < COUNT_OF(names) ? names[header.kind] : "?");
    const struct slice texts[] = {body.text, body.name, body.member};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (texts[i].size > 0) {
            say(world, " %.*s", (int)texts[i].size, (const char *)texts[i].data);
        }
    }
    if (body.log_kind != 0) {
        say(world, " kind=%u", body.log_kind);
    }
    if (body.keep_seconds != 0 || body.keep_events != 0) {
        say(world, " seconds=%llu events=%llu", (unsigned long long)body.keep_seconds,
            (unsigned long long)body.keep_events);
    }
    say(world, "\n");
}

static void say_row(struct world *world, const struct row *row)
{
    if (row->kind == ROW_LOG) {
        say(world, "  %s kind=%d head=%llu members=%u%s topic=%s\n", row->log.info.name,
            (int)row->log.info.kind, (unsigned long long)row->log.info.head_sequence,
            row->log.member_count, row->log.joined ? " joined" : "", row->log.topic);
    } else if (row->kind == ROW_MEMBER) {
        say(world, "  %s%s%s%s\n", row->member.username, row->member.owner ? " owner" : "",
            row->member.role == ROLE_ADMINISTRATOR ? " administrator" : "",
            row->member.disabled ? " disabled" : "");
    } else if (row->kind == ROW_DEVICE) {
        say(world, "  %s of %s seen %lld to %lld%s\n", row->device.label, row->device.username,
            (long long)row->device.first_seen_ms, (long long)row->device.last_seen_ms,
            row->device.revoked_ms != 0 ? " revoked" : "");
    } else if (row->kind == ROW_INVITATION) {
        say(world, "  %s role=%d%s by '%s' until %lld\n", row->invitation.username,
            (int)row->invitation.role, row->invitation.device ? " device" : "",
            row->invitation.created_by, (long long)row->invitation.expires_ms);
    } else {
        say(world, "  %s by %s in %s size=%llu bucket=%u\n", row->file.name, row->file.member,
            row->file.log_name, (unsigned long long)row->file.size, row->file.bucket);
    }
}

static void say_read_state(struct world *world, const struct read_state *state)
{
    say(world, "%s read %llu of %llu, unread %llu, mentions %u\n", state->log.name,
        (unsigned long long)state->sequence, (unsigned long long)state->log.head_sequence,
        (unsigned long long)state->unread, state->mentions);
}

static void say_reply(struct world *world, const struct reply *reply)
{
    switch (reply->kind) {
    case REPLY_ERROR:
        say(world, "reply %s\n", sp_error_name(reply->error));
        break;
    case REPLY_LOGIN:
        say(world, "reply login %s%s\n", reply->login.actor.username,
            reply->login.new_device ? " new" : "");
        break;
    case REPLY_EVENT:
    case REPLY_STORED:
        say(world, "reply %s %s/%llu at %lld%s\n",
            reply->kind == REPLY_STORED ? reply->event.file.name : "event", reply->event.log.name,
            (unsigned long long)reply->event.sequence, (long long)reply->event.time_ms,
            reply->event.repeated ? " repeated" : "");
        break;
    case REPLY_FOLLOW:
        say(world, "reply follow %s head=%llu first=%llu\n", reply->follow.log.name,
            (unsigned long long)reply->follow.log.head_sequence,
            (unsigned long long)reply->follow.first);
        break;
    case REPLY_OFFER:
        say(world, "reply offer %s%s\n", reply->offer.log.name,
            reply->offer.stored ? " stored" : "");
        break;
    case REPLY_LIST:
        say(world, "reply list of %zu%s\n", reply->list.count, reply->list.more ? " more" : "");
        for (size_t i = 0; i < reply->list.count; i++) {
            say_row(world, &reply->list.rows[i]);
        }
        break;
    case REPLY_FILE:
        say(world, "reply file %s %.*s\n", reply->file.info.name,
            reply->file.content != NULL ? (int)reply->file.info.size : 0,
            reply->file.content != NULL ? (const char *)reply->file.content : "");
        break;
    case REPLY_ENROLLED:
        say(world, "reply enrolled %s role=%d%s\n", reply->enrolled.actor.username,
            (int)reply->enrolled.actor.role, reply->enrolled.repeated ? " repeated" : "");
        break;
    case REPLY_INVITED:
        say(world, "reply invited %s until %lld%s\n", reply->invited.username,
            (long long)reply->invited.expires_ms, reply->invited.repeated ? " repeated" : "");
        break;
    case REPLY_DONE:
        say(world, "reply done\n");
        break;
    case REPLY_READ_STATE:
        say(world, "reply ");
        say_read_state(world, &reply->read_state);
        break;
    case REPLY_PAGE:
        say(world, "reply page from %llu of %zu\n", (unsigned long long)reply->page.from,
            reply->page.count);
        break;
    }
}

struct reply *world_step(struct world *world)
{
    struct reply *last = NULL;

    WORLD_REQUIRE(domain_step(world->domain) == SP_OK);
    struct publication *publication = domain_take(world->domain);
    while (publication != NULL) {
        struct queue_item *next = publication->item.next;
        if (publication->kind == PUBLISH_EVENT) {
            say_event(world, publication->event);
            world->published++;
        } else if (publication->kind == PUBLISH_SHUT_OUT) {
            say(world, "shut out %lld/%lld %s\n", (long long)publication->shut_out.member,
                (long long)publication->shut_out.device,
                sp_error_name(publication->shut_out.error));
        } else if (publication->kind == PUBLISH_ACCESS_ENDED) {
            say(world, "ended %lld in %lld\n", (long long)publication->access.member,
                (long long)publication->access.log_number);
        } else if (publication->kind == PUBLISH_ERASED) {
            say(world, "erased %lld/%llu to %llu\n", (long long)publication->erased.log_number,
                (unsigned long long)publication->erased.first,
                (unsigned long long)publication->erased.last);
        } else if (publication->kind == PUBLISH_READ_STATE) {
            say(world, "for %lld: ", (long long)publication->read.member);
            say_read_state(world, publication->read.state);
        } else if (publication->kind == PUBLISH_DISCARD) {
            say(world, "discard %02x from %u\n", publication->discard.file.bytes[0],
                publication->discard.bucket);
        } else {
            say_reply(world, publication->reply);
            reply_free(last);
            last = publication->reply;
            publication->reply = NULL;
        }
        publication_free(publication);
        publication = next != NULL ? CONTAINER_OF(next, struct publication, item) : NULL;
    }
    return last;
}

struct reply *world_run(struct world *world, struct command *command)
{
    world_submit(world, command);
    return world_step(world);
}

enum sp_error world_do(struct world *world, struct command *command)
{
    struct reply *reply = world_run(world, command);

    WORLD_REQUIRE(reply != NULL);
    enum sp_error error = reply->error;
    reply_free(reply);
    return error;
}

const char *world_transcript(struct world *world)
{
    world->used = 0;
    return world->transcript;
}

struct reply *world_page(struct world *world, int64_t log, uint64_t from, uint32_t count)
{
    struct command *command = world_command(world, COMMAND_READ, NULL, NULL, NULL);
    size_t used = world->used;

    command->read.log_number = log;
    command->read.from = from;
    command->read.count = count;
    struct reply *reply = world_run(world, command);
    WORLD_REQUIRE(reply != NULL && reply->kind == REPLY_PAGE);
    world->used = used;
    world->transcript[used] = '\0';
    return reply;
}

struct chain {
    struct digest head;
    uint64_t sequence;
    int64_t time_ms;
    struct id log;
};

static void verify_event(struct chain *chain, const struct event_record *record)
{
    struct event_header header;
    struct digest commitment;
    struct digest next;

    WORLD_REQUIRE(event_header_decode(record->header, &header) == SP_OK);
    if (chain->sequence == 0) {
        chain->log = header.log;
        WORLD_REQUIRE(event_chain_start(&header.log, &chain->head) == SP_OK);
        WORLD_REQUIRE(header.kind == EVENT_LOG_CREATED);
    }
    WORLD_REQUIRE(id_equal(&chain->log, &header.log));
    WORLD_REQUIRE(header.sequence == chain->sequence + 1 && record->sequence == header.sequence);
    WORLD_REQUIRE(header.time_ms >= chain->time_ms);
    if (record->erased) {
        WORLD_REQUIRE(event_is_erasable(header.kind));
    } else {
        WORLD_REQUIRE(event_commitment(record->salt,
                                       (struct slice){record->body, record->body_size},
                                       &commitment) == SP_OK);
        WORLD_REQUIRE(digest_equal(&commitment, &header.commitment));
    }
    WORLD_REQUIRE(event_chain_next(&chain->head, record->header, &next) == SP_OK);
    chain->head = next;
    chain->sequence = header.sequence;
    chain->time_ms = header.time_ms;
}

static uint64_t verify_log(struct world *world, int64_t log)
{
    struct chain chain;

    memset(&chain, 0, sizeof chain);
    for (;;) {
        struct reply *reply = world_page(world, log, chain.sequence + 1, UINT32_MAX);
        size_t count = reply->page.count;
        for (size_t i = 0; i < count; i++) {
            verify_event(&chain, reply->page.events[i]);
        }
        reply_free(reply);
        if (count == 0) {
            return chain.sequence;
        }
    }
}

uint64_t world_verify(struct world *world)
{
    uint64_t total = 0;
    uint64_t count = 0;
    int64_t log = 1;

    while ((count = verify_log(world, log)) > 0) {
        total += count;
        log++;
    }
    return total;
}
