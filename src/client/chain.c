#include "client/chain_internal.h"

#include <stdlib.h>
#include <string.h>

#include "client/store.h"
#include "event/event.h"

struct follow *chain_find(const struct core *core, const struct id *log)
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

bool chain_is_over(const struct follow *follow)
{
    return follow->next > follow->last;
}

enum sp_error chain_put(struct core *core, const struct follow *described)
{
    struct follow *follow = chain_find(core, &described->log);

    if (follow != NULL) {
        drop(core, follow);
    }
    if (chain_is_over(described)) {
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

uint32_t chain_drop(struct core *core, const struct id *log)
{
    struct follow *follow = chain_find(core, log);
    uint32_t silent = 0;

    core->log_name[0] = '\0';
    if (follow != NULL) {
        memcpy(core->log_name, follow->name, sizeof core->log_name);
        silent = follow->silent;
        drop(core, follow);
    }
    return silent;
}

int chain_followed_kind(const struct core *core, const char *name)
{
    const struct follow *follow = core->follows;

    name += name[0] == '#' ? 1 : 0;
    while (follow != NULL && strcmp(follow->name, name) != 0) {
        follow = follow->hh.next;
    }
    return follow == NULL ? 0 : follow->kind;
}

void chain_clear(struct core *core)
{
    struct follow *follow = core->follows;

    core->caught_up.request = 0;
    HASH_CLEAR(hh, core->follows); /* only the table; the list through the items stays */
    while (follow != NULL) {
        struct follow *next = follow->hh.next;

        free(follow);
        follow = next;
    }
}

void chain_fail_broken(struct core *core, const char *name, const struct id *log, uint64_t sequence,
                       const char *what)
{
    char hex[ID_HEX_BYTES];

    hex_encode(log->bytes, sizeof log->bytes, hex);
    core_fail(core, SP_EINTEGRITY,
              "the history of %s is damaged or was changed: event %llu %s; tell an administrator",
              name[0] != '\0' ? name : hex, (unsigned long long)sequence, what);
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

static void give_event(struct core *core, const struct follow *follow,
                       const struct event_view *view, struct sp_notice *out)
{
    core_notice(out, SP_NOTICE_EVENT, 0);
    memcpy(core->log_name, follow->name, sizeof core->log_name);
    convert_event(view, core->message.event.author, core->log_name, &follow->head, core->strings,
                  &out->event);
}

bool chain_event(struct core *core, struct slice raw, struct sp_notice *out)
{
    struct event_view view;
    const char *what = "";

    if (event_view_parse(raw.data, raw.size, &view) != SP_OK) {
        core_fail(core, SP_EPROTOCOL, "the server sent an event that cannot be read");
        return false;
    }
    struct follow *follow = chain_find(core, &view.header.log);
    if (follow == NULL) {
        return false;
    }
    enum sp_error error = advance(follow, &view, &what);
    if (error == SP_EINTEGRITY) {
        chain_fail_broken(core, follow->name, &follow->log, view.header.sequence, what);
        return false;
    }
    if (error != SP_OK) {
        core_fail_own(core, error);
        return false;
    }
    store_event(core->store, &view, core->message.event.author, &follow->head);
    bool shown = follow->silent == 0;
    if (shown) {
        give_event(core, follow, &view, out);
    }
    if (chain_is_over(follow)) {
        if (!shown) {
            chain_caught_up(core, follow);
        }
        drop(core, follow);
    }
    return shown;
}
