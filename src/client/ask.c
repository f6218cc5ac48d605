/* The requests of sealpost/client.h: what the caller gives, checked and put into a frame. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/name.h"
#include "client/chain.h"
#include "client/download.h"
#include "client/internal.h"
#include "client/store.h"
#include "client/upload.h"
#include "crypto/secret.h"

static const struct slice no_raw = {NULL, 0};

/* "general", "#general", or 32 hexadecimal digits. */
static enum sp_error make_key(const char *log, sealpost_v1_LogKey *out)
{
    *out = (sealpost_v1_LogKey)sealpost_v1_LogKey_init_zero;
    if (log == NULL) {
        return SP_EINVALID;
    }
    if (strlen(log) == ID_HEX_BYTES - 1 && hex_decode(log, out->id.bytes, ID_BYTES) == SP_OK) {
        out->id.size = ID_BYTES;
        return SP_OK;
    }
    log += log[0] == '#' ? 1 : 0;
    enum sp_error error = name_check_log(log, strlen(log));
    if (error == SP_OK) {
        (void)snprintf(out->name, sizeof out->name, "%s", log);
    }
    return error;
}

static enum sp_error make_once(const struct sp_once *once, sealpost_v1_Once *out)
{
    static const struct sp_once none;
    struct sp_once fresh;

    if (once == NULL) {
        sp_once_new(&fresh);
        once = &fresh;
    }
    if (memcmp(once->client_id, none.client_id, sizeof none.client_id) == 0) {
        return SP_EINVALID;
    }
    memcpy(out->client_id, once->client_id, sizeof out->client_id);
    memcpy(out->salt, once->salt, sizeof out->salt);
    return SP_OK;
}

/* Whether the log is refused by the store: then nothing may be sent to it. */
static bool is_refused(struct sp_client *client, const char *log)
{
    struct core *core = &client->core;

    core->reason[0] = '\0';
    return log != NULL && core->store != NULL &&
           store_refuses(core->store, log, core->reason, sizeof core->reason);
}

const char *sp_client_reason(const struct sp_client *client)
{
    return client->core.reason;
}

/* Sends the request; its number goes to the caller, itself to whoever has something to add. */
static enum sp_error ask(struct sp_client *client, enum ask kind, enum frame_type type,
                         const void *message, struct slice raw, struct request **request,
                         uint32_t *number)
{
    struct request *asked = NULL;

    enum sp_error error = core_request(&client->core, kind, type, message, raw, &asked);
    *number = error == SP_OK ? asked->number : 0;
    if (request != NULL) {
        *request = asked;
    }
    return error;
}

/* ---- Requests that make events ---- */

static enum sp_error create(struct sp_client *client, enum frame_type type,
                            const struct sp_once *once, const char *name, uint32_t *request)
{
    sealpost_v1_Create message = {.has_once = true};

    *request = 0;
    if (name == NULL) {
        return SP_EINVALID;
    }
    client->core.reason[0] = '\0';
    name += name[0] == '#' ? 1 : 0;
    enum sp_error error = name_check_log(name, strlen(name));
    if (error == SP_OK) {
        (void)snprintf(message.name, sizeof message.name, "%s", name);
        error = make_once(once, &message.once);
    }
    return error != SP_OK ? error : ask(client, ASK_EVENT, type, &message, no_raw, NULL, request);
}

enum sp_error sp_room_create(struct sp_client *client, const struct sp_once *once, const char *name,
                             uint32_t *request)
{
    return create(client, FRAME_ROOM_CREATE, once, name, request);
}

enum sp_error sp_box_create(struct sp_client *client, const struct sp_once *once, const char *name,
                            uint32_t *request)
{
    return create(client, FRAME_BOX_CREATE, once, name, request);
}

