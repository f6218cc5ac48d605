/* Messages: to rooms, between two, and to nobody but the disk. */
#include <stdlib.h>

#include "bench/disk.h"
#include "bench/load.h"
#include "bench/scenario.h"

#define FLOOR_DIGEST_BYTES (UINT64_C(1) << 29)
#define COMMIT_SECONDS 1

typedef void (*add_fn)(struct figures *figures, const char *name, const char *unit, double value);

static void add_percentiles(struct figures *figures, add_fn add, const struct histogram *histogram,
                            const char *const names[3])
{
    static const double percents[] = {50, 99, 99.9};
    for (size_t i = 0; i < COUNT_OF(percents); i++) {
        add(figures, names[i], "ms", histogram_percentile(histogram, percents[i]) / 1e6);
    }
}

void scenario_add_latency(struct figures *figures, const struct load_result *result, bool is_floor)
{
    static const char *const delivery[] = {"delivery_p50", "delivery_p99", "delivery_p999"};
    static const char *const answer[] = {"answer_p50", "answer_p99", "answer_p999"};
    add_fn add = is_floor ? figures_add_floor : figures_add;
    if (result->delivery_ns.count > 0) {
        add_percentiles(figures, add, &result->delivery_ns, delivery);
    }
    add_percentiles(figures, add, &result->answer_ns, answer);
}

static void add_load(struct figures *figures, const struct load_result *result, bool is_floor)
{
    add_fn add = is_floor ? figures_add_floor : figures_add;
    double seconds = result->seconds;
    double cpu = (double)result->server.cpu_ns / 1e9;
    double poll_cpu = (double)result->server.main_ns / 1e9;
    double deliveries = (double)result->deliveries;
    if (deliveries > 0) {
        add(figures, "deliveries", "/s", deliveries / seconds);
        add(figures, "cpu_per_million", "s", cpu / deliveries * 1e6);
        add(figures, "poll_cpu_per_million", "s", poll_cpu / deliveries * 1e6);
        add(figures, "deliveries_per_record", "", deliveries / (double)result->records);
    }
    add(figures, "messages", "/s", (double)result->posts / seconds);
    add(figures, "cpu_per_message", "us", cpu / (double)result->posts * 1e6);
    scenario_add_latency(figures, result, is_floor);
    add(figures, "server_busy", "%", cpu / seconds * 100);
    add(figures, "generator_busy", "%", (double)result->generator.cpu_ns / 1e7 / seconds);
    if (result->late_posts > 0) {
        add(figures, "late_messages", "", (double)result->late_posts);
    }
}

/* The pattern against whatever runs. */
static enum sp_error run_load(struct lab *lab, bool is_bare, bool has_readers,
                              struct figures *figures)
{
    struct load *load = malloc(sizeof *load);
    if (load == NULL) {
        return SP_ENOMEM;
    }
    enum sp_error error = load_open(lab, &lab->options->pattern, is_bare, has_readers, load);
    if (error == SP_OK) {
        error = load_run(load, lab->options->seconds);
    }
    if (error == SP_OK) {
        add_load(figures, &load->result, is_bare);
    }
    load_close(load);
    free(load);
    return error;
}

static enum sp_error run_bare(struct lab *lab, struct figures *figures)
{
    enum sp_error error = lab_start_bare(lab);
    if (error == SP_OK) {
        error = run_load(lab, true, true, figures);
    }
    lab_stop(lab);
    return error;
}

static enum sp_error run_server(struct lab *lab, bool has_readers, struct figures *figures)
{
    enum sp_error error = lab_start_server(lab);
    if (error == SP_OK) {
        error = run_load(lab, false, has_readers, figures);
    }
    lab_stop(lab);
    return error;
}

enum sp_error scenario_measure_commits(struct lab *lab, uint64_t seconds, struct figures *figures,
                                       double *per_second)
{
    static const char *const names[] = {"commit_p50", "commit_p99", "commit_p999"};
    struct histogram *latency_ns = calloc(1, sizeof *latency_ns);
    *per_second = 0;
    if (latency_ns == NULL) {
        return SP_ENOMEM;
    }
    lab_settle(lab);
    process_pin(lab_server_cpu(lab));
    enum sp_error error = disk_commits(lab->directory, (size_t)lab->options->pattern.bytes + 200,
                                       seconds, latency_ns, per_second);
    process_pin(lab_generator_cpu(lab));
    if (error == SP_OK && figures != NULL) {
        figures_add_floor(figures, "commits", "/s", *per_second);
        add_percentiles(figures, figures_add_floor, latency_ns, names);
    }
    free(latency_ns);
    return error;
}

enum sp_error scenario_fanout(struct lab *lab, struct figures *figures)
{
    double per_second = 0;
    enum sp_error error = SP_OK;
    if (lab->options->floor) {
        error = run_bare(lab, figures);
    }
    if (error == SP_OK) {
        error = run_server(lab, true, figures);
    }
    if (error == SP_OK && lab->options->floor) {
        error = scenario_measure_commits(lab, COMMIT_SECONDS, figures, &per_second);
    }
    return error;
}

enum sp_error scenario_floor(struct lab *lab, struct figures *figures)
{
    double per_second = 0;
    enum sp_error error = run_bare(lab, figures);
    if (error == SP_OK) {
        error = scenario_measure_commits(lab, lab->options->seconds, figures, &per_second);
    }
    if (error == SP_OK) {
        error = disk_digest(FLOOR_DIGEST_BYTES, &per_second);
        figures_add_floor(figures, "sha256", "MiB/s", per_second / (1 << 20));
    }
    if (error == SP_OK) {
        error = disk_write_file(lab->directory, FLOOR_DIGEST_BYTES, &per_second);
        figures_add_floor(figures, "disk", "MiB/s", per_second / (1 << 20));
    }
    return error;
}

/* The floor before and after the server: disks that are shared have their moods. */
enum sp_error scenario_commit(struct lab *lab, struct figures *figures)
{
    uint64_t seconds = (lab->options->seconds + 1) / 2;
    double before = 0;
    double after = 0;
    enum sp_error error = SP_OK;
    if (lab->options->floor) {
        error = scenario_measure_commits(lab, seconds, figures, &before);
    }
    if (error == SP_OK) {
        error = run_server(lab, false, figures);
    }
    if (error == SP_OK && lab->options->floor) {
        error = scenario_measure_commits(lab, seconds, NULL, &after);
        figures_add_floor(figures, "messages", "/s", (before + after) / 2);
    }
    return error;
}
