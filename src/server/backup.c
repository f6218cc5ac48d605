/* `sealpostd backup` and `restore`: the state directory, whole, as it was at one moment. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "crypto/secret.h"
#include "domain/backup.h"
#include "files/audit.h"
#include "files/copy.h"
#include "server/command.h"
#include "server/json.h"
#include "server/state.h"

#define MESSAGE_BYTES 1024
#define WALK_DESCRIPTORS 16
#define MANIFEST "backup.json"

enum { FLAG_JSON, FLAG_COPY, FLAG_COUNT };
static const char *const flags[] = {"--json", "--copy", NULL};

struct job {
    const struct state *from;
    struct state to; /* where it grows, beside its final name */
    const char *target;
    struct backup *backup;
    int from_fd; /* blobs/; -1: there are none */
    int to_fd;
    bool json;
    bool link; /* blobs by another name where that can be done */
    uint64_t blobs;
    uint64_t bytes;
    struct backup_info info;
    char message[MESSAGE_BYTES];
};

static enum sp_error fail(struct job *job, enum sp_error error, const char *what)
{
    snprintf(job->message, sizeof job->message, "%s: %s", what, sp_error_text(error));
    return error;
}

/* ---- The directory under its provisional name ---- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_tree(const char *directory)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    (void)nftw(directory, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

/* TARGET without the slashes at its end. */
static char *trimmed(const char *target)
{
    size_t size = strlen(target);
    while (size > 1 && target[size - 1] == '/') {
        size--;
    }
    return strndup(target, size);
}

static enum sp_error make_directory(struct job *job)
{
    struct id suffix;
    char hex[ID_HEX_BYTES];
    char *path = NULL;
    random_id(&suffix);
    hex_encode(suffix.bytes, ID_BYTES, hex);
    hex[8] = '\0';
    if (asprintf(&path, "%s.partial-%s", job->target, hex) < 0) {
        return SP_ENOMEM;
    }
    enum sp_error error = SP_OK;
    if (mkdir(path, 0700) != 0) {
        snprintf(job->message, sizeof job->message, "%s: %s", path, error_text(errno));
        error = errno == ENOSPC || errno == EDQUOT ? SP_EFULL : SP_EFILE;
    } else {
        error = state_init(&job->to, path);
    }
    free(path);
    return error;
}

/* It gets its name only now that all of it is there, durably. */
static enum sp_error publish(struct job *job)
{
    char *copy = strdup(job->target);
    if (copy == NULL) {
        return SP_ENOMEM;
    }
    char *slash = strrchr(copy, '/');
    if (slash != NULL) {
        slash[slash == copy ? 1 : 0] = '\0';
    }
    enum sp_error error = file_sync_directory(job->to.directory);
    if (error == SP_OK && rename(job->to.directory, job->target) != 0) {
        snprintf(job->message, sizeof job->message, "%s: %s", job->target, error_text(errno));
        error = errno == ENOTEMPTY || errno == EEXIST ? SP_EEXISTS : SP_EFILE;
    } else if (error == SP_OK) {
        error = file_sync_directory(slash != NULL ? copy : ".");
    }
    free(copy);
    return error;
}

/* ---- Blobs ---- */

/* All that the copy of the database names. One that is not there any more is left to the check. */
static enum sp_error copy_blobs(struct job *job)
{
    struct backup_blob blob;
    enum sp_error error = SP_OK;
    while (error == SP_OK) {
        error = backup_next_blob(job->backup, &blob);
        if (error == SP_OK && job->from_fd >= 0) {
            error = files_copy_blob(job->from_fd, job->to_fd, blob.bucket, &blob.file, blob.size,
                                    job->link);
            error = error == SP_ENOTFOUND || error == SP_ESIZE ? SP_OK : error;
        }
    }
    return error == SP_ENOTFOUND ? SP_OK : fail(job, error, "the files cannot be copied");
}

/* A blob that the copy names: it must be in the backup, as large as it was. */
static enum sp_error count_blob(struct job *job, const struct backup_blob *blob)
{
    char hex[ID_HEX_BYTES];
    uint64_t size = blob->size;
    enum sp_error error = files_audit_blob(job->to_fd, blob->bucket, &blob->file, &size, NULL);
    if (error != SP_OK) {
        hex_encode(blob->file.bytes, ID_BYTES, hex);
        snprintf(job->message, sizeof job->message,
                 "file %s is missing or has another size; `sealpostd fsck` tells more", hex);
        return SP_EINTEGRITY;
    }
    job->blobs++;
    job->bytes += blob->size;
    return SP_OK;
}

