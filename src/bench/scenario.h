/* What sealpost-bench can do: each a function that runs once and adds what it has measured. */
#ifndef SP_BENCH_SCENARIO_H
#define SP_BENCH_SCENARIO_H

#include "bench/figures.h"
#include "bench/lab.h"

/* Nothing runs when it begins and when it has ended. On error it was said why. */
typedef enum sp_error (*scenario_fn)(struct lab *lab, struct figures *figures);

/* scenario_fanout.c */
SP_CHECK enum sp_error scenario_floor(struct lab *lab, struct figures *figures);
SP_CHECK enum sp_error scenario_fanout(struct lab *lab, struct figures *figures);
SP_CHECK enum sp_error scenario_commit(struct lab *lab, struct figures *figures);
/* scenario_sessions.c */
SP_CHECK enum sp_error scenario_connect(struct lab *lab, struct figures *figures);
SP_CHECK enum sp_error scenario_idle(struct lab *lab, struct figures *figures);
/* scenario_files.c */
SP_CHECK enum sp_error scenario_upload(struct lab *lab, struct figures *figures);
SP_CHECK enum sp_error scenario_download(struct lab *lab, struct figures *figures);

/* scenario_growth.c */
SP_CHECK enum sp_error scenario_growth(struct lab *lab, struct figures *figures);
/* scenario_history.c */
/* As many events as the pattern says in the first room; *HEAD of them in the end. */
SP_CHECK enum sp_error scenario_fill_history(struct lab *lab, uint64_t *head);
SP_CHECK enum sp_error scenario_history(struct lab *lab, struct figures *figures);

struct load_result;

/* The latencies of messages under way, in milliseconds; of scenario_fanout.c. */
void scenario_add_latency(struct figures *figures, const struct load_result *result, bool is_floor);
/* Bare commits of the disk for SECONDS: their rate and latency, as floors, unless FIGURES is NULL.
 */
SP_CHECK enum sp_error scenario_measure_commits(struct lab *lab, uint64_t seconds,
                                                struct figures *figures, double *per_second);

#endif
