/*
 * Events, rows and results as they are printed, in each of the three modes. The names of the JSON
 * members are documented in sealpost(1) and stay as they are. Called by the commands and by chat.
 */
#ifndef SP_CLI_SHOW_H
#define SP_CLI_SHOW_H

#include "cli/json_out.h"
#include "cli/output.h"
#include "sealpost/client.h"

/* WITH_ROOM: people want to know which; plain and JSON always say it. */
void show_event(struct output *output, const struct sp_event *event, bool with_room);

/* A row of a list. */
void show_row(struct output *output, const struct sp_row *row);

/* How far LOG is read, as one JSON object. */
void show_read_state(struct output *output, const struct sp_log *log,
                     const struct sp_read_state *read);
/* The same as members of an object. */
void json_read_state(struct json_out *json, const struct sp_read_state *read);

/* What the room of ROW keeps, and nothing else of it. */
/* A room or box as the store has it. */
void show_row_kept(struct output *output, const struct sp_row *row);
void show_row_retention(struct output *output, const struct sp_row *row);

/* A rule as people read it: "30 days, and 1000 events". */
#define RETENTION_TEXT_BYTES 80
void retention_format(const struct sp_retention *retention, char out[RETENTION_TEXT_BYTES]);
void json_retention(struct json_out *json, const struct sp_retention *retention);

/* "file":{...} of an object, or the members alone. */
void json_file(struct json_out *json, const char *key, const struct sp_file *file);

/* What an action came to, as one JSON object: TYPE, room or box, seq, time, hash, repeated. */
void json_made(struct json_out *json, const char *key, const char *log,
               const struct sp_notice *notice);

/* A time, as the mode has it: exact. */
void put_time(struct output *output, int64_t wall_ms);

#endif
