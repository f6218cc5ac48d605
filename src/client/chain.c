#include "client/chain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "event/body.h"
#include "event/event.h"

struct follow {
    struct id log;
    char name[LIMIT_LOG_NAME_BYTES + 1];
    uint64_t last;                /* where it ends; UINT64_MAX: never */
    uint64_t next;                /* sequence number of the event that comes next */
    struct digest head;           /* the chain up to next - 1 */
    uint64_t announced;           /* where what was there already ends … */
    struct digest announced_head; /* … and what the chain must be there */
    UT_hash_handle hh;
};

static struct follow *find(const struct core *core, const struct id *log)
{
    struct follow *follow = NULL;

    HASH_FIND(hh, core->follows, log->bytes, sizeof log->bytes, follow);
    return follow;
}

static void drop(struct core *core, struct follow *follow)
{
    HASH_DELETE(hh, core->follows, follow);
    free(follow);
}

void chain_drop(struct core *core, const struct id *log)
{
    struct follow *follow = find(core, log);

    core->log_name[0] = '\0';
    if (follow != NULL) {
        memcpy(core->log_name, follow->name, sizeof core->log_name);
        drop(core, follow);
    }
}

void chain_clear(struct core *core)
{
    struct follow *follow = core->follows;

    HASH_CLEAR(hh, core->follows); /* only the table; the list through the items stays */
    while (follow != NULL) {
        struct follow *next = follow->hh.next;

        free(follow);
        follow = next;
    }
}

/* The log is not what it was: nothing more can be trusted. */
static void fail_broken(struct core *core, const char *name, const struct id *log,
                        uint64_t sequence, const char *what)
{
    char hex[ID_HEX_BYTES];

    hex_encode(log->bytes, sizeof log->bytes, hex);
    core_fail(core, SP_EINTEGRITY,
              "the history of %s is damaged or was changed: event %llu %s; tell an administrator",
              name[0] != '\0' ? name : hex, (unsigned long long)sequence, what);
}

/* ---- FOLLOWING ---- */

/* The new follow that FOLLOWING describes. */
static void describe(const sealpost_v1_Following *following, const struct request *asked,
                     struct follow *out)
{
    *out = (struct follow){
        .last = asked->page ? following->last : following->log.head_sequence,
        .next = following->first,
        .announced = following->log.head_sequence,
    };
    out->last = asked->live ? UINT64_MAX : out->last;
    memcpy(out->log.bytes, following->log.id, sizeof out->log.bytes);
    memcpy(out->name, following->log.name, sizeof out->name);
    memcpy(out->head.bytes, following->before, sizeof out->head.bytes);
    memcpy(out->announced_head.bytes, following->log.head, sizeof out->announced_head.bytes);
}

/* Whether the chain that FOLLOWING gives fits what is known: the start, the head, an older follow.
 */
static enum sp_error check_start(const struct follow *follow, const struct follow *older)
{
    struct digest start;

    enum sp_error error = event_chain_start(&follow->log, &start);
    if (error != SP_OK) {
        return error;
    }
    if ((follow->next == 1 && !digest_equal(&follow->head, &start)) ||
        (follow->next == follow->announced + 1 &&
         !digest_equal(&follow->head, &follow->announced_head)) ||
        (older != NULL && older->next == follow->next &&
         !digest_equal(&follow->head, &older->head))) {
        return SP_EINTEGRITY;
    }
    return SP_OK;
}

static bool is_over(const struct follow *follow)
{
    return follow->next > follow->last;
}

static enum sp_error put(struct core *core, const struct follow *described)
{
    struct follow *follow = find(core, &described->log);

    if (follow != NULL) {
        drop(core, follow);
    }
    if (is_over(described)) {
        return SP_OK;
    }
    follow = malloc(sizeof *follow);
    if (follow == NULL) {
        return SP_ENOMEM;
    }
    *follow = *described;
    HASH_ADD(hh, core->follows, log.bytes, sizeof follow->log.bytes, follow);
    if (!TABLE_ADDED(follow, hh)) {
        free(follow);
        return SP_ENOMEM;
    }
    return SP_OK;
}

