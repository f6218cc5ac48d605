/*
 * A long random life, command by command compared with a simple model of it: what each command must
 * answer, which event it makes, who is where and has read how far. Many commands go into one
 * commit, the server is restarted now and then, and requests are repeated. The seed is printed when
 * it fails; give another as the first argument, and the number of commands as the second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/body.h"
#include "unit/domain/world.h"

#define MEMBERS 5
#define DEVICES 2 /* of each member */
#define LOGS 8    /* names; the odd ones are boxes */
#define REQUESTS 100000
#define EVENTS 100000
#define TEXT_BYTES 48

/* What the model knows of a log. Submission logs are numbered like the others. */
struct model_log {
    bool exists;
    int64_t number;
    uint64_t head;
    int role[MEMBERS];       /* 0 none, 1 member, 2 owner */
    uint64_t read[MEMBERS];  /* of a room: up to where each has read */
    size_t part_of[MEMBERS]; /* of a box: where in submissions[] each member's is, plus 1 */
};

struct model_event {
    int64_t log;
    uint64_t sequence;
    enum event_kind kind;
    unsigned member;
    unsigned tag; /* of the request, for the text */
};

/* A request that was made, to be made again. */
struct model_request {
    struct command *command;
    enum sp_error error;
    int64_t log;
    uint64_t sequence; /* of MARK_READ: the marker, and what then holds */
    uint64_t unread;
    uint32_t mentions;
    bool made_event;
};

static struct {
    struct world world;
    struct actor actors[MEMBERS][DEVICES];
    struct model_log logs[LOGS];
    uint64_t submission_heads[LOGS * MEMBERS];
    int64_t submission_numbers[LOGS * MEMBERS];
    size_t submission_count;
    int64_t next_number;
    struct model_event events[EVENTS];
    size_t event_count;
    struct model_request requests[REQUESTS];
    size_t request_count;
    size_t answered; /* requests before this one have been compared */
    uint64_t random;
} m;

static uint32_t chance(uint32_t below)
{
    m.random = m.random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(m.random >> 33) % below;
}

static void log_name(size_t log, char *name)
{
    (void)snprintf(name, LIMIT_LOG_NAME_BYTES + 1, "log%zu", log);
}

static bool is_box(size_t log)
{
    return log % 2 == 1;
}

/* Whom the text of the request TAG mentions; MEMBERS: nobody. */
static unsigned mentioned_by(unsigned tag)
{
    return tag % 3 == 0 ? tag / 3 % MEMBERS : MEMBERS;
}

/* What LOG has for MEMBER behind its marker. */
static void model_unread(const struct model_log *log, unsigned member, uint64_t *unread,
                         uint32_t *mentions)
{
    *unread = 0;
    *mentions = 0;
    for (size_t i = m.event_count; i > 0; i--) {
        const struct model_event *event = &m.events[i - 1];
        bool is_message = event->kind == EVENT_MESSAGE;

        if (event->log != log->number) {
            continue;
        }
        if (event->sequence <= log->read[member]) {
            return;
        }
        *unread += is_message || event->kind == EVENT_FILE ? 1 : 0;
        *mentions +=
            is_message && event->member != member && mentioned_by(event->tag) == member ? 1 : 0;
    }
}

static void model_mark(struct model_request *request, struct model_log *log, unsigned member)
{
    uint64_t sequence = request->command->read_up_to;

    if (log->role[member] == 0) {
        request->error = SP_ENOTJOINED;
        return;
    }
    sequence = sequence < log->head ? sequence : log->head;
    log->read[member] = sequence > log->read[member] ? sequence : log->read[member];
    request->sequence = log->read[member];
    model_unread(log, member, &request->unread, &request->mentions);
}

/* The model's view of one more event in LOG; the request's result. */
static void model_append(struct model_request *request, int64_t log, uint64_t *head,
                         enum event_kind kind, unsigned member, unsigned tag)
{
    WORLD_REQUIRE(m.event_count < EVENTS);
    m.events[m.event_count++] = (struct model_event){log, ++*head, kind, member, tag};
    request->log = log;
    request->sequence = *head;
    request->made_event = true;
}

