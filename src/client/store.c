/* Opening a store, whose it is, and the few lines of SQL that the other files share. */
#include "client/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/internal.h"
#include "client/store_schema.h"
#include "crypto/digest.h"
#include "db/migrate.h"
#include "tls/device.h"

#define DIRECTORY_MODE 0700

/* ---- SQL ---- */

static void bind(struct statement *statement, const char *types, va_list arguments)
{
    for (const char *type = types; *type != '\0'; type++) {
        if (*type == 'i') {
            statement_bind_i64(statement, va_arg(arguments, int64_t));
        } else if (*type == 'u') {
            statement_bind_u64(statement, va_arg(arguments, uint64_t));
        } else if (*type == 't') {
            statement_bind_text(statement, va_arg(arguments, const char *));
        } else {
            const void *data = va_arg(arguments, const void *);
            size_t size = va_arg(arguments, size_t);

            if (data == NULL) {
                statement_bind_null(statement);
            } else {
                statement_bind_blob(statement, data, size);
            }
        }
    }
}

/* Prepares SQL and binds; *OUT is the caller's. */
static enum sp_error prepare(struct sp_store *store, struct statement **out, const char *sql,
                             const char *types, va_list arguments)
{
    enum sp_error error = statement_new(store->db, sql, out);

    if (error == SP_OK) {
        bind(*out, types, arguments);
    }
    return error;
}

enum sp_error store_query(struct sp_store *store, struct statement **out, const char *sql,
                          const char *types, ...)
{
    va_list arguments;

    va_start(arguments, types);
    enum sp_error error = prepare(store, out, sql, types, arguments);
    va_end(arguments);
    return error;
}

enum sp_error store_execute(struct sp_store *store, const char *sql, const char *types, ...)
{
    struct statement *statement = NULL;
    va_list arguments;

    va_start(arguments, types);
    enum sp_error error = prepare(store, &statement, sql, types, arguments);
    va_end(arguments);
    if (error == SP_OK) {
        error = statement_run(statement);
        statement_free(statement);
    }
    return error;
}

enum sp_error store_number(struct sp_store *store, uint64_t *out, const char *sql,
                           const char *types, ...)
{
    struct statement *statement = NULL;
    va_list arguments;

    *out = 0;
    va_start(arguments, types);
    enum sp_error error = prepare(store, &statement, sql, types, arguments);
    va_end(arguments);
    if (error == SP_OK) {
        if (statement_next(statement)) {
            *out = statement_get_u64(statement);
        }
        error = statement_finish(statement);
        statement_free(statement);
    }
    return error;
}

enum sp_error store_begin(struct sp_store *store)
{
    return db_execute(store->db, store->batch ? "SAVEPOINT part" : "BEGIN IMMEDIATE");
}

enum sp_error store_end(struct sp_store *store, enum sp_error error)
{
    if (error == SP_OK) {
        error = db_execute(store->db, store->batch ? "RELEASE part" : "COMMIT");
    }
    if (error == SP_OK) {
        return SP_OK;
    }
    if (!store->batch || db_execute(store->db, "ROLLBACK TO part; RELEASE part") != SP_OK) {
        db_rollback(store->db);
    }
    return error;
}

void store_explain(const struct sp_store *store, enum sp_error error, char *text, size_t capacity)
{
    (void)snprintf(text, capacity, "%s: %s", store->path,
                   error == SP_EFULL    ? "there is no room left on the disk"
                   : error == SP_ELIMIT ? "it knows as many rooms and boxes as it may"
                   : error == SP_EBUSY  ? "another process does not let go of it"
                                        : sp_error_text(error));
}

void store_give_up(struct sp_store *store, enum sp_error error)
{
    if (store->trouble[0] == '\0') {
        store_explain(store, error, store->trouble, sizeof store->trouble);
    }
}

void store_fail(struct sp_store *store, enum sp_error error)
{
    if (error != SP_EBUSY) {
        store_give_up(store, error);
    }
}

const char *sp_store_trouble(struct sp_store *store)
{
    store_flush(store);
    if (store->trouble[0] == '\0' && store->kept != NULL) {
        return "another process does not let go of the store";
    }
    return store->trouble[0] == '\0' ? NULL : store->trouble;
}

/* ---- Opening ---- */

/* The directories to PATH, as far as they are missing. */
static enum sp_error make_directories(const char *path, char *message, size_t capacity)
{
    char *copy = strdup(path);
    enum sp_error error = copy == NULL ? SP_ENOMEM : SP_OK;

