/*
 * The floor under every figure: a server that has nothing but OpenSSL and poll(2) between its
 * sockets. The same certificates, cipher and checks of a handshake, the same frames, but no rules,
 * no storage, no threads. It cannot be beaten by a server that does more, so what it reaches on the
 * same machine in the same minute is the limit.
 *
 * It speaks as much of the protocol as load.c and transfer.c need (bare_room.h).
 */
#ifndef SP_BENCH_BARE_H
#define SP_BENCH_BARE_H

#include "base/base.h"

/* Serves on 127.0.0.1 with the certificates that make-test-ca has put into the directory CA, after
 * a line "event=listening port=N" on standard error. Returns only if it cannot; SIGTERM ends it. */
void bare_serve(const char *ca);

#endif
