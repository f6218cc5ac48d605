#include "cli/progress.h"

#include <string.h>

#include "base/escape.h"
#include "cli/time_text.h"

#define DRAW_EVERY_MS 100
#define RATE_AFTER_MS 500 /* before that a rate means nothing */
#define LABEL_BYTES 25
#define PERCENT 100

void progress_init(struct progress *progress, struct output *output, const char *label)
{
    *progress = (struct progress){
        .output = output, .label = label, .started_ms = clock_monotonic_ms(output->clock)};
}

static unsigned percent_of(uint64_t done, uint64_t total)
{
    if (done >= total) {
        return PERCENT;
    }
    return (unsigned)(total > UINT64_MAX / PERCENT ? done / (total / PERCENT + 1)
                                                   : done * PERCENT / total);
}

void progress_format(const char *label, uint64_t done, uint64_t total, int64_t elapsed_ms,
                     char out[PROGRESS_BYTES])
{
    char shown[LABEL_BYTES];
    char done_text[SIZE_TEXT_BYTES];
    char total_text[SIZE_TEXT_BYTES];
    char rate_text[SIZE_TEXT_BYTES];
    char left_text[TIME_TEXT_BYTES];
    uint64_t rate = 0;
    int used = 0;

    (void)escape_for_terminal(label, strlen(label), false, shown, sizeof(shown));
    size_format(done, done_text);
    if (total == PROGRESS_UNKNOWN) {
        used = snprintf(out, PROGRESS_BYTES, "%s  %s", shown, done_text);
    } else {
        size_format(total, total_text);
        used = snprintf(out, PROGRESS_BYTES, "%s  %3u%%  %s of %s", shown, percent_of(done, total),
                        done_text, total_text);
    }
    if (elapsed_ms < RATE_AFTER_MS || used < 0) {
        return;
    }
    rate = (uint64_t)((double)done * 1000.0 / (double)elapsed_ms);
    size_format(rate, rate_text);
    used += snprintf(out + used, PROGRESS_BYTES - (size_t)used, "  %s/s", rate_text);
    if (total != PROGRESS_UNKNOWN && rate > 0 && done < total) {
        duration_format((total - done + rate - 1) / rate, left_text);
        (void)snprintf(out + used, PROGRESS_BYTES - (size_t)used, "  %s left", left_text);
    }
}

void progress_update(struct progress *progress, uint64_t done, uint64_t total)
{
    char line[PROGRESS_BYTES];
    int64_t now_ms = clock_monotonic_ms(progress->output->clock);

    if (done > progress->done) { /* a second attempt starts again from 0; what is shown does not */
        progress->done = done;
    }
    if (!progress->output->animate ||
        (progress->drawn && done < total && now_ms - progress->drawn_ms < DRAW_EVERY_MS)) {
        return;
    }
    progress_format(progress->label, progress->done, total, now_ms - progress->started_ms, line);
    (void)fprintf(progress->output->messages, "\r%s\033[K", line);
    (void)fflush(progress->output->messages);
    progress->drawn = true;
    progress->output->drawn = true;
    progress->drawn_ms = now_ms;
}

void progress_end(struct progress *progress)
{
    if (progress->drawn) {
        (void)fputs("\r\033[K", progress->output->messages);
        (void)fflush(progress->output->messages);
        progress->drawn = false;
        progress->output->drawn = false;
    }
}