bool chain_following(struct core *core, const struct request *asked, uint64_t *last)
{
    const sealpost_v1_Following *following = &core->message.following;
    struct follow follow;

    *last = 0;
    if (!following->has_log || following->log.head_sequence > LIMIT_SEQUENCE ||
        following->first == 0 || following->first > following->log.head_sequence + 1 ||
        following->last > following->log.head_sequence) {
        core_fail(core, SP_EPROTOCOL, "the server sent FOLLOWING with impossible numbers");
        return false;
    }
    describe(following, asked, &follow);
    *last = follow.last;
    enum sp_error error = check_start(&follow, find(core, &follow.log));
    if (error == SP_EINTEGRITY) {
        fail_broken(core, follow.name, &follow.log, follow.next - 1, "is not what the chain says");
        return false;
    }
    if (error == SP_OK) {
        error = put(core, &follow);
    }
    if (error != SP_OK) {
        core_fail_own(core, error);
    }
    return error == SP_OK;
}

/* ---- EVENT ---- */

/* Checks the event's place and content, and moves the chain on. SP_EINTEGRITY and what is wrong. */
static enum sp_error advance(struct follow *follow, const struct event_view *view,
                             const char **what)
{
    *what = "";
    if (view->header.sequence != follow->next) {
        *what = "came out of its order";
        return SP_EINTEGRITY;
    }
    enum sp_error error = event_view_verify(view);
    if (error != SP_OK) {
        *what = "does not have the content that it was stored with";
        return error;
    }
    error = event_chain_next(&follow->head, view->header_bytes, &follow->head);
    if (error != SP_OK) {
        return error;
    }
    if (follow->next == follow->announced &&
        !digest_equal(&follow->head, &follow->announced_head)) {
        *what = "is not what the chain says";
        return SP_EINTEGRITY;
    }
    follow->next++;
    return SP_OK;
}

/* SLICE as a string at *AT, which moves behind its NUL. */
static const char *keep_string(char **at, struct slice slice)
{
    char *string = *at;

    if (slice.size > 0) {
        memcpy(string, slice.data, slice.size);
    }
    string[slice.size] = '\0';
    *at += slice.size + 1;
    return string;
}

/* What the body says. One that cannot be read is its author's business: it says nothing. */
static void convert_body(struct core *core, const struct event_view *view, struct sp_event *out)
{
    struct body body;
    char *at = core->strings;

    static_assert(sizeof core->strings >= LIMIT_EVENT_BODY_BYTES + 2, "text and name fit");
    if (body_parse(view->body, &body) != SP_OK) {
        return;
    }
    out->text = keep_string(&at, body.text);
    out->text_bytes = body.text.size;
    out->retention = (struct sp_retention){body.keep_seconds, body.keep_events};
    if (view->header.kind == SP_EVENT_FILE) {
        out->file.name = keep_string(&at, body.name);
        out->file.member = out->author;
        out->file.sequence = out->sequence;
        out->file.time_ms = out->time_ms;
        out->file.size = body.size;
        memcpy(out->file.id, body.file.bytes, sizeof out->file.id);
        memcpy(out->file.sha256, body.sha256.bytes, sizeof out->file.sha256);
    }
}

static void convert_event(struct core *core, const struct follow *follow,
                          const struct event_view *view, struct sp_notice *out)
{
    struct sp_event *event = &out->event;
    const struct event_header *header = &view->header;

    core_notice(out, SP_NOTICE_EVENT, 0);
    memcpy(core->log_name, follow->name, sizeof core->log_name);
    memcpy(event->log, header->log.bytes, sizeof event->log);
    event->log_name = core->log_name;
    event->sequence = header->sequence;
    event->time_ms = header->time_ms;
    event->kind = header->kind;
    event->author = core->message.event.author;
    memcpy(event->device, header->author.bytes, sizeof event->device);
    memcpy(event->client_id, header->client_id.bytes, sizeof event->client_id);
    memcpy(event->hash, follow->head.bytes, sizeof event->hash);
    memcpy(event->commitment, header->commitment.bytes, sizeof event->commitment);
    event->body_bytes = header->body_bytes;
    event->erased = view->salt == NULL;
    if (!event->erased) {
        convert_body(core, view, event);
    }
}

bool chain_event(struct core *core, struct slice raw, struct sp_notice *out)
{
    struct event_view view;
    const char *what = "";

    if (event_view_parse(raw.data, raw.size, &view) != SP_OK) {
        core_fail(core, SP_EPROTOCOL, "the server sent an event that cannot be read");
        return false;
    }
    struct follow *follow = find(core, &view.header.log);
    if (follow == NULL) {
        return false;
    }
    enum sp_error error = advance(follow, &view, &what);
    if (error == SP_EINTEGRITY) {
        fail_broken(core, follow->name, &follow->log, view.header.sequence, what);
        return false;
    }
    if (error != SP_OK) {
        core_fail_own(core, error);
        return false;
    }
    convert_event(core, follow, &view, out);
    if (is_over(follow)) {
        drop(core, follow);
    }
    return true;
}
