#include "bench/figures.h"

#include <stdlib.h>
#include <string.h>

struct spread {
    double median;
    double minimum;
    double maximum;
};

const struct figure *figures_find(const struct figures *figures, const char *name)
{
    for (size_t i = 0; i < figures->count; i++) {
        if (strcmp(figures->figures[i].name, name) == 0) {
            return &figures->figures[i];
        }
    }
    return NULL;
}

static struct figure *find_or_add(struct figures *figures, const char *name, const char *unit)
{
    for (size_t i = 0; i < figures->count; i++) {
        if (strcmp(figures->figures[i].name, name) == 0) {
            return &figures->figures[i];
        }
    }
    if (figures->count == FIGURES_MAXIMUM) {
        return NULL;
    }
    struct figure *figure = &figures->figures[figures->count++];
    *figure = (struct figure){.name = name, .unit = unit, .target = ""};
    return figure;
}

void figures_add(struct figures *figures, const char *name, const char *unit, double value)
{
    struct figure *figure = find_or_add(figures, name, unit);
    if (figure != NULL && figure->count < FIGURES_REPEATS) {
        figure->values[figure->count++] = value;
    }
}

void figures_add_floor(struct figures *figures, const char *name, const char *unit, double floor)
{
    struct figure *figure = find_or_add(figures, name, unit);
    if (figure != NULL && figure->floor_count < FIGURES_REPEATS) {
        figure->floors[figure->floor_count++] = floor;
    }
}

void figures_set_target(struct figures *figures, const char *name, const char *target)
{
    struct figure *figure = find_or_add(figures, name, "");
    if (figure != NULL) {
        figure->target = target;
    }
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static struct spread spread_of(const double *values, size_t count)
{
    double sorted[FIGURES_REPEATS];
    if (count == 0) {
        return (struct spread){0};
    }
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, compare);
    double middle = sorted[count / 2];
    if (count % 2 == 0) {
        middle = (middle + sorted[count / 2 - 1]) / 2;
    }
    return (struct spread){middle, sorted[0], sorted[count - 1]};
}

/* Of each run to the floor of the same run. */
static bool ratio_of(const struct figure *figure, struct spread *out)
{
    double ratios[FIGURES_REPEATS];
    size_t count = 0;
    for (size_t i = 0; i < figure->count && i < figure->floor_count; i++) {
        if (figure->floors[i] > 0) {
            ratios[count++] = figure->values[i] / figure->floors[i];
        }
    }
    *out = spread_of(ratios, count);
    return count > 0;
}

/* Three digits that count, and no more than is needed of what stands before the point. */
static const char *format_number(double number, char *out, size_t capacity)
{
    double size = number < 0 ? -number : number;
    int digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4;
    (void)snprintf(out, capacity, "%.*f", digits, number);
    return out;
}

static void print_spread(const double *values, size_t count, FILE *file)
{
    struct spread spread = spread_of(values, count);
    char text[64];
    char range[132] = "";
    char low[64];
    char high[64];
    if (count > 1) {
        (void)snprintf(range, sizeof range, "%s..%s",
                       format_number(spread.minimum, low, sizeof low),
                       format_number(spread.maximum, high, sizeof high));
    }
    (void)fprintf(file, " %10s %-18s",
                  count == 0 ? "-" : format_number(spread.median, text, sizeof text), range);
}

void figures_print(const struct figures *figures, FILE *file)
{
    (void)fprintf(file, "%-26s %-8s %10s %-18s %10s %-18s %6s  %s\n", "", "", "server", "", "floor",
                  "", "ratio", "target");
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *figure = &figures->figures[i];
        struct spread ratio;
        (void)fprintf(file, "%-26s %-8s", figure->name, figure->unit);
        print_spread(figure->values, figure->count, file);
        print_spread(figure->floors, figure->floor_count, file);
        if (ratio_of(figure, &ratio)) {
            (void)fprintf(file, " %6.3f", ratio.median);
        } else {
            (void)fprintf(file, " %6s", "");
        }
        (void)fprintf(file, "  %s\n", figure->target);
    }
}

static void print_json_spread(const char *name, const double *values, size_t count, FILE *file)
{
    struct spread spread = spread_of(values, count);
    (void)fprintf(file, ",\"%s\":{\"median\":%.9g,\"minimum\":%.9g,\"maximum\":%.9g}", name,
                  spread.median, spread.minimum, spread.maximum);
}

void figures_print_json(const struct figures *figures, const char *scenario,
                        const char *description, FILE *file)
{
    (void)fprintf(file, "{\"scenario\":\"%s\",\"description\":\"%s\",\"figures\":{", scenario,
                  description);
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *figure = &figures->figures[i];
        struct spread ratio;
        (void)fprintf(file, "%s\"%s\":{\"unit\":\"%s\"", i == 0 ? "" : ",", figure->name,
                      figure->unit);
        if (figure->count > 0) {
            print_json_spread("server", figure->values, figure->count, file);
        }
        if (figure->floor_count > 0) {
            print_json_spread("floor", figure->floors, figure->floor_count, file);
        }
        if (ratio_of(figure, &ratio)) {
            (void)fprintf(file, ",\"ratio\":%.6g", ratio.median);
        }
        if (figure->target[0] != '\0') {
            (void)fprintf(file, ",\"target\":\"%s\"", figure->target);
        }
        (void)fprintf(file, "}");
    }
    (void)fprintf(file, "}}\n");
}
