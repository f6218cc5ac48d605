/* Events and rows in the three modes: what scripts rely on, and that nobody's text is more than
 * text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cli/show.h"

#define TIME_MS (INT64_C(1795365000) * 1000) /* 2026-11-22T16:30:00Z */

static struct output output;
static struct clock_settable the_clock;
static char *shown;
static size_t shown_size;

static int begin(void **state)
{
    struct options options = {0};

    (void)state;
    if (setenv("TZ", "UTC0", 1) != 0) {
        return -1;
    }
    tzset();
    clock_settable_init(&the_clock, TIME_MS + 1000);
    output_init(&output, &options, stdout, stderr, NULL, NULL);
    output.data = open_memstream(&shown, &shown_size);
    output.clock = &the_clock.clock;
    output.color = false;
    return output.data == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    free(shown);
    shown = NULL;
    return 0;
}

static void expect(const char *text)
{
    assert_int_equal(fclose(output.data), 0);
    assert_string_equal(shown, text);
}

static struct sp_event message(const char *text)
{
    struct sp_event event = {.log_name = "den",
                             .sequence = 12,
                             .time_ms = TIME_MS,
                             .kind = SP_EVENT_MESSAGE,
                             .author = "alice",
                             .text = text,
                             .text_bytes = strlen(text)};

    event.hash[0] = 0xab;
    return event;
}

static struct sp_event file_event(void)
{
    struct sp_event event = message("");

    event.kind = SP_EVENT_FILE;
    event.file = (struct sp_file){.name = "a\x1b.pdf", .log_name = "", .member = "", .size = 2048};
    event.file.id[0] = 0x1a;
    return event;
}

static void shows_messages_to_people(void **state)
{
    struct sp_event event = message("hello\x1b[2J\tyou\n11:00 bob: forged");

    (void)state;
    output.mode = OUTPUT_HUMAN;
    show_event(&output, &event, false);
    show_event(&output, &event, true);
    expect("16:30 alice: hello\\x1B[2J\tyou\n      | 11:00 bob: forged\n"
           "16:30 #den alice: hello\\x1B[2J\tyou\n      | 11:00 bob: forged\n");
}

static void shows_other_events_to_people(void **state)
{
    struct sp_event joined = message("");
    struct sp_event topic = message("bees");
    struct sp_event unknown = message("");
    struct sp_event file = file_event();
    struct sp_event erased = message("");

    (void)state;
    joined.kind = SP_EVENT_JOINED;
    joined.author = "";
    topic.kind = SP_EVENT_TOPIC;
    unknown.kind = 99;
    erased.erased = true;
    output.mode = OUTPUT_HUMAN;
    show_event(&output, &joined, false);
    show_event(&output, &topic, false);
    show_event(&output, &unknown, false);
    show_event(&output, &file, false);
    show_event(&output, &erased, false);
    expect("16:30 * the server came in\n"
           "16:30 * alice set the topic: bees\n"
           "16:30 * alice did something that this version does not know\n"
           "16:30 * alice sent a file: a\\x1B.pdf (2.0 KiB); sealpost get 1a0000000000\n"
           "16:30 alice:  (erased)\n");
}

static void shows_events_plainly(void **state)
{
    struct sp_event event = message("hello\nworld");
    struct sp_event file = file_event();

    (void)state;
    output.mode = OUTPUT_PLAIN;
    show_event(&output, &event, false);
    show_event(&output, &file, false);
    expect("2026-11-22T16:30:00.000Z den 12 alice message hello\\x0Aworld\n"
           "2026-11-22T16:30:00.000Z den 12 alice file 1a000000000000000000000000000000 2048 "
           "0000000000000000000000000000000000000000000000000000000000000000 a\\x1B.pdf\n");
}

static void shows_events_as_json(void **state)
{
    struct sp_event event = message("say \"hi\"\n");

    (void)state;
    output.mode = OUTPUT_JSON;
    show_event(&output, &event, true);
    expect("{\"type\":\"event\",\"room\":\"den\",\"seq\":12,\"time\":\"2026-11-22T16:30:00.000Z\","
           "\"kind\":\"message\",\"kind_number\":1,\"from\":\"alice\","
           "\"device\":\"00000000000000000000000000000000\","
           "\"client_id\":\"00000000000000000000000000000000\",\"text\":\"say \\\"hi\\\"\\n\","
           "\"log\":\"00000000000000000000000000000000\",\"body_bytes\":0,"
           "\"commitment\":\"0000000000000000000000000000000000000000000000000000000000000000\","
           "\"hash\":\"ab00000000000000000000000000000000000000000000000000000000000000\"}\n");
}

