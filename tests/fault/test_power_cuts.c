/*
 * The power goes, again and again, while the domain works on a disk that drops and tears what was
 * not synced (power.h): what was acknowledged is there once and as it was, what was refused is not,
 * and what was not answered is there whole or not at all, and is not doubled by asking again.
 *
 *     test_power_cuts [--expect-loss] [TRIALS [SEED]]
 *
 * With --expect-loss it must find that something was lost: that is for programs that are broken on
 * purpose, by broken.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sqlite3.h>

#include "event/body.h"
#include "fault/power.h"
#include "unit/domain/world.h"

#define REQUESTS 4096 /* of one trial */
#define TEXT_BYTES 15000
#define STEPS 40 /* commits between two cuts, at most */

enum outcome {
    OUTCOME_UNKNOWN,
    OUTCOME_ACKNOWLEDGED,
    OUTCOME_REFUSED,
};

struct request {
    struct command *command;
    enum outcome outcome;
    int64_t log; /* where it was said to be */
    uint64_t sequence;
    struct digest hash;
    unsigned found; /* so often it is in the logs */
};

static struct {
    struct world world;
    char path[WORLD_PATH_BYTES];
    struct actor ann; /* in the room */
    struct actor bob; /* not in it */
    struct request requests[REQUESTS];
    size_t count;
    uint32_t by_client_id[4 * REQUESTS]; /* 1 + where in requests[] */
    uint64_t random;
    char trouble[256];
    bool
        ignores_directories; /* FAULT_BROKEN; this program's own fsync() stands before broken.c's */
    struct {
        uint64_t asked, acknowledged, refused, unknown, unknown_there, reopened;
    } sums;
} t;

static uint32_t chance(uint32_t below)
{
    t.random = t.random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(t.random >> 33) % below;
}

/* The first thing that is wrong with a trial; the others follow from it. */
static void blame(const char *format, ...) PRINTF_LIKE(1, 2);

static void blame(const char *format, ...)
{
    va_list arguments;

    if (t.trouble[0] == '\0') {
        va_start(arguments, format);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is not */
        (void)vsnprintf(t.trouble, sizeof t.trouble, format, arguments);
        va_end(arguments);
    }
}

/* The disk of the directory itself is not waited for. */
__attribute__((visibility("default"))) int fsync(int fd)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) && !t.ignores_directories) {
        power_sync_directory();
    }
    return power_is_off() ? -1 : 0;
}

/* --- what is asked for --- */

static size_t random_size(void)
{
    return chance(6) == 0 ? 1 + chance(TEXT_BYTES) : 30 + chance(100);
}

static struct command *random_command(void)
{
    static char text[TEXT_BYTES + 64];
    char name[32];
    int length = snprintf(text, sizeof text, "request %zu ", t.count);

    memset(text + length, 'a' + (int)(t.count % 26), random_size());
    (void)snprintf(name, sizeof name, "room%u", chance(6));
    switch (chance(12)) {
    case 0:
        return world_command(&t.world, COMMAND_ROOM_CREATE, &t.ann, name, NULL);
    case 1:
        return world_command(&t.world, COMMAND_POST, &t.bob, "room", text); /* is refused */
    case 2:
        return world_store(&t.world, &t.bob, "box", "submission", text, NULL);
    case 3:
        return world_store(&t.world, &t.ann, "room", "file", text, NULL);
    default:
        return world_command(&t.world, COMMAND_POST, &t.ann, "room", text);
    }
}

/* A new one, or one that was not answered, again. */
static void submit_one(void)
{
    size_t which = t.count > 0 ? chance((uint32_t)t.count) : 0;

    if (t.count == REQUESTS || (t.count > 0 && chance(4) == 0)) {
        if (t.requests[which].outcome != OUTCOME_UNKNOWN) {
            return;
        }
    } else {
        which = t.count++;
        struct command *command = random_command();
        uint64_t id = 0;
        memcpy(&id, command->client_id.bytes, sizeof id);
        WORLD_REQUIRE(id < COUNT_OF(t.by_client_id));
        t.by_client_id[id] = (uint32_t)which + 1;
        command->origin.tag = (uint32_t)which;
        t.requests[which] = (struct request){.command = command};
        t.sums.asked++;
    }
    world_submit(&t.world, world_again(t.requests[which].command));
}

