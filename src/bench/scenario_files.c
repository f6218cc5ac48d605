/* Files up and down, and a chat beside them. */
#include <stdlib.h>

#include "bench/disk.h"
#include "bench/load.h"
#include "bench/scenario.h"
#include "bench/transfer.h"

#define FILES_MAXIMUM 8
#define MIB (1 << 20)
#define WARM_UP_BYTES (UINT64_C(8) << 20)

/* A load, in whose room the files are, and the sessions that send or get them. */
struct work {
    struct load load;
    struct transfer transfers[FILES_MAXIMUM];
    size_t count;
    uint64_t next_number;
    struct digest digest;
};

static enum sp_error work_open(struct lab *lab, bool is_bare, struct work **out)
{
    struct pattern pattern = lab->options->pattern;
    struct work *work = calloc(1, sizeof *work);
    *out = work;
    if (work == NULL) {
        return SP_ENOMEM;
    }
    pattern.senders = pattern.chat > 0 ? pattern.senders : 0;
    pattern.bytes = pattern.chat > 0 ? pattern.bytes : 16;
    pattern.in_flight = pattern.chat > 0 ? pattern.in_flight : 1;
    enum sp_error error = load_open(lab, &pattern, is_bare, true, &work->load);
    if (error != SP_OK) {
        return error;
    }
    work->count = (size_t)pattern.uploads;
    return transfer_open(&work->load.loop, lab, is_bare, work->transfers, work->count);
}

static void work_close(struct work *work)
{
    if (work != NULL) {
        transfer_close(work->transfers, work->count);
        load_close(&work->load);
        free(work);
    }
}

/* work->digest is that of SIZE bytes already. */
static void start_uploads(struct work *work, uint64_t size)
{
    for (size_t i = 0; i < work->count; i++) {
        transfer_start_upload(&work->load.loop, &work->transfers[i], ++work->next_number, size,
                              &work->digest);
    }
}

/* Until all files have arrived; or, with NS, until then, with new files in place of those that
 * have. */
static enum sp_error run(struct work *work, uint64_t ns, uint64_t size)
{
    struct loop *loop = &work->load.loop;
    uint64_t deadline_ns = now_ns() + ns;
    while (loop->failed == 0 &&
           (ns == 0 ? !transfers_are_over(work->transfers, work->count) : now_ns() < deadline_ns)) {
        uint64_t timeout_ns = load_pump(&work->load);
        for (size_t i = 0; i < work->count; i++) {
            struct transfer *transfer = &work->transfers[i];
            if (ns > 0 && transfer->step == TRANSFER_DONE) {
                transfer_start_upload(loop, transfer, ++work->next_number, size, &work->digest);
            }
            timeout_ns = transfer_pump(loop, transfer) ? 0 : timeout_ns;
        }
        loop_turn(loop, timeout_ns);
    }
    for (size_t i = 0; i < work->count; i++) {
        if (work->transfers[i].step == TRANSFER_FAILED) {
            return SP_EINTERNAL;
        }
    }
    return loop->failed == 0 ? SP_OK : SP_EINTERNAL;
}

static enum sp_error start_downloads(struct work *work, uint64_t size)
{
    enum sp_error error = SP_OK;
    for (size_t i = 0; error == SP_OK && i < work->count; i++) {
        struct transfer *transfer = &work->transfers[i];
        error = transfer_start_download(&work->load.loop, transfer, transfer->file, size,
                                        &work->digest);
    }
    return error;
}

/* SIZE bytes of each file, one way or the other; the clock runs from the first request to the last
 * answer. */
static enum sp_error move(struct work *work, bool down, uint64_t size, double *per_second)
{
    uint64_t start_ns = now_ns();
    enum sp_error error = SP_OK;
    if (down) {
        error = start_downloads(work, size);
    } else {
        start_uploads(work, size);
    }
    if (error == SP_OK) {
        error = run(work, 0, size);
    }
    *per_second = (double)size * (double)work->count / ((double)(now_ns() - start_ns) / 1e9);
    return error;
}