static enum sp_error check_blobs(struct job *job)
{
    struct backup_blob blob;
    enum sp_error error = SP_OK;
    backup_rewind(job->backup);
    while (error == SP_OK) {
        error = backup_next_blob(job->backup, &blob);
        if (error == SP_OK) {
            error = count_blob(job, &blob);
        }
    }
    return error == SP_ENOTFOUND ? SP_OK : error;
}

/* Of what the walk finds in the backup: what no file of the copy wants goes. */
static enum sp_error drop_unwanted(void *context, uint32_t bucket, const struct id *file,
                                   const char *name, int64_t changed_ms)
{
    struct job *job = context;
    (void)name;
    (void)changed_ms;
    enum sp_error error = backup_find_blob(job->backup, file, bucket);
    return error == SP_ENOTFOUND ? files_copy_remove(job->to_fd, bucket, file) : error;
}

/* ---- A backup ---- */

static enum sp_error write_manifest(struct job *job)
{
    char *path = NULL;
    struct json json;
    if (asprintf(&path, "%s/" MANIFEST, job->to.directory) < 0) {
        return SP_ENOMEM;
    }
    FILE *file = fopen(path, "wxe");
    free(path);
    if (file == NULL) {
        return SP_EFILE;
    }
    json_open(&json, file);
    json_string(&json, "type", "backup");
    json_string(&json, "server", "sealpostd " SEALPOST_VERSION);
    json_string(&json, "team", job->info.team);
    json_id(&json, "incarnation", &job->info.incarnation);
    json_time(&json, "time", clock_wall_ms(clock_system()));
    json_number(&json, "events", job->info.events);
    json_number(&json, "files", job->blobs);
    json_number(&json, "bytes", job->bytes);
    json_close(&json);
    bool written = fflush(file) == 0 && fsync(fileno(file)) == 0;
    return fclose(file) == 0 && written ? SP_OK : SP_EIO;
}

/* Database first, then the blobs that it names, then what was erased in between. */
static enum sp_error fill(struct job *job)
{
    enum sp_error error = backup_new(job->from->database, job->to.database, NULL, NULL,
                                     &job->backup, job->message, sizeof job->message);
    if (error == SP_OK) {
        error = files_audit_open(job->from->files, &job->from_fd);
        error = error == SP_ENOTFOUND ? SP_OK : error;
    }
    if (error == SP_OK) {
        error = files_copy_begin(job->to.files, &job->to_fd);
    }
    if (error == SP_OK) {
        error = copy_blobs(job);
    }
    if (error == SP_OK) {
        error = backup_finish(job->backup, &job->info, job->message, sizeof job->message);
    }
    if (error == SP_OK) {
        error = files_audit_walk(job->to_fd, drop_unwanted, job);
    }
    if (error == SP_OK) {
        error = check_blobs(job);
    }
    if (error == SP_OK) {
        error = files_copy_sync(job->to.files, job->to_fd);
    }
    return error;
}

static void close_job(struct job *job)
{
    if (job->from_fd >= 0) {
        close(job->from_fd);
    }
    if (job->to_fd >= 0) {
        close(job->to_fd);
    }
    backup_free(job->backup);
    state_deinit(&job->to);
}

static enum sp_error run(struct job *job, bool restore)
{
    struct id incarnation = {{0}};
    enum sp_error error = make_directory(job);
    if (error == SP_OK) {
        error = fill(job);
    }
    if (error == SP_OK && restore) {
        error = backup_incarnate(job->to.database, &incarnation, job->message, sizeof job->message);
        job->info.incarnation = incarnation;
    } else if (error == SP_OK) {
        error = write_manifest(job);
    }
    if (error == SP_OK) {
        error = publish(job);
    }
    if (error != SP_OK && job->message[0] == '\0') {
        snprintf(job->message, sizeof job->message, "%s: %s", job->target, sp_error_text(error));
    }
    if (error != SP_OK && job->to.directory != NULL) {
        remove_tree(job->to.directory);
    }
    return error;
}

