/*
 * Reloading: settings and authority are loaded anew and checked on a thread of its own, when SIGHUP
 * comes or one of their files changes, and swapped in together; if anything is bad, all stays as it
 * was. Sessions that the new authority does not let in are told why and closed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "server/internal.h"

#define STALE_WARNING_MS (7 * INT64_C(86400000))
#define SETTLE_MS 300 /* after the last change: whoever writes the files may not be done */
#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS 30000
#define REFRESH_INTERVAL_MS (INT64_C(6) * 3600000) /* what is due is made once a day */
#define JUDGED_PER_TURN 256 /* of the sessions, so that nobody waits for it */

enum sp_error reload_load(const struct settings *settings, const struct clock *clock,
                          struct authority **out, char *reason, size_t capacity)
{
    struct authority_server_config config = {
        .team = settings->team,
        .ca_file = settings->ca,
        .cert_file = settings->cert,
        .key_file = settings->key,
        .crl_file = settings->crl,
        .allow_join = settings->issuer_cert != NULL,
        .clock = clock,
    };
    return authority_new_server(&config, out, reason, capacity);
}

/* ---- Watching ---- */

static void watch_file(struct server *server, struct watch *watch, const char *path)
{
    if (path == NULL || watch->fd < 0) {
        return;
    }
    bool was_incomplete = watch->incomplete;
    if (watch_add(watch, path) != SP_OK && !was_incomplete) {
        char value[512];
        const char *why = error_text(errno);
        log_line(server->log, LOG_DEBUG, "event=watch_incomplete path=%s reason=\"%s\"",
                 log_value(path, strlen(path), value, sizeof value), why);
    }
}

static void watch_settings(struct server *server, struct watch *watch,
                           const struct settings *settings)
{
    for (size_t i = 0; i < SETTINGS_FILES; i++) {
        watch_file(server, watch, settings_file(settings, i));
    }
}

static void watch_ready(struct source *source, short revents)
{
    (void)revents;
    struct server *server = CONTAINER_OF(source, struct server, watch_source);
    if (watch_read(&server->watch)) {
        server->reload.due_ms = server->now_ms + SETTLE_MS;
        server->reload.retrying = false;
    }
}

/* If the watch lacks a directory, it is looked for again later. */
static void plan_retry(struct server *server)
{
    struct reload *reload = &server->reload;
    if (!server->watch.incomplete) {
        reload->retry_ms = RETRY_FIRST_MS;
    } else if (reload->due_ms == 0) {
        reload->due_ms = server->now_ms + reload->retry_ms;
        reload->retry_ms =
            2 * reload->retry_ms < RETRY_LAST_MS ? 2 * reload->retry_ms : RETRY_LAST_MS;
        reload->retrying = true;
    }
}

void reload_watch(struct server *server)
{
    server->watch_source.ready = watch_ready;
    server->reload.retry_ms = RETRY_FIRST_MS;
    server->reload.refresh_ms =
        server->settings->issuer_cert != NULL ? server->now_ms + REFRESH_INTERVAL_MS : 0;
    if (watch_open(&server->watch) != SP_OK ||
        pollset_add(&server->pollset, &server->watch_source, server->watch.fd, POLLIN) != SP_OK) {
        log_line(server->log, LOG_WARNING,
                 "event=watch_failed reason=\"%s; changes of files are taken at SIGHUP only\"",
                 error_text(errno));
        watch_deinit(&server->watch);
        return;
    }
    watch_file(server, &server->watch, server->source->config_file);
    watch_settings(server, &server->watch, server->settings);
    plan_retry(server);
}

/* ---- On the thread ---- */

static enum sp_error load_all(struct server *server)
{
    struct reload *reload = &server->reload;
    /* Watched first, read then: what changes in between is seen. */
    if (server->watch.fd >= 0 && watch_open(&reload->watch) == SP_OK) {
        watch_file(server, &reload->watch, server->source->config_file);
    }
    enum sp_error error =
        settings_load(server->source, &reload->settings, reload->reason, sizeof reload->reason);
    watch_settings(server, &reload->watch, error == SP_OK ? &reload->settings : server->settings);
    if (error != SP_OK) {
        return error;
    }
    struct settings checked = reload->settings;
    checked.team = server->settings->team; /* these need a new start */
    checked.issuer_cert = server->settings->issuer_cert;
    checked.issuer_key = server->settings->issuer_key;
    issue_refresh(&checked, clock_wall_ms(server->clock), server->log);
    return reload_load(&checked, server->clock, &reload->authority, reload->reason,
                       sizeof reload->reason);
}

static void *load(void *context)
{
    struct server *server = context;
    server->reload.error = load_all(server);
    atomic_store(&server->reload.done, true);
    wake_up(&server->wake);
    return NULL;
}

static void start(struct server *server)
{
    struct reload *reload = &server->reload;
    if (reload->running) {
        reload->again = true;
        return;
    }
    atomic_store(&reload->done, false);
    reload->running = pthread_create(&reload->thread, NULL, load, server) == 0;
    if (!reload->running) {
        log_line(server->log, LOG_ERROR, "event=reload_failed error=%s", sp_error_name(SP_ENOMEM));
    }
}

void reload_start(struct server *server)
{
    server->reload.retrying = false;
    start(server);
}

