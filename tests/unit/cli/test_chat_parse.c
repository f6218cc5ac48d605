/* What is text and what is a command: nothing that begins with a '/' is ever posted by mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/chat_parse.h"

static const struct {
    const char *line;
    enum chat_verb verb;
    const char *text;
    bool mistaken;
} samples[] = {
    {"", CHAT_NOTHING, "", false},
    {" \t ", CHAT_NOTHING, "", false},
    {"hello", CHAT_TEXT, "hello", false},
    {"  hello  ", CHAT_TEXT, "  hello  ", false},
    {"a /join den", CHAT_TEXT, "a /join den", false},
    {"//text", CHAT_TEXT, "/text", false},
    {"  //text", CHAT_TEXT, "/text", false},
    {"//", CHAT_TEXT, "/", false},
    {"///x", CHAT_TEXT, "//x", false},
    {"/", CHAT_UNKNOWN, "", false},
    {"/ join den", CHAT_UNKNOWN, "", false},
    {"/password secret", CHAT_UNKNOWN, "password", false},
    {"  /password secret", CHAT_UNKNOWN, "password", false},
    {"\t/password secret", CHAT_UNKNOWN, "password", false},
    {"/JOIN den", CHAT_UNKNOWN, "JOIN", false},
    {"/joins den", CHAT_UNKNOWN, "joins", false},
    {"/joi den", CHAT_UNKNOWN, "joi", false},
    {"/help", CHAT_HELP, "", false},
    {" /help ", CHAT_HELP, "", false},
    {"/help me", CHAT_HELP, "me", true},
    {"/join den", CHAT_JOIN, "den", false},
    {"  /join \t #den  ", CHAT_JOIN, "#den", false},
    {"/join", CHAT_JOIN, "", true},
    {"/leave", CHAT_LEAVE, "", false},
    {"/leave den", CHAT_LEAVE, "den", false},
    {"/rooms", CHAT_ROOMS, "", false},
    {"/members", CHAT_MEMBERS, "", false},
    {"/files den", CHAT_FILES, "den", false},
    {"/topic", CHAT_TOPIC, "", false},
    {"/topic all about  bees ", CHAT_TOPIC, "all about  bees", false},
    {"/read", CHAT_READ, "", false},
    {"/read den", CHAT_READ, "den", false},
    {"/send /tmp/a file.pdf", CHAT_SEND, "/tmp/a file.pdf", false},
    {"/send", CHAT_SEND, "", true},
    {"/quit", CHAT_QUIT, "", false},
    {"/quit now", CHAT_QUIT, "now", true},
};

static void understands_each_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct chat_input input;

        chat_parse(samples[i].line, strlen(samples[i].line), &input);
        if (input.verb != samples[i].verb ||
            (input.verb != CHAT_NOTHING &&
             (input.size != strlen(samples[i].text) ||
              memcmp(input.text, samples[i].text, input.size) != 0))) {
            fail_msg("'%s': verb %d, '%.*s'", samples[i].line, (int)input.verb, (int)input.size,
                     input.text);
        }
        assert_int_equal(input.mistake != NULL, samples[i].mistaken);
    }
}

static void helps_with_each_verb(void **state)
{
    size_t lines = 0;

    (void)state;
    while (chat_help_line(lines) != NULL) {
        struct chat_input input;
        const char *line = chat_help_line(lines);

        chat_parse(line, strcspn(line, " "), &input);
        assert_int_not_equal(input.verb, CHAT_UNKNOWN);
        lines++;
    }
    assert_int_equal(lines, CHAT_QUIT - CHAT_HELP + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_each_line),
        cmocka_unit_test(helps_with_each_verb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
