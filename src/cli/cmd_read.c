/* How far a room is read: sealpost room read, and where sealpost log --unread begins. */
#include <inttypes.h>
#include <string.h>

#include "base/config.h"
#include "cli/cli.h"
#include "cli/show.h"

int cmd_room_read(struct cli *cli)
{
    const char *room = cli_log_argument(cli, 0);
    const char *text = cli_argument(cli, 1);
    struct action action = {.kind = ACTION_READ, .log = room, .sequence = LIMIT_SEQUENCE};
    struct sp_notice notice;
    int code = 0;

    if (room == NULL) {
        return EXIT_USAGE;
    }
    if (text != NULL && config_parse_u64(text, 0, LIMIT_SEQUENCE, &action.sequence) != SP_OK) {
        return cli_usage(cli, "behind the room stands a sequence number");
    }
    code = cli_open(cli);
    if (code != 0) {
        return code;
    }
    enum sp_error error = session_perform(&cli->session, &action, NULL, NULL, &notice);
    if (error != SP_OK) {
        return cli_fail(cli, error, room, "cannot mark %s as read", room);
    }
    if (cli->out.mode == OUTPUT_JSON) {
        show_read_state(&cli->out, &notice.log, &notice.read);
    } else if (notice.read.unread == 0) {
        say_note(&cli->out, "nothing is unread in %s", room);
    } else {
        say_note(&cli->out, "%" PRIu64 " unread in %s", notice.read.unread, room);
    }
    return 0;
}

struct search {
    const char *room;
    uint64_t marker;
    bool found;
    bool joined;
};

static void on_row(void *context, const struct sp_notice *notice)
{
    struct search *search = context;

    if (notice->type == SP_NOTICE_ROW && notice->row.log.kind == SP_LOG_ROOM &&
        strcmp(notice->row.log.name, search->room) == 0) {
        search->found = true;
        search->joined = notice->row.joined;
        search->marker = notice->row.read.sequence;
    }
}

static enum sp_error attempt(struct session *session, void *context, struct sp_notice *notice)
{
    uint32_t request = 0;
    enum sp_error error = sp_list_logs(session->client, &request);

    return error == SP_OK ? session_wait(session, request, false, on_row, context, notice) : error;
}

int cli_find_marker(struct cli *cli, const char *room, uint64_t *marker)
{
    struct search search = {.room = room};
    struct sp_notice notice;
    enum sp_error error = session_retry(&cli->session, true, attempt, &search, &notice);

    cli->session.unknown = false; /* reading changes nothing */
    *marker = search.marker;
    if (error == SP_OK && !search.joined) {
        error = search.found ? SP_ENOTJOINED : SP_ENOTFOUND;
    }
    return error == SP_OK ? 0 : cli_fail(cli, error, room, "cannot read %s", room);
}
