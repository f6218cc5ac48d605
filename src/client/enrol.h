/* What join_code.c and the files of enrolment share: sealpost/join.h. For src/client only. */
#ifndef SP_CLIENT_ENROL_H
#define SP_CLIENT_ENROL_H

#include "base/join_code.h"
#include "sealpost/join.h"

struct secret;
struct enrol_files;

/* SHA-256("sealpost join secret 1" 00 SECRET). SP_EINTERNAL. */
SP_CHECK enum sp_error enrol_secret_digest(const uint8_t secret[JOIN_SECRET_BYTES],
                                           struct digest *out);
/* join_code_parse(), with a sentence for people. */
SP_CHECK enum sp_error enrol_code_read(const char *code, size_t size, struct join_code *out,
                                       char *message, size_t capacity);

/* ---- enrol_files.c: where the key and the certificates come to stand ---- */

/* The directory in which a profile is made, and what is in it. */
struct enrol_place {
    char *parent;  /* of the profile's directory */
    char *working; /* ".NAME.joining-…" beside it */
    bool made;     /* by this attempt: it can go again if nothing was sent */
    struct secret *key;
};

/*
 * Makes the working directory, or finds that of an earlier attempt with the same code; a new key is
 * written there before it is used, sealed if there is a passphrase. SP_EEXISTS (there is a profile
 * already), SP_EPASSPHRASE, SP_EFILE and others, with a sentence in MESSAGE.
 */
SP_CHECK enum sp_error enrol_place_open(const struct sp_enrol_config *config,
                                        const struct join_code *code, struct enrol_place *out,
                                        char *message, size_t capacity);
/* REMOVE: nothing is left. Otherwise entering the same code again goes on from there. */
void enrol_place_close(struct enrol_place *place, bool remove);

/* ---- enrol_finish.c ---- */

/*
 * All is there: writes the certificates and the settings, and gives the profile its final name as
 * the last step. On error what was there before is there again, and the working directory is kept;
 * entering the same code goes on from there. OUT gets the old names.
 */
SP_CHECK enum sp_error enrol_place_finish(const struct sp_enrol_config *config,
                                          struct enrol_place *place,
                                          const struct enrol_files *files, struct sp_enrolled *out,
                                          char *message, size_t capacity);

/* ---- What both need ---- */

/* The mode of what is made. */
#define ENROL_DIRECTORY_MODE 0700
#define ENROL_FILE_MODE 0600

/* "PATH: WHY" into MESSAGE; returns ERROR. */
enum sp_error enrol_fail(enum sp_error error, char *message, size_t capacity, const char *path,
                         const char *why);
/* DIRECTORY/NAME anew, synced: it has all of CONTENT, or is not there. */
SP_CHECK enum sp_error enrol_write_file(const char *directory, const char *name,
                                        struct slice content, char *message, size_t capacity);
/* PATH and all above it, as far as they are not there. */
SP_CHECK enum sp_error enrol_make_directories(const char *path, char *message, size_t capacity);
/* Everything of PATH before its last slash; free(). NULL when memory runs out. */
char *enrol_parent_of(const char *path);
/* Whether the settings lead to this profile's directory, which there is not: then they are of an
 * attempt that a crash ended before its last step. */
bool enrol_settings_are_left_over(const struct sp_enrol_config *config);

#endif
