/*
 * An event: what a log is made of. A header of fixed layout, a salt, and a body that nobody here
 * looks into.
 *
 * The header commits to the body through SHA-256 over a label, the salt and the body; the chain
 * covers the headers only. So salt and body can be erased, and the chain still stands. The format
 * cannot change: docs/PROTOCOL.md, "Events", has it with test vectors. Pure functions; any thread.
 */
#ifndef SP_EVENT_EVENT_H
#define SP_EVENT_EVENT_H

#include "base/base.h"

#define EVENT_VERSION 1
#define EVENT_HEADER_BYTES 104

/* Stable numbers. Kinds that a program does not know are kept, chained and passed on. */
enum event_kind {
    EVENT_MESSAGE = 1,     /* TEXT */
    EVENT_LOG_CREATED = 2, /* LOG_KIND, NAME, MEMBER (who); always sequence 1 */
    EVENT_JOINED = 3,      /* MEMBER */
    EVENT_LEFT = 4,        /* MEMBER */
    EVENT_TOPIC = 5,       /* TEXT */
    EVENT_FILE = 6,        /* FILE, NAME, SIZE, SHA256 */
    EVENT_RETENTION = 7,   /* KEEP_SECONDS, KEEP_EVENTS; without both: everything is kept */
};

/* What a log is. Stable numbers. */
enum log_kind {
    LOG_KIND_OPEN = 1,    /* a room that any member may join and read back */
    LOG_KIND_PRIVATE = 2, /* reserved: a room by invitation */
    LOG_KIND_DIRECT = 3,  /* reserved: a room of two */
    LOG_KIND_BOX = 4,     /* a submission box's notices; all members may read */
    LOG_KIND_SUBMISSION =
        5,               /* one submitter's part of a box; read by this one and the box's owners */
    LOG_KIND_MEMBER = 6, /* reserved: a member's own */
};

/*
 * Whether salt and body of an event of KIND may be erased: messages and files. What says who may do
 * what, or how things stand, never is; nor is what this version does not know.
 */
bool event_is_erasable(uint16_t kind);

struct event_header {
    uint16_t kind;
    uint32_t body_bytes; /* stays after the body is erased */
    struct id log;
    uint64_t sequence; /* from 1, without gaps */
    int64_t time_ms;   /* the server's, since 1970; never backwards within a log */
    struct id author;  /* device; all zero: the server */
    struct id client_id;
    struct digest commitment;
};

void event_header_encode(const struct event_header *header, uint8_t out[EVENT_HEADER_BYTES]);

/* SP_EUNSUPPORTED for another version or a flag that is set, SP_EINVALID for impossible numbers. */
SP_CHECK enum sp_error event_header_decode(const uint8_t in[EVENT_HEADER_BYTES],
                                           struct event_header *out);

/* SHA-256("sealpost body 1" ‖ NUL ‖ SALT ‖ BODY). */
SP_CHECK enum sp_error event_commitment(const uint8_t salt[SALT_BYTES], struct slice body,
                                        struct digest *out);

/* What the chain of LOG starts from: SHA-256("sealpost log 1" ‖ NUL ‖ log id). */
SP_CHECK enum sp_error event_chain_start(const struct id *log, struct digest *out);

/* The head after one more event: SHA-256("sealpost event 1" ‖ NUL ‖ PREVIOUS ‖ header). */
SP_CHECK enum sp_error event_chain_next(const struct digest *previous,
                                        const uint8_t header[EVENT_HEADER_BYTES],
                                        struct digest *out);

/* The id of the file that DEVICE stores with CLIENT_ID: SHA-256("sealpost file 1" ‖ NUL ‖ device ‖
 * client id), first 16 bytes. */
SP_CHECK enum sp_error event_file_id(const struct id *device, const struct id *client_id,
                                     struct id *out);

/*
 * An event as it is passed on, in one piece: header ‖ salt ‖ body, or the header alone when salt
 * and body are erased.
 */
struct event_view {
    struct event_header header;
    const uint8_t *header_bytes; /* EVENT_HEADER_BYTES; borrowed, as are the following */
    const uint8_t *salt;         /* NULL: erased */
    struct slice body;
};

/* SP_EINVALID, SP_EUNSUPPORTED; lengths are checked, the commitment is not. */
SP_CHECK enum sp_error event_view_parse(const void *data, size_t size, struct event_view *out);

/* SP_OK if salt and body fit the commitment or are erased, else SP_EINTEGRITY. */
SP_CHECK enum sp_error event_view_verify(const struct event_view *view);

#endif
