/* What audit.c, audit_log.c and audit_state.c share. Nobody else includes it. */
#ifndef SP_DOMAIN_AUDIT_INTERNAL_H
#define SP_DOMAIN_AUDIT_INTERNAL_H

#include "base/table.h"
#include "db/statement.h"
#include "domain/audit.h"
#include "event/body.h"
#include "event/event.h"

enum audit_query {
    AUDIT_BEGIN,
    AUDIT_INTEGRITY,
    AUDIT_FOREIGN_KEYS,
    AUDIT_COUNT,
    AUDIT_NEXT_LOG,
    AUDIT_EVENTS,
    AUDIT_REQUEST,
    AUDIT_FILE,
    AUDIT_ROSTER,
    AUDIT_STATE_EVENTS,
    AUDIT_MENTIONS,
    AUDIT_STRAY_EVENTS,
    AUDIT_STRAY_COUNTS,
    AUDIT_STRAY_REQUESTS,
    AUDIT_STRAY_FILES,
    AUDIT_NEXT_BLOB,
    AUDIT_FIND_BLOB,
    AUDIT_FIND_DISCARD,
    AUDIT_QUERIES
};

struct audit {
    struct audit_config config;
    struct audit_counts counts;
    struct db *db;
    struct statement *queries[AUDIT_QUERIES];
    uint64_t total; /* events, when it began */
    int64_t blob;   /* number of the last file that audit_next_blob() gave */
};

/* A row of logs. */
struct audit_log {
    int64_t number;
    struct id id;
    enum log_kind kind;
    char name[LIMIT_LOG_NAME_BYTES + 1]; /* of a submission log: its box's */
    char owner[LIMIT_USERNAME_BYTES + 1];
    char topic[LIMIT_TOPIC_BYTES + 1];
    uint64_t keep_seconds;
    uint64_t keep_events;
    uint64_t erased;
};

/* Reports a finding in LOG (NULL: in none) at SEQUENCE (0: nowhere). */
void audit_say(struct audit *audit, const char *check, const struct audit_log *log,
               uint64_t sequence, const char *format, ...) PRINTF_LIKE(5, 6);

/* All events of LOG, and what follows from them. audit_log.c */
SP_CHECK enum sp_error audit_check_log(struct audit *audit, const struct audit_log *log);

/* Who is in the log, as the events have it. */
struct inside {
    char username[LIMIT_USERNAME_BYTES + 1];
    bool owner;
    bool seen; /* in the roster */
    UT_hash_handle hh;
};

struct reading {
    struct audit *audit;
    const struct audit_log *log;
    uint64_t sequence;  /* of the event at hand */
    struct digest head; /* the chain up to the event before … */
    bool has_head;      /* … unless that is damaged or missing */
    int64_t time_ms;
    struct inside *members;
    char topic[LIMIT_TOPIC_BYTES + 1];
    uint64_t keep_seconds;
    uint64_t keep_events;
    bool known;            /* all bodies that matter could be read */
    uint64_t state_events; /* so many so far … */
    bool miscounted;       /* … which is not what is on record, and was said */
};

#define SAY(reading, check, ...) \
    audit_say((reading)->audit, check, (reading)->log, (reading)->sequence, __VA_ARGS__)

/* What an event that is not erased changes. audit_state.c, as are the following */
SP_CHECK enum sp_error audit_replay(struct reading *reading, const struct event_header *header,
                                    const struct body *body);
/* Whether the event at hand, which has HEADER, is on record as what it is: state event or message.
 */
void audit_count(struct reading *reading, const struct event_header *header);
void audit_count_end(struct reading *reading); /* whether no others are */
/* After the last event: are the tables what the events say? */
SP_CHECK enum sp_error audit_check_state(struct reading *reading);
void audit_forget(struct reading *reading);

#endif
