/* Events in one piece: what is taken has possible numbers and is encoded the same again. */
#include <stdlib.h>
#include <string.h>

#include "event/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[EVENT_HEADER_BYTES];
    struct event_view view;

    if (event_view_parse(data, size, &view) != SP_OK) {
        require(view.header_bytes == NULL && view.salt == NULL && view.body.size == 0);
        return 0;
    }
    require(view.header.kind != 0 && view.header.time_ms >= 0);
    require(view.header.sequence >= 1 && view.header.sequence <= LIMIT_SEQUENCE);
    require(view.header.body_bytes <= LIMIT_EVENT_BODY_BYTES);
    event_header_encode(&view.header, bytes);
    require(memcmp(bytes, data, sizeof(bytes)) == 0);
    if (view.salt != NULL) {
        require(view.body.size == view.header.body_bytes);
        require(view.body.data + view.body.size == data + size);
    } else {
        require(size == EVENT_HEADER_BYTES);
    }
    enum sp_error error = event_view_verify(&view);
    require(error == SP_OK || error == SP_EINTEGRITY);
    return 0;
}
