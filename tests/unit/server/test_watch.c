/* A watch sees its files change, whatever way, and nothing else. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/watch.h"

static char directory[64];
static char file[128];
static char other[128];

static void put(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void set_up(struct watch *watch)
{
    strcpy(directory, "/tmp/sealpost-watch-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(file, sizeof file, "%s/file", directory);
    snprintf(other, sizeof other, "%s/other", directory);
    watch_init(watch);
    assert_int_equal(watch_open(watch), SP_OK);
    assert_int_equal(watch_add(watch, file), SP_OK); /* it need not be there */
    assert_int_equal(watch_add(watch, file), SP_OK);
    assert_int_equal(watch->count, 1);
    assert_false(watch->incomplete);
}

static void tear_down(struct watch *watch)
{
    watch_deinit(watch);
    watch_deinit(watch);
    (void)unlink(file);
    (void)unlink(other);
    (void)rmdir(directory);
}

static void write_it(void)
{
    put(file);
}

static void open_its_mode(void)
{
    assert_int_equal(chmod(file, 0644), 0);
}

static void rename_over_it(void)
{
    put(other);
    assert_int_equal(rename(other, file), 0);
}

static void remove_it(void)
{
    assert_int_equal(unlink(file), 0);
}

static void link_it(void)
{
    assert_int_equal(symlink("/dev/null", file), 0);
}

static void rename_it(void)
{
    assert_int_equal(rename(file, other), 0);
}

static void write_another(void)
{
    put(other);
}

static void read_it(void)
{
    close(open(other, O_RDONLY | O_CLOEXEC));
}

static const struct {
    const char *name;
    void (*change)(void);
    bool seen;
} steps[] = {
    {"made and written", write_it, true},  {"another mode", open_its_mode, true},
    {"replaced", rename_over_it, true},    {"removed", remove_it, true},
    {"made as a link", link_it, true},     {"renamed away", rename_it, true},
    {"read, another one", read_it, false}, {"written, another one", write_another, false},
};

static void changes(void **state)
{
    (void)state;
    struct watch watch;
    set_up(&watch);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        print_message("%s\n", steps[i].name);
        steps[i].change();
        assert_int_equal(watch_read(&watch), steps[i].seen);
        assert_false(watch_read(&watch));
    }
    tear_down(&watch);
}

static void directory_goes(void **state)
{
    (void)state;
    struct watch watch;
    set_up(&watch);
    assert_int_equal(rmdir(directory), 0);
    assert_true(watch_read(&watch));
    tear_down(&watch);

    set_up(&watch);
    char moved[96];
    snprintf(moved, sizeof moved, "%s.moved", directory);
    assert_int_equal(rename(directory, moved), 0);
    assert_true(watch_read(&watch));
    assert_int_equal(rename(moved, directory), 0);
    tear_down(&watch);
}

static void no_directory(void **state)
{
    (void)state;
    struct watch watch;
    set_up(&watch);
    assert_int_equal(watch_add(&watch, "/nowhere/at.all"), SP_EFILE);
    assert_true(watch.incomplete);
    put(file); /* the rest is watched all the same */
    assert_true(watch_read(&watch));
    tear_down(&watch);
}

/* The new watch under the old descriptor, and nothing that the old one had seen. */
static void replaced(void **state)
{
    (void)state;
    struct watch watch;
    struct watch next;
    set_up(&watch);
    int fd = watch.fd;
    watch_init(&next);
    assert_int_equal(watch_open(&next), SP_OK);
    assert_int_equal(watch_add(&next, other), SP_OK);
    put(file);
    watch_replace(&watch, &next);
    assert_int_equal(watch.fd, fd);
    assert_int_equal(next.fd, -1);
    assert_false(watch_read(&watch));
    put(file);
    assert_false(watch_read(&watch));
    put(other);
    assert_true(watch_read(&watch));
    tear_down(&watch);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes),
        cmocka_unit_test(directory_goes),
        cmocka_unit_test(no_directory),
        cmocka_unit_test(replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
