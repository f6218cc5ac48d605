/* Who may do what: every command, for every relation, to every kind of log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "domain/access.h"
#include "unit/domain/world.h"

/* Members, named for what they are to the logs of the test. */
enum who {
    OUTSIDER,
    INSIDER,   /* joined the room */
    OWNER,     /* of the room and of the box */
    SUBMITTER, /* has submitted to the box */
    WHO_COUNT
};
static const char *const names[WHO_COUNT] = {"outsider", "insider", "owner", "submitter"};

enum where { ROOM, BOX, SUBMISSION, NOWHERE, WHERE_COUNT };

#define OK SP_OK
#define NF SP_ENOTFOUND
#define NJ SP_ENOTJOINED
#define FB SP_EFORBIDDEN

/* What comes of it, in the order of enum who. */
static const struct {
    enum command_kind kind;
    enum sp_error expected[WHERE_COUNT][WHO_COUNT];
} cases[] = {
    {COMMAND_ROOM_JOIN,
     {[ROOM] = {OK, OK, OK, OK},
      [BOX] = {FB, FB, FB, FB},
      [SUBMISSION] = {NF, NF, FB, FB},
      [NOWHERE] = {NF, NF, NF, NF}}},
    {COMMAND_ROOM_LEAVE,
     {[ROOM] = {NJ, OK, OK, NJ},
      [BOX] = {FB, FB, FB, FB},
      [SUBMISSION] = {NF, NF, FB, FB},
      [NOWHERE] = {NF, NF, NF, NF}}},
    {COMMAND_POST,
     {[ROOM] = {NJ, OK, OK, NJ},
      [BOX] = {FB, FB, OK, FB},
      [SUBMISSION] = {NF, NF, FB, FB},
      [NOWHERE] = {NF, NF, NF, NF}}},
    {COMMAND_TOPIC,
     {[ROOM] = {NJ, OK, OK, NJ},
      [BOX] = {FB, FB, OK, FB},
      [SUBMISSION] = {NF, NF, FB, FB},
      [NOWHERE] = {NF, NF, NF, NF}}},
    {COMMAND_FOLLOW,
     {[ROOM] = {NJ, OK, OK, NJ},
      [BOX] = {OK, OK, OK, OK},
      [SUBMISSION] = {NF, NF, OK, OK},
      [NOWHERE] = {NF, NF, NF, NF}}},
    {COMMAND_OFFER,
     {[ROOM] = {NJ, OK, OK, NJ},
      [BOX] = {OK, OK, OK, OK},
      [SUBMISSION] = {NF, NF, FB, FB},
      [NOWHERE] = {NF, NF, NF, NF}}},
    {COMMAND_STORE,
     {[ROOM] = {NJ, OK, OK, NJ},
      [BOX] = {OK, OK, OK, OK},
      [SUBMISSION] = {NF, NF, FB, FB},
      [NOWHERE] = {NF, NF, NF, NF}}},
    {COMMAND_LIST_MEMBERS,
     {[ROOM] = {NJ, OK, OK, NJ},
      [BOX] = {OK, OK, OK, OK},
      [SUBMISSION] = {NF, NF, FB, FB},
      [NOWHERE] = {NF, NF, NF, NF}}},
    {COMMAND_LIST_FILES,
     {[ROOM] = {NJ, OK, OK, NJ},
      [BOX] = {OK, OK, OK, OK},
      [SUBMISSION] = {NF, NF, OK, OK},
      [NOWHERE] = {NF, NF, NF, NF}}},
    {COMMAND_FILE, /* one that is in that log */
     {[ROOM] = {NF, OK, OK, NF},
      [BOX] = {NF, NF, NF, NF}, /* a box's own log has no files */
      [SUBMISSION] = {NF, NF, OK, OK},
      [NOWHERE] = {NF, NF, NF, NF}}},
};

struct scene {
    struct world world;
    struct actor actors[WHO_COUNT];
    struct id logs[WHERE_COUNT];
    struct id files[WHERE_COUNT];
};

static void put(struct scene *scene, enum who who, const char *log, enum where where)
{
    struct reply *reply = world_run(
        &scene->world, world_store(&scene->world, &scene->actors[who], log, "f", "data", NULL));

    assert_int_equal(reply->kind, REPLY_STORED);
    scene->logs[where] = reply->event.log.id;
    scene->files[where] = reply->event.file.id;
    reply_free(reply);
}