static void note(const struct reply *reply)
{
    struct request *request = &t.requests[reply->origin.tag];

    if (reply->error == SP_OK) {
        bool again = request->outcome == OUTCOME_ACKNOWLEDGED;
        if (again && (!reply->event.repeated || reply->event.sequence != request->sequence ||
                      !digest_equal(&reply->event.hash, &request->hash))) {
            blame("request %u is answered in another way than before", reply->origin.tag);
        }
        request->outcome = OUTCOME_ACKNOWLEDGED;
        request->log = reply->event.log.number;
        request->sequence = reply->event.sequence;
        request->hash = reply->event.hash;
    } else if (sp_error_class(reply->error) == SP_CLASS_REFUSED) {
        request->outcome = OUTCOME_REFUSED;
    } else {
        blame("request %u: %s, although there is power", reply->origin.tag,
              sp_error_name(reply->error));
    }
}

/* What is said without power, nobody hears. */
static void take_answers(void)
{
    struct publication *publication = domain_take(t.world.domain);

    while (publication != NULL) {
        struct queue_item *next = publication->item.next;
        if (publication->kind == PUBLISH_REPLY && !power_is_off()) {
            note(publication->reply);
        }
        publication_free(publication);
        publication = next != NULL ? CONTAINER_OF(next, struct publication, item) : NULL;
    }
}

/* --- a life, to its cut --- */

/* Opens the domain; without power, or if the power goes, it may come to nothing. */
static bool try_open(void)
{
    char reason[256];
    enum sp_error error = domain_open(&t.world.config, &t.world.domain, reason, sizeof reason);

    if (error != SP_OK && !power_is_off()) {
        blame("the domain does not open: %s", reason);
    }
    return error == SP_OK;
}

/* A second connection writes the WAL back: the next commit begins it anew. */
static void checkpoint_aside(void)
{
    sqlite3 *db = NULL;

    if (sqlite3_open(t.path, &db) == SQLITE_OK) {
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void)sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    (void)sqlite3_close(db);
}

static void live(void)
{
    for (uint32_t steps = 1 + chance(STEPS); steps > 0 && !power_is_off(); steps--) {
        uint32_t what = chance(16);
        if (what == 0) {
            t.sums.reopened++;
            world_close(&t.world);
            if (!try_open()) {
                return;
            }
        } else if (what <= 2) {
            checkpoint_aside();
        }
        for (uint32_t count = 1 + chance(6); count > 0; count--) {
            submit_one();
        }
        if (domain_step(t.world.domain) != SP_OK && !power_is_off()) {
            blame("the domain gives up, although there is power");
            return;
        }
        take_answers();
    }
}

/* --- what has survived --- */

static void check_database(void)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    const char *said = "nothing";

    if (sqlite3_open(t.path, &db) == SQLITE_OK &&
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        said = (const char *)sqlite3_column_text(statement, 0);
    }
    if (strcmp(said, "ok") != 0) {
        blame("integrity_check: %s", said);
    }
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
}

static bool is_as_asked(const struct request *request, const struct event_header *header,
                        const struct body *body)
{
    const struct command *command = request->command;

    switch (command->kind) {
    case COMMAND_POST:
        return header->kind == EVENT_MESSAGE && body->text.size == command->body_size &&
               memcmp(body->text.data, command->body, command->body_size) == 0;
    case COMMAND_STORE:
        return header->kind == EVENT_FILE && body->size == command->file.size &&
               digest_equal(&body->sha256, &command->file.sha256);
    default:
        return header->kind == EVENT_LOG_CREATED;
    }
}

