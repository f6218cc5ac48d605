/*
 * Checks a database: every log's chain, the commitments of what is not erased, and whether the
 * tables say what the events say. On a read-only connection of its own, beside a running server or
 * without one; it holds nobody back. Called by `sealpostd fsck`; never repairs anything.
 *
 * The logs are the truth: what rosters, topics, rules, requests and files must be follows from the
 * events.
 */
#ifndef SP_DOMAIN_AUDIT_H
#define SP_DOMAIN_AUDIT_H

#include "base/base.h"

/* What is wrong, and where. All strings are borrowed for the call. */
struct audit_finding {
    const char *check; /* stable names: docs/man/sealpostd.8 lists them */
    const char *log;   /* its name; "": not in a log, or it is not known */
    struct id id;      /* of the log, or of the file; all zero: of neither */
    uint64_t sequence; /* 0: not of one event */
    const char *text;  /* a sentence part for people */
};

/* A file whose bytes are a blob. */
struct audit_blob {
    struct id file;
    uint32_t bucket;
    uint64_t size;
    struct digest sha256;
    char log[LIMIT_LOG_NAME_BYTES + 1];
    uint64_t sequence;
};

struct audit_counts {
    uint64_t logs;
    uint64_t events;
    uint64_t erased; /* of these */
    uint64_t files;
    uint64_t findings;
};

struct audit_config {
    const char *path; /* of the database */
    void (*found)(void *context, const struct audit_finding *finding);
    /* How far it is: DONE of TOTAL events. */
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

struct audit;

/* SP_ECONFIG: its schema is not this program's. The errors of db_open(). A sentence in REASON. */
SP_CHECK enum sp_error audit_open(const struct audit_config *config, struct audit **out,
                                  char *reason, size_t capacity);
void audit_close(struct audit *audit); /* NULL is allowed */

/* Everything but the blobs. What is wrong with the data is a finding, not an error. */
SP_CHECK enum sp_error audit_run(struct audit *audit);
const struct audit_counts *audit_counts(const struct audit *audit);
void audit_report(struct audit *audit, const struct audit_finding *finding); /* one more */

/* The next file with a blob, in the order of their rows. SP_ENOTFOUND: there is none. */
SP_CHECK enum sp_error audit_next_blob(struct audit *audit, struct audit_blob *out);
/* Whether the database, as it is now, wants that blob: SP_OK; has erased it and will see to it
 * that it goes: SP_EAGAIN; knows nothing of it: SP_ENOTFOUND. */
SP_CHECK enum sp_error audit_find_blob(struct audit *audit, const struct id *file, uint32_t bucket);

#endif
