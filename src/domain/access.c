#include "domain/access.h"

#include "domain/command.h"

#define KIND_COUNT (LOG_KIND_MEMBER + 1)

#define INSIDE_ROOM                                                                               \
    (RIGHT_SEE | RIGHT_READ | RIGHT_POST | RIGHT_TOPIC | RIGHT_JOIN | RIGHT_LEAVE | RIGHT_STORE | \
     RIGHT_ROSTER | RIGHT_MARK)
#define BEFORE_BOX (RIGHT_SEE | RIGHT_READ | RIGHT_STORE | RIGHT_ROSTER)
#define IN_SUBMISSION (RIGHT_SEE | RIGHT_READ)

/* What is not here is 0: no right at all. */
static const uint16_t rights[KIND_COUNT][RELATION_COUNT] = {
    [LOG_KIND_OPEN] = {[RELATION_NONE] = RIGHT_SEE | RIGHT_JOIN,
                       [RELATION_MEMBER] = INSIDE_ROOM,
                       [RELATION_OWNER] = INSIDE_ROOM | RIGHT_RETAIN},
    [LOG_KIND_BOX] = {[RELATION_NONE] = BEFORE_BOX,
                      [RELATION_MEMBER] = BEFORE_BOX,
                      [RELATION_OWNER] = BEFORE_BOX | RIGHT_POST | RIGHT_TOPIC | RIGHT_ALL},
    [LOG_KIND_SUBMISSION] =
        {[RELATION_OWNER] = IN_SUBMISSION, [RELATION_SUBMITTER] = IN_SUBMISSION},
};

enum relation access_relation(enum log_kind kind, enum relation role, bool owns)
{
    if (kind != LOG_KIND_SUBMISSION) {
        return role;
    }
    if (owns) {
        return RELATION_SUBMITTER;
    }
    return role == RELATION_OWNER ? RELATION_OWNER : RELATION_NONE;
}

unsigned access_rights(enum log_kind kind, enum relation relation)
{
    if ((unsigned)kind >= KIND_COUNT || (unsigned)relation >= RELATION_COUNT) {
        return 0;
    }
    return rights[kind][relation];
}

enum sp_error access_check(enum log_kind kind, enum relation relation, enum right right)
{
    unsigned own = access_rights(kind, relation);

    if ((own & RIGHT_SEE) == 0) {
        return SP_ENOTFOUND;
    }
    if ((own & right) != 0) {
        return SP_OK;
    }
    if (relation == RELATION_NONE && (access_rights(kind, RELATION_MEMBER) & right) != 0) {
        return SP_ENOTJOINED;
    }
    return SP_EFORBIDDEN;
}

enum sp_error access_check_team(int role, enum team_right right)
{
    static const uint16_t team_rights[] = {
        [ROLE_ADMINISTRATOR] = TEAM_INVITE | TEAM_MEMBERS | TEAM_DEVICES | TEAM_RETENTION,
    };

    if (role < 0 || (size_t)role >= COUNT_OF(team_rights)) {
        return SP_EFORBIDDEN;
    }
    return (team_rights[role] & right) != 0 ? SP_OK : SP_EFORBIDDEN;
}
