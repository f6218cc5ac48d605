/*
 * The files of a server's authority, looked at one by one for `sealpostd check`, which wants to
 * know all that is wrong and not only the first thing. What a file depends on and is not there
 * makes it SP_EINVALID. Nothing of it is ever used to serve.
 */
#ifndef SP_TLS_INSPECT_H
#define SP_TLS_INSPECT_H

#include "base/clock.h"
#include "tls/identity.h"

struct inspection;

SP_CHECK enum sp_error inspection_new(const struct clock *clock, struct inspection **out);
void inspection_free(struct inspection *inspection); /* NULL is allowed */

/* Errors as in authority_new_server(), with one sentence in REASON. */
SP_CHECK enum sp_error inspection_read_cas(struct inspection *inspection, const char *path,
                                           char *reason, size_t capacity);
/* SP_EKEY: the certificate is good, the key is not, or does not fit. */
SP_CHECK enum sp_error inspection_read_own(struct inspection *inspection, const char *cert_path,
                                           const char *key_path, char *reason, size_t capacity);
SP_CHECK enum sp_error inspection_read_lists(struct inspection *inspection, const char *path,
                                             char *reason, size_t capacity);

/* Of the server's certificate; NULL if there is none. Borrowed. */
const struct certificate_info *inspection_own(const struct inspection *inspection);
/* Its chain to a root, purpose and profile, but not its dates. */
SP_CHECK enum sp_error inspection_check_chain(const struct inspection *inspection, char *reason,
                                              size_t capacity);
/* Its names and addresses, with blanks. */
void inspection_names(const struct inspection *inspection, char *out, size_t capacity);
bool inspection_is_for(const struct inspection *inspection, const char *host);

/* The NUMBERth CA from 0, its name into NAME; false behind the last. *LISTED: whether it has a list
 * that is fresh at WALL_MS, SP_ENOCRL if not. */
bool inspection_ca(const struct inspection *inspection, size_t number, int64_t wall_ms, char *name,
                   size_t capacity, enum sp_error *listed);

#endif
