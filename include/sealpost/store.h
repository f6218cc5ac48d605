/*
 * What a device keeps on its own disk: which rooms there are, what was seen in them and where their
 * histories stood, and what could not be sent yet (the outbox). One SQLite file, for one device of
 * one team. A client that uses a store (sp_client_use_store()) keeps in it what it reads, and finds
 * out when a log is not what it was.
 *
 *     sp_store_open(path, SP_STORE_CREATE, &store, message, sizeof message);
 *     sp_client_use_store(client, store, message, sizeof message);
 *     sp_outbox_keep_message(store, "general", NULL, text, size, &number);    durable from here on
 *     sp_outbox_drain(client, store, &options, &drained);                whenever connected
 *
 * A log that does not extend what the store has seen of it is refused: sp_follow(), sp_check_log()
 * and every request that writes to it end with SP_EINTEGRITY, until sp_store_accept(). After a
 * restored backup (another incarnation) it is not: then SP_NOTICE_HISTORY tells what is missing,
 * and what this device had posted waits in the outbox, held.
 *
 * Thread rules: a store may be used by one thread at a time, the one of its client. Several
 * processes may use one file. Everything here blocks on the disk, none of it on the network but
 * sp_outbox_drain().
 */
#ifndef SEALPOST_STORE_H
#define SEALPOST_STORE_H

#include "sealpost/blocking.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sp_store;

/* ---- The store ---- */

enum sp_store_mode {
    SP_STORE_EXISTING, /* SP_ENOTFOUND if there is none */
    SP_STORE_CREATE,   /* made if need be, mode 0600, and the directories to it, mode 0700 */
};

/*
 * Opens the store PATH. *OUT is the caller's, to be given to sp_store_close(), after the client
 * that uses it is freed or uses it no more. On error a sentence in MESSAGE. SP_ENOTFOUND, SP_EFILE,
 * SP_EINTEGRITY (damaged), SP_ECONFIG (another program's, or a newer version's), SP_EFULL, SP_EIO,
 * SP_EBUSY, SP_ENOMEM.
 */
SP_API SP_CHECK enum sp_error sp_store_open(const char *path, enum sp_store_mode mode,
                                            struct sp_store **out, char *message, size_t capacity);
SP_API void sp_store_close(struct sp_store *store); /* NULL is allowed */

#define SP_STORE_NAME_BYTES 33
/*
 * A name for the store of the device whose certificate is in CERT_FILE, in the team whose root is
 * in CA_FILE: 32 hexadecimal digits that no other device has. The private key is not needed.
 * SP_ECERT, SP_ENOTFOUND, SP_ENOMEM, and a sentence in MESSAGE.
 */
SP_API SP_CHECK enum sp_error sp_store_name(const char *ca_file, const char *cert_file,
                                            char out[SP_STORE_NAME_BYTES], char *message,
                                            size_t capacity);

/*
 * From now on CLIENT keeps in STORE what it reads, and checks by it; NULL: no more. Not while it is
 * connected: SP_EINVALID. SP_ECONFLICT and a sentence in MESSAGE when the store is of another team;
 * that it is of another device is found at the login, which then fails with SP_ECONFLICT.
 */
SP_API SP_CHECK enum sp_error sp_client_use_store(struct sp_client *client, struct sp_store *store,
                                                  char *message, size_t capacity);

/* Why what was read is not kept any more (the disk is full, …), or NULL. Borrowed. What waited to
 * be written is written first. */
SP_API const char *sp_store_trouble(struct sp_store *store);

/* True once after a login that found the server's history to be another incarnation than the one
 * that the store knows: a backup was restored. */
SP_API bool sp_store_was_restored(struct sp_store *store);

/* ---- What was seen ---- */

