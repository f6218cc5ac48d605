/* uthash, set up so that running out of memory is an error of the caller's and not an exit(). */
#ifndef SP_BASE_TABLE_H
#define SP_BASE_TABLE_H

/* An item that could not be added has its handle's tbl NULL: check with TABLE_ADDED(). */
#define HASH_NONFATAL_OOM 1
/* Jenkins' one-at-a-time: the default's falling through is refused by clang where it is expanded.
 */
#define HASH_FUNCTION(key, size, hash) HASH_OAT(key, size, hash)
#include <uthash.h>

#define TABLE_ADDED(item, handle) ((item)->handle.tbl != NULL)

#endif
