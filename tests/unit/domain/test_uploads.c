/* Offers, stored files, submissions and how they are found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "unit/domain/world.h"

static struct world world;
static struct actor ann; /* owns the room and the box */
static struct actor bob;
static struct actor eve;

static int set_up(void **state)
{
    (void)state;
    world_open(&world, NULL);
    ann = world_login(&world, "ann", 1);
    bob = world_login(&world, "bob", 1);
    eve = world_login(&world, "eve", 1);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "room", NULL)), SP_OK);
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_BOX_CREATE, &ann, "box", NULL)),
                     SP_OK);
    (void)world_transcript(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_verify(&world);
    world_close(&world);
    return 0;
}

static struct command *offer(const struct actor *actor, const char *log, const char *name,
                             uint64_t size)
{
    struct command *command = world_command(&world, COMMAND_OFFER, actor, log, NULL);

    (void)snprintf(command->file.name, sizeof command->file.name, "%s", name);
    command->file.size = size;
    return command;
}

static void run(struct command *command)
{
    reply_free(world_run(&world, command));
}

static void test_submission(void **state)
{
    (void)state;
    run(world_store(&world, &bob, "box", "essay.txt", "words", NULL));
    run(world_store(&world, &eve, "box", "essay.txt", "other", NULL));
    run(world_store(&world, &bob, "box", "more.txt", "", NULL));
    run(world_command(&world, COMMAND_LIST_FILES, &bob, "box", NULL));
    run(world_command(&world, COMMAND_LIST_FILES, &ann, "box", NULL));
    assert_string_equal(world_transcript(&world), "event 3/1 bob log-created box bob kind=5\n"
                                                  "event 3/2 bob file essay.txt\n"
                                                  "reply essay.txt box/2 at 1000000\n"
                                                  "event 4/1 eve log-created box eve kind=5\n"
                                                  "event 4/2 eve file essay.txt\n"
                                                  "reply essay.txt box/2 at 1000000\n"
                                                  "event 3/3 bob file more.txt\n"
                                                  "reply more.txt box/3 at 1000000\n"
                                                  "reply list of 2\n"
                                                  "  essay.txt by bob in box size=5 bucket=0\n"
                                                  "  more.txt by bob in box size=0 bucket=0\n"
                                                  "reply list of 3\n"
                                                  "  essay.txt by bob in box size=5 bucket=0\n"
                                                  "  essay.txt by eve in box size=5 bucket=0\n"
                                                  "  more.txt by bob in box size=0 bucket=0\n");
}

static void test_offer_and_store(void **state)
{
    struct command *first = offer(&ann, "room", "a.txt", 5);
    struct command *again = world_again(first);
    struct command *late = world_again(first);
    struct command *other = world_again(first);
    struct command *end = world_again(first);

    (void)state;
    struct command *store = world_store(&world, &ann, "room", "a.txt", "12345", first);
    struct command *second = world_again(store);
    run(first);
    run(again); /* under way */
    run(store);
    run(second);
    run(late); /* stored: the first result */
    (void)strcpy(other->file.name, "b.txt");
    run(other);
    assert_string_equal(world_transcript(&world), "reply offer room\n"
                                                  "reply busy\n"
                                                  "event 1/2 ann file a.txt\n"
                                                  "reply a.txt room/2 at 1000000\n"
                                                  "reply a.txt room/2 at 1000000 repeated\n"
                                                  "reply offer room stored\n"
                                                  "reply conflict\n");
    /* An offer that led to nothing may be made again. */
    end->kind = COMMAND_OFFER_END;
    end->client_id.bytes[8] = 1;
    first = offer(&ann, "room", "c.txt", UINT64_MAX);
    first->client_id = end->client_id;
    again = world_again(first);
    run(first);
    assert_null(world_run(&world, end));
    run(again);
    assert_string_equal(world_transcript(&world), "reply offer room\nreply offer room\n");
}

/* The same client id for a message and a file: one of them only. */
static void test_one_id_one_event(void **state)
{
    struct command *post = world_command(&world, COMMAND_POST, &ann, "room", "hello");
    struct command *file = offer(&ann, "room", "a.txt", 5);

    (void)state;
    file->client_id = post->client_id;
    struct command *store = world_store(&world, &ann, "room", "a.txt", "12345", file);
    run(post);
    run(file);
    run(store);
    assert_string_equal(world_transcript(&world), "event 1/2 ann message hello\n"
                                                  "reply event room/2 at 1000000\n"
                                                  "reply conflict\n"
                                                  "reply conflict\n");
}

