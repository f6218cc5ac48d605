/*
 * The inside of sealpost/store.h: what chain.c, ask.c and answer.c tell the store and ask it. What
 * they tell waits in memory and is written in one transaction when no more input is there
 * (store_flush()): no lock on the file is held while a program does something else. What is read is
 * kept if that is possible: a full disk ends the keeping, not the reading, and sp_store_trouble()
 * says why.
 */
#ifndef SP_CLIENT_STORE_H
#define SP_CLIENT_STORE_H

#include "client/reason.h"
#include "db/statement.h"
#include "event/event.h"
#include "sealpost/store.h"

struct store_kept;

struct sp_store {
    struct db *db;
    char *path;
    int lock_fd; /* of the outbox: who holds it drains */
    char trouble[REASON_BYTES];
    bool restored; /* to be told once */
    struct id device;
    struct store_kept *kept; /* events and rows that wait to be written */
    struct store_kept **kept_end;
    size_t kept_count;
    size_t kept_bytes;
    int64_t kept_since_ms; /* monotonic: when the first of them came */
    int64_t retry_ms;      /* likewise: they are not to be written before; 0: they are */
    bool batch;            /* between sp_outbox_begin() and sp_outbox_commit() */
    /* What was read last points to these. */
    char name[LIMIT_LOG_NAME_BYTES + 1];
    char reason[REASON_BYTES];
    char *text; /* owned */
    char path_text[LIMIT_PATH_BYTES];
    char file_name[LIMIT_FILE_NAME_BYTES + 1];
};

/* ---- SQL. TYPES has a letter for each parameter: i int64_t, u uint64_t, b const void * and
 * size_t, t const char * (NULL: null) ---- */

/* Prepares and binds; *OUT is the caller's, to be freed with statement_free(). */
SP_CHECK enum sp_error store_query(struct sp_store *store, struct statement **out, const char *sql,
                                   const char *types, ...);
/* A statement that returns no row. */
SP_CHECK enum sp_error store_execute(struct sp_store *store, const char *sql, const char *types,
                                     ...);
/* The first column of the first row; 0 if there is none. */
SP_CHECK enum sp_error store_number(struct sp_store *store, uint64_t *out, const char *sql,
                                    const char *types, ...);
/* A transaction that may write from its beginning. */
SP_CHECK enum sp_error store_begin(struct sp_store *store);
/* Commits if ERROR is SP_OK, else rolls back; returns what came of it. */
SP_CHECK enum sp_error store_end(struct sp_store *store, enum sp_error error);
/* What ERROR means for the store, as a sentence in TEXT. */
void store_explain(const struct sp_store *store, enum sp_error error, char *text, size_t capacity);
/* Keeping has ended with ERROR: says so, once. */
void store_give_up(struct sp_store *store, enum sp_error error);
/* The same but for SP_EBUSY, which passes. */
void store_fail(struct sp_store *store, enum sp_error error);

/* ---- Logs: store_logs.c ---- */

struct store_log {
    int64_t number;
    struct id id;
    char name[LIMIT_LOG_NAME_BYTES + 1];
    uint64_t sequence; /* the head that was seen; 0: none */
    struct digest hash;
    bool stale;          /* of an incarnation that is no more, or given up by the user */
    uint64_t refused_at; /* 0: it is not refused */
};

/* What FOLLOWING said. */
struct store_following {
    struct id id;
    int kind;
    const char *name;
    uint64_t first;
    struct digest before;
    uint64_t head_sequence;
    struct digest head;
    uint64_t seen; /* the last event that was known of it when it was asked for */
};

/* By a name, with or without '#', or the digits of an id. SP_ENOTFOUND. */
SP_CHECK enum sp_error store_find(struct sp_store *store, const char *log, struct store_log *out);
SP_CHECK enum sp_error store_find_id(struct sp_store *store, const struct id *id,
                                     struct store_log *out);
/* The log of that id, made if it is not known. SP_EINTEGRITY: the name is another log's. */
SP_CHECK enum sp_error store_note_log(struct sp_store *store, const struct id *id, int kind,
                                      const char *name, struct store_log *out);

