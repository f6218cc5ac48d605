/* Settings: each wrong one is named by file and line, or by its flag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/settings.h"

#define GOOD \
    "team = test\nca = ca.pem\ncert = /etc/cert.pem\nkey=key.pem\ncrl = crl.pem\nstate = state\n"

static char path[64];

static void write_config(const char *text)
{
    strcpy(path, "/tmp/sealpost-settings-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static enum sp_error load(const char *text, int argc, const char *const *argv,
                          struct settings *settings, char *message)
{
    write_config(text);
    struct settings_source source = {path, argc, argv};
    enum sp_error error = settings_load(&source, settings, message, SETTINGS_MESSAGE_BYTES);
    assert_int_equal(unlink(path), 0);
    return error;
}

static void defaults_and_paths(void **state)
{
    (void)state;
    struct settings settings;
    char message[SETTINGS_MESSAGE_BYTES];
    assert_int_equal(load(GOOD, 0, NULL, &settings, message), SP_OK);
    assert_string_equal(settings.listen, "[::]:7643");
    assert_string_equal(settings.ca, "/tmp/ca.pem"); /* beside the configuration file */
    assert_string_equal(settings.cert, "/etc/cert.pem");
    assert_true(settings.admit_ca);
    assert_int_equal(settings.disk_reserve_bytes, 256 << 20);
    assert_int_equal(settings.max_sessions, 16384);
    settings_deinit(&settings);
}

static void flags_override_the_file(void **state)
{
    (void)state;
    struct settings settings;
    char message[SETTINGS_MESSAGE_BYTES];
    static const char *const argv[] = {"--max-sessions=5", "--listen", "localhost:1", "--admit",
                                       "none"};
    assert_int_equal(load(GOOD "listen = [::]:9\n", (int)COUNT_OF(argv), argv, &settings, message),
                     SP_OK);
    assert_int_equal(settings.max_sessions, 5);
    assert_string_equal(settings.listen, "localhost:1");
    assert_false(settings.admit_ca);
    settings_deinit(&settings);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected; /* in the message */
    } cases[] = {
        {GOOD "prot = 1\n", ":7: unknown key 'prot'"},
        {GOOD "team = other\n", ":7: "},
        {GOOD "max_sessions = many\n", ":7: 'max_sessions' is not a number from 1 to 65536"},
        {GOOD "max_sessions = 0\n", ":7: 'max_sessions'"},
        {GOOD "max_file_bytes = 3X\n", ":7: 'max_file_bytes' is not a size"},
        {GOOD "admit = all\n", ":7: 'admit' is neither"},
        {GOOD "log_level = loud\n", ":7: 'log_level'"},
        {GOOD "listen =\n", ":7: 'listen' is empty"},
        {GOOD "nonsense\n", ":7: "},
        {"team = Test\n", ":1: 'team' is not a team name"},
        {"team = test\n", "'ca' is missing"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct settings settings;
        char message[SETTINGS_MESSAGE_BYTES];
        assert_int_equal(load(cases[i].text, 0, NULL, &settings, message), SP_ECONFIG);
        if (strstr(message, cases[i].expected) == NULL) {
            fail_msg("'%s' has no '%s'", message, cases[i].expected);
        }
        assert_non_null(strstr(message, path));
        assert_null(settings.team);
    }
}

static void wrong_flags_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *argv[2];
        int argc;
        const char *expected;
    } cases[] = {
        {{"--prot=1"}, 1, "unknown option '--prot=1'"},
        {{"--listen"}, 1, "--listen needs a value"},
        {{"listen", "x"}, 2, "unexpected argument 'listen'"},
        {{"--max-sessions", "-1"}, 2, "--max_sessions: '-1' is not a number"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct settings settings;
        char message[SETTINGS_MESSAGE_BYTES];
        assert_int_equal(load(GOOD, cases[i].argc, cases[i].argv, &settings, message), SP_EINVALID);
        if (strstr(message, cases[i].expected) == NULL) {
            fail_msg("'%s' has no '%s'", message, cases[i].expected);
        }
    }
    struct settings settings;
    char message[SETTINGS_MESSAGE_BYTES];
    strcpy(path, "/nowhere/at.all");
    struct settings_source source = {path, 0, NULL};
    assert_int_equal(settings_load(&source, &settings, message, sizeof message), SP_ECONFIG);
    assert_non_null(strstr(message, "/nowhere/at.all"));
}

/* What a reload takes and what it leaves. */
static void exchanged(void **state)
{
    (void)state;
    struct settings running;
    struct settings loaded;
    struct settings_changes changes;
    char message[SETTINGS_MESSAGE_BYTES];
    assert_int_equal(load(GOOD "host = a\n", 0, NULL, &running, message), SP_OK);
    assert_int_equal(load(GOOD "host = a\n", 0, NULL, &loaded, message), SP_OK);
    settings_exchange(&running, &loaded, &changes);
    assert_string_equal(changes.now, "");
    assert_string_equal(changes.later, "");
    settings_deinit(&loaded);
    static const char changed[] =
        "team = new\nca = b.pem\ncert = /etc/cert.pem\nkey=key.pem\ncrl = crl.pem\nstate = other\n"
        "admit = none\nlog_level = debug\nmessage_rate = 7\nmax_sessions = 9\nissuer_cert = "
        "c\nissuer_key = k\n";
    assert_int_equal(load(changed, 0, NULL, &loaded, message), SP_OK);
    settings_exchange(&running, &loaded, &changes);
    assert_string_equal(changes.now, "host,ca,admit,log_level,message_rate");
    assert_string_equal(changes.later, "team,issuer_cert,issuer_key,state,max_sessions");
    assert_null(running.host);
    assert_string_equal(loaded.host, "a");
    assert_string_equal(running.ca, "/tmp/b.pem");
    assert_string_equal(loaded.ca, "/tmp/ca.pem");
    assert_string_equal(running.team, "test");
    assert_string_equal(running.state, "/tmp/state");
    assert_null(running.issuer_key);
    assert_false(running.admit_ca);
    assert_int_equal(running.log_level, LOG_DEBUG);
    assert_int_equal(running.message_rate, 7);
    assert_int_equal(running.max_sessions, 16384);
    settings_deinit(&loaded);
    settings_deinit(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_paths),
        cmocka_unit_test(flags_override_the_file),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(wrong_flags_are_named),
        cmocka_unit_test(exchanged),
    };
    return cmocka_run_group_tests_name("server/settings", tests, NULL, NULL);
}