static void model_create(struct model_request *request, size_t at, unsigned member, unsigned tag)
{
    struct model_log *log = &m.logs[at];

    if (log->exists) {
        request->error = SP_EEXISTS;
        return;
    }
    memset(log, 0, sizeof *log);
    log->exists = true;
    log->number = m.next_number++;
    log->role[member] = 2;
    model_append(request, log->number, &log->head, EVENT_LOG_CREATED, member, tag);
    log->read[member] = log->head;
}

static void model_move(struct model_request *request, struct model_log *log, bool join,
                       unsigned member, unsigned tag)
{
    if (join && log->role[member] != 0) {
        request->log = log->number;
        request->sequence = log->head;
    } else if (!join && log->role[member] == 0) {
        request->error = SP_ENOTJOINED;
    } else {
        log->role[member] = join ? 1 : 0;
        model_append(request, log->number, &log->head, join ? EVENT_JOINED : EVENT_LEFT, member,
                     tag);
        log->read[member] = log->head;
    }
}

/* A message or a file: who has nothing else to read has read it. */
static void model_post(struct model_request *request, struct model_log *log, enum event_kind kind,
                       unsigned member, unsigned tag)
{
    uint64_t unread = 0;
    uint32_t mentions = 0;

    model_unread(log, member, &unread, &mentions);
    model_append(request, log->number, &log->head, kind, member, tag);
    log->read[member] = unread == 0 ? log->head : log->read[member];
}

static void model_store(struct model_request *request, size_t at, unsigned member, unsigned tag)
{
    struct model_log *log = &m.logs[at];

    if (!is_box(at)) {
        if (log->role[member] == 0) {
            request->error = SP_ENOTJOINED;
        } else {
            model_post(request, log, EVENT_FILE, member, tag);
        }
        return;
    }
    if (log->part_of[member] == 0) {
        log->part_of[member] = ++m.submission_count;
        m.submission_numbers[m.submission_count - 1] = m.next_number++;
        model_append(request, m.submission_numbers[m.submission_count - 1],
                     &m.submission_heads[m.submission_count - 1], EVENT_LOG_CREATED, member, tag);
    }
    size_t part = log->part_of[member] - 1;
    model_append(request, m.submission_numbers[part], &m.submission_heads[part], EVENT_FILE, member,
                 tag);
}

static void model_write(struct model_request *request, size_t at, enum event_kind kind,
                        unsigned member, unsigned tag)
{
    struct model_log *log = &m.logs[at];

    if (kind == EVENT_MESSAGE && !is_box(at) && log->role[member] != 0) {
        model_post(request, log, kind, member, tag);
    } else if (log->role[member] == 2 || (log->role[member] == 1 && !is_box(at))) {
        model_append(request, log->number, &log->head, kind, member, tag);
    } else {
        request->error = is_box(at) ? SP_EFORBIDDEN : SP_ENOTJOINED;
    }
}

/* What must come of a new request. */
static void predict(struct model_request *request, size_t at, unsigned member, unsigned tag)
{
    struct model_log *log = &m.logs[at];
    enum command_kind kind = request->command->kind;

    if (kind == COMMAND_ROOM_CREATE || kind == COMMAND_BOX_CREATE) {
        model_create(request, at, member, tag);
    } else if (!log->exists) {
        request->error = SP_ENOTFOUND;
    } else if (kind == COMMAND_STORE) {
        model_store(request, at, member, tag);
    } else if (kind == COMMAND_MARK_READ) {
        if (is_box(at)) {
            request->error = SP_EFORBIDDEN;
        } else {
            model_mark(request, log, member);
        }
    } else if (kind == COMMAND_ROOM_JOIN || kind == COMMAND_ROOM_LEAVE) {
        if (is_box(at)) {
            request->error = SP_EFORBIDDEN;
        } else {
            model_move(request, log, kind == COMMAND_ROOM_JOIN, member, tag);
        }
    } else {
        model_write(request, at, kind == COMMAND_POST ? EVENT_MESSAGE : EVENT_TOPIC, member, tag);
    }
}

/* What the request TAG says, if it says anything. */
static void text_of(unsigned tag, char text[TEXT_BYTES])
{
    unsigned member = mentioned_by(tag);
    int used = snprintf(text, TEXT_BYTES, "text %u", tag);

    if (member < MEMBERS) {
        (void)snprintf(text + used, TEXT_BYTES - (size_t)used, " @member%u", member);
    }
}