static void print_result(const struct job *job, const char *type)
{
    struct json json;
    char hex[ID_HEX_BYTES];
    if (!job->json) {
        hex_encode(job->info.incarnation.bytes, ID_BYTES, hex);
        printf("%s: %" PRIu64 " events, %" PRIu64 " files with %" PRIu64 " bytes, incarnation %s\n",
               job->target, job->info.events, job->blobs, job->bytes, hex);
        return;
    }
    json_open(&json, stdout);
    json_string(&json, "type", type);
    json_string(&json, "path", job->target);
    json_string(&json, "team", job->info.team);
    json_id(&json, "incarnation", &job->info.incarnation);
    json_number(&json, "events", job->info.events);
    json_number(&json, "files", job->blobs);
    json_number(&json, "bytes", job->bytes);
    json_close(&json);
}

static int finish(struct job *job, const char *type, bool restore)
{
    enum sp_error error = run(job, restore);
    int code = EXIT_SUCCESS;
    if (error != SP_OK) {
        code = command_fail(error, job->message);
    } else {
        print_result(job, type);
    }
    close_job(job);
    return code;
}

int command_backup(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf(
            "Usage: sealpostd backup DIR TARGET [--copy] [--json]\n"
            "       sealpostd backup --config FILE TARGET [--copy] [--json]\n"
            "\n"
            "Copies the state, as it is at one moment, to the new directory TARGET, which appears\n"
            "under that name only when it is whole and on the disk. Works beside the running\n"
            "server and holds nobody back.\n"
            "\n"
            "  --copy  copy the files' bytes too. Otherwise they get a second name where that is\n"
            "          possible (on the same file system), which takes no room and no time\n"
            "  --json  print the result as a JSON object\n");
        return EXIT_SUCCESS;
    }
    bool given[FLAG_COUNT] = {false};
    const char *target = NULL;
    struct state state;
    int code = state_find(argc, argv, flags, given, &target, 1, &state);
    if (code != EXIT_SUCCESS) {
        return code;
    }
    char *trimmed_target = trimmed(target);
    struct job job = {
        .from = &state,
        .target = trimmed_target,
        .from_fd = -1,
        .to_fd = -1,
        .json = given[FLAG_JSON],
        .link = !given[FLAG_COPY],
    };
    if (trimmed_target == NULL) {
        code = command_fail(SP_ENOMEM, "out of memory");
    } else if (access(target, F_OK) == 0) {
        fprintf(stderr, "sealpostd: error: %s is there already\n", target);
        code = sp_error_exit_code(SP_EEXISTS);
    } else {
        code = finish(&job, "backup", false);
    }
    free(trimmed_target);
    state_deinit(&state);
    return code;
}

int command_restore(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf("Usage: sealpostd restore DIR BACKUP [--copy] [--json]\n"
               "       sealpostd restore --config FILE BACKUP [--copy] [--json]\n"
               "\n"
               "Makes the state directory of DIR's configuration, which must not be there or be\n"
               "empty, from a backup. It becomes a new incarnation of the team's history, so that\n"
               "clients can tell it from tampering. Options as for `backup`.\n");
        return EXIT_SUCCESS;
    }
    bool given[FLAG_COUNT] = {false};
    const char *source = NULL;
    struct state state;
    struct state from = {0};
    int code = state_find(argc, argv, flags, given, &source, 1, &state);
    if (code != EXIT_SUCCESS) {
        return code;
    }
    char *target = trimmed(state.directory);
    struct job job = {
        .from = &from,
        .target = target,
        .from_fd = -1,
        .to_fd = -1,
        .json = given[FLAG_JSON],
        .link = !given[FLAG_COPY],
    };
    if (access(state.database, F_OK) == 0) {
        fprintf(stderr,
                "sealpostd: error: %s has a database already\n"
                "sealpostd: hint: move it out of the way first; nothing is overwritten\n",
                state.directory);
        code = sp_error_exit_code(SP_EEXISTS);
    } else if (target == NULL || state_init(&from, source) != SP_OK) {
        code = command_fail(SP_ENOMEM, "out of memory");
    } else {
        code = finish(&job, "restored", true);
    }
    state_deinit(&from);
    free(target);
    state_deinit(&state);
    return code;
}
