/* Sends what waits in the outbox: one after the other, in order, each exactly once. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/chain.h"
#include "client/internal.h"
#include "client/outbox_file.h"
#include "client/store.h"

#define BUSY_MS 200 /* until the next attempt, if the server does not say */

struct drainer {
    struct sp_client *client;
    struct sp_store *store;
    const struct sp_drain *drain;
    struct sp_drained *out;
    char checked[LIMIT_LOG_NAME_BYTES + 1]; /* the log that was looked at last … */
    int kind;                               /* … and what it is; 0: not known */
};

static bool is_stopped(const struct drainer *drainer)
{
    return drainer->drain->stop != NULL && *drainer->drain->stop != 0;
}

static enum sp_error wait_for(struct drainer *drainer, uint32_t request, struct sp_notice *notice)
{
    const struct sp_drain *drain = drainer->drain;

    return sp_wait(drainer->client, request, drain->timeout_ms, drain->stop, drain->other,
                   drain->other_context, notice);
}

/* Keeps the connection alive for MS. SP_EDISCONNECTED, SP_ECANCELLED. */
static enum sp_error pause_for(struct drainer *drainer, int ms)
{
    int64_t until_ms = clock_monotonic_ms(clock_system()) + ms;
    enum sp_error error = SP_OK;
    struct sp_notice notice;

    for (;;) {
        int64_t left_ms = until_ms - clock_monotonic_ms(clock_system());

        if (left_ms <= 0) {
            return SP_OK;
        }
        error = sp_wait_any(drainer->client, (int)left_ms, drainer->drain->stop, &notice);
        if (error != SP_OK) {
            return error == SP_ETIMEOUT ? SP_OK : error;
        }
        if (drainer->drain->other != NULL) {
            drainer->drain->other(drainer->drain->other_context, &notice);
        }
    }
}

/*
 * Whether the log is still the one that was seen, and what it is, once for all entries in a row.
 * Other refusals than SP_EINTEGRITY are left to the request itself.
 */
static enum sp_error check_log(struct drainer *drainer, const struct sp_outbox_entry *entry,
                               struct sp_notice *notice)
{
    uint32_t request = 0;
    enum sp_error error = SP_OK;

    if (strcmp(drainer->checked, entry->log) == 0) {
        return SP_OK;
    }
    drainer->checked[0] = '\0'; /* KIND is of another log from here on */
    drainer->kind = chain_followed_kind(&drainer->client->core, entry->log);
    if (drainer->kind == 0) { /* what is followed is checked as it comes */
        error = sp_check_log(drainer->client, entry->log, &request);
        if (error == SP_OK) {
            error = wait_for(drainer, request, notice);
            drainer->kind = error == SP_OK ? (int)notice->log.kind : 0;
        }
    }
    if (error == SP_OK) {
        (void)snprintf(drainer->checked, sizeof drainer->checked, "%s", entry->log);
    }
    return error == SP_EINTEGRITY || sp_error_class(error) != SP_CLASS_REFUSED ||
                   error == SP_ECANCELLED
               ? error
               : SP_OK;
}

/* A file in a room is seen by everybody in it: what is meant for a box must not get into one. */
static enum sp_error check_kind(const struct drainer *drainer, const struct sp_outbox_entry *entry,
                                struct sp_notice *notice)
{
    bool to_box = entry->kind == SP_OUTBOX_SUBMISSION;

    if (entry->kind == SP_OUTBOX_MESSAGE || drainer->kind == (to_box ? SP_LOG_BOX : SP_LOG_ROOM)) {
        return SP_OK;
    }
    if (drainer->kind == 0) {
        notice->text = "there is no such room or box, or you may not see it";
        return SP_ENOTFOUND;
    }
    notice->text = to_box ? "it is a room: everybody in it would see the file" : "it is a box";
    return SP_EINVALID;
}

/* The file as it was when it was kept, at *FD; else SP_EFILE or SP_ECHANGED, why is in TEXT. */
static enum sp_error open_file(const struct sp_outbox_entry *entry, int *fd, char *text,
                               size_t capacity)
{
    struct digest sha256;
    uint64_t size = 0;
    enum sp_error error = outbox_file_read(entry->path, fd, &size, &sha256, text, capacity);

    if (error != SP_OK ||
        (size == entry->size && memcmp(sha256.bytes, entry->sha256, DIGEST_BYTES) == 0)) {
        return error;
    }
    (void)close(*fd);
    *fd = -1;
    (void)snprintf(text, capacity, "it has changed since it was put into the outbox");
    return SP_ECHANGED;
}

/* One attempt. *NOTICE is the result, or has a text why not. */
static enum sp_error attempt(struct drainer *drainer, const struct sp_outbox_entry *entry, int fd,
                             struct sp_notice *notice)
{
    uint32_t request = 0;
    enum sp_error error = entry->kind == SP_OUTBOX_MESSAGE
                              ? sp_post(drainer->client, &entry->once, entry->log, entry->text,
                                        entry->text_bytes, &request)
                              : ask_send(drainer->client, &entry->once, entry->log, entry->name, fd,
                                         entry->sha256, &request);

    if (error != SP_OK) {
        notice->text = sp_client_reason(drainer->client);
        return error;
    }
    error = wait_for(drainer, request, notice);
    if (error != SP_OK && fd >= 0) {
        client_detach(drainer->client, request); /* the file is closed now, whoever goes on */
    }
    return error;
}

