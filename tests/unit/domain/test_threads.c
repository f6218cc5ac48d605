/*
 * The real threads: several that submit, the domain's, readers, and one that takes. Every command
 * is answered exactly once, and each log's events come out in order.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/domain/world.h"

#define SUBMITTERS 4
#define COMMANDS 3000 /* of each */
#define ROOMS 3
#define CREDIT 64
#define LATE 600 /* of one, at the end */

static struct world world;
static struct actor actors[SUBMITTERS];
static uint8_t answers[SUBMITTERS][COMMANDS + LATE];
static sem_t waiting;
static sem_t credit[SUBMITTERS]; /* so many more commands of each may wait */

static void wake(void *context)
{
    (void)sem_post(context);
}

static struct command *make(size_t submitter, uint32_t number)
{
    static const enum command_kind kinds[] = {COMMAND_POST,   COMMAND_POST,
                                              COMMAND_FOLLOW, COMMAND_LIST_LOGS,
                                              COMMAND_READ,   COMMAND_LIST_MEMBERS};
    enum command_kind kind = kinds[number % COUNT_OF(kinds)];
    struct command *command = NULL;

    WORLD_REQUIRE(command_new(kind, kind == COMMAND_POST ? 5 : 0, &command) == SP_OK);
    memcpy(command->body, "hello", command->body_size);
    command->actor = actors[submitter];
    command->origin.session = (uint32_t)submitter;
    command->origin.tag = number;
    memcpy(command->client_id.bytes, &number, sizeof number);
    command->client_id.bytes[15] = 1;
    if (kind != COMMAND_LIST_LOGS && kind != COMMAND_READ) {
        (void)snprintf(command->log.name, sizeof command->log.name, "room%u", number % ROOMS);
    }
    if (kind == COMMAND_READ) {
        command->read.log_number = 1 + number % ROOMS;
        command->read.from = 1 + number / 2;
        command->read.count = 10;
    }
    return command;
}

static void *submit_all(void *argument)
{
    size_t submitter = (size_t)((const struct actor *)argument - actors);

    for (uint32_t i = 0; i < COMMANDS; i++) {
        struct command *command = make(submitter, i);
        enum sp_error error = SP_OK;
        (void)sem_wait(&credit[submitter]);
        while ((error = domain_submit(world.domain, command)) == SP_EBUSY) {
            (void)sched_yield();
        }
        WORLD_REQUIRE(error == SP_OK);
    }
    return NULL;
}

/* All that has come out; how many replies were in it. */
static size_t take(uint64_t heads[ROOMS + 1])
{
    size_t count = 0;
    struct publication *publication = domain_take(world.domain);

    while (publication != NULL) {
        struct queue_item *next = publication->item.next;
        if (publication->kind == PUBLISH_EVENT) {
            const struct event_record *record = publication->event;
            WORLD_REQUIRE(record->sequence == ++heads[record->log_number]);
        } else if (publication->kind == PUBLISH_REPLY) {
            const struct reply *reply = publication->reply;
            WORLD_REQUIRE(reply->error == SP_OK);
            WORLD_REQUIRE(answers[reply->origin.session][reply->origin.tag]++ == 0);
            (void)sem_post(&credit[reply->origin.session]);
            count++;
        }
        publication_free(publication);
        publication = next != NULL ? CONTAINER_OF(next, struct publication, item) : NULL;
    }
    return count;
}

static void prepare(uint64_t heads[ROOMS + 1])
{
    char name[16];

    for (size_t i = 0; i < SUBMITTERS; i++) {
        (void)snprintf(name, sizeof name, "member%zu", i);
        actors[i] = world_login(&world, name, 1);
    }
    for (unsigned room = 0; room < ROOMS; room++) {
        (void)snprintf(name, sizeof name, "room%u", room);
        for (size_t i = 0; i < SUBMITTERS; i++) {
            enum command_kind kind = i == 0 ? COMMAND_ROOM_CREATE : COMMAND_ROOM_JOIN;
            WORLD_REQUIRE(world_do(&world, world_command(&world, kind, &actors[i], name, NULL)) ==
                          SP_OK);
        }
        heads[room + 1] = SUBMITTERS;
    }
}

int main(void)
{
    char path[WORLD_PATH_BYTES];
    pthread_t threads[SUBMITTERS];
    uint64_t heads[ROOMS + 1] = {0};
    struct domain_status status;
    size_t answered = 0;

    WORLD_REQUIRE(sem_init(&waiting, 0, 0) == 0);
    world_make_path(path);
    world_open(&world, path);
    prepare(heads);
    world.config.readers = 2;
    world.config.notify = wake;
    world.config.context = &waiting;
    world_reopen(&world);
    WORLD_REQUIRE(domain_start(world.domain) == SP_OK);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        WORLD_REQUIRE(sem_init(&credit[i], 0, CREDIT) == 0);
        WORLD_REQUIRE(pthread_create(&threads[i], NULL, submit_all, &actors[i]) == 0);
    }
    while (answered < (size_t)SUBMITTERS * COMMANDS) {
        (void)sem_wait(&waiting);
        domain_get_status(world.domain, &status);
        (void)domain_has_room(world.domain);
        answered += take(heads);
    }
    for (size_t i = 0; i < SUBMITTERS; i++) {
        WORLD_REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    for (uint32_t i = COMMANDS; i < COMMANDS + LATE; i++) {
        WORLD_REQUIRE(domain_submit(world.domain, make(0, i)) == SP_OK);
    }
    domain_stop(world.domain); /* what waits is answered first */
    domain_stop(world.domain);
    WORLD_REQUIRE(take(heads) == LATE);
    struct command *late = make(0, 0);
    WORLD_REQUIRE(domain_submit(world.domain, late) == SP_ESHUTDOWN);
    command_free(late);
    domain_get_status(world.domain, &status);
    WORLD_REQUIRE(status.events == ((uint64_t)SUBMITTERS * COMMANDS + LATE) / 3);
    world.config.readers = 0;
    world_reopen(&world);
    WORLD_REQUIRE(world_verify(&world) == status.events + (uint64_t)SUBMITTERS * ROOMS);
    world_close(&world);
    world_remove_path(path);
    (void)printf("%zu answers, %llu commits\n", answered, (unsigned long long)status.commits);
    return 0;
}