static void submit_new(void)
{
    static const enum command_kind kinds[] = {
        COMMAND_ROOM_JOIN, COMMAND_ROOM_LEAVE, COMMAND_POST,      COMMAND_POST,     COMMAND_POST,
        COMMAND_TOPIC,     COMMAND_STORE,      COMMAND_MARK_READ, COMMAND_MARK_READ};
    unsigned member = chance(MEMBERS);
    const struct actor *actor = &m.actors[member][chance(DEVICES)];
    size_t at = chance(LOGS);
    enum command_kind kind = kinds[chance(COUNT_OF(kinds))];
    unsigned tag = (unsigned)m.request_count;
    struct model_request *request = &m.requests[m.request_count++];
    char name[LIMIT_LOG_NAME_BYTES + 1];
    char text[TEXT_BYTES];

    WORLD_REQUIRE(m.request_count < REQUESTS);
    if (chance(20) == 0) {
        kind = is_box(at) ? COMMAND_BOX_CREATE : COMMAND_ROOM_CREATE;
    }
    log_name(at, name);
    text_of(tag, text);
    memset(request, 0, sizeof *request);
    bool has_text = kind == COMMAND_POST || kind == COMMAND_TOPIC;
    request->command = kind == COMMAND_STORE
                           ? world_store(&m.world, actor, name, "file", text, NULL)
                           : world_command(&m.world, kind, actor, name, has_text ? text : NULL);
    request->command->origin.tag = tag;
    if (kind == COMMAND_MARK_READ) {
        request->command->read_up_to = chance((uint32_t)m.logs[at].head + 3);
    }
    predict(request, at, member, tag);
    world_submit(&m.world, world_again(request->command));
}

/* Any request that was answered before, unchanged or with other content. */
static void submit_again(void)
{
    size_t which = m.answered > 0 ? chance((uint32_t)m.answered) : 0;
    const struct model_request *old = &m.requests[which];
    struct model_request *request = &m.requests[m.request_count++];

    WORLD_REQUIRE(m.request_count < REQUESTS);
    if (m.answered == 0 || !old->made_event) {
        m.request_count--;
        return;
    }
    *request = *old;
    request->command = world_again(old->command);
    request->command->origin.tag = (uint32_t)(request - m.requests);
    request->made_event = false;
    if (chance(4) == 0) {
        request->command->salt[0] ^= 1;
        request->error = SP_ECONFLICT;
    }
    world_submit(&m.world, world_again(request->command));
}

static void compare(const struct reply *reply)
{
    const struct model_request *request = &m.requests[reply->origin.tag];

    WORLD_REQUIRE(reply->origin.tag == m.answered++);
    WORLD_REQUIRE(reply->error == request->error);
    if (reply->error == SP_OK && request->command->kind == COMMAND_MARK_READ) {
        WORLD_REQUIRE(reply->read_state.sequence == request->sequence);
        WORLD_REQUIRE(reply->read_state.unread == request->unread);
        WORLD_REQUIRE(reply->read_state.mentions == request->mentions);
    } else if (reply->error == SP_OK) {
        WORLD_REQUIRE(reply->event.log.number == request->log);
        WORLD_REQUIRE(reply->event.sequence == request->sequence);
        WORLD_REQUIRE(reply->event.repeated == !request->made_event);
        WORLD_REQUIRE(reply->event.log.head_sequence == request->sequence);
    }
}

static void take_answers(void)
{
    struct publication *publication = domain_take(m.world.domain);

    while (publication != NULL) {
        struct queue_item *next = publication->item.next;
        if (publication->kind == PUBLISH_REPLY) {
            compare(publication->reply);
        }
        publication_free(publication);
        publication = next != NULL ? CONTAINER_OF(next, struct publication, item) : NULL;
    }
}

