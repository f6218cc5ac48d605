#include "cli/session.h"

#include <poll.h>
#include <stdarg.h>
#include <string.h>

#define GOODBYE_MS 2000
#define CANCEL_MS 2000
#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define SOON_MS (14 * DAY_MS)
#define FIRST_BACKOFF_MS 200
#define LAST_BACKOFF_MS 2000
#define MS_PER_S 1000

void session_init(struct session *session, struct output *output, const struct settings *settings,
                  int timeout_ms, const volatile int *stop)
{
    *session = (struct session){
        .output = output, .settings = settings, .timeout_ms = timeout_ms, .stop = stop};
    session->passphrase = (struct passphrase){.output = output, .stop = stop};
}

void session_deinit(struct session *session)
{
    if (session->client != NULL && session->online) {
        sp_goodbye(session->client, *session->stop != 0 ? 0 : GOODBYE_MS);
    }
    sp_client_free(session->client);
    session->client = NULL;
    session->online = false;
    passphrase_forget(&session->passphrase);
}

void session_keep_text(struct session *session, const char *text)
{
    (void)snprintf(session->text, sizeof(session->text), "%s", text == NULL ? "" : text);
}

void session_explain(struct session *session, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(session->text, sizeof(session->text), format, arguments);
    va_end(arguments);
}

/* A store that cannot be used now costs a warning. What is in its outbox then stays there. */
static enum sp_error use_store(struct session *session)
{
    enum sp_error error =
        sp_client_use_store(session->client, session->store, session->text, sizeof(session->text));

    session->keeping = error == SP_OK;
    if (error == SP_EBUSY || error == SP_EFULL || error == SP_EIO || error == SP_EINTEGRITY) {
        say_warning(session->output, "nothing is kept on this device: %s", session->text);
        session->text[0] = '\0';
        error = SP_OK;
    }
    return error;
}

enum sp_error session_begin(struct session *session)
{
    const struct settings *settings = session->settings;
    struct sp_client_config config = {.host = settings->server,
                                      .port = settings->port,
                                      .ca_file = settings->ca,
                                      .cert_file = settings->cert,
                                      .key_file = settings->key,
                                      .connect_timeout_ms = session->timeout_ms,
                                      .program = "sealpost",
                                      .passphrase = passphrase_get,
                                      .passphrase_context = &session->passphrase};
    enum sp_error error = SP_OK;

    sp_client_free(session->client);
    session->client = NULL;
    session->online = false;
    session->text[0] = '\0';
    error = sp_client_new(&config, &session->client, session->text, sizeof(session->text));
    session->keeping = false;
    if (error == SP_OK && session->store != NULL) {
        error = use_store(session);
    }
    if (error == SP_OK) {
        error = sp_client_connect(session->client);
    } else if (error == SP_EPASSPHRASE) {
        passphrase_forget(&session->passphrase);
    }
    return error;
}

static void warn_of_end(struct session *session)
{
    int64_t left_ms = session->not_after_ms - session->server_time_ms;

    if (session->warned || session->not_after_ms == 0 || left_ms > SOON_MS) {
        return;
    }
    session->warned = true;
    if (left_ms < DAY_MS) {
        say_warning(session->output, "your certificate expires in less than a day; renew it now");
    } else {
        say_warning(session->output, "your certificate expires in %d days; renew it",
                    (int)(left_ms / DAY_MS));
    }
}

void session_logged_in(struct session *session, const struct sp_login *login)
{
    session->online = true;
    (void)snprintf(session->server, sizeof(session->server), "%s", login->server);
    (void)snprintf(session->team, sizeof(session->team), "%s", login->team);
    (void)snprintf(session->username, sizeof(session->username), "%s", login->username);
    memcpy(session->device, login->device, sizeof(session->device));
    memcpy(session->incarnation, login->incarnation, sizeof(session->incarnation));
    session->output->username = session->username;
    session->role = login->role;
    session->server_time_ms = login->time_ms;
    session->text_bytes = login->text_bytes;
    session->file_bytes = login->file_bytes;
    session->not_after_ms = login->certificate_not_after_ms;
    warn_of_end(session);
    if (session->keeping && sp_store_was_restored(session->store)) {
        say_warning(session->output,
                    "the server was restored from a backup: what was said after it was made is "
                    "missing there; what you had posted since is looked for, and waits in the "
                    "outbox if it is missing");
    }
}

