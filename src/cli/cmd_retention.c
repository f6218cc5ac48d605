/* sealpost room retention: how long a room keeps its messages and files. */
#include <string.h>

#include "base/config.h"
#include "cli/cli.h"

/* "30d": seconds. SP_EINVALID if it is no such thing. */
static enum sp_error parse_age(const char *text, uint64_t *seconds)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char digits[24] = "";
    size_t size = strlen(text);

    if (size < 2 || size > sizeof digits) {
        return SP_EINVALID;
    }
    memcpy(digits, text, size - 1);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (text[size - 1] == units[i].letter &&
            config_parse_u64(digits, 1, LIMIT_KEEP_SECONDS / units[i].seconds, seconds) == SP_OK) {
            *seconds *= units[i].seconds;
            return SP_OK;
        }
    }
    return SP_EINVALID;
}

/* One of the arguments behind the room. */
static enum sp_error parse_rule(const char *text, struct sp_retention *out)
{
    if (out->seconds == 0 && parse_age(text, &out->seconds) == SP_OK) {
        return SP_OK;
    }
    return out->events == 0 ? config_parse_u64(text, 1, LIMIT_SEQUENCE, &out->events) : SP_EINVALID;
}

int cmd_room_retention(struct cli *cli)
{
    struct action action = {.kind = ACTION_RETENTION};
    const char *first = cli_argument(cli, 1);
    const char *second = cli_argument(cli, 2);

    if (first == NULL) {
        return cmd_room_show_retention(cli);
    }
    if (strcmp(first, "off") == 0 && second == NULL) {
        return room_act(cli, &action);
    }
    if (parse_rule(first, &action.retention) != SP_OK) {
        return cli_usage(cli, "'%s' is neither an age, such as 30d, nor a number of events", first);
    }
    if (second != NULL && parse_rule(second, &action.retention) != SP_OK) {
        return cli_usage(cli, "'%s' is neither an age, such as 30d, nor a number of events",
                         second);
    }
    return room_act(cli, &action);
}
