/*
 * The connection of one command: opened with the settings, opened again when it is lost while
 * something is under way. Called by the commands. Prints nothing but warnings: about a certificate
 * that ends soon, and about a history that is not what it was.
 */
#ifndef SP_CLI_SESSION_H
#define SP_CLI_SESSION_H

#include "cli/action.h"
#include "cli/output.h"
#include "cli/passphrase.h"
#include "cli/settings.h"
#include "sealpost/store.h"

#define SESSION_TEXT_BYTES 512
#define SESSION_SERVER_BYTES 128

struct session {
    struct output *output;
    const struct settings *settings;
    struct passphrase passphrase; /* of a sealed private key */
    int timeout_ms;               /* without a byte that moves; and for trying again */
    const volatile int *stop;     /* not 0: the user has interrupted */
    struct sp_store *store;       /* the device's; may be NULL. Not ours */
    struct sp_client *client;
    bool online;
    bool keeping;                  /* the client uses the store */
    bool warned;                   /* about the certificate's end */
    bool unknown;                  /* the last thing asked for may or may not have been done */
    char text[SESSION_TEXT_BYTES]; /* why the last thing failed; "" if there is nothing to add */
    char server[SESSION_SERVER_BYTES]; /* these since the login */
    char team[LIMIT_TEAM_BYTES + 1];
    char username[LIMIT_USERNAME_BYTES + 1];
    uint8_t device[SP_ID_BYTES];
    uint8_t incarnation[SP_ID_BYTES]; /* of the team's history */
    enum sp_role role;
    int64_t server_time_ms;
    uint64_t text_bytes;
    uint64_t file_bytes;
    int64_t not_after_ms;
};

void session_init(struct session *session, struct output *output, const struct settings *settings,
                  int timeout_ms, const volatile int *stop);
void session_deinit(struct session *session); /* says goodbye; may be called twice */

/* Connects, for the first time or again, and waits for the login. SP_ECANCELLED when stopped. */
SP_CHECK enum sp_error session_connect(struct session *session);

/* Begins to connect and returns; chat waits for the login itself. */
SP_CHECK enum sp_error session_begin(struct session *session);
/* Keeps what the login told, and warns of a certificate that ends soon. */
void session_logged_in(struct session *session, const struct sp_login *login);

/* Says what a SP_NOTICE_HISTORY says. */
void session_tell_history(struct session *session, const struct sp_notice *notice);

/* Keeps TEXT as the reason of what just failed. */
void session_keep_text(struct session *session, const char *text);
void session_explain(struct session *session, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Waits until REQUEST is done. When the user interrupts a TRANSFER, it is cancelled, and what came
 * of that is the result.
 */
SP_CHECK enum sp_error session_wait(struct session *session, uint32_t request, bool transfer,
                                    sp_notice_fn fn, void *context, struct sp_notice *notice);

/* One attempt at something; its request is waited for with session_wait(). */
typedef enum sp_error (*session_attempt_fn)(struct session *session, void *context,
                                            struct sp_notice *notice);

/*
 * session_connect() until the timeout is over, when the server cannot be reached: what is to be
 * said about it is said at the first failure.
 */
SP_CHECK enum sp_error session_connect_patiently(struct session *session);

/*
 * Attempts it, connecting again if need be, until it is done, refused, or the timeout is over,
 * which is counted from when the server was connected last.
 * What is not REPEATABLE is not attempted again once it may have been done. session->unknown tells
 * whether it may have been done in spite of an error.
 */
SP_CHECK enum sp_error session_retry(struct session *session, bool repeatable,
                                     session_attempt_fn attempt, void *context,
                                     struct sp_notice *notice);

/* session_retry() of an action. */
SP_CHECK enum sp_error session_perform(struct session *session, const struct action *action,
                                       sp_notice_fn fn, void *context, struct sp_notice *notice);

/* One pass over the outbox, as sp_outbox_drain(): FRESH and FN as there. */
SP_CHECK enum sp_error session_drain(struct session *session, uint64_t fresh, sp_drain_fn fn,
                                     void *context, struct sp_drained *drained);

/* Sleeps about MS and keeps the connection alive meanwhile; false when the user interrupts. */
bool session_idle(struct session *session, int ms);

/* Sleeps for MS, less if the user interrupts: false. */
bool session_sleep(const struct session *session, int ms);

#endif
