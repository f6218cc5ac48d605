/* OpenSSL's start, for all parts that use it. */
#ifndef SP_CRYPTO_OPENSSL_H
#define SP_CRYPTO_OPENSSL_H

#include "base/base.h"

/*
 * Initialises OpenSSL without its configuration file, which could load providers and weaken what
 * TLS accepts. It must run before anything else of OpenSSL's; so whatever in src/ begins with
 * OpenSSL calls it first. Any thread, any number of times. SP_EINTERNAL.
 */
SP_CHECK enum sp_error openssl_init(void);

#endif