    for (char *at = copy; error == SP_OK && (at = strchr(at + 1, '/')) != NULL;) {
        *at = '\0';
        if (mkdir(copy, DIRECTORY_MODE) != 0 && errno != EEXIST) {
            error = errno == ENOSPC || errno == EDQUOT ? SP_EFULL : SP_EFILE;
            (void)snprintf(message, capacity, "%s: %s", copy, error_text(errno));
        }
        *at = '/';
    }
    free(copy);
    return error;
}

static enum sp_error open_lock(struct sp_store *store)
{
    char *path = NULL;

    if (asprintf(&path, "%s.lock", store->path) < 0) {
        return SP_ENOMEM;
    }
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int cause = errno;
    free(path);
    return store->lock_fd >= 0 ? SP_OK : cause == ENOSPC || cause == EDQUOT ? SP_EFULL : SP_EFILE;
}

static enum sp_error open_database(struct sp_store *store, char *message, size_t capacity)
{
    char why[REASON_BYTES] = "";
    enum sp_error error = db_open(store->path, DB_SHARED, &store->db, why, sizeof why);

    if (error == SP_OK) {
        error = db_migrate(store->db, store_schema_steps, store_schema_step_count, why, sizeof why);
    }
    if (error == SP_OK) {
        error = open_lock(store);
    }
    if (error != SP_OK) {
        (void)snprintf(message, capacity, "%s: %s", store->path,
                       why[0] == '\0' ? sp_error_text(error) : why);
    }
    return error;
}

enum sp_error sp_store_open(const char *path, enum sp_store_mode mode, struct sp_store **out,
                            char *message, size_t capacity)
{
    struct sp_store *store = NULL;
    enum sp_error error = SP_OK;

    *out = NULL;
    (void)snprintf(message, capacity, "%s", "");
    if (mode == SP_STORE_EXISTING && access(path, F_OK) != 0) {
        (void)snprintf(message, capacity, "%s: %s", path, error_text(errno));
        return errno == ENOENT ? SP_ENOTFOUND : SP_EFILE;
    }
    store = calloc(1, sizeof *store);
    if (store != NULL) {
        store->lock_fd = -1;
        store->kept_end = &store->kept;
        store->path = strdup(path);
    }
    if (store == NULL || store->path == NULL) {
        error = SP_ENOMEM;
    }
    if (error == SP_OK && mode == SP_STORE_CREATE) {
        error = make_directories(path, message, capacity);
    }
    if (error == SP_OK) {
        error = open_database(store, message, capacity);
    }
    if (error != SP_OK) {
        if (capacity > 0 && message[0] == '\0') {
            (void)snprintf(message, capacity, "%s", sp_error_text(error));
        }
        sp_store_close(store);
        return error;
    }
    *out = store;
    return SP_OK;
}

void sp_store_close(struct sp_store *store)
{
    if (store != NULL) {
        if (store->db != NULL) {
            store_flush(store);
        }
        store_drop_kept(store);
        db_close(store->db);
        if (store->lock_fd >= 0) {
            (void)close(store->lock_fd);
        }
        free(store->text);
        free(store->path);
        free(store);
    }
}

enum sp_error sp_store_name(const char *ca_file, const char *cert_file,
                            char out[SP_STORE_NAME_BYTES], char *message, size_t capacity)
{
    struct device_files files;
    struct digest digest;
    enum sp_error error = device_files_read(ca_file, cert_file, &files, message, capacity);

    out[0] = '\0';
    if (error == SP_OK) {
        const struct slice parts[] = {{files.root.bytes, DIGEST_BYTES},
                                      {files.key.bytes, DIGEST_BYTES}};
        error = digest_of(parts, COUNT_OF(parts), &digest);
    }
    if (error == SP_OK) {
        hex_encode(digest.bytes, (SP_STORE_NAME_BYTES - 1) / 2, out);
    }
    return error;
}

/* ---- Whose it is ---- */

enum binding { BOUND_ELSEWHERE, BOUND_HERE, NOT_BOUND };

static enum sp_error compare_root(struct sp_store *store, const struct digest *root, uint64_t *out)
{
    return store_number(store, out, "SELECT ifnull(root = ?, 2) FROM owner", "b", root->bytes,
                        sizeof root->bytes);
}

/* The team that the store is bound to is ROOT's; it is bound if it was not. */
static enum sp_error bind_root(struct sp_store *store, const struct digest *root)
{
    uint64_t binding = BOUND_ELSEWHERE;
    enum sp_error error = compare_root(store, root, &binding);

