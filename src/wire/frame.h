/*
 * Frames: how messages stand in the byte stream. Codec only: no I/O, no state, no allocation. Used
 * by both ends; fuzzed.
 *
 *   0  u16  length of the message (protobuf), at most LIMIT_MESSAGE_BYTES
 *   2  u16  length of the raw part after it, at most LIMIT_RAW_BYTES
 *   4  u8   type
 *   5  u8   0
 *   6  u16  stream: 0, or the request or transfer that the frame belongs to
 *
 * Numbers are big-endian. docs/PROTOCOL.md, "Frames".
 */
#ifndef SP_WIRE_FRAME_H
#define SP_WIRE_FRAME_H

#include "base/base.h"
#include "base/bytes.h"
#include "wire/sealpost.pb.h"

/* Stable numbers. X(symbol, number, message, raw allowed, who sends it) */
enum frame_sender { FROM_SERVER = 1, FROM_CLIENT = 2, FROM_BOTH = 3 };
#define FRAME_LIST(X)                                              \
    X(FRAME_WELCOME, 1, Welcome, false, FROM_SERVER)               \
    X(FRAME_BYE, 2, Bye, false, FROM_BOTH)                         \
    X(FRAME_PING, 3, Ping, false, FROM_BOTH)                       \
    X(FRAME_PONG, 4, Ping, false, FROM_BOTH)                       \
    X(FRAME_ENROL, 8, Enrol, true, FROM_CLIENT)                    \
    X(FRAME_ENROLLED, 9, Enrolled, true, FROM_SERVER)              \
    X(FRAME_ROOM_CREATE, 16, Create, false, FROM_CLIENT)           \
    X(FRAME_BOX_CREATE, 17, Create, false, FROM_CLIENT)            \
    X(FRAME_JOIN, 18, Write, false, FROM_CLIENT)                   \
    X(FRAME_LEAVE, 19, Write, false, FROM_CLIENT)                  \
    X(FRAME_TOPIC, 20, Write, true, FROM_CLIENT)                   \
    X(FRAME_POST, 21, Write, true, FROM_CLIENT)                    \
    X(FRAME_FOLLOW, 22, Follow, false, FROM_CLIENT)                \
    X(FRAME_UNFOLLOW, 23, Unfollow, false, FROM_CLIENT)            \
    X(FRAME_LIST, 24, List, false, FROM_CLIENT)                    \
    X(FRAME_WATCH_PRESENCE, 25, WatchPresence, false, FROM_CLIENT) \
    X(FRAME_STATUS, 26, StatusRequest, false, FROM_CLIENT)         \
    X(FRAME_INVITE, 27, Invite, false, FROM_CLIENT)                \
    X(FRAME_DEVICE_REVOKE, 28, DeviceRevoke, false, FROM_CLIENT)   \
    X(FRAME_MEMBER_SET, 29, MemberSet, false, FROM_CLIENT)         \
    X(FRAME_RETENTION, 30, Retention, false, FROM_CLIENT)          \
    X(FRAME_MARK_READ, 31, MarkRead, false, FROM_CLIENT)           \
    X(FRAME_OFFER, 32, Offer, false, FROM_CLIENT)                  \
    X(FRAME_OFFERED, 33, Offered, false, FROM_SERVER)              \
    X(FRAME_DATA, 34, Done, true, FROM_BOTH)                       \
    X(FRAME_CREDIT, 35, Credit, false, FROM_BOTH)                  \
    X(FRAME_COMMIT, 36, Commit, false, FROM_CLIENT)                \
    X(FRAME_STORED, 37, Stored, false, FROM_SERVER)                \
    X(FRAME_CANCEL, 38, Cancel, false, FROM_CLIENT)                \
    X(FRAME_GET, 40, Get, false, FROM_CLIENT)                      \
    X(FRAME_FILE, 41, File, false, FROM_SERVER)                    \
    X(FRAME_EVENT_RESULT, 48, EventResult, false, FROM_SERVER)     \
    X(FRAME_FOLLOWING, 49, Following, false, FROM_SERVER)          \
    X(FRAME_ROW_LOG, 50, RowLog, false, FROM_SERVER)               \
    X(FRAME_ROW_MEMBER, 51, RowMember, false, FROM_SERVER)         \
    X(FRAME_ROW_FILE, 52, RowFile, false, FROM_SERVER)             \
    X(FRAME_LIST_END, 53, ListEnd, false, FROM_SERVER)             \
    X(FRAME_STATUS_RESULT, 54, StatusResult, false, FROM_SERVER)   \
    X(FRAME_INVITED, 55, Invited, false, FROM_SERVER)              \
    X(FRAME_ROW_DEVICE, 56, RowDevice, false, FROM_SERVER)         \
    X(FRAME_ROW_INVITATION, 57, RowInvitation, false, FROM_SERVER) \
    X(FRAME_MARKED, 60, ReadState, false, FROM_SERVER)             \
    X(FRAME_DONE, 62, Done, false, FROM_SERVER)                    \
    X(FRAME_ERROR, 63, Error, false, FROM_SERVER)                  \
    X(FRAME_EVENT, 64, Event, true, FROM_SERVER)                   \
    X(FRAME_FOLLOW_ENDED, 65, FollowEnded, false, FROM_SERVER)     \
    X(FRAME_PRESENCE, 66, Presence, false, FROM_SERVER)            \
    X(FRAME_READ_STATE, 67, ReadState, false, FROM_SERVER)

