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

/* All is there: gives it its final name, in one step, and writes the settings. OUT gets the old
 * names. */
SP_CHECK enum sp_error enrol_place_finish(const struct sp_enrol_config *config,
                                          struct enrol_place *place,
                                          const struct enrol_files *files, struct sp_enrolled *out,
                                          char *message, size_t capacity);

#endif
