/*
 * The domain: rooms, members, boxes and who may do what, together with the database's only writer,
 * on one thread of its own.
 *
 * Commands wait in a bounded queue; all that wait are taken together: BEGIN; for each: decide,
 * write (in a SAVEPOINT, but for a POST); COMMIT; publish. It does no network I/O and knows no
 * wire. Nothing is published before its commit. Commands that only read run on reader threads, each
 * with a read-only connection and the same access rules.
 *
 * When the database's sync fails, nobody is answered any more: the fatal callback is called once,
 * and the process must end.
 */
#ifndef SP_DOMAIN_DOMAIN_H
#define SP_DOMAIN_DOMAIN_H

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "domain/command.h"
#include "domain/issue.h"
#include "domain/publication.h"

struct domain;

struct domain_config {
    const char *path; /* of the database file, or ":memory:" (then readers = 0 is required) */
    const char *team;
    bool admit_ca; /* a certificate of the CA that was never seen makes member and device */
    int64_t max_file_bytes;         /* 0: LIMIT_FILE_BYTES */
    const struct issue_port *issue; /* NULL: nobody can join by code; kept, not copied */
    unsigned readers; /* threads; 0: reading commands run on the domain's thread too */
    const struct clock *clock;
    struct log *log; /* may be NULL */
    /* Called on the domain's or a reader's thread when publications wait where none did before. */
    void (*notify)(void *context);
    /* Called at most once, on the domain's thread: durability is lost, end the process. */
    void (*fatal)(void *context, enum sp_error error);
    void *context;
};

/*
 * Opens or creates the database: checks its version, migrates, runs a checked TRUNCATE checkpoint,
 * takes an exclusive lock (flock on PATH.lock) that keeps a second server out. On error a sentence
 * in REASON. SP_ECONFIG (another team, a newer schema), SP_EBUSY (another server has it), SP_EIO,
 * SP_EFULL, SP_EINTEGRITY, SP_ENOMEM. Starts no thread.
 */
SP_CHECK enum sp_error domain_open(const struct domain_config *config, struct domain **out,
                                   char *reason, size_t capacity);
/* Starts the domain's and the readers' threads. */
SP_CHECK enum sp_error domain_start(struct domain *domain);
/* Other values than the configuration's, for commands that are decided from now on. Any thread. */
void domain_set_limits(struct domain *domain, bool admit_ca, uint64_t max_file_bytes);
/* No more commands; those that wait are executed and published; threads end. May be called twice.
 */
void domain_stop(struct domain *domain);
/* Stops, checkpoints, closes, frees what was not taken. NULL is allowed. */
void domain_close(struct domain *domain);

/* Takes COMMAND. SP_EBUSY when the queue is full, SP_ESHUTDOWN: it then stays the caller's. Any
 * thread. */
SP_CHECK enum sp_error domain_submit(struct domain *domain, struct command *command);
/* Whether the queues are less than half full: those who were refused may go on. Any thread. */
bool domain_has_room(struct domain *domain);

/* All publications so far, in order, as a list through item.next; NULL: none. The caller frees
 * each. One thread. */
struct publication *domain_take(struct domain *domain);

/* Without threads: executes all waiting commands in one commit on the calling thread. For tests and
 * fuzzing. */
SP_CHECK enum sp_error domain_step(struct domain *domain);

/*
 * For files_sweep() at start: whether the database has the file FILE in BUCKET; true also when it
 * cannot tell. Before domain_start() only.
 */
bool domain_has_file(struct domain *domain, uint32_t bucket, const struct id *file);

struct domain_status {
    size_t waiting_commands; /* both of the following */
    size_t waiting_writes;
    size_t waiting_reads;
    uint64_t commits;
    uint64_t events;
    uint64_t last_commit_us;
    uint64_t longest_commit_us;
};
void domain_get_status(struct domain *domain, struct domain_status *out); /* any thread */

#endif