enum frame_type {
#define FRAME_ENUM(symbol, number, message, raw, sender) symbol = (number),
    FRAME_LIST(FRAME_ENUM)
#undef FRAME_ENUM
};

/* A frame as it stands in the input. Everything is borrowed. */
struct frame {
    uint8_t type; /* perhaps not in enum frame_type: see frame_known() */
    uint16_t stream;
    struct slice message;
    struct slice raw;
};

/* Any message, decoded. */
union message {
    sealpost_v1_Welcome welcome;
    sealpost_v1_Bye bye;
    sealpost_v1_Ping ping;
    sealpost_v1_Enrol enrol;
    sealpost_v1_Enrolled enrolled;
    sealpost_v1_Create create;
    sealpost_v1_Write write;
    sealpost_v1_Retention retention;
    sealpost_v1_Follow follow;
    sealpost_v1_Unfollow unfollow;
    sealpost_v1_List list;
    sealpost_v1_WatchPresence watch_presence;
    sealpost_v1_StatusRequest status_request;
    sealpost_v1_MarkRead mark_read;
    sealpost_v1_ReadState read_state;
    sealpost_v1_Offer offer;
    sealpost_v1_Offered offered;
    sealpost_v1_Credit credit;
    sealpost_v1_Commit commit;
    sealpost_v1_Stored stored;
    sealpost_v1_Cancel cancel;
    sealpost_v1_Get get;
    sealpost_v1_File file;
    sealpost_v1_EventResult event_result;
    sealpost_v1_Following following;
    sealpost_v1_RowLog row_log;
    sealpost_v1_RowMember row_member;
    sealpost_v1_RowFile row_file;
    sealpost_v1_ListEnd list_end;
    sealpost_v1_StatusResult status_result;
    sealpost_v1_Invite invite;
    sealpost_v1_Invited invited;
    sealpost_v1_DeviceRevoke device_revoke;
    sealpost_v1_MemberSet member_set;
    sealpost_v1_RowDevice row_device;
    sealpost_v1_RowInvitation row_invitation;
    sealpost_v1_Done done;
    sealpost_v1_Error error;
    sealpost_v1_Event event;
    sealpost_v1_FollowEnded follow_ended;
    sealpost_v1_Presence presence;
};

/*
 * The first frame of SIZE bytes at DATA. SP_OK and how many bytes it takes in *USED; SP_EAGAIN: it
 * is not all there yet; SP_EPROTOCOL: it can never become a frame.
 */
SP_CHECK enum sp_error frame_parse(const uint8_t *data, size_t size, struct frame *out,
                                   size_t *used);

/* Whether this version knows frames of that type from that sender. */
bool frame_known(uint8_t type, enum frame_sender sender);

/* "POST", for logs; "unknown" otherwise. Static. */
const char *frame_name(uint8_t type);

/*
 * Decodes FRAME's message by its type. SP_EUNSUPPORTED for a type that is not known, SP_EPROTOCOL
 * for a message that is malformed or over a field's maximum, or a raw part where none belongs.
 */
SP_CHECK enum sp_error frame_decode(const struct frame *frame, union message *out);

/*
 * Appends a frame to WRITER. MESSAGE is the nanopb struct of TYPE (NULL: an empty message).
 * SP_ETOOLARGE, also when it does not fit into WRITER, which is then unchanged.
 */
SP_CHECK enum sp_error frame_encode(struct writer *writer, enum frame_type type, uint16_t stream,
                                    const void *message, struct slice raw);

/* The same into BUFFER. SP_ETOOLARGE, SP_ENOMEM; BUFFER is then unchanged. */
SP_CHECK enum sp_error frame_append(struct buffer *buffer, enum frame_type type, uint16_t stream,
                                    const void *message, struct slice raw);

/* Only the header, for who puts message and raw part behind it without a copy. */
void frame_write_header(uint8_t out[FRAME_HEADER_BYTES], enum frame_type type, uint16_t stream,
                        size_t message_size, size_t raw_size);

#endif
