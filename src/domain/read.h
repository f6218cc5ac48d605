/*
 * Commands that only read, on a connection of a reader's or, without readers, on the writer's. The
 * same access rules, in access.h.
 */
#ifndef SP_DOMAIN_READ_H
#define SP_DOMAIN_READ_H

#include "domain/store.h"

/* Fills in REPLY, or returns why not. */
SP_CHECK enum sp_error read_execute(struct store *store, const struct command *command,
                                    struct reply *reply);

/* One for each; lists.c and pages.c. */
SP_CHECK enum sp_error read_list_logs(struct store *store, const struct command *command,
                                      struct reply *reply);
SP_CHECK enum sp_error read_list_members(struct store *store, const struct command *command,
                                         struct reply *reply);
SP_CHECK enum sp_error read_list_files(struct store *store, const struct command *command,
                                       struct reply *reply);
SP_CHECK enum sp_error read_list_devices(struct store *store, const struct command *command,
                                         struct reply *reply);
SP_CHECK enum sp_error read_list_invitations(struct store *store, const struct command *command,
                                             struct reply *reply);
SP_CHECK enum sp_error read_file(struct store *store, const struct command *command,
                                 struct reply *reply);
SP_CHECK enum sp_error read_events(struct store *store, const struct command *command,
                                   struct reply *reply);

/* Room in REPLY for one page of a list; *MAXIMUM rows of it. SP_EINVALID, SP_ENOMEM. */
SP_CHECK enum sp_error read_begin_list(const struct command *command, struct reply *reply,
                                       size_t *maximum);
/* The next free row; NULL and "more" when the page is full. */
struct row *read_next_row(struct reply *reply, size_t maximum);

/* What the actor may do with LOG; a sum of enum right. */
SP_CHECK enum sp_error read_rights(struct store *store, const struct log_row *log,
                                   const struct actor *actor, unsigned *rights,
                                   enum relation *relation);

#endif
