/*
 * Blocking helpers on top of sealpost/client.h, for programs that do one thing at a time.
 */
#ifndef SEALPOST_BLOCKING_H
#define SEALPOST_BLOCKING_H

#include "sealpost/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called for every notice that is not the one waited for: rows, events, progress. May be NULL. */
typedef void (*sp_notice_fn)(void *context, const struct sp_notice *notice);

/*
 * Connects and waits for the login. Returns SP_OK with *NOTICE the login, or why not, with *NOTICE
 * the SP_NOTICE_CLOSED that says so. SP_EINVALID: logged in already.
 */
SP_API SP_CHECK enum sp_error sp_wait_login(struct sp_client *client, struct sp_notice *notice);

/*
 * Waits until REQUEST is done; *NOTICE is its result, whose error is returned. TIMEOUT_MS counts
 * from the last byte that moved; 0: no limit. SP_ETIMEOUT. A signal that interrupts poll(2) makes
 * STOP be looked at: if it is not NULL and *STOP is not 0, SP_ECANCELLED.
 */
SP_API SP_CHECK enum sp_error sp_wait(struct sp_client *client, uint32_t request, int timeout_ms,
                                      const volatile int *stop, sp_notice_fn fn, void *context,
                                      struct sp_notice *notice);

/* Waits for any notice. SP_ETIMEOUT, SP_ECANCELLED as above. */
SP_API SP_CHECK enum sp_error sp_wait_any(struct sp_client *client, int timeout_ms,
                                          const volatile int *stop, struct sp_notice *notice);

/*
 * Gets a file into PATH: into a temporary file beside it, synced, and renamed only when the SHA-256
 * is right. SP_EEXISTS if PATH is there and FORCE is false. Nothing is left on any error.
 */
SP_API SP_CHECK enum sp_error sp_get_file(struct sp_client *client, const char *id,
                                          const char *path, bool force, const volatile int *stop,
                                          sp_notice_fn fn, void *context, struct sp_notice *notice);

/* Says goodbye and waits, at most TIMEOUT_MS, until the connection is over. */
SP_API void sp_goodbye(struct sp_client *client, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
