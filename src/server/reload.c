/*
 * Reloading: a new authority is built and checked on a thread of its own, then swapped in; if it is
 * bad, the old one stays. Sessions that it no longer lets in are told why and closed.
 */
#include <string.h>

#include "server/internal.h"

#define STALE_WARNING_MS (7 * INT64_C(86400000))

enum sp_error reload_load(const struct settings *settings, const struct clock *clock,
                          struct authority **out, char *reason, size_t capacity)
{
    struct authority_server_config config = {
        .team = settings->team,
        .ca_file = settings->ca,
        .cert_file = settings->cert,
        .key_file = settings->key,
        .crl_file = settings->crl,
        .clock = clock,
    };
    return authority_new_server(&config, out, reason, capacity);
}

static void *load(void *context)
{
    struct server *server = context;
    struct reload *reload = &server->reload;
    reload->error = reload_load(server->settings, server->clock, &reload->authority, reload->reason,
                                sizeof reload->reason);
    atomic_store(&reload->done, true);
    wake_up(&server->wake);
    return NULL;
}

void reload_start(struct server *server)
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

void reload_warn_stale(struct server *server)
{
    int64_t next_ms = authority_crl_next_update_ms(server->authority);
    hub_set_crl_next_update(server->hub, next_ms);
    if (next_ms - clock_wall_ms(server->clock) < STALE_WARNING_MS) {
        char when[RFC3339_BYTES];
        clock_format_rfc3339(next_ms, when);
        log_line(
            server->log, LOG_WARNING,
            "event=crl_stale_soon next_update=%s reason=\"logins are refused from then on; make "
            "a new list and send SIGHUP\"",
            when);
    }
}

static void finish(struct server *server)
{
    struct reload *reload = &server->reload;
    if (reload->error != SP_OK) {
        char reason[AUTHORITY_REASON_BYTES];
        log_line(server->log, LOG_ERROR, "event=reload_failed error=%s reason=%s",
                 sp_error_name(reload->error),
                 log_value(reload->reason, strlen(reload->reason), reason, sizeof reason));
        return;
    }
    authority_unref(server->authority);
    server->authority = reload->authority;
    reload->authority = NULL;
    log_line(server->log, LOG_INFO, "event=reloaded revoked=%zu",
             authority_revoked_count(server->authority));
    reload_warn_stale(server);
    int64_t wall_ms = clock_wall_ms(server->clock);
    struct connection *connection = NULL;
    DL_FOREACH (server->connections, connection) {
        connection_judge(connection, wall_ms);
    }
}

void reload_finish(struct server *server)
{
    struct reload *reload = &server->reload;
    if (!reload->running || !atomic_load(&reload->done)) {
        return;
    }
    (void)pthread_join(reload->thread, NULL);
    reload->running = false;
    finish(server);
    if (reload->again && !server->stopping) {
        reload->again = false;
        reload_start(server);
    }
}
