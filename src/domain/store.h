/*
 * The domain's SQL: what is kept, and how it is found again. It decides nothing. One store stands
 * on one connection: the writer's or a reader's.
 *
 * What is not there is SP_ENOTFOUND, a row that contradicts itself SP_EINTEGRITY; else the errors
 * of db/statement.h.
 */
#ifndef SP_DOMAIN_STORE_H
#define SP_DOMAIN_STORE_H

#include "db/statement.h"
#include "domain/access.h"
#include "domain/command.h"
#include "domain/publication.h"

enum store_query {
    QUERY_BEGIN,
    QUERY_COMMIT,
    QUERY_SAVEPOINT,
    QUERY_RELEASE,
    QUERY_ROLL_BACK_TO,
    QUERY_TEAM,
    QUERY_ADD_TEAM,
    QUERY_CERTIFICATE,
    QUERY_SET_LAST_SEEN,
    QUERY_MEMBER,
    QUERY_ADD_MEMBER,
    QUERY_SET_DISABLED,
    QUERY_ADD_DEVICE,
    QUERY_DEVICE_BY_ID,
    QUERY_DEVICE_STATE,
    QUERY_DEVICE_LABEL,
    QUERY_REVOKED_SERIAL,
    QUERY_SET_REVOKED,
    QUERY_ADD_CERTIFICATE,
    QUERY_INVITATION,
    QUERY_OPEN_INVITATION,
    QUERY_COUNT_INVITATIONS,
    QUERY_COUNT_INVITATIONS_OF,
    QUERY_ADD_INVITATION,
    QUERY_VOID_INVITATIONS,
    QUERY_VOID_INVITATIONS_BY,
    QUERY_USE_INVITATION,
    QUERY_ENROLLED,
    QUERY_LIST_DEVICES,
    QUERY_LIST_ALL_DEVICES,
    QUERY_LIST_INVITATIONS,
    QUERY_LOG_BY_NUMBER,
    QUERY_LOG_BY_ID,
    QUERY_LOG_BY_NAME,
    QUERY_LOG_OF_BOX,
    QUERY_HEAD,
    QUERY_ADD_LOG,
    QUERY_SET_TOPIC,
    QUERY_ROLE,
    QUERY_SET_ROLE,
    QUERY_MARK,
    QUERY_SET_MARK,
    QUERY_ADD_STATE_EVENT,
    QUERY_STATE_EVENTS_BEFORE,
    QUERY_ADD_MENTION,
    QUERY_COUNT_MENTIONS,
    QUERY_REMOVE_MENTIONS,
    QUERY_ERASE_MENTIONS,
    QUERY_REMOVE_ROLE,
    QUERY_ADD_EVENT,
    QUERY_HASH,
    QUERY_REQUEST,
    QUERY_ADD_REQUEST,
    QUERY_ADD_FILE,
    QUERY_FILE,
    QUERY_FILES_OF_LOG,
    QUERY_FILES_OF_BOX,
    QUERY_FILES_FROM_TO,
    QUERY_CONTENT,
    QUERY_LIST_LOGS,
    QUERY_LIST_TEAM,
    QUERY_LIST_ROSTER,
    QUERY_EVENTS,
    QUERY_SET_RETENTION,
    QUERY_NEXT_KEPT,
    QUERY_SET_ERASED,
    QUERY_HEADERS,
    QUERY_ERASE_EVENT,
    QUERY_FILE_BUCKET,
    QUERY_REMOVE_FILE,
    QUERY_ADD_DISCARD,
    QUERY_DISCARDS,
    QUERY_REMOVE_DISCARD,
    QUERY_COUNT
};

struct store {
    struct db *db; /* borrowed */
    struct statement *queries[QUERY_COUNT];
};

SP_CHECK enum sp_error store_init(struct store *store, struct db *db);
void store_deinit(struct store *store); /* may be called twice */
/* One that has neither parameters nor rows. */
SP_CHECK enum sp_error store_do(struct store *store, enum store_query query);

/* The team's row; ADD makes it. */
SP_CHECK enum sp_error store_find_team(struct store *store, char name[LIMIT_TEAM_BYTES + 1],
                                       struct id *incarnation);
SP_CHECK enum sp_error store_add_team(struct store *store, const char *name,
                                      const struct id *incarnation, int64_t now_ms);

/* A log with its head. */
struct log_row {
    struct log_info info;
    int64_t parent;           /* of a submission log: its box; else 0 */
    int64_t owner;            /* a member: who made it, or whose submissions it holds */
    int64_t last_ms;          /* time of the head's event */
    uint64_t messages;        /* and files: what is no state event */
    uint64_t erased_messages; /* of these, up to where it has been erased */
};
SP_CHECK enum sp_error store_find_log(struct store *store, int64_t number, struct log_row *out);
SP_CHECK enum sp_error store_find_log_by_key(struct store *store, const struct log_key *key,
                                             struct log_row *out);
SP_CHECK enum sp_error store_find_log_of_box(struct store *store, int64_t box, int64_t owner,
                                             struct log_row *out);
/* Sets LOG->info.number. */
SP_CHECK enum sp_error store_add_log(struct store *store, struct log_row *log, int64_t now_ms);
SP_CHECK enum sp_error store_set_topic(struct store *store, int64_t log, struct slice topic);

