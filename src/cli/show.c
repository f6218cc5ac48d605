#include "cli/show.h"

#include <inttypes.h>
#include <string.h>

#include "base/mention.h"
#include "cli/time_text.h"

#define SHORT_ID_BYTES 6 /* of a file, for people; two digits each */

static const struct {
    uint16_t kind;
    const char *name;  /* in JSON and plain */
    const char *story; /* for people: what its author did; NULL for a message */
} kinds[] = {
    {SP_EVENT_MESSAGE, "message", NULL},
    {SP_EVENT_LOG_CREATED, "created", "made this"},
    {SP_EVENT_JOINED, "joined", "came in"},
    {SP_EVENT_LEFT, "left", "left"},
    {SP_EVENT_TOPIC, "topic", "set the topic:"},
    {SP_EVENT_FILE, "file", "sent a file:"},
    {SP_EVENT_RETENTION, "retention", "set what is kept here:"},
};

static const char *kind_name(uint16_t kind)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].kind == kind) {
            return kinds[i].name;
        }
    }
    return "other";
}

static const char *kind_story(uint16_t kind)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].kind == kind) {
            return kinds[i].story;
        }
    }
    return "did something that this version does not know";
}

static void put_id(struct output *output, const uint8_t *id, size_t size)
{
    char hex[DIGEST_HEX_BYTES];

    hex_encode(id, size, hex);
    (void)fputs(hex, output->data);
}

/* ID SIZE SHA256 NAME. */
static void put_plain_file(struct output *output, const struct sp_file *file)
{
    put_id(output, file->id, sizeof(file->id));
    (void)fprintf(output->data, " %" PRIu64 " ", file->size);
    put_id(output, file->sha256, sizeof(file->sha256));
    (void)fputc(' ', output->data);
    put_escaped(output, file->name, strlen(file->name), false);
}

void put_time(struct output *output, int64_t wall_ms)
{
    char rfc3339[RFC3339_BYTES];
    char local[TIME_TEXT_BYTES];

    if (output->mode == OUTPUT_HUMAN) {
        time_format_exact(wall_ms, local);
        (void)fputs(local, output->data);
    } else {
        clock_format_rfc3339(wall_ms, rfc3339);
        (void)fputs(rfc3339, output->data);
    }
}

void json_file(struct json_out *json, const char *key, const struct sp_file *file)
{
    if (key != NULL) {
        json_object_open(json, key);
    }
    json_hex(json, "id", file->id, sizeof(file->id));
    json_string(json, "name", file->name);
    json_number(json, "size", file->size);
    json_hex(json, "sha256", file->sha256, sizeof(file->sha256));
    if (key != NULL) {
        json_object_close(json);
    }
}

void json_made(struct json_out *json, const char *key, const char *log,
               const struct sp_notice *notice)
{
    json_string(json, key, log);
    json_number(json, "seq", notice->sequence);
    json_time(json, "time", notice->time_ms);
    json_hex(json, "hash", notice->hash, sizeof(notice->hash));
    json_bool(json, "repeated", notice->repeated);
}

/* Whether it is a message of somebody else that mentions the user. */
static bool is_mention(const struct output *output, const struct sp_event *event)
{
    return output->username != NULL && event->kind == SP_EVENT_MESSAGE && !event->erased &&
           strcmp(event->author, output->username) != 0 &&
           mentions_has(event->text, event->text_bytes, output->username);
}

static void show_event_json(struct output *output, const struct sp_event *event)
{
    struct json_out json;

    json_open(&json, output->data, "event");
    json_string(&json, "room", event->log_name);
    json_number(&json, "seq", event->sequence);
    json_time(&json, "time", event->time_ms);
    json_string(&json, "kind", kind_name(event->kind));
    json_number(&json, "kind_number", event->kind);
    json_string(&json, "from", event->author);
    json_hex(&json, "device", event->device, sizeof(event->device));
    json_hex(&json, "client_id", event->client_id, sizeof(event->client_id));
    if (event->erased) {
        json_bool(&json, "erased", true);
    } else if (event->kind == SP_EVENT_FILE) {
        json_file(&json, "file", &event->file);
    } else if (event->kind == SP_EVENT_RETENTION) {
        json_retention(&json, &event->retention);
    } else {
        json_text(&json, "text", event->text, event->text_bytes);
    }
    if (is_mention(output, event)) {
        json_bool(&json, "mention", true);
    }
    json_hex(&json, "log", event->log, sizeof(event->log));
    json_number(&json, "body_bytes", event->body_bytes);
    json_hex(&json, "commitment", event->commitment, sizeof(event->commitment));
    json_hex(&json, "hash", event->hash, sizeof(event->hash));
    json_close(&json);
}

