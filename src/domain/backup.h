/*
 * The database's part of a backup and of its restoration. Called by `sealpostd backup` and
 * `restore`, which see to the blobs; never by the server. A backup is made on a read-only
 * connection beside the running server, and holds no commit back.
 */
#ifndef SP_DOMAIN_BACKUP_H
#define SP_DOMAIN_BACKUP_H

#include "base/base.h"

struct backup_info {
    char team[LIMIT_TEAM_BYTES + 1];
    struct id incarnation;
    uint64_t events;
    uint64_t files; /* those with blobs */
};

struct backup;

/* Copies the database at SOURCE into the new file TARGET, as it is at one moment. The errors of
 * db_copy(), SP_ECONFIG; a sentence in REASON. */
SP_CHECK enum sp_error backup_new(const char *source, const char *target,
                                  void (*progress)(void *context, uint64_t done, uint64_t total),
                                  void *context, struct backup **out, char *reason,
                                  size_t capacity);
void backup_free(struct backup *backup); /* NULL is allowed */

/* A file of the copy whose bytes are a blob. */
struct backup_blob {
    struct id file;
    uint32_t bucket;
    uint64_t size;
};
/* The next one; SP_ENOTFOUND: there is none. */
SP_CHECK enum sp_error backup_next_blob(struct backup *backup, struct backup_blob *out);
/* Whether the copy has a file with that blob. SP_ENOTFOUND. */
SP_CHECK enum sp_error backup_find_blob(struct backup *backup, const struct id *file,
                                        uint32_t bucket);
/* From the first one again. */
void backup_rewind(struct backup *backup);

/*
 * What SOURCE has erased since the copy was made is erased in the copy too. Then the copy is all
 * there: *INFO says what is in it. A reason as before.
 */
SP_CHECK enum sp_error backup_finish(struct backup *backup, struct backup_info *info, char *reason,
                                     size_t capacity);

/* The database at PATH, a copy that is to be served, becomes a new incarnation. */
SP_CHECK enum sp_error backup_incarnate(const char *path, struct id *incarnation, char *reason,
                                        size_t capacity);

#endif
