/* Times, sizes and durations as people write and read them. Local time is TZ's. No output, no
 * clock of its own. */
#ifndef SP_CLI_TIME_TEXT_H
#define SP_CLI_TIME_TEXT_H

#include "base/base.h"

#define TIME_TEXT_BYTES 40
#define SIZE_TEXT_BYTES 24

/* "16:37" when that is the same day as NOW_MS, else "2026-11-22 16:37"; local time. */
void time_format_local(int64_t wall_ms, int64_t now_ms, char out[TIME_TEXT_BYTES]);
/* "2026-11-22 16:37:54 +0100": local time, exact. */
void time_format_exact(int64_t wall_ms, char out[TIME_TEXT_BYTES]);

/*
 * "2026-11-22", "2026-11-22 16:30", "2026-11-22 16:30:05" (also with 'T' between) in local time;
 * with 'Z' or "+01:00" behind a time (RFC 3339) in that zone; "90s", "90m", "12h", "3d", "2w"
 * before NOW_MS. SP_EINVALID for anything else.
 */
SP_CHECK enum sp_error time_parse(const char *text, int64_t now_ms, int64_t *out_ms);

/* "512 B", "12.3 KiB", "1.0 GiB". */
void size_format(uint64_t bytes, char out[SIZE_TEXT_BYTES]);
/* "0:07", "12:31", "3:05:00". */
void duration_format(uint64_t seconds, char out[TIME_TEXT_BYTES]);

#endif
