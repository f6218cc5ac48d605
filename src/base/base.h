/* Small things that every part uses: fixed-size values, checks, hexadecimal. Nothing here
 * allocates. */
#ifndef SP_BASE_BASE_H
#define SP_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "sealpost/error.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of which PTR is the member MEMBER. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define PRINTF_LIKE(format_at, first) __attribute__((__format__(__printf__, format_at, first)))

/* A random identifier of a log, a device, a request or a file. */
struct id {
    uint8_t bytes[ID_BYTES];
};

/* A SHA-256 digest. */
struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

/* Borrowed bytes; not NUL-terminated. */
struct slice {
    const uint8_t *data;
    size_t size;
};

bool id_equal(const struct id *a, const struct id *b);
bool id_is_zero(const struct id *id);
bool digest_equal(const struct digest *a, const struct digest *b);

/* What errno NUMBER means; unlike strerror(), safe in any thread. Static; never NULL. */
const char *error_text(int number);

struct slice slice_of_string(const char *string);

/* Writes 2*SIZE lower-case digits and a NUL into OUT, which must hold 2*SIZE+1 bytes. */
void hex_encode(const uint8_t *data, size_t size, char *out);

/* Reads exactly 2*SIZE hexadecimal digits, either case, and nothing else. SP_EINVALID otherwise. */
SP_CHECK enum sp_error hex_decode(const char *hex, uint8_t *out, size_t size);

#define ID_HEX_BYTES (2 * ID_BYTES + 1)
#define DIGEST_HEX_BYTES (2 * DIGEST_BYTES + 1)

#endif
