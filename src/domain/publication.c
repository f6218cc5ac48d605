#include "domain/publication.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum sp_error event_record_new(size_t body_size, struct event_record **out)
{
    struct event_record *record = NULL;

    *out = NULL;
    if (body_size > LIMIT_EVENT_BODY_BYTES) {
        return SP_ETOOLARGE;
    }
    record = malloc(sizeof *record + body_size);
    if (record == NULL) {
        return SP_ENOMEM;
    }
    memset(record, 0, sizeof *record + body_size);
    record->body_size = body_size;
    record->body = (uint8_t *)(record + 1);
    *out = record;
    return SP_OK;
}

enum sp_error reply_new(enum reply_kind kind, const struct origin *origin, struct reply **out)
{
    struct reply *reply = calloc(1, sizeof *reply);

    *out = NULL;
    if (reply == NULL) {
        return SP_ENOMEM;
    }
    reply->kind = kind;
    reply->origin = *origin;
    *out = reply;
    return SP_OK;
}

static void free_owned(struct reply *reply)
{
    switch (reply->kind) {
    case REPLY_LIST:
        free(reply->list.rows);
        break;
    case REPLY_FILE:
        free(reply->file.content);
        break;
    case REPLY_PAGE:
        for (size_t i = 0; i < reply->page.count; i++) {
            free(reply->page.events[i]);
        }
        free(reply->page.events);
        break;
    case REPLY_ENROLLED:
        free(reply->enrolled.chain);
        break;
    default: /* the others own nothing */
        break;
    }
}

void reply_free(struct reply *reply)
{
    if (reply != NULL) {
        free_owned(reply);
        free(reply);
    }
}

void reply_clear(struct reply *reply)
{
    struct origin origin = reply->origin;

    free_owned(reply);
    memset(reply, 0, sizeof *reply);
    reply->kind = REPLY_ERROR;
    reply->origin = origin;
}

/* What ERROR means for the log or the file that COMMAND names. */
static void explain(const struct command *command, enum sp_error error, char *out, size_t capacity)
{
    const char *name = command->log.name;
    bool about_log = name[0] != '\0' && command->kind != COMMAND_FILE;

    if (error == SP_ENOTFOUND && command->kind == COMMAND_FILE) {
        (void)snprintf(out, capacity, "there is no file %s that you may read",
                       command->file_prefix.digits);
    } else if (error == SP_ENOTFOUND && about_log) {
        (void)snprintf(out, capacity, "there is no room and no box named %s", name);
    } else if (error == SP_ENOTJOINED && about_log) {
        (void)snprintf(out, capacity, "you are not in %s", name);
    } else if (error == SP_EEXISTS && about_log) {
        (void)snprintf(out, capacity, "there is a room or a box named %s already", name);
    } else if (error == SP_ENAME && command->kind == COMMAND_OFFER) {
        (void)snprintf(out, capacity, "the file's name is not allowed");
    }
}

void reply_fail(struct reply *reply, const struct command *command, enum sp_error error)
{
    char detail[sizeof reply->detail];

    memcpy(detail, reply->detail, sizeof detail);
    reply_clear(reply);
    memcpy(reply->detail, detail, sizeof detail);
    if (detail[0] == '\0') {
        explain(command, error, reply->detail, sizeof reply->detail);
    }
    reply->error = error;
}

void publication_free(struct publication *publication)
{
    if (publication == NULL) {
        return;
    }
    switch (publication->kind) {
    case PUBLISH_REPLY:
        reply_free(publication->reply);
        break;
    case PUBLISH_EVENT:
        free(publication->event);
        break;
    case PUBLISH_READ_STATE:
        free(publication->read.state);
        break;
    case PUBLISH_ACCESS_ENDED:
    case PUBLISH_SHUT_OUT:
    case PUBLISH_ERASED:
    case PUBLISH_DISCARD:
        break;
    }
    free(publication);
}