static void test_stored_offer_has_the_result(void **state)
{
    struct command *first = offer(&bob, "box", "a.txt", 5);
    struct command *again = world_again(first);
    struct command *store = world_store(&world, &bob, "box", "a.txt", "12345", first);

    (void)state;
    run(first);
    struct reply *stored = world_run(&world, store);
    struct reply *offered = world_run(&world, again);
    assert_true(offered->offer.stored);
    assert_true(id_equal(&offered->offer.file, &stored->event.file.id));
    assert_true(id_equal(&offered->offer.info.log, &stored->event.log.id));
    assert_int_equal(offered->offer.info.sequence, stored->event.sequence);
    assert_true(digest_equal(&offered->offer.hash, &stored->event.hash));
    assert_true(digest_equal(&offered->offer.info.sha256, &stored->event.file.sha256));
    assert_string_equal(offered->offer.info.member, "bob");
    reply_free(stored);
    reply_free(offered);
}

static void test_what_is_refused(void **state)
{
    static const char *const bad_names[] = {"", "..", "a/b", "a\nb", "\xff"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_names); i++) {
        assert_int_equal(world_do(&world, offer(&ann, "room", bad_names[i], 1)), SP_ENAME);
    }
    assert_int_equal(world_do(&world, offer(&ann, "room", "a", LIMIT_FILE_BYTES + 1)),
                     SP_ETOOLARGE);
    assert_int_equal(world_do(&world, offer(&ann, "room", "a", LIMIT_FILE_BYTES)), SP_OK);
    assert_int_equal(world_do(&world, offer(&bob, "room", "a", 1)), SP_ENOTJOINED);
    struct command *command = offer(&ann, "room", "a", 1);
    memset(&command->client_id, 0, sizeof command->client_id);
    assert_int_equal(world_do(&world, command), SP_EINVALID);
    /* A STORE that contradicts itself is somebody's mistake, and is not kept. */
    command = world_store(&world, &ann, "room", "a", "12345", NULL);
    command->file.size = 4;
    assert_int_equal(world_do(&world, command), SP_EINVALID);
    command = world_store(&world, &ann, "room", "a", "12345", NULL);
    command->file.file.bytes[0] ^= 1;
    assert_int_equal(world_do(&world, command), SP_EINVALID);
    command = world_store(&world, &ann, "room", "a", "12345", NULL);
    command->file.has_sha256 = false;
    assert_int_equal(world_do(&world, command), SP_EINVALID);
    command = world_store(&world, &ann, "room", "a", "12345", NULL);
    command->file.bucket = 1; /* then the bytes are on the disk */
    assert_int_equal(world_do(&world, command), SP_EINVALID);
    assert_int_equal(world_verify(&world), 2);
}

/* Between the offer and the last byte the sender may have left the room. */
static void test_access_is_checked_again(void **state)
{
    struct command *first = offer(&ann, "room", "a.txt", 5);
    struct command *store = world_store(&world, &ann, "room", "a.txt", "12345", first);
    struct command *again = world_again(first);

    (void)state;
    run(first);
    run(world_command(&world, COMMAND_ROOM_LEAVE, &ann, "room", NULL));
    assert_int_equal(world_do(&world, store), SP_ENOTJOINED);
    /* With that the upload is over; it may begin anew. */
    run(world_command(&world, COMMAND_ROOM_JOIN, &ann, "room", NULL));
    assert_int_equal(world_do(&world, again), SP_OK);
}

static void test_found_by_digits(void **state)
{
    char digits[ID_HEX_BYTES];
    struct reply *stored =
        world_run(&world, world_store(&world, &bob, "box", "a.txt", "12345", NULL));

    (void)state;
    hex_encode(stored->event.file.id.bytes, ID_BYTES, digits);
    reply_free(stored);
    (void)world_transcript(&world);
    for (size_t length = 0; length < ID_HEX_BYTES; length++) {
        struct command *command = world_command(&world, COMMAND_FILE, &bob, NULL, NULL);
        memcpy(command->file_prefix.digits, digits, length);
        assert_int_equal(world_do(&world, command), length < 6 ? SP_EINVALID : SP_OK);
    }
    struct command *command = world_command(&world, COMMAND_FILE, &bob, NULL, NULL);
    memcpy(command->file_prefix.digits, digits, 8);
    (void)world_transcript(&world);
    run(command);
    assert_string_equal(world_transcript(&world), "reply file a.txt 12345\n");
    command = world_command(&world, COMMAND_FILE, &bob, NULL, NULL);
    memcpy(command->file_prefix.digits, "xyzxyz", 6);
    assert_int_equal(world_do(&world, command), SP_EINVALID);
    command = world_command(&world, COMMAND_FILE, &bob, NULL, NULL);
    memset(command->file_prefix.digits, 'a', sizeof command->file_prefix.digits); /* no NUL */
    assert_int_equal(world_do(&world, command), SP_EINVALID);
}

