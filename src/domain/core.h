/*
 * The deciding part of the domain: everything that its thread owns, and what the handlers of
 * commands share. A handler decides and writes inside the transaction that batch.c has opened, and
 * fills in the reply; what it returns as an error is undone by batch.c as if it had never been.
 *
 * Domain thread only. Private to src/domain.
 */
#ifndef SP_DOMAIN_CORE_H
#define SP_DOMAIN_CORE_H

#include "base/log.h"
#include "domain/cache.h"
#include "domain/domain.h"
#include "domain/offers.h"
#include "domain/outbox.h"
#include "domain/retention.h"
#include "domain/store.h"
#include "event/body.h"

struct core {
    int lock_fd; /* keeps a second server out; -1: none */
    bool ready;  /* opened without an error */
    struct db *db;
    struct store store;
    struct cache cache;
    struct offers offers;
    struct retention retention;
    struct log *log;       /* may be NULL */
    _Atomic bool admit_ca; /* this and the next: see domain_set_limits() */
    _Atomic uint64_t max_file_bytes;
    const struct issue_port *issue; /* may be NULL */
    struct shut *shut;              /* devices and members that were shut out since the start */
    struct id incarnation;
    uint64_t batch; /* number of the transaction that is open */
    /* Publications of this transaction, in order. */
    struct queue_item *first;
    struct queue_item **last;
    uint64_t event_count; /* in them */
};

/* See domain_open(). On error there is nothing to close. */
SP_CHECK enum sp_error core_open(const struct domain_config *config, struct core *core,
                                 char *reason, size_t capacity);
/* Writes the WAL back, unless a sync has failed. */
void core_close(struct core *core);

/* Puts PUBLICATION, which it takes, behind those of this transaction. */
void core_publish(struct core *core, struct publication *publication);

/* An event that is not in a log yet. Large: on the stack of the handler. */
struct draft {
    enum event_kind kind;
    struct digest commitment;
    struct id client_id; /* all zero: not made by a request of its own */
    uint8_t salt[SALT_BYTES];
    size_t size;
    uint8_t bytes[LIMIT_EVENT_BODY_BYTES];
};

/* What COMMAND asks for, as an event. SP_EINVALID without a client id. */
SP_CHECK enum sp_error draft_from_command(struct draft *draft, enum event_kind kind,
                                          const struct command *command, const struct body *body);
/* What the server adds on its own, with a salt of its own. */
SP_CHECK enum sp_error draft_from_server(struct draft *draft, enum event_kind kind,
                                         const struct body *body);

/*
 * Whether COMMAND has been carried out before; then the reply has the first result. SP_ECONFLICT
 * when its client id has made something else.
 */
SP_CHECK enum sp_error core_find_repeated(struct core *core, const struct command *command,
                                          const struct draft *draft, struct reply *reply,
                                          bool *repeated);
/* The same for a command that has no draft yet. SP_ENOTFOUND. */
SP_CHECK enum sp_error core_find_request(struct core *core, const struct command *command,
                                         enum event_kind kind, struct request_row *out,
                                         struct log_row **log);

/* The log that COMMAND names, if its actor has RIGHT there; else as access_check(). */
SP_CHECK enum sp_error core_find_log(struct core *core, const struct command *command,
                                     enum right right, struct log_row **out);

/* A new log, still without an event. */
SP_CHECK enum sp_error core_add_log(struct core *core, const struct command *command,
                                    enum log_kind kind, const struct log_row *parent,
                                    struct log_row **out);

/*
 * Makes the actor ROLE in LOG, or with RELATION_NONE takes it out, before the event that says so.
 * Who comes in has read all that is there, that event too; who goes leaves no read state.
 */
SP_CHECK enum sp_error core_set_role(struct core *core, const struct command *command,
                                     const struct log_row *log, enum relation role);

/* Writes the event as the next one of LOG and publishes it; the reply, if not NULL, tells it. */
SP_CHECK enum sp_error core_append(struct core *core, const struct command *command,
                                   struct log_row *log, const struct draft *draft,
                                   struct reply *reply);
SP_CHECK enum sp_error core_end_access(struct core *core, int64_t member, int64_t log);

/* shut.c */
/*
 * Shuts DEVICE of MEMBER out, or with 0 all of them, which was written: whoever is in is told
 * ERROR, and what they have asked for and waits behind this command is refused.
 */
SP_CHECK enum sp_error core_shut_out(struct core *core, int64_t member, int64_t device,
                                     enum sp_error error);
/* Whether ACTOR, who had been let in, still may ask for anything: SP_EDISABLED, SP_EREVOKED. */
SP_CHECK enum sp_error core_check_actor(struct core *core, const struct actor *actor);
void core_forget_shut(struct core *core);

typedef enum sp_error (*core_handler)(struct core *core, const struct command *command,
                                      struct reply *reply);

SP_CHECK enum sp_error handle_login(struct core *core, const struct command *command,
                                    struct reply *reply);
SP_CHECK enum sp_error handle_enrol(struct core *core, const struct command *command,
                                    struct reply *reply);
SP_CHECK enum sp_error handle_invite(struct core *core, const struct command *command,
                                     struct reply *reply);
SP_CHECK enum sp_error handle_device_revoke(struct core *core, const struct command *command,
                                            struct reply *reply);
SP_CHECK enum sp_error handle_member_set(struct core *core, const struct command *command,
                                         struct reply *reply);
SP_CHECK enum sp_error handle_create(struct core *core, const struct command *command,
                                     struct reply *reply);
SP_CHECK enum sp_error handle_join(struct core *core, const struct command *command,
                                   struct reply *reply);
SP_CHECK enum sp_error handle_leave(struct core *core, const struct command *command,
                                    struct reply *reply);
SP_CHECK enum sp_error handle_topic(struct core *core, const struct command *command,
                                    struct reply *reply);
SP_CHECK enum sp_error handle_post(struct core *core, const struct command *command,
                                   struct reply *reply);
SP_CHECK enum sp_error handle_follow(struct core *core, const struct command *command,
                                     struct reply *reply);
SP_CHECK enum sp_error handle_offer(struct core *core, const struct command *command,
                                    struct reply *reply);
SP_CHECK enum sp_error handle_store(struct core *core, const struct command *command,
                                    struct reply *reply);
SP_CHECK enum sp_error handle_retention(struct core *core, const struct command *command,
                                        struct reply *reply);
SP_CHECK enum sp_error handle_erase(struct core *core, const struct command *command,
                                    struct reply *reply);
SP_CHECK enum sp_error handle_mark_read(struct core *core, const struct command *command,
                                        struct reply *reply);
SP_CHECK enum sp_error handle_seen(struct core *core, const struct command *command,
                                   struct reply *reply);
SP_CHECK enum sp_error handle_discarded(struct core *core, const struct command *command,
                                        struct reply *reply);
SP_CHECK enum sp_error handle_offer_end(struct core *core, const struct command *command,
                                        struct reply *reply);

#endif