static enum sp_error measure(struct lab *lab, bool is_bare, bool down, struct figures *figures)
{
    uint64_t size = lab->options->pattern.size;
    struct work *work = NULL;
    double per_second = 0;
    enum sp_error error = work_open(lab, is_bare, &work);
    if (error == SP_OK) {
        error = transfer_digest(WARM_UP_BYTES, &work->digest);
    }
    if (error == SP_OK) {
        error = move(work, false, WARM_UP_BYTES, &per_second);
    }
    if (error == SP_OK) {
        error = transfer_digest(size, &work->digest);
    }
    if (error == SP_OK && down && !is_bare) {
        error = move(work, false, size, &per_second);
        lab_settle(lab);
    }
    struct process_cost cost = process_cost(lab->server);
    struct process_cost own = process_cost(0);
    if (error == SP_OK) {
        error = move(work, down, size, &per_second);
    }
    if (error == SP_OK) {
        cost = process_cost_since(lab->server, cost);
        own = process_cost_since(0, own);
        double gigabytes = (double)size * (double)lab->options->pattern.uploads / (1 << 30);
        (is_bare ? figures_add_floor : figures_add)(figures, is_bare ? "tls_pipe" : "transfer",
                                                    "MiB/s", per_second / MIB);
        (is_bare ? figures_add_floor : figures_add)(figures, "server_cpu", "s/GiB",
                                                    (double)cost.cpu_ns / 1e9 / gigabytes);
        (is_bare ? figures_add_floor : figures_add)(figures, "generator_cpu", "s/GiB",
                                                    (double)own.cpu_ns / 1e9 / gigabytes);
    }
    work_close(work);
    return error;
}

/* The three things that a transfer is made of, each by itself; the slowest is its floor. */
static enum sp_error add_floors(struct lab *lab, bool down, double pipe, struct figures *figures)
{
    uint64_t size = lab->options->pattern.size;
    double digest = 0;
    double disk = 0;
    process_pin(lab_server_cpu(lab));
    lab_settle(lab);
    enum sp_error error = disk_digest(size, &digest);
    if (error == SP_OK && !down) {
        error = disk_write_file(lab->directory, size, &disk);
        figures_add_floor(figures, "disk", "MiB/s", disk / MIB);
    }
    process_pin(lab_generator_cpu(lab));
    figures_add_floor(figures, "sha256", "MiB/s", digest / MIB);
    double slowest = pipe < digest / MIB ? pipe : digest / MIB;
    if (!down) {
        slowest = disk / MIB < slowest ? disk / MIB : slowest;
    }
    figures_add_floor(figures, "transfer", "MiB/s", slowest);
    return error;
}

static double last_floor(const struct figures *figures, const char *name)
{
    const struct figure *figure = figures_find(figures, name);
    return figure == NULL || figure->floor_count == 0 ? 0 : figure->floors[figure->floor_count - 1];
}

static enum sp_error transfer(struct lab *lab, bool down, struct figures *figures)
{
    enum sp_error error = SP_OK;
    if (lab->options->floor) {
        error = lab_start_bare(lab);
        if (error == SP_OK) {
            error = measure(lab, true, down, figures);
        }
        lab_stop(lab);
        if (error == SP_OK) {
            error = add_floors(lab, down, last_floor(figures, "tls_pipe"), figures);
        }
    }
    if (error == SP_OK) {
        error = lab_start_server(lab);
        if (error == SP_OK) {
            error = measure(lab, false, down, figures);
        }
        lab_stop(lab);
    }
    return error;
}

/* Messages at their pace while files go up as fast as they can. QUIET: without files.
 */
static enum sp_error measure_chat(struct lab *lab, bool quiet, struct figures *figures)
{
    uint64_t second_ns = UINT64_C(1000000000);
    uint64_t size = lab->options->pattern.size;
    struct work *work = NULL;
    enum sp_error error = work_open(lab, false, &work);
    if (error == SP_OK && !quiet) {
        error = transfer_digest(size, &work->digest);
        start_uploads(work, size);
    }
    if (error == SP_OK) {
        load_start_sending(&work->load);
        error = run(work, second_ns, size);
    }
    if (error == SP_OK) {
        load_begin_measuring(&work->load);
        error = run(work, lab->options->seconds * second_ns, size);
        load_end_measuring(&work->load);
    }
    if (error == SP_OK) {
        scenario_add_latency(figures, &work->load.result, quiet);
        if (!quiet) {
            figures_add(figures, "server_busy", "%",
                        (double)work->load.result.server.cpu_ns / 1e7 / work->load.result.seconds);
        }
    }
    work_close(work);
    return error;
}

/* The floor is the same server with the same chat and no files. */
static enum sp_error chat(struct lab *lab, struct figures *figures)
{
    enum sp_error error = SP_OK;
    for (int quiet = lab->options->floor ? 1 : 0; quiet >= 0 && error == SP_OK; quiet--) {
        error = lab_start_server(lab);
        if (error == SP_OK) {
            error = measure_chat(lab, quiet == 1, figures);
        }
        lab_stop(lab);
    }
    double per_second = 0;
    return error == SP_OK ? scenario_measure_commits(lab, 1, figures, &per_second) : error;
}

enum sp_error scenario_upload(struct lab *lab, struct figures *figures)
{
    return lab->options->pattern.chat > 0 ? chat(lab, figures) : transfer(lab, false, figures);
}

enum sp_error scenario_download(struct lab *lab, struct figures *figures)
{
    return transfer(lab, true, figures);
}