/* One event of LOG, after which the chain is at HASH. */
static void check_event(int64_t log, const struct event_record *record, const struct digest *hash)
{
    struct event_header header;
    struct body body;
    uint64_t id = 0;

    WORLD_REQUIRE(event_header_decode(record->header, &header) == SP_OK);
    WORLD_REQUIRE(body_parse((struct slice){record->body, record->body_size}, &body) == SP_OK);
    memcpy(&id, header.client_id.bytes, sizeof id);
    if (id >= COUNT_OF(t.by_client_id) || t.by_client_id[id] == 0) {
        return; /* of the stage, or the server's own */
    }
    struct request *request = &t.requests[t.by_client_id[id] - 1];
    request->found++;
    if (!is_as_asked(request, &header, &body)) {
        blame("event %lld/%llu is not what was asked for", (long long)log,
              (unsigned long long)header.sequence);
    }
    if (request->outcome == OUTCOME_ACKNOWLEDGED &&
        (request->log != log || request->sequence != header.sequence ||
         !digest_equal(&request->hash, hash))) {
        blame("event %lld/%llu was acknowledged as another", (long long)log,
              (unsigned long long)header.sequence);
    }
}

static uint64_t walk_log(int64_t log)
{
    struct digest hash;
    uint64_t sequence = 0;
    size_t count = 0;

    do {
        struct reply *reply = world_page(&t.world, log, sequence + 1, UINT32_MAX);
        count = reply->page.count;
        for (size_t i = 0; i < count; i++) {
            const struct event_record *record = reply->page.events[i];
            struct event_header header;
            struct digest next;
            WORLD_REQUIRE(event_header_decode(record->header, &header) == SP_OK);
            if (sequence++ == 0) {
                WORLD_REQUIRE(event_chain_start(&header.log, &hash) == SP_OK);
            }
            WORLD_REQUIRE(event_chain_next(&hash, record->header, &next) == SP_OK);
            hash = next;
            check_event(log, record, &hash);
        }
        reply_free(reply);
    } while (count > 0);
    return sequence;
}

static void check_requests(void)
{
    for (size_t i = 0; i < t.count; i++) {
        const struct request *request = &t.requests[i];
        if (request->found > 1) {
            blame("request %zu is there %u times", i, request->found);
        } else if (request->outcome == OUTCOME_ACKNOWLEDGED && request->found == 0) {
            blame("request %zu was acknowledged and is lost", i);
        } else if (request->outcome == OUTCOME_REFUSED && request->found > 0) {
            blame("request %zu was refused and is there", i);
        }
    }
}

/* The oracle. The domain is open. */
static void check(void)
{
    int64_t log = 1;

    check_database();
    if (t.trouble[0] != '\0') {
        return;
    }
    struct actor ann = world_login(&t.world, "ann", 1);
    if (!id_equal(&ann.device_id, &t.ann.device_id) || ann.device != t.ann.device) {
        blame("a device that was admitted is another now");
        return;
    }
    (void)world_verify(&t.world);
    for (size_t i = 0; i < t.count; i++) {
        t.requests[i].found = 0;
    }
    while (walk_log(log) > 0) {
        log++;
    }
    check_requests();
}

/* --- trials --- */

/* The power goes once while the database is made; then there is a room and a box, for good. */
static void set_the_stage(uint64_t seed)
{
    power_reset(seed);
    t.random = seed * 40503 + 7;
    t.count = 0;
    t.trouble[0] = '\0';
    memset(t.by_client_id, 0, sizeof t.by_client_id);
    power_cut_after(1 + chance(120));
    if (try_open()) {
        power_cut();
    }
    world_close(&t.world);
    power_restore();
    t.world.requests = 0;
    if (!try_open()) {
        return;
    }
    t.ann = world_login(&t.world, "ann", 1);
    t.bob = world_login(&t.world, "bob", 2);
    WORLD_REQUIRE(world_do(&t.world, world_command(&t.world, COMMAND_ROOM_CREATE, &t.ann, "room",
                                                   NULL)) == SP_OK);
    WORLD_REQUIRE(world_do(&t.world, world_command(&t.world, COMMAND_BOX_CREATE, &t.ann, "box",
                                                   NULL)) == SP_OK);
    world_close(&t.world);
}

