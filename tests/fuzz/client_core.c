/*
 * The client's core with a server that says anything: whatever comes, notices are well formed, what
 * is kept is bounded, and each request has exactly one result by the end. The first byte says
 * whether the client is let in first, the second how many bytes are handed over at a time.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUESTS_MAXIMUM 16

struct run {
    struct sp_client client; /* only its core is used */
    struct clock_settable clock;
    uint32_t requests[REQUESTS_MAXIMUM];
    size_t request_count;
    size_t result_count;
    bool closed;
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* Every string of a notice can be read to its end. */
static void read_strings(const struct sp_notice *notice)
{
    const char *const strings[] = {
        notice->text,
        notice->login.server,
        notice->login.team,
        notice->login.username,
        notice->log.name,
        notice->event.log_name,
        notice->event.author,
        notice->event.text,
        notice->event.file.name,
        notice->row.log.name,
        notice->row.topic,
        notice->row.username,
        notice->row.file.name,
        notice->row.file.log_name,
        notice->row.file.member,
        notice->file.name,
        notice->presence.username,
        notice->status.server,
        notice->file.log_name,
        notice->event.file.log_name,
        notice->event.file.member,
    };

    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        require(strings[i] != NULL && strlen(strings[i]) <= LIMIT_EVENT_BODY_BYTES);
    }
    require(strlen(notice->event.text) <= notice->event.text_bytes);
}

static void count_result(struct run *run, const struct sp_notice *notice)
{
    for (size_t i = 0; i < run->request_count; i++) {
        if (run->requests[i] == notice->request) {
            run->requests[i] = 0;
            run->result_count++;
            return;
        }
    }
    require(false); /* a result of nothing, or a second one */
}

static void take_notices(struct run *run)
{
    struct sp_notice notice;

    while (core_next(&run->client.core, &notice)) {
        read_strings(&notice);
        require(!run->closed);
        if (notice.type == SP_NOTICE_RESULT) {
            count_result(run, &notice);
        }
        run->closed = notice.type == SP_NOTICE_CLOSED;
    }
}

static void send_all(struct run *run)
{
    struct core *core = &run->client.core;
    struct slice output;

    core_tick(core);
    while ((output = core_output(core)).size > 0) {
        require(output.size <= CORE_OUTPUT_BYTES + CORE_RESERVE_BYTES);
        core_sent(core, output.size);
    }
}

static void receive(struct run *run, const uint8_t *data, size_t size, size_t step)
{
    struct core *core = &run->client.core;
    uint8_t *room = NULL;

    while (size > 0 && !run->closed) {
        size_t now = core_input_room(core, &room);

        now = now < size ? now : size;
        now = now < step ? now : step;
        if (now == 0) {
            return;
        }
        memcpy(room, data, now);
        core_received(core, now);
        data += now;
        size -= now;
        take_notices(run);
        send_all(run);
    }
}

static void let_in(struct run *run)
{
    sealpost_v1_Welcome welcome = {.protocol = 1};
    uint8_t frame[256];
    struct writer writer;

    writer_init(&writer, frame, sizeof(frame));
    require(frame_encode(&writer, FRAME_WELCOME, 0, &welcome, (struct slice){NULL, 0}) == SP_OK);
    receive(run, frame, writer_used(&writer), SIZE_MAX);
}

static void count_request(struct run *run, enum sp_error error, const uint32_t *request)
{
    require((error == SP_OK) == (*request != 0));
    if (error == SP_OK) {
        run->requests[run->request_count++] = *request;
    }
}

/* One of each kind, so that every answer has something to answer. */
static void ask_all(struct run *run, int source, int sink)
{
    static const struct sp_once once = {{1}, {2}};
    static const struct sp_follow live = {.live = true};
    static const struct sp_follow page = {.last = 9};
    struct sp_client *client = &run->client;
    uint32_t request = 0;

    count_request(run, sp_post(client, &once, "general", "x", 1, &request), &request);
    count_request(run, sp_follow(client, "general", &live, &request), &request);
    count_request(run, sp_follow(client, "other", &page, &request), &request);
    count_request(run, sp_list_logs(client, &request), &request);
    count_request(run, sp_get_status(client, &request), &request);
    count_request(run, sp_watch_presence(client, true, &request), &request);
    count_request(run, sp_send(client, &once, "general", "n", source, &request), &request);
    count_request(run, sp_get(client, "00000000", sink, &request), &request);
    count_request(run, sp_send(client, &once, "general", "n", source, &request), &request);
    sp_cancel(client, request);
    count_request(run, sp_mark_read(client, "general", 7, &request), &request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct peer_names names = {"host", 1, "ca.pem", "cert.pem"};
    struct run *run = calloc(1, sizeof(*run));
    int source = memfd_create("source", MFD_CLOEXEC);
    int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);

    require(run != NULL && source >= 0 && sink >= 0 && ftruncate(source, 100000) == 0);
    clock_settable_init(&run->clock, 1000);
    core_init(&run->client.core, &run->clock.clock, &names);
    core_start(&run->client.core);
    if (size >= 2) {
        size_t step = data[1] == 0 ? SIZE_MAX : data[1];

        if ((data[0] & 1) != 0) {
            let_in(run);
            ask_all(run, source, sink);
            send_all(run);
        }
        receive(run, data + 2, size - 2, step);
    }
    core_input_end(&run->client.core, SP_EDISCONNECTED, "the end");
    take_notices(run);
    require(run->closed && run->result_count == run->request_count);
    require(run->client.core.follows == NULL && run->client.core.request_count == 0);
    core_deinit(&run->client.core);
    free(run);
    (void)close(source);
    (void)close(sink);
    return 0;
}
