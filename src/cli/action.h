/*
 * Something to be done exactly once on the server, and how to ask for it; asked again, as often as
 * it takes, it is still done once. Used by the commands, one at a time, and by chat, many.
 */
#ifndef SP_CLI_ACTION_H
#define SP_CLI_ACTION_H

#include "base/base.h"
#include "sealpost/client.h"

enum action_kind {
    ACTION_ROOM_CREATE,
    ACTION_BOX_CREATE,
    ACTION_JOIN,
    ACTION_LEAVE,
    ACTION_TOPIC,
    ACTION_POST,
    ACTION_SEND,
    ACTION_RETENTION,
    ACTION_READ
};

struct action {
    enum action_kind kind;
    const char *log;  /* a checked name */
    const char *text; /* of TOPIC and POST; of SEND the file's name, NUL-terminated */
    size_t size;      /* of TEXT */
    int fd;           /* of SEND */
    struct sp_retention retention;
    uint64_t sequence;   /* of READ: up to there */
    struct sp_once once; /* not of READ, which is the same however often it is asked for */
};

/* Asks for it, once more. SP_OK with the request's number; the errors of sealpost/client.h. */
SP_CHECK enum sp_error action_start(const struct action *action, struct sp_client *client,
                                    uint32_t *request);

/* Whether it can be asked for again: not what comes out of a pipe. */
bool action_is_repeatable(const struct action *action);

/* Whether ERROR, after a request or when connecting, is worth another attempt. */
bool error_is_passing(enum sp_error error);

#endif
