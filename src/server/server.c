/* The composition and the loop. */
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "server/internal.h"

#define SWEEP_INTERVAL_MS 500

static void notified(void *context)
{
    struct server *server = context;
    wake_up(&server->wake);
}

/* On the domain's thread: what was written may be lost, so nobody may be answered any more. */
static void lost_durability(void *context, enum sp_error error)
{
    struct server *server = context;
    atomic_store(&server->fatal, (int)error);
    wake_up(&server->wake);
}

/* Somebody asks how the server is doing. */
static void serve_control(struct server *server)
{
    if (control_is_asked(server->control)) {
        size_t connections = 0;
        const struct connection *connection = NULL;
        DL_COUNT(server->connections, connection, connections);
        control_serve(server->control, server->hub, connections, server->unauthenticated);
    }
}

static void wake_ready(struct source *source, short revents)
{
    (void)revents;
    struct server *server = CONTAINER_OF(source, struct server, wake_source);
    wake_clear(&server->wake);
    if (atomic_load(&server->fatal) == SP_OK) {
        hub_take(server->hub);
        reload_finish(server);
        serve_control(server);
    }
}

static void stop(struct server *server)
{
    if (server->stopping) {
        server->stop_deadline_ms = server->now_ms; /* asked twice: now */
        return;
    }
    log_line(server->log, LOG_INFO, "event=stopping sessions=%zu", hub_session_count(server->hub));
    server->stopping = true;
    server->stop_deadline_ms = server->now_ms + DRAIN_TIMEOUT_MS;
    listener_update(server);
}

