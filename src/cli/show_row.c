/* Rows of lists: rooms, boxes, members, files. */
#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "cli/show.h"
#include "cli/show_team.h"
#include "cli/time_text.h"

#define SHORT_ID_BYTES 6
#define UNREAD_TEXT_BYTES 40
#define SAFE_BYTES (4 * LIMIT_LOG_NAME_BYTES + 1)

/* NAME, from the server, escaped for a column. */
static const char *safe(const char *name, char out[SAFE_BYTES])
{
    (void)escape_for_terminal(name, strlen(name), false, out, SAFE_BYTES);
    return out;
}

static const char *log_type(const struct sp_log *log)
{
    switch (log->kind) {
    case SP_LOG_BOX:
        return "box";
    case SP_LOG_SUBMISSION:
        return "submission";
    case SP_LOG_ROOM:
    default:
        return "room";
    }
}

/* Whether we are in the room or own the box, as people and as scripts read it. */
static const char *log_relation(const struct sp_row *row, bool for_people)
{
    if (!row->joined) {
        return for_people ? "" : "-";
    }
    return row->log.kind == SP_LOG_BOX ? "owner" : "joined";
}

void json_read_state(struct json_out *json, const struct sp_read_state *read)
{
    json_number(json, "read", read->sequence);
    json_number(json, "unread", read->unread);
    json_number(json, "mentions", read->mentions);
}

void show_read_state(struct output *output, const struct sp_log *log,
                     const struct sp_read_state *read)
{
    struct json_out json;

    json_open(&json, output->data, "read");
    json_string(&json, "room", log->name);
    json_read_state(&json, read);
    json_number(&json, "seq", log->head_sequence);
    json_close(&json);
}

/* "12 new @3", for people; "" when all is read. */
static const char *unread_text(const struct sp_read_state *read, char out[UNREAD_TEXT_BYTES])
{
    int used = 0;

    out[0] = '\0';
    if (read->unread > 0) {
        used = snprintf(out, UNREAD_TEXT_BYTES, "%" PRIu64 " new", read->unread);
    }
    if (read->mentions > 0) {
        (void)snprintf(out + used, UNREAD_TEXT_BYTES - (size_t)used, " @%" PRIu32, read->mentions);
    }
    return out;
}

void json_retention(struct json_out *json, const struct sp_retention *retention)
{
    json_number(json, "keep_seconds", retention->seconds);
    json_number(json, "keep_events", retention->events);
}

