#include "event/event.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/digest.h"

/* The labels keep the hashes of one purpose from being taken for those of another. Their NULs
 * count. */
static const char label_body[] = "sealpost body 1";
static const char label_log[] = "sealpost log 1";
static const char label_event[] = "sealpost event 1";
static const char label_file[] = "sealpost file 1";

#define LABEL(array) ((struct slice){(const uint8_t *)(array), sizeof(array)})

void event_header_encode(const struct event_header *header, uint8_t out[EVENT_HEADER_BYTES])
{
    struct writer writer;
    writer_init(&writer, out, EVENT_HEADER_BYTES);
    writer_u8(&writer, EVENT_VERSION);
    writer_u8(&writer, 0); /* flags */
    writer_u16(&writer, header->kind);
    writer_u32(&writer, header->body_bytes);
    writer_copy(&writer, header->log.bytes, sizeof(header->log.bytes));
    writer_u64(&writer, header->sequence);
    writer_u64(&writer, (uint64_t)header->time_ms);
    writer_copy(&writer, header->author.bytes, sizeof(header->author.bytes));
    writer_copy(&writer, header->client_id.bytes, sizeof(header->client_id.bytes));
    writer_copy(&writer, header->commitment.bytes, sizeof(header->commitment.bytes));
    assert(!writer.failed && writer_left(&writer) == 0);
}

static bool header_is_possible(const struct event_header *header)
{
    return header->kind != 0 && header->body_bytes <= LIMIT_EVENT_BODY_BYTES &&
           header->sequence != 0 && header->sequence <= LIMIT_SEQUENCE && header->time_ms >= 0;
}

enum sp_error event_header_decode(const uint8_t in[EVENT_HEADER_BYTES], struct event_header *out)
{
    struct event_header header;
    struct reader reader;

    memset(out, 0, sizeof(*out));
    reader_init(&reader, in, EVENT_HEADER_BYTES);
    uint8_t version = reader_u8(&reader);
    uint8_t flags = reader_u8(&reader);
    if (version != EVENT_VERSION || flags != 0) {
        return SP_EUNSUPPORTED;
    }
    header.kind = reader_u16(&reader);
    header.body_bytes = reader_u32(&reader);
    reader_copy(&reader, header.log.bytes, sizeof(header.log.bytes));
    header.sequence = reader_u64(&reader);
    header.time_ms = (int64_t)reader_u64(&reader);
    reader_copy(&reader, header.author.bytes, sizeof(header.author.bytes));
    reader_copy(&reader, header.client_id.bytes, sizeof(header.client_id.bytes));
    reader_copy(&reader, header.commitment.bytes, sizeof(header.commitment.bytes));
    if (reader_finish(&reader) != SP_OK || !header_is_possible(&header)) {
        return SP_EINVALID;
    }
    *out = header;
    return SP_OK;
}

enum sp_error event_commitment(const uint8_t salt[SALT_BYTES], struct slice body,
                               struct digest *out)
{
    const struct slice parts[] = {LABEL(label_body), {salt, SALT_BYTES}, body};
    return digest_of(parts, COUNT_OF(parts), out);
}

enum sp_error event_chain_start(const struct id *log, struct digest *out)
{
    const struct slice parts[] = {LABEL(label_log), {log->bytes, ID_BYTES}};
    return digest_of(parts, COUNT_OF(parts), out);
}

enum sp_error event_chain_next(const struct digest *previous,
                               const uint8_t header[EVENT_HEADER_BYTES], struct digest *out)
{
    /* OUT may be PREVIOUS: a caller walks a chain in place. */
    const struct digest before = *previous;
    const struct slice parts[] = {
        LABEL(label_event), {before.bytes, DIGEST_BYTES}, {header, EVENT_HEADER_BYTES}};
    return digest_of(parts, COUNT_OF(parts), out);
}

enum sp_error event_file_id(const struct id *device, const struct id *client_id, struct id *out)
{
    const struct slice parts[] = {
        LABEL(label_file), {device->bytes, ID_BYTES}, {client_id->bytes, ID_BYTES}};
    struct digest digest;
    struct id file = {{0}};

    enum sp_error error = digest_of(parts, COUNT_OF(parts), &digest);
    if (error == SP_OK) {
        memcpy(file.bytes, digest.bytes, ID_BYTES);
    }
    *out = file;
    return error;
}

enum sp_error event_view_parse(const void *data, size_t size, struct event_view *out)
{
    struct event_view view = {0};

    memset(out, 0, sizeof(*out));
    if (size < EVENT_HEADER_BYTES) {
        return SP_EINVALID;
    }
    view.header_bytes = data;
    enum sp_error error = event_header_decode(view.header_bytes, &view.header);
    if (error != SP_OK) {
        return error;
    }
    if (size != EVENT_HEADER_BYTES) {
        if (size != (size_t)EVENT_HEADER_BYTES + SALT_BYTES + view.header.body_bytes) {
            return SP_EINVALID;
        }
        view.salt = view.header_bytes + EVENT_HEADER_BYTES;
        view.body.data = view.salt + SALT_BYTES;
        view.body.size = view.header.body_bytes;
    }
    *out = view;
    return SP_OK;
}

enum sp_error event_view_verify(const struct event_view *view)
{
    struct digest commitment;

    if (view->salt == NULL) {
        return SP_OK;
    }
    enum sp_error error = event_commitment(view->salt, view->body, &commitment);
    if (error != SP_OK) {
        return error;
    }
    return digest_equal(&commitment, &view->header.commitment) ? SP_OK : SP_EINTEGRITY;
}

bool event_is_erasable(uint16_t kind)
{
    return kind == EVENT_MESSAGE || kind == EVENT_FILE;
}
