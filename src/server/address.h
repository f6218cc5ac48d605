/*
 * What the server remembers of addresses, so that one of them cannot take all the room for logging
 * in. Only connections that are not logged in yet, and those that failed, count: an office behind
 * one address is normal. An IPv6 address counts by its first 64 bits.
 *
 * Poll thread only.
 */
#ifndef SP_SERVER_ADDRESS_H
#define SP_SERVER_ADDRESS_H

#include <sys/socket.h>

#include "base/base.h"

struct address; /* one of them; lives as long as somebody holds it or it has failures */
struct address_table;

SP_CHECK enum sp_error address_table_new(struct address_table **out);
void address_table_free(struct address_table *table); /* all must have been released */

/*
 * Counts one more unauthenticated connection from SOCKADDR at NOW_MS (monotonic). SP_OK with *OUT
 * to be released; SP_EBUSY: it has too many, or has failed too often lately; SP_ENOMEM.
 */
SP_CHECK enum sp_error address_take(struct address_table *table,
                                    const struct sockaddr_storage *sockaddr, int64_t now_ms,
                                    struct address **out);
/* The connection is logged in, or over; FAILED: it was refused or gave up. */
void address_release(struct address_table *table, struct address *address, bool failed,
                     int64_t now_ms);
/*
 * Wrong join codes count apart from failed logins, so that trying them out of an office shuts
 * nobody out who works there. Whether one may be tried from ADDRESS; and that one was wrong.
 */
bool address_may_join(struct address *address, int64_t now_ms);
void address_join_failed(struct address *address, int64_t now_ms);
/* Forgets what need not be remembered any more. Now and then. */
void address_table_sweep(struct address_table *table, int64_t now_ms);
size_t address_table_count(const struct address_table *table);

#endif
