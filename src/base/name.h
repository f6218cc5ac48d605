/*
 * What a name may be. Names of members, rooms and teams are ASCII and compared as bytes: they are
 * refused, never folded. A file's name is its sender's data: any valid UTF-8 without separators and
 * control characters, never used as a path by us.
 */
#ifndef SP_BASE_NAME_H
#define SP_BASE_NAME_H

#include "base/base.h"

/* [a-z0-9][a-z0-9._-]{0,31}. SP_ENAME otherwise; so for all of these. */
SP_CHECK enum sp_error name_check_username(const char *name, size_t size);
/* The same alphabet, up to LIMIT_TEAM_BYTES. */
SP_CHECK enum sp_error name_check_team(const char *name, size_t size);
/* A room's or a box's name: [a-z0-9][a-z0-9._-]{0,63}. */
SP_CHECK enum sp_error name_check_log(const char *name, size_t size);
/*
 * A file's name: 1 to LIMIT_FILE_NAME_BYTES bytes of valid UTF-8 (RFC 3629), no '/', no '\\', no
 * control characters (C0, DEL, C1), no bidirectional controls, not "." or "..".
 */
SP_CHECK enum sp_error name_check_file(const char *name, size_t size);
/* A device's label: 1 to LIMIT_LABEL_BYTES of valid UTF-8 without control characters. */
SP_CHECK enum sp_error name_check_label(const char *name, size_t size);
/* Text of a message or a topic: valid UTF-8, no NUL. The length is the caller's to check. */
SP_CHECK enum sp_error name_check_text(const char *text, size_t size);

#endif
