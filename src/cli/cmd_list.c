/* Lists: rooms, boxes, members, files, and what is known of one room or box. */
#include <string.h>

#include "cli/keep.h"
#include "cli/show.h"
#include "sealpost/team.h"

enum list_kind { LIST_LOGS, LIST_MEMBERS, LIST_FILES, LIST_DEVICES, LIST_INVITATIONS };

struct list {
    struct cli *cli;
    enum list_kind kind;
    const char *log;         /* of MEMBERS and FILES; may be NULL for members */
    const char *member;      /* of DEVICES; may be NULL */
    enum sp_log_kind wanted; /* of LOGS: only these */
    const char *name;        /* of LOGS: only this one; NULL: all */
    void (*show)(struct output *output, const struct sp_row *row); /* of LOGS; NULL: all of it */
    uint64_t seen;                                                 /* rows of this attempt */
    uint64_t shown; /* rows in all: an attempt that was cut is not shown twice */
    bool found;
    int64_t listed_ms; /* of LOGS as they were kept: when that was … */
    bool dated;        /* … and whether it was said */
};

static void show_topic(struct output *output, const struct sp_row *row)
{
    if (output->mode == OUTPUT_JSON) {
        show_row(output, row);
    } else {
        put_escaped(output, row->topic, strlen(row->topic), false);
        (void)fputc('\n', output->data);
    }
}

static void on_row(void *context, const struct sp_notice *notice)
{
    struct list *list = context;

    if (notice->type != SP_NOTICE_ROW) {
        return;
    }
    if (list->kind == LIST_LOGS &&
        (notice->row.log.kind != list->wanted ||
         (list->name != NULL && strcmp(list->name, notice->row.log.name) != 0))) {
        return;
    }
    list->found = true;
    if (++list->seen <= list->shown) {
        return;
    }
    list->shown = list->seen;
    if (list->show != NULL) {
        list->show(&list->cli->out, &notice->row);
    } else {
        show_row(&list->cli->out, &notice->row);
    }
}

static enum sp_error attempt(struct session *session, void *context, struct sp_notice *notice)
{
    struct list *list = context;
    uint32_t request = 0;
    enum sp_error error = SP_OK;

    list->seen = 0;
    switch (list->kind) {
    case LIST_LOGS:
        error = sp_list_logs(session->client, &request);
        break;
    case LIST_MEMBERS:
        error = sp_list_members(session->client, list->log, &request);
        break;
    case LIST_FILES:
        error = sp_list_files(session->client, list->log, &request);
        break;
    case LIST_DEVICES:
        error = sp_list_devices(session->client, list->member, &request);
        break;
    case LIST_INVITATIONS:
        error = sp_list_invitations(session->client, &request);
        break;
    }
    return error == SP_OK ? session_wait(session, request, false, on_row, list, notice) : error;
}

static int print_list(struct list *list)
{
    struct sp_notice notice;
    const char *subject = list->log != NULL ? list->log : "";
    enum sp_error error = session_retry(&list->cli->session, true, attempt, list, &notice);

    list->cli->session.unknown = false; /* reading changes nothing */
    if (error == SP_OK && list->name != NULL && !list->found) {
        error = SP_ENOTFOUND;
        subject = list->name;
    }
    if (error != SP_OK) {
        return cli_fail(list->cli, error, subject, "cannot list%s%s", subject[0] == '\0' ? "" : " ",
                        subject);
    }
    return 0;
}

static int open_and_list(struct list *list)
{
    int code = cli_open(list->cli);

    return code == 0 ? print_list(list) : code;
}

/* Says from when the rows are, before the first of them. */
static void say_date(struct list *list)
{
    struct output *output = &list->cli->out;
    char time[RFC3339_BYTES];
    struct json_out json;

    if (list->dated || list->listed_ms == 0) {
        return;
    }
    list->dated = true;
    clock_format_rfc3339(list->listed_ms, time);
    say_note(output, "not connected: as of %s", time);
    if (output->mode == OUTPUT_JSON) {
        json_open(&json, output->data, "offline");
        json_time(&json, "as_of", list->listed_ms);
        json_close(&json);
    }
}

