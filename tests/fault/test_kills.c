/*
 * kill -9, again and again, of a server to which eight clients write and two upload; it is started
 * again, they come back, ask again what was not answered, and go on. promises.h says what must
 * hold.
 *
 *     fault_kills SERVER CONFIG LOG JOURNAL PORT BUNDLES KILLS SEED
 *
 * test_kills.py makes the certificates and the configuration, and calls it. FAULT_PRELOAD in the
 * environment: a library to be put in front of the server. It ends with 0 when every promise was
 * kept, with 3 when one was not.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "fault/kill_client.h"
#include "sealpost/blocking.h"

#define WRITERS 8
#define CLIENTS (WRITERS + 2)
#define STUCK_MS 120000 /* without an answer, an event, a file or a start */
#define CONNECT_AGAIN_MS 3

enum moment {
    MOMENT_TRAFFIC, /* while everybody sends */
    MOMENT_START,   /* while it starts, or everybody comes back */
    MOMENT_IDLE,    /* when it writes its WAL back */
    MOMENT_NEVER,
};

static struct {
    struct kill_client clients[CLIENTS];
    struct promises promises;
    char **arguments;
    int64_t started_us;
    int64_t moved_us;   /* when something last came of it all */
    uint64_t moves;     /* what had come of it by then */
    int64_t slowest_us; /* from its start to the first login */
    int64_t total_us;
    uint64_t starts;
    uint64_t kills[MOMENT_NEVER];
    bool serving;  /* somebody has logged in */
    bool released; /* everybody has seen everything, and may ask */
    bool armed;
    uint64_t random;
} t;

static volatile sig_atomic_t server_pid; /* 0: none runs */

static int64_t now_us(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint32_t chance(uint32_t below)
{
    t.random = t.random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(t.random >> 33) % below;
}

/* --- the server --- */

static void start_server(void)
{
    const char *preload = getenv("FAULT_PRELOAD"); /* NOLINT(concurrency-mt-unsafe): one thread */
    const char *program = t.arguments[1];
    pid_t pid = fork();

    if (pid == 0) {
        int log = open(t.arguments[3], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 ||
            (preload != NULL && setenv("LD_PRELOAD", preload, 1) != 0)) { /* NOLINT */
            _exit(126);
        }
        (void)execl(program, program, "run", "--config", t.arguments[2], (char *)NULL);
        _exit(127);
    }
    if (pid < 0) {
        abort();
    }
    server_pid = pid;
    t.started_us = now_us();
    t.serving = false;
    t.released = false;
    t.armed = false;
    t.starts++;
}

static void kill_server(int signal_number)
{
    (void)signal_number;
    if (server_pid != 0) {
        (void)kill(server_pid, SIGKILL);
    }
}

/* The signal comes in the middle of whatever goes on. */
static void arm(uint32_t us)
{
    const struct itimerval timer = {.it_value = {us / 1000000, us % 1000000 + 1}};

    if (setitimer(ITIMER_REAL, &timer, NULL) != 0) {
        abort();
    }
    t.armed = true;
}

/* Whether it has ended, as it must: by our signal only. */
static bool has_ended(void)
{
    int status = 0;

    if (server_pid != 0 && waitpid(server_pid, &status, WNOHANG) == server_pid) {
        server_pid = 0;
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
            promises_blame(&t.promises, "the server ended by itself: status %#x", status);
        }
    }
    return server_pid == 0;
}

/* --- the clients --- */

static bool are_all(enum kill_state state)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        if (t.clients[i].state != state) {
            return false;
        }
    }
    return true;
}

static void connect_all(void)
{
    static int64_t last_us;
    /* The first one makes the rooms. */
    size_t count = t.clients[0].has_joined ? CLIENTS : 1;

    if (now_us() - last_us < CONNECT_AGAIN_MS * 1000) {
        return;
    }
    last_us = now_us();
    for (size_t i = 0; i < count; i++) {
        if (t.clients[i].state == KILL_AWAY) {
            kill_client_connect(&t.clients[i]);
        }
    }
}

static void note_serving(void)
{
    for (size_t i = 0; i < CLIENTS && !t.serving; i++) {
        t.serving = t.clients[i].state > KILL_CONNECTING;
        if (t.serving) {
            int64_t took_us = now_us() - t.started_us;
            t.total_us += took_us;
            t.slowest_us = took_us > t.slowest_us ? took_us : t.slowest_us;
        }
    }
}

