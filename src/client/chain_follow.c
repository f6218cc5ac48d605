/* What FOLLOW asks for, what answers it, and what is compared before it is believed. */
#include <stdio.h>
#include <string.h>

#include "client/chain_internal.h"
#include "client/store.h"
#include "event/event.h"

/* How often what came meanwhile is caught up with. */
#define MOST_ROUNDS 8

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
    out->kind = (int)following->log.kind;
    if (asked->catching_up) {
        out->last = asked->check && !asked->reconciling ? following->last : out->announced;
        out->silent = asked->number;
        out->reconciling = asked->reconciling;
    }
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

/* What FOLLOWING said must be possible. */
static bool is_possible(const sealpost_v1_Following *following)
{
    return following->has_log && following->log.head_sequence <= LIMIT_SEQUENCE &&
           following->first > 0 && following->first <= following->log.head_sequence + 1 &&
           following->last <= following->log.head_sequence;
}

static bool is_of_log(const sealpost_v1_Following *following, const sealpost_v1_LogKey *key)
{
    return key->id.size > 0 ? memcmp(following->log.id, key->id.bytes, ID_BYTES) == 0
                            : strcmp(following->log.name, key->name) == 0;
}

/* FOLLOWING is of the log that was asked for, and begins where that was asked. Only then does what
 * it is compared with say anything. */
static bool is_answer(const sealpost_v1_Following *following, const struct request *asked)
{
    const sealpost_v1_Follow *follow = &asked->follow;
    uint64_t after = asked->catching_up ? asked->after : follow->after;
    uint64_t head = following->log.head_sequence;
    bool chosen = !asked->catching_up && /* by the server */
                  (follow->last > 0 || follow->before > 0 || follow->around > 0);

    return is_of_log(following, &follow->log) &&
           (chosen || following->first == (after < head ? after : head) + 1);
}

/* Whether events came between what was caught up with and where FOLLOW begins. */
static bool has_gap(const struct request *asked, const struct follow *follow)
{
    return !asked->catching_up && !asked->too_much && asked->after > 0 &&
           id_equal(&asked->known, &follow->log) && follow->next > asked->after + 1;
}

/* Once more, from what is known now. */
static enum chain_answer catch_up_again(struct core *core, struct request *asked,
                                        const struct follow *follow)
{
    const sealpost_v1_Follow message = {
        .has_log = true, .log = asked->follow.log, .after = asked->after};

    (void)chain_drop(core, &follow->log);
    if (asked->again >= MOST_ROUNDS) {
        (void)snprintf(core->reason, sizeof core->reason,
                       "more is said in %s than can be compared with what this device has seen",
                       follow->name);
        return CHAIN_NOT_NOW;
    }
    asked->again++;
    asked->catching_up = true;
    core_send(core, FRAME_FOLLOW, asked->stream, &message);
    return CHAIN_SILENT;
}

/* Whether the log is the one that the store has seen; as store_check(), with core->reason. */
static enum sp_error check_known(struct core *core, const struct request *asked,
                                 const struct follow *follow)
{
    struct store_following following = {.id = follow->log,
                                        .seen =
                                            id_equal(&asked->known, &follow->log) ? asked->seen : 0,
                                        .kind = follow->kind,
                                        .name = follow->name,
                                        .first = follow->next,
                                        .before = follow->head,
                                        .head_sequence = follow->announced,
                                        .head = follow->announced_head};

    return core->store == NULL
               ? SP_OK
               : store_check(core->store, &following, core->reason, sizeof core->reason);
}

void chain_caught_up(struct core *core, const struct follow *follow)
{
    core->caught_up = (struct caught_up){.request = follow->silent,
                                         .log = follow->log,
                                         .kind = follow->kind,
                                         .head_sequence = follow->announced,
                                         .head = follow->announced_head};
    memcpy(core->log_name, follow->name, sizeof core->log_name);
    if (follow->reconciling) {
        (void)store_reconciled(core->store, &follow->log, follow->next - 1, &follow->head,
                               &core->caught_up.history);
    }
}

/* FOLLOW begins. */
static enum chain_answer begin(struct core *core, struct request *asked, struct follow *follow)
{
    bool too_much = asked->catching_up && !follow->reconciling && follow->last >= follow->next &&
                    follow->last - follow->next >= LIMIT_STORE_CATCH_UP;