void session_tell_history(struct session *session, const struct sp_notice *notice)
{
    const struct sp_history *history = &notice->history;

    say_warning(session->output,
                "%s: %llu of the events that this device had seen, from %llu to %llu, are not in "
                "the server's history any more",
                notice->log.name, (unsigned long long)history->missing,
                (unsigned long long)history->first, (unsigned long long)history->seen);
    if (history->own > 0) {
        say_hint(session->output,
                 "%llu of them you had posted; they wait in the outbox, held: sealpost outbox list",
                 (unsigned long long)history->own);
    }
}

enum sp_error session_connect(struct session *session)
{
    struct sp_notice notice;
    enum sp_error error = session_begin(session);

    while (error == SP_OK && !session->online) {
        error = sp_wait_any(session->client, session->timeout_ms, session->stop, &notice);
        if (error == SP_ETIMEOUT) { /* nothing was asked for yet, so nothing is unknown */
            error = SP_EUNREACHABLE;
        } else if (error == SP_OK && notice.type == SP_NOTICE_LOGIN) {
            session_logged_in(session, &notice.login);
        } else if (error == SP_OK && notice.type == SP_NOTICE_CLOSED) {
            error = notice.error == SP_OK || notice.error == SP_EDISCONNECTED ? SP_EUNREACHABLE
                                                                              : notice.error;
            session_keep_text(session, notice.text);
        }
    }
    return error;
}

struct observer {
    struct session *session;
    sp_notice_fn fn;
    void *context;
};

/* Sees the end of the connection on its way to whoever else looks. */
static void observe(void *context, const struct sp_notice *notice)
{
    struct observer *observer = context;

    if (notice->type == SP_NOTICE_CLOSED) {
        observer->session->online = false;
    } else if (notice->type == SP_NOTICE_HISTORY) {
        session_tell_history(observer->session, notice);
    }
    if (observer->fn != NULL) {
        observer->fn(observer->context, notice);
    }
}

/* What is known after ERROR. "Busy" says nothing about an attempt before that was not answered. */
static void judge(struct session *session, enum sp_error error)
{
    switch (sp_error_class(error)) {
    case SP_CLASS_OK:
    case SP_CLASS_REFUSED:
        session->unknown = false;
        break;
    case SP_CLASS_RETRY:
        break;
    case SP_CLASS_UNKNOWN:
        session->unknown = true;
        break;
    }
    if (error == SP_EDISCONNECTED || error == SP_ETIMEOUT) {
        session->online = false;
    }
}

/*
 * The connection ended before the answer came. Why it did comes behind the results: if the server
 * has shut us out, that is what there is to say, and asking again is for nothing.
 */
static enum sp_error cause_of_end(struct session *session, struct sp_notice *notice)
{
    struct sp_notice closed;

    if (sp_wait_any(session->client, 1, session->stop, &closed) != SP_OK ||
        closed.type != SP_NOTICE_CLOSED || sp_error_class(closed.error) != SP_CLASS_REFUSED) {
        return SP_EDISCONNECTED;
    }
    *notice = closed;
    return closed.error;
}

enum sp_error session_wait(struct session *session, uint32_t request, bool transfer,
                           sp_notice_fn fn, void *context, struct sp_notice *notice)
{
    static const volatile int never = 0;
    struct observer observer = {session, fn, context};
    enum sp_error error = sp_wait(session->client, request, session->timeout_ms, session->stop,
                                  observe, &observer, notice);

    if (*session->stop != 0 && error == SP_ECANCELLED && transfer) {
        sp_cancel(session->client, request);
        error = sp_wait(session->client, request, CANCEL_MS, &never, observe, &observer, notice);
        judge(session, error);
        error = error == SP_OK ? SP_OK : SP_ECANCELLED;
    } else if (*session->stop != 0 && error == SP_ECANCELLED) {
        session->unknown = true; /* it is under way, and nobody waits for the answer */
    } else {
        judge(session, error);
        if (error == SP_EDISCONNECTED) {
            error = cause_of_end(session, notice);
        }
    }
    session_keep_text(session, error == SP_OK || error == SP_ETIMEOUT ? "" : notice->text);
    return error;
}

bool session_sleep(const struct session *session, int ms)
{
    if (*session->stop == 0) {
        (void)poll(NULL, 0, ms);
    }
    return *session->stop == 0;
}

bool session_idle(struct session *session, int ms)
{
    struct sp_notice notice;
    enum sp_error error = SP_OK;

    if (!session->online) {
        return session_sleep(session, ms);
    }
    error = sp_wait_any(session->client, ms, session->stop, &notice);
    if (error == SP_EDISCONNECTED || (error == SP_OK && notice.type == SP_NOTICE_CLOSED)) {
        session->online = false;
    }
    return *session->stop == 0;
}

