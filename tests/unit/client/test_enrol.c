/*
 * Joining over real TLS: what the server may say, and what is then at the profile's place and
 * beside it. The scripted server issues certificates with the test CA's issuing CA.
 */
#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "ca/issuer.h"
#include "ca/request.h"
#include "sealpost/join.h"
#include "unit/client/script.h"

#define HOUR_MS INT64_C(3600000)
#define CHAIN_BYTES 16384

/* What the server does, and what it has seen. */
struct server {
    int64_t later_ms;     /* when the certificate's time begins */
    const char *username; /* in the certificate */
    const char *said;     /* in the message */
    const char *taken;    /* a directory that is made before the answer; NULL: none */
    size_t cut_bytes;     /* off the end of the certificates */
    size_t seen;
    enum sp_error bye;     /* instead of a certificate, if not 0 */
    struct digest keys[4]; /* of the requests */
    uint8_t secret[SP_JOIN_SECRET_BYTES];
    char label[LIMIT_LABEL_BYTES + 1];
};

/* A home directory. */
struct home {
    char top[64];
    char directory[128]; /* of the profile */
    char settings[128];
    uint8_t secret[SP_JOIN_SECRET_BYTES];
    char code[SP_JOIN_CODE_TEXT_BYTES];
    const char *passphrase;
    bool replace;
    char message[1024];
    struct sp_enrolled enrolled;
};

/* ---- The server ---- */

static struct issuer *load_issuer(void)
{
    char ca[512];
    char cert[512];
    char key[512];
    char reason[512] = "";
    struct issuer *issuer = NULL;
    const struct issuer_config config = {.team = "test",
                                         .ca_file = script_path(ca, "ca.pem"),
                                         .cert_file = script_path(cert, "issuing/cert.pem"),
                                         .key_file = script_path(key, "issuing/key.pem")};

    return issuer_new(&config, &issuer, reason, sizeof reason) == SP_OK ? issuer : NULL;
}

/* Notes what was asked; the request is valid until the next frame. */
static struct slice hear_request(struct line *line, uint16_t *stream)
{
    struct server *server = line->context;
    union message message;
    struct slice request = {0};
    char reason[256];

    line_handshake(line);
    if (line->failure == NULL && strcmp(stream_protocol(line->stream), ALPN_JOIN) != 0) {
        line->failure = "another protocol than that of joining";
    }
    *stream = line_hear(line, FRAME_ENROL, &message, &request);
    if (line->failure == NULL) {
        memcpy(server->secret, message.enrol.secret, sizeof server->secret);
        memcpy(server->label, message.enrol.label, sizeof server->label);
        if (ca_request_read(request, NULL, &server->keys[server->seen++ % 4], reason,
                            sizeof reason) != SP_OK) {
            line->failure = "a bad request";
        }
    }
    return request;
}

/* Answers as the context says. */
static void answer(struct line *line)
{
    struct server *server = line->context;
    static uint8_t der[CHAIN_BYTES];
    struct issuer_chain chain = {.der = der, .capacity = sizeof der};
    sealpost_v1_Enrolled enrolled = {.team = "test", .device = {7}, .role = 1};
    sealpost_v1_Bye bye = {.error = (uint32_t)server->bye, .text = "so it is"};
    char reason[256];
    uint16_t stream = 0;
    struct slice request = hear_request(line, &stream);
    struct issuer *issuer = load_issuer();

    if (server->taken != NULL && mkdir(server->taken, 0700) != 0) {
        line->failure = "the directory cannot be made";
    }
    if (line->failure == NULL && server->bye == SP_OK) {
        if (issuer == NULL || issuer_issue(issuer, request, server->username,
                                           clock_wall_ms(clock_system()) + server->later_ms, &chain,
                                           reason, sizeof reason) != SP_OK) {
            line->failure = "no certificate";
        }
        (void)snprintf(enrolled.username, sizeof enrolled.username, "%s", server->said);
        line_say(line, FRAME_PING, 0, &(sealpost_v1_Ping){.token = 1}, (struct slice){0});
        line_say(line, FRAME_ENROLLED, stream, &enrolled,
                 (struct slice){der, chain.size - server->cut_bytes});
    }
    line_say(line, FRAME_BYE, 0, &bye, (struct slice){0});
    line_close(line);
    issuer_free(issuer);
}

/* Hears the request, and is gone. */
static void be_cut(struct line *line)
{
    uint16_t stream = 0;

    (void)hear_request(line, &stream);
    if (line->failure == NULL) {
        line_cut(line);
    }
}

/* No client comes so far as to ask. */
static void be_refused(struct line *line)
{
    line_refuse(line);
}