static void shows_files_as_json(void **state)
{
    struct sp_event event = file_event();

    (void)state;
    output.mode = OUTPUT_JSON;
    show_event(&output, &event, true);
    assert_int_equal(fclose(output.data), 0);
    assert_non_null(strstr(shown, "\"kind\":\"file\""));
    assert_non_null(strstr(shown, "\"file\":{\"id\":\"1a000000000000000000000000000000\",\"name\":"
                                  "\"a\\u001B.pdf\",\"size\":2048,\"sha256\":\"00"));
    assert_null(strstr(shown, "\"text\""));
}

static void shows_rows(void **state)
{
    struct sp_row room = {.type = SP_ROW_LOG,
                          .log = {.kind = SP_LOG_ROOM, .name = "den", .head_sequence = 4},
                          .topic = "bees\n",
                          .members = 2,
                          .joined = true,
                          .username = ""};
    struct sp_row member = {.type = SP_ROW_MEMBER, .username = "bob\x07", .online = true};
    struct sp_row file = {.type = SP_ROW_FILE};

    (void)state;
    file.file = file_event().file;
    file.file.member = "alice";
    file.file.log_name = "den";
    file.file.time_ms = TIME_MS;
    file.file.sequence = 3;
    output.mode = OUTPUT_PLAIN;
    show_row(&output, &room);
    show_row(&output, &member);
    show_row(&output, &file);
    output.mode = OUTPUT_HUMAN;
    show_row(&output, &room);
    show_row(&output, &member);
    show_row(&output, &file);
    output.mode = OUTPUT_JSON;
    show_row(&output, &member);
    expect("den joined 2 4 0 0 bees\\x0A\n"
           "bob\\x07 online - member - -\n"
           "1a000000000000000000000000000000 2026-11-22T16:30:00.000Z alice 3 2048 "
           "0000000000000000000000000000000000000000000000000000000000000000 a\\x1B.pdf\n"
           "den                      joined      2 members              bees\\x0A\n"
           "bob\\x07                  online \n"
           "1a0000000000             16:30  alice               2.0 KiB  a\\x1B.pdf\n"
           "{\"type\":\"member\",\"name\":\"bob\\u0007\",\"owner\":false,\"online\":true,"
           "\"role\":\"member\",\"disabled\":false}\n");
}

static void shows_what_is_unread(void **state)
{
    struct sp_row room = {.type = SP_ROW_LOG,
                          .log = {.kind = SP_LOG_ROOM, .name = "den", .head_sequence = 40},
                          .topic = "bees",
                          .members = 2,
                          .joined = true,
                          .read = {.sequence = 27, .unread = 12, .mentions = 3}};

    (void)state;
    output.mode = OUTPUT_PLAIN;
    show_row(&output, &room);
    output.mode = OUTPUT_HUMAN;
    show_row(&output, &room);
    room.read.mentions = 0;
    show_row(&output, &room);
    output.mode = OUTPUT_JSON;
    show_read_state(&output, &room.log, &room.read);
    show_row(&output, &room);
    assert_int_equal(fclose(output.data), 0);
    assert_non_null(strstr(shown, "\"topic\":\"bees\",\"read\":27,\"unread\":12,\"mentions\":0,"
                                  "\"keep_seconds\":0"));
    *strstr(shown, "{\"type\":\"room\"") = '\0';
    assert_string_equal(
        shown, "den joined 2 40 12 3 bees\n"
               "den                      joined      2 members  12 new @3   bees\n"
               "den                      joined      2 members  12 new      bees\n"
               "{\"type\":\"read\",\"room\":\"den\",\"read\":27,\"unread\":12,\"mentions\":0,"
               "\"seq\":40}\n");
}

