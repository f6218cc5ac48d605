/*
 * Rooms and boxes take files alike, but a file in a room is seen by everybody in it: what is meant
 * for the one must not get into the other. Called before a file is sent. Never prints.
 */
#ifndef SP_CLI_TARGET_H
#define SP_CLI_TARGET_H

#include "cli/session.h"

/* What is known of where a file goes. */
struct target {
    const char *log;
    bool wants_box;
    enum sp_log_kind kind; /* 0: not known */
};

/* Takes the kind out of a row of sp_list_logs(), if it is the target's. */
void target_take_row(struct target *target, const struct sp_row *row);

/* SP_EINVALID with a sentence in TEXT when it is of the wrong kind. What is not in the list is left
 * to the server to refuse. */
SP_CHECK enum sp_error target_judge(const struct target *target, const char *path, char *text,
                                    size_t capacity);

/* Asks the server, unless it is known, and judges; on error why is session->text. */
SP_CHECK enum sp_error target_check(struct target *target, struct session *session,
                                    const char *path);

#endif