static void signal_ready(struct source *source, short revents)
{
    (void)revents;
    struct server *server = CONTAINER_OF(source, struct server, signal_source);
    struct signalfd_siginfo info;
    while (read(server->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            reload_start(server);
        } else {
            stop(server);
        }
    }
}

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void server_block_signals(void)
{
    sigset_t set;
    signal_set(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* One descriptor a session: as many as the system allows us. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool file_is_known(void *context, uint32_t bucket, const struct id *file)
{
    return domain_has_file(context, bucket, file);
}

/* The directory of all that is kept, made if it is absent. Its name must be durable before what is
 * in it can be. */
static enum sp_error make_state(const char *path, char *message, size_t capacity)
{
    char *parent = NULL;
    if (mkdir(path, 0700) != 0) {
        if (errno == EEXIST) {
            return SP_OK;
        }
        snprintf(message, capacity, "%s: %s", path, error_text(errno));
        return SP_EFILE;
    }
    if (asprintf(&parent, "%s/..", path) < 0) {
        return SP_ENOMEM;
    }
    enum sp_error error = file_sync_directory(parent);
    if (error != SP_OK) {
        snprintf(message, capacity, "%s: its parent directory cannot be synced", path);
    }
    free(parent);
    return error;
}

static enum sp_error open_store(struct server *server, char *message, size_t capacity)
{
    const struct settings *settings = server->settings;
    char *database = NULL;
    char *directory = NULL;
    enum sp_error error = make_state(settings->state, message, capacity);
    if (error != SP_OK) {
        return error;
    }
    error = SP_ENOMEM;
    if (asprintf(&database, "%s/sealpost.db", settings->state) < 0) {
        database = NULL;
        goto out;
    }
    if (asprintf(&directory, "%s/files", settings->state) < 0) {
        directory = NULL;
        goto out;
    }
    struct domain_config domain = {
        .path = database,
        .team = settings->team,
        .admit_ca = settings->admit_ca,
        .readers = (unsigned)settings->readers,
        .max_file_bytes = (int64_t)settings->max_file_bytes,
        .issue = server->issuer != NULL ? &server->issue : NULL,
        .clock = server->clock,
        .log = server->log,
        .notify = notified,
        .fatal = lost_durability,
        .context = server,
    };
    struct files_config files = {
        .directory = directory,
        .workers = (unsigned)settings->file_workers,
        .reserve_bytes = settings->disk_reserve_bytes,
        .log = server->log,
        .notify = notified,
        .context = server,
    };
    error = domain_open(&domain, &server->domain, message, capacity);
    if (error == SP_OK) {
        error = files_open(&files, &server->files, message, capacity);
    }
    if (error == SP_OK) {
        error = files_sweep(server->files, file_is_known, server->domain);
        snprintf(message, capacity, "%s: cannot be swept", directory);
    }
    if (error == SP_OK) {
        error = domain_start(server->domain);
        snprintf(message, capacity, "the domain's threads cannot be started");
    }
    if (error == SP_OK) {
        error = files_start(server->files);
        snprintf(message, capacity, "the file workers cannot be started");
    }
out:
    free(database);
    free(directory);
    return error;
}

/* Without it the server serves all the same. */
static void open_control(struct server *server)
{
    char reason[256] = "";
    const struct control_config control = {
        .state = server->settings->state,
        .team = server->settings->team,
        .domain = server->domain,
        .wake = &server->wake,
        .log = server->log,
    };
    if (control_start(&control, &server->control, reason, sizeof reason) != SP_OK) {
        log_line(server->log, LOG_WARNING, "event=no_control_socket reason=\"%s\"", reason);
    }
}

static enum sp_error open_loop(struct server *server, char *message, size_t capacity)
{
    sigset_t set;
    signal_set(&set);
    server->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    server->wake_source.ready = wake_ready;
    server->signal_source.ready = signal_ready;
    struct hub_config hub = {
        .team = server->settings->team,
        .server = SERVER_NAME,
        .max_sessions = (uint32_t)server->settings->max_sessions,
        .max_file_bytes = server->settings->max_file_bytes,
        .message_rate = (uint32_t)server->settings->message_rate,
        .message_burst = (uint32_t)server->settings->message_burst,
        .tail_bytes = LIMIT_TAIL_BYTES,
        .clock = server->clock,
        .log = server->log,
        .domain = server->domain,
        .files = server->files,
    };
    snprintf(message, capacity, "the loop cannot be set up: %s", error_text(errno));
    if (server->signal_fd < 0 || hub_new(&hub, &server->hub) != SP_OK ||
        pollset_add(&server->pollset, &server->wake_source, server->wake.read_fd, POLLIN) !=
            SP_OK ||
        pollset_add(&server->pollset, &server->signal_source, server->signal_fd, POLLIN) != SP_OK) {
        return SP_EIO;
    }
    enum sp_error error = listener_open_all(server, message, capacity);
    if (error == SP_OK) {
        open_control(server);
    }
    return error;
}

enum sp_error server_new(const struct settings_source *source, struct settings *settings,
                         struct log *log, struct server **out, char *message, size_t capacity)
{
    *out = NULL;
    snprintf(message, capacity, "%s", sp_error_text(SP_ENOMEM));
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return SP_ENOMEM;
    }
    server->source = source;
    server->settings = settings;
    server->clock = clock_system();
    server->log = log;
    server->signal_fd = -1;
    watch_init(&server->watch);
    watch_init(&server->reload.watch);
    server->now_ms = clock_monotonic_ms(server->clock);
    pollset_init(&server->pollset);
    raise_descriptor_limit();
    enum sp_error error = wake_init(&server->wake);
    if (error != SP_OK) {
        free(server);
        return error;
    }
    error = address_table_new(&server->addresses);
    if (error == SP_OK) {
        reload_watch(server); /* first: what changes from here on is noticed */
        issue_refresh(settings, clock_wall_ms(server->clock), log);
        error = reload_load(settings, server->clock, &server->authority, message, capacity);
    }
    if (error == SP_OK) {
        error = issue_open(settings, &server->issuer, &server->issue, message, capacity);
    }
    if (error == SP_OK) {
        error = open_store(server, message, capacity);
    }
    if (error == SP_OK) {
        error = open_loop(server, message, capacity);
    }
    if (error != SP_OK) {
        if (message[0] == '\0') { /* who runs out of memory may not have had time for a sentence */
            snprintf(message, capacity, "%s", sp_error_text(error));
        }
        server_free(server);
        return error;
    }
    reload_warn_stale(server);
    reload_tell_host(server);
    *out = server;
    return SP_OK;
}

void server_free(struct server *server)
{
    if (server == NULL) {
        return;
    }
    reload_deinit(server);
    struct connection *connection = NULL;
    struct connection *next = NULL;
    DL_FOREACH_SAFE (server->connections, connection, next) {
        connection_free(connection);
    }
    listener_close_all(server);
    control_stop(server->control);
    hub_free(server->hub); /* lets go of its uploads, while there are workers to tell */
    files_close(server->files);
    domain_close(server->domain);
    authority_unref(server->authority);
    issuer_free(server->issuer);
    address_table_free(server->addresses);
    pollset_deinit(&server->pollset);
    wake_deinit(&server->wake);
    if (server->signal_fd >= 0) {
        close(server->signal_fd);
    }
    free(server);
}

/* Of these there may be thousands a second: a line for all of them. */
static void log_crowds(struct server *server)
{
    if (server->turned_away > 0) {
        log_line(server->log, LOG_WARNING,
                 "event=turned_away connections=%llu reason=\"too many logins or failures from one "
                 "address\"",
                 (unsigned long long)server->turned_away);
        server->turned_away = 0;
    }
    if (server->crowded_out > 0) {
        log_line(server->log, LOG_WARNING,
                 "event=crowded_out connections=%llu reason=\"too many handshakes at a time; the "
                 "oldest were cut\"",
                 (unsigned long long)server->crowded_out);
        server->crowded_out = 0;
    }
}

static void sweep(struct server *server)
{
    if (server->now_ms - server->swept_ms < SWEEP_INTERVAL_MS) {
        return;
    }
    server->swept_ms = server->now_ms;
    int64_t wall_ms = clock_wall_ms(server->clock);
    struct connection *connection = NULL;
    DL_FOREACH (server->connections, connection) {
        connection_sweep(connection, wall_ms);
    }
    address_table_sweep(server->addresses, server->now_ms);
    log_crowds(server);
}

/* While stopping: whoever waits for nothing any more is told and let go. */
static void drain(struct server *server)
{
    bool late = server->now_ms >= server->stop_deadline_ms;
    struct connection *connection = NULL;
    DL_FOREACH (server->connections, connection) {
        bool is_busy =
            connection->state == CONNECTION_SERVING && session_is_busy(connection->session);
        if (late || !is_busy) {
            connection_end(connection, SP_ESHUTDOWN);
        }
    }
}

static void turn_ready(struct server *server)
{
    /* Who is put back among the ready ones in this round comes in the next. */
    size_t count = hub_ready_count(server->hub);
    for (size_t i = 0; i < count; i++) {
        struct session *session = hub_next_ready(server->hub);
        if (session == NULL) {
            break;
        }
        connection_turn(session_owner(session));
    }
}

static void free_dead(struct server *server)
{
    if (!server->any_dead) {
        return;
    }
    server->any_dead = false;
    struct connection *connection = NULL;
    struct connection *next = NULL;
    DL_FOREACH_SAFE (server->connections, connection, next) {
        if (connection->state == CONNECTION_DEAD) {
            connection_free(connection);
        }
    }
}

static bool is_finished(const struct server *server)
{
    bool late = server->now_ms >= server->stop_deadline_ms + CLOSING_TIMEOUT_MS;
    bool idle = server->connections == NULL && hub_busy_count(server->hub) == 0;
    return server->stopping && (idle || late);
}

static int timeout_ms(const struct server *server)
{
    int timeout = hub_timeout_ms(server->hub);
    bool anybody = server->connections != NULL || server->accept_again_ms != 0;
    if (timeout < 0 && (anybody || server->stopping)) {
        timeout = server->stopping ? 20 : SWEEP_INTERVAL_MS;
    }
    int reload = reload_timeout_ms(server);
    return reload >= 0 && (timeout < 0 || reload < timeout) ? reload : timeout;
}

enum sp_error server_run(struct server *server)
{
    enum sp_error error = SP_OK;
    log_line(server->log, LOG_INFO, "event=serving team=%s version=%s", server->settings->team,
             SEALPOST_VERSION);
    while (error == SP_OK && !is_finished(server)) {
        error = pollset_wait(&server->pollset, timeout_ms(server));
        server->now_ms = clock_monotonic_ms(server->clock);
        hub_set_time(server->hub, server->now_ms);
        if (error == SP_OK) {
            pollset_dispatch(&server->pollset);
            error = (enum sp_error)atomic_load(&server->fatal);
        }
        if (error != SP_OK) {
            break; /* nothing more is sent */
        }
        hub_tick(server->hub);
        reload_tick(server);
        sweep(server);
        if (server->stopping) {
            listener_close_all(server); /* not while sources are being called */
            drain(server);
        }
        turn_ready(server);
        free_dead(server);
        listener_update(server);
    }
    log_line(server->log, error == SP_OK ? LOG_INFO : LOG_ERROR, "event=stopped error=%s",
             sp_error_name(error));
    return error;
}
