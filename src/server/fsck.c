/* `sealpostd fsck`: is everything as it was stored? Beside the running server or without one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "domain/audit.h"
#include "files/audit.h"
#include "server/command.h"
#include "server/json.h"
#include "server/state.h"

#define MESSAGE_BYTES 512
#define PROGRESS_INTERVAL_MS 200
#define IN_FLIGHT_MS 60000 /* a blob is there before its row: so long a running server may take */
#define EXIT_DAMAGED 8

enum { FLAG_JSON, FLAG_QUICK, FLAG_COUNT };
static const char *const flags[] = {"--json", "--quick", NULL};

struct fsck {
    struct audit *audit;
    const struct state *state;
    int blobs_fd; /* -1: there are none */
    bool json;
    bool quick;
    bool animated;
    int64_t shown_ms;
    uint64_t blobs;
    uint64_t bytes;
    int64_t now_ms; /* wall, when it began */
};

/* ---- What it says ---- */

static void clear_progress(struct fsck *fsck)
{
    if (fsck->animated && fsck->shown_ms != 0) {
        fputs("\r\033[K", stderr);
        fsck->shown_ms = 0;
    }
}

static void show_progress(struct fsck *fsck, const char *what, uint64_t done, uint64_t total)
{
    int64_t now_ms = clock_monotonic_ms(clock_system());
    if (!fsck->animated || now_ms - fsck->shown_ms < PROGRESS_INTERVAL_MS) {
        return;
    }
    fsck->shown_ms = now_ms;
    if (total > 0) {
        fprintf(stderr, "\r\033[K%s %" PRIu64 " of %" PRIu64, what, done, total);
    } else {
        fprintf(stderr, "\r\033[K%s %" PRIu64, what, done);
    }
    fflush(stderr);
}

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    show_progress(context, "checking event", done, total);
}

static void print_finding(const struct audit_finding *finding)
{
    char hex[ID_HEX_BYTES];
    char text[4 * MESSAGE_BYTES];
    (void)escape_for_terminal(finding->text, strlen(finding->text), false, text, sizeof text);
    if (finding->log[0] != '\0') {
        char log[4 * MESSAGE_BYTES];

        (void)escape_for_terminal(finding->log, strlen(finding->log), false, log, sizeof log);
        printf("%s", log);
        if (finding->sequence > 0) {
            printf(", event %" PRIu64, finding->sequence);
        }
        printf(": ");
    }
    printf("%s", text);
    if (!id_is_zero(&finding->id)) {
        hex_encode(finding->id.bytes, ID_BYTES, hex);
        printf(" (%s)", hex);
    }
    printf(" [%s]\n", finding->check);
}

static void on_finding(void *context, const struct audit_finding *finding)
{
    struct fsck *fsck = context;
    struct json json;
    clear_progress(fsck);
    if (!fsck->json) {
        print_finding(finding);
        return;
    }
    json_open(&json, stdout);
    json_string(&json, "type", "finding");
    json_string(&json, "check", finding->check);
    json_string(&json, "room", finding->log);
    json_number(&json, "seq", finding->sequence);
    if (!id_is_zero(&finding->id)) {
        json_id(&json, "id", &finding->id);
    }
    json_string(&json, "text", finding->text);
    json_close(&json);
}

static void print_summary(const struct fsck *fsck)
{
    const struct audit_counts *counts = audit_counts(fsck->audit);
    struct json json;
    if (!fsck->json) {
        printf("%" PRIu64 " logs, %" PRIu64 " events (%" PRIu64 " erased), %" PRIu64
               " files, %" PRIu64 " blobs%s: ",
               counts->logs, counts->events, counts->erased, counts->files, fsck->blobs,
               fsck->quick ? " (by their size)" : "");
        if (counts->findings == 0) {
            printf("all is as it was stored\n");
        } else {
            printf("%" PRIu64 " found damaged\n", counts->findings);
        }
        return;
    }
    json_open(&json, stdout);
    json_string(&json, "type", "summary");
    json_number(&json, "logs", counts->logs);
    json_number(&json, "events", counts->events);
    json_number(&json, "erased", counts->erased);
    json_number(&json, "files", counts->files);
    json_number(&json, "blobs", fsck->blobs);
    json_number(&json, "bytes", fsck->bytes);
    json_bool(&json, "quick", fsck->quick);
    json_number(&json, "findings", counts->findings);
    json_close(&json);
}

/* ---- Blobs ---- */

static void report_blob(struct fsck *fsck, const char *check, const struct audit_blob *blob,
                        const char *text)
{
    audit_report(fsck->audit, &(struct audit_finding){.check = check,
                                                      .log = blob->log,
                                                      .id = blob->file,
                                                      .sequence = blob->sequence,
                                                      .text = text});
}