/* ---- Swapping ---- */

void reload_warn_stale(struct server *server)
{
    int64_t next_ms = authority_crl_next_update_ms(server->authority);
    hub_set_crl_next_update(server->hub, next_ms);
    if (next_ms - clock_wall_ms(server->clock) < STALE_WARNING_MS) {
        char when[RFC3339_BYTES];
        clock_format_rfc3339(next_ms, when);
        log_line(server->log, LOG_WARNING,
                 "event=crl_stale_soon next_update=%s reason=\"logins are refused from then on; "
                 "make a new list\"",
                 when);
    }
}

void reload_tell_host(struct server *server)
{
    const char *host = server->settings->host;
    char name[LIMIT_HOST_BYTES + 1] = "";
    uint16_t port = 0;
    if (host != NULL && config_parse_host_port(host, name, &port) != SP_OK) {
        name[0] = '\0'; /* settings.c has checked it */
    }
    hub_set_public_host(server->hub, name, port);
}

static void apply_settings(struct server *server, struct settings_changes *changes)
{
    struct settings *settings = server->settings;
    enum log_level before = settings->log_level;
    settings_exchange(settings, &server->reload.settings, changes);
    if (settings->log_level < before) {
        log_set_level(server->log, settings->log_level); /* else when all this is logged */
    }
    domain_set_limits(server->domain, settings->admit_ca, settings->max_file_bytes);
    hub_set_limits(server->hub, settings->max_file_bytes, (uint32_t)settings->message_rate,
                   (uint32_t)settings->message_burst);
    reload_tell_host(server);
}

static void take(struct server *server)
{
    struct reload *reload = &server->reload;
    struct settings_changes changes;
    authority_unref(server->authority);
    server->authority = reload->authority;
    reload->authority = NULL;
    apply_settings(server, &changes);
    reload->last_reason[0] = '\0';
    log_line(server->log, LOG_INFO, "event=reloaded revoked=%zu changed=%s",
             authority_revoked_count(server->authority),
             changes.now[0] != '\0' ? changes.now : "none");
    if (changes.later[0] != '\0') {
        log_line(server->log, LOG_WARNING,
                 "event=restart_needed keys=%s reason=\"a change of these takes effect at the next "
                 "start only\"",
                 changes.later);
    }
    reload_warn_stale(server);
    log_set_level(server->log, server->settings->log_level);
    server->judging = server->connections;
}

static void keep(struct server *server)
{
    struct reload *reload = &server->reload;
    if (reload->retrying && strcmp(reload->reason, reload->last_reason) == 0) {
        return; /* said already, and nobody has asked again */
    }
    char reason[SETTINGS_MESSAGE_BYTES];
    memcpy(reload->last_reason, reload->reason, sizeof reload->last_reason);
    log_line(server->log, LOG_ERROR, "event=reload_failed error=%s reason=%s",
             sp_error_name(reload->error),
             log_value(reload->reason, strlen(reload->reason), reason, sizeof reason));
}

void reload_finish(struct server *server)
{
    struct reload *reload = &server->reload;
    if (!reload->running || !atomic_load(&reload->done)) {
        return;
    }
    (void)pthread_join(reload->thread, NULL);
    reload->running = false;
    if (reload->error == SP_OK) {
        take(server);
    } else {
        keep(server);
    }
    settings_deinit(&reload->settings);
    if (reload->watch.fd >= 0) {
        watch_replace(&server->watch, &reload->watch);
        plan_retry(server);
    }
    if (reload->again && !server->stopping) {
        reload->again = false;
        start(server);
    }
}

static void judge_some(struct server *server)
{
    int64_t wall_ms = clock_wall_ms(server->clock);
    for (size_t i = 0; i < JUDGED_PER_TURN && server->judging != NULL; i++) {
        struct connection *connection = server->judging;
        server->judging = connection->next;
        connection_judge(connection, wall_ms);
    }
}

void reload_tick(struct server *server)
{
    struct reload *reload = &server->reload;
    if (server->judging != NULL) {
        judge_some(server);
    }
    if (reload->due_ms != 0 && server->now_ms >= reload->due_ms && !server->stopping) {
        reload->due_ms = 0;
        start(server);
    }
    if (reload->refresh_ms != 0 && server->now_ms >= reload->refresh_ms && !server->stopping) {
        reload->refresh_ms = server->now_ms + REFRESH_INTERVAL_MS;
        start(server);
    }
}

int reload_timeout_ms(const struct server *server)
{
    if (server->judging != NULL) {
        return 0;
    }
    int64_t next_ms = server->reload.due_ms;
    if (next_ms == 0 || (server->reload.refresh_ms != 0 && server->reload.refresh_ms < next_ms)) {
        next_ms = server->reload.refresh_ms;
    }
    if (next_ms == 0 || server->stopping) {
        return -1;
    }
    int64_t left_ms = next_ms - server->now_ms;
    return left_ms > 0 ? (int)left_ms : 0;
}

void reload_deinit(struct server *server)
{
    struct reload *reload = &server->reload;
    if (reload->running) {
        (void)pthread_join(reload->thread, NULL);
        authority_unref(reload->authority);
        settings_deinit(&reload->settings);
    }
    watch_deinit(&reload->watch);
    watch_deinit(&server->watch);
}
