#include "domain/domain.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "domain/batch.h"
#include "domain/lookup.h"

#define IDLE_CHECKPOINT_MS 200      /* without a command before the WAL is written back */
#define BUSY_CHECKPOINT_PAGES 8192U /* in the WAL: written back between two commits */

struct domain {
    struct domain_config config;
    struct core core;
    struct queue commands;
    struct queue reads;
    struct outbox outbox;
    pthread_t thread;
    struct lookup *lookup;
    bool has_queues;
    bool opened;
    bool started;
    bool checkpoint_failed; /* and was logged */
    _Atomic bool has_readers;
    _Atomic bool stopping; /* set after the queues were closed */
    _Atomic bool dead;     /* a sync failed */
    _Atomic uint64_t commits;
    _Atomic uint64_t events;
    _Atomic uint64_t last_commit_us;
    _Atomic uint64_t longest_commit_us;
};

static uint64_t now_us(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static enum sp_error init_queues(struct domain *domain)
{
    enum sp_error error = queue_init(&domain->commands, LIMIT_WAITING_COMMANDS);

    if (error != SP_OK) {
        return error;
    }
    error = queue_init(&domain->reads, LIMIT_WAITING_COMMANDS);
    if (error != SP_OK) {
        queue_deinit(&domain->commands);
        return error;
    }
    error = outbox_init(&domain->outbox);
    if (error != SP_OK) {
        queue_deinit(&domain->reads);
        queue_deinit(&domain->commands);
        return error;
    }
    domain->has_queues = true;
    return SP_OK;
}

enum sp_error domain_open(const struct domain_config *config, struct domain **out, char *reason,
                          size_t capacity)
{
    struct domain *domain = calloc(1, sizeof *domain);
    enum sp_error error = SP_ENOMEM;

    *out = NULL;
    reason[0] = '\0';
    if (domain == NULL) {
        goto out;
    }
    domain->config = *config;
    error = init_queues(domain);
    if (error == SP_OK && config->readers > 0 && strcmp(config->path, DB_MEMORY) == 0) {
        error = SP_ECONFIG;
    }
    if (error == SP_OK) {
        error = core_open(config, &domain->core, reason, capacity);
        domain->opened = error == SP_OK;
    }
out:
    if (error != SP_OK) {
        if (reason[0] == '\0') {
            (void)snprintf(reason, capacity, "%s", sp_error_text(error));
        }
        domain_close(domain);
        return error;
    }
    *out = domain;
    return SP_OK;
}

static void free_waiting(struct queue *queue)
{
    struct queue_item *item = queue_take(queue, 0);

    while (item != NULL) {
        struct queue_item *next = item->next;
        command_free(CONTAINER_OF(item, struct command, item));
        item = next;
    }
}

void domain_close(struct domain *domain)
{
    if (domain == NULL) {
        return;
    }
    if (domain->has_queues) {
        domain_stop(domain);
        free_waiting(&domain->commands);
        free_waiting(&domain->reads);
        queue_deinit(&domain->commands);
        queue_deinit(&domain->reads);
        outbox_deinit(&domain->outbox);
    }
    if (domain->opened) {
        core_close(&domain->core);
    }
    free(domain);
}

/* Durability is lost: no more answers, no more commands. */
static enum sp_error die(struct domain *domain)
{
    if (atomic_exchange(&domain->dead, true)) {
        return SP_EIO;
    }
    queue_close(&domain->commands);
    queue_close(&domain->reads);
    free_waiting(&domain->commands);
    log_line(domain->config.log, LOG_ERROR, "event=durability-lost reason=sync-failed");
    if (domain->config.fatal != NULL) {
        domain->config.fatal(domain->config.context, SP_EIO);
    }
    return SP_EIO;
}

/* As much of the WAL as no reader needs, back into the database. */
static enum sp_error checkpoint(struct domain *domain)
{
    bool complete = false;
    enum sp_error error = db_checkpoint(domain->core.db, DB_CHECKPOINT_PASSIVE, &complete);

    if (db_sync_failed(domain->core.db)) {
        return die(domain);
    }
    if (error != SP_OK && !domain->checkpoint_failed) {
        /* Not lost: it stays in the WAL, and is tried again. Said once, not five times a second. */
        log_line(domain->config.log, LOG_WARNING, "event=checkpoint-failed error=%s",
                 sp_error_name(error));
    }
    domain->checkpoint_failed = error != SP_OK;
    return SP_OK;
}

static void count_commit(struct domain *domain, const struct batch_result *result, uint64_t us)
{
    atomic_fetch_add(&domain->commits, result->commit_count);
    atomic_fetch_add(&domain->events, result->event_count);
    atomic_store(&domain->last_commit_us, us);
    if (us > atomic_load(&domain->longest_commit_us)) {
        atomic_store(&domain->longest_commit_us, us);
    }
}

static enum sp_error run_batch(struct domain *domain, struct queue_item *commands)
{
    struct batch_result result;
    uint64_t start = now_us();

    if (batch_run(&domain->core, commands, &result) != SP_OK) {
        return die(domain);
    }
    count_commit(domain, &result, now_us() - start);
    if (result.first != NULL && outbox_put(&domain->outbox, result.first, result.last) &&
        domain->config.notify != NULL) {
        domain->config.notify(domain->config.context);
    }
    return db_wal_pending(domain->core.db) >= BUSY_CHECKPOINT_PAGES ? checkpoint(domain) : SP_OK;
}

/* One step of erasing what is not kept, if one is due. */
static enum sp_error erase(struct domain *domain)
{
    struct command *command = NULL;
    int64_t now_ms = clock_monotonic_ms(domain->config.clock);

    if (!retention_is_due(&domain->core, now_ms)) {
        return SP_OK;
    }
    if (command_new(COMMAND_ERASE, 0, &command) != SP_OK) {
        return SP_OK; /* there will be memory again */
    }
    command->received_ms = clock_wall_ms(domain->config.clock);
    command->erase_ms = now_ms;
    uint64_t commits = atomic_load(&domain->commits);
    enum sp_error error = run_batch(domain, &command->item);
    if (error == SP_OK && atomic_load(&domain->commits) > commits) {
        retention_stepped(&domain->core, now_ms);
    }
    return error;
}

/* What was erased is still in the WAL: that must go too. */
static enum sp_error scrub(struct domain *domain)
{
    bool complete = false;
    int64_t now_ms = clock_monotonic_ms(domain->config.clock);

    if (!retention_scrub_is_due(&domain->core, now_ms)) {
        return SP_OK;
    }
    enum sp_error error = db_checkpoint(domain->core.db, DB_CHECKPOINT_TRY, &complete);
    if (db_sync_failed(domain->core.db)) {
        return die(domain);
    }
    retention_scrubbed(&domain->core, now_ms, error == SP_OK && complete);
    return SP_OK;
}

/* What waits longest for a while: commands, or the time for something else. */
static struct queue_item *wait_for_commands(struct domain *domain, bool dirty)
{
    int64_t now_ms = clock_monotonic_ms(domain->config.clock);
    int64_t timeout_ms = retention_wait_ms(&domain->core, now_ms);

    if (dirty && (timeout_ms < 0 || timeout_ms > IDLE_CHECKPOINT_MS)) {
        timeout_ms = IDLE_CHECKPOINT_MS;
    }
    return timeout_ms < 0 ? queue_wait(&domain->commands, LIMIT_COMMANDS_PER_COMMIT)
                          : queue_wait_ms(&domain->commands, LIMIT_COMMANDS_PER_COMMIT, timeout_ms);
}

static void *run(void *argument)
{
    struct domain *domain = argument;
    struct queue_item *commands = NULL;
    enum sp_error error = SP_OK;

    while (error == SP_OK) {
        bool dirty = db_wal_pending(domain->core.db) > 0;
        commands = wait_for_commands(domain, dirty);
        if (commands != NULL) {
            error = run_batch(domain, commands);
        } else if (atomic_load(&domain->stopping) && queue_count(&domain->commands) == 0) {
            break;
        } else if (dirty) {
            error = checkpoint(domain);
        }
        if (error == SP_OK) {
            error = erase(domain);
        }
        if (error == SP_OK) {
            error = scrub(domain);
        }
    }
    return NULL;
}

enum sp_error domain_start(struct domain *domain)
{
    const struct lookup_config lookup = {
        .path = domain->config.path,
        .count = domain->config.readers,
        .queue = &domain->reads,
        .outbox = &domain->outbox,
        .log = domain->config.log,
        .silent = &domain->dead,
        .notify = domain->config.notify,
        .context = domain->config.context,
    };
    enum sp_error error = SP_OK;

    if (domain->config.readers > 0) {
        error = lookup_start(&lookup, &domain->lookup);
        if (error != SP_OK) {
            return error;
        }
        atomic_store(&domain->has_readers, true);
    }
    if (pthread_create(&domain->thread, NULL, run, domain) != 0) {
        return SP_EIO; /* domain_close() ends the readers */
    }
    domain->started = true;
    return SP_OK;
}

void domain_set_limits(struct domain *domain, bool admit_ca, uint64_t max_file_bytes)
{
    atomic_store(&domain->core.admit_ca, admit_ca);
    atomic_store(&domain->core.max_file_bytes, max_file_bytes);
}

void domain_stop(struct domain *domain)
{
    queue_close(&domain->commands);
    queue_close(&domain->reads);
    atomic_store(&domain->stopping, true);
    if (domain->started) {
        (void)pthread_join(domain->thread, NULL);
        domain->started = false;
    } else if (!atomic_load(&domain->dead) && domain->opened) {
        (void)!domain_step(domain);
    }
    lookup_stop(domain->lookup);
    domain->lookup = NULL;
}

enum sp_error domain_submit(struct domain *domain, struct command *command)
{
    bool reads = !command_is_for_domain(command->kind) && atomic_load(&domain->has_readers);

    return queue_push(reads ? &domain->reads : &domain->commands, &command->item);
}

bool domain_has_room(struct domain *domain)
{
    return queue_count(&domain->commands) < LIMIT_WAITING_COMMANDS / 2 &&
           queue_count(&domain->reads) < LIMIT_WAITING_COMMANDS / 2;
}

struct publication *domain_take(struct domain *domain)
{
    return outbox_take(&domain->outbox);
}

enum sp_error domain_step(struct domain *domain)
{
    struct queue_item *commands = NULL;
    enum sp_error error = atomic_load(&domain->dead) ? SP_EIO : SP_OK;

    while (error == SP_OK && (commands = queue_take(&domain->commands, 0)) != NULL) {
        error = run_batch(domain, commands);
    }
    if (error == SP_OK) {
        error = erase(domain);
    }
    return error == SP_OK ? scrub(domain) : error;
}

bool domain_has_file(struct domain *domain, uint32_t bucket, const struct id *file)
{
    struct file_info info;
    enum sp_error error = store_find_file(&domain->core.store, file, &info);

    return error == SP_OK ? info.bucket == bucket : error != SP_ENOTFOUND;
}

void domain_get_status(struct domain *domain, struct domain_status *out)
{
    out->waiting_writes = queue_count(&domain->commands);
    out->waiting_reads = queue_count(&domain->reads);
    out->waiting_commands = out->waiting_writes + out->waiting_reads;
    out->commits = atomic_load(&domain->commits);
    out->events = atomic_load(&domain->events);
    out->last_commit_us = atomic_load(&domain->last_commit_us);
    out->longest_commit_us = atomic_load(&domain->longest_commit_us);
}
