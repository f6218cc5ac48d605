/* What a file to be sent is read from: a file, a named pipe, standard input. Called by send and
 * submit. Never prints. */
#ifndef SP_CLI_SOURCE_H
#define SP_CLI_SOURCE_H

#include "cli/session.h"

/*
 * Opens PATH; "-" is standard input. Waits for who writes to a named pipe, for the session's
 * timeout; the connection stays alive meanwhile. On error why is session->text: SP_EFILE,
 * SP_ECANCELLED when interrupted.
 */
SP_CHECK enum sp_error source_open(struct session *session, const char *path, int *fd);

/*
 * Whether FD is a pipe that has not ended and gives nothing now. Then it has not been sent as a
 * whole, whatever else is not known.
 */
bool source_is_dry(int fd);

#endif
