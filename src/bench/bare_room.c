#include "bench/bare_room.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES 16384
#define LOG_MAXIMUM_BYTES (1UL << 30)
#define LOG_TRIM_BYTES (1UL << 20)
#define STREAM_FOLLOW 1000 /* and the room's number, as in load.c */
#define EVENT_PREFIX_BYTES (104 + 32)
#define DATA_BYTES (RECORD_BYTES - FRAME_HEADER_BYTES)

void bare_session_init(struct bare_session *session, struct bare_rooms *rooms)
{
    *session = (struct bare_session){.rooms = rooms};
    buffer_init(&session->in, 2UL * LIMIT_FRAME_BYTES);
    buffer_init(&session->answers, LOG_MAXIMUM_BYTES);
}

void bare_session_deinit(struct bare_session *session)
{
    struct bare_room *room = session->room;
    for (size_t i = 0; room != NULL && i < room->member_count; i++) {
        if (room->members[i] == session) {
            room->members[i] = room->members[--room->member_count];
        }
    }
    buffer_deinit(&session->in);
    buffer_deinit(&session->answers);
}

static struct bare_room *room_get(struct bare_rooms *rooms, uint32_t number)
{
    if (number >= rooms->count) {
        struct bare_room **grown =
            reallocarray(rooms->rooms, number + 1, sizeof(struct bare_room *));
        if (grown == NULL) {
            return NULL;
        }
        memset(grown + rooms->count, 0, (number + 1 - rooms->count) * sizeof(struct bare_room *));
        rooms->rooms = grown;
        rooms->count = number + 1;
    }
    struct bare_room *room = rooms->rooms[number];
    if (room == NULL) {
        room = calloc(1, sizeof *room);
        rooms->rooms[number] = room;
        if (room != NULL) {
            room->number = number;
            buffer_init(&room->log, LOG_MAXIMUM_BYTES);
        }
    }
    return room;
}

static bool room_add(struct bare_room *room, struct bare_session *session)
{
    if (room->member_count == room->member_capacity) {
        size_t capacity = 2 * room->member_capacity + 16;
        struct bare_session **grown =
            reallocarray(room->members, capacity, sizeof(struct bare_session *));
        if (grown == NULL) {
            return false;
        }
        room->members = grown;
        room->member_capacity = capacity;
    }
    room->members[room->member_count++] = session;
    session->room = room;
    session->cursor = room->log_start + room->log.size;
    return true;
}

static void answer(struct bare_session *session, enum frame_type type, uint16_t stream,
                   const void *message)
{
    const struct slice nothing = {NULL, 0};
    session->broken |= frame_append(&session->answers, type, stream, message, nothing) != SP_OK;
}

static void follow(struct bare_session *session, uint16_t stream)
{
    struct bare_room *room =
        stream < STREAM_FOLLOW ? NULL : room_get(session->rooms, stream - (uint32_t)STREAM_FOLLOW);
    if (room == NULL || session->room != NULL || !room_add(room, session)) {
        session->broken = true;
        return;
    }
    const sealpost_v1_Following following = {.has_log = true, .first = room->sequence + 1};
    answer(session, FRAME_FOLLOWING, stream, &following);
}

/* An event of the size that it has in sealpostd, with nothing in it but its number and text. */
static void publish(struct bare_session *session, uint16_t stream, struct slice text)
{
    static const sealpost_v1_Event event = {.author = "m000"};
    uint8_t raw[EVENT_PREFIX_BYTES + LIMIT_EVENT_BODY_BYTES] = {[3] = 1}; /* a message */
    struct bare_room *room = session->room;
    struct writer writer;
    if (room == NULL) {
        session->broken = true;
        return;
    }
    uint64_t sequence = ++room->sequence;
    writer_init(&writer, raw + 24, sizeof sequence);
    writer_u64(&writer, sequence);
    writer_init(&writer, raw + EVENT_PREFIX_BYTES, LIMIT_EVENT_BODY_BYTES);
    writer_u8(&writer, 1);
    writer_u16(&writer, (uint16_t)text.size);
    writer_copy(&writer, text.data, text.size);
    const struct slice bytes = {raw, EVENT_PREFIX_BYTES + writer_used(&writer)};
    session->broken |= frame_append(&room->log, FRAME_EVENT, 0, &event, bytes) != SP_OK;
    room->dirty = true;
    sealpost_v1_EventResult result = {.has_log = true, .sequence = sequence, .time_ms = INT64_MAX};
    memset(result.log.name, 'r', 8);
    memset(result.hash, 1, sizeof result.hash);
    result.log.head_sequence = sequence;
    answer(session, FRAME_EVENT_RESULT, stream, &result);
}

