/* Where a command of sealpostd takes its settings from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "server/command.h"

static const struct {
    const char *name;
    const char *argv[4]; /* up to the first NULL */
    enum sp_error error;
    const char *file; /* NULL: none */
    int rest;         /* how many flags are left */
} cases[] = {
    {"nothing", {NULL}, SP_OK, NULL, 0},
    {"flags only", {"--team", "x"}, SP_OK, NULL, 2},
    {"a directory", {"here"}, SP_OK, "here/sealpost.conf", 0},
    {"a directory and flags", {"/srv/x", "--team=y"}, SP_OK, "/srv/x/sealpost.conf", 1},
    {"a file", {"--config", "a.conf", "--team=y"}, SP_OK, "a.conf", 1},
    {"a file, in one word", {"--config=a.conf"}, SP_OK, "a.conf", 0},
    {"no file", {"--config"}, SP_EINVALID, NULL, 0},
};

static void where_settings_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char words[4][32];
        char *argv[4];
        int argc = 0;
        for (; argc < 4 && cases[i].argv[argc] != NULL; argc++) {
            argv[argc] = strcpy(words[argc], cases[i].argv[argc]);
        }
        struct settings_source source;
        char message[SETTINGS_MESSAGE_BYTES];
        print_message("%s\n", cases[i].name);
        assert_int_equal(command_take_source(argc, argv, &source, message, sizeof message),
                         cases[i].error);
        assert_int_equal(message[0] != '\0', cases[i].error != SP_OK);
        if (cases[i].file == NULL) {
            assert_null(source.config_file);
        } else {
            assert_string_equal(source.config_file, cases[i].file);
        }
        if (cases[i].error == SP_OK) {
            assert_int_equal(source.argc, cases[i].rest);
            assert_ptr_equal(source.argv, argv + argc - cases[i].rest);
        }
        settings_source_deinit(&source);
    }
}

static void help_is_asked_for(void **state)
{
    (void)state;
    char help[] = "--help";
    char letter[] = "-h";
    char word[] = "help";
    assert_true(command_wants_help(2, (char *[]){word, help}));
    assert_true(command_wants_help(1, (char *[]){letter}));
    assert_false(command_wants_help(1, (char *[]){word}));
    assert_false(command_wants_help(0, NULL));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_settings_are),
        cmocka_unit_test(help_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