static enum sp_error write_to(struct sp_client *client, enum frame_type type,
                              const struct sp_once *once, const char *log, struct slice text,
                              uint32_t *request)
{
    sealpost_v1_Write message = {.has_once = true, .has_log = true};

    *request = 0;
    if (text.size > LIMIT_RAW_BYTES) {
        return SP_ETOOLARGE;
    }
    if (text.size > 0 && name_check_text((const char *)text.data, text.size) != SP_OK) {
        return SP_EINVALID;
    }
    enum sp_error error = make_key(log, &message.log);
    /* Whoever does not believe a log may still leave it. */
    if (error == SP_OK && is_refused(client, log) && type != FRAME_LEAVE) {
        error = SP_EINTEGRITY;
    }
    if (error == SP_OK) {
        error = make_once(once, &message.once);
    }
    return error != SP_OK ? error : ask(client, ASK_EVENT, type, &message, text, NULL, request);
}

enum sp_error sp_join(struct sp_client *client, const struct sp_once *once, const char *log,
                      uint32_t *request)
{
    return write_to(client, FRAME_JOIN, once, log, no_raw, request);
}

enum sp_error sp_leave(struct sp_client *client, const struct sp_once *once, const char *log,
                       uint32_t *request)
{
    return write_to(client, FRAME_LEAVE, once, log, no_raw, request);
}

enum sp_error sp_topic(struct sp_client *client, const struct sp_once *once, const char *log,
                       const char *topic, size_t size, uint32_t *request)
{
    return write_to(client, FRAME_TOPIC, once, log, (struct slice){(const uint8_t *)topic, size},
                    request);
}

enum sp_error sp_set_retention(struct sp_client *client, const struct sp_once *once,
                               const char *log, const struct sp_retention *retention,
                               uint32_t *request)
{
    sealpost_v1_Retention message = {
        .has_once = true,
        .has_log = true,
        .keep_seconds = retention->seconds,
        .keep_events = retention->events,
    };

    *request = 0;
    enum sp_error error = make_key(log, &message.log);
    if (error == SP_OK && is_refused(client, log)) {
        error = SP_EINTEGRITY;
    }
    if (error == SP_OK) {
        error = make_once(once, &message.once);
    }
    return error != SP_OK
               ? error
               : ask(client, ASK_EVENT, FRAME_RETENTION, &message, no_raw, NULL, request);
}

enum sp_error sp_post(struct sp_client *client, const struct sp_once *once, const char *log,
                      const char *text, size_t size, uint32_t *request)
{
    return write_to(client, FRAME_POST, once, log, (struct slice){(const uint8_t *)text, size},
                    request);
}

/* ---- Following ---- */

/* Asks for it; with a store, first for what was missed. */
static enum sp_error follow(struct sp_client *client, const char *log, struct request *planned,
                            uint32_t *request)
{
    sealpost_v1_Follow message;
    struct request *asked = NULL;

    *request = 0;
    client->core.reason[0] = '\0';
    enum sp_error error = make_key(log, &planned->follow.log);
    if (error != SP_OK) {
        return error;
    }
    chain_plan(&client->core, planned, log, &message);
    error = ask(client, ASK_FOLLOW, FRAME_FOLLOW, &message, no_raw, &asked, request);
    if (error == SP_OK) {
        planned->number = asked->number;
        planned->stream = asked->stream;
        *asked = *planned;
    }
    return error;
}

enum sp_error sp_follow(struct sp_client *client, const char *log, const struct sp_follow *how,
                        uint32_t *request)
{
    struct request planned = {
        .ask = ASK_FOLLOW,
        .live = how->live,
        .page = how->before != 0 || how->around != 0 || how->count != 0,
        .follow = {.has_log = true,
                   .after = how->after,
                   .last = how->last,
                   .live = how->live,
                   .before = how->before,
                   .around = how->around,
                   .count = how->count},
    };

    return follow(client, log, &planned, request);
}

enum sp_error sp_check_log(struct sp_client *client, const char *log, uint32_t *request)
{
    struct request planned = {
        .ask = ASK_FOLLOW, .check = true, .follow = {.has_log = true, .last = 1}};

    return follow(client, log, &planned, request);
}

enum sp_error sp_unfollow(struct sp_client *client, const uint8_t log[SP_ID_BYTES],
                          uint32_t *request)
{
    sealpost_v1_Unfollow message;
    struct request *asked = NULL;

    memcpy(message.log, log, sizeof message.log);
    enum sp_error error = ask(client, ASK_DONE, FRAME_UNFOLLOW, &message, no_raw, &asked, request);
    if (error == SP_OK) {
        asked->unfollow = true;
        memcpy(asked->log.bytes, log, sizeof asked->log.bytes);
    }
    return error;
}

