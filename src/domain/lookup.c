#include "domain/lookup.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "domain/read.h"

#define DEADLINE_MS 2000 /* of one command */

struct lookup_thread {
    const struct lookup *lookup;
    struct db *db;
    struct store store;
    pthread_t thread;
    bool started;
};

struct lookup {
    struct lookup_config config;
    unsigned count;
    struct lookup_thread threads[];
};

/* In a transaction: what the actor may see and what it gets to see are of the same moment. */
static enum sp_error execute(struct lookup_thread *thread, const struct command *command,
                             struct reply *reply)
{
    db_set_deadline(thread->db, DEADLINE_MS);
    enum sp_error error = store_do(&thread->store, QUERY_BEGIN);
    if (error == SP_OK) {
        error = read_execute(&thread->store, command, reply);
        db_rollback(thread->db);
    }
    return error;
}

static void answer(struct lookup_thread *thread, struct command *command)
{
    const struct lookup_config *config = &thread->lookup->config;
    struct publication *publication = command->answer;

    publication->reply->origin = command->origin;
    enum sp_error error = execute(thread, command, publication->reply);
    if (error != SP_OK) {
        reply_fail(publication->reply, command, error);
        if (error == SP_EINTEGRITY || error == SP_EIO || error == SP_EINTERNAL) {
            log_line(config->log, LOG_ERROR, "event=read-failed kind=%d error=%s", command->kind,
                     sp_error_name(error));
        }
    }
    if (!atomic_load(config->silent)) {
        command->answer = NULL;
        if (outbox_put(config->outbox, &publication->item, &publication->item) &&
            config->notify != NULL) {
            config->notify(config->context);
        }
    }
    command_free(command);
}

static void *run(void *argument)
{
    struct lookup_thread *thread = argument;
    struct queue_item *item = NULL;

    while ((item = queue_wait(thread->lookup->config.queue, 1)) != NULL) {
        answer(thread, CONTAINER_OF(item, struct command, item));
    }
    return NULL;
}

static enum sp_error start_thread(struct lookup *lookup, struct lookup_thread *thread)
{
    char reason[256] = "";

    thread->lookup = lookup;
    enum sp_error error =
        db_open(lookup->config.path, DB_READER, &thread->db, reason, sizeof reason);
    if (error == SP_OK) {
        error = store_init(&thread->store, thread->db);
    }
    if (error == SP_OK && pthread_create(&thread->thread, NULL, run, thread) != 0) {
        error = SP_EIO;
    }
    if (error != SP_OK) {
        log_line(lookup->config.log, LOG_ERROR, "event=reader-failed error=%s reason=\"%s\"",
                 sp_error_name(error), reason);
        return error;
    }
    thread->started = true;
    return SP_OK;
}

enum sp_error lookup_start(const struct lookup_config *config, struct lookup **out)
{
    struct lookup *lookup =
        calloc(1, sizeof *lookup + config->count * sizeof(struct lookup_thread));
    enum sp_error error = SP_OK;

    *out = NULL;
    if (lookup == NULL) {
        return SP_ENOMEM;
    }
    lookup->config = *config;
    lookup->count = config->count;
    for (unsigned i = 0; error == SP_OK && i < lookup->count; i++) {
        error = start_thread(lookup, &lookup->threads[i]);
    }
    if (error != SP_OK) {
        queue_close(config->queue);
        lookup_stop(lookup);
        return error;
    }
    *out = lookup;
    return SP_OK;
}

void lookup_stop(struct lookup *lookup)
{
    if (lookup == NULL) {
        return;
    }
    for (unsigned i = 0; i < lookup->count; i++) {
        struct lookup_thread *thread = &lookup->threads[i];
        if (thread->started) {
            (void)pthread_join(thread->thread, NULL);
        }
        store_deinit(&thread->store);
        db_close(thread->db);
    }
    free(lookup);
}
