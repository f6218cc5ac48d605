/*
 * Where a run takes place: a temporary directory on the disk to be measured, with a certificate
 * authority, the server's configuration and state. Starts and stops what is measured: sealpostd, or
 * the bare server in its place.
 */
#ifndef SP_BENCH_LAB_H
#define SP_BENCH_LAB_H

#include <sys/types.h>

#include "bench/options.h"
#include "tls/authority.h"

#define LAB_PATH_BYTES 1024
#define BARE_COMMAND "serve-bare" /* of this program: runs the bare server */

struct lab {
    const struct options *options;
    char directory[LAB_PATH_BYTES]; /* removed by lab_close() */
    char ca[LAB_PATH_BYTES];
    struct authority **members; /* options->members of them */
    pid_t server;               /* what is running, or 0 */
    uint16_t port;
};

/* Makes directory and certificates. What fails is said on standard error. */
SP_CHECK enum sp_error lab_open(const struct options *options, struct lab *out);
void lab_close(struct lab *lab);

/* A server with an empty state. */
SP_CHECK enum sp_error lab_start_server(struct lab *lab);
/* The same with the state that the last one has left. */
SP_CHECK enum sp_error lab_restart_server(struct lab *lab);
SP_CHECK enum sp_error lab_start_bare(struct lab *lab);
/* Stops it, and says so when it did not end well. */
void lab_stop(struct lab *lab);

/* Lets the disk finish what earlier runs have left to it, so that this one does not pay for it. */
void lab_settle(const struct lab *lab);
/* The processor that servers run on; -1: any. */
int lab_server_cpu(const struct lab *lab);
int lab_generator_cpu(const struct lab *lab);

#endif
