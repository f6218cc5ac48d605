/* Fuzzes the certificate request of a stranger who joins. What is taken has a key that may be
 * certified, and its digest; what is refused leaves neither, and says why. */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "ca/key.h"
#include "ca/request.h"
#include "tls/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct digest zero;
    const struct slice request = {data, size};
    EVP_PKEY *key = NULL;
    struct digest digest;
    struct digest again;
    char reason[128] = "";
    enum sp_error error = ca_request_read(request, &key, &digest, reason, sizeof(reason));

    if (error == SP_OK) {
        if (key == NULL || digest_equal(&digest, &zero) || size > LIMIT_REQUEST_BYTES ||
            certificate_check_key(key, reason, sizeof(reason)) != SP_OK ||
            ca_request_read(request, NULL, &again, reason, sizeof(reason)) != SP_OK ||
            !digest_equal(&digest, &again)) {
            abort();
        }
    } else if (key != NULL || !digest_equal(&digest, &zero) || reason[0] == '\0' ||
               (error != SP_EINVALID && error != SP_EKEY && error != SP_ENOMEM)) {
        abort();
    }
    ca_key_free(key);
    return 0;
}
