/* Rooms, boxes and members: making, joining, leaving, topics. Lists are in cmd_list.c. */
#include <string.h>

#include "base/name.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/show.h"

/* What each of them is called when it is done, and when it is not. */
static const struct {
    const char *type; /* in JSON */
    const char *key;  /* likewise: of the name */
    const char *done; /* for people; the name follows */
    const char *failed;
} words[] = {
    [ACTION_ROOM_CREATE] = {"created", "room", "made the room", "cannot make the room"},
    [ACTION_BOX_CREATE] = {"created", "box", "made the box", "cannot make the box"},
    [ACTION_JOIN] = {"joined", "room", "you are in", "cannot come into"},
    [ACTION_LEAVE] = {"left", "room", "you have left", "cannot leave"},
    [ACTION_TOPIC] = {"topic", "room", "set the topic of", "cannot set the topic of"},
    [ACTION_RETENTION] = {"retention", "room", "set what is kept of", "cannot set what is kept of"},
};

int room_act(struct cli *cli, struct action *action)
{
    struct sp_notice notice;
    enum sp_error error = SP_OK;
    int code = 0;

    action->log = cli_log_argument(cli, 0);
    code = action->log == NULL ? EXIT_USAGE : cli_open(cli);
    if (code != 0) {
        return code;
    }
    sp_once_new(&action->once);
    error = session_perform(&cli->session, action, NULL, NULL, &notice);
    if (error != SP_OK) {
        return cli_fail(cli, error, action->log, "%s %s", words[action->kind].failed, action->log);
    }
    if (cli->out.mode == OUTPUT_JSON) {
        struct json_out json;

        json_open(&json, cli->out.data, words[action->kind].type);
        json_made(&json, words[action->kind].key, action->log, &notice);
        json_close(&json);
    } else {
        say_note(&cli->out, "%s %s", words[action->kind].done, action->log);
    }
    return 0;
}

int cmd_room_create(struct cli *cli)
{
    return room_act(cli, &(struct action){.kind = ACTION_ROOM_CREATE});
}

int cmd_box_create(struct cli *cli)
{
    return room_act(cli, &(struct action){.kind = ACTION_BOX_CREATE});
}

int cmd_room_join(struct cli *cli)
{
    return room_act(cli, &(struct action){.kind = ACTION_JOIN});
}

int cmd_room_leave(struct cli *cli)
{
    return room_act(cli, &(struct action){.kind = ACTION_LEAVE});
}

int cmd_room_topic(struct cli *cli)
{
    const char *topic = cli_argument(cli, 1);
    struct action action = {.kind = ACTION_TOPIC, .text = topic};

    if (topic == NULL) {
        return cmd_room_show_topic(cli);
    }
    action.size = strlen(topic);
    if (action.size > LIMIT_TOPIC_BYTES || name_check_text(topic, action.size) != SP_OK) {
        return cli_usage(cli, "a topic is valid UTF-8 of at most %d bytes", LIMIT_TOPIC_BYTES);
    }
    return room_act(cli, &action);
}
