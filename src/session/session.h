/*
 * A session: one logged-in (or logging-in) connection's state machine, between bytes and commands.
 * It does no I/O: the server hands it the bytes that TLS has decrypted, and pulls from it the bytes
 * to encrypt. So the whole protocol can be tested without a socket.
 *
 * A session queues no events. It holds a cursor for each log that it follows, and reads on from
 * there when it is asked for bytes.
 *
 * Poll thread only.
 */
#ifndef SP_SESSION_SESSION_H
#define SP_SESSION_SESSION_H

#include "base/base.h"
#include "base/bytes.h"
#include "domain/command.h"

struct hub;
struct session;

/*
 * Makes a session for a connection whose handshake is done, and submits its login. OWNER is the
 * caller's, returned by session_owner(). NOT_AFTER_MS is the certificate's. SP_ENOMEM, SP_EBUSY
 * (the domain's queue is full), SP_ELIMIT (too many sessions), SP_ESHUTDOWN.
 */
SP_CHECK enum sp_error session_new(struct hub *hub, const struct command_login *login, void *owner,
                                   struct session **out);
/*
 * The same for a connection that joins (docs/PROTOCOL.md, "Joining"): it shows no certificate, may
 * say ENROL once, and is told BYE after the answer. SP_ENOMEM, SP_ELIMIT.
 */
SP_CHECK enum sp_error session_new_join(struct hub *hub, void *owner, struct session **out);

/* What became of a session that joins. */
struct join_result {
    bool enrolled;
    enum sp_error error; /* if not; SP_OK: nothing was asked for yet */
    bool code_failed;    /* the code was not one that may be used */
    bool repeated;
    char username[LIMIT_USERNAME_BYTES + 1];
    char detail[160];
    struct digest fingerprint; /* of the new certificate */
    uint8_t serial[SERIAL_BYTES];
    size_t serial_bytes;
};
/* NULL when SESSION does not join. Borrowed. */
const struct join_result *session_join_result(const struct session *session);

/* The BYE that says so, for a connection for which no session could be made; WRITER must have room
 * for a frame. */
void session_write_bye(struct writer *writer, enum sp_error error);
/* Forgets the session, its cursors and its transfers. The hub keeps no pointer. NULL is allowed. */
void session_free(struct session *session);

void *session_owner(const struct session *session);
/* A number for log lines, unique among the sessions of this run. */
uint64_t session_number(const struct session *session);

/* Whether bytes may be given now. If not, do not read from the socket: back-pressure, or the login
 * is not done. */
bool session_wants_input(const struct session *session);
/*
 * Takes SIZE bytes, all of them: what it cannot carry out yet it keeps, and then wants no more
 * input. Malformed bytes end the session.
 */
void session_receive(struct session *session, const uint8_t *data, size_t size);

/*
 * Fills WRITER with bytes to send, in the order: answers, presence, read state, events, file
 * data. Nothing
 * written: there is nothing to send. An empty WRITER must hold a full TLS record (16,384 bytes).
 */
void session_pull(struct session *session, struct writer *writer);

/* Queues BYE with ERROR as the last thing to be sent; nothing is taken or sent after it. */
void session_end(struct session *session, enum sp_error error, const char *text);
/* Whether it has ended: pull what is left, then close. */
bool session_ended(const struct session *session);
/* Whether a request, or the commit of an upload, waits for its answer: a server that drains lets it
 * finish. */
bool session_is_busy(const struct session *session);
/* Why it ended; SP_OK: the client said goodbye. */
enum sp_error session_end_reason(const struct session *session);
bool session_is_open(const struct session *session); /* logged in and not ended */
/* The member, once it is logged in; "" before. Borrowed. */
const char *session_username(const struct session *session);

/* Timers: sends a PING, or ends the session as idle. NOW_MS is monotonic. */
void session_check_idle(struct session *session, int64_t now_ms);

#endif
