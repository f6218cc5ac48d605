/*
 * One client of the kill test: follows the log to its head; then, as it is told, asks again what
 * was not answered, and sends on, with a few requests under way at a time, and marks what it has
 * seen as read. When its connection is lost it waits to be connected again.
 */
#ifndef TESTS_FAULT_KILL_CLIENT_H
#define TESTS_FAULT_KILL_CLIENT_H

#include "fault/promises.h"

#define KILL_ROOM "storm"
#define KILL_CLOSED "closed" /* a room that only the first client is in */
#define KILL_UNDER_WAY 4     /* requests of one client */

enum kill_state {
    KILL_AWAY,
    KILL_CONNECTING,
    KILL_SETTING_UP,  /* of the first connection only: makes or joins the room */
    KILL_CATCHING_UP, /* reads the log to its head */
    KILL_READY,       /* has seen everything, and asks if it is told to */
};

struct kill_request {
    uint32_t number; /* 0: free */
    struct promise *promise;
    int fd; /* of an upload; -1 */
};

struct kill_client {
    struct promises *promises;
    struct sp_client *client;
    unsigned index;
    bool uploads;
    bool asks;  /* again, what has no answer */
    bool sends; /* new requests, too */
    enum kill_state state;
    bool has_joined;
    uint32_t joining; /* requests of the connection's start */
    uint32_t following;
    uint64_t shown; /* events that anybody had seen before it asked to follow */
    uint64_t head;  /* of the log, when following began */
    uint64_t last;  /* sequence number that it has seen */
    struct kill_request under_way[KILL_UNDER_WAY];
    struct promise *unanswered[KILL_UNDER_WAY]; /* from before the connection was lost */
    struct promise *acknowledged;               /* its last one: to make a conflict with */
    uint32_t marking; /* a marker that is on its way, or is asked for, and where it is to be */
    uint64_t mark;
    uint64_t marked;  /* where it is known to be: it is never less again */
    uint32_t getting; /* a download under way */
    struct promise *wanted;
    int got_fd;
    uint32_t random;
};

/* BUNDLE: the directory with its ca.pem, cert.pem and key.pem. */
void kill_client_init(struct kill_client *client, struct promises *promises, unsigned index,
                      const char *bundle, uint16_t port, uint32_t seed);
void kill_client_deinit(struct kill_client *client);
void kill_client_connect(struct kill_client *client);
/* Takes what has come; makes new requests, which leave with kill_client_service(). */
void kill_client_turn(struct kill_client *client);
bool kill_client_is_idle(const struct kill_client *client); /* nothing waits for an answer */
/* Reads the log again from its start. */
void kill_client_reread(struct kill_client *client);
/* Gets the file of PROMISE and compares its bytes, if no other is under way. */
void kill_client_get(struct kill_client *client, struct promise *promise);

#endif
