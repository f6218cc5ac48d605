/*
 * What the commands of sealpostd share: main.c has their table, each reads its own arguments (those
 * behind its name), and its exit code is the program's.
 */
#ifndef SP_SERVER_COMMAND_H
#define SP_SERVER_COMMAND_H

#include "base/base.h"
#include "server/settings.h"

#define EXIT_USAGE 2

/* Says "sealpostd: error: MESSAGE" on standard error; returns the exit code of ERROR. */
int command_fail(enum sp_error error, const char *message);

/* Whether "--help" or "-h" is among the arguments. */
bool command_wants_help(int argc, char **argv);

/*
 * Takes what says where the settings are off the arguments: DIR (then it is DIR/sealpost.conf),
 * "--config FILE" or "--config=FILE"; it stands in front. What is left in OUT are flags, which
 * override the file. OUT borrows from ARGV, but for what settings_source_deinit() frees.
 * SP_EINVALID with a sentence in MESSAGE.
 */
SP_CHECK enum sp_error command_take_source(int argc, char **argv, struct settings_source *out,
                                           char *message, size_t capacity);

/* command_take_source() and settings_load(); 0, or the exit code after it was said why not. */
SP_CHECK int command_load(int argc, char **argv, struct settings_source *source,
                          struct settings *settings);

/* What a command with settings says under its own usage: the keys, with their defaults. */
void command_print_keys(void);

int command_check(int argc, char **argv);
int command_init(int argc, char **argv);
int command_root_list(int argc, char **argv); /* init_command.c */
int command_invite(int argc, char **argv);
int command_fsck(int argc, char **argv);
int command_status(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_restore(int argc, char **argv); /* backup.c */

#endif
