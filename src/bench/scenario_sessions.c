/* What sessions cost: to begin, and to be there. */
#include <stdlib.h>
#include <unistd.h>

#include "bench/load.h"
#include "bench/scenario.h"

#define WARM_UP_HANDSHAKES 100
#define HANDSHAKE_TIMEOUT_NS UINT64_C(10000000000)
#define QUIET_US 1500000
#define SESSIONS_BEFORE 64 /* there when memory is first looked at: what is made once is made */

struct greeter {
    struct loop loop; /* first */
    uint64_t greeted;
};

static void take_greeting(struct loop *loop, struct client *client, const struct frame *frame)
{
    struct greeter *greeter = CONTAINER_OF(loop, struct greeter, loop);
    (void)client;
    greeter->greeted += frame->type == FRAME_WELCOME;
}

/* COUNT connections, IN_FLIGHT at a time, each cut when it is logged in. */
static enum sp_error connect_and_cut(struct lab *lab, struct greeter *greeter, uint64_t count,
                                     size_t in_flight)
{
    struct client clients[64] = {{0}};
    uint64_t begun = 0;
    uint64_t moved_ns = now_ns();
    in_flight = in_flight < COUNT_OF(clients) ? in_flight : COUNT_OF(clients);
    greeter->greeted = 0;
    enum sp_error error = SP_OK;
    while (error == SP_OK && greeter->greeted < count && greeter->loop.failed == 0) {
        for (size_t i = 0; i < in_flight && error == SP_OK; i++) {
            if (clients[i].state == CLIENT_OPEN) {
                client_close(&clients[i]);
                moved_ns = now_ns();
            }
            if (clients[i].state == CLIENT_NONE && begun < count) {
                struct authority *member = lab->members[begun++ % lab->options->members];
                error =
                    client_connect(&greeter->loop, &clients[i], member, lab->port, take_greeting);
            }
        }
        loop_turn(&greeter->loop, 100000000);
        if (now_ns() - moved_ns > HANDSHAKE_TIMEOUT_NS) {
            error = SP_ETIMEOUT;
        }
    }
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        client_close(&clients[i]);
    }
    return greeter->greeted == count ? SP_OK : SP_EINTERNAL;
}

static enum sp_error measure_handshakes(struct lab *lab, bool is_bare, struct figures *figures)
{
    const struct pattern *pattern = &lab->options->pattern;
    struct greeter *greeter = malloc(sizeof *greeter);
    if (greeter == NULL) {
        return SP_ENOMEM;
    }
    process_pin(lab_generator_cpu(lab));
    size_t in_flight = (size_t)pattern->in_flight;
    enum sp_error error = loop_init(&greeter->loop);
    if (error == SP_OK) {
        error = connect_and_cut(lab, greeter, WARM_UP_HANDSHAKES, in_flight);
    }
    struct process_cost cost = process_cost(lab->server);
    uint64_t start_ns = now_ns();
    if (error == SP_OK) {
        error = connect_and_cut(lab, greeter, pattern->sessions, in_flight);
    }
    if (error == SP_OK) {
        double count = (double)pattern->sessions;
        double seconds = (double)(now_ns() - start_ns) / 1e9;
        cost = process_cost_since(lab->server, cost);
        (is_bare ? figures_add_floor : figures_add)(figures, "handshake", "us",
                                                    (double)cost.cpu_ns / 1e3 / count);
        (is_bare ? figures_add_floor : figures_add)(figures, "handshake_poll", "us",
                                                    (double)cost.main_ns / 1e3 / count);
        (is_bare ? figures_add_floor : figures_add)(figures, "logins", "/s", count / seconds);
    }
    loop_deinit(&greeter->loop);
    free(greeter);
    return error;
}

enum sp_error scenario_connect(struct lab *lab, struct figures *figures)
{
    enum sp_error error = SP_OK;
    for (int bare = lab->options->floor ? 1 : 0; bare >= 0 && error == SP_OK; bare--) {
        error = bare == 1 ? lab_start_bare(lab) : lab_start_server(lab);
        if (error == SP_OK) {
            error = measure_handshakes(lab, bare == 1, figures);
        }
        lab_stop(lab);
    }
    return error;
}

static enum sp_error measure_memory(struct lab *lab, bool is_bare, struct figures *figures)
{
    struct pattern pattern = lab->options->pattern;
    struct load *loads = calloc(2, sizeof *loads);
    if (loads == NULL) {
        return SP_ENOMEM;
    }
    pattern.senders = 0;
    pattern.in_flight = 1;
    uint64_t wanted = pattern.sessions;
    pattern.sessions = SESSIONS_BEFORE;
    enum sp_error error = load_open(lab, &pattern, is_bare, true, &loads[0]);
    (void)usleep(QUIET_US);
    uint64_t before = process_resident(lab->server);
    pattern.sessions = wanted;
    if (error == SP_OK) {
        error = load_open(lab, &pattern, is_bare, true, &loads[1]);
    }
    (void)usleep(QUIET_US);
    if (error == SP_OK) {
        double bytes = (double)process_resident(lab->server) - (double)before;
        (is_bare ? figures_add_floor : figures_add)(figures, "idle_session", "KiB",
                                                    bytes / 1024 / (double)wanted);
        (is_bare ? figures_add_floor : figures_add)(figures, "resident_before", "MiB",
                                                    (double)before / (1 << 20));
    }
    load_close(&loads[1]);
    load_close(&loads[0]);
    free(loads);
    return error;
}

enum sp_error scenario_idle(struct lab *lab, struct figures *figures)
{
    enum sp_error error = SP_OK;
    for (int bare = lab->options->floor ? 1 : 0; bare >= 0 && error == SP_OK; bare--) {
        error = bare == 1 ? lab_start_bare(lab) : lab_start_server(lab);
        if (error == SP_OK) {
            error = measure_memory(lab, bare == 1, figures);
        }
        lab_stop(lab);
    }
    return error;
}
