/*
 * A server that is killed at any moment: what it acknowledged is there, exactly once, and what it
 * did not is there whole or not at all, and is not doubled by sending it again.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/domain/world.h"

#define ROUNDS 15
#define OUTSTANDING 16 /* commands of the child that wait for their answer */
#define POSTS 5000     /* of one round, if it is not killed before */

static struct world world;
static char path[WORLD_PATH_BYTES];

static struct command *make_post(const struct actor *actor, uint32_t round, uint32_t number)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%u/%u", round, number);
    struct command *command = world_command(&world, COMMAND_POST, actor, "room", text);
    memset(&command->client_id, 0, sizeof command->client_id);
    memcpy(command->client_id.bytes, &round, sizeof round);
    memcpy(command->client_id.bytes + 4, &number, sizeof number);
    command->client_id.bytes[15] = 1;
    memset(command->salt, (int)(number & 0xff), SALT_BYTES);
    command->origin.tag = number;
    return command;
}

static void wake(void *context)
{
    (void)sem_post(context);
}

/* The child: posts as fast as it can, and tells PIPE each number whose reply it has seen. */
static void serve(uint32_t round, int pipe)
{
    sem_t answered;
    uint32_t sent = 0;
    uint32_t done = 0;

    WORLD_REQUIRE(sem_init(&answered, 0, 0) == 0);
    world_open(&world, path);
    struct actor ann = world_login(&world, "ann", 1);
    world_close(&world);
    world.config.notify = wake;
    world.config.context = &answered;
    world.config.readers = 1;
    world_reopen(&world);
    WORLD_REQUIRE(domain_start(world.domain) == SP_OK);
    while (done < POSTS) {
        while (sent < POSTS && sent - done < OUTSTANDING) {
            world_submit(&world, make_post(&ann, round, sent++));
        }
        (void)sem_wait(&answered);
        struct publication *publication = domain_take(world.domain);
        while (publication != NULL) {
            struct queue_item *next = publication->item.next;
            if (publication->kind == PUBLISH_REPLY) {
                WORLD_REQUIRE(publication->reply->error == SP_OK);
                uint32_t number = publication->reply->origin.tag;
                WORLD_REQUIRE(write(pipe, &number, sizeof number) == sizeof number);
                done++;
            }
            publication_free(publication);
            publication = next != NULL ? CONTAINER_OF(next, struct publication, item) : NULL;
        }
    }
    _exit(0);
}

/* Kills a child after about AFTER acknowledgements; how many there were: 0 to that, in order. */
static uint32_t run_and_kill(uint32_t round, uint32_t after)
{
    int ends[2];
    uint32_t acknowledged = 0;
    uint32_t number = 0;

    WORLD_REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    WORLD_REQUIRE(child >= 0);
    if (child == 0) {
        serve(round, ends[1]);
    }
    (void)close(ends[1]);
    while (read(ends[0], &number, sizeof number) == sizeof number) {
        WORLD_REQUIRE(number == acknowledged);
        acknowledged++;
        if (acknowledged == after) {
            WORLD_REQUIRE(kill(child, SIGKILL) == 0); /* and read on what it had still written */
        }
    }
    (void)close(ends[0]);
    WORLD_REQUIRE(waitpid(child, NULL, 0) == child);
    return acknowledged;
}

/* What there is of each post of ROUND in the log: 0 or 1; anything else ends the test. */
static void count_posts(uint32_t round, uint8_t counts[POSTS])
{
    uint64_t from = 1;
    size_t found = 0;

    memset(counts, 0, POSTS);
    do {
        struct reply *page = world_page(&world, 1, from, UINT32_MAX);
        found = page->page.count;
        for (size_t i = 0; i < found; i++) {
            struct event_header header;
            uint32_t numbers[2];
            WORLD_REQUIRE(event_header_decode(page->page.events[i]->header, &header) == SP_OK);
            memcpy(numbers, header.client_id.bytes, sizeof numbers);
            if (header.client_id.bytes[15] == 1 && numbers[0] == round) {
                WORLD_REQUIRE(numbers[1] < POSTS && counts[numbers[1]]++ == 0);
            }
        }
        from += found;
        reply_free(page);
    } while (found > 0);
}

static unsigned check_round(uint32_t round, uint32_t acknowledged)
{
    static uint8_t counts[POSTS];
    unsigned unknown = 0;

    world_open(&world, path);
    struct actor ann = world_login(&world, "ann", 1);
    (void)world_verify(&world);
    count_posts(round, counts);
    uint32_t last = acknowledged + OUTSTANDING < POSTS ? acknowledged + OUTSTANDING : POSTS;
    for (uint32_t i = 0; i < last; i++) {
        WORLD_REQUIRE(i >= acknowledged || counts[i] == 1);
        if (i + 100 > acknowledged) {
            struct reply *reply = world_run(&world, make_post(&ann, round, i));
            WORLD_REQUIRE(reply->error == SP_OK);
            WORLD_REQUIRE(reply->event.repeated == (counts[i] == 1));
            unknown += i >= acknowledged && counts[i] == 1;
            reply_free(reply);
            (void)world_transcript(&world);
        }
    }
    count_posts(round, counts);
    for (uint32_t i = 0; i < last; i++) {
        WORLD_REQUIRE(counts[i] == 1);
    }
    (void)world_verify(&world);
    world_close(&world);
    return unknown;
}

int main(void)
{
    unsigned acknowledged = 0;
    unsigned unknown = 0;

    world_make_path(path);
    world_open(&world, path);
    struct actor ann = world_login(&world, "ann", 1);
    WORLD_REQUIRE(
        world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "room", NULL)) == SP_OK);
    world_close(&world);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        uint32_t seen = run_and_kill(round, 1 + round * round * 3);
        acknowledged += seen;
        unknown += check_round(round, seen);
    }
    world_remove_path(path);
    (void)printf("%d kills, %u acknowledged posts, %u of unknown outcome were there\n", ROUNDS,
                 acknowledged, unknown);
    return 0;
}