    if (error == SP_OK && binding == NOT_BOUND) { /* else there is nothing to write */
        error = store_execute(store, "UPDATE owner SET root = ? WHERE root IS NULL", "b",
                              root->bytes, sizeof root->bytes);
        if (error == SP_OK) {
            error = compare_root(store, root, &binding);
        }
    }
    return error == SP_OK && binding != BOUND_HERE ? SP_ECONFLICT : error;
}

enum sp_error sp_client_use_store(struct sp_client *client, struct sp_store *store, char *message,
                                  size_t capacity)
{
    struct digest root;

    if (!client_is_idle(client)) {
        (void)snprintf(message, capacity, "the client is connected");
        return SP_EINVALID;
    }
    client->core.store = NULL;
    if (store == NULL) {
        return SP_OK;
    }
    enum sp_error error = device_root_read(client->ca_file, &root, message, capacity);
    if (error != SP_OK) {
        return error;
    }
    error = bind_root(store, &root);
    if (error == SP_OK) {
        client->core.store = store;
    } else if (error == SP_ECONFLICT) {
        (void)snprintf(message, capacity, "%s is the store of a device of another team",
                       store->path);
    } else {
        store_explain(store, error, message, capacity);
    }
    return error;
}

/* What is written down of the last login. Nulls are zeros. */
static enum sp_error read_owner(struct sp_store *store, struct id *device, struct id *incarnation)
{
    struct statement *statement = NULL;
    enum sp_error error = store_query(
        store, &statement,
        "SELECT ifnull(device, zeroblob(16)), ifnull(incarnation, zeroblob(16)) FROM owner", "");

    *device = *incarnation = (struct id){0};
    if (error != SP_OK) {
        return error;
    }
    if (statement_next(statement)) {
        statement_get_bytes(statement, device->bytes, ID_BYTES);
        statement_get_bytes(statement, incarnation->bytes, ID_BYTES);
    }
    error = statement_finish(statement);
    statement_free(statement);
    return error;
}

/* *CHANGED: there is something to write down. */
static enum sp_error compare_login(struct sp_store *store, const struct id *device,
                                   const struct id *incarnation, bool *changed, bool *restored)
{
    struct id known_device;
    struct id known_incarnation;
    enum sp_error error = read_owner(store, &known_device, &known_incarnation);
    bool same_history = id_equal(incarnation, &known_incarnation);
    bool same_device = id_equal(device, &known_device);

    *changed = !same_history || !same_device;
    *restored = !same_history && !id_is_zero(&known_incarnation);
    return error == SP_OK && same_history && !same_device ? SP_ECONFLICT : error;
}

/*
 * Under another incarnation everything that was seen is to be looked at again. A device may then be
 * another, too: the backup may be older than it, and the server has let it in anew.
 */
static enum sp_error take_login(struct sp_store *store, const struct id *device,
                                const struct id *incarnation)
{
    bool changed = false;
    bool restored = false;
    enum sp_error error = compare_login(store, device, incarnation, &changed, &restored);

    if (error != SP_OK || !changed) {
        return error;
    }
    if (restored) {
        store->restored = true;
        error = store_execute(store, "UPDATE logs SET stale = 1, refused_at = 0", "");
    }
    return error != SP_OK ? error
                          : store_execute(store, "UPDATE owner SET device = ?, incarnation = ?",
                                          "bb", device->bytes, sizeof device->bytes,
                                          incarnation->bytes, sizeof incarnation->bytes);
}

enum sp_error store_logged_in(struct sp_store *store, const struct sp_login *login, char *text,
                              size_t capacity)
{
    struct id incarnation;
    bool changed = false;
    bool restored = false;

    memcpy(store->device.bytes, login->device, ID_BYTES);
    memcpy(incarnation.bytes, login->incarnation, ID_BYTES);
    enum sp_error error = compare_login(store, &store->device, &incarnation, &changed, &restored);
    if (error == SP_OK && changed) {
        error = store_begin(store);
        if (error == SP_OK) {
            error = store_end(store, take_login(store, &store->device, &incarnation));
        }
    }
    if (error == SP_ECONFLICT) {
        (void)snprintf(text, capacity, "%s is the store of another device", store->path);
    } else if (error == SP_EBUSY) {
        store_explain(store, error, text, capacity);
    } else if (error != SP_OK) {
        store_fail(store, error);
        error = SP_OK;
    }
    return error;
}

bool sp_store_was_restored(struct sp_store *store)
{
    bool restored = store->restored;

    store->restored = false;
    return restored;
}
