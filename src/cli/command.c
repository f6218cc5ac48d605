#include "cli/command.h"

#include <string.h>

#define ANY (-1)

static const struct command commands[] = {
    {"join", "[CODE]", 0, 1,
     OPTION_BIT(OPTION_DEVICE) | OPTION_BIT(OPTION_SEAL) | OPTION_BIT(OPTION_FORCE), cmd_join,
     "come into a team with a join code",
     "The code is asked for, or read from standard input. The private key is made here and stays\n"
     "here. Afterwards everything else just works; with --profile, beside other teams.\n"},
    {"chat", "[ROOM]", 0, 1, OPTION_BIT(OPTION_LINES) | OPTION_BIT(OPTION_COMMANDS), cmd_chat,
     "talk in a room, live",
     "What you type is posted, line by line. Lines that start with '/' are commands; /help lists\n"
     "them. '//text' posts '/text'. From a pipe or a file, every line that is not blank is posted\n"
     "as it is, unless --commands is given. Without ROOM, all the rooms that you are in are "
     "shown.\n"
     "With --json, events come out and commands go in as one JSON object a line: sealpost(1).\n"},
    {"say", "ROOM [TEXT|-]", 1, 2, 0, cmd_say, "post a message",
     "Without TEXT, or with '-', the message is read from standard input. It is kept in the\n"
     "outbox first; when the server cannot be reached it stays there, and the exit code is 75.\n"},
    {"log", "ROOM", 1, 1,
     OPTION_BIT(OPTION_LINES) | OPTION_BIT(OPTION_AFTER) | OPTION_BIT(OPTION_SINCE) |
         OPTION_BIT(OPTION_FOLLOW) | OPTION_BIT(OPTION_BEFORE) | OPTION_BIT(OPTION_AROUND) |
         OPTION_BIT(OPTION_ALL) | OPTION_BIT(OPTION_UNREAD) | OPTION_BIT(OPTION_OFFLINE) |
         OPTION_BIT(OPTION_ACCEPT_HISTORY),
     cmd_log, "show what was said in a room or a box",
     "The last 50 events if nothing else is asked for. With --after or --since, -n counts from\n"
     "there. With --before or --around, -n says how many (50). --json --all exports the room:\n"
     "sealpost(1) says what each line holds. Without a connection, what this device has seen is\n"
     "shown, and that is said. A log whose history is not the one that was seen is refused (8)\n"
     "until --accept-history: then the server's is taken, and what was seen and is not in it is\n"
     "forgotten here, but for your own messages, which go into the outbox, held.\n"},
    {"outbox list", "", 0, 0, 0, cmd_outbox_list, "list what waits to be sent", ""},
    {"outbox retry", "[N...]", 0, ANY, OPTION_BIT(OPTION_ALL), cmd_outbox_retry,
     "send what waits now",
     "With N..., also those that are held, by their numbers; with --all, all of them. The exit\n"
     "code is 0 when nothing waits any more, 75 when the server cannot be reached.\n"},
    {"outbox drop", "[N...]", 0, ANY, OPTION_BIT(OPTION_ALL), cmd_outbox_drop,
     "forget what waits to be sent",
     "By numbers, or --all. One that was attempted before may be on the server all the same.\n"},
    {"room list", "", 0, 0, OPTION_BIT(OPTION_OFFLINE), cmd_room_list, "list the rooms",
     "Without a connection, as they were when this device listed them last.\n"},
    {"room create", "ROOM", 1, 1, 0, cmd_room_create, "make a room", ""},
    {"room join", "ROOM", 1, 1, 0, cmd_room_join, "come into a room", ""},
    {"room leave", "ROOM", 1, 1, 0, cmd_room_leave, "leave a room", ""},
    {"room members", "ROOM", 1, 1, 0, cmd_room_members, "list who is in a room", ""},
    {"room read", "ROOM [SEQ]", 1, 2, 0, cmd_room_read, "mark a room as read",
     "Up to the event with number SEQ, or all of it; on all your devices, and never back.\n"},
    {"room retention", "ROOM ...", 1, 3, 0, cmd_room_retention,
     "show or set how long a room keeps what was said",
     "Behind ROOM, to set it: AGE, COUNT, both, or 'off', which keeps everything. AGE is a number\n"
     "with s, m, h or d: messages and files that are older are erased. COUNT: those that are\n"
     "further back than that many events. What was erased is gone, from the server's disk too; "
     "who\n"
     "wrote when, and the chain, remain. Owners and administrators only.\n"},
    {"room topic", "ROOM [TEXT]", 1, 2, 0, cmd_room_topic, "show or set a room's topic", ""},
    {"member list", "", 0, 0, 0, cmd_member_list, "list the members of the team",
     "Administrators also see who is shut out, and who is invited and has not come yet.\n"},
    {"member invite", "[NAME...]", 0, ANY,
     OPTION_BIT(OPTION_ROLE) | OPTION_BIT(OPTION_ROOMS) | OPTION_BIT(OPTION_DAYS) |
         OPTION_BIT(OPTION_RENEW) | OPTION_BIT(OPTION_FROM) | OPTION_BIT(OPTION_CSV) |
         OPTION_BIT(OPTION_FILES),
     cmd_member_invite, "make join codes for new members",
     "Each code works once, for that name only; give it to its person by a way that you trust.\n"
     "Instead of NAME..., --from FILE: it has lines 'name,role,rooms' (role and rooms may be "
     "missing; rooms with spaces or ';'\n"
     "between them) and can be run again: who is in or invited already is left as they are,\n"
     "unless --renew is given.\n"},
    {"member disable", "NAME", 1, 1, 0, cmd_member_disable, "shut a member out, with every device",
     "Sessions end within a second. The name is never given to anybody else. Of somebody who is\n"
     "only invited, the code is void.\n"},
    {"member enable", "NAME", 1, 1, 0, cmd_member_enable, "let a member in again", ""},
    {"device list", "", 0, 0, OPTION_BIT(OPTION_MEMBER), cmd_device_list,
     "list what you log in from",
     "Administrators may list others' devices: --member NAME, or '*'.\n"},
    {"device add", "", 0, 0,
     OPTION_BIT(OPTION_MEMBER) | OPTION_BIT(OPTION_DAYS) | OPTION_BIT(OPTION_RENEW), cmd_device_add,
     "make a join code for another device of yours",
     "Type 'sealpost join' there. Administrators may make one for another member, who has lost\n"
     "all devices: --member NAME.\n"},
    {"device revoke", "DEVICE", 1, 1, OPTION_BIT(OPTION_MEMBER) | OPTION_BIT(OPTION_FORCE),
     cmd_device_revoke, "shut a device out, for ever",
     "Its sessions end within a second. A device is named by its label, or by the first 6 digits\n"
     "or more of its fingerprint.\n"},
    {"send", "ROOM PATH...|-", 2, ANY, OPTION_BIT(OPTION_NAME) | OPTION_BIT(OPTION_QUEUE), cmd_send,
     "send files to a room",
     "Success means: the server has every byte, verified, on its disk. '-' is standard input and\n"
     "needs --name.\n"},
    {"submit", "BOX PATH...|-", 2, ANY, OPTION_BIT(OPTION_NAME) | OPTION_BIT(OPTION_QUEUE),
     cmd_submit, "submit files to a box",
     "Success means: the server has every byte, verified, on its disk. Whatever is not there is\n"
     "called NOT SUBMITTED; nothing is kept for later, unless --queue is given: then the outbox\n"
     "keeps the path, size and SHA-256, not the bytes (exit code 75), and sends the file if it is\n"
     "still the same. '-' is standard input and needs --name.\n"},
    {"get", "ID", 1, 1, OPTION_BIT(OPTION_OUTPUT) | OPTION_BIT(OPTION_FORCE), cmd_get, "get a file",
     "ID is the file's id, or its first 6 digits or more. The file gets its own name, in the\n"
     "current directory, and only when its SHA-256 is right; nothing is overwritten without\n"
     "--force. What goes to standard output ('-o -') is to be trusted only if the exit code is "
     "0.\n"},
    {"file list", "ROOM|BOX", 1, 1, 0, cmd_file_list, "list the files of a room or a box", ""},
    {"box create", "BOX", 1, 1, 0, cmd_box_create, "make a submission box", ""},
    {"box list", "", 0, 0, 0, cmd_box_list, "list the boxes", ""},
    {"box show", "BOX", 1, 1, 0, cmd_box_show, "show a box and what was submitted",
     "The owner of the box sees all submissions, everybody else their own.\n"},
    {"whoami", "", 0, 0, 0, cmd_whoami, "show who you are to the server", ""},
    {"status", "", 0, 0, 0, cmd_status, "show how the server is doing", ""},
    {"doctor", "", 0, 0, 0, cmd_doctor, "look at everything between you and a login",
     "Says of each thing on the way whether it is good, and what to do if not. The exit code is\n"
     "that of the first error.\n"},
    {"version", "", 0, 0, 0, cmd_version, "show the version", ""},
    {"help", "[COMMAND]", 0, 2, 0, cmd_help, "show help", ""},
};

const struct command *command_at(size_t index)
{
    return index < COUNT_OF(commands) ? &commands[index] : NULL;
}

/* Whether NAME is "FIRST SECOND". */
static bool is_named(const char *name, const char *first, const char *second)
{
    size_t size = strlen(first);

    if (strncmp(name, first, size) != 0) {
        return false;
    }
    if (second == NULL) {
        return name[size] == '\0';
    }
    return name[size] == ' ' && strcmp(name + size + 1, second) == 0;
}

const struct command *command_find(const char *first, const char *second)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strchr(first, ' ') == NULL && is_named(commands[i].name, first, second)) {
            return &commands[i];
        }
    }
    return NULL;
}

bool command_is_group(const char *word)
{
    size_t size = strlen(word);

    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (size > 0 && strchr(word, ' ') == NULL && strncmp(commands[i].name, word, size) == 0 &&
            commands[i].name[size] == ' ') {
            return true;
        }
    }
    return false;
}