static void handle(struct bare_session *session, const struct frame *frame)
{
    union message message;
    switch (frame->type) {
    case FRAME_FOLLOW:
        follow(session, frame->stream);
        break;
    case FRAME_POST:
        publish(session, frame->stream, frame->raw);
        break;
    case FRAME_DATA:
    case FRAME_CREDIT: /* the bare server sends without waiting for any */
        break;
    case FRAME_COMMIT:
        answer(session, FRAME_STORED, frame->stream, NULL);
        break;
    case FRAME_GET:
        session->broken |= frame_decode(frame, &message) != SP_OK;
        session->file_bytes = message.get.offset; /* how many are wanted: see transfer.c */
        session->file_stream = frame->stream;
        break;
    default:
        session->broken = true;
        break;
    }
}

static size_t take_frames(struct bare_session *session, const uint8_t *data, size_t size)
{
    struct frame frame;
    size_t done = 0;
    size_t used = 0;
    while (!session->broken && frame_parse(data + done, size - done, &frame, &used) == SP_OK) {
        handle(session, &frame);
        done += used;
    }
    return done;
}

void bare_take(struct bare_session *session, const uint8_t *data, size_t size)
{
    size_t used = session->in.size == 0 ? take_frames(session, data, size) : 0;
    if (used == size) {
        return;
    }
    session->broken |= buffer_append(&session->in, data + used, size - used) != SP_OK;
    used = take_frames(session, buffer_data(&session->in), session->in.size);
    buffer_consume(&session->in, used);
}

static struct slice at_most_a_record(const uint8_t *data, size_t size)
{
    return (struct slice){data, size < RECORD_BYTES ? size : RECORD_BYTES};
}

static bool has(const struct bare_session *session, enum bare_source source)
{
    const struct bare_room *room = session->room;
    switch (source) {
    case BARE_ANSWERS:
        return session->answers.size > 0;
    case BARE_ROOM:
        return room != NULL && session->cursor < room->log_start + room->log.size;
    case BARE_FILE:
        return session->file_bytes > 0;
    case BARE_NOTHING:
        break;
    }
    return false;
}

struct slice bare_next(struct bare_session *session)
{
    static uint8_t file[RECORD_BYTES];
    const struct bare_room *room = session->room;
    for (int source = BARE_ANSWERS; session->source == BARE_NOTHING && source <= BARE_FILE;
         source++) {
        session->source =
            has(session, (enum bare_source)source) ? (enum bare_source)source : BARE_NOTHING;
    }
    switch (session->source) {
    case BARE_ANSWERS:
        return at_most_a_record(buffer_data(&session->answers), session->answers.size);
    case BARE_ROOM: {
        size_t at = (size_t)(session->cursor - room->log_start);
        return at_most_a_record(buffer_data(&room->log) + at, room->log.size - at);
    }
    case BARE_FILE: {
        size_t size = session->file_bytes < DATA_BYTES ? (size_t)session->file_bytes : DATA_BYTES;
        frame_write_header(file, FRAME_DATA, session->file_stream, 0, size);
        return (struct slice){file, FRAME_HEADER_BYTES + size};
    }
    case BARE_NOTHING:
        break;
    }
    return (struct slice){NULL, 0};
}

void bare_sent(struct bare_session *session, size_t size)
{
    switch (session->source) {
    case BARE_ANSWERS:
        buffer_consume(&session->answers, size);
        break;
    case BARE_ROOM:
        session->cursor += size;
        break;
    case BARE_FILE:
        session->file_bytes -= size - FRAME_HEADER_BYTES; /* a record is taken whole */
        break;
    case BARE_NOTHING:
        break;
    }
    session->source = BARE_NOTHING;
}

void bare_room_trim(struct bare_room *room)
{
    uint64_t end = room->log_start + room->log.size;
    if (room->log.size < LOG_TRIM_BYTES) {
        return;
    }
    for (size_t i = 0; i < room->member_count; i++) {
        end = room->members[i]->cursor < end ? room->members[i]->cursor : end;
    }
    size_t passed = (size_t)(end - room->log_start);
    buffer_consume(&room->log, passed);
    room->log_start += passed;
}