/* The last event that this device has any knowledge of. */
SP_CHECK enum sp_error store_last_seen(struct sp_store *store, const struct store_log *log,
                                       uint64_t *sequence);
/* The next log after number AFTER that is stale and has own messages. SP_ENOTFOUND. */
SP_CHECK enum sp_error store_next_stale(struct sp_store *store, int64_t after,
                                        struct store_log *out);

/* ---- Whether they are the same: store_check.c, store_fork.c ---- */

struct store_plan {
    struct id log;  /* zeros: nothing is known of it */
    uint64_t seen;  /* the last event that is known of it; 0: none, or it is to be found out */
    bool catch_up;  /* something is to be read before anything else … */
    uint64_t after; /* … namely the events after this one … */
    bool reconcile; /* … to find what is missing, by store_reconciled() */
};

/* What is known of LOG when it is asked for. */
void store_plan(struct sp_store *store, const char *log, struct store_plan *out);
/* Whether the log that was followed is the one that was seen. SP_EINTEGRITY: it is not, and refused
 * from now on; SP_EBUSY: it cannot be told now; with a sentence in TEXT. */
SP_CHECK enum sp_error store_check(struct sp_store *store, const struct store_following *following,
                                   char *text, size_t capacity);
/* Whether LOG is refused, with a sentence in TEXT. Nothing is to be sent to it then. */
bool store_refuses(struct sp_store *store, const char *log, char *text, size_t capacity);
/* The events from LOG's FIRST on are no more: own messages go into the outbox. In a transaction. */
SP_CHECK enum sp_error store_fork(struct sp_store *store, const struct store_log *log,
                                  uint64_t first);
/* Everything after the plan's .after has been read, up to the head. True: *OUT is what is
 * missing. */
bool store_reconciled(struct sp_store *store, const struct id *id, uint64_t head_sequence,
                      const struct digest *head, struct sp_history *out);
/* The same when the server has no such log, though it is stale: all of it is missing. */
bool store_gone(struct sp_store *store, const struct id *id, struct sp_history *out);

/* The device and the incarnation. SP_ECONFLICT: another device's store; SP_EBUSY: they cannot be
 * looked at now; with a sentence in TEXT. */
SP_CHECK enum sp_error store_logged_in(struct sp_store *store, const struct sp_login *login,
                                       char *text, size_t capacity);

/* ---- Events and rows: store_events.c ---- */

/* An event that has been verified; HASH is the chain up to it. STORE may be NULL, as below. */
void store_event(struct sp_store *store, const struct event_view *view, const char *author,
                 const struct digest *hash);
/* A row of the list that began at STAMP_MS; and its end. */
void store_row(struct sp_store *store, const struct sp_row *row, int64_t stamp_ms);
void store_listed(struct sp_store *store, int64_t stamp_ms);
/* The entry NUMBER of the outbox was acknowledged by RESULT: that is written down soon. If it is
 * not, since the process ends before, the server is asked once more, and says so again. */
void store_sent(struct sp_store *store, uint64_t number, const struct sp_notice *result);
/* Writes what waits. While another process has the file it waits on; what was sent does so whatever
 * happens. */
void store_flush(struct sp_store *store);
/* The same if it has waited long enough: a commit is several syncs of the disk. */
void store_flush_soon(struct sp_store *store);
/* How long that is from now; -1: nothing waits. */
int store_timeout_ms(const struct sp_store *store);
/* Forgets it. */
void store_drop_kept(struct sp_store *store);

/* ---- The outbox: outbox.c ---- */

/* sp_outbox_next() but for what is not written yet. */
SP_CHECK enum sp_error outbox_next(struct sp_store *store, uint64_t after,
                                   struct sp_outbox_entry *out);
/* Takes the entry out of the outbox, and keeps the message. In a transaction. */
SP_CHECK enum sp_error outbox_write_sent(struct sp_store *store, uint64_t number,
                                         const struct sp_notice *result);

/* Whoever holds the lock drains. False: another process does. */
bool outbox_lock(struct sp_store *store);
void outbox_unlock(struct sp_store *store);

#endif
