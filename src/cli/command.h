/*
 * The table of commands: whoever adds one adds a line to command.c and a function to one of the
 * cmd_*.c files.
 */
#ifndef SP_CLI_COMMAND_H
#define SP_CLI_COMMAND_H

#include <stdio.h>

#include "cli/options.h"

struct cli;

/* Does what the command line asks for and returns the exit code; has said on standard error why
 * when that is not 0. */
typedef int (*command_fn)(struct cli *cli);

struct command {
    const char *name;      /* "say", or with its group "room list" */
    const char *arguments; /* as usage shows them; "" for none */
    int min_args;
    int max_args;     /* -1: any number */
    uint64_t options; /* OPTION_BIT() of those that it takes besides the global ones */
    command_fn run;
    const char *summary;
    const char *details; /* what help says besides; "" or lines that end in '\n' */
};

/* NULL: there is none. SECOND is NULL for a command of one word. */
const struct command *command_find(const char *first, const char *second);
bool command_is_group(const char *word);
/* The command number INDEX, from 0; NULL behind the last. */
const struct command *command_at(size_t index);

/* What --help prints: of COMMAND; if that is NULL, of the group; if that is NULL, of the whole. */
void help_print(FILE *file, const struct command *command, const char *group);

int cmd_join(struct cli *cli);
int cmd_chat(struct cli *cli);
int cmd_say(struct cli *cli);
int cmd_log(struct cli *cli);
int cmd_outbox_list(struct cli *cli);
int cmd_outbox_retry(struct cli *cli);
int cmd_outbox_drop(struct cli *cli);
int cmd_room_list(struct cli *cli);
int cmd_room_create(struct cli *cli);
int cmd_room_join(struct cli *cli);
int cmd_room_leave(struct cli *cli);
int cmd_room_members(struct cli *cli);
int cmd_room_read(struct cli *cli);
int cmd_room_topic(struct cli *cli);
int cmd_room_retention(struct cli *cli);
int cmd_room_show_retention(struct cli *cli); /* without a rule */
int cmd_room_show_topic(struct cli *cli);     /* "room topic" without a text */
int cmd_member_list(struct cli *cli);
int cmd_member_invite(struct cli *cli);
int cmd_member_disable(struct cli *cli);
int cmd_member_enable(struct cli *cli);
int cmd_device_list(struct cli *cli);
int cmd_device_add(struct cli *cli);
int cmd_device_revoke(struct cli *cli);
int cmd_send(struct cli *cli);
int cmd_submit(struct cli *cli);
int cmd_get(struct cli *cli);
int cmd_file_list(struct cli *cli);
int cmd_box_create(struct cli *cli);
int cmd_box_list(struct cli *cli);
int cmd_box_show(struct cli *cli);
int cmd_whoami(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_doctor(struct cli *cli);
int cmd_version(struct cli *cli);
int cmd_help(struct cli *cli);

#endif