enum sp_error sp_mark_read(struct sp_client *client, const char *log, uint64_t sequence,
                           uint32_t *request)
{
    sealpost_v1_MarkRead message = {.has_log = true, .sequence = sequence};

    *request = 0;
    enum sp_error error = make_key(log, &message.log);
    return error != SP_OK ? error
                          : ask(client, ASK_MARK, FRAME_MARK_READ, &message, no_raw, NULL, request);
}

/* ---- Lists and state ---- */

static enum sp_error list(struct sp_client *client, sealpost_v1_List_What what, const char *log,
                          uint32_t *request)
{
    sealpost_v1_List message = {.what = what, .has_log = log != NULL};
    struct request *asked = NULL;
    enum sp_error error = SP_OK;

    *request = 0;
    if (log != NULL) {
        error = make_key(log, &message.log);
    }
    if (error == SP_OK) {
        error = ask(client, ASK_LIST, FRAME_LIST, &message, no_raw, &asked, request);
    }
    if (error == SP_OK) {
        asked->list = message;
        asked->list_stamp_ms =
            what == sealpost_v1_List_What_LOGS ? clock_wall_ms(client->core.clock) : 0;
    }
    return error;
}

enum sp_error sp_list_logs(struct sp_client *client, uint32_t *request)
{
    return list(client, sealpost_v1_List_What_LOGS, NULL, request);
}

enum sp_error sp_list_members(struct sp_client *client, const char *log, uint32_t *request)
{
    return list(client, sealpost_v1_List_What_MEMBERS, log, request);
}

enum sp_error sp_list_files(struct sp_client *client, const char *log, uint32_t *request)
{
    *request = 0;
    return log == NULL ? SP_EINVALID : list(client, sealpost_v1_List_What_FILES, log, request);
}

enum sp_error sp_watch_presence(struct sp_client *client, bool on, uint32_t *request)
{
    sealpost_v1_WatchPresence message = {.on = on};

    return ask(client, ASK_DONE, FRAME_WATCH_PRESENCE, &message, no_raw, NULL, request);
}

enum sp_error sp_get_status(struct sp_client *client, uint32_t *request)
{
    return ask(client, ASK_STATUS, FRAME_STATUS, NULL, no_raw, NULL, request);
}

/* ---- Files ---- */

enum sp_error ask_send(struct sp_client *client, const struct sp_once *once, const char *log,
                       const char *name, int fd, const uint8_t *sha256, uint32_t *request)
{
    sealpost_v1_Offer offer = {.has_once = true, .has_log = true};

    *request = 0;
    if (name == NULL) {
        return SP_EINVALID;
    }
    if (is_refused(client, log)) {
        return SP_EINTEGRITY;
    }
    if (sha256 != NULL) {
        offer.sha256.size = DIGEST_BYTES;
        memcpy(offer.sha256.bytes, sha256, DIGEST_BYTES);
    }
    enum sp_error error = name_check_file(name, strlen(name));
    if (error == SP_OK) {
        (void)snprintf(offer.name, sizeof offer.name, "%s", name);
        error = make_key(log, &offer.log);
    }
    if (error == SP_OK) {
        error = make_once(once, &offer.once);
    }
    return error != SP_OK ? error : upload_start(&client->core, &offer, fd, request);
}

enum sp_error sp_send(struct sp_client *client, const struct sp_once *once, const char *log,
                      const char *name, int fd, uint32_t *request)
{
    return ask_send(client, once, log, name, fd, NULL, request);
}

#define FILE_ID_MINIMUM_DIGITS 6

enum sp_error sp_get(struct sp_client *client, const char *id, int fd, uint32_t *request)
{
    size_t digits = 0;

    *request = 0;
    while (id != NULL && isxdigit((unsigned char)id[digits])) {
        digits++;
    }
    if (id == NULL || id[digits] != '\0' || digits < FILE_ID_MINIMUM_DIGITS ||
        digits > ID_HEX_BYTES - 1) {
        return SP_EINVALID;
    }
    return download_start(&client->core, id, fd, request);
}
