/*
 * Transfers: files on their way. What upload.c and download.c have in common: the state, progress,
 * and how a transfer ends. At most LIMIT_TRANSFERS_PER_SESSION at a time.
 *
 * A transfer that is over on the wire is `finished`; its last progress and its result are then
 * given out by transfer_next().
 */
#ifndef SP_CLIENT_TRANSFER_H
#define SP_CLIENT_TRANSFER_H

#include "client/core.h"
#include "crypto/digest.h"

#define PROGRESS_STEP_BYTES 65536UL
#define SIZE_UNKNOWN UINT64_MAX

enum transfer_state {
    TRANSFER_ASKED,     /* OFFER or GET is out */
    TRANSFER_MOVING,    /* DATA flows */
    TRANSFER_COMMITTED, /* upload: all is sent, COMMIT too */
    TRANSFER_COMPARING, /* upload: stored before; the local file is hashed */
    TRANSFER_FINISHED,  /* the result waits to be taken */
};

struct transfer {
    enum transfer_state state;
    int fd;          /* the caller's; -1: not to be touched any more */
    bool regular;    /* a regular file: read by pread(), and its size known */
    bool dry;        /* what FD is has nothing to read now */
    bool cancelled;  /* CANCEL is out */
    bool discard;    /* download: what still comes is not written */
    uint64_t start;  /* offset of the first byte, of a regular file */
    uint64_t total;  /* bytes, or SIZE_UNKNOWN */
    uint64_t done;   /* bytes hashed so far */
    uint64_t credit; /* upload: may be sent; download: may still come */
    uint64_t taken;  /* download: bytes whose credit is to be given back */
    uint64_t reported;
    bool progress_due;
    struct digest_stream *digest;
    struct digest sha256;  /* upload: as sent with COMMIT */
    char id[ID_HEX_BYTES]; /* download: as asked for, lower case */
    sealpost_v1_FileInfo file;
    struct digest hash; /* upload: the log's chain up to the event */
    bool repeated;
    enum sp_error error; /* of our own, or the final one */
    char reason[256];    /* "": ERROR's text */
    uint32_t retry_after_ms;
};

/* SP_ENOMEM. */
SP_CHECK enum sp_error transfer_new(int fd, struct transfer **out);
void transfer_free(struct transfer *transfer); /* NULL is allowed */

/* Counts SIZE more bytes as done. */
void transfer_advance(struct transfer *transfer, uint64_t size);

/* All bytes have moved: one last progress. */
void transfer_complete(struct transfer *transfer);

/* The transfer is over. The first error is kept: an own one outlives the server's answer to it. */
void transfer_finish(struct transfer *transfer, enum sp_error error, const char *reason);

/*
 * Gives a transfer up that is under way: CANCEL goes out, and the result is ERROR once the server
 * has answered. REASON may be NULL.
 */
void transfer_give_up(struct core *core, struct request *request, enum sp_error error,
                      const char *reason);
/* The same with "cannot WHAT the file: " and what NUMBER of errno(3) means, as SP_EFILE. */
void transfer_give_up_errno(struct core *core, struct request *request, const char *what,
                            int number);

/* Progress and results that are due. */
bool transfer_next(struct core *core, struct sp_notice *out);
/* Whether there are any. */
bool transfer_is_due(const struct core *core);

/* FD must not be touched any more: the transfer is cancelled, and what comes is dropped. */
void transfer_detach(struct core *core, struct request *request);

/* What is known of it when the connection is lost. */
enum sp_error transfer_outcome_unknown(const struct request *request, const char **reason);

#endif
