#include "fault/kill_client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/digest.h"

/* A request was not taken. That the connection is lost comes as a notice, too. */
static void fail(const struct kill_client *client, const char *what, enum sp_error error)
{
    if (error == SP_OK || error == SP_EDISCONNECTED) {
        return;
    }
    (void)fprintf(stderr, "client %u: %s: %s\n", client->index, what, sp_error_text(error));
    abort();
}

static uint32_t chance(struct kill_client *client, uint32_t below)
{
    client->random = client->random * 1664525U + 1013904223U;
    return (client->random >> 8) % below;
}

void kill_client_init(struct kill_client *client, struct promises *promises, unsigned index,
                      const char *bundle, uint16_t port, uint32_t seed)
{
    char paths[3][512];
    char message[512];
    static const char *const names[] = {"ca.pem", "cert.pem", "key.pem"};

    memset(client, 0, sizeof *client);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s/%s", bundle, names[i]);
    }
    const struct sp_client_config config = {.host = "127.0.0.1",
                                            .port = port,
                                            .ca_file = paths[0],
                                            .cert_file = paths[1],
                                            .key_file = paths[2]};
    client->promises = promises;
    client->index = index;
    client->got_fd = -1;
    client->random = seed * 97 + index;
    for (size_t i = 0; i < KILL_UNDER_WAY; i++) {
        client->under_way[i].fd = -1;
    }
    if (sp_client_new(&config, &client->client, message, sizeof message) != SP_OK) {
        (void)fprintf(stderr, "client %u: %s\n", index, message);
        abort();
    }
}

static void end_request(struct kill_request *request)
{
    if (request->fd >= 0) {
        (void)close(request->fd);
    }
    *request = (struct kill_request){.fd = -1};
}

void kill_client_deinit(struct kill_client *client)
{
    for (size_t i = 0; i < KILL_UNDER_WAY; i++) {
        end_request(&client->under_way[i]);
    }
    if (client->got_fd >= 0) {
        (void)close(client->got_fd);
    }
    sp_client_free(client->client);
}

void kill_client_connect(struct kill_client *client)
{
    enum sp_error error = sp_client_connect(client->client);

    fail(client, "connect", error);
    client->state = KILL_CONNECTING;
}

bool kill_client_is_idle(const struct kill_client *client)
{
    for (size_t i = 0; i < KILL_UNDER_WAY; i++) {
        if (client->under_way[i].number != 0 || client->unanswered[i] != NULL) {
            return false;
        }
    }
    return client->getting == 0 && client->marking == 0;
}

/* --- the connection's start --- */

static void follow(struct kill_client *client)
{
    const struct sp_follow follow = {.after = client->last, .live = true};
    enum sp_error error = sp_follow(client->client, KILL_ROOM, &follow, &client->following);

    fail(client, "follow", error);
    client->shown = client->promises->shown_count;
    client->head = UINT64_MAX;
    client->state = KILL_CATCHING_UP;
}

void kill_client_reread(struct kill_client *client)
{
    client->last = 0;
    follow(client);
}

/* The first client makes both rooms; the others join the one. */
static void set_up(struct kill_client *client)
{
    uint32_t closed = 0;
    enum sp_error error = client->index == 0
                              ? sp_room_create(client->client, NULL, KILL_ROOM, &client->joining)
                              : sp_join(client->client, NULL, KILL_ROOM, &client->joining);

    if (error == SP_OK && client->index == 0) {
        error = sp_room_create(client->client, NULL, KILL_CLOSED, &closed);
    }
    fail(client, "join", error);
    client->state = KILL_SETTING_UP;
}

/* --- how far it is read --- */

/* With 0: only asks where the marker is. */
static void mark_read(struct kill_client *client, uint64_t sequence)
{
    enum sp_error error = sp_mark_read(client->client, KILL_ROOM, sequence, &client->marking);

    fail(client, "mark", error);
    client->mark = sequence;
}