/* ---- The home ---- */

static void home_make(struct home *home)
{
    uint8_t digest[32];

    *home = (struct home){.top = "/tmp/sealpost-enrol-XXXXXX"};
    assert_non_null(mkdtemp(home->top));
    (void)snprintf(home->directory, sizeof home->directory, "%s/data/profiles/default", home->top);
    (void)snprintf(home->settings, sizeof home->settings, "%s/config/default.conf", home->top);
    assert_int_equal(sp_join_secret_new(home->secret, digest), SP_OK);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void home_remove(struct home *home)
{
    assert_int_equal(nftw(home->top, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* How many directories beside the profile begin with PREFIX. */
static size_t count_beside(const struct home *home, const char *prefix)
{
    char path[160];
    size_t count = 0;

    (void)snprintf(path, sizeof path, "%s/data/profiles", home->top);
    DIR *directory = opendir(path);
    struct dirent *entry = NULL;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return count;
}

static size_t count_pending(const struct home *home)
{
    return count_beside(home, ".default.joining-");
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The file NAME of the profile; "" for the settings. free() it. */
static char *content_of(const struct home *home, const char *name)
{
    char path[256];
    char reason[256];
    char *content = NULL;
    size_t size = 0;

    (void)snprintf(path, sizeof path, "%s/%s", home->directory, name);
    assert_int_equal(file_read(name[0] == '\0' ? home->settings : path, 65536, &content, &size,
                               reason, sizeof reason),
                     SP_OK);
    return content;
}

static enum sp_error join_on_port(struct home *home, uint16_t port)
{
    char ca[512];
    struct sp_enrol_config config = {.label = "a laptop",
                                     .directory = home->directory,
                                     .settings_file = home->settings,
                                     .passphrase = home->passphrase,
                                     .replace = home->replace,
                                     .timeout_ms = 20000};

    assert_int_equal(sp_join_code_make("localhost", port, script_path(ca, "root.pem"), home->secret,
                                       home->code, home->message, sizeof home->message),
                     SP_OK);
    config.code = home->code;
    config.code_size = strlen(home->code);
    config.passphrase_size = home->passphrase == NULL ? 0 : strlen(home->passphrase);
    return sp_enrol(&config, &home->enrolled, home->message, sizeof home->message);
}

/* Meets one connection of SCRIPT at the server with CERTIFICATE. */
static enum sp_error meet(struct home *home, struct server *server, script_fn script,
                          const char *certificate)
{
    struct script *running = script_start(certificate, &script, 1, server);
    enum sp_error error = join_on_port(home, script_port(running));

    script_stop(running);
    assert_int_equal(error == SP_OK, home->message[0] == '\0');
    return error;
}

static enum sp_error join(struct home *home, struct server *server)
{
    return meet(home, server, answer, "server");
}

static struct server good_server(void)
{
    return (struct server){.username = "ann", .said = "ann"};
}

static void assert_joined(const struct home *home)
{
    static const char *const names[] = {"key.pem", "cert.pem", "ca.pem"};
    struct stat status;
    char path[256];

    assert_string_equal(home->enrolled.username, "ann");
    assert_int_equal(stat(home->directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", home->directory, names[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
    assert_true(is_there(home->settings));
    assert_int_equal(count_pending(home), 0);
}

static void assert_nothing(const struct home *home)
{
    assert_false(is_there(home->directory));
    assert_false(is_there(home->settings));
    assert_string_equal(home->enrolled.username, "");
}

/* ---- What comes of it ---- */

static void test_joined(void **state)
{
    struct server server = good_server();
    struct home home;
    char wanted[256];

    (void)state;
    home_make(&home);
    assert_int_equal(join(&home, &server), SP_OK);
    assert_joined(&home);
    assert_memory_equal(server.secret, home.secret, sizeof server.secret);
    assert_string_equal(server.label, "a laptop");
    assert_string_equal(home.enrolled.team, "test");
    assert_true(home.enrolled.administrator);
    assert_int_equal(home.enrolled.device[0], 7);
    assert_string_equal(home.enrolled.host, "localhost");
    assert_true(home.enrolled.not_after_ms > clock_wall_ms(clock_system()));
    char *settings = content_of(&home, "");
    (void)snprintf(wanted, sizeof wanted, "server = localhost:%u\ncert = %s\n",
                   (unsigned)home.enrolled.port, home.directory);
    assert_non_null(strstr(settings, wanted));
    free(settings);
    char *key = content_of(&home, "key.pem");
    assert_non_null(strstr(key, "BEGIN PRIVATE KEY"));
    free(key);
    home_remove(&home);
}

static const struct {
    enum sp_error error;
    bool final; /* the key can be of no use any more */
} refusals[] = {
    {SP_ECODE, true},      {SP_ECODEUSED, true}, {SP_ECODEEXPIRED, true}, {SP_EDISABLED, false},
    {SP_ESLOWDOWN, false}, {SP_EBUSY, false},    {SP_ESHUTDOWN, false},   {SP_EINTERNAL, false},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        struct server server = good_server();
        struct home home;

        home_make(&home);
        server.bye = refusals[i].error;
        assert_int_equal(join(&home, &server), refusals[i].error);
        assert_string_equal(home.message, "so it is");
        assert_nothing(&home);
        assert_int_equal(count_pending(&home), refusals[i].final ? 0 : 1);
        home_remove(&home);
    }
}

/* The answer was lost: the same code goes on with the same key. */
static void test_lost_answer(void **state)
{
    struct server server = good_server();
    struct home home;

    (void)state;
    home_make(&home);
    assert_int_equal(meet(&home, &server, be_cut, "server"), SP_EDISCONNECTED);
    assert_non_null(strstr(home.message, "the same code again"));
    assert_nothing(&home);
    assert_int_equal(count_pending(&home), 1);
    assert_int_equal(join(&home, &server), SP_OK);
    assert_joined(&home);
    assert_int_equal(server.seen, 2);
    assert_true(digest_equal(&server.keys[0], &server.keys[1]));
    home_remove(&home);
}

/* Another code in between has a key of its own, and takes away none. */
static void test_two_codes(void **state)
{
    struct server server = good_server();
    struct home home;

    (void)state;
    home_make(&home);
    assert_int_equal(meet(&home, &server, be_cut, "server"), SP_EDISCONNECTED);
    home.secret[0] ^= 1;
    assert_int_equal(meet(&home, &server, be_cut, "server"), SP_EDISCONNECTED);
    assert_int_equal(count_pending(&home), 2);
    home.secret[0] ^= 1;
    assert_int_equal(join(&home, &server), SP_OK);
    assert_false(digest_equal(&server.keys[0], &server.keys[1]));
    assert_true(digest_equal(&server.keys[0], &server.keys[2]));
    assert_int_equal(count_pending(&home), 1);
    home_remove(&home);
}

/* A certificate that this machine's clock does not believe yet: when the clock has been set, the
 * same code goes on. */
static void test_wrong_clock(void **state)
{
    struct server server = good_server();
    struct home home;

    (void)state;
    home_make(&home);
    server.later_ms = HOUR_MS;
    assert_int_equal(join(&home, &server), SP_ENOTYET);
    assert_non_null(strstr(home.message, "clock"));
    assert_nothing(&home);
    server.later_ms = 0;
    assert_int_equal(join(&home, &server), SP_OK);
    assert_joined(&home);
    assert_true(digest_equal(&server.keys[0], &server.keys[1]));
    home_remove(&home);
}

/* Whatever else is wrong with what the server sends. */
static void test_bad_answers(void **state)
{
    struct server servers[] = {{.username = "ann", .said = "bob"},
                               {.username = "ann", .said = ""},
                               {.username = "ann", .said = "ann", .cut_bytes = 1},
                               {.username = "ann", .said = "ann", .cut_bytes = 900}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        struct home home;

        home_make(&home);
        assert_int_equal(join(&home, &servers[i]), SP_EINTEGRITY);
        assert_nothing(&home);
        assert_int_equal(count_pending(&home), 1); /* the code may be used up by that key */
        home_remove(&home);
    }
}

/* Servers to which nothing is said. */
static void test_bad_servers(void **state)
{
    static const struct {
        const char *certificate;
        enum sp_error error;
        const char *sentence;
    } cases[] = {
        {"bad-servers/wrong-host", SP_EHOST, "another host name"},
    };
    struct server server = good_server();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct home home;

        home_make(&home);
        assert_int_equal(meet(&home, &server, be_refused, cases[i].certificate), cases[i].error);
        assert_non_null(strstr(home.message, cases[i].sentence));
        assert_nothing(&home);
        assert_int_equal(count_pending(&home), 0); /* nothing was sent: there is nothing to keep */
        assert_int_equal(server.seen, 0);
        home_remove(&home);
    }
}

/* A code whose fingerprint is of another authority. */
static void test_another_authority(void **state)
{
    static const script_fn scripts[] = {be_refused};
    struct server server = good_server();
    struct script *script = script_start("server", scripts, 1, &server);
    struct sp_enrol_config config = {.label = "a laptop", .timeout_ms = 20000};
    struct home home;
    char ca[512];

    (void)state;
    home_make(&home);
    assert_int_equal(sp_join_code_make("localhost", script_port(script),
                                       script_path(ca, "bad-servers/self-signed/cert.pem"),
                                       home.secret, home.code, home.message, sizeof home.message),
                     SP_OK);
    config.directory = home.directory;
    config.code = home.code;
    config.code_size = strlen(home.code);
    assert_int_equal(sp_enrol(&config, &home.enrolled, home.message, sizeof home.message),
                     SP_EUNTRUSTED);
    script_stop(script);
    assert_non_null(strstr(home.message, "is not the server of this join code"));
    assert_null(strstr(home.message, "the file"));
    assert_nothing(&home);
    assert_int_equal(server.seen, 0);
    home_remove(&home);
}

static void test_unreachable(void **state)
{
    struct home home;

    (void)state;
    home_make(&home);
    assert_int_equal(join_on_port(&home, 1), SP_EUNREACHABLE);
    assert_non_null(strstr(home.message, "cannot connect to localhost:1"));
    assert_nothing(&home);
    assert_int_equal(count_pending(&home), 0);
    home_remove(&home);
}

/* ---- A profile that is there already ---- */

static void test_exists(void **state)
{
    struct server server = good_server();
    struct home home;

    (void)state;
    home_make(&home);
    assert_int_equal(join(&home, &server), SP_OK);
    char *before = content_of(&home, "key.pem");
    /* Without a connection: there is nobody. */
    assert_int_equal(join_on_port(&home, 1), SP_EEXISTS);
    assert_non_null(strstr(home.message, home.directory));
    home.replace = true;
    assert_int_equal(join_on_port(&home, 1), SP_EUNREACHABLE);
    char *between = content_of(&home, "key.pem");
    assert_string_equal(before, between);
    home.secret[0] ^= 1;
    assert_int_equal(join(&home, &server), SP_OK);
    char *after = content_of(&home, "key.pem");
    assert_string_not_equal(before, after);
    assert_true(is_there(home.enrolled.old_directory));
    assert_true(is_there(home.enrolled.old_settings));
    assert_int_equal(count_beside(&home, "default.old-"), 1);
    free(before);
    free(between);
    free(after);
    home_remove(&home);
}

/* The settings cannot be written: nothing has appeared, nothing is lost, and the same code goes on
 * when they can. */
static void test_settings_cannot_be_written(void **state)
{
    struct server server = good_server();
    struct home home;
    char path[160];

    (void)state;
    home_make(&home);
    (void)snprintf(path, sizeof path, "%s/config", home.top);
    assert_int_equal(symlink("nowhere/at/all", path), 0);
    assert_int_equal(join(&home, &server), SP_EFILE);
    assert_non_null(strstr(home.message, "config"));
    assert_nothing(&home);
    assert_int_equal(count_pending(&home), 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(join(&home, &server), SP_OK);
    assert_joined(&home);
    assert_true(digest_equal(&server.keys[0], &server.keys[1]));
    home_remove(&home);
}

/* A profile has come to be while the server was asked: it stays, and all else is as before. */
static void test_exists_meanwhile(void **state)
{
    struct server server = good_server();
    struct home home;

    (void)state;
    home_make(&home);
    server.taken = home.directory;
    assert_int_equal(join(&home, &server), SP_EEXISTS);
    assert_non_null(strstr(home.message, home.directory));
    assert_false(is_there(home.settings));
    assert_int_equal(count_pending(&home), 1);
    assert_int_equal(rmdir(home.directory), 0); /* nothing was put into it */
    server.taken = NULL;
    assert_int_equal(join(&home, &server), SP_OK);
    assert_joined(&home);
    assert_true(digest_equal(&server.keys[0], &server.keys[1]));
    home_remove(&home);
}

/* As fast as it goes: each profile is kept under a name of its own. */
static void test_replaced_again_and_again(void **state)
{
    struct server server = good_server();
    struct home home;

    (void)state;
    home_make(&home);
    home.replace = true;
    for (uint8_t i = 0; i < 4; i++) {
        home.secret[0] = i;
        assert_int_equal(join(&home, &server), SP_OK);
        assert_int_equal(count_beside(&home, "default.old-"), i);
    }
    assert_joined(&home);
    home_remove(&home);
}

/* A crash between the two last steps: the settings are there, and lead to a profile that is not. */
static void test_crash_before_the_last_step(void **state)
{
    struct server server = good_server();
    struct home home;
    char pending[256];

    (void)state;
    home_make(&home);
    assert_int_equal(meet(&home, &server, be_cut, "server"), SP_EDISCONNECTED);
    assert_int_equal(join(&home, &server), SP_OK);
    (void)snprintf(pending, sizeof pending, "%s/data/profiles/elsewhere", home.top);
    assert_int_equal(rename(home.directory, pending), 0);
    assert_int_equal(join(&home, &server), SP_OK);
    assert_joined(&home);
    home_remove(&home);
}

/* A kill while the key is written: half of one is in nobody's way. */
static void test_killed_while_the_key_is_written(void **state)
{
    struct server server = good_server();
    struct home home;
    int status = 0;

    (void)state;
    home_make(&home);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit limit = {100, 100}; /* bytes; a key has more */

        (void)signal(SIGXFSZ, SIG_DFL);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        (void)join_on_port(&home, 1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    assert_nothing(&home);
    assert_int_equal(count_pending(&home), 1);
    assert_int_equal(join(&home, &server), SP_OK);
    assert_joined(&home);
    home_remove(&home);
}

/* ---- Sealed ---- */

static void assert_sealed(const struct home *home, bool sealed)
{
    char *key = content_of(home, "key.pem");

    assert_int_equal(strstr(key, "BEGIN SEALPOST SEALED KEY") != NULL, sealed);
    assert_int_equal(strstr(key, "BEGIN PRIVATE KEY") == NULL, sealed);
    free(key);
}

static void test_sealed(void **state)
{
    struct server server = good_server();
    struct home home;

    (void)state;
    home_make(&home);
    home.passphrase = "open sesame";
    assert_int_equal(meet(&home, &server, be_cut, "server"), SP_EDISCONNECTED);
    home.passphrase = "open barley";
    assert_int_equal(join_on_port(&home, 1), SP_EPASSPHRASE);
    home.passphrase = NULL;
    assert_int_equal(join_on_port(&home, 1), SP_EPASSPHRASE);
    assert_int_equal(count_pending(&home), 1);
    home.passphrase = "open sesame";
    assert_int_equal(join(&home, &server), SP_OK);
    assert_joined(&home);
    assert_sealed(&home, true);
    assert_true(digest_equal(&server.keys[0], &server.keys[1]));
    home_remove(&home);
}

/* Whoever asks for a seal gets it, also when the first attempt was made without. */
static void test_sealed_the_second_time(void **state)
{
    struct server server = good_server();
    struct home home;

    (void)state;
    home_make(&home);
    assert_int_equal(meet(&home, &server, be_cut, "server"), SP_EDISCONNECTED);
    home.passphrase = "open sesame";
    assert_int_equal(join(&home, &server), SP_OK);
    assert_joined(&home);
    assert_sealed(&home, true);
    assert_true(digest_equal(&server.keys[0], &server.keys[1]));
    home_remove(&home);
}

/* ---- Mistakes of the caller's ---- */

static void test_arguments(void **state)
{
    static const char *const labels[] = {"", "two\nlines", "\xff"};
    struct home home;
    struct sp_enrolled enrolled;
    char ca[512];

    (void)state;
    home_make(&home);
    assert_int_equal(sp_join_code_make("localhost", 1, script_path(ca, "root.pem"), home.secret,
                                       home.code, home.message, sizeof home.message),
                     SP_OK);
    struct sp_enrol_config config = {.code = home.code,
                                     .code_size = strlen(home.code),
                                     .label = "a laptop",
                                     .directory = home.directory};
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        config.label = labels[i];
        assert_int_equal(sp_enrol(&config, &enrolled, home.message, sizeof home.message), SP_ENAME);
    }
    config.label = "a laptop";
    config.directory = "";
    assert_int_equal(sp_enrol(&config, &enrolled, home.message, sizeof home.message), SP_EINVALID);
    config.directory = home.directory;
    home.code[strlen(home.code) - 1] ^= 1;
    assert_int_equal(sp_enrol(&config, &enrolled, home.message, sizeof home.message), SP_ECODE);
    config.code_size = 3;
    assert_int_equal(sp_enrol(&config, &enrolled, home.message, sizeof home.message), SP_EINVALID);
    home_remove(&home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lost_answer),
        cmocka_unit_test(test_two_codes),
        cmocka_unit_test(test_wrong_clock),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_bad_servers),
        cmocka_unit_test(test_another_authority),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_exists),
        cmocka_unit_test(test_settings_cannot_be_written),
        cmocka_unit_test(test_exists_meanwhile),
        cmocka_unit_test(test_replaced_again_and_again),
        cmocka_unit_test(test_crash_before_the_last_step),
        cmocka_unit_test(test_killed_while_the_key_is_written),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_sealed_the_second_time),
        cmocka_unit_test(test_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
