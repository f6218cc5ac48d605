#include "domain/core.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"

static enum sp_error finish_draft(struct draft *draft, enum event_kind kind,
                                  const struct body *body)
{
    struct writer writer;

    writer_init(&writer, draft->bytes, sizeof draft->bytes);
    body_write(&writer, body);
    enum sp_error error = writer_finish(&writer);
    if (error != SP_OK) {
        return error;
    }
    draft->kind = kind;
    draft->size = writer_used(&writer);
    return event_commitment(draft->salt, (struct slice){draft->bytes, draft->size},
                            &draft->commitment);
}

enum sp_error draft_from_command(struct draft *draft, enum event_kind kind,
                                 const struct command *command, const struct body *body)
{
    if (id_is_zero(&command->client_id)) {
        return SP_EINVALID;
    }
    draft->client_id = command->client_id;
    memcpy(draft->salt, command->salt, SALT_BYTES);
    return finish_draft(draft, kind, body);
}

enum sp_error draft_from_server(struct draft *draft, enum event_kind kind, const struct body *body)
{
    memset(&draft->client_id, 0, sizeof draft->client_id);
    random_bytes(draft->salt, SALT_BYTES);
    return finish_draft(draft, kind, body);
}

/* Whether KEY names LOG; a box's name or id also stands for the submission logs in it. */
static enum sp_error is_named_by(struct core *core, const struct log_row *log,
                                 const struct log_key *key, bool *out)
{
    struct log_row *box = NULL;
    enum sp_error error = SP_OK;

    if (key->name[0] != '\0') {
        *out = strcmp(log->info.name, key->name) == 0;
        return SP_OK;
    }
    *out = id_equal(&log->info.id, &key->id);
    if (!*out && log->parent != 0) {
        error = cache_find_log(&core->cache, log->parent, &box);
        *out = error == SP_OK && id_equal(&box->info.id, &key->id);
    }
    return error;
}

enum sp_error core_find_request(struct core *core, const struct command *command,
                                enum event_kind kind, struct request_row *out, struct log_row **log)
{
    bool named = false;

    *log = NULL;
    enum sp_error error =
        store_find_request(&core->store, command->actor.device, &command->client_id, out);
    if (error == SP_OK) {
        error = cache_find_log(&core->cache, out->log, log);
        error = error == SP_ENOTFOUND ? SP_EINTEGRITY : error;
    }
    if (error == SP_OK) {
        error = is_named_by(core, *log, &command->log, &named);
    }
    if (error == SP_OK && (!named || out->header.kind != kind)) {
        error = SP_ECONFLICT;
    }
    return error;
}

enum sp_error core_find_repeated(struct core *core, const struct command *command,
                                 const struct draft *draft, struct reply *reply, bool *repeated)
{
    struct request_row request;
    struct log_row *log = NULL;

    *repeated = false;
    enum sp_error error = core_find_request(core, command, draft->kind, &request, &log);
    if (error == SP_ENOTFOUND) {
        return SP_OK;
    }
    if (error == SP_OK && !digest_equal(&request.header.commitment, &draft->commitment)) {
        error = SP_ECONFLICT;
    }
    if (error != SP_OK) {
        return error;
    }
    *repeated = true;
    reply->kind = REPLY_EVENT;
    reply->event.log = log->info;
    reply->event.log.head_sequence = request.header.sequence;
    reply->event.log.head = request.hash;
    reply->event.sequence = request.header.sequence;
    reply->event.time_ms = request.header.time_ms;
    reply->event.hash = request.hash;
    reply->event.repeated = true;
    return SP_OK;
}

enum sp_error core_find_log(struct core *core, const struct command *command, enum right right,
                            struct log_row **out)
{
    struct log_row *log = NULL;
    enum relation relation = RELATION_NONE;

    *out = NULL;
    enum sp_error error = cache_find_log_by_key(&core->cache, &command->log, &log);
    if (error == SP_OK) {
        error = cache_find_relation(&core->cache, log, command->actor.member, &relation);
    }
    if (error == SP_OK) {
        error = access_check(log->info.kind, relation, right);
    }
    if (error == SP_OK) {
        *out = log;
    }
    return error;
}

enum sp_error core_add_log(struct core *core, const struct command *command, enum log_kind kind,
                           const struct log_row *parent, struct log_row **out)
{
    struct log_row row;

    *out = NULL;
    memset(&row, 0, sizeof row);
    random_id(&row.info.id);
    row.info.kind = kind;
    row.owner = command->actor.member;
    if (parent != NULL) {
        row.parent = parent->info.number;
        memcpy(row.info.name, parent->info.name, sizeof row.info.name);
    } else {
        memcpy(row.info.name, command->log.name, sizeof row.info.name);
    }
    enum sp_error error = event_chain_start(&row.info.id, &row.info.head);
    if (error == SP_OK) {
        error = store_add_log(&core->store, &row, command->received_ms);
    }
    return error != SP_OK ? error : cache_add_log(&core->cache, &row, out);
}

