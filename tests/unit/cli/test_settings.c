/* Where the settings come from: options over environment over file, a directory for three files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/settings.h"

#define MAX_VARIABLES 8

static char home[] = "/tmp/sealpost-settings-XXXXXX";
static struct {
    const char *name;
    const char *value;
} variables[MAX_VARIABLES];
static size_t variable_count;
static struct options options;
static struct settings settings;
static char message[SETTINGS_PATH_BYTES + 512];
static char hint[SETTINGS_PATH_BYTES + 512];

static const char *environment(void *context, const char *name)
{
    (void)context;
    for (size_t i = 0; i < variable_count; i++) {
        if (strcmp(variables[i].name, name) == 0) {
            return variables[i].value;
        }
    }
    return NULL;
}

static void set(const char *name, const char *value)
{
    assert_true(variable_count < MAX_VARIABLES);
    variables[variable_count].name = name;
    variables[variable_count++].value = value;
}

/* PATH below the temporary home; static, a few at a time. */
static const char *at_home(const char *path)
{
    static char paths[8][256];
    static unsigned next;
    char *out = paths[next++ % 8];

    (void)snprintf(out, 256, "%s%s", home, path);
    return out;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(at_home(path), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum sp_error resolve(void)
{
    return settings_resolve(&options, environment, NULL, &settings, message, sizeof(message), hint,
                            sizeof(hint));
}

static int fresh(void **state)
{
    (void)state;
    options = (struct options){0};
    variable_count = 0;
    set("HOME", home);
    return 0;
}

static int make_home(void **state)
{
    (void)state;
    if (mkdtemp(home) == NULL || mkdir(at_home("/.config"), 0700) != 0 ||
        mkdir(at_home("/.config/sealpost"), 0700) != 0 || mkdir(at_home("/xdg"), 0700) != 0 ||
        mkdir(at_home("/xdg/sealpost"), 0700) != 0 || mkdir(at_home("/bundle"), 0700) != 0) {
        return -1;
    }
    write_file("/c.pem", "");
    write_file("/.config/sealpost/default.conf", "server = file.example:1\n"
                                                 "cert = ../../c.pem # ours\n"
                                                 "key = k.pem\nca = /ca.pem\n");
    write_file("/.config/sealpost/work.conf", "server = work.example\n");
    write_file("/.config/sealpost/bad.conf", "server = a\nsrver = b\n");
    write_file("/.config/sealpost/twice.conf", "server = a\nserver = b\n");
    write_file("/.config/sealpost/empty.conf", "server =\n");
    write_file("/xdg/sealpost/default.conf", "server = xdg.example\ncert = ../../bundle\n");
    return 0;
}

static int remove_home(void **state)
{
    static const char *const paths[] = {"/c.pem",
                                        "/.config/sealpost/default.conf",
                                        "/.config/sealpost/work.conf",
                                        "/.config/sealpost/bad.conf",
                                        "/.config/sealpost/twice.conf",
                                        "/.config/sealpost/empty.conf",
                                        "/.config/sealpost",
                                        "/.config",
                                        "/xdg/sealpost/default.conf",
                                        "/xdg/sealpost",
                                        "/xdg",
                                        "/bundle",
                                        ""};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (remove(at_home(paths[i])) != 0) {
            return -1;
        }
    }
    return 0;
}

static void reads_the_default_profile(void **state)
{
    (void)state;
    assert_int_equal(resolve(), SP_OK);
    assert_string_equal(settings.server, "file.example");
    assert_int_equal(settings.port, 1);
    assert_string_equal(settings.cert, at_home("/.config/sealpost/../../c.pem"));
    assert_string_equal(settings.key, at_home("/.config/sealpost/k.pem"));
    assert_string_equal(settings.ca, "/ca.pem");
}

static void environment_is_over_file(void **state)
{
    (void)state;
    set("SEALPOST_SERVER", "env.example");
    set("SEALPOST_KEY", "env-key.pem");
    set("SEALPOST_CA", "");
    assert_int_equal(resolve(), SP_OK);
    assert_string_equal(settings.server, "env.example");
    assert_int_equal(settings.port, DEFAULT_PORT);
    assert_string_equal(settings.key, "env-key.pem");
    assert_string_equal(settings.ca, "/ca.pem");
}

static void options_are_over_environment(void **state)
{
    (void)state;
    set("SEALPOST_SERVER", "env.example");
    set("SEALPOST_KEY", "env-key.pem");
    options.text[OPTION_SERVER] = "[::1]:9";
    assert_int_equal(resolve(), SP_OK);
    assert_string_equal(settings.server, "::1");
    assert_int_equal(settings.port, 9);
    assert_string_equal(settings.key, "env-key.pem");
}

static void a_directory_is_three_files(void **state)
{
    (void)state;
    set("SEALPOST_KEY", "env-key.pem");
    options.text[OPTION_CERT] = at_home("/bundle");
    assert_int_equal(resolve(), SP_OK);
    assert_string_equal(settings.cert, at_home("/bundle/cert.pem"));
    assert_string_equal(settings.key, at_home("/bundle/key.pem")); /* not another's key */
    assert_string_equal(settings.ca, at_home("/bundle/ca.pem"));
    options.text[OPTION_KEY] = "own.pem";
    assert_int_equal(resolve(), SP_OK);
    assert_string_equal(settings.key, "own.pem");
}

static void xdg_is_over_home(void **state)
{
    (void)state;
    set("XDG_CONFIG_HOME", at_home("/xdg"));
    assert_int_equal(resolve(), SP_OK);
    assert_string_equal(settings.server, "xdg.example");
    assert_string_equal(settings.ca, at_home("/xdg/sealpost/../../bundle/ca.pem"));
    variables[1].value = "relative"; /* to be ignored, says the specification */
    assert_int_equal(resolve(), SP_OK);
    assert_string_equal(settings.server, "file.example");
}

static void profiles_are_chosen(void **state)
{
    (void)state;
    set("SEALPOST_PROFILE", "work");
    set("SEALPOST_CERT", at_home("/bundle"));
    assert_int_equal(resolve(), SP_OK);
    assert_string_equal(settings.server, "work.example");
    options.text[OPTION_PROFILE] = "default";
    assert_int_equal(resolve(), SP_OK);
    assert_string_equal(settings.server, "file.example");
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *profile;
        const char *says;
    } samples[] = {
        {"bad", "bad.conf:2: unknown key 'srver'"},
        {"twice", "twice.conf:2"},
        {"empty", "'server' is empty"},
        {"none", "the profile 'none'"},
        {"../default", "not allowed"},
        {"work", "no 'cert' is set"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        options.text[OPTION_PROFILE] = samples[i].profile;
        assert_int_equal(resolve(), SP_ECONFIG);
        if (strstr(message, samples[i].says) == NULL) {
            fail_msg("profile %s said: %s", samples[i].profile, message);
        }
    }
    assert_non_null(strstr(hint, "--cert DIR"));
    options.text[OPTION_PROFILE] = NULL;
    options.text[OPTION_SERVER] = "a b:x";
    assert_int_equal(resolve(), SP_ECONFIG);
    assert_non_null(strstr(message, "HOST:PORT"));
    options.text[OPTION_SERVER] = NULL;
    options.text[OPTION_CERT] = at_home("/missing");
    assert_int_equal(resolve(), SP_ECONFIG);
    assert_non_null(strstr(message, "/missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reads_the_default_profile, fresh),
        cmocka_unit_test_setup(environment_is_over_file, fresh),
        cmocka_unit_test_setup(options_are_over_environment, fresh),
        cmocka_unit_test_setup(a_directory_is_three_files, fresh),
        cmocka_unit_test_setup(xdg_is_over_home, fresh),
        cmocka_unit_test_setup(profiles_are_chosen, fresh),
        cmocka_unit_test_setup(mistakes_are_named, fresh),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
