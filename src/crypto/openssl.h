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

/*
 * For a program whose own OpenSSL is, at the start of main(): from now on it is known when OpenSSL
 * finds no memory, which it does not always say. SP_EINTERNAL: it has allocated something already.
 */
SP_CHECK enum sp_error openssl_watch_memory(void);

/* Before a call whose failure will be looked at: what failed before on this thread is forgotten. */
void openssl_forget_errors(void);
/* Whether it found no memory since, on this thread, whatever it has made of that. Empties its error
 * queue. Without openssl_watch_memory() as far as OpenSSL says so. */
bool openssl_found_no_memory(void);

#endif