/* TIME ROOM SEQ AUTHOR KIND TEXT: one line, whatever the text holds. */
static void show_event_plain(struct output *output, const struct sp_event *event)
{
    put_time(output, event->time_ms);
    (void)fputc(' ', output->data);
    put_escaped(output, event->log_name, strlen(event->log_name), false);
    (void)fprintf(output->data, " %" PRIu64 " ", event->sequence);
    put_escaped(output, event->author[0] == '\0' ? "-" : event->author,
                event->author[0] == '\0' ? 1 : strlen(event->author), false);
    (void)fprintf(output->data, " %s ", event->erased ? "erased" : kind_name(event->kind));
    if (!event->erased && event->kind == SP_EVENT_FILE) {
        put_plain_file(output, &event->file);
    } else if (!event->erased && event->kind == SP_EVENT_RETENTION) {
        (void)fprintf(output->data, "%" PRIu64 " %" PRIu64, event->retention.seconds,
                      event->retention.events);
    } else if (!event->erased) {
        put_escaped(output, event->text, event->text_bytes, false);
    }
    (void)fputc('\n', output->data);
}

static void put_human_file(struct output *output, const struct sp_file *file)
{
    char size[SIZE_TEXT_BYTES];

    size_format(file->size, size);
    put_escaped(output, file->name, strlen(file->name), false);
    (void)fprintf(output->data, " (%s); sealpost get ", size);
    put_id(output, file->id, SHORT_ID_BYTES);
}

/* Further lines are indented, so that nobody's text looks like somebody else's line. */
static void put_human_text(struct output *output, const char *text, size_t size)
{
    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t line = newline == NULL ? size : (size_t)(newline - text);

        put_escaped(output, text, line, true); /* tabs stay */
        if (newline != NULL) {
            (void)fputs("\n      | ", output->data);
            line++;
        }
        text += line;
        size -= line;
    }
}

static void show_event_human(struct output *output, const struct sp_event *event, bool with_room)
{
    const char *story = kind_story(event->kind);
    char time[TIME_TEXT_BYTES];

    time_format_local(event->time_ms, clock_wall_ms(output->clock), time);
    (void)fprintf(output->data, "%s ", time);
    if (with_room) {
        (void)fputc('#', output->data);
        put_escaped(output, event->log_name, strlen(event->log_name), false);
        (void)fputc(' ', output->data);
    }
    if (is_mention(output, event)) {
        put_strong(output, "!");
        (void)fputc(' ', output->data);
    }
    (void)fputs(story == NULL ? "" : "* ", output->data);
    put_strong(output, event->author[0] == '\0' ? "the server" : event->author);
    (void)fprintf(output->data, "%s %s", story == NULL ? ":" : "", story == NULL ? "" : story);
    if (event->erased) {
        (void)fputs(" (erased)", output->data);
    } else if (event->kind == SP_EVENT_FILE) {
        (void)fputc(' ', output->data);
        put_human_file(output, &event->file);
    } else if (event->kind == SP_EVENT_RETENTION) {
        char rule[RETENTION_TEXT_BYTES];
        retention_format(&event->retention, rule);
        (void)fprintf(output->data, " %s", rule);
    } else if (event->text_bytes > 0) {
        (void)fputs(story == NULL ? "" : " ", output->data);
        put_human_text(output, event->text, event->text_bytes);
    }
    (void)fputc('\n', output->data);
}

void show_event(struct output *output, const struct sp_event *event, bool with_room)
{
    switch (output->mode) {
    case OUTPUT_JSON:
        show_event_json(output, event);
        break;
    case OUTPUT_PLAIN:
        show_event_plain(output, event);
        break;
    case OUTPUT_HUMAN:
        show_event_human(output, event, with_room);
        break;
    }
}
