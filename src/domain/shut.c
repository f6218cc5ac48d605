/*
 * Who was shut out while being in. Only they can have asked for something before and have it wait
 * behind the command that shut them out; so a note in memory is enough, and who is not in it costs
 * nothing. The note only says that the database must be asked: one that is left over from a
 * transaction that came to nothing does no harm.
 */
#include <stdlib.h>

#include "base/table.h"
#include "domain/core.h"
#include "domain/store_team.h"

struct shut {
    int64_t key; /* a device's number, or a member's as a negative one */
    UT_hash_handle handle;
};

static bool is_noted(const struct core *core, int64_t key)
{
    struct shut *shut = NULL;

    HASH_FIND(handle, core->shut, &key, sizeof key, shut);
    return shut != NULL;
}

static enum sp_error note(struct core *core, int64_t key)
{
    if (is_noted(core, key)) {
        return SP_OK;
    }
    struct shut *shut = calloc(1, sizeof *shut);
    if (shut == NULL) {
        return SP_ENOMEM;
    }
    shut->key = key;
    HASH_ADD(handle, core->shut, key, sizeof shut->key, shut);
    if (!TABLE_ADDED(shut, handle)) {
        free(shut);
        return SP_ENOMEM;
    }
    return SP_OK;
}

enum sp_error core_shut_out(struct core *core, int64_t member, int64_t device, enum sp_error error)
{
    enum sp_error noted = note(core, device != 0 ? device : -member);
    struct publication *publication = noted == SP_OK ? calloc(1, sizeof *publication) : NULL;

    if (publication == NULL) {
        return SP_ENOMEM;
    }
    publication->kind = PUBLISH_SHUT_OUT;
    publication->shut_out.member = member;
    publication->shut_out.device = device;
    publication->shut_out.error = error;
    core_publish(core, publication);
    return SP_OK;
}

enum sp_error core_check_actor(struct core *core, const struct actor *actor)
{
    bool noted = core->shut != NULL && actor->device != 0 &&
                 (is_noted(core, actor->device) || is_noted(core, -actor->member));

    return noted ? store_check_device(&core->store, actor->device) : SP_OK;
}

void core_forget_shut(struct core *core)
{
    struct shut *shut = NULL;
    struct shut *next = NULL;

    HASH_ITER (handle, core->shut, shut, next) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed is in no list any more */
        HASH_DELETE(handle, core->shut, shut);
        free(shut);
    }
}
