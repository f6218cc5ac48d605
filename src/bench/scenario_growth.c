/* What a long history costs: the start of the server, and a page out of its midst. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"
#include "bench/scenario.h"

#define PAGES 60
#define PAGE_EVENTS 100
#define STREAM_PAGE 3000
#define TIMEOUT_NS UINT64_C(30000000000)
#define EVENT_SEQUENCE_AT 24

struct growth {
    struct loop loop;
    struct client client;
    bool open;
    bool failed;
    uint64_t last; /* event of the page; 0: the answer is not there yet */
    bool done;
};

static void take_frame(struct loop *loop, struct client *client, const struct frame *frame)
{
    struct growth *growth = CONTAINER_OF(client, struct growth, client);
    union message message;
    uint64_t sequence = 0;
    (void)loop;
    if (frame->type == FRAME_WELCOME) {
        growth->open = true;
    } else if (frame->type == FRAME_FOLLOWING && frame_decode(frame, &message) == SP_OK) {
        growth->last = message.following.last;
    } else if (frame->type == FRAME_EVENT &&
               frame->raw.size >= EVENT_SEQUENCE_AT + sizeof sequence) {
        memcpy(&sequence, frame->raw.data + EVENT_SEQUENCE_AT, sizeof sequence);
        growth->done |= __builtin_bswap64(sequence) == growth->last;
    } else {
        growth->failed = true;
    }
}

static enum sp_error wait_for(struct growth *growth, const bool *flag)
{
    uint64_t deadline_ns = now_ns() + TIMEOUT_NS;
    while (!*flag && !growth->failed && growth->loop.failed == 0 && now_ns() < deadline_ns) {
        loop_turn(&growth->loop, 100000000);
    }
    return *flag ? SP_OK : SP_EINTERNAL;
}

/* The page in the middle of which is SEQUENCE, and how long it took. */
static enum sp_error read_page(struct growth *growth, uint64_t sequence, uint64_t *ns)
{
    const struct slice nothing = {NULL, 0};
    sealpost_v1_Follow follow = {.has_log = true, .around = sequence, .count = PAGE_EVENTS};
    uint64_t start = now_ns();
    load_room_name(0, follow.log.name, sizeof follow.log.name);
    growth->done = false;
    growth->last = 0;
    client_send(&growth->loop, &growth->client, FRAME_FOLLOW, STREAM_PAGE, &follow, nothing);
    enum sp_error error = wait_for(growth, &growth->done);
    *ns = now_ns() - start;
    return error;
}

/* Pages all over the history, none twice: what one costs that is not in the server's memory. */
static enum sp_error read_pages(struct lab *lab, uint64_t head, struct figures *figures)
{
    struct growth *growth = calloc(1, sizeof *growth);
    struct histogram *pages_ns = calloc(1, sizeof *pages_ns);
    uint64_t ns = 0;
    enum sp_error error = growth == NULL || pages_ns == NULL ? SP_ENOMEM : SP_OK;
    if (error == SP_OK) {
        error = loop_init(&growth->loop);
    }
    if (error == SP_OK) {
        error =
            client_connect(&growth->loop, &growth->client, lab->members[0], lab->port, take_frame);
    }
    if (error == SP_OK) {
        error = wait_for(growth, &growth->open);
    }
    for (uint64_t i = 0; error == SP_OK && i < PAGES; i++) {
        error = read_page(growth, head * (2 * i + 1) / (UINT64_C(2) * PAGES), &ns);
        histogram_add(pages_ns, ns);
    }
    if (error == SP_OK) {
        figures_add(figures, "page_p50", "ms", histogram_percentile(pages_ns, 50) / 1e6);
        figures_add(figures, "page_p95", "ms", histogram_percentile(pages_ns, 95) / 1e6);
    } else {
        (void)fprintf(stderr, "sealpost-bench: error: a page did not come as it should\n");
    }
    if (growth != NULL) {
        client_close(&growth->client);
        loop_deinit(&growth->loop);
    }
    free(pages_ns);
    free(growth);
    return error;
}

enum sp_error scenario_growth(struct lab *lab, struct figures *figures)
{
    uint64_t head = 0;
    enum sp_error error = lab_start_server(lab);
    if (error == SP_OK) {
        error = scenario_fill_history(lab, &head);
    }
    lab_stop(lab);
    lab_settle(lab);
    uint64_t start = now_ns();
    if (error == SP_OK) {
        error = lab_restart_server(lab);
    }
    if (error == SP_OK) {
        figures_add(figures, "start", "ms", (double)(now_ns() - start) / 1e6);
        figures_add(figures, "events", "", (double)head);
        error = read_pages(lab, head, figures);
    }
    if (error == SP_OK) {
        figures_add(figures, "memory", "MiB", (double)process_resident(lab->server) / (1 << 20));
    }
    lab_stop(lab);
    return error;
}
