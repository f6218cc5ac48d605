#include "unit/domain/signer.h"

#include <stdio.h>
#include <string.h>

#include "crypto/digest.h"

static enum sp_error check(void *context, struct slice request, struct digest *key, char *reason,
                           size_t capacity)
{
    (void)context;
    if (request.size < 4 || memcmp(request.data, "key:", 4) != 0) {
        (void)snprintf(reason, capacity, "that is no request");
        return SP_EINVALID;
    }
    return digest_of(&request, 1, key);
}

static enum sp_error issue(void *context, struct slice request, const char *username,
                           int64_t now_ms, struct issued *out, char *reason, size_t capacity)
{
    struct signer *self = context;

    if (self->fails != SP_OK) {
        (void)snprintf(reason, capacity, "the issuing CA ends too soon");
        return self->fails;
    }
    out->size =
        (size_t)snprintf((char *)out->chain, sizeof out->chain, "%u %s %.*s", ++self->issued,
                         username, (int)request.size, (const char *)request.data);
    const struct slice chain = {out->chain, out->size};
    out->serial[0] = (uint8_t)self->issued;
    out->serial_bytes = 1;
    out->not_after_ms = now_ms + 1000000;
    return digest_of(&chain, 1, &out->fingerprint);
}

void signer_init(struct signer *signer, struct issue_port *port)
{
    *signer = (struct signer){0};
    *port = (struct issue_port){check, issue, signer};
}
