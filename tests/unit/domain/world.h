/*
 * A domain with members in it, for the tests: commands in, and what comes out as text. Time stands
 * still until it is set, client ids and salts count up: the same test gives the same transcript,
 * but for what the domain itself chooses at random, which is not in it.
 *
 * A step that the test takes for granted and that fails ends the program with a message.
 */
#ifndef TESTS_UNIT_DOMAIN_WORLD_H
#define TESTS_UNIT_DOMAIN_WORLD_H

#include "base/clock.h"
#include "domain/domain.h"
#include "unit/domain/signer.h"

#define WORLD_START_MS 1000000

struct world {
    struct domain *domain;
    struct domain_config config;
    struct clock_settable clock;
    struct signer signer; /* who signs for those that join */
    struct issue_port port;
    uint64_t requests;  /* client ids given out */
    uint64_t published; /* events that came out of world_step() */
    char transcript[1 << 16];
    size_t used;
};

/* Says where and ends the program unless CONDITION. */
#define WORLD_REQUIRE(condition) world_require((condition), #condition, __FILE__, __LINE__)
void world_require(bool condition, const char *text, const char *file, int line);

/* On PATH; NULL: in memory. PREPARE does all but opening the domain. */
void world_prepare(struct world *world, const char *path);
void world_open(struct world *world, const char *path);
void world_close(struct world *world);
void world_reopen(struct world *world);

/* Changes the database behind the domain's back, as an administrator's tool would. */
void world_execute(const struct world *world, const char *sql);

/* A path for a database in a new directory, and the end of both. */
#define WORLD_PATH_BYTES 64
void world_make_path(char path[WORLD_PATH_BYTES]);
void world_remove_path(const char *path);

/* DEVICE is any number: the same gives the same device. */
struct actor world_login(struct world *world, const char *username, uint8_t device);

/* With the next client id. LOG is a name and may be NULL, as may TEXT. */
struct command *world_command(struct world *world, enum command_kind kind,
                              const struct actor *actor, const char *log, const char *text);
/* A STORE of CONTENT into LOG under the client id of OFFER, or under the next one if NULL. */
struct command *world_store(struct world *world, const struct actor *actor, const char *log,
                            const char *name, const char *content, const struct command *offer);
/* The same request once more. */
struct command *world_again(const struct command *command);

void world_submit(struct world *world, struct command *command);
/* Executes what was submitted and appends all that came out to the transcript; the last reply, to
 * be freed by the caller; NULL: there was none. */
struct reply *world_step(struct world *world);
struct reply *world_run(struct world *world, struct command *command);
/* world_run() for what the reply is not needed of; its error. */
enum sp_error world_do(struct world *world, struct command *command);

/* The transcript since the last call, which is empty then. */
const char *world_transcript(struct world *world);

/*
 * Reads every log from its start: numbers without gaps, time never backwards, each commitment and
 * the chain right. Returns the number of events in all.
 */
uint64_t world_verify(struct world *world);
/* One page, or fewer events, of a log; freed by the caller. */
struct reply *world_page(struct world *world, int64_t log, uint64_t from, uint32_t count);

#endif