enum sp_error core_set_role(struct core *core, const struct command *command,
                            const struct log_row *log, enum relation role)
{
    int64_t member = command->actor.member;
    uint64_t read = log->info.head_sequence + 1;
    enum sp_error error =
        store_set_role(&core->store, log->info.number, member, role, read, command->received_ms);

    if (error == SP_OK && role == RELATION_NONE) {
        error = store_remove_mentions(&core->store, log->info.number, member, LIMIT_SEQUENCE);
    }
    return error != SP_OK ? error : cache_set_role(&core->cache, log, member, role, read);
}

void core_publish(struct core *core, struct publication *publication)
{
    publication->item.next = NULL;
    *core->last = &publication->item;
    core->last = &publication->item.next;
}

/* The event's record, with all but its place in the memory of others. */
static enum sp_error make_record(const struct command *command, const struct log_row *log,
                                 const struct draft *draft, int64_t time_ms,
                                 struct event_record **out)
{
    struct event_record *record = NULL;
    enum sp_error error = event_record_new(draft->size, &record);

    *out = record;
    if (error != SP_OK) {
        return error;
    }
    const struct event_header header = {
        .kind = (uint16_t)draft->kind,
        .body_bytes = (uint32_t)draft->size,
        .log = log->info.id,
        .sequence = log->info.head_sequence + 1,
        .time_ms = time_ms,
        .author = command->actor.device_id,
        .client_id = draft->client_id,
        .commitment = draft->commitment,
    };
    event_header_encode(&header, record->header);
    record->log_number = log->info.number;
    record->sequence = header.sequence;
    memcpy(record->author, command->actor.username, sizeof record->author);
    memcpy(record->salt, draft->salt, SALT_BYTES);
    memcpy(record->body, draft->bytes, draft->size);
    return SP_OK;
}

/* The event and, if a request of its own made it, that. */
static enum sp_error write_event(struct core *core, const struct command *command,
                                 const struct draft *draft, const struct event_record *record,
                                 const struct digest *hash)
{
    enum sp_error error = store_add_event(&core->store, record, command->actor.device, hash);

    if (error == SP_OK && !id_is_zero(&draft->client_id)) {
        error = store_add_request(&core->store, command->actor.device, &draft->client_id,
                                  store_event_key(record->log_number, record->sequence));
    }
    if (error == SP_OK && !event_is_erasable((uint16_t)draft->kind)) {
        error = store_add_state_event(&core->store, record->log_number, record->sequence);
    }
    return error == SP_EEXISTS ? SP_EINTEGRITY : error; /* both were looked up before */
}

enum sp_error core_append(struct core *core, const struct command *command, struct log_row *log,
                          const struct draft *draft, struct reply *reply)
{
    struct publication *publication = NULL;
    struct digest hash;
    int64_t time_ms = command->received_ms > log->last_ms ? command->received_ms : log->last_ms;
    enum sp_error error = SP_OK;

    if (log->info.head_sequence >= LIMIT_SEQUENCE) {
        return SP_ELIMIT;
    }
    publication = calloc(1, sizeof *publication);
    if (publication == NULL) {
        return SP_ENOMEM;
    }
    publication->kind = PUBLISH_EVENT;
    error = make_record(command, log, draft, time_ms, &publication->event);
    if (error == SP_OK) {
        error = event_chain_next(&log->info.head, publication->event->header, &hash);
    }
    if (error == SP_OK) {
        error = write_event(core, command, draft, publication->event, &hash);
    }
    if (error != SP_OK) {
        publication_free(publication);
        return error;
    }
    cache_advance(&core->cache, log, &hash, time_ms, event_is_erasable((uint16_t)draft->kind));
    core_publish(core, publication);
    core->event_count++;
    if (reply != NULL) {
        reply->kind = REPLY_EVENT;
        reply->event.log = log->info;
        reply->event.sequence = log->info.head_sequence;
        reply->event.time_ms = time_ms;
        reply->event.hash = hash;
    }
    return SP_OK;
}

enum sp_error core_end_access(struct core *core, int64_t member, int64_t log)
{
    struct publication *publication = calloc(1, sizeof *publication);

    if (publication == NULL) {
        return SP_ENOMEM;
    }
    publication->kind = PUBLISH_ACCESS_ENDED;
    publication->access.member = member;
    publication->access.log_number = log;
    core_publish(core, publication);
    return SP_OK;
}
