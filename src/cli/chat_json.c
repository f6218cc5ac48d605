/* chat for bots: one JSON object a line, commands in, events and results out. The members are
 * documented in sealpost(1). */
#include <string.h>

#include "base/escape.h"
#include "base/name.h"
#include "cli/chat.h"
#include "cli/json_read.h"
#include "cli/show.h"

/* What a command is and which members it takes, besides "cmd" and "id". */
struct spec {
    const char *cmd;
    enum task_kind kind;
    enum action_kind action; /* of TASK_ACTION */
    const char *log_key;     /* the member that names the room or box; NULL: none */
    bool log_optional;
    const char *text_key; /* text, topic or path; NULL: none */
};

static const struct spec specs[] = {
    {"say", TASK_ACTION, ACTION_POST, "room", false, "text"},
    {"join", TASK_ACTION, ACTION_JOIN, "room", false, NULL},
    {"leave", TASK_ACTION, ACTION_LEAVE, "room", false, NULL},
    {"topic", TASK_ACTION, ACTION_TOPIC, "room", false, "text"},
    {"send", TASK_ACTION, ACTION_SEND, "room", false, "path"},
    {"submit", TASK_ACTION, ACTION_SEND, "box", false, "path"},
    {"create-room", TASK_ACTION, ACTION_ROOM_CREATE, "room", false, NULL},
    {"create-box", TASK_ACTION, ACTION_BOX_CREATE, "box", false, NULL},
    {"follow", TASK_FOLLOW, ACTION_POST, "room", false, NULL},
    {"unfollow", TASK_UNFOLLOW, ACTION_POST, "room", false, NULL},
    {"list", TASK_LOGS, ACTION_POST, NULL, false, NULL},
    {"members", TASK_MEMBERS, ACTION_POST, "room", true, NULL},
    {"read", TASK_ACTION, ACTION_READ, "room", false, NULL},
    {"files", TASK_FILES, ACTION_POST, "room", false, NULL},
};

/* The start of a result; json_close() ends it. */
static void open_result(struct chat *chat, struct json_out *json, const char *tag, const char *cmd,
                        enum sp_error error, const char *text)
{
    json_open(json, chat->cli->out.data, "result");
    json_verbatim(json, "id", tag);
    json_string(json, "cmd", cmd);
    json_bool(json, "ok", error == SP_OK);
    if (error != SP_OK) {
        json_string(json, "error", sp_error_name(error));
        json_string(json, "text", text);
    }
}

static void refuse(struct chat *chat, const char *tag, const char *cmd, const char *text)
{
    struct json_out json;

    open_result(chat, &json, tag, cmd, SP_EINVALID, text);
    json_bool(&json, "unknown", false);
    json_close(&json);
}

/* The command's id as JSON, to be given back; false when it cannot be. */
static bool read_tag(const struct json_object *object, char tag[CHAT_TAG_BYTES])
{
    const struct json_member *id = json_find(object, "id");
    size_t size = 0;

    tag[0] = '\0';
    if (id == NULL || id->type == JSON_NULL) {
        return true;
    }
    if (id->type == JSON_NUMBER && id->size < CHAT_TAG_BYTES) {
        memcpy(tag, id->text, id->size);
        tag[id->size] = '\0';
        return true;
    }
    if (id->type != JSON_STRING || 6 * id->size + 3 > CHAT_TAG_BYTES) { /* 6: the longest escape */
        return false;
    }
    tag[0] = '"';
    size = escape_for_json(id->text, id->size, tag + 1, CHAT_TAG_BYTES - 2);
    tag[size + 1] = '"';
    tag[size + 2] = '\0';
    return true;
}

static const struct spec *find_spec(const struct json_object *object)
{
    const struct json_member *cmd = json_find(object, "cmd");

    for (size_t i = 0; cmd != NULL && cmd->type == JSON_STRING && i < COUNT_OF(specs); i++) {
        if (strcmp(cmd->text, specs[i].cmd) == 0) {
            return &specs[i];
        }
    }
    return NULL;
}

static bool is_key(const char *key, const char *wanted)
{
    return wanted != NULL && strcmp(key, wanted) == 0;
}

static bool takes_member(const struct spec *spec, const char *key)
{
    bool is_follow = spec->kind == TASK_FOLLOW;
    bool is_read = spec->kind == TASK_ACTION && spec->action == ACTION_READ;
    bool is_send = spec->kind == TASK_ACTION && spec->action == ACTION_SEND;

    return is_key(key, "cmd") || is_key(key, "id") || is_key(key, spec->log_key) ||
           is_key(key, spec->text_key) ||
           (is_follow && (is_key(key, "after") || is_key(key, "last"))) ||
           (is_read && is_key(key, "seq")) || (is_send && is_key(key, "name"));
}

