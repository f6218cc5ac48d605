#include "server/invite.h"

#include <stdio.h>
#include <string.h>

#include "base/join_code.h"
#include "crypto/secret.h"

/* One command on a domain without threads; its reply is the caller's. */
static enum sp_error run_command(struct domain *domain, struct command *command, struct reply **out)
{
    enum sp_error error = domain_submit(domain, command);
    *out = NULL;
    if (error != SP_OK) {
        command_free(command);
        return error;
    }
    error = domain_step(domain);
    struct publication *publication = domain_take(domain);
    while (publication != NULL) {
        struct queue_item *next = publication->item.next;
        if (publication->kind == PUBLISH_REPLY) {
            *out = publication->reply;
            publication->reply = NULL;
        }
        publication_free(publication);
        publication = next != NULL ? CONTAINER_OF(next, struct publication, item) : NULL;
    }
    return error == SP_OK && *out == NULL ? SP_EINTERNAL : error;
}

/* DEVICE: of a member; SP_ENOTFOUND when there is none of that name. */
static enum sp_error invite(struct domain *domain, const struct invite_order *order, bool device,
                            const uint8_t secret[JOIN_SECRET_BYTES], struct invite_made *out,
                            char *message, size_t capacity)
{
    struct command *command = NULL;
    struct reply *reply = NULL;
    enum sp_error error = command_new(COMMAND_INVITE, 0, &command);
    if (error == SP_OK) {
        error = command_join_digest(secret, &command->invite.secret_digest);
    }
    if (error != SP_OK) {
        command_free(command);
        return error;
    }
    command->received_ms = order->now_ms;
    command->invite.role = order->role;
    command->invite.renew = true;
    command->invite.device = device;
    (void)snprintf(command->invite.username, sizeof command->invite.username, "%s",
                   order->username);
    error = run_command(domain, command, &reply);
    if (error == SP_OK && reply->kind != REPLY_INVITED) {
        error = reply->error;
        (void)snprintf(message, capacity, "%s cannot be invited: %s", order->username,
                       reply->detail[0] != '\0' ? reply->detail : sp_error_text(error));
    } else if (error == SP_OK) {
        out->device = device;
        out->ends_ms = reply->invited.expires_ms;
    }
    reply_free(reply);
    return error;
}

enum sp_error invite_make(struct domain *domain, const struct invite_order *order,
                          struct invite_made *out, char *message, size_t capacity)
{
    struct join_code code = {.port = order->port};

    *out = (struct invite_made){0};
    random_bytes(code.secret, sizeof code.secret);
    (void)snprintf(code.host, sizeof code.host, "%s", order->host);
    memcpy(code.fingerprint, order->root.bytes, sizeof code.fingerprint);
    enum sp_error error = join_code_format(&code, out->code, sizeof out->code);
    if (error == SP_OK) {
        error = invite(domain, order, true, code.secret, out, message, capacity);
    }
    if (error == SP_ENOTFOUND) {
        error = invite(domain, order, false, code.secret, out, message, capacity);
    }
    secret_wipe(&code, sizeof code);
    return error;
}
