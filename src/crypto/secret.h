/*
 * Secrets and randomness, by libsodium: guarded memory (guard pages, a canary, mlock, out of core
 * dumps, wiped when freed), comparison in constant time, random ids.
 */
#ifndef SP_CRYPTO_SECRET_H
#define SP_CRYPTO_SECRET_H

#include "base/base.h"

/* Once, before anything else here, at the start of main(); may be called again. SP_EINTERNAL. */
SP_CHECK enum sp_error secret_init(void);

/* Bytes in guarded memory. */
struct secret {
    uint8_t *data;
    size_t size;
};

/* SIZE zero bytes. They are locked into memory as far as RLIMIT_MEMLOCK allows; the rest of the
 * protection does not depend on it. SP_ENOMEM, SP_EINTERNAL. */
SP_CHECK enum sp_error secret_new(size_t size, struct secret **out);
/* Wipes and frees. NULL is allowed. */
void secret_free(struct secret *secret);

/* Reads the private key file PATH under the rules of file_open_private() straight into guarded
 * memory. SP_EKEY, SP_ENOTFOUND, SP_ENOMEM, and a sentence without the path in REASON. */
SP_CHECK enum sp_error secret_read_key_file(const char *path, struct secret **out, char *reason,
                                            size_t capacity);

/* Zeroes that no optimiser takes away. */
void secret_wipe(void *data, size_t size);

/* Whether A and B are equal; the time does not depend on where they differ. */
bool secret_equal(const void *a, const void *b, size_t size);

void random_bytes(void *out, size_t size);
void random_id(struct id *out);

#endif
