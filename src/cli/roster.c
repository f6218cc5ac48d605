#include "cli/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/name.h"

#define FIELDS 3
#define FIELD_BYTES 2048
#define SHOWN_BYTES 80

enum { FIELD_NAME, FIELD_ROLE, FIELD_ROOMS };

/* One line, taken apart. */
struct record {
    char fields[FIELDS][FIELD_BYTES];
    unsigned count;
};

struct parser {
    const char *name;
    const char *at;
    const char *end;
    unsigned line;
    char *message;
    size_t capacity;
};

static enum sp_error refuse(const struct parser *parser, const char *word, const char *why)
{
    char shown[SHOWN_BYTES];

    (void)escape_for_terminal(word, strlen(word), false, shown, sizeof shown);
    (void)snprintf(parser->message, parser->capacity, "%s:%u: %s%s%s%s", parser->name, parser->line,
                   word[0] == '\0' ? "" : "'", shown, word[0] == '\0' ? "" : "' ", why);
    return SP_EINVALID;
}

bool roster_role(const char *text, bool *administrator)
{
    *administrator = strcmp(text, "administrator") == 0 || strcmp(text, "admin") == 0;
    return *administrator || strcmp(text, "member") == 0;
}

enum sp_error roster_add_logs(struct roster_row *row, const char *text, char *reason,
                              size_t capacity)
{
    for (const char *at = text + strspn(text, " ;,"); *at != '\0'; at += strspn(at, " ;,")) {
        at += *at == '#' ? 1 : 0;
        size_t size = strcspn(at, " ;,");

        if (name_check_log(at, size) != SP_OK) {
            (void)snprintf(reason, capacity, "is not a list of names of rooms and boxes");
            return SP_EINVALID;
        }
        if (row->log_count == LIMIT_INVITATION_LOGS) {
            (void)snprintf(reason, capacity, "are more than %d rooms and boxes",
                           LIMIT_INVITATION_LOGS);
            return SP_EINVALID;
        }
        memcpy(row->logs[row->log_count], at, size);
        row->logs[row->log_count++][size] = '\0';
        at += size;
    }
    return SP_OK;
}

static char *trim(char *text)
{
    size_t size = 0;

    text += strspn(text, " \t");
    size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t')) {
        text[--size] = '\0';
    }
    return text;
}

/* One field into OUT; AT then stands on what ends it. False: it is malformed or too long. */
static bool take_field(struct parser *parser, char out[FIELD_BYTES])
{
    size_t size = 0;
    bool quoted = parser->at < parser->end && *parser->at == '"';

    parser->at += quoted ? 1 : 0;
    while (parser->at < parser->end) {
        char c = *parser->at;

        if (quoted && c == '"') {
            parser->at++;
            if (parser->at == parser->end || *parser->at != '"') {
                quoted = false;
                break;
            }
        } else if (c == '\n' || c == '\r' || (!quoted && c == ',')) {
            break;
        }
        if (size + 1 >= FIELD_BYTES || c == '\0') {
            return false;
        }
        out[size++] = c;
        parser->at++;
    }
    out[size] = '\0';
    return !quoted; /* and what follows it is for the caller to look at */
}

/* The next line; false at the end. */
static bool take_record(struct parser *parser, struct record *record, enum sp_error *error)
{
    record->count = 0;
    parser->line++;
    *error = SP_OK;
    if (parser->at == parser->end) {
        return false;
    }
    for (;;) {
        char spare[FIELD_BYTES];
        char *field = record->count < FIELDS ? record->fields[record->count] : spare;

        if (!take_field(parser, field)) {
            *error = refuse(parser, "", "has a field that is malformed or too long");
            return false;
        }
        if (record->count >= FIELDS && trim(field)[0] != '\0') {
            *error = refuse(parser, "", "has more fields than name, role and rooms");
            return false;
        }
        record->count++;
        if (parser->at == parser->end || *parser->at != ',') {
            break;
        }
        parser->at++;
    }
    if (parser->at < parser->end && *parser->at == '\r') {
        parser->at++;
    }
    if (parser->at < parser->end && *parser->at++ != '\n') {
        *error = refuse(parser, "", "has something behind a quoted field");
        return false;
    }
    return true;
}

static bool is_there(const struct roster *roster, const char *username)
{
    for (size_t i = 0; i < roster->count; i++) {
        if (strcmp(roster->rows[i].username, username) == 0) {
            return true;
        }
    }
    return false;
}

static enum sp_error fill_row(struct parser *parser, struct record *record,
                              const struct roster *roster, struct roster_row *row)
{
    const char *name = trim(record->fields[FIELD_NAME]);
    const char *role = record->count > FIELD_ROLE ? trim(record->fields[FIELD_ROLE]) : "";
    const char *rooms = record->count > FIELD_ROOMS ? record->fields[FIELD_ROOMS] : "";
    char reason[ROSTER_MESSAGE_BYTES];

    if (name_check_username(name, strlen(name)) != SP_OK) {
        return refuse(parser, name,
                      "is not a name: a-z, 0-9, '.', '_' and '-', 32 at most, beginning with a "
                      "letter or digit");
    }
    if (is_there(roster, name)) {
        return refuse(parser, name, "stands there twice");
    }
    if (role[0] != '\0' && !roster_role(role, &row->administrator)) {
        return refuse(parser, role, "is no role: member or administrator");
    }
    if (roster_add_logs(row, rooms, reason, sizeof reason) != SP_OK) {
        return refuse(parser, rooms, reason);
    }
    row->line = parser->line;
    memcpy(row->username, name, strlen(name) + 1);
    return SP_OK;
}

static enum sp_error add_row(struct parser *parser, struct record *record, struct roster *roster)
{
    struct roster_row *rows = NULL;
    struct roster_row row = {0};
    enum sp_error error = fill_row(parser, record, roster, &row);

    if (error == SP_OK && roster->count == LIMIT_ROSTER_ROWS) {
        error = refuse(parser, row.username, "is one too many for one file");
    }
    if (error != SP_OK) {
        return error;
    }
    rows = reallocarray(roster->rows, roster->count + 1, sizeof *rows);
    if (rows == NULL) {
        (void)snprintf(parser->message, parser->capacity, "out of memory");
        return SP_ENOMEM;
    }
    roster->rows = rows;
    roster->rows[roster->count++] = row;
    return SP_OK;
}

static bool is_passed_over(const struct record *record, unsigned line)
{
    const char *name = record->fields[FIELD_NAME];
    bool empty = record->count == 1 && name[strspn(name, " \t")] == '\0';
    bool header = line == 1 && strcmp(name, "name") == 0 && record->count > 1;

    return empty || header || name[0] == '#';
}

enum sp_error roster_parse(const char *name, const char *text, size_t size, struct roster *out,
                           char *message, size_t capacity)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some programs begin UTF-8 with it */
    struct parser parser = {
        .name = name, .at = text, .end = text + size, .message = message, .capacity = capacity};
    struct record record;
    enum sp_error error = SP_OK;

    *out = (struct roster){0};
    message[0] = '\0';
    if (size >= 3 && memcmp(text, mark, 3) == 0) {
        parser.at += 3;
    }
    while (error == SP_OK && take_record(&parser, &record, &error)) {
        if (!is_passed_over(&record, parser.line)) {
            error = add_row(&parser, &record, out);
        }
    }
    if (error != SP_OK) {
        roster_deinit(out);
    }
    return error;
}

void roster_deinit(struct roster *roster)
{
    free(roster->rows);
    *roster = (struct roster){0};
}