/* A sentence about what is wrong with the members, or NULL. */
static const char *find_mistake(const struct spec *spec, const struct json_object *object)
{
    const struct json_member *log = spec->log_key == NULL ? NULL : json_find(object, spec->log_key);
    const struct json_member *text =
        spec->text_key == NULL ? NULL : json_find(object, spec->text_key);
    const struct json_member *name = json_find(object, "name");

    for (size_t i = 0; i < object->count; i++) {
        if (!takes_member(spec, object->members[i].key)) {
            return "a member that this command does not take";
        }
    }
    if (spec->log_key != NULL && log == NULL && !spec->log_optional) {
        return "the room or box is missing";
    }
    if (log != NULL && (log->type != JSON_STRING || log_name_of(log->text) == NULL)) {
        return "not a name of a room or box";
    }
    if (spec->text_key != NULL && (text == NULL || text->type != JSON_STRING)) {
        return "the text or path is missing or not a string";
    }
    if (name != NULL && name->type != JSON_STRING) {
        return "the name is not a string";
    }
    return NULL;
}

/* "after" and "last" of follow; without either, or with "last" 0, only what is new. */
static bool read_numbers(struct task *task, const struct json_object *object)
{
    const struct json_member *after = json_find(object, "after");
    const struct json_member *last = json_find(object, "last");

    if ((after != NULL && last != NULL) ||
        (after != NULL && json_member_u64(after, LIMIT_SEQUENCE, &task->after) != SP_OK) ||
        (last != NULL && json_member_u64(last, LIMIT_SEQUENCE, &task->last) != SP_OK)) {
        return false;
    }
    task->only_new = after == NULL && task->last == 0;
    return true;
}

/* "seq" of read; without it, all that is there. */
static bool read_sequence(struct task *task, const struct json_object *object)
{
    const struct json_member *sequence = json_find(object, "seq");

    task->action.sequence = LIMIT_SEQUENCE;
    return sequence == NULL ||
           json_member_u64(sequence, LIMIT_SEQUENCE, &task->action.sequence) == SP_OK;
}

/* What the task needs besides its log. */
static enum sp_error fill_task(struct chat *chat, struct task *task, const struct spec *spec,
                               const struct json_object *object, char *text, size_t capacity)
{
    const struct json_member *value =
        spec->text_key == NULL ? NULL : json_find(object, spec->text_key);
    const struct json_member *name = json_find(object, "name");
    enum sp_error error = SP_OK;

    if (spec->kind == TASK_FOLLOW && !read_numbers(task, object)) {
        (void)snprintf(text, capacity, "'after' or 'last', a whole number, but not both");
        return SP_EINVALID;
    }
    if (spec->kind == TASK_ACTION && spec->action == ACTION_READ && !read_sequence(task, object)) {
        (void)snprintf(text, capacity, "'seq' is a whole number");
        return SP_EINVALID;
    }
    if (value == NULL) {
        return SP_OK;
    }
    if (spec->action == ACTION_SEND) {
        task->target.wants_box = spec->log_key != NULL && strcmp(spec->log_key, "box") == 0;
        return task_open_file(task, value->text, name == NULL ? NULL : name->text, text, capacity);
    }
    error = task_set_text(task, value->text, value->size);
    if (error == SP_OK && spec->action == ACTION_POST && value->size == 0) {
        error = SP_EINVALID;
    }
    if (error == SP_OK && value->size > chat->cli->session.text_bytes) {
        error = SP_ETOOLARGE;
    }
    return error;
}

static void start(struct chat *chat, const struct spec *spec, const struct json_object *object,
                  const char *tag)
{
    const struct json_member *log = spec->log_key == NULL ? NULL : json_find(object, spec->log_key);
    struct task *task = task_new(chat, spec->kind, log == NULL ? "" : log_name_of(log->text));
    char text[SESSION_TEXT_BYTES] = "";
    enum sp_error error = SP_OK;

    if (task == NULL) {
        return;
    }
    task->action.kind = spec->action;
    task->name = spec->cmd;
    (void)snprintf(task->tag, sizeof(task->tag), "%s", tag);
    error = fill_task(chat, task, spec, object, text, sizeof(text));
    if (error != SP_OK) {
        task_refuse(chat, task, error, text);
    }
}

static void on_line(struct chat *chat, char *line, size_t size)
{
    struct json_object object;
    const char *reason = NULL;
    const struct spec *spec = NULL;
    const char *mistake = NULL;
    char tag[CHAT_TAG_BYTES];

    if (json_read(line, size, &object, &reason) != SP_OK) {
        refuse(chat, "", "", reason);
        return;
    }
    if (!read_tag(&object, tag)) {
        refuse(chat, "", "", "an id is a number or a string of at most 42 bytes");
        return;
    }
    spec = find_spec(&object);
    mistake = spec == NULL ? "a command that is not known" : find_mistake(spec, &object);
    if (mistake != NULL) {
        refuse(chat, tag, spec == NULL ? "" : spec->cmd, mistake);
        return;
    }
    start(chat, spec, &object, tag);
}