static void set_scene(struct scene *scene)
{
    struct world *world = &scene->world;
    const struct actor *owner = &scene->actors[OWNER];

    world_open(world, NULL);
    for (size_t i = 0; i < WHO_COUNT; i++) {
        scene->actors[i] = world_login(world, names[i], 1);
    }
    assert_int_equal(
        world_do(world, world_command(world, COMMAND_ROOM_CREATE, owner, "room", NULL)), SP_OK);
    assert_int_equal(world_do(world, world_command(world, COMMAND_ROOM_JOIN,
                                                   &scene->actors[INSIDER], "room", NULL)),
                     SP_OK);
    struct reply *reply =
        world_run(world, world_command(world, COMMAND_BOX_CREATE, owner, "box", NULL));
    scene->logs[BOX] = reply->event.log.id;
    reply_free(reply);
    memset(&scene->files[BOX], 1, sizeof scene->files[BOX]);
    put(scene, INSIDER, "room", ROOM);
    put(scene, SUBMITTER, "box", SUBMISSION);
    memset(&scene->logs[NOWHERE], 1, sizeof scene->logs[NOWHERE]);
    memset(&scene->files[NOWHERE], 1, sizeof scene->files[NOWHERE]);
}

static enum sp_error try(struct scene *scene, enum command_kind kind, enum where where,
                         enum who who)
{
    const struct actor *actor = &scene->actors[who];
    struct command *command =
        kind == COMMAND_STORE
            ? world_store(&scene->world, actor, NULL, "name", "text", NULL)
            : world_command(&scene->world, kind, actor, NULL,
                            kind == COMMAND_POST || kind == COMMAND_TOPIC ? "text" : NULL);

    command->log.id = scene->logs[where];
    if (kind == COMMAND_OFFER) {
        (void)strcpy(command->file.name, "name");
    }
    if (kind == COMMAND_FILE) {
        hex_encode(scene->files[where].bytes, ID_BYTES, command->file_prefix.digits);
    }
    return world_do(&scene->world, command);
}

static void test_every_command(void **state)
{
    static struct scene scene;
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (unsigned where = 0; where < WHERE_COUNT; where++) {
            for (unsigned who = 0; who < WHO_COUNT; who++) {
                set_scene(&scene);
                enum sp_error got = try(&scene, cases[i].kind, where, who);
                if (got != cases[i].expected[where][who]) {
                    print_message("command %d, log %u, %s: %s\n", cases[i].kind, where, names[who],
                                  sp_error_name(got));
                    wrong++;
                }
                world_close(&scene.world);
            }
        }
    }
    assert_int_equal(wrong, 0);
}

/* What is refused says no more than what is not there. */
static void test_secrets_do_not_exist(void **state)
{
    static struct scene scene;

    (void)state;
    set_scene(&scene);
    (void)world_transcript(&scene.world);
    assert_int_equal(try(&scene, COMMAND_FOLLOW, SUBMISSION, OUTSIDER), SP_ENOTFOUND);
    assert_int_equal(try(&scene, COMMAND_FOLLOW, NOWHERE, OUTSIDER), SP_ENOTFOUND);
    assert_string_equal(world_transcript(&scene.world), "reply not-found\nreply not-found\n");
    /* Lists: rooms and boxes are seen by all, submissions by nobody. */
    for (unsigned who = 0; who < WHO_COUNT; who++) {
        struct reply *reply =
            world_run(&scene.world, world_command(&scene.world, COMMAND_LIST_LOGS,
                                                  &scene.actors[who], NULL, NULL));
        assert_int_equal(reply->list.count, 2);
        assert_int_equal(reply->list.rows[0].log.joined, who == INSIDER || who == OWNER);
        assert_int_equal(reply->list.rows[1].log.joined, who == OWNER);
        reply_free(reply);
    }
    /* Of a box, everybody sees the own submissions, its owner all. */
    (void)world_transcript(&scene.world);
    for (unsigned who = 0; who < WHO_COUNT; who++) {
        reply_free(world_run(&scene.world, world_command(&scene.world, COMMAND_LIST_FILES,
                                                         &scene.actors[who], "box", NULL)));
    }
    assert_string_equal(world_transcript(&scene.world),
                        "reply list of 0\n"
                        "reply list of 0\n"
                        "reply list of 1\n  f by submitter in box size=4 bucket=0\n"
                        "reply list of 1\n  f by submitter in box size=4 bucket=0\n");
    world_close(&scene.world);
}

/* Kinds that are reserved, and numbers that are none, give no right to anybody. */
static void test_no_right_by_default(void **state)
{
    static const int kinds[] = {-1, 0, LOG_KIND_PRIVATE, LOG_KIND_DIRECT, LOG_KIND_MEMBER, 7, 255};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        for (int relation = -1; relation < 6; relation++) {
            assert_int_equal(access_rights((enum log_kind)kinds[i], (enum relation)relation), 0);
            assert_int_equal(
                access_check((enum log_kind)kinds[i], (enum relation)relation, RIGHT_SEE),
                SP_ENOTFOUND);
        }
    }
    assert_int_equal(access_rights(LOG_KIND_OPEN, (enum relation)4), 0);
    assert_int_equal(access_rights(LOG_KIND_SUBMISSION, RELATION_MEMBER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command),
        cmocka_unit_test(test_secrets_do_not_exist),
        cmocka_unit_test(test_no_right_by_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
