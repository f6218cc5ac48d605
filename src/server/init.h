/* `sealpostd init`: a team from nothing, or out of a directory of tools/make-test-ca. */
#ifndef SP_SERVER_INIT_H
#define SP_SERVER_INIT_H

#include "ca/team.h"
#include "server/invite.h"

#define INIT_PATH_BYTES 4096
#define INIT_MESSAGE_BYTES 6144

struct init_order {
    const char *directory; /* made; must not be there, or be empty */
    const char *team;      /* NULL when one is adopted */
    const char *adopt;     /* NULL: all is new */
    const char *listen;    /* HOST:PORT; NULL: all addresses, and the port of HOST */
    const char *admin;     /* the first administrator's username */
    struct ca_hosts hosts; /* of the server's certificate; the first one is where clients go */
    uint16_t port;
    int64_t now_ms;
};

struct init_made {
    struct ca_team team;
    char directory[INIT_PATH_BYTES]; /* absolute */
    struct invite_made invitation;   /* the first administrator's */
};

/*
 * Makes everything in a directory beside the final one, which gets its name when all is there and
 * synced; on an error nothing is left. A sentence in MESSAGE. Blocks.
 */
SP_CHECK enum sp_error init_make(const struct init_order *order, struct init_made *out,
                                 char *message, size_t capacity);

/* init_files.c: the configuration and the systemd unit, in DIRECTORY; FINAL is its absolute name.
 */
SP_CHECK enum sp_error init_write_files(const struct init_order *order, const char *team,
                                        const char *directory, const char *final, char *message,
                                        size_t capacity);

#endif
