/* A copy of the database, made while others write and erase. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "domain/audit.h"
#include "domain/backup.h"
#include "unit/domain/world.h"

static struct world world;
static struct actor ann;
static char path[WORLD_PATH_BYTES];
static char copy_path[WORLD_PATH_BYTES + 8];

static int set_up(void **state)
{
    (void)state;
    world_make_path(path);
    (void)snprintf(copy_path, sizeof copy_path, "%s.copy", path);
    world_open(&world, path);
    ann = world_login(&world, "ann", 1);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "room", NULL)), SP_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(copy_path);
    world_close(&world);
    world_remove_path(path);
    return 0;
}

static void post(const char *text)
{
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_POST, &ann, "room", text)),
                     SP_OK);
}

static void store(const char *name, uint32_t bucket)
{
    struct command *command = world_store(&world, &ann, "room", name, "", NULL);

    command->file.bucket = bucket;
    command->file.size = 70000;
    assert_int_equal(world_do(&world, command), SP_OK);
}

static struct backup *start(void)
{
    struct backup *backup = NULL;
    char reason[256];

    assert_int_equal(backup_new(path, copy_path, NULL, NULL, &backup, reason, sizeof reason),
                     SP_OK);
    return backup;
}

static struct backup_info finish(struct backup *backup)
{
    struct backup_info info;
    char reason[256];

    assert_int_equal(backup_finish(backup, &info, reason, sizeof reason), SP_OK);
    return info;
}

static void on_finding(void *context, const struct audit_finding *finding)
{
    (void)context;
    fail_msg("%s/%llu: %s", finding->log, (unsigned long long)finding->sequence, finding->text);
}

/* The copy is right in itself; how many events it has, and how many are erased. */
static void check_copy(uint64_t events, uint64_t erased)
{
    const struct audit_config config = {.path = copy_path, .found = on_finding};
    struct audit *audit = NULL;
    char reason[256];

    assert_int_equal(audit_open(&config, &audit, reason, sizeof reason), SP_OK);
    assert_int_equal(audit_run(audit), SP_OK);
    assert_int_equal(audit_counts(audit)->events, events);
    assert_int_equal(audit_counts(audit)->erased, erased);
    audit_close(audit);
}

static bool copy_has(const char *needle)
{
    FILE *file = fopen(copy_path, "rb");
    char bytes[65536];
    size_t used = 0;
    size_t length = strlen(needle);
    bool found = false;

    assert_non_null(file);
    for (size_t count = 1; count > 0 && !found;) {
        count = fread(bytes + used, 1, sizeof bytes - used, file);
        used += count;
        for (size_t i = 0; i + length <= used && !found; i++) {
            found = memcmp(bytes + i, needle, length) == 0;
        }
        size_t keep = used < length ? used : length;
        memmove(bytes, bytes + used - keep, keep);
        used = keep;
    }
    (void)fclose(file);
    return found;
}

static unsigned count_blobs(struct backup *backup)
{
    struct backup_blob blob;
    unsigned count = 0;

    backup_rewind(backup);
    while (backup_next_blob(backup, &blob) == SP_OK) {
        assert_int_equal(backup_find_blob(backup, &blob.file, blob.bucket), SP_OK);
        assert_int_equal(backup_find_blob(backup, &blob.file, blob.bucket + 1), SP_ENOTFOUND);
        count++;
    }
    return count;
}

static void is_of_one_moment(void **state)
{
    (void)state;
    post("before");
    store("a", 1);
    store("b", 2);
    struct backup *backup = start();
    post("too late");
    store("c", 2);
    assert_int_equal(count_blobs(backup), 2);
    struct backup_info info = finish(backup);
    assert_string_equal(info.team, "team");
    assert_int_equal(info.events, 4);
    assert_int_equal(info.files, 2);
    assert_int_equal(count_blobs(backup), 2);
    backup_free(backup);
    check_copy(4, 0);
    assert_true(copy_has("before"));
    assert_false(copy_has("too late"));
    assert_int_equal(access(copy_path, R_OK), 0);
}

/* What is erased while the files are copied is erased in the copy too, files and all. */
static void forgets_what_is_erased_meanwhile(void **state)
{
    (void)state;
    post("the first secret");
    store("a", 1);
    post("the second secret");
    struct backup *backup = start();
    assert_int_equal(count_blobs(backup), 1);
    struct command *retention = world_command(&world, COMMAND_RETENTION, &ann, "room", NULL);
    retention->retention.events = 2;
    assert_int_equal(world_do(&world, retention), SP_OK); /* keeps the second */
    struct backup_info info = finish(backup);
    assert_int_equal(info.events, 4);
    assert_int_equal(info.files, 0);
    assert_int_equal(count_blobs(backup), 0);
    backup_free(backup);
    check_copy(4, 2);
    assert_false(copy_has("the first secret"));
    assert_true(copy_has("the second secret"));
}

static void is_a_new_incarnation(void **state)
{
    (void)state;
    struct backup *backup = start();
    struct backup_info info = finish(backup);
    struct id incarnation;
    char reason[256];
    struct command *login = world_command(&world, COMMAND_LOGIN, NULL, NULL, NULL);

    backup_free(backup);
    assert_int_equal(backup_incarnate(copy_path, &incarnation, reason, sizeof reason), SP_OK);
    assert_false(id_equal(&incarnation, &info.incarnation));
    world_close(&world);
    world.config.path = copy_path;
    assert_int_equal(domain_open(&world.config, &world.domain, reason, sizeof reason), SP_OK);
    strcpy(login->login.username, "eve");
    struct reply *reply = world_run(&world, login);
    assert_int_equal(reply->kind, REPLY_LOGIN);
    assert_true(id_equal(&reply->login.incarnation, &incarnation));
    reply_free(reply);
    world_verify(&world);
    domain_close(world.domain);
    static const char *const suffixes[] = {"-wal", "-shm", ".lock"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char name[sizeof copy_path + 8];
        (void)snprintf(name, sizeof name, "%s%s", copy_path, suffixes[i]);
        (void)unlink(name);
    }
    world.config.path = path;
    assert_int_equal(domain_open(&world.config, &world.domain, reason, sizeof reason), SP_OK);
}

static void overwrites_nothing(void **state)
{
    (void)state;
    struct backup *backup = start();
    struct backup *second = NULL;
    char reason[256];

    assert_int_equal(backup_new(path, copy_path, NULL, NULL, &second, reason, sizeof reason),
                     SP_EEXISTS);
    assert_null(second);
    backup_free(backup);
    check_copy(1, 0);
    assert_int_equal(
        backup_new("/nonexistent/db", copy_path, NULL, NULL, &second, reason, sizeof reason),
        SP_EFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_of_one_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgets_what_is_erased_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_a_new_incarnation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overwrites_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