/* Whether to go on after ERROR; sleeps a while. *UNTIL_MS is set at the first failure. */
static bool wait_for_next(struct session *session, unsigned attempt, int64_t *until_ms)
{
    int64_t now_ms = clock_monotonic_ms(session->output->clock);
    int backoff_ms = FIRST_BACKOFF_MS << (attempt < 5 ? attempt : 5);

    backoff_ms = backoff_ms > LAST_BACKOFF_MS ? LAST_BACKOFF_MS : backoff_ms;
    if (*until_ms == 0) {
        *until_ms = now_ms + session->timeout_ms;
    }
    if (now_ms + backoff_ms >= *until_ms) {
        return false;
    }
    say_verbose(session->output, "trying again");
    return session_sleep(session, backoff_ms);
}

enum sp_error session_connect_patiently(struct session *session)
{
    int64_t until_ms = 0;
    enum sp_error error = session_connect(session);

    for (unsigned i = 0; error_is_passing(error); i++) {
        if (i == 0) {
            say_note(session->output, "cannot reach the server (%s); trying on for %d s",
                     session->text[0] == '\0' ? sp_error_text(error) : session->text,
                     session->timeout_ms / MS_PER_S);
        }
        if (!wait_for_next(session, i, &until_ms)) {
            return *session->stop != 0 ? SP_ECANCELLED : error;
        }
        error = session_connect(session);
    }
    return error;
}

enum sp_error session_retry(struct session *session, bool repeatable, session_attempt_fn attempt,
                            void *context, struct sp_notice *notice)
{
    int64_t until_ms = 0;
    enum sp_error error = SP_OK;

    session->unknown = false;
    for (unsigned i = 0;; i++) {
        error = session->online ? SP_OK : session_connect(session);
        if (error == SP_OK) {
            error = attempt(session, context, notice);
            if (!session->online && error != SP_ETIMEOUT) {
                until_ms = 0; /* it was connected until now, and something moved */
            }
        }
        if (error == SP_OK || *session->stop != 0 || !error_is_passing(error) ||
            (session->unknown && !repeatable) || !wait_for_next(session, i, &until_ms)) {
            return error;
        }
    }
}

struct performance {
    const struct action *action;
    sp_notice_fn fn;
    void *context;
    bool begun; /* it went out once already */
};

static enum sp_error perform(struct session *session, void *context, struct sp_notice *notice)
{
    struct performance *performance = context;
    bool transfer = performance->action->kind == ACTION_SEND;
    uint32_t request = 0;
    enum sp_error error = action_start(performance->action, session->client, &request);

    if (error != SP_OK) {
        session_keep_text(session, sp_client_reason(session->client));
        session->online = session->online && error != SP_EDISCONNECTED;
        return error == SP_EDISCONNECTED ? SP_EUNREACHABLE : error; /* nothing went out */
    }
    if (transfer && performance->begun) {
        say_note(session->output, "connection lost, starting again");
    }
    error = session_wait(session, request, transfer, performance->fn, performance->context, notice);
    performance->begun = !session->online;
    return error;
}

enum sp_error session_perform(struct session *session, const struct action *action, sp_notice_fn fn,
                              void *context, struct sp_notice *notice)
{
    struct performance performance = {action, fn, context, false};

    return session_retry(session, action_is_repeatable(action), perform, &performance, notice);
}

enum sp_error session_drain(struct session *session, uint64_t fresh, sp_drain_fn fn, void *context,
                            struct sp_drained *drained)
{
    struct observer observer = {session, NULL, NULL};
    const struct sp_drain drain = {.timeout_ms = session->timeout_ms,
                                   .stop = session->stop,
                                   .fresh = fresh,
                                   .fn = fn,
                                   .context = context,
                                   .other = observe,
                                   .other_context = &observer};
    enum sp_error error = SP_OK;

    if (!session->keeping) {
        *drained = (struct sp_drained){0};
        session_keep_text(session, "the store of this device cannot be used now");
        return SP_EBUSY;
    }
    error = sp_outbox_drain(session->client, session->store, &drain, drained);
    session_keep_text(session, "");
    if (sp_error_class(error) != SP_CLASS_OK && sp_client_fd(session->client) < 0) {
        session->online = false;
    }
    if (error == SP_EDISCONNECTED || error == SP_ETIMEOUT) {
        session->online = false;
    }
    return error;
}
