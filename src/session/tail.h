/*
 * The shared tail: encoded EVENT frames in memory, one copy for all sessions. What was published
 * lately is here; what a cursor misses is read from the store once and then here for everybody.
 * Frames of one log stand in blocks of consecutive sequence numbers; the blocks used longest ago go
 * when there are too many bytes. Holes are normal.
 *
 * Poll thread only. It knows no sessions.
 */
#ifndef SP_SESSION_TAIL_H
#define SP_SESSION_TAIL_H

#include "base/base.h"
#include "base/bytes.h"
#include "domain/publication.h"

#define TAIL_BLOCK_EVENTS 128

struct tail;

SP_CHECK enum sp_error tail_new(size_t maximum_bytes, struct tail **out);
void tail_free(struct tail *tail); /* NULL is allowed */

/* Encodes RECORD and keeps it, unless it is here already. SP_ENOMEM: it is then simply not here. */
SP_CHECK enum sp_error tail_put(struct tail *tail, const struct event_record *record);

/*
 * Copies frames of LOG_NUMBER, beginning with sequence number *NEXT and ending with UNTIL, into
 * WRITER, as long as they are here and fit whole. Advances *NEXT past what was copied. Returns
 * whether it stopped because the frame of *NEXT is not here.
 */
bool tail_copy(struct tail *tail, int64_t log_number, uint64_t *next, uint64_t until,
               struct writer *writer);

/* How many consecutive events from FROM on are not here, at most to the end of FROM's block. */
uint32_t tail_missing(struct tail *tail, int64_t log_number, uint64_t from);

/* Forgets, and wipes, what is here of these sequence numbers. */
void tail_erase(struct tail *tail, int64_t log_number, uint64_t first, uint64_t last);

size_t tail_bytes(const struct tail *tail);

#endif
