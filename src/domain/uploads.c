/* Files: may they come, and, when their bytes are durable, the event that they did. */
#include <stdio.h>
#include <string.h>

#include "base/name.h"
#include "domain/marks.h"

static enum sp_error check_file(const struct core *core, const struct command *command,
                                struct reply *reply)
{
    const struct command_file *file = &command->file;
    const uint64_t maximum = core->max_file_bytes;

    if (id_is_zero(&command->client_id)) {
        return SP_EINVALID;
    }
    if (file->size != UINT64_MAX && file->size > maximum) {
        (void)snprintf(reply->detail, sizeof reply->detail,
                       "the file has %llu bytes; this server takes up to %llu",
                       (unsigned long long)file->size, (unsigned long long)maximum);
        return SP_ETOOLARGE;
    }
    return name_check_file(file->name, strlen(file->name));
}

static void fill_info(const struct command *command, const struct log_info *log, uint64_t sequence,
                      int64_t time_ms, struct file_info *out)
{
    memset(out, 0, sizeof *out);
    out->id = command->file.file;
    out->log = log->id;
    out->sequence = sequence;
    memcpy(out->log_name, log->name, sizeof out->log_name);
    memcpy(out->member, command->actor.username, sizeof out->member);
    memcpy(out->name, command->file.name, sizeof out->name);
    out->size = command->file.size;
    out->sha256 = command->file.sha256;
    out->time_ms = time_ms;
    out->bucket = command->file.bucket;
}

/* The event of a file, as COMMAND asks for it. */
static enum sp_error make_draft(const struct command *command, const struct id *id, uint64_t size,
                                const struct digest *sha256, struct draft *draft)
{
    const struct body body = {
        .name = slice_of_string(command->file.name),
        .has_file = true,
        .file = *id,
        .has_size = true,
        .size = size,
        .has_sha256 = true,
        .sha256 = *sha256,
    };

    return draft_from_command(draft, EVENT_FILE, command, &body);
}

/* Whether COMMAND, with the bytes of FILE, would make the event of REQUEST: name and salt are the
 * same. */
static enum sp_error check_commitment(const struct command *command,
                                      const struct request_row *request,
                                      const struct file_info *file)
{
    struct draft draft;
    enum sp_error error = make_draft(command, &file->id, file->size, &file->sha256, &draft);

    if (error == SP_OK && !digest_equal(&draft.commitment, &request->header.commitment)) {
        error = SP_ECONFLICT;
    }
    return error;
}

/*
 * A file that was stored and has been erased since: only who still knows what it was finds it.
 * Without its SHA-256 nobody can tell whether it is the same.
 */
static enum sp_error find_erased(const struct command *command, const struct request_row *request,
                                 const struct log_row *log, const struct id *id,
                                 struct file_info *out)
{
    const struct command_file *file = &command->file;

    if (file->size == UINT64_MAX || !file->has_sha256) {
        return SP_ECONFLICT;
    }
    fill_info(command, &log->info, request->header.sequence, request->header.time_ms, out);
    out->id = *id;
    return check_commitment(command, request, out);
}

/* The file that this client id has stored before, and its event's hash. SP_ENOTFOUND; SP_ECONFLICT
 * if it was another. */
static enum sp_error find_stored(struct core *core, const struct command *command,
                                 struct file_info *out, struct log_row **log, struct digest *hash)
{
    const struct command_file *file = &command->file;
    struct request_row request;
    struct id id;
    enum sp_error error = core_find_request(core, command, EVENT_FILE, &request, log);

    memset(hash, 0, sizeof *hash);
    if (error == SP_OK) {
        *hash = request.hash;
        error = event_file_id(&command->actor.device_id, &command->client_id, &id);
    }
    if (error != SP_OK) {
        return error;
    }
    error = store_find_file(&core->store, &id, out);
    if (error == SP_ENOTFOUND) {
        return find_erased(command, &request, *log, &id, out);
    }
    if (error != SP_OK) {
        return error;
    }
    bool same = (file->size == UINT64_MAX || file->size == out->size) &&
                (!file->has_sha256 || digest_equal(&file->sha256, &out->sha256));
    return same ? check_commitment(command, &request, out) : SP_ECONFLICT;
}

enum sp_error handle_offer(struct core *core, const struct command *command, struct reply *reply)
{
    struct log_row *log = NULL;
    struct file_info info;
    struct digest hash;
    struct id file;
    enum sp_error error = check_file(core, command, reply);