/* The same until it is neither "slow down" nor "busy", for as long as somebody waits. */
static enum sp_error attempt_patiently(struct drainer *drainer, const struct sp_outbox_entry *entry,
                                       int fd, struct sp_notice *notice)
{
    int left_ms = drainer->drain->timeout_ms;
    enum sp_error error = attempt(drainer, entry, fd, notice);

    while (error == SP_ESLOWDOWN || error == SP_EBUSY) {
        int ms = notice->retry_after_ms > 0 && notice->retry_after_ms < INT32_MAX
                     ? (int)notice->retry_after_ms
                     : BUSY_MS;
        if (drainer->drain->timeout_ms > 0 && ms > left_ms) {
            return error;
        }
        left_ms -= ms;
        enum sp_error paused = pause_for(drainer, ms);
        if (paused != SP_OK) {
            return paused;
        }
        core_notice(notice, SP_NOTICE_RESULT, 0);
        error = attempt(drainer, entry, fd, notice);
    }
    return error;
}

static enum sp_error send_entry(struct drainer *drainer, const struct sp_outbox_entry *entry,
                                struct sp_notice *notice, char *text, size_t capacity)
{
    int fd = -1;
    enum sp_error error = check_log(drainer, entry, notice);

    if (error == SP_OK) {
        error = check_kind(drainer, entry, notice);
    }
    if (error == SP_OK && entry->kind != SP_OUTBOX_MESSAGE) {
        error = open_file(entry, &fd, text, capacity);
        notice->text = text;
    }
    if (error == SP_OK) {
        error = attempt_patiently(drainer, entry, fd, notice);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return error;
}

/* What came of ENTRY is written down. SP_OK: go on with the next. */
static enum sp_error settle(struct drainer *drainer, const struct sp_outbox_entry *entry,
                            enum sp_error error, const struct sp_notice *notice)
{
    bool refused = sp_error_class(error) == SP_CLASS_REFUSED && error != SP_ECANCELLED;
    enum sp_error kept = SP_OK;

    if (drainer->drain->fn != NULL) {
        drainer->drain->fn(drainer->drain->context, entry, error, notice);
    }
    if (error == SP_OK) {
        drainer->out->sent++;
        sp_outbox_sent(drainer->store, entry->number, notice);
    } else if (refused && entry->number == drainer->drain->fresh) {
        kept = sp_outbox_drop(drainer->store, entry->number);
        kept = kept == SP_ENOTFOUND ? SP_OK : kept;
    } else {
        drainer->out->held += refused ? 1 : 0;
        kept = sp_outbox_failed(drainer->store, entry->number, error,
                                notice->text[0] == '\0' ? sp_error_text(error) : notice->text,
                                refused);
    }
    if (kept != SP_OK) {
        store_fail(drainer->store, kept);
    }
    return error == SP_OK || refused ? SP_OK : error;
}

/* LOG is not there any more: all of it is missing. */
static enum sp_error give_up_log(struct drainer *drainer, const struct store_log *log)
{
    struct sp_notice notice;

    core_notice(&notice, SP_NOTICE_HISTORY, 0);
    memcpy(notice.log.id, log->id.bytes, ID_BYTES);
    notice.log.name = log->name;
    if (store_gone(drainer->store, &log->id, &notice.history) && drainer->drain->other != NULL) {
        drainer->drain->other(drainer->drain->other_context, &notice);
    }
    return SP_OK;
}

/*
 * After a restored backup: what this device has posted is looked for, and what is missing comes
 * into the outbox, held. A log that cannot be read is left for later.
 */
static enum sp_error look_for_posted(struct drainer *drainer)
{
    struct store_log log;
    struct sp_notice notice;
    enum sp_error error = store_next_stale(drainer->store, 0, &log);

    while (error == SP_OK) {
        const struct sp_outbox_entry entry = {.log = log.name};

        core_notice(&notice, SP_NOTICE_RESULT, 0);
        error = check_log(drainer, &entry, &notice);
        if (error == SP_OK && notice.error == SP_ENOTFOUND) {
            error = give_up_log(drainer, &log);
        }
        if (error == SP_OK || error == SP_EINTEGRITY) {
            error = store_next_stale(drainer->store, log.number, &log);
        }
    }
    return error == SP_ENOTFOUND ? SP_OK : error;
}

static enum sp_error drain_all(struct drainer *drainer)
{
    struct sp_outbox_entry entry;
    struct sp_notice notice;
    char text[REASON_BYTES];
    char log[LIMIT_LOG_NAME_BYTES + 1];
    uint64_t after = 0;
    enum sp_error error = look_for_posted(drainer);

    while (error == SP_OK) {
        error = outbox_next(drainer->store, after, &entry);
        if (error != SP_OK) {
            return error == SP_ENOTFOUND ? SP_OK : error;
        }
        after = entry.number;
        (void)snprintf(log, sizeof log, "%s", entry.log);
        entry.log = log; /* who is told something may look for a log in the store */
        if (entry.held) {
            continue;
        }
        if (is_stopped(drainer)) {
            return SP_ECANCELLED;
        }
        core_notice(&notice, SP_NOTICE_RESULT, 0);
        error = send_entry(drainer, &entry, &notice, text, sizeof text);
        error = settle(drainer, &entry, error, &notice);
    }
    return error;
}

enum sp_error sp_outbox_drain(struct sp_client *client, struct sp_store *store,
                              const struct sp_drain *drain, struct sp_drained *out)
{
    struct drainer drainer = {.client = client, .store = store, .drain = drain, .out = out};
    uint64_t held = 0;

    *out = (struct sp_drained){0};
    if (client->core.store != store) {
        return SP_EINVALID;
    }
    store_flush(store);
    if (!outbox_lock(store)) {
        out->elsewhere = true;
        return sp_outbox_count(store, &out->waiting, &held);
    }
    enum sp_error error = drain_all(&drainer);
    outbox_unlock(store);
    enum sp_error counted = sp_outbox_count(store, &out->waiting, &held);
    return error == SP_OK ? counted : error;
}