    asked->too_much = asked->too_much || too_much;
    if (asked->check && !asked->catching_up) { /* it was only to be known what it is */
        follow->silent = asked->number;
        chain_caught_up(core, follow);
        return CHAIN_SILENT;
    }
    if (asked->catching_up && (chain_is_over(follow) || too_much)) {
        chain_caught_up(core, follow);
        return CHAIN_SILENT;
    }
    enum sp_error error = chain_put(core, follow);
    if (error != SP_OK) {
        core_fail_own(core, error);
        return CHAIN_ENDED;
    }
    return asked->catching_up ? CHAIN_SILENT : CHAIN_FOLLOWING;
}

enum chain_answer chain_following(struct core *core, struct request *asked, uint64_t *last)
{
    const sealpost_v1_Following *following = &core->message.following;
    struct follow follow;

    *last = 0;
    if (!is_possible(following)) {
        core_fail(core, SP_EPROTOCOL, "the server sent FOLLOWING with impossible numbers");
        return CHAIN_ENDED;
    }
    if (!is_answer(following, asked)) {
        core_fail(core, SP_EPROTOCOL, "the server sent FOLLOWING that is no answer to FOLLOW");
        return CHAIN_ENDED;
    }
    describe(following, asked, &follow);
    *last = follow.last;
    enum sp_error error = check_start(&follow, chain_find(core, &follow.log));
    if (error == SP_EINTEGRITY) {
        chain_fail_broken(core, follow.name, &follow.log, follow.next - 1,
                          "is not what the chain says");
        return CHAIN_ENDED;
    }
    if (error != SP_OK) {
        core_fail_own(core, error);
        return CHAIN_ENDED;
    }
    error = check_known(core, asked, &follow);
    if (error != SP_OK) {
        (void)chain_drop(core, &follow.log);
        return error == SP_EBUSY ? CHAIN_NOT_NOW : CHAIN_REFUSED;
    }
    return has_gap(asked, &follow) ? catch_up_again(core, asked, &follow)
                                   : begin(core, asked, &follow);
}

void chain_plan(struct core *core, struct request *asked, const char *log,
                sealpost_v1_Follow *message)
{
    struct store_plan plan = {.after = 0};

    *message = asked->follow;
    if (core->store != NULL) {
        store_plan(core->store, log, &plan);
    }
    asked->known = plan.log;
    asked->seen = plan.seen;
    asked->after = plan.after;
    asked->catching_up = plan.catch_up;
    asked->reconciling = plan.reconcile;
    if (asked->catching_up && !asked->check && !asked->reconciling && asked->live &&
        asked->follow.after == plan.after && asked->follow.last == 0) {
        asked->catching_up = false; /* it goes on where it was: that is checked by itself */
    }
    if (asked->catching_up) {
        *message =
            (sealpost_v1_Follow){.has_log = true, .log = asked->follow.log, .after = plan.after};
        message->count = asked->check && !asked->reconciling ? 1 : 0;
    }
}

bool chain_is_due(const struct core *core)
{
    return core->caught_up.request != 0;
}

static void give_log(const struct core *core, struct sp_notice *out)
{
    const struct caught_up *caught_up = &core->caught_up;

    memcpy(out->log.id, caught_up->log.bytes, sizeof out->log.id);
    out->log.kind = (enum sp_log_kind)caught_up->kind;
    out->log.name = core->log_name;
    out->log.head_sequence = caught_up->head_sequence;
    memcpy(out->log.head, caught_up->head.bytes, sizeof out->log.head);
}

/* What the answer to the next FOLLOW is held against. */
static void look_again(struct core *core, struct request *request, const struct id *id)
{
    char hex[ID_HEX_BYTES];
    struct store_plan plan;

    hex_encode(id->bytes, sizeof id->bytes, hex);
    store_plan(core->store, hex, &plan);
    request->known = plan.log;
    request->seen = plan.seen;
    request->after = plan.reconcile ? 0 : plan.after;
}

bool chain_next(struct core *core, struct sp_notice *out)
{
    struct caught_up *caught_up = &core->caught_up;
    struct request *request = core_request_find(core, caught_up->request);

    if (caught_up->request == 0 || core->phase != CORE_OPEN || request == NULL) {
        caught_up->request = 0;
        return false;
    }
    if (caught_up->history.missing > 0) {
        core_notice(out, SP_NOTICE_HISTORY, 0);
        give_log(core, out);
        out->history = caught_up->history;
        caught_up->history.missing = 0;
        return true;
    }
    caught_up->request = 0;
    request->catching_up = false;
    if (!request->check) {
        look_again(core, request, &caught_up->log);
        core_send(core, FRAME_FOLLOW, request->stream, &request->follow);
        return false;
    }
    core_result(core, out, request->number, SP_OK, "");
    give_log(core, out);
    core_request_end(core, request);
    return true;
}
