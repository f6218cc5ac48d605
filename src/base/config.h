/*
 * "key = value" files: '#' starts a comment at the start of a line or after white space, keys are
 * [a-z0-9_]+, values are trimmed and may be empty. An unknown or repeated key, a line without '=',
 * a line that is too long, a NUL: each is an error that names file and line.
 *
 * The parser knows no keys: it hands each pair to a callback. No allocation.
 */
#ifndef SP_BASE_CONFIG_H
#define SP_BASE_CONFIG_H

#include "base/base.h"

struct config_pair {
    const char *key;   /* NUL-terminated, valid only during the call */
    const char *value; /* NUL-terminated, trimmed, likewise */
    unsigned line;     /* from 1 */
};

/*
 * Returns SP_OK, or an error with a sentence about the value written to REASON ("is not a number"),
 * which is then reported with file, line and key. A key that is not known: SP_ENOTFOUND. Seen
 * before: SP_EEXISTS.
 */
typedef enum sp_error (*config_pair_fn)(void *context, const struct config_pair *pair, char *reason,
                                        size_t capacity);

/*
 * Parses SIZE bytes of TEXT; NAME is for messages. On error SP_ECONFIG, and one line such as
 * "server.conf:12: unknown key 'prot'" or "server.conf:12: 'port' is not a number" in MESSAGE, else
 * MESSAGE is empty. Stops at the first error.
 */
SP_CHECK enum sp_error config_parse(const char *name, const char *text, size_t size,
                                    config_pair_fn pair_fn, void *context, char *message,
                                    size_t capacity);

/* Values. SP_EINVALID otherwise. Numbers are decimal; sizes may end in K, M, G, T (powers of
 * 1,024). */
SP_CHECK enum sp_error config_parse_u64(const char *value, uint64_t minimum, uint64_t maximum,
                                        uint64_t *out);
SP_CHECK enum sp_error config_parse_size(const char *value, uint64_t minimum, uint64_t maximum,
                                         uint64_t *out);
SP_CHECK enum sp_error config_parse_bool(const char *value, bool *out); /* yes, no, true, false */
/*
 * "HOST:PORT", "HOST", "[V6]:PORT", "[V6]"; HOST gets up to LIMIT_HOST_BYTES+1 bytes, without the
 * brackets; PORT is DEFAULT_PORT if absent. 0 is allowed: to who listens it means any free port.
 */
SP_CHECK enum sp_error config_parse_host_port(const char *value, char *host, uint16_t *port);

#endif
