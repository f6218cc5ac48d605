/*
 * The file of `member invite --from`: lines "NAME[,ROLE[,ROOMS]]" (RFC 4180, quotes allowed), where
 * ROOMS are names of rooms and boxes with spaces or ';' between them. A first line "name,..." is
 * passed over, and so are empty ones and those that begin with '#'.
 *
 * Pure: text in, rows out; fuzzed. Called by cmd_invite.c.
 */
#ifndef SP_CLI_ROSTER_H
#define SP_CLI_ROSTER_H

#include "base/base.h"

#define ROSTER_MESSAGE_BYTES 256
#define LIMIT_ROSTER_BYTES (1024L * 1024)
#define LIMIT_ROSTER_ROWS 10000

struct roster_row {
    unsigned line; /* from 1 */
    char username[LIMIT_USERNAME_BYTES + 1];
    bool administrator;
    size_t log_count;
    char logs[LIMIT_INVITATION_LOGS][LIMIT_LOG_NAME_BYTES + 1];
};

struct roster {
    struct roster_row *rows;
    size_t count;
};

/*
 * Reads SIZE bytes of TEXT; NAME is for messages. On error *OUT is empty and MESSAGE is one line
 * such as "roster.csv:7: 'Bob' is not a name: ...". SP_EINVALID (also a name that stands there
 * twice), SP_ENOMEM. Freed with roster_deinit().
 */
SP_CHECK enum sp_error roster_parse(const char *name, const char *text, size_t size,
                                    struct roster *out, char *message, size_t capacity);
void roster_deinit(struct roster *roster);

/* "member" or "administrator" (also "admin"). False: it is neither. */
bool roster_role(const char *text, bool *administrator);
/* Adds the names in TEXT, which ',', ';' and spaces separate, to ROW; '#' in front is passed over.
 * A sentence part in REASON. SP_EINVALID. */
SP_CHECK enum sp_error roster_add_logs(struct roster_row *row, const char *text, char *reason,
                                       size_t capacity);

#endif
