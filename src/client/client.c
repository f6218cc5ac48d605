#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"
#include "client/store.h"
#include "client/transfer.h"
#include "crypto/secret.h"

#define DEFAULT_CONNECT_TIMEOUT_MS 15000

const char *sp_version(void)
{
    return "libsealpost " SEALPOST_VERSION;
}

void sp_once_new(struct sp_once *once)
{
    struct writer writer;

    /*
     * 48 bits of time and 80 random ones, as in a UUID of version 7 (RFC 9562, 5.7): ids that
     * follow each other keep the server's index of them local. They are unique for one device only,
     * so that is plenty.
     */
    random_bytes(once->client_id, sizeof once->client_id);
    writer_init(&writer, once->client_id, sizeof once->client_id);
    writer_u64(&writer, (uint64_t)clock_wall_ms(clock_system()) << 16 |
                            (unsigned)once->client_id[6] << 8 | once->client_id[7]);
    random_bytes(once->salt, sizeof once->salt);
}

static enum sp_error check_config(const struct sp_client_config *config, char *message,
                                  size_t capacity)
{
    const char *problem = NULL;

    if (config->host == NULL || config->host[0] == '\0') {
        problem = "no server is given";
    } else if (strlen(config->host) > LIMIT_HOST_BYTES) {
        problem = "the server's name is too long";
    } else if (config->ca_file == NULL || config->cert_file == NULL || config->key_file == NULL) {
        problem = "the files of the team's root certificate, of the device's certificate and of "
                  "its private key must be given";
    } else if (config->connect_timeout_ms < 0) {
        problem = "the time to connect cannot be negative";
    }
    if (problem != NULL) {
        (void)snprintf(message, capacity, "%s", problem);
        return SP_EINVALID;
    }
    return SP_OK;
}

static enum sp_error keep_names(struct sp_client *client, const struct sp_client_config *config)
{
    client->host = strdup(config->host);
    client->ca_file = strdup(config->ca_file);
    client->cert_file = strdup(config->cert_file);
    if (client->host == NULL || client->ca_file == NULL || client->cert_file == NULL) {
        return SP_ENOMEM;
    }
    client->names = (struct peer_names){
        .host = client->host,
        .port = config->port != 0 ? config->port : DEFAULT_PORT,
        .ca_file = client->ca_file,
        .cert_file = client->cert_file,
    };
    return SP_OK;
}

static enum sp_error load_authority(struct sp_client *client, const struct sp_client_config *config,
                                    char *message, size_t capacity)
{
    const struct authority_client_config files = {
        .ca_file = config->ca_file,
        .cert_file = config->cert_file,
        .key_file = config->key_file,
        .passphrase = config->passphrase,
        .passphrase_context = config->passphrase_context,
        .clock = clock_system(),
    };

    enum sp_error error = secret_init();
    if (error != SP_OK) {
        return error;
    }
    error = authority_new_client(&files, &client->authority, message, capacity);
    if (error != SP_OK) {
        return error;
    }
    client->core.certificate_not_after_ms = authority_own(client->authority)->not_after_ms;
    return SP_OK;
}

enum sp_error sp_client_new(const struct sp_client_config *config, struct sp_client **out,
                            char *message, size_t capacity)
{
    struct sp_client *client = NULL;

    *out = NULL;
    if (capacity > 0) {
        message[0] = '\0';
    }
    enum sp_error error = check_config(config, message, capacity);
    if (error != SP_OK) {
        return error;
    }
    client = calloc(1, sizeof *client);
    if (client == NULL) {
        error = SP_ENOMEM;
        goto out;
    }
    core_init(&client->core, clock_system(), &client->names);
    link_init(&client->link, &client->core, &client->names, NULL);
    error = keep_names(client, config);
    if (error == SP_OK) {
        error = load_authority(client, config, message, capacity);
    }
    if (error != SP_OK) {
        goto out;
    }
    client->link.authority = client->authority;
    client->connect_timeout_ms =
        config->connect_timeout_ms != 0 ? config->connect_timeout_ms : DEFAULT_CONNECT_TIMEOUT_MS;
    *out = client;
    client = NULL;
out:
    if (error != SP_OK && capacity > 0 && message[0] == '\0') {
        (void)snprintf(message, capacity, "%s", sp_error_text(error));
    }
    sp_client_free(client);
    return error;
}

void sp_client_free(struct sp_client *client)
{
    if (client != NULL) {
        link_deinit(&client->link);
        core_deinit(&client->core);
        authority_unref(client->authority);
        free(client->host);
        free(client->ca_file);
        free(client->cert_file);
        free(client);
    }
}

enum sp_error sp_client_connect(struct sp_client *client)
{
    if (!client_is_idle(client)) {
        return SP_EINVALID;
    }
    core_start(&client->core);
    link_start(&client->link, client->connect_timeout_ms);
    return SP_OK;
}

/* The core may have ended the connection by itself. */
static void follow_core(struct sp_client *client)
{
    if (client->core.phase == CORE_ENDED || client->core.phase == CORE_IDLE) {
        link_close(&client->link);
    }
}

enum sp_stage sp_client_stage(const struct sp_client *client)
{
    return client->link.stage;
}

void sp_client_certificate(const struct sp_client *client, struct sp_certificate *out)
{
    const struct certificate_info *own = authority_own(client->authority);

    *out = (struct sp_certificate){.username = own->username,
                                   .team = own->team,
                                   .not_before_ms = own->not_before_ms,
                                   .not_after_ms = own->not_after_ms};
}

int sp_client_fd(const struct sp_client *client)
{
    return link_fd(&client->link);
}

short sp_client_poll_events(const struct sp_client *client)
{
    return link_poll_events(&client->link);
}

int sp_client_timeout_ms(const struct sp_client *client)
{
    int timeout = link_timeout_ms(&client->link);
    int store_timeout = store_timeout_ms(client->core.store);

    return timeout < 0 || (store_timeout >= 0 && store_timeout < timeout) ? store_timeout : timeout;
}

void sp_client_service(struct sp_client *client)
{
    link_service(&client->link);
    follow_core(client);
}

void sp_client_close(struct sp_client *client)
{
    core_goodbye(&client->core);
    follow_core(client);
}

bool sp_client_next(struct sp_client *client, struct sp_notice *out)
{
    bool made = core_next(&client->core, out);

    if (!made) {
        store_flush_soon(client->core.store);
    }
    follow_core(client);
    return made;
}

void sp_cancel(struct sp_client *client, uint32_t request)
{
    struct request *found = core_request_find(&client->core, request);

    if (found != NULL && found->transfer != NULL) {
        transfer_give_up(&client->core, found, SP_ECANCELLED, NULL);
    }
}

uint64_t client_bytes_moved(const struct sp_client *client)
{
    return link_bytes_moved(&client->link);
}

bool client_is_idle(const struct sp_client *client)
{
    return client->core.phase == CORE_IDLE;
}

void client_detach(struct sp_client *client, uint32_t request)
{
    struct request *found = core_request_find(&client->core, request);

    if (found != NULL && found->transfer != NULL) {
        transfer_detach(&client->core, found);
    }
}