struct sp_store_log {
    struct sp_log log;   /* its head is the last that was seen */
    int64_t seen_ms;     /* when that was, by this device's clock */
    uint64_t first;      /* the first event that is kept; 0: none is */
    uint64_t kept;       /* how many are */
    bool refused;        /* the server's history does not extend it */
    uint64_t refused_at; /* the event that was another there; after the server's last one, if it
                            ends too early */
};
/* LOG as in requests. SP_ENOTFOUND: nothing was ever seen of it. The name in *OUT is valid until
 * the next call. */
SP_API SP_CHECK enum sp_error sp_store_find_log(struct sp_store *store, const char *log,
                                                struct sp_store_log *out);

/*
 * The events of LOG that are kept, as FOLLOW would ask the server for them (`live` means nothing
 * here), each given to FN as SP_NOTICE_EVENT, in order. FN must not use the store.
 */
SP_API SP_CHECK enum sp_error sp_store_read(struct sp_store *store, const char *log,
                                            const struct sp_follow *follow, sp_notice_fn fn,
                                            void *context);

/* The rows of the last complete sp_list_logs(), and what a later one that was cut has brought, each
 * as SP_NOTICE_ROW; *LISTED_MS is when the complete one was, by this device's clock, 0: never; it
 * is set before FN is called. FN must not use the store. */
SP_API SP_CHECK enum sp_error sp_store_list_logs(struct sp_store *store, sp_notice_fn fn,
                                                 void *context, int64_t *listed_ms);

/*
 * Takes the server's history of LOG from now on, whatever was seen before. What is given up: the
 * events that are kept here and that the server's history lacks or has otherwise are forgotten at
 * the next follow, which tells how many (SP_NOTICE_HISTORY); own messages among them go into the
 * outbox, held. SP_ENOTFOUND.
 */
SP_API SP_CHECK enum sp_error sp_store_accept(struct sp_store *store, const char *log);

/* ---- The outbox ---- */

enum sp_outbox_kind {
    SP_OUTBOX_MESSAGE = 1,
    SP_OUTBOX_FILE = 2,       /* to a room */
    SP_OUTBOX_SUBMISSION = 3, /* to a box */
};

struct sp_outbox_entry {
    uint64_t number; /* never given to another entry */
    enum sp_outbox_kind kind;
    const char *log;  /* as its sender named it */
    const char *text; /* of a message; NUL-terminated */
    size_t text_bytes;
    const char *path; /* of a file; absolute */
    const char *name; /* what the server is told */
    uint64_t size;    /* what it had when it was kept, as SHA256 */
    uint8_t sha256[SP_DIGEST_BYTES];
    struct sp_once once;
    int64_t created_ms;
    uint64_t attempts;
    bool held;           /* waits for sp_outbox_release() or sp_outbox_drop() */
    enum sp_error error; /* of the last attempt; SP_OK: there was none */
    const char *reason;  /* of that: a sentence */
};

/*
 * Keeps a message for LOG ("general", "#general"). When it returns SP_OK it is on the disk, and
 * *NUMBER its number. ONCE: of an attempt that has been made already; NULL: a fresh one. SP_ENAME,
 * SP_EINVALID, SP_ETOOLARGE (longer than any server takes), SP_ELIMIT (the outbox is full),
 * SP_EFULL, SP_EIO, SP_EBUSY (another process), SP_ENOMEM.
 */
SP_API SP_CHECK enum sp_error sp_outbox_keep_message(struct sp_store *store, const char *log,
                                                     const struct sp_once *once, const char *text,
                                                     size_t size, uint64_t *number);
/*
 * Keeps that the file PATH is to be sent as NAME: its absolute path, size and SHA-256, not its
 * bytes. SP_EFILE when it cannot be read or is not a regular file, with a sentence in MESSAGE;
 * errors as above.
 */
SP_API SP_CHECK enum sp_error sp_outbox_keep_file(struct sp_store *store, const char *log,
                                                  const struct sp_once *once,
                                                  enum sp_outbox_kind kind, const char *path,
                                                  const char *name, uint64_t *number, char *message,
                                                  size_t capacity);

