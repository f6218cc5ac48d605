/*
 * Who may do what, in one table: the kind of the log and what the asking member is to it give the
 * rights. The writer and the readers both ask here, and nobody decides on access elsewhere.
 *
 * Pure; any thread.
 */
#ifndef SP_DOMAIN_ACCESS_H
#define SP_DOMAIN_ACCESS_H

#include "base/base.h"
#include "event/event.h"

/* What a member is to a log. The numbers of MEMBER and OWNER are stored in the roster. */
enum relation {
    RELATION_NONE = 0,
    RELATION_MEMBER = 1,
    RELATION_OWNER = 2,
    RELATION_SUBMITTER = 3, /* to its own submission log */
};
#define RELATION_COUNT 4

enum right {
    RIGHT_SEE = 1 << 0,   /* that it exists, its name, topic and head */
    RIGHT_READ = 1 << 1,  /* events and files */
    RIGHT_POST = 1 << 2,  /* messages; in a box: notices */
    RIGHT_TOPIC = 1 << 3, /* set it */
    RIGHT_JOIN = 1 << 4,  /* also when one is in it already */
    RIGHT_LEAVE = 1 << 5,
    RIGHT_STORE = 1 << 6,  /* send files to it; in a box: to the own submission log in it */
    RIGHT_ROSTER = 1 << 7, /* list who is in it */
    RIGHT_ALL = 1 << 8,    /* of a box: see everybody's submissions */
    RIGHT_RETAIN = 1 << 9, /* set how much of it is kept */
    RIGHT_MARK = 1 << 10,  /* say how far one has read it */
};

/*
 * What a member is to a log of KIND: ROLE is its role in the roster (of a submission log: in that
 * of the box), OWNS whether the log was made for it.
 */
enum relation access_relation(enum log_kind kind, enum relation role, bool owns);

/* The rights as a sum of enum right. 0 for kinds that do not exist yet. */
unsigned access_rights(enum log_kind kind, enum relation relation);

/*
 * SP_OK, or why not: SP_ENOTFOUND if the member may not even know of the log, SP_ENOTJOINED if
 * being in it would help, else SP_EFORBIDDEN.
 */
SP_CHECK enum sp_error access_check(enum log_kind kind, enum relation relation, enum right right);

/* What one may do in the team as a whole, by role. */
enum team_right {
    TEAM_INVITE = 1 << 0,    /* somebody new, or another member's next device */
    TEAM_MEMBERS = 1 << 1,   /* shut members out and let them in; see who is shut out */
    TEAM_DEVICES = 1 << 2,   /* see and revoke devices of others */
    TEAM_RETENTION = 1 << 3, /* say what rooms of others keep */
};

/* SP_OK or SP_EFORBIDDEN. ROLE is one of enum role. */
SP_CHECK enum sp_error access_check_team(int role, enum team_right right);

#endif