static void shows_who_was_here_last(void **state)
{
    struct sp_row member = {.type = SP_ROW_MEMBER, .username = "bob", .last_seen_ms = TIME_MS};

    (void)state;
    output.mode = OUTPUT_PLAIN;
    show_row(&output, &member);
    output.mode = OUTPUT_HUMAN;
    show_row(&output, &member);
    member.disabled = true;
    show_row(&output, &member);
    output.mode = OUTPUT_JSON;
    show_row(&output, &member);
    expect("bob offline - member - 2026-11-22T16:30:00.000Z\n"
           "bob                              last seen 16:30\n"
           "bob                              disabled last seen 16:30\n"
           "{\"type\":\"member\",\"name\":\"bob\",\"owner\":false,\"online\":false,"
           "\"role\":\"member\",\"disabled\":true,\"last_seen\":\"2026-11-22T16:30:00.000Z\"}\n");
}

static void shows_mentions(void **state)
{
    struct sp_event event = message("ask @bob");

    (void)state;
    output.mode = OUTPUT_HUMAN;
    show_event(&output, &event, false); /* nobody is logged in */
    output.username = "alice";
    show_event(&output, &event, false);
    output.username = "bob";
    show_event(&output, &event, true);
    event.kind = SP_EVENT_TOPIC;
    show_event(&output, &event, false);
    event.kind = SP_EVENT_MESSAGE;
    output.mode = OUTPUT_PLAIN;
    show_event(&output, &event, false);
    output.mode = OUTPUT_JSON;
    show_event(&output, &event, false);
    event.author = "bob"; /* himself */
    show_event(&output, &event, false);
    assert_int_equal(fclose(output.data), 0);
    const char *json = strchr(shown, '{');
    assert_non_null(strstr(json, "\"text\":\"ask @bob\",\"mention\":true,"));
    assert_null(strstr(strchr(json, '}'), "mention"));
    assert_int_equal(strncmp(shown,
                             "16:30 alice: ask @bob\n"
                             "16:30 alice: ask @bob\n"
                             "16:30 #den ! alice: ask @bob\n"
                             "16:30 * alice set the topic: ask @bob\n"
                             "2026-11-22T16:30:00.000Z den 12 alice message ask @bob\n",
                             (size_t)(json - shown)),
                     0);
}

static void shows_what_is_kept(void **state)
{
    static const struct {
        struct sp_retention rule;
        const char *text;
    } cases[] = {
        {{0, 0}, "everything"},
        {{86400, 0}, "1 day"},
        {{2592000, 0}, "30 days"},
        {{5400, 0}, "90 minutes"},
        {{7200, 0}, "2 hours"},
        {{61, 0}, "61 seconds"},
        {{0, 1}, "1 event"},
        {{0, 1000}, "1000 events"},
        {{86400, 5}, "1 day, at most 5 events"},
    };
    struct sp_event event = message("");
    char text[RETENTION_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        retention_format(&cases[i].rule, text);
        assert_string_equal(text, cases[i].text);
    }
    event.kind = SP_EVENT_RETENTION;
    event.retention = (struct sp_retention){86400, 5};
    output.mode = OUTPUT_HUMAN;
    show_event(&output, &event, false);
    output.mode = OUTPUT_PLAIN;
    show_event(&output, &event, false);
    expect("16:30 * alice set what is kept here: 1 day, at most 5 events\n"
           "2026-11-22T16:30:00.000Z den 12 alice retention 86400 5\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shows_messages_to_people, begin, end),
        cmocka_unit_test_setup_teardown(shows_other_events_to_people, begin, end),
        cmocka_unit_test_setup_teardown(shows_events_plainly, begin, end),
        cmocka_unit_test_setup_teardown(shows_events_as_json, begin, end),
        cmocka_unit_test_setup_teardown(shows_files_as_json, begin, end),
        cmocka_unit_test_setup_teardown(shows_rows, begin, end),
        cmocka_unit_test_setup_teardown(shows_what_is_unread, begin, end),
        cmocka_unit_test_setup_teardown(shows_who_was_here_last, begin, end),
        cmocka_unit_test_setup_teardown(shows_mentions, begin, end),
        cmocka_unit_test_setup_teardown(shows_what_is_kept, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
