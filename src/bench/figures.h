/*
 * What a run has measured: named figures, each with the floor that was measured beside it. Runs are
 * repeated; what is printed are medians, and the median of the ratios of each run to its own floor.
 */
#ifndef SP_BENCH_FIGURES_H
#define SP_BENCH_FIGURES_H

#include <stdio.h>

#include "base/base.h"

#define FIGURES_MAXIMUM 32
#define FIGURES_REPEATS 32

struct figure {
    const char *name;   /* "deliveries", for JSON as well */
    const char *unit;   /* "/s" */
    const char *target; /* "" if there is none */
    size_t count;
    size_t floor_count;
    double values[FIGURES_REPEATS];
    double floors[FIGURES_REPEATS];
};

struct figures {
    size_t count;
    struct figure figures[FIGURES_MAXIMUM];
};

/* One more value of the figure NAME, which is made when it is new. The strings are borrowed. */
void figures_add(struct figures *figures, const char *name, const char *unit, double value);
/* The same of the bare server, disk or cipher. */
void figures_add_floor(struct figures *figures, const char *name, const char *unit, double floor);
/* NULL if there is none of that NAME. */
const struct figure *figures_find(const struct figures *figures, const char *name);
/* What is aimed at, in words. */
void figures_set_target(struct figures *figures, const char *name, const char *target);

void figures_print(const struct figures *figures, FILE *file);
/* One object; SCENARIO and its DESCRIPTION are text without anything to escape. */
void figures_print_json(const struct figures *figures, const char *scenario,
                        const char *description, FILE *file);

#endif