static void take_mark(struct kill_client *client, const struct sp_notice *notice)
{
    const struct sp_read_state *read = &notice->read;
    uint64_t head = notice->log.head_sequence;

    if (read->sequence < client->marked || read->sequence < client->mark || read->sequence > head ||
        read->unread > head - read->sequence) {
        promises_blame(
            client->promises, "client %u had marked up to %llu, then %llu, and it is %llu of %llu",
            client->index, (unsigned long long)client->marked, (unsigned long long)client->mark,
            (unsigned long long)read->sequence, (unsigned long long)head);
    }
    client->promises->marked += read->sequence > client->marked;
    client->marked = read->sequence;
}

/* --- requests --- */

static int content_fd(const struct promise *promise)
{
    int fd = memfd_create("upload", MFD_CLOEXEC);
    char *content = promise_content(promise);
    bool ok = fd >= 0 && write(fd, content, promise->size) == (ssize_t)promise->size &&
              lseek(fd, 0, SEEK_SET) == 0;

    free(content);
    if (!ok) {
        abort();
    }
    return fd;
}

/* There are as many places as requests. */
static void keep_unanswered(struct kill_client *client, struct promise *promise)
{
    size_t place = 0;

    while (client->unanswered[place] != NULL) {
        place++;
    }
    client->unanswered[place] = promise;
}

static void ask(struct kill_client *client, struct kill_request *request, struct promise *promise)
{
    enum sp_error error = SP_OK;

    request->promise = promise;
    promise->found_before = promise->found;
    if (promise->kind == PROMISE_FILE) {
        request->fd = content_fd(promise);
        error = sp_send(client->client, &promise->once, KILL_ROOM, "file", request->fd,
                        &request->number);
    } else {
        char *content = promise_content(promise);
        error = sp_post(client->client, &promise->once,
                        promise->kind == PROMISE_INTRUSION ? KILL_CLOSED : KILL_ROOM, content,
                        promise->size, &request->number);
        free(content);
    }
    fail(client, "request", error);
    if (error != SP_OK) {
        keep_unanswered(client, promise);
        end_request(request);
    }
}

static struct promise *make_promise(struct kill_client *client)
{
    enum promise_kind kind = client->uploads ? PROMISE_FILE : PROMISE_TEXT;
    size_t size = chance(client, 8) == 0 ? chance(client, 12000) : 20 + chance(client, 200);
    const struct promise *other = NULL;

    if (client->uploads) {
        /* In the database, or a file of one chunk or of many. */
        static const uint32_t limits[] = {16384, 60000, 400000};
        size = 100 + chance(client, limits[chance(client, COUNT_OF(limits))]);
    } else if (client->index > 0 && chance(client, 20) == 0) {
        kind = PROMISE_INTRUSION;
    } else if (client->acknowledged != NULL && chance(client, 20) == 0) {
        kind = PROMISE_CONFLICT;
        other = client->acknowledged;
    }
    return promises_make(client->promises, kind, client->index, size, other);
}

/* First what was not answered; then new ones. */
static struct promise *next_promise(struct kill_client *client)
{
    for (size_t i = 0; i < KILL_UNDER_WAY; i++) {
        struct promise *promise = client->unanswered[i];
        if (promise != NULL) {
            client->unanswered[i] = NULL;
            return promise;
        }
    }
    return client->sends ? make_promise(client) : NULL;
}

static void ask_more(struct kill_client *client)
{
    size_t most = client->uploads ? 2 : KILL_UNDER_WAY;

    for (size_t i = 0; i < most; i++) {
        struct kill_request *request = &client->under_way[i];
        struct promise *promise = request->number == 0 ? next_promise(client) : NULL;
        if (promise != NULL) {
            ask(client, request, promise);
        }
    }
}

static void answered(struct kill_client *client, struct kill_request *request,
                     const struct sp_notice *result)
{
    struct promise *promise = request->promise;

    promises_answered(client->promises, promise, result);
    if (promise->outcome == OUTCOME_UNKNOWN) {
        keep_unanswered(client, promise);
    } else if (promise->outcome == OUTCOME_ACKNOWLEDGED && promise->kind == PROMISE_TEXT) {
        client->acknowledged = promise;
    }
    end_request(request);
}

/* --- files --- */

static void end_getting(struct kill_client *client)
{
    (void)close(client->got_fd);
    client->got_fd = -1;
    client->getting = 0;
}

