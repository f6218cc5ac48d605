/* The domain's tables, as steps from one version to the next. See db/migrate.h. */
#ifndef SP_DOMAIN_SCHEMA_H
#define SP_DOMAIN_SCHEMA_H

#include <stddef.h>

extern const char *const schema_steps[];
extern const size_t schema_step_count;

/* events.key: the log's number, then the sequence number. */
#define EVENT_KEY_SHIFT 40

#endif
