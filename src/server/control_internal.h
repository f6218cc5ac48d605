/* What the two ends of the control socket share. For control.c and control_ask.c only. */
#ifndef SP_SERVER_CONTROL_INTERNAL_H
#define SP_SERVER_CONTROL_INTERNAL_H

#include <sys/un.h>

#include "server/control.h"

#define CONTROL_SOCKET "control" /* its name in the state directory */
#define CONTROL_REQUEST_BYTES 64

/* The socket's address by the descriptor of its directory: a path may be of any length. */
void control_set_address(int directory_fd, struct sockaddr_un *out);

#endif