/* Whoever has had no answer asks again, and gets one that fits what is there. */
static void ask_again(void)
{
    for (size_t i = 0; i < t.count && t.trouble[0] == '\0'; i++) {
        struct request *request = &t.requests[i];
        bool unknown = request->outcome == OUTCOME_UNKNOWN;
        struct reply *reply = world_run(&t.world, world_again(request->command));
        note(reply);
        if (unknown && reply->error == SP_OK && reply->event.repeated != (request->found == 1)) {
            blame("request %zu is %s, and asked for again it is %s", i,
                  request->found == 1 ? "there" : "not there",
                  reply->event.repeated ? "repeated" : "new");
        }
        t.sums.unknown += unknown;
        t.sums.unknown_there += unknown && request->found == 1;
        t.sums.acknowledged += !unknown && request->outcome == OUTCOME_ACKNOWLEDGED;
        t.sums.refused += !unknown && request->outcome == OUTCOME_REFUSED;
        reply_free(reply);
        (void)world_transcript(&t.world);
    }
}

static void cut_and_check(void)
{
    static const uint32_t spans[] = {30, 200, 1000};

    power_cut_after(1 + chance(spans[chance(COUNT_OF(spans))]));
    if (try_open()) {
        live();
    }
    power_cut();
    world_close(&t.world);
    power_restore();
    if (t.trouble[0] == '\0' && try_open()) {
        check();
    }
}

/* Whether all was well. */
static bool try_once(uint64_t seed)
{
    set_the_stage(seed);
    for (uint32_t cuts = 1 + chance(3); cuts > 0 && t.trouble[0] == '\0'; cuts--) {
        cut_and_check();
        if (cuts > 1) {
            world_close(&t.world);
        }
    }
    if (t.trouble[0] == '\0') {
        ask_again();
    }
    if (t.trouble[0] == '\0') {
        check();
    }
    world_close(&t.world);
    for (size_t i = 0; i < t.count; i++) {
        command_free(t.requests[i].command);
    }
    return t.trouble[0] == '\0';
}

static void report(unsigned trials, unsigned lost)
{
    struct power_counts counts = power_count();

    (void)printf("%u trials, %llu cuts: of what was not synced %llu sectors were kept, %llu "
                 "dropped, %llu torn; %llu names were as before\n",
                 trials, (unsigned long long)counts.cuts, (unsigned long long)counts.kept,
                 (unsigned long long)counts.dropped, (unsigned long long)counts.torn,
                 (unsigned long long)counts.names);
    (void)printf("%llu requests: %llu acknowledged, %llu refused, %llu without an answer, of which "
                 "%llu were there; %llu restarts in order\n",
                 (unsigned long long)t.sums.asked, (unsigned long long)t.sums.acknowledged,
                 (unsigned long long)t.sums.refused, (unsigned long long)t.sums.unknown,
                 (unsigned long long)t.sums.unknown_there, (unsigned long long)t.sums.reopened);
    (void)printf("%u of %u trials broke a promise\n", lost, trials);
}

int main(int argc, char **argv)
{
    bool expects_loss = argc > 1 && strcmp(argv[1], "--expect-loss") == 0;
    int first = expects_loss ? 2 : 1;
    unsigned trials = argc > first ? (unsigned)strtoul(argv[first], NULL, 10) : 100;
    uint64_t seed = argc > first + 1 ? strtoull(argv[first + 1], NULL, 10) : 1;
    const char *broken = getenv("FAULT_BROKEN"); /* NOLINT(concurrency-mt-unsafe): one thread */
    unsigned lost = 0;

    t.ignores_directories = broken != NULL && strcmp(broken, "no-directory-sync") == 0;
    world_make_path(t.path);
    power_install();
    power_reset(0);
    world_open(&t.world, t.path);
    world_close(&t.world);
    for (unsigned i = 0; i < trials; i++) {
        if (!try_once(seed + i)) {
            lost++;
            (void)printf("seed %llu: %s\n", (unsigned long long)(seed + i), t.trouble);
        }
    }
    report(trials, lost);
    power_reset(0);
    world_remove_path(t.path);
    return power_count().cuts >= trials && (lost > 0) == expects_loss ? 0 : 1;
}