static void on_line_too_long(struct chat *chat)
{
    refuse(chat, "", "", "the line is too long");
}

static void on_line_cut(struct chat *chat, const char *line, size_t size)
{
    (void)line;
    (void)size;
    refuse(chat, "", "", "a line on a terminal holds 4095 bytes; write to a pipe instead");
}

static void put_success(struct json_out *json, const struct task *task,
                        const struct sp_notice *notice)
{
    switch (task->kind) {
    case TASK_ACTION:
        if (task->action.kind == ACTION_READ) {
            json_string(json, "room", task->log);
            json_read_state(json, &notice->read);
            json_number(json, "seq", notice->log.head_sequence);
            break;
        }
        json_made(json, task->action.kind == ACTION_BOX_CREATE ? "box" : "room", task->log, notice);
        json_hex(json, "client_id", task->action.once.client_id, SP_ID_BYTES);
        if (task->action.kind == ACTION_SEND) {
            json_file(json, "file", &notice->file);
        }
        break;
    case TASK_FOLLOW:
        json_string(json, "room", task->log);
        json_number(json, "first",
                    task->only_new ? notice->log.head_sequence + 1 : notice->sequence);
        json_number(json, "head", notice->log.head_sequence);
        break;
    case TASK_UNFOLLOW:
        json_string(json, "room", task->log);
        break;
    case TASK_LOGS:
    case TASK_MEMBERS:
    case TASK_FILES:
        json_number(json, "rows", task->rows);
        break;
    }
}

static void on_done(struct chat *chat, struct task *task, enum sp_error error, const char *text,
                    const struct sp_notice *notice)
{
    struct json_out json;

    if (error == SP_OK && task->kind == TASK_ACTION && task->action.kind == ACTION_LEAVE) {
        followed_remove(chat, task->log);
    }
    if (task->silent && error == SP_OK) {
        return;
    }
    if (task->first && error != SP_OK) { /* nothing of what was wanted can be had */
        session_keep_text(&chat->cli->session, text);
        chat->code = keep_fail(chat->cli, error, task->log, "cannot read", task->log);
        chat->quit = true;
        return;
    }
    open_result(chat, &json, task->tag, task->name == NULL ? "follow" : task->name, error, text);
    if (error == SP_OK) {
        put_success(&json, task, notice);
    } else {
        json_string(&json, "room", task->log);
        json_bool(&json, "unknown", task->maybe_done);
    }
    json_close(&json);
}

static void on_row(struct chat *chat, struct task *task, const struct sp_row *row)
{
    (void)task;
    show_row(&chat->cli->out, row);
}

static void on_online(struct chat *chat)
{
    const struct session *session = &chat->cli->session;
    struct json_out json;

    json_open(&json, chat->cli->out.data, "online");
    json_string(&json, "username", session->username);
    json_string(&json, "team", session->team);
    json_hex(&json, "device", session->device, sizeof(session->device));
    json_string(&json, "server", session->server);
    json_number(&json, "max_text_bytes", session->text_bytes);
    json_number(&json, "max_file_bytes", session->file_bytes);
    json_close(&json);
}

static void on_offline(struct chat *chat, enum sp_error error, const char *text)
{
    struct json_out json;

    json_open(&json, chat->cli->out.data, "offline");
    json_string(&json, "error", sp_error_name(error));
    json_string(&json, "text", text[0] == '\0' ? sp_error_text(error) : text);
    json_close(&json);
}

static void on_read_state(struct chat *chat, const struct sp_log *log,
                          const struct sp_read_state *read)
{
    show_read_state(&chat->cli->out, log, read);
}

static void on_follow_ended(struct chat *chat, const char *log, enum sp_error error,
                            const char *text)
{
    struct json_out json;

    json_open(&json, chat->cli->out.data, "follow-ended");
    json_string(&json, "room", log);
    json_string(&json, "error", sp_error_name(error));
    json_string(&json, "text", text[0] == '\0' ? sp_error_text(error) : text);
    json_close(&json);
}

const struct chat_face chat_json_face = {.line = on_line,
                                         .line_too_long = on_line_too_long,
                                         .line_cut = on_line_cut,
                                         .done = on_done,
                                         .row = on_row,
                                         .online = on_online,
                                         .offline = on_offline,
                                         .read_state = on_read_state,
                                         .follow_ended = on_follow_ended};
