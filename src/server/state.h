/*
 * The state directory as the administrator's commands find it: DIR with a sealpost.conf (or
 * --config), or the state directory itself, which may be a backup. Called by fsck, backup, restore
 * and status; never by the server.
 */
#ifndef SP_SERVER_STATE_H
#define SP_SERVER_STATE_H

#include "base/base.h"

struct state {
    char *directory;
    char *database; /* its sealpost.db */
    char *files;    /* its files/ */
    char *control;  /* its control socket */
    bool running;   /* a server has it open */
};

/*
 * Takes the place, and whether each of FLAGS (NULL-terminated, as "--json") is there, off the
 * arguments; the next COUNT arguments that are no flags go to REST. On error the exit code, after
 * it was said why: a usage error is 2.
 */
SP_CHECK int state_find(int argc, char **argv, const char *const *flags, bool *given,
                        const char **rest, size_t rest_count, struct state *out);
/* The paths in DIRECTORY; SP_ENOMEM. */
SP_CHECK enum sp_error state_init(struct state *state, const char *directory);
void state_deinit(struct state *state);

/* Whether somebody holds the lock of the database at PATH, which keeps a second server out. */
bool state_is_locked(const char *database);

#endif
