/*
 * Finding and reaching a server: all addresses of a host name in turn, without blocking, until one
 * takes the TCP connection. Called by link.c. Only dial_start() blocks, in getaddrinfo(3).
 */
#ifndef SP_CLIENT_CONNECT_H
#define SP_CLIENT_CONNECT_H

#include "base/base.h"

struct addrinfo;

struct dial {
    struct addrinfo *addresses; /* NULL: nothing is being dialled */
    struct addrinfo *at;        /* the one that is tried now */
    size_t left;                /* how many there are from AT on */
    int fd;                     /* -1: none */
    int64_t deadline_ms;        /* of all of them */
    int64_t attempt_ms;         /* of this one */
    const char *problem;        /* what the last one failed with; static */
};

void dial_init(struct dial *dial);
void dial_deinit(struct dial *dial); /* may be called twice */

/* Looks HOST up and begins. SP_EUNREACHABLE with *PROBLEM (static) if it has no address. NOW_MS and
 * the deadline are monotonic. */
SP_CHECK enum sp_error dial_start(struct dial *dial, const char *host, uint16_t port,
                                  int64_t now_ms, int64_t deadline_ms, const char **problem);

/*
 * Goes on, when the socket is writable or time is up. SP_OK: *OUT is the caller's, connected and
 * non-blocking; SP_EAGAIN: wait; SP_EUNREACHABLE: no address is left, *PROBLEM says what the last
 * one failed with.
 */
SP_CHECK enum sp_error dial_step(struct dial *dial, int64_t now_ms, int *out, const char **problem);

#endif
