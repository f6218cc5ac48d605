/* Connections that join: there is no certificate to judge, and so nothing but joining for them. */
#include <stdio.h>
#include <string.h>

#include "server/internal.h"

static bool is_crowded(const struct server *server)
{
    uint64_t share = server->settings->max_sessions / 4 + 1;

    return server->joining > (share < LIMIT_JOINING ? share : LIMIT_JOINING);
}

void connection_begin_join(struct connection *connection)
{
    struct server *server = connection->server;

    if (!address_may_join(connection->address, server->now_ms)) {
        connection_refuse(connection, SP_ESLOWDOWN);
        return;
    }
    enum sp_error error = session_new_join(server->hub, connection, &connection->session);
    if (error != SP_OK) {
        connection_refuse(connection, error);
        return;
    }
    connection->joins = true;
    connection->number = session_number(connection->session);
    connection->deadline_ms = server->now_ms + JOIN_TIMEOUT_MS;
    connection_set_state(connection, CONNECTION_SERVING);
    server->joining++;
    if (is_crowded(server)) {
        connection_cut_oldest(server, true);
        server->crowded_out++;
    }
}

void connection_log_join(struct connection *connection)
{
    const struct join_result *result = session_join_result(connection->session);
    struct server *server = connection->server;

    if (connection->decided || (!result->enrolled && result->error == SP_OK)) {
        return;
    }
    connection->decided = true;
    if (result->enrolled) {
        struct certificate_info info = {.serial_bytes = result->serial_bytes};
        char serial[SERIAL_HEX_BYTES];
        char fingerprint[DIGEST_HEX_BYTES];

        memcpy(info.serial, result->serial, sizeof info.serial);
        certificate_serial_hex(&info, serial);
        hex_encode(result->fingerprint.bytes, DIGEST_BYTES, fingerprint);
        log_line(server->log, LOG_INFO,
                 "event=joined session=%llu member=%s peer=%s serial=%s fingerprint=%s repeated=%s",
                 (unsigned long long)connection->number, result->username, connection->peer, serial,
                 fingerprint, result->repeated ? "yes" : "no");
        return;
    }
    if (result->code_failed && connection->address != NULL) {
        address_join_failed(connection->address, server->now_ms);
    }
    const char *why = result->detail[0] != '\0' ? result->detail : sp_error_text(result->error);
    char reason[256];
    log_line(server->log, LOG_WARNING, "event=join_refused session=%llu peer=%s error=%s reason=%s",
             (unsigned long long)connection->number, connection->peer, sp_error_name(result->error),
             log_value(why, strlen(why), reason, sizeof reason));
}
