/* A long history, and whoever pages through it, beside members who write. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"
#include "bench/scenario.h"

#define FILL_SENDERS 50
#define FILL_IN_FLIGHT 32
#define FILL_TIMEOUT_NS UINT64_C(600000000000)
#define LOGIN_TIMEOUT_NS UINT64_C(30000000000)
#define SECOND_NS UINT64_C(1000000000)
#define PAGE_EVENTS 500
#define STREAM_PAGE 3000
#define EVENT_SEQUENCE_AT 24
#define ID_BESIDE_READERS (UINT64_C(1) << 41) /* messages must differ from those of other loads */
#define ID_QUIET (UINT64_C(1) << 42)

/* Somebody who reads backwards, page by page, and from the end again. */
struct page_reader {
    struct client client;
    struct paging *paging;
    uint64_t before; /* of the next page; 0: not logged in yet */
    uint64_t last;   /* event of this page; 0: the answer is not there yet */
};

struct paging {
    struct load load; /* those who write, in the same loop */
    struct page_reader *readers;
    size_t count;
    uint64_t head; /* of the history, when it was filled */
    bool measuring;
    uint64_t events;
    uint64_t pages;
    uint64_t broken;
};

static void ask_page(struct paging *paging, struct page_reader *reader)
{
    const struct slice nothing = {NULL, 0};
    sealpost_v1_Follow follow = {.has_log = true, .before = reader->before, .count = PAGE_EVENTS};
    load_room_name(0, follow.log.name, sizeof follow.log.name);
    reader->last = 0;
    client_send(&paging->load.loop, &reader->client, FRAME_FOLLOW, STREAM_PAGE, &follow, nothing);
}

static uint64_t sequence_of(struct slice event)
{
    uint64_t number = 0;
    if (event.size >= EVENT_SEQUENCE_AT + sizeof number) {
        memcpy(&number, event.data + EVENT_SEQUENCE_AT, sizeof number);
    }
    return __builtin_bswap64(number);
}

static void take_following(struct paging *paging, struct page_reader *reader,
                           const struct frame *frame)
{
    union message message;
    if (frame_decode(frame, &message) != SP_OK ||
        message.following.last < message.following.first) {
        paging->broken++;
        return;
    }
    reader->last = message.following.last;
    reader->before = message.following.first > 1 ? message.following.first : paging->head + 1;
}

static void take_page_frame(struct loop *loop, struct client *client, const struct frame *frame)
{
    struct page_reader *reader = CONTAINER_OF(client, struct page_reader, client);
    struct paging *paging = reader->paging;
    (void)loop;
    if (frame->type == FRAME_WELCOME) {
        /* Each begins elsewhere, so that no two read the same. */
        size_t index = (size_t)(reader - paging->readers);
        reader->before = paging->head * (index + 1) / paging->count + 1;
        ask_page(paging, reader);
    } else if (frame->type == FRAME_FOLLOWING) {
        take_following(paging, reader, frame);
    } else if (frame->type == FRAME_EVENT) {
        paging->events += paging->measuring;
        if (sequence_of(frame->raw) == reader->last) {
            paging->pages += paging->measuring;
            ask_page(paging, reader);
        }
    } else {
        paging->broken++;
    }
}

static void turn_for(struct load *load, uint64_t ns)
{
    uint64_t deadline_ns = now_ns() + ns;
    while (now_ns() < deadline_ns && load->loop.failed == 0) {
        loop_turn(&load->loop, load_pump(load));
    }
}

enum sp_error scenario_fill_history(struct lab *lab, uint64_t *head)
{
    struct pattern pattern = lab->options->pattern;
    struct load *load = malloc(sizeof *load);
    *head = 0;
    if (load == NULL) {
        return SP_ENOMEM;
    }
    pattern.rooms = 1;
    pattern.senders = FILL_SENDERS;
    pattern.in_flight = FILL_IN_FLIGHT;
    pattern.rate = 0;
    enum sp_error error = load_open(lab, &pattern, false, false, load);
    if (error == SP_OK) {
        uint64_t deadline_ns = now_ns() + FILL_TIMEOUT_NS;
        load_start_sending(load);
        while (load->room_heads[0] < pattern.history && load->loop.failed == 0 &&
               now_ns() < deadline_ns) {
            loop_turn(&load->loop, SECOND_NS / 10);
        }
        load->sending = false;
        turn_for(load, SECOND_NS); /* what is on its way */
        *head = load->room_heads[0];
        error = *head >= pattern.history ? SP_OK : SP_EINTERNAL;
    }
    load_close(load);
    free(load);
    return error;
}

