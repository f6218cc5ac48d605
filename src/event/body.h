/*
 * The body of an event that is not sealed: a list of fields, each one byte of tag, two bytes of
 * length (big-endian) and the value. Unknown tags are skipped; a tag stands at most once.
 * docs/PROTOCOL.md, "Bodies". Pure; fuzzed.
 */
#ifndef SP_EVENT_BODY_H
#define SP_EVENT_BODY_H

#include "base/base.h"
#include "base/bytes.h"

enum body_tag {
    BODY_TEXT = 1,         /* UTF-8, no NUL */
    BODY_NAME = 2,         /* of a room, a box or a file; UTF-8 */
    BODY_MEMBER = 3,       /* a username */
    BODY_LOG_KIND = 4,     /* one byte */
    BODY_FILE = 5,         /* 16 bytes: a file's id */
    BODY_SIZE = 6,         /* 8 bytes, big-endian */
    BODY_SHA256 = 7,       /* 32 bytes */
    BODY_KEEP_SECONDS = 8, /* 8 bytes, big-endian: older messages and files are erased */
    BODY_KEEP_EVENTS = 9,  /* 8 bytes, big-endian: those further back than that are erased */
};

/* What a body says. Absent: empty slices, zeros, false. Slices are borrowed from the parsed bytes.
 */
struct body {
    struct slice text;
    struct slice name;
    struct slice member;
    uint8_t log_kind;
    bool has_file;
    struct id file;
    bool has_size;
    uint64_t size;
    bool has_sha256;
    struct digest sha256;
    uint64_t keep_seconds;
    uint64_t keep_events;
};

/* SP_EINVALID: cut short, a tag twice, a fixed-size value of another size. Does not check names or
 * UTF-8. */
SP_CHECK enum sp_error body_parse(struct slice bytes, struct body *out);

/* Appends what is present, in the order of tags: there is one encoding for one body. The error is
 * in WRITER. */
void body_write(struct writer *writer, const struct body *body);

#endif