void retention_format(const struct sp_retention *retention, char out[RETENTION_TEXT_BYTES])
{
    static const struct {
        const char *name;
        uint64_t seconds;
    } units[] = {{"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
    size_t unit = 0;
    int used = 0;

    if (retention->seconds == 0 && retention->events == 0) {
        (void)snprintf(out, RETENTION_TEXT_BYTES, "everything");
        return;
    }
    while (retention->seconds % units[unit].seconds != 0) {
        unit++;
    }
    uint64_t count = retention->seconds / units[unit].seconds;
    if (retention->seconds > 0) {
        used = snprintf(out, RETENTION_TEXT_BYTES, "%" PRIu64 " %s%s", count, units[unit].name,
                        count == 1 ? "" : "s");
    }
    if (retention->events > 0) {
        (void)snprintf(out + used, RETENTION_TEXT_BYTES - (size_t)used, "%s%" PRIu64 " event%s",
                       used > 0 ? ", at most " : "", retention->events,
                       retention->events == 1 ? "" : "s");
    }
}

void show_row_retention(struct output *output, const struct sp_row *row)
{
    char text[RETENTION_TEXT_BYTES];

    if (output->mode == OUTPUT_JSON) {
        show_row(output, row);
    } else if (output->mode == OUTPUT_PLAIN) { /* SECONDS EVENTS */
        (void)fprintf(output->data, "%" PRIu64 " %" PRIu64 "\n", row->retention.seconds,
                      row->retention.events);
    } else {
        retention_format(&row->retention, text);
        (void)fprintf(output->data, "%s\n", text);
    }
}

/* KEPT: as it was listed last; what is unread only the server knows. */
static void show_log(struct output *output, const struct sp_row *row, bool kept)
{
    struct json_out json;
    char name[SAFE_BYTES];
    char unread[UNREAD_TEXT_BYTES];

    switch (output->mode) {
    case OUTPUT_JSON:
        json_open(&json, output->data, log_type(&row->log));
        json_string(&json, "name", row->log.name);
        json_hex(&json, "id", row->log.id, sizeof(row->log.id));
        json_number(&json, "members", row->members);
        json_bool(&json, row->log.kind == SP_LOG_BOX ? "owner" : "joined", row->joined);
        json_number(&json, "seq", row->log.head_sequence);
        json_hex(&json, "hash", row->log.head, sizeof(row->log.head));
        json_string(&json, "topic", row->topic);
        if (row->log.kind == SP_LOG_ROOM) {
            if (!kept) {
                json_read_state(&json, &row->read);
            }
            json_retention(&json, &row->retention);
        }
        json_close(&json);
        return;
    case OUTPUT_PLAIN: /* NAME RELATION MEMBERS SEQ UNREAD MENTIONS TOPIC */
        (void)fprintf(output->data, "%s %s %" PRIu32 " %" PRIu64 " ", safe(row->log.name, name),
                      log_relation(row, false), row->members, row->log.head_sequence);
        if (kept) {
            (void)fputs("- - ", output->data);
        } else {
            (void)fprintf(output->data, "%" PRIu64 " %" PRIu32 " ", row->read.unread,
                          row->read.mentions);
        }
        break;
    case OUTPUT_HUMAN:
        (void)fprintf(output->data, "%-24s %-7s %5" PRIu32 " member%s  %-11s ",
                      safe(row->log.name, name), log_relation(row, true), row->members,
                      row->members == 1 ? " " : "s", unread_text(&row->read, unread));
        break;
    }
    put_escaped(output, row->topic, strlen(row->topic), false);
    (void)fputc('\n', output->data);
}

void show_row_kept(struct output *output, const struct sp_row *row)
{
    show_log(output, row, true);
}

static void show_member(struct output *output, const struct sp_row *row)
{
    struct json_out json;
    char name[SAFE_BYTES];
    char time[TIME_TEXT_BYTES] = "";

    switch (output->mode) {
    case OUTPUT_JSON:
        json_open(&json, output->data, "member");
        json_string(&json, "name", row->username);
        json_bool(&json, "owner", row->owner);
        json_bool(&json, "online", row->online);
        json_string(&json, "role", role_text(row->role));
        json_bool(&json, "disabled", row->disabled);
        if (row->last_seen_ms > 0) {
            json_time(&json, "last_seen", row->last_seen_ms);
        }
        json_close(&json);
        break;
    case OUTPUT_PLAIN: /* NAME online|offline owner|- ROLE disabled|- LAST-SEEN|- */
        (void)fprintf(output->data, "%s %s %s %s %s ", safe(row->username, name),
                      row->online ? "online" : "offline", row->owner ? "owner" : "-",
                      role_text(row->role), row->disabled ? "disabled" : "-");
        if (row->last_seen_ms > 0) {
            put_time(output, row->last_seen_ms);
        } else {
            (void)fputc('-', output->data);
        }
        (void)fputc('\n', output->data);
        break;
    case OUTPUT_HUMAN:
        if (row->last_seen_ms > 0) {
            time_format_local(row->last_seen_ms, clock_wall_ms(output->clock), time);
        }
        (void)fprintf(output->data, "%-24s %-7s%s%s%s%s%s\n", safe(row->username, name),
                      row->online ? "online" : "", row->owner ? " owner" : "",
                      row->role == SP_ROLE_ADMINISTRATOR ? " administrator" : "",
                      row->disabled ? " disabled" : "", time[0] != '\0' ? " last seen " : "", time);
        break;
    }
}

static void show_file_human(struct output *output, const struct sp_file *file)
{
    char id[ID_HEX_BYTES];
    char member[SAFE_BYTES];
    char time[TIME_TEXT_BYTES];
    char size[SIZE_TEXT_BYTES];

    hex_encode(file->id, SHORT_ID_BYTES, id);
    time_format_local(file->time_ms, clock_wall_ms(output->clock), time);
    size_format(file->size, size);
    (void)fprintf(output->data, "%s  %16s  %-16s %10s  ", id, time, safe(file->member, member),
                  size);
    put_escaped(output, file->name, strlen(file->name), false);
    (void)fputc('\n', output->data);
}

static void show_file(struct output *output, const struct sp_file *file)
{
    struct json_out json;
    char id[ID_HEX_BYTES];
    char sha256[DIGEST_HEX_BYTES];
    char member[SAFE_BYTES];

    switch (output->mode) {
    case OUTPUT_JSON:
        json_open(&json, output->data, "file");
        json_file(&json, NULL, file);
        json_string(&json, "room", file->log_name);
        json_number(&json, "seq", file->sequence);
        json_time(&json, "time", file->time_ms);
        json_string(&json, "from", file->member);
        json_close(&json);
        break;
    case OUTPUT_PLAIN: /* ID TIME MEMBER SEQ SIZE SHA256 NAME */
        hex_encode(file->id, sizeof(file->id), id);
        hex_encode(file->sha256, sizeof(file->sha256), sha256);
        (void)fprintf(output->data, "%s ", id);
        put_time(output, file->time_ms);
        (void)fprintf(output->data, " %s %" PRIu64 " %" PRIu64 " %s ", safe(file->member, member),
                      file->sequence, file->size, sha256);
        put_escaped(output, file->name, strlen(file->name), false);
        (void)fputc('\n', output->data);
        break;
    case OUTPUT_HUMAN:
        show_file_human(output, file);
        break;
    }
}

void show_row(struct output *output, const struct sp_row *row)
{
    switch (row->type) {
    case SP_ROW_LOG:
        show_log(output, row, false);
        break;
    case SP_ROW_MEMBER:
        show_member(output, row);
        break;
    case SP_ROW_FILE:
        show_file(output, &row->file);
        break;
    case SP_ROW_DEVICE:
        show_device(output, &row->device);
        break;
    case SP_ROW_INVITATION:
        show_invitation(output, &row->invitation);
        break;
    }
}
