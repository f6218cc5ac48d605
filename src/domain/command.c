#include "domain/command.h"

#include <stdlib.h>

#include "crypto/digest.h"
#include "domain/publication.h"

enum sp_error command_new(enum command_kind kind, size_t body_size, struct command **out)
{
    static const struct origin nowhere = {0, 0, 0};
    struct command *command = calloc(1, sizeof *command + body_size);

    *out = NULL;
    if (command == NULL) {
        return SP_ENOMEM;
    }
    command->kind = kind;
    command->body_size = body_size;
    command->answer = calloc(1, sizeof *command->answer);
    if (command->answer == NULL ||
        reply_new(REPLY_ERROR, &nowhere, &command->answer->reply) != SP_OK) {
        command_free(command);
        return SP_ENOMEM;
    }
    *out = command;
    return SP_OK;
}

void command_free(struct command *command)
{
    if (command != NULL) {
        publication_free(command->answer);
        free(command);
    }
}

enum sp_error command_join_digest(const uint8_t secret[JOIN_SECRET_BYTES], struct digest *out)
{
    static const char label[] = "sealpost join secret 1"; /* with its NUL */
    const struct slice parts[] = {{(const uint8_t *)label, sizeof label},
                                  {secret, JOIN_SECRET_BYTES}};

    return digest_of(parts, COUNT_OF(parts), out);
}

bool command_is_for_domain(enum command_kind kind)
{
    return kind <= COMMAND_OFFER_END;
}

bool command_is_silent(enum command_kind kind)
{
    return kind == COMMAND_OFFER_END || kind == COMMAND_ERASE || kind == COMMAND_DISCARDED ||
           kind == COMMAND_SEEN;
}