static void on_kept_row(void *context, const struct sp_notice *notice)
{
    say_date(context);
    on_row(context, notice);
}

/* The rooms as they were when they were listed last. SP_ENOTFOUND: never. */
static enum sp_error show_kept(struct list *list)
{
    enum sp_error error = SP_ENOTFOUND;

    list->show = show_row_kept;
    if (list->cli->store != NULL) {
        error = sp_store_list_logs(list->cli->store, on_kept_row, list, &list->listed_ms);
    }
    if (error == SP_OK) {
        say_date(list);
    }
    return error == SP_OK && list->listed_ms == 0 ? SP_ENOTFOUND : error;
}

int cmd_room_list(struct cli *cli)
{
    struct list list = {.cli = cli, .kind = LIST_LOGS, .wanted = SP_LOG_ROOM};
    bool offline = option_given(cli->options, OPTION_OFFLINE);
    enum sp_error error = SP_OK;
    enum sp_error shown = SP_ENOTFOUND;
    int code = cli_prepare(cli);

    if (code != 0) {
        return code;
    }
    if (offline) {
        code = keep_open_existing(cli);
    } else {
        keep_open(cli, SP_STORE_CREATE);
    }
    if (code != 0) {
        return code;
    }
    error = offline ? SP_OK : cli_connect(cli);
    if (!offline && error == SP_OK) {
        keep_drain(cli);
        return print_list(&list);
    }
    if (offline || error_is_passing(error)) {
        shown = show_kept(&list);
    }
    if (offline && shown != SP_OK) {
        session_keep_text(&cli->session, "");
        return cli_fail(cli, shown, "", "this device has not listed the rooms yet");
    }
    return shown == SP_OK ? 0 : cli_say_unreachable(cli, error);
}

int cmd_box_list(struct cli *cli)
{
    return open_and_list(&(struct list){.cli = cli, .kind = LIST_LOGS, .wanted = SP_LOG_BOX});
}

/* What SHOW says of the one room that is named. */
static int show_room(struct cli *cli, void (*show)(struct output *output, const struct sp_row *row))
{
    const char *room = cli_log_argument(cli, 0);

    return room == NULL ? EXIT_USAGE
                        : open_and_list(&(struct list){.cli = cli,
                                                       .kind = LIST_LOGS,
                                                       .wanted = SP_LOG_ROOM,
                                                       .name = room,
                                                       .show = show});
}

int cmd_room_show_topic(struct cli *cli)
{
    return show_room(cli, show_topic);
}

int cmd_room_show_retention(struct cli *cli)
{
    return show_room(cli, show_row_retention);
}

int cmd_member_list(struct cli *cli)
{
    int code = open_and_list(&(struct list){.cli = cli, .kind = LIST_MEMBERS});

    /* Who is invited will be one; for those who may invite. */
    return code == 0 && cli->session.role == SP_ROLE_ADMINISTRATOR
               ? print_list(&(struct list){.cli = cli, .kind = LIST_INVITATIONS})
               : code;
}

int cmd_device_list(struct cli *cli)
{
    return open_and_list(&(struct list){
        .cli = cli, .kind = LIST_DEVICES, .member = cli->options->text[OPTION_MEMBER]});
}

int cmd_room_members(struct cli *cli)
{
    const char *room = cli_log_argument(cli, 0);

    return room == NULL
               ? EXIT_USAGE
               : open_and_list(&(struct list){.cli = cli, .kind = LIST_MEMBERS, .log = room});
}

int cmd_file_list(struct cli *cli)
{
    const char *log = cli_log_argument(cli, 0);

    return log == NULL ? EXIT_USAGE
                       : open_and_list(&(struct list){.cli = cli, .kind = LIST_FILES, .log = log});
}

int cmd_box_show(struct cli *cli)
{
    const char *box = cli_log_argument(cli, 0);
    int code = 0;

    if (box == NULL) {
        return EXIT_USAGE;
    }
    code = open_and_list(
        &(struct list){.cli = cli, .kind = LIST_LOGS, .wanted = SP_LOG_BOX, .name = box});
    return code == 0 ? print_list(&(struct list){.cli = cli, .kind = LIST_FILES, .log = box})
                     : code;
}
