/*
 * The log of the server: one line an event, "event=login session=3 reason=…", to standard error,
 * where the journal takes it.
 *
 * Any thread may log; it formats the line and puts it into a ring. A thread of the log's own
 * writes, so that no caller ever waits for a pipe; only log_free() does. A line starts with the
 * time (RFC 3339) and the level; where FD is the journal's, with the level as sd-daemon(3) has it.
 * When the ring is full, lines are dropped and counted, and the count is logged. Never log keys,
 * message text or file contents; log a certificate by serial and fingerprint.
 */
#ifndef SP_BASE_LOG_H
#define SP_BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log;

/*
 * Starts a log that writes to FD, which stays the caller's. Lines below LEVEL are skipped.
 * SP_ENOMEM, SP_EIO when its thread cannot be started.
 */
SP_CHECK enum sp_error log_new(int fd, enum log_level level, struct log **out);

/* From now on lines below LEVEL are skipped. Any thread. LOG may be NULL. */
void log_set_level(struct log *log, enum log_level level);

/* Writes what is still in the ring, ends the thread, frees. NULL is allowed. */
void log_free(struct log *log);

/*
 * One line. FORMAT starts with "event=NAME". Values that came from outside go through log_value().
 * Lines longer than 1,023 bytes are cut. LOG may be NULL: nothing is logged.
 */
void log_line(struct log *log, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

/*
 * VALUE as it may stand in a line: quoted if it is empty or has spaces or '='; quotes, backslashes,
 * invalid UTF-8 and what cannot be seen as \xHH; cut between characters at CAPACITY - 1 bytes.
 * Returns OUT.
 */
const char *log_value(const char *value, size_t size, char *out, size_t capacity);

/* How many lines were dropped so far. LOG may be NULL. */
uint64_t log_dropped(const struct log *log);

#endif
