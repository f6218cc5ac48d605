/* Statements with their sticky error, settings, migrations, checkpoints, deadlines. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/migrate.h"
#include "db/statement.h"

static char directory[64];
static char path[128];
static struct db *db;

static int set_up(void **state)
{
    char reason[256];

    (void)state;
    (void)strcpy(directory, "/tmp/sealpost-db-XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/a.db", directory);
    return db_open(path, DB_WRITER, &db, reason, sizeof reason) == SP_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[160];

    (void)state;
    db_close(db);
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
    return rmdir(directory);
}

static struct statement *prepare(const char *sql)
{
    struct statement *statement = NULL;

    assert_int_equal(statement_new(db, sql, &statement), SP_OK);
    return statement;
}

static int64_t number(const char *sql)
{
    struct statement *statement = prepare(sql);

    assert_true(statement_next(statement));
    int64_t value = statement_get_i64(statement);
    assert_int_equal(statement_finish(statement), SP_OK);
    statement_free(statement);
    return value;
}

static void test_settings(void **state)
{
    (void)state;
    assert_int_equal(number("PRAGMA synchronous"), 2);
    assert_int_equal(number("PRAGMA secure_delete"), 1);
    assert_int_equal(number("PRAGMA foreign_keys"), 1);
    assert_int_equal(number("PRAGMA trusted_schema"), 0);
    assert_int_equal(number("PRAGMA wal_autocheckpoint"), 0);
    struct statement *statement = prepare("PRAGMA journal_mode");
    char mode[8];
    assert_true(statement_next(statement));
    statement_get_text(statement, mode, sizeof mode);
    assert_string_equal(mode, "wal");
    assert_int_equal(statement_finish(statement), SP_OK);
    statement_free(statement);
}

static void test_values(void **state)
{
    static const uint8_t bytes[] = {0, 1, 0, 255};
    uint8_t copy[4];
    char text[8];

    (void)state;
    assert_int_equal(db_execute(db, "CREATE TABLE t(i, u, b, e, x, n) STRICT"), SP_EINTERNAL);
    assert_int_equal(db_execute(db, "CREATE TABLE t(i, u, b, e, x, n)"), SP_OK);
    struct statement *insert = prepare("INSERT INTO t VALUES(?, ?, ?, ?, ?, ?)");
    statement_bind_i64(insert, INT64_MIN);
    statement_bind_u64(insert, INT64_MAX);
    statement_bind_blob(insert, bytes, sizeof bytes);
    statement_bind_blob(insert, NULL, 0);
    statement_bind_text(insert, "text");
    statement_bind_null(insert);
    assert_int_equal(statement_run(insert), SP_OK);
    assert_int_equal(db_changes(db), 1);
    assert_int_equal(db_last_row(db), 1);
    statement_free(insert);

    struct statement *select = prepare("SELECT * FROM t");
    assert_true(statement_next(select));
    assert_true(statement_get_i64(select) == INT64_MIN);
    assert_true(statement_get_u64(select) == INT64_MAX);
    statement_get_bytes(select, copy, sizeof copy);
    assert_memory_equal(copy, bytes, sizeof bytes);
    struct slice empty = statement_get_slice(select);
    assert_non_null(empty.data);
    assert_int_equal(empty.size, 0);
    statement_get_text(select, text, 5);
    assert_string_equal(text, "text");
    assert_null(statement_get_slice(select).data);
    assert_false(statement_next(select));
    assert_int_equal(statement_finish(select), SP_OK);
    statement_free(select);
}

/* The first error is kept, what follows does nothing, and afterwards it can be used again. */
static void test_sticky_errors(void **state)
{
    char text[4];
    uint8_t bytes[3];

    (void)state;
    struct statement *statement = prepare("SELECT ?, ?");
    statement_bind_i64(statement, 1);
    assert_false(statement_next(statement)); /* one is missing */
    assert_int_equal(statement_finish(statement), SP_EINTERNAL);
    for (int i = 0; i < 3; i++) {
        statement_bind_i64(statement, 1);
    }
    assert_false(statement_next(statement)); /* one too many */
    assert_int_equal(statement_finish(statement), SP_EINTERNAL);
    statement_bind_u64(statement, UINT64_MAX);
    statement_bind_i64(statement, 1);
    assert_false(statement_next(statement));
    assert_int_equal(statement_finish(statement), SP_EINVALID);

    statement_bind_text(statement, "long");
    statement_bind_i64(statement, -1);
    assert_true(statement_next(statement));
    statement_get_text(statement, text, sizeof text);
    assert_string_equal(text, "");
    assert_int_equal(statement_get_i64(statement), 0); /* after an error */
    assert_int_equal(statement_finish(statement), SP_EINTEGRITY);

    statement_bind_text(statement, "four");
    statement_bind_i64(statement, -1);
    assert_true(statement_next(statement));
    statement_get_bytes(statement, bytes, sizeof bytes);
    assert_int_equal(statement_finish(statement), SP_EINTEGRITY);

    statement_bind_i64(statement, -5);
    statement_bind_i64(statement, 7);
    assert_true(statement_next(statement));
    assert_int_equal(statement_get_u64(statement), 0);
    assert_int_equal(statement_finish(statement), SP_EINTEGRITY);

    statement_bind_i64(statement, -5);
    statement_bind_i64(statement, 7);
    assert_true(statement_next(statement));
    statement_skip(statement);
    assert_int_equal(statement_get_i64(statement), 7);
    assert_int_equal(statement_get_i64(statement), 0); /* there is no third */
    assert_int_equal(statement_finish(statement), SP_EINTERNAL);
    statement_bind_i64(statement, 1);
    statement_bind_i64(statement, 2);
    assert_int_equal(statement_run(statement), SP_EINTERNAL); /* it has a row */
    statement_free(statement);
    statement_free(NULL);
}

