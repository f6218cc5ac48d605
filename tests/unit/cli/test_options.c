/* The command line: options anywhere, commands of one and of two words, every mistake refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/command.h"

#define MAX_WORDS 12

static struct options options;
static char message[256];
static char *words[MAX_WORDS];

/* Parses LINE, cut at blanks; '_' stands for a blank within a word. */
static enum sp_error parse(const char *line)
{
    static char copy[512];
    int count = 1;

    (void)snprintf(copy, sizeof(copy), "%s", line);
    words[0] = copy + sizeof(copy) - 1;
    for (char *at = strtok(copy, " "); at != NULL; at = strtok(NULL, " ")) {
        assert_true(count < MAX_WORDS);
        for (char *c = at; *c != '\0'; c++) {
            *c = (char)(*c == '_' ? ' ' : *c);
        }
        words[count++] = at;
    }
    message[0] = '\0';
    return options_parse(count, words, &options, message, sizeof(message));
}

static void finds_commands(void **state)
{
    (void)state;
    assert_int_equal(parse("whoami"), SP_OK);
    assert_string_equal(options.command->name, "whoami");
    assert_int_equal(options.arg_count, 0);
    assert_int_equal(parse("room create den"), SP_OK);
    assert_string_equal(options.command->name, "room create");
    assert_int_equal(options.arg_count, 1);
    assert_string_equal(options.args[0], "den");
    assert_int_equal(parse("say den hello_world"), SP_OK);
    assert_string_equal(options.args[1], "hello world");
}

static void every_command_is_found_by_its_name(void **state)
{
    const struct command *command = NULL;
    size_t count = 0;

    (void)state;
    while ((command = command_at(count)) != NULL) {
        char first[32];
        char *blank = NULL;

        (void)snprintf(first, sizeof(first), "%s", command->name);
        blank = strchr(first, ' ');
        if (blank != NULL) {
            *blank = '\0';
            assert_true(command_is_group(first));
            assert_null(command_find(first, NULL));
        }
        assert_ptr_equal(command_find(first, blank == NULL ? NULL : blank + 1), command);
        assert_non_null(command->run);
        assert_true(command->min_args <= command->max_args || command->max_args < 0);
        count++;
    }
    assert_true(count >= 20);
}

static void every_option_stands_at_its_place(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        assert_int_equal(option_spec((enum option)i)->option, i);
    }
}

static void takes_options_anywhere(void **state)
{
    (void)state;
    assert_int_equal(parse("--server a:1 log --json den -n 5 --after=7"), SP_OK);
    assert_string_equal(options.command->name, "log");
    assert_string_equal(options.text[OPTION_SERVER], "a:1");
    assert_int_equal(options.number[OPTION_LINES], 5);
    assert_int_equal(options.number[OPTION_AFTER], 7);
    assert_true(option_given(&options, OPTION_JSON));
    assert_false(option_given(&options, OPTION_PLAIN));
    assert_int_equal(options.arg_count, 1);
    assert_int_equal(parse("-n7 room -qv list"), SP_EINVALID); /* -n is not room list's */
    assert_int_equal(parse("room -qv list"), SP_OK);
    assert_true(option_given(&options, OPTION_QUIET));
    assert_true(option_given(&options, OPTION_VERBOSE));
    assert_int_equal(parse("log den -fn3"), SP_OK);
    assert_int_equal(options.number[OPTION_LINES], 3);
}

static void ends_options(void **state)
{
    (void)state;
    assert_int_equal(parse("say den -- --not-an-option"), SP_OK);
    assert_string_equal(options.args[1], "--not-an-option");
    assert_int_equal(parse("say den -"), SP_OK);
    assert_string_equal(options.args[1], "-");
    assert_int_equal(parse("get abcdef -o -"), SP_OK);
    assert_string_equal(options.text[OPTION_OUTPUT], "-");
}

static void refuses_mistakes(void **state)
{
    static const struct {
        const char *line;
        const char *says;
    } samples[] = {
        {"", "no command"},
        {"frobnicate", "unknown command 'frobnicate'"},
        {"room", "'room' needs a command"},
        {"room paint", "unknown command 'paint'"},
        {"room_list", "unknown command"},
        {"whoami extra", "too many arguments"},
        {"say", "'say' needs: ROOM"},
        {"say den hello world", "too many arguments"},
        {"send den", "'send' needs: ROOM PATH..."},
        {"whoami --frob", "unknown option '--frob'"},
        {"whoami -x", "unknown option '-x'"},
        {"whoami --json --json", "given twice"},
        {"whoami --json=yes", "takes no value"},
        {"whoami --server", "needs a value"},
        {"whoami --json --plain", "exclude"},
        {"whoami --force", "does not take the option --force"},
        {"log den -n x", "not a number"},
        {"log den -n -1", "not a number"},
        {"log den -n 99999999999", "not a number"},
        {"log den --timeout 99999999", "not a number"},
        {"whoami --\x1b[31m", "unknown option '--\\x1B[31m'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        assert_int_equal(parse(samples[i].line), SP_EINVALID);
        if (strstr(message, samples[i].says) == NULL) {
            fail_msg("'%s' said: %s", samples[i].line, message);
        }
    }
}

static void helps_whatever_is_missing(void **state)
{
    (void)state;
    assert_int_equal(parse("--help"), SP_OK);
    assert_null(options.command);
    assert_int_equal(parse("say --help"), SP_OK);
    assert_string_equal(options.command->name, "say");
    assert_int_equal(parse("room --help"), SP_OK);
    assert_null(options.command);
    assert_string_equal(options.group, "room");
    assert_int_equal(parse("--version"), SP_OK);
    assert_int_equal(parse("--help --frob"), SP_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_commands),
        cmocka_unit_test(every_command_is_found_by_its_name),
        cmocka_unit_test(every_option_stands_at_its_place),
        cmocka_unit_test(takes_options_anywhere),
        cmocka_unit_test(ends_options),
        cmocka_unit_test(refuses_mistakes),
        cmocka_unit_test(helps_whatever_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