    if (error != SP_OK) {
        return error;
    }
    error = find_stored(core, command, &info, &log, &hash);
    bool stored = error == SP_OK;
    if (error == SP_ENOTFOUND) {
        memset(&info, 0, sizeof info);
        error = core_find_log(core, command, RIGHT_STORE, &log);
    }
    if (error == SP_OK) {
        error = event_file_id(&command->actor.device_id, &command->client_id, &file);
    }
    if (error == SP_OK && !stored) {
        error = offers_add(&core->offers, command->actor.device, &command->client_id, core->batch);
    }
    if (error != SP_OK) {
        return error;
    }
    reply->kind = REPLY_OFFER;
    reply->offer.log = log->info;
    reply->offer.file = file;
    reply->offer.stored = stored;
    reply->offer.info = info;
    reply->offer.hash = hash;
    return SP_OK;
}

/* The actor's part of BOX, made with its first submission. */
static enum sp_error find_submission(struct core *core, const struct command *command,
                                     const struct log_row *box, struct log_row **out)
{
    const struct body body = {
        .name = slice_of_string(box->info.name),
        .member = slice_of_string(command->actor.username),
        .log_kind = LOG_KIND_SUBMISSION,
    };
    struct log_row row;
    struct draft draft;
    enum sp_error error =
        store_find_log_of_box(&core->store, box->info.number, command->actor.member, &row);

    *out = NULL;
    if (error == SP_OK) {
        return cache_find_log(&core->cache, row.info.number, out);
    }
    if (error == SP_ENOTFOUND) {
        error = core_add_log(core, command, LOG_KIND_SUBMISSION, box, out);
    }
    if (error == SP_OK) {
        error = draft_from_server(&draft, EVENT_LOG_CREATED, &body);
    }
    return error != SP_OK ? error : core_append(core, command, *out, &draft, NULL);
}

/* What the files part says must be what the command says: its mistakes are not stored. */
static enum sp_error check_stored(const struct command *command)
{
    const struct command_file *file = &command->file;
    struct id id;
    enum sp_error error = event_file_id(&command->actor.device_id, &command->client_id, &id);

    if (error != SP_OK) {
        return error;
    }
    if (!id_equal(&id, &file->file) || !file->has_sha256 || file->size > INT64_MAX) {
        return SP_EINVALID;
    }
    if (file->bucket == 0) {
        return command->body_size == file->size && file->size <= LIMIT_INLINE_FILE_BYTES
                   ? SP_OK
                   : SP_EINVALID;
    }
    return command->body_size == 0 ? SP_OK : SP_EINVALID;
}

/* A file that is new: its event, then its row. */
static enum sp_error store_new(struct core *core, const struct command *command,
                               const struct draft *draft, struct reply *reply)
{
    struct log_row *log = NULL;
    enum sp_error error = core_find_log(core, command, RIGHT_STORE, &log);

    if (error == SP_OK && log->info.kind == LOG_KIND_BOX) {
        error = find_submission(core, command, log, &log);
    }
    if (error == SP_OK) {
        error = core_append(core, command, log, draft, reply);
    }
    if (error == SP_OK) {
        error = marks_posted(core, command, log, (struct slice){NULL, 0});
    }
    if (error != SP_OK) {
        return error;
    }
    fill_info(command, &log->info, reply->event.sequence, reply->event.time_ms, &reply->event.file);
    return store_add_file(&core->store, log, &reply->event.file, command->actor.member,
                          (struct slice){command->body, command->body_size});
}

enum sp_error handle_store(struct core *core, const struct command *command, struct reply *reply)
{
    const struct command_file *file = &command->file;
    struct draft draft;
    bool repeated = false;

    /* However it ends, the upload has ended. */
    offers_remove(&core->offers, command->actor.device, &command->client_id);
    enum sp_error error = check_file(core, command, reply);
    if (error == SP_OK) {
        error = check_stored(command);
    }
    if (error == SP_OK) {
        error = make_draft(command, &file->file, file->size, &file->sha256, &draft);
    }
    if (error == SP_OK) {
        error = core_find_repeated(core, command, &draft, reply, &repeated);
    }
    if (error == SP_OK && repeated) {
        error = store_find_file(&core->store, &file->file, &reply->event.file);
        if (error == SP_ENOTFOUND) { /* it has been erased since */
            fill_info(command, &reply->event.log, reply->event.sequence, reply->event.time_ms,
                      &reply->event.file);
            reply->event.file.bucket = 0;
            error = SP_OK;
        }
    } else if (error == SP_OK) {
        error = store_new(core, command, &draft, reply);
    }
    if (error == SP_OK) {
        reply->kind = REPLY_STORED;
    }
    return error;
}

enum sp_error handle_offer_end(struct core *core, const struct command *command,
                               struct reply *reply)
{
    (void)reply;
    offers_remove(&core->offers, command->actor.device, &command->client_id);
    return SP_OK;
}