/* In the roster of LOG. Not there: RELATION_NONE, which also takes it out. Who comes in has read up
 * to READ. */
SP_CHECK enum sp_error store_find_role(struct store *store, int64_t log, int64_t member,
                                       enum relation *out);
SP_CHECK enum sp_error store_set_role(struct store *store, int64_t log, int64_t member,
                                      enum relation role, uint64_t read, int64_t now_ms);

int64_t store_event_key(int64_t log, uint64_t sequence);
int64_t store_key_log(int64_t key);
SP_CHECK enum sp_error store_add_event(struct store *store, const struct event_record *record,
                                       int64_t device, const struct digest *hash);
SP_CHECK enum sp_error store_find_hash(struct store *store, int64_t log, uint64_t sequence,
                                       struct digest *out);

/* The event that DEVICE's CLIENT_ID has made. */
struct request_row {
    int64_t log;
    struct event_header header;
    struct digest hash;
};
SP_CHECK enum sp_error store_find_request(struct store *store, int64_t device,
                                          const struct id *client_id, struct request_row *out);
SP_CHECK enum sp_error store_add_request(struct store *store, int64_t device,
                                         const struct id *client_id, int64_t event_key);

/* LOG is where the event is; CONTENT empty unless FILE->bucket is 0. */
SP_CHECK enum sp_error store_add_file(struct store *store, const struct log_row *log,
                                      const struct file_info *file, int64_t member,
                                      struct slice content);
SP_CHECK enum sp_error store_find_file(struct store *store, const struct id *file,
                                       struct file_info *out);
/* The columns of every query of files, from the current row; *KEY and *LOG are its numbers. */
void store_read_file(struct statement *statement, int64_t *key, int64_t *log,
                     struct file_info *out);

/* store_marks.c */
/* That the event SEQUENCE of LOG, its last one, is neither a message nor a file. */
SP_CHECK enum sp_error store_add_state_event(struct store *store, int64_t log, uint64_t sequence);
/* How many messages and files LOG has up to SEQUENCE, which is not beyond its head. */
SP_CHECK enum sp_error store_count_messages(struct store *store, int64_t log, uint64_t sequence,
                                            uint64_t *out);
/* Messages and files of LOG that are neither among its first READ ones nor erased. */
uint64_t store_count_unread(const struct log_row *log, uint64_t read);
/* Up to where MEMBER, who is in the roster, has read; 0 for who is not. */
SP_CHECK enum sp_error store_find_mark(struct store *store, int64_t log, int64_t member,
                                       uint64_t *out);
SP_CHECK enum sp_error store_set_mark(struct store *store, int64_t log, int64_t member,
                                      uint64_t sequence);
SP_CHECK enum sp_error store_add_mention(struct store *store, int64_t log, int64_t member,
                                         uint64_t sequence);
SP_CHECK enum sp_error store_count_mentions(struct store *store, int64_t log, int64_t member,
                                            uint32_t *out);
/* Those of MEMBER up to SEQUENCE, and those of everybody. */
SP_CHECK enum sp_error store_remove_mentions(struct store *store, int64_t log, int64_t member,
                                             uint64_t sequence);
SP_CHECK enum sp_error store_erase_mentions(struct store *store, int64_t log, uint64_t sequence);

/* store_retention.c */
SP_CHECK enum sp_error store_set_retention(struct store *store, int64_t log,
                                           const struct retention_rule *rule);
/* A log that does not keep everything. */
struct kept_row {
    int64_t log;
    struct retention_rule rule;
    uint64_t erased; /* up to this sequence number nothing is left to be done */
};
/* The first one behind number AFTER. SP_ENOTFOUND. */
SP_CHECK enum sp_error store_next_kept(struct store *store, int64_t after, struct kept_row *out);
SP_CHECK enum sp_error store_set_erased(struct store *store, int64_t log, uint64_t sequence);

/* Headers of LOG behind AFTER up to LAST, at most CAPACITY; *COUNT of them. SP_EINTEGRITY for one
 * that cannot be read or is not where it belongs. */
SP_CHECK enum sp_error store_read_headers(struct store *store, int64_t log, uint64_t after,
                                          uint64_t last, struct event_header *out, size_t capacity,
                                          size_t *count);
SP_CHECK enum sp_error store_erase_event(struct store *store, int64_t log, uint64_t sequence);
/* Takes the file's row away; where its bytes were in *BUCKET. SP_ENOTFOUND. */
SP_CHECK enum sp_error store_remove_file(struct store *store, const struct id *file,
                                         uint32_t *bucket);

/* Blobs whose file is erased and which may still be there. */
struct discard_row {
    int64_t number;
    struct id file;
    uint32_t bucket;
};
SP_CHECK enum sp_error store_add_discard(struct store *store, const struct id *file,
                                         uint32_t bucket);
SP_CHECK enum sp_error store_remove_discard(struct store *store, const struct id *file,
                                            uint32_t bucket);
/* The first one behind number AFTER. SP_ENOTFOUND. */
SP_CHECK enum sp_error store_next_discard(struct store *store, int64_t after,
                                          struct discard_row *out);

#endif
