#include "crypto/openssl.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

enum sp_error openssl_init(void)
{
    /* OpenSSL itself does this only once, and remembers the first answer. The order matters:
     * OPENSSL_init_ssl() alone would load the configuration. */
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
        OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) {
        return SP_EINTERNAL;
    }
    return SP_OK;
}
