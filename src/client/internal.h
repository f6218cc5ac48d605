/* What libsealpost's files share: the client itself. Not for anybody else. */
#ifndef SP_CLIENT_INTERNAL_H
#define SP_CLIENT_INTERNAL_H

#include "client/core.h"
#include "client/link.h"
#include "tls/authority.h"

struct sp_client {
    char *host;
    char *ca_file;
    char *cert_file;
    struct peer_names names; /* points to the above */
    int connect_timeout_ms;
    struct authority *authority;
    struct core core;
    struct link link;
};

/* Bytes moved either way so far, over all connections; to notice that nothing moves. */
uint64_t client_bytes_moved(const struct sp_client *client);

/* Whether there is neither a connection nor anything left to say about one. */
bool client_is_idle(const struct sp_client *client);

/* Cancels a transfer, and does not touch its descriptor any more. */
void client_detach(struct sp_client *client, uint32_t request);

/* sp_send() of a file that must have that SHA-256: the server refuses another. SHA256 may be NULL.
 */
SP_CHECK enum sp_error ask_send(struct sp_client *client, const struct sp_once *once,
                                const char *log, const char *name, int fd, const uint8_t *sha256,
                                uint32_t *request);

#endif