/* Moves bytes, and waits for some. */
static void service_all(void)
{
    struct pollfd polled[CLIENTS];
    int timeout_ms = are_all(KILL_READY) ? 20 : CONNECT_AGAIN_MS;

    promises_sync(&t.promises);
    for (size_t i = 0; i < CLIENTS; i++) {
        sp_client_service(t.clients[i].client);
        int wanted_ms = sp_client_timeout_ms(t.clients[i].client);
        timeout_ms = wanted_ms >= 0 && wanted_ms < timeout_ms ? wanted_ms : timeout_ms;
        polled[i] = (struct pollfd){sp_client_fd(t.clients[i].client),
                                    sp_client_poll_events(t.clients[i].client), 0};
    }
    (void)poll(polled, CLIENTS, timeout_ms);
}

static void turn_all(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        kill_client_turn(&t.clients[i]);
    }
}

static void tell_all(bool ask, bool send)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        t.clients[i].asks = ask;
        t.clients[i].sends = send;
    }
}

/* The bytes of one file that nobody has looked at, newest first. */
static bool get_one_file(void)
{
    for (size_t i = t.promises.count; i > 0; i--) {
        struct promise *promise = t.promises.all[i - 1];
        if (promise->kind == PROMISE_FILE && promise->outcome == OUTCOME_ACKNOWLEDGED &&
            !promise->verified) {
            kill_client_get(&t.clients[0], promise);
            return true;
        }
    }
    return false;
}

/* --- lives --- */

static void release(enum moment moment)
{
    static const struct {
        uint32_t from_us, span_us;
    } delays[] = {
        [MOMENT_TRAFFIC] = {0, 120000},
        [MOMENT_IDLE] = {170000, 80000},
    };

    promises_check(&t.promises);
    t.released = true;
    tell_all(true, moment == MOMENT_TRAFFIC);
    (void)get_one_file();
    if (moment == MOMENT_TRAFFIC || moment == MOMENT_IDLE) {
        arm(delays[moment].from_us + chance(delays[moment].span_us));
    }
}

static void check_progress(void)
{
    uint64_t moves = t.promises.acknowledged + t.promises.refused + t.promises.shown_count +
                     t.promises.counted + t.promises.got_back + t.promises.marked + t.starts;

    if (moves != t.moves) {
        t.moves = moves;
        t.moved_us = now_us();
    } else if (now_us() - t.moved_us > STUCK_MS * INT64_C(1000)) {
        promises_blame(&t.promises, "nothing goes on any more");
    }
}

/* Whether it goes on. */
static bool step(enum moment moment)
{
    if (has_ended() && are_all(KILL_AWAY)) {
        return false;
    }
    if (server_pid != 0) {
        connect_all();
    }
    turn_all();
    note_serving();
    if (!t.released && are_all(KILL_READY)) {
        release(moment);
    }
    service_all();
    check_progress();
    return t.promises.trouble[0] == '\0';
}

static void live_and_die(enum moment moment)
{
    tell_all(false, false);
    start_server();
    if (moment == MOMENT_START) {
        int64_t usual_us = t.starts > 1 ? t.total_us / (int64_t)(t.starts - 1) : 100000;
        arm(chance((uint32_t)(2 * usual_us) + 1));
    }
    while (step(moment)) {
    }
    t.kills[moment]++;
}

static bool is_all_done(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        if (t.clients[i].state != KILL_READY || !kill_client_is_idle(&t.clients[i]) ||
            t.clients[i].last != t.promises.shown_count) {
            return false;
        }
    }
    return t.released;
}

/* Everything is answered and everybody has seen it; then all is looked at once more. */
static void finish(void)
{
    live_and_die(MOMENT_TRAFFIC);
    tell_all(false, false);
    start_server();
    while (!is_all_done() && step(MOMENT_NEVER)) {
    }
    promises_check(&t.promises);
    promises_recount(&t.promises);
    kill_client_reread(&t.clients[0]);
    while (!is_all_done() && step(MOMENT_NEVER)) {
    }
    promises_check(&t.promises);
    while (t.promises.trouble[0] == '\0' && (get_one_file() || !is_all_done()) &&
           step(MOMENT_NEVER)) {
    }
}