/* Every event that the model has is in the store, as it was meant, and no other. */
static void compare_events(void)
{
    WORLD_REQUIRE(world_verify(&m.world) == m.event_count);
    for (size_t i = 0; i < m.event_count; i++) {
        const struct model_event *expected = &m.events[i];
        struct reply *page = world_page(&m.world, expected->log, expected->sequence, 1);
        struct event_header header;
        struct body body;
        char text[TEXT_BYTES];
        WORLD_REQUIRE(page->page.count == 1);
        const struct event_record *record = page->page.events[0];
        WORLD_REQUIRE(event_header_decode(record->header, &header) == SP_OK);
        WORLD_REQUIRE(header.kind == expected->kind);
        WORLD_REQUIRE(strcmp(record->author, m.actors[expected->member][0].username) == 0);
        WORLD_REQUIRE(body_parse((struct slice){record->body, record->body_size}, &body) == SP_OK);
        if (expected->kind == EVENT_MESSAGE || expected->kind == EVENT_TOPIC) {
            text_of(expected->tag, text);
            WORLD_REQUIRE(body.text.size == strlen(text) &&
                          memcmp(body.text.data, text, body.text.size) == 0);
        }
        reply_free(page);
    }
}

static void compare_rosters(void)
{
    char name[LIMIT_LOG_NAME_BYTES + 1];

    for (size_t at = 0; at < LOGS; at++) {
        log_name(at, name);
        for (unsigned member = 0; m.logs[at].exists && member < MEMBERS; member++) {
            struct reply *reply =
                world_run(&m.world, world_command(&m.world, COMMAND_FOLLOW, &m.actors[member][0],
                                                  name, NULL));
            bool reads = is_box(at) || m.logs[at].role[member] != 0;
            WORLD_REQUIRE(reply->error == (reads ? SP_OK : SP_ENOTJOINED));
            WORLD_REQUIRE(!reads || reply->follow.log.head_sequence == m.logs[at].head);
            reply_free(reply);
        }
        (void)world_transcript(&m.world);
    }
}

/* LIST, which the readers answer from the database, has the same numbers. */
static void compare_read_states(void)
{
    for (unsigned member = 0; member < MEMBERS; member++) {
        struct reply *reply = world_run(
            &m.world, world_command(&m.world, COMMAND_LIST_LOGS, &m.actors[member][0], NULL, NULL));
        WORLD_REQUIRE(reply->error == SP_OK);
        for (size_t i = 0; i < reply->list.count; i++) {
            const struct row *row = &reply->list.rows[i];
            size_t at = (size_t)strtoul(row->log.info.name + strlen("log"), NULL, 10);
            const struct model_log *log = &m.logs[at];
            bool reads = !is_box(at) && log->role[member] != 0;
            uint64_t unread = 0;
            uint32_t mentions = 0;
            if (reads) {
                model_unread(log, member, &unread, &mentions);
            }
            WORLD_REQUIRE(row->log.read == (reads ? log->read[member] : 0));
            WORLD_REQUIRE(row->log.unread == unread && row->log.mentions == mentions);
        }
        reply_free(reply);
        (void)world_transcript(&m.world);
    }
}

static void live(size_t commands)
{
    while (m.request_count < commands) {
        uint32_t batch = chance(10) == 0 ? 200 : 1 + chance(8);
        for (uint32_t i = 0; i < batch; i++) {
            if (chance(6) == 0) {
                submit_again();
            } else {
                submit_new();
            }
        }
        clock_settable_advance(&m.world.clock, (int64_t)chance(2000) - 500);
        WORLD_REQUIRE(domain_step(m.world.domain) == SP_OK);
        take_answers();
        WORLD_REQUIRE(m.answered == m.request_count);
        if (chance(200) == 0) {
            world_reopen(&m.world);
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261;
    size_t commands = argc > 2 ? strtoull(argv[2], NULL, 10) : 12000;
    char path[WORLD_PATH_BYTES];

    (void)printf("seed %llu, %zu commands\n", (unsigned long long)seed, commands);
    (void)fflush(stdout);
    WORLD_REQUIRE(commands < REQUESTS - 1000);
    world_make_path(path);
    m.random = seed;
    m.next_number = 1;
    world_open(&m.world, path);
    for (unsigned member = 0; member < MEMBERS; member++) {
        char name[16];
        (void)snprintf(name, sizeof name, "member%u", member);
        for (uint8_t device = 0; device < DEVICES; device++) {
            m.actors[member][device] = world_login(&m.world, name, device);
        }
    }
    live(commands);
    world_reopen(&m.world);
    compare_events();
    compare_rosters();
    compare_read_states();
    world_close(&m.world);
    for (size_t i = 0; i < m.request_count; i++) {
        command_free(m.requests[i].command);
    }
    (void)printf("%zu events are as they must be\n", m.event_count);
    world_remove_path(path);
    return 0;
}