/* One blob that a row names. */
static enum sp_error check_blob(struct fsck *fsck, const struct audit_blob *blob)
{
    char text[MESSAGE_BYTES];
    uint64_t size = blob->size;
    enum sp_error error = fsck->blobs_fd < 0
                              ? SP_ENOTFOUND
                              : files_audit_blob(fsck->blobs_fd, blob->bucket, &blob->file, &size,
                                                 fsck->quick ? NULL : &blob->sha256);
    if (error == SP_ENOTFOUND) {
        enum sp_error found = audit_find_blob(fsck->audit, &blob->file, blob->bucket);

        if (found != SP_OK) { /* it was erased meanwhile, or that cannot be known */
            return found == SP_EAGAIN || found == SP_ENOTFOUND ? SP_OK : found;
        }
    }
    fsck->blobs++;
    fsck->bytes += blob->size;
    switch (error) {
    case SP_ENOTFOUND:
        report_blob(fsck, "blob-missing", blob, "the file's blob is missing");
        return SP_OK;
    case SP_ESIZE:
        snprintf(text, sizeof text, "the file's blob has %" PRIu64 " bytes instead of %" PRIu64,
                 size, blob->size);
        report_blob(fsck, "blob-size", blob, text);
        return SP_OK;
    case SP_EDIGEST:
        report_blob(fsck, "blob-digest", blob, "the file's blob has another SHA-256");
        return SP_OK;
    case SP_EFILE:
    case SP_EIO:
        report_blob(fsck, "blob-unreadable", blob, "the file's blob cannot be read");
        return SP_OK;
    default:
        return error;
    }
}

static enum sp_error check_blobs(struct fsck *fsck)
{
    struct audit_blob blob;
    enum sp_error error = SP_OK;
    while (error == SP_OK) {
        error = audit_next_blob(fsck->audit, &blob);
        if (error == SP_OK) {
            show_progress(fsck, "checking file", fsck->blobs + 1, 0);
            error = check_blob(fsck, &blob);
        }
    }
    return error == SP_ENOTFOUND ? SP_OK : error;
}

/* Something in the buckets: is there a row for it? */
static enum sp_error visit(void *context, uint32_t bucket, const struct id *file, const char *name,
                           int64_t changed_ms)
{
    struct fsck *fsck = context;
    char text[MESSAGE_BYTES];
    bool is_blob = !id_is_zero(file);
    enum sp_error error = is_blob ? audit_find_blob(fsck->audit, file, bucket) : SP_ENOTFOUND;
    bool young = fsck->state->running && changed_ms > fsck->now_ms - IN_FLIGHT_MS;
    if (error == SP_EAGAIN && !fsck->state->running) {
        return SP_OK; /* the next start of the server removes it */
    }
    if (error != SP_ENOTFOUND || (is_blob && young)) {
        return error == SP_EAGAIN || error == SP_ENOTFOUND ? SP_OK : error;
    }
    snprintf(text, sizeof text,
             is_blob ? "blobs/%08" PRIu32 " has a blob that no file is made of"
                     : "blobs/%08" PRIu32 " has something that is no blob: %s",
             bucket, name);
    audit_report(fsck->audit, &(struct audit_finding){
                                  .check = "orphan-blob", .log = "", .id = *file, .text = text});
    return SP_OK;
}

/* ---- The command ---- */

static enum sp_error run(struct fsck *fsck)
{
    enum sp_error error = files_audit_open(fsck->state->files, &fsck->blobs_fd);
    if (error != SP_OK && error != SP_ENOTFOUND) {
        return error;
    }
    error = audit_run(fsck->audit);
    if (error == SP_OK) {
        error = check_blobs(fsck);
    }
    if (error == SP_OK && fsck->blobs_fd >= 0) {
        error = files_audit_walk(fsck->blobs_fd, visit, fsck);
    }
    if (fsck->blobs_fd >= 0) {
        close(fsck->blobs_fd);
    }
    return error;
}

static int fsck_state(const struct state *state, const bool *given)
{
    struct fsck fsck = {
        .state = state,
        .blobs_fd = -1,
        .json = given[FLAG_JSON],
        .quick = given[FLAG_QUICK],
        .animated = isatty(STDERR_FILENO) == 1,
        .now_ms = clock_wall_ms(clock_system()),
    };
    const struct audit_config config = {
        .path = state->database,
        .found = on_finding,
        .progress = on_progress,
        .context = &fsck,
    };
    char message[MESSAGE_BYTES] = "";
    enum sp_error error = audit_open(&config, &fsck.audit, message, sizeof message);
    if (error != SP_OK) {
        return command_fail(error, message);
    }
    error = run(&fsck);
    clear_progress(&fsck);
    if (error == SP_OK) {
        print_summary(&fsck);
    }
    int code = audit_counts(fsck.audit)->findings > 0 ? EXIT_DAMAGED : EXIT_SUCCESS;
    audit_close(fsck.audit);
    if (error != SP_OK) {
        snprintf(message, sizeof message, "the check could not be finished: %s",
                 sp_error_text(error));
        return command_fail(error, message);
    }
    return fflush(stdout) == 0 ? code : EXIT_FAILURE;
}

int command_fsck(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf(
            "Usage: sealpostd fsck DIR | --config FILE [--quick] [--json]\n"
            "\n"
            "Checks that everything is as it was stored: the chain of every log, the content of\n"
            "every event, what the tables say of them, and every file's SHA-256. Works beside a\n"
            "running server, and on a backup; changes nothing. DIR is the server's directory,\n"
            "its state directory, or a backup.\n"
            "\n"
            "  --quick  files by their size only\n"
            "  --json   one JSON object a line: findings, then a summary\n"
            "\n"
            "Exit codes: 0 nothing is wrong, 8 something is; others: it could not be checked.\n");
        return EXIT_SUCCESS;
    }
    bool given[FLAG_COUNT] = {false};
    struct state state;
    int code = state_find(argc, argv, flags, given, NULL, 0, &state);
    if (code == EXIT_SUCCESS) {
        code = fsck_state(&state, given);
        state_deinit(&state);
    }
    return code;
}