/* The entry with the smallest number above AFTER. SP_ENOTFOUND: none. Pointers in *OUT are valid
 * until the next call. */
SP_API SP_CHECK enum sp_error sp_outbox_next(struct sp_store *store, uint64_t after,
                                             struct sp_outbox_entry *out);
SP_API SP_CHECK enum sp_error sp_outbox_count(struct sp_store *store, uint64_t *waiting,
                                              uint64_t *held);
/* Lets a held entry wait again; NUMBER 0: all of them. SP_ENOTFOUND: there is no such entry. */
SP_API SP_CHECK enum sp_error sp_outbox_release(struct sp_store *store, uint64_t number);
/* Forgets an entry; NUMBER 0: all of them. One that was attempted may be there all the same. */
SP_API SP_CHECK enum sp_error sp_outbox_drop(struct sp_store *store, uint64_t number);

/*
 * What is kept and decided from here to sp_outbox_commit() is written at once, durable when that
 * returns SP_OK; else nothing of it is. Other processes cannot write meanwhile: it is for a moment,
 * without waiting for anything. SP_EINVALID: it was begun already, or not begun.
 */
SP_API SP_CHECK enum sp_error sp_outbox_begin(struct sp_store *store);
SP_API SP_CHECK enum sp_error sp_outbox_commit(struct sp_store *store);

/* For programs that send entries by themselves: ENTRY was acknowledged, by the notice RESULT, which
 * is written down within a tenth of a second, while the client is serviced (if it is not, the entry
 * is sent again, and not doubled); or it was not, because of ERROR: it waits on, or with HOLD is
 * held. An entry that is gone is no error. */
SP_API void sp_outbox_sent(struct sp_store *store, uint64_t number, const struct sp_notice *result);
SP_API SP_CHECK enum sp_error sp_outbox_failed(struct sp_store *store, uint64_t number,
                                               enum sp_error error, const char *reason, bool hold);

/* What came of a message that was sent and is no entry any more: *RESULT has .sequence, .hash and
 * .time_ms. SP_ENOTFOUND: it was not, or it is one of more than 1,000 since. */
SP_API SP_CHECK enum sp_error
sp_outbox_find_sent(struct sp_store *store, const struct sp_once *once, struct sp_notice *result);

/* Of each entry that was tried: ERROR and, with SP_OK, its result. ENTRY is valid until
 * sp_outbox_next(). */
typedef void (*sp_drain_fn)(void *context, const struct sp_outbox_entry *entry, enum sp_error error,
                            const struct sp_notice *result);

struct sp_drain {
    int timeout_ms;           /* as of sp_wait(), for each answer; and for "slow down" */
    const volatile int *stop; /* as of sp_wait() */
    uint64_t fresh;           /* an entry that is not held when it is refused, but forgotten; 0 */
    sp_drain_fn fn;           /* may be NULL */
    void *context;
    sp_notice_fn other; /* other notices: HISTORY, EVENT of what is followed; may be NULL */
    void *other_context;
};

struct sp_drained {
    uint64_t sent;    /* that are on the server now */
    uint64_t held;    /* that were refused */
    uint64_t waiting; /* that still wait */
    bool elsewhere;   /* another process is draining: nothing was done */
};

/*
 * Sends what waits, in the order in which it was kept, each exactly once whatever happens to this
 * process or to the connection; what is refused is held, with the reason, and does not keep back
 * the others. Looks first whether each log is still the one that was seen. SP_OK when nothing is
 * left to try; SP_EDISCONNECTED, SP_ETIMEOUT, SP_ECANCELLED, or what the server asks to wait for
 * longer than TIMEOUT_MS: the rest waits. SP_EINVALID: the client does not use STORE.
 */
SP_API SP_CHECK enum sp_error sp_outbox_drain(struct sp_client *client, struct sp_store *store,
                                              const struct sp_drain *drain, struct sp_drained *out);

#ifdef __cplusplus
}
#endif

#endif
