/*
 * Files under way between the generator and the server, each on a session of its own, in a loop
 * that may have other clients as well. What is sent is made up as it goes, every piece of it
 * different; its digest is known before the clock runs. What is received is verified.
 */
#ifndef SP_BENCH_TRANSFER_H
#define SP_BENCH_TRANSFER_H

#include "base/base.h"
#include "bench/client.h"
#include "bench/lab.h"

struct digest_stream;

enum transfer_step {
    TRANSFER_LOGGING_IN,
    TRANSFER_READY, /* logged in; an upload or a download may begin */
    TRANSFER_ASKING,
    TRANSFER_MOVING,
    TRANSFER_CLOSING, /* an upload: all was sent */
    TRANSFER_DONE,
    TRANSFER_FAILED,
};

struct transfer {
    struct client client;
    enum transfer_step step;
    bool is_bare;
    bool is_download;
    uint64_t size;
    uint64_t moved;
    uint64_t credit; /* to send; of a download, given and not used */
    struct digest digest;
    struct digest_stream *hash;  /* of a download */
    char file[2 * ID_BYTES + 1]; /* what an upload was stored as */
};

/* Connects COUNT sessions and waits until they are logged in. */
SP_CHECK enum sp_error transfer_open(struct loop *loop, struct lab *lab, bool is_bare,
                                     struct transfer *transfers, size_t count);
void transfer_close(struct transfer *transfers, size_t count);

/* The digest of what an upload of SIZE bytes sends. */
SP_CHECK enum sp_error transfer_digest(uint64_t size, struct digest *out);

/* Offers a file of SIZE bytes to room 0. NUMBER makes it another file. */
void transfer_start_upload(struct loop *loop, struct transfer *transfer, uint64_t number,
                           uint64_t size, const struct digest *digest);
/* Gets the file of SIZE bytes again. */
SP_CHECK enum sp_error transfer_start_download(struct loop *loop, struct transfer *transfer,
                                               const char *file, uint64_t size,
                                               const struct digest *digest);
/* Sends of an upload what may be sent now. Whether it could go on at once. */
bool transfer_pump(struct loop *loop, struct transfer *transfer);
/* Whether none of them has anything more to do. */
bool transfers_are_over(const struct transfer *transfers, size_t count);

#endif
