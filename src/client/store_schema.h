/* The tables of a client's store. For the files of the store only. */
#ifndef SP_CLIENT_STORE_SCHEMA_H
#define SP_CLIENT_STORE_SCHEMA_H

#include <stddef.h>

extern const char *const store_schema_steps[];
extern const size_t store_schema_step_count;

#endif
