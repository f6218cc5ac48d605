#include "base/report.h"

#include <stdarg.h>
#include <string.h>

#include "base/escape.h"

static const char *const words[FINDING_COUNT] = {"ok", "warning", "error", "skipped"};

void report_init(struct report *report, FILE *file, bool json)
{
    *report = (struct report){.file = file, .json = json};
}

static void put_member(struct report *report, const char *key, const char *value)
{
    char escaped[6 * REPORT_TEXT_BYTES + 1];

    (void)escape_for_json(value, strlen(value), escaped, sizeof escaped);
    (void)fprintf(report->file, ",\"%s\":\"%s\"", key, escaped);
}

static void put_text(struct report *report, const char *text)
{
    char escaped[4 * REPORT_TEXT_BYTES + 1];

    (void)escape_for_terminal(text, strlen(text), false, escaped, sizeof escaped);
    (void)fprintf(report->file, "%s\n", escaped);
}

void report_add(struct report *report, enum finding finding, enum sp_error error,
                const char *subject, const char *hint, const char *format, ...)
{
    char text[REPORT_TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report->counts[finding]++;
    if (finding == FINDING_ERROR && report->error == SP_OK) {
        report->error = error;
    }
    if (report->json) {
        (void)fprintf(report->file, "{\"type\":\"check\",\"subject\":\"%s\",\"result\":\"%s\"",
                      subject, words[finding]);
        if (finding == FINDING_ERROR) {
            put_member(report, "error", sp_error_name(error));
        }
        put_member(report, "text", text);
        put_member(report, "hint", hint);
        (void)fputs("}\n", report->file);
        return;
    }
    (void)fprintf(report->file, "%-8s %-14s ", words[finding], subject);
    put_text(report, text);
    if (hint[0] != '\0') {
        (void)fprintf(report->file, "%23s -> ", "");
        put_text(report, hint);
    }
}

int report_finish(struct report *report)
{
    if (!report->json) {
        (void)fprintf(report->file, "%zu ok, %zu warnings, %zu errors, %zu skipped\n",
                      report->counts[FINDING_OK], report->counts[FINDING_WARNING],
                      report->counts[FINDING_ERROR], report->counts[FINDING_SKIPPED]);
    }
    return sp_error_exit_code(report->error);
}