/* Nobody got into the room that was closed to them. */
static void check_closed(void)
{
    struct sp_client *client = t.clients[0].client;
    const struct sp_follow follow = {.live = false};
    struct sp_notice notice;
    uint32_t request = 0;

    if (t.promises.trouble[0] != '\0') {
        return;
    }
    if (sp_follow(client, KILL_CLOSED, &follow, &request) != SP_OK ||
        sp_wait(client, request, 0, NULL, NULL, NULL, &notice) != SP_OK ||
        notice.log.head_sequence != 1) {
        promises_blame(&t.promises, "there is something in the closed room");
    }
}

static void end_server(void)
{
    int status = 0;

    if (server_pid == 0) {
        return;
    }
    (void)kill(server_pid, SIGTERM);
    if (waitpid(server_pid, &status, 0) != server_pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0) {
        promises_blame(&t.promises, "the server does not end in order: status %#x", status);
    }
    server_pid = 0;
}

static void report(unsigned kills)
{
    const struct promises *promises = &t.promises;
    size_t blobs = 0;

    for (size_t i = 0; i < promises->count; i++) {
        const struct promise *promise = promises->all[i];
        blobs += promise->verified && promise->size > LIMIT_INLINE_FILE_BYTES;
    }
    (void)printf("%u kills: %llu during traffic, %llu during a start, %llu when idle\n", kills,
                 (unsigned long long)t.kills[MOMENT_TRAFFIC],
                 (unsigned long long)t.kills[MOMENT_START],
                 (unsigned long long)t.kills[MOMENT_IDLE]);
    (void)printf("%zu requests: %llu acknowledged (%llu of them repeated), %llu refused, %llu to "
                 "be tried again; %llu events; %zu files got back, of which %zu are blobs\n",
                 promises->count, (unsigned long long)promises->acknowledged,
                 (unsigned long long)promises->repeated, (unsigned long long)promises->refused,
                 (unsigned long long)promises->retried, (unsigned long long)promises->shown_count,
                 (size_t)promises->got_back, blobs);
    (void)printf("%llu markers moved\n", (unsigned long long)promises->marked);
    (void)printf("from a start to the first login %lld ms, at most %lld ms\n",
                 (long long)(t.total_us / (int64_t)t.starts / 1000),
                 (long long)(t.slowest_us / 1000));
    (void)printf("%s\n",
                 promises->trouble[0] != '\0' ? promises->trouble : "all promises are kept");
}

int main(int argc, char **argv)
{
    const struct sigaction on_alarm = {.sa_handler = kill_server, .sa_flags = SA_RESTART};
    unsigned done = 0;

    if (argc != 9 || secret_init() != SP_OK || sigaction(SIGALRM, &on_alarm, NULL) != 0) {
        return 2;
    }
    unsigned kills = (unsigned)strtoul(argv[7], NULL, 10);
    t.arguments = argv;
    t.random = strtoull(argv[8], NULL, 10);
    promises_init(&t.promises, argv[4]);
    for (unsigned i = 0; i < CLIENTS; i++) {
        char bundle[512];
        (void)snprintf(bundle, sizeof bundle, "%s/kill%u", argv[6], i);
        kill_client_init(&t.clients[i], &t.promises, i, bundle,
                         (uint16_t)strtoul(argv[5], NULL, 10), (uint32_t)t.random);
        t.clients[i].uploads = i >= WRITERS;
    }
    while (done + 1 < kills && t.promises.trouble[0] == '\0') {
        uint32_t dice = done > 0 ? chance(10) : 9;
        live_and_die(dice == 0 ? MOMENT_START : dice == 1 ? MOMENT_IDLE : MOMENT_TRAFFIC);
        done++;
    }
    if (t.promises.trouble[0] == '\0') {
        finish();
        done++;
        check_closed();
    }
    if (t.promises.trouble[0] == '\0') {
        end_server();
    }
    kill_server(SIGALRM);
    report(done);
    for (unsigned i = 0; i < CLIENTS; i++) {
        kill_client_deinit(&t.clients[i]);
    }
    int code = t.promises.trouble[0] != '\0' ? 3 : 0;
    promises_deinit(&t.promises);
    return code;
}
