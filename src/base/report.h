/*
 * A list of findings, one line each: what was looked at, how it is, and what to do. For `sealpostd
 * check` and `sealpost doctor`. With JSON one object a line.
 */
#ifndef SP_BASE_REPORT_H
#define SP_BASE_REPORT_H

#include <stdio.h>

#include "base/base.h"

#define REPORT_TEXT_BYTES 1024

enum finding { FINDING_OK, FINDING_WARNING, FINDING_ERROR, FINDING_SKIPPED, FINDING_COUNT };

struct report {
    FILE *file;
    bool json;
    size_t counts[FINDING_COUNT];
    enum sp_error error; /* of the first finding that is one; SP_OK */
};

void report_init(struct report *report, FILE *file, bool json);

/*
 * One finding about SUBJECT. ERROR is what an error is counted as, SP_OK for anything else. HINT
 * says what to do; "" for nothing. The texts may hold names of others: they are escaped.
 */
void report_add(struct report *report, enum finding finding, enum sp_error error,
                const char *subject, const char *hint, const char *format, ...) PRINTF_LIKE(6, 7);

/* How many there were of what, but not in JSON. Returns the exit code: that of the first error. */
int report_finish(struct report *report);

#endif