static void test_wrong_sql(void **state)
{
    static const char *const wrong[] = {"", "SELEC", "SELECT 1; SELECT 2", "SELECT \"double\"",
                                        "SELECT * FROM nowhere"};
    struct statement *statement = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(statement_new(db, wrong[i], &statement), SP_EINTERNAL);
        assert_null(statement);
    }
}

static void test_constraints(void **state)
{
    (void)state;
    assert_int_equal(db_execute(db, "CREATE TABLE t(x PRIMARY KEY); INSERT INTO t VALUES(1)"),
                     SP_OK);
    assert_int_equal(db_execute(db, "INSERT INTO t VALUES(1)"), SP_EEXISTS);
    assert_int_equal(db_execute(db, "BEGIN; INSERT INTO t VALUES(2)"), SP_OK);
    assert_true(db_in_transaction(db));
    db_rollback(db);
    db_rollback(db);
    assert_false(db_in_transaction(db));
    assert_int_equal(number("SELECT count(*) FROM t"), 1);
}

static void test_full(void **state)
{
    (void)state;
    assert_int_equal(db_execute(db, "CREATE TABLE t(x); PRAGMA max_page_count = 20"), SP_OK);
    enum sp_error error = SP_OK;
    for (int i = 0; i < 100 && error == SP_OK; i++) {
        error = db_execute(db, "INSERT INTO t VALUES(zeroblob(4000))");
    }
    assert_int_equal(error, SP_EFULL);
    assert_int_equal(db_execute(db, "PRAGMA max_page_count = 2000"), SP_OK);
    assert_int_equal(db_execute(db, "INSERT INTO t VALUES(zeroblob(4000))"), SP_OK);
}

static void test_migrations(void **state)
{
    static const char *const steps[] = {"CREATE TABLE a(x)", "CREATE TABLE b(x); DROP TABLE a",
                                        "CREATE TABLE c(x); CREATE TABLE b(x)"};
    char reason[256] = "";

    (void)state;
    assert_int_equal(db_migrate(db, steps, 1, reason, sizeof reason), SP_OK);
    assert_int_equal(number("PRAGMA user_version"), 1);
    assert_int_equal(db_migrate(db, steps, 1, reason, sizeof reason), SP_OK);
    assert_int_equal(db_migrate(db, steps, 2, reason, sizeof reason), SP_OK);
    assert_int_equal(number("PRAGMA user_version"), 2);
    /* A step that fails leaves nothing of itself. */
    assert_int_equal(db_migrate(db, steps, 3, reason, sizeof reason), SP_EINTERNAL);
    assert_non_null(strstr(reason, "version 3"));
    assert_int_equal(number("PRAGMA user_version"), 2);
    assert_int_equal(number("SELECT count(*) FROM sqlite_master"), 1);
    assert_int_equal(db_migrate(db, steps, 1, reason, sizeof reason), SP_ECONFIG);
    assert_int_equal(db_execute(db, "PRAGMA user_version = 0"), SP_OK);
    assert_int_equal(db_migrate(db, steps, 1, reason, sizeof reason), SP_ECONFIG);
    assert_int_equal(db_execute(db, "PRAGMA user_version = -1"), SP_OK);
    assert_int_equal(db_migrate(db, steps, 1, reason, sizeof reason), SP_ECONFIG);
}