void kill_client_get(struct kill_client *client, struct promise *promise)
{
    char id[2 * SP_ID_BYTES + 1];

    if (client->getting != 0 || client->state != KILL_READY) {
        return;
    }
    hex_encode(promise->file, SP_ID_BYTES, id);
    client->got_fd = memfd_create("download", MFD_CLOEXEC);
    client->wanted = promise;
    enum sp_error error = sp_get(client->client, id, client->got_fd, &client->getting);
    fail(client, "get", error);
    if (error != SP_OK) {
        end_getting(client);
    }
}

static void got(struct kill_client *client, const struct sp_notice *result)
{
    struct promise *promise = client->wanted;
    char *content = promise_content(promise);
    char *bytes = malloc(promise->size + 1);
    bool right = bytes != NULL && result->error == SP_OK &&
                 pread(client->got_fd, bytes, promise->size + 1, 0) == (ssize_t)promise->size &&
                 memcmp(bytes, content, promise->size) == 0;

    free(bytes);
    free(content);
    if (sp_error_class(result->error) != SP_CLASS_UNKNOWN) {
        promise->verified = right;
        client->promises->got_back += right;
        if (!right) {
            promises_blame(client->promises, "file %u does not come back: %s", promise->number,
                           result->text);
        }
    }
    end_getting(client);
}

/* --- what comes --- */

static void followed(struct kill_client *client, const struct sp_notice *notice)
{
    const struct promises *promises = client->promises;
    uint64_t head = notice->log.head_sequence;

    client->head = head;
    if (head < client->shown ||
        (head > 0 && head <= promises->shown_count &&
         memcmp(promises->shown[head - 1], notice->log.head, SP_DIGEST_BYTES) != 0)) {
        promises_blame(client->promises,
                       "%llu events were shown, and the log ends at %llu, or is another",
                       (unsigned long long)client->shown, (unsigned long long)head);
    }
}

static void take_result(struct kill_client *client, const struct sp_notice *notice)
{
    bool unknown = sp_error_class(notice->error) == SP_CLASS_UNKNOWN;

    for (size_t i = 0; i < KILL_UNDER_WAY; i++) {
        if (client->under_way[i].number == notice->request) {
            answered(client, &client->under_way[i], notice);
            return;
        }
    }
    if (notice->request == client->marking) {
        client->marking = 0;
        if (notice->error == SP_OK) {
            take_mark(client, notice);
            return;
        }
    }
    if (notice->request == client->getting) {
        got(client, notice);
    } else if (unknown) {
        return; /* the connection is lost, and all of this is done again */
    } else if (notice->error != SP_OK) {
        promises_blame(client->promises, "client %u cannot read or join: %s", client->index,
                       notice->text);
    } else if (notice->request == client->following) {
        followed(client, notice);
    } else if (notice->request == client->joining) {
        client->has_joined = true;
        follow(client);
    }
}

static void take(struct kill_client *client, const struct sp_notice *notice)
{
    switch (notice->type) {
    case SP_NOTICE_LOGIN:
        if (client->has_joined) {
            follow(client);
            mark_read(client, 0);
        } else {
            set_up(client);
        }
        break;
    case SP_NOTICE_CLOSED:
        client->state = KILL_AWAY;
        if (sp_error_class(notice->error) == SP_CLASS_REFUSED) {
            promises_blame(client->promises, "client %u is refused: %s", client->index,
                           notice->text);
        }
        break;
    case SP_NOTICE_RESULT:
        take_result(client, notice);
        break;
    case SP_NOTICE_EVENT:
        if (notice->event.sequence != client->last + 1) {
            promises_blame(client->promises, "client %u sees event %llu after %llu", client->index,
                           (unsigned long long)notice->event.sequence,
                           (unsigned long long)client->last);
        }
        client->last = notice->event.sequence;
        promises_shown(client->promises, client->index, &notice->event);
        break;
    default:
        break;
    }
}

void kill_client_turn(struct kill_client *client)
{
    struct sp_notice notice;

    while (sp_client_next(client->client, &notice)) {
        take(client, &notice);
    }
    if (client->state == KILL_CATCHING_UP && client->last >= client->head) {
        client->state = KILL_READY;
    }
    if (client->state == KILL_READY && client->asks) {
        ask_more(client);
        if (client->marking == 0 && client->last > client->marked) {
            mark_read(client, client->last);
        }
    }
}
