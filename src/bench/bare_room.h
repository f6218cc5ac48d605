/*
 * What the bare server does between two TLS connections, without storage, domain or rules: as much
 * of the protocol as load.c and transfer.c need to see no difference. No I/O; bare.c is the only
 * caller.
 */
#ifndef SP_BENCH_BARE_ROOM_H
#define SP_BENCH_BARE_ROOM_H

#include "base/bytes.h"
#include "wire/frame.h"

struct bare_session;

/* Its messages as the frames that all members get, in one piece of memory. */
struct bare_room {
    uint32_t number;
    uint64_t sequence;
    struct buffer log;
    uint64_t log_start; /* how many bytes were there before */
    bool dirty;         /* something was added in this turn */
    struct bare_session **members;
    size_t member_count;
    size_t member_capacity;
};

struct bare_rooms {
    struct bare_room **rooms; /* by number */
    size_t count;
};

enum bare_source { BARE_NOTHING, BARE_ANSWERS, BARE_ROOM, BARE_FILE };

struct bare_session {
    struct bare_rooms *rooms;
    struct bare_room *room; /* NULL: none yet */
    uint64_t cursor;        /* in the room's log */
    struct buffer in;
    struct buffer answers;
    uint64_t file_bytes;     /* of a download, still to be sent */
    uint16_t file_stream;    /* of it */
    enum bare_source source; /* of what was offered and not taken: the same must come again */
    bool broken;
};

void bare_session_init(struct bare_session *session, struct bare_rooms *rooms);
void bare_session_deinit(struct bare_session *session);

/* What the client has sent. */
void bare_take(struct bare_session *session, const uint8_t *data, size_t size);
/* What is to be sent next, at most a record's; nothing when its size is 0. Borrowed. */
struct slice bare_next(struct bare_session *session);
/* SIZE bytes of that were sent. */
void bare_sent(struct bare_session *session, size_t size);

/* Forgets what all members have. */
void bare_room_trim(struct bare_room *room);

#endif
