/* Bodies of events: what is read can be written, and is then read the same. */
#include <stdlib.h>
#include <string.h>

#include "event/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static bool slices_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void require_same(const struct body *a, const struct body *b)
{
    require(slices_equal(a->text, b->text) && slices_equal(a->name, b->name));
    require(slices_equal(a->member, b->member) && a->log_kind == b->log_kind);
    require(a->has_file == b->has_file && id_equal(&a->file, &b->file));
    require(a->has_size == b->has_size && a->size == b->size);
    require(a->has_sha256 == b->has_sha256 && digest_equal(&a->sha256, &b->sha256));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct body body;
    struct body again;
    struct writer writer;

    if (body_parse((struct slice){data, size}, &body) != SP_OK) {
        return 0;
    }
    /* What we write leaves out unknown and empty fields: it is never longer. */
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    require(bytes != NULL);
    writer_init(&writer, bytes, size);
    body_write(&writer, &body);
    require(writer_finish(&writer) == SP_OK);
    require(body_parse((struct slice){bytes, writer_used(&writer)}, &again) == SP_OK);
    require_same(&body, &again);
    free(bytes);
    return 0;
}
