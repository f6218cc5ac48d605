/*
 * The processes of a run: pinning, starting and stopping programs, and what /proc says that they
 * cost. Linux only. Nothing here knows what the programs do.
 */
#ifndef SP_BENCH_PROCESS_H
#define SP_BENCH_PROCESS_H

#include <sys/types.h>

#include "base/base.h"

#define PROCESS_SERVER_CPU 0
#define PROCESS_GENERATOR_CPU 1

uint64_t now_ns(void); /* monotonic */

/* The calling thread, and what it starts from now on, runs on CPU only; -1: on any. A machine that
 * does not have it: no error, nothing is changed. */
void process_pin(int cpu);
/* As many descriptors as the system allows. */
void process_raise_descriptor_limit(void);

/* Runs ARGV to its end, silently unless it fails. SP_EINTERNAL. */
SP_CHECK enum sp_error process_run(const char *const *argv);
/* Starts ARGV, its standard error in the file LOG; it ends with this process. SP_EINTERNAL. */
SP_CHECK enum sp_error process_start(const char *const *argv, const char *log, int cpu, pid_t *out);
/* Whether it has ended by itself; it is then gone, and process_stop() must not be called. */
bool process_has_ended(pid_t pid);
/* Asks it to stop and waits, 30 s at most, then kills it. SP_EINTERNAL unless it ended with 0. */
SP_CHECK enum sp_error process_stop(pid_t pid);

/* For a child made by fork(): ends with its parent, and runs on CPU. */
void process_become_child(int cpu);

struct process_cost {
    uint64_t cpu_ns;  /* of all threads */
    uint64_t main_ns; /* of the first thread; of the server: the poll loop */
};
/* What PID (0: this process) has used so far. Zeros when it is gone. */
struct process_cost process_cost(pid_t pid);
struct process_cost process_cost_since(pid_t pid, struct process_cost before);
/* Resident memory in bytes. */
uint64_t process_resident(pid_t pid);

#endif