static off_t wal_bytes(void)
{
    char name[160];

    (void)snprintf(name, sizeof name, "%s-wal", path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    off_t size = lseek(fd, 0, SEEK_END);
    (void)close(fd);
    return size;
}

static void test_checkpoints(void **state)
{
    struct db *reader = NULL;
    char reason[256];
    bool complete = false;

    (void)state;
    assert_int_equal(db_execute(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1)"), SP_OK);
    assert_true(db_wal_pending(db) > 0);
    assert_int_equal(db_open(path, DB_READER, &reader, reason, sizeof reason), SP_OK);
    assert_int_equal(db_execute(reader, "INSERT INTO t VALUES(3)"), SP_EIO);
    assert_int_equal(db_execute(reader, "BEGIN; SELECT * FROM t"), SP_OK);
    assert_int_equal(db_execute(db, "INSERT INTO t VALUES(2)"), SP_OK);
    /* The reader needs the old state: not all can be written back, and none truncated. */
    assert_int_equal(db_checkpoint(db, DB_CHECKPOINT_PASSIVE, &complete), SP_OK);
    assert_false(complete);
    assert_true(db_wal_pending(db) > 0);
    assert_int_equal(db_checkpoint(db, DB_CHECKPOINT_TRUNCATE, &complete), SP_EBUSY);
    assert_false(complete);
    db_rollback(reader);
    assert_int_equal(db_checkpoint(db, DB_CHECKPOINT_PASSIVE, &complete), SP_OK);
    assert_true(complete);
    assert_int_equal(db_wal_pending(db), 0);
    assert_true(wal_bytes() > 0);
    assert_int_equal(db_execute(db, "INSERT INTO t VALUES(2)"), SP_OK);
    assert_true(db_wal_pending(db) > 0);
    assert_int_equal(db_checkpoint(db, DB_CHECKPOINT_TRUNCATE, &complete), SP_OK);
    assert_int_equal(wal_bytes(), 0);
    assert_int_equal(db_wal_pending(db), 0);
    db_close(reader);
    assert_false(db_sync_failed(db));
}

static void test_deadline(void **state)
{
    static const char endless[] = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r)"
                                  " SELECT count(*) FROM r";
    struct timespec before;
    struct timespec after;

    (void)state;
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    db_set_deadline(db, 50);
    assert_int_equal(db_execute(db, endless), SP_EBUSY);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 10);
    assert_int_equal(db_execute(db, endless), SP_EBUSY); /* it has passed */
    db_set_deadline(db, 0);
    assert_int_equal(number("SELECT 1"), 1);
}

static void test_not_a_database(void **state)
{
    char reason[256] = "";
    char name[160];
    struct db *other = NULL;

    (void)state;
    (void)snprintf(name, sizeof name, "%s/nothing/a.db", directory);
    assert_int_equal(db_open(name, DB_WRITER, &other, reason, sizeof reason), SP_EFILE);
    assert_null(other);
    (void)snprintf(name, sizeof name, "%s/none.db", directory);
    assert_int_equal(db_open(name, DB_READER, &other, reason, sizeof reason), SP_EFILE);
    (void)snprintf(name, sizeof name, "%s/text", directory);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(write(fd, "this is not a database\n", 23), 23);
    }
    (void)close(fd);
    assert_int_equal(db_open(name, DB_WRITER, &other, reason, sizeof reason), SP_EINTEGRITY);
    assert_non_null(strstr(reason, "not a database"));
    (void)unlink(name);
}

/* ---- Shared by several processes ---- */

static const char *const shared_steps[] = {"CREATE TABLE a(x INTEGER)",
                                           "CREATE TABLE b(x INTEGER)"};

/* One process: brings the database to its last version and adds a row. 0, or what failed. */
static int join_in(const char *name)
{
    struct db *shared = NULL;
    char reason[256] = "";
    enum sp_error error = db_open(name, DB_SHARED, &shared, reason, sizeof reason);

    if (error == SP_OK) {
        error = db_migrate(shared, shared_steps, COUNT_OF(shared_steps), reason, sizeof reason);
    }
    if (error == SP_OK) {
        error = db_execute(shared, "INSERT INTO b VALUES(1)");
    }
    db_close(shared);
    if (error != SP_OK) {
        print_error("%s: %s\n", sp_error_name(error), reason);
    }
    return (int)error;
}

static void test_shared_from_the_start(void **state)
{
    enum { processes = 6, rounds = 5 };
    char name[160];
    char wal[176];
    struct db *shared = NULL;
    char reason[256];

    (void)state;
    for (int round = 0; round < rounds; round++) {
        pid_t children[processes];

        (void)snprintf(name, sizeof name, "%s/shared%d", directory, round);
        for (size_t i = 0; i < processes; i++) {
            children[i] = fork();
            assert_true(children[i] >= 0);
            if (children[i] == 0) {
                _exit(join_in(name));
            }
        }
        for (size_t i = 0; i < processes; i++) {
            int status = -1;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(db_open(name, DB_SHARED, &shared, reason, sizeof reason), SP_OK);
        struct statement *count = NULL;
        assert_int_equal(statement_new(shared, "SELECT count(*) FROM b", &count), SP_OK);
        assert_true(statement_next(count));
        assert_int_equal(statement_get_i64(count), processes);
        assert_int_equal(statement_finish(count), SP_OK);
        statement_free(count);
        (void)snprintf(wal, sizeof wal, "%s-wal", name);
        assert_int_equal(access(wal, F_OK), -1);
        db_close(shared);
        (void)snprintf(wal, sizeof wal, "%s-journal", name);
        (void)unlink(wal);
        assert_int_equal(unlink(name), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sticky_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_sql, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_constraints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_migrations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared_from_the_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_checkpoints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_a_database, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
