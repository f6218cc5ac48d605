/* uthash, set up so that running out of memory is an error of the caller's and not an exit(). */
#ifndef SP_BASE_TABLE_H
#define SP_BASE_TABLE_H

/* An item that could not be added has its handle's tbl NULL: check with TABLE_ADDED(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define TABLE_ADDED(item, handle) ((item)->handle.tbl != NULL)

#endif