/* Six digits of many files: ambiguous only among those that one may see. */
static void test_ambiguous_digits(void **state)
{
    static struct id ids[20000];
    size_t a = 0;
    size_t b = 0;
    struct command *command = NULL;

    (void)state;
    /* Ids follow from client ids: look for two that begin alike, one of bob's, one of eve's. */
    for (size_t i = 0; i < COUNT_OF(ids) && b == 0; i++) {
        struct id client = {{0}};
        memcpy(client.bytes, &i, sizeof i);
        client.bytes[15] = 1;
        assert_int_equal(event_file_id(&bob.device_id, &client, &ids[i]), SP_OK);
        for (size_t k = 0; k < i; k++) {
            if (memcmp(ids[k].bytes, ids[i].bytes, 3) == 0) {
                a = k;
                b = i;
            }
        }
    }
    assert_true(b > 0);
    for (size_t i = 0; i < 2; i++) {
        size_t number = i == 0 ? a : b;
        struct command *at = offer(&bob, "box", "x", 1);
        memset(&at->client_id, 0, sizeof at->client_id);
        memcpy(at->client_id.bytes, &number, sizeof number);
        at->client_id.bytes[15] = 1;
        command = world_store(&world, &bob, "box", "x", "1", at);
        command_free(at);
        assert_int_equal(world_do(&world, command), SP_OK);
    }
    char digits[ID_HEX_BYTES];
    hex_encode(ids[a].bytes, ID_BYTES, digits);
    command = world_command(&world, COMMAND_FILE, &bob, NULL, NULL);
    memcpy(command->file_prefix.digits, digits, 6);
    struct reply *reply = world_run(&world, command);
    assert_int_equal(reply->error, SP_EINVALID);
    assert_string_equal(reply->detail, "several files have an id that starts like this");
    reply_free(reply);
    command = world_command(&world, COMMAND_FILE, &eve, NULL, NULL);
    memcpy(command->file_prefix.digits, digits, 6);
    assert_int_equal(world_do(&world, command), SP_ENOTFOUND);
}

static void test_in_a_bucket(void **state)
{
    struct command *command = world_store(&world, &ann, "room", "big", "", NULL);
    struct id file = command->file.file;

    (void)state;
    command->file.size = 1 << 20;
    command->file.bucket = 7;
    assert_int_equal(world_do(&world, command), SP_OK);
    assert_true(domain_has_file(world.domain, 7, &file));
    assert_false(domain_has_file(world.domain, 6, &file));
    file.bytes[3] ^= 1;
    assert_false(domain_has_file(world.domain, 7, &file));
    (void)world_transcript(&world);
    run(world_command(&world, COMMAND_LIST_FILES, &ann, "room", NULL));
    assert_string_equal(world_transcript(&world), "reply list of 1\n"
                                                  "  big by ann in room size=1048576 bucket=7\n");
}

/* An empty file and one of every size class of the database's pages come back as they were. */
static void test_content_comes_back(void **state)
{
    static char content[LIMIT_INLINE_FILE_BYTES + 1];
    static const size_t sizes[] = {0, 1, 100, 4096, 5000, LIMIT_INLINE_FILE_BYTES};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        memset(content, 'a' + (int)i, sizeof content);
        content[sizes[i]] = '\0';
        struct reply *stored =
            world_run(&world, world_store(&world, &ann, "room", "x", content, NULL));
        assert_int_equal(stored->kind, REPLY_STORED);
        struct command *command = world_command(&world, COMMAND_FILE, &ann, NULL, NULL);
        hex_encode(stored->event.file.id.bytes, ID_BYTES, command->file_prefix.digits);
        world_submit(&world, command);
        struct reply *reply = world_step(&world);
        (void)world_transcript(&world);
        assert_int_equal(reply->kind, REPLY_FILE);
        assert_int_equal(reply->file.info.size, sizes[i]);
        assert_memory_equal(reply->file.content, content, sizes[i]);
        reply_free(stored);
        reply_free(reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_submission, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_offer_and_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_id_one_event, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stored_offer_has_the_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_access_is_checked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_found_by_digits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ambiguous_digits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_a_bucket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_content_comes_back, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