static enum sp_error log_readers_in(struct lab *lab, struct paging *paging)
{
    enum sp_error error = SP_OK;
    for (size_t i = 0; error == SP_OK && i < paging->count; i++) {
        struct page_reader *reader = &paging->readers[i];
        reader->paging = paging;
        /* One of those who have filled the room, and so are in it. */
        error =
            client_connect(&paging->load.loop, &reader->client,
                           lab->members[2 * i % lab->options->members], lab->port, take_page_frame);
    }
    uint64_t deadline_ns = now_ns() + LOGIN_TIMEOUT_NS;
    size_t in = 0;
    while (error == SP_OK && in < paging->count && now_ns() < deadline_ns) {
        loop_turn(&paging->load.loop, SECOND_NS / 10);
        for (in = 0; in < paging->count && paging->readers[in].before > 0; in++) {
        }
    }
    return error == SP_OK && in < paging->count ? SP_EINTERNAL : error;
}

static void add_figures(const struct paging *paging, bool quiet, struct figures *figures)
{
    const struct load_result *result = &paging->load.result;
    scenario_add_latency(figures, result, quiet);
    if (!quiet) {
        figures_add(figures, "events_read", "/s", (double)paging->events / result->seconds);
        figures_add(figures, "pages_read", "/s", (double)paging->pages / result->seconds);
        figures_add(figures, "server_busy", "%",
                    (double)result->server.cpu_ns / 1e7 / result->seconds);
    }
}

/* Those who write, with or without those who read. */
static enum sp_error measure(struct lab *lab, uint64_t head, bool quiet, struct figures *figures)
{
    struct paging *paging = calloc(1, sizeof *paging);
    enum sp_error error = SP_ENOMEM;
    if (paging == NULL) {
        return error;
    }
    paging->head = head;
    paging->count = quiet ? 0 : (size_t)lab->options->pattern.sessions;
    paging->readers = calloc(paging->count + 1, sizeof *paging->readers);
    error = paging->readers == NULL
                ? SP_ENOMEM
                : load_open(lab, &lab->options->pattern, false, false, &paging->load);
    if (error == SP_OK) {
        paging->load.next_id = quiet ? ID_QUIET : ID_BESIDE_READERS;
        error = log_readers_in(lab, paging);
    }
    if (error == SP_OK) {
        load_start_sending(&paging->load);
        turn_for(&paging->load, SECOND_NS);
        paging->measuring = true;
        load_begin_measuring(&paging->load);
        turn_for(&paging->load, lab->options->seconds * SECOND_NS);
        load_end_measuring(&paging->load);
        paging->measuring = false;
        if (paging->broken + paging->load.broken + paging->load.loop.failed > 0) {
            (void)fprintf(stderr, "sealpost-bench: error: a page did not come as it should\n");
            error = SP_EINTERNAL;
        } else {
            add_figures(paging, quiet, figures);
        }
    }
    for (size_t i = 0; paging->readers != NULL && i < paging->count; i++) {
        client_close(&paging->readers[i].client);
    }
    load_close(&paging->load);
    free(paging->readers);
    free(paging);
    return error;
}

/* The floor is the same server with the same history and the same writers, when nobody reads. */
enum sp_error scenario_history(struct lab *lab, struct figures *figures)
{
    uint64_t head = 0;
    double per_second = 0;
    enum sp_error error = lab_start_server(lab);
    if (error == SP_OK) {
        error = scenario_fill_history(lab, &head);
    }
    if (error == SP_OK && lab->options->floor) {
        error = measure(lab, head, true, figures);
    }
    if (error == SP_OK) {
        error = measure(lab, head, false, figures);
    }
    lab_stop(lab);
    return error == SP_OK && lab->options->floor
               ? scenario_measure_commits(lab, 1, figures, &per_second)
               : error;
}
