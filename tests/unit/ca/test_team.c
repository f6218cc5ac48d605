/* A team that is made or adopted: src/tls and the openssl command take it, and it keeps itself
 * fresh. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "ca/refresh.h"
#include "unit/ca/support.h"

#define ADOPT TEST_CA

static enum sp_error open_authority(const struct team *team, int64_t now_ms, size_t *revoked,
                                    char *reason)
{
    struct clock_settable clock;
    struct authority *authority = NULL;
    const struct authority_server_config config = {
        .team = team->made.team,
        .ca_file = team_path(team, "ca.pem"),
        .cert_file = team_path(team, "server/cert.pem"),
        .key_file = team_path(team, "server/key.pem"),
        .crl_file = team_path(team, "crl.pem"),
        .clock = &clock.clock,
    };
    enum sp_error error = SP_OK;

    clock_settable_init(&clock, now_ms);
    error = authority_new_server(&config, &authority, reason, AUTHORITY_REASON_BYTES);
    *revoked = error == SP_OK ? authority_revoked_count(authority) : 0;
    authority_unref(authority);
    return error;
}

static void assert_mode(const struct team *team, const char *name, unsigned mode)
{
    struct stat status;

    assert_int_equal(stat(team_path(team, name), &status), 0);
    assert_int_equal(status.st_mode & 0777, mode);
}

/* By openssl, strictly, with the purpose that each is for. */
static void verify_by_command(const struct team *team)
{
    static const char *const purposes[][2] = {
        {"server/cert.pem", "sslserver"},
        {"ca/receipts.pem", "smimesign"},
        {"ca/issuing.pem", "any"},
    };

    for (size_t i = 0; i < COUNT_OF(purposes); i++) {
        assert_int_equal(
            shell("openssl verify -x509_strict -crl_check_all -purpose %s -CAfile %s -untrusted %s "
                  "-CRLfile %s -no-CApath -no-CAstore %s >/dev/null",
                  purposes[i][1], team_path(team, "ca/root.pem"), team_path(team, "ca/issuing.pem"),
                  team_path(team, "crl.pem"), team_path(team, purposes[i][0])),
            0);
    }
}

static void test_new(void **state)
{
    struct team team;
    char reason[AUTHORITY_REASON_BYTES] = "";
    size_t revoked = 0;

    (void)state;
    team_make(&team, NULL);
    assert_string_equal(team.made.team, "ours");
    if (open_authority(&team, team.now_ms, &revoked, reason) != SP_OK) {
        fail_msg("%s", reason);
    }
    assert_mode(&team, "ca/root-key.pem", 0600);
    assert_mode(&team, "ca/issuing-key.pem", 0600);
    assert_mode(&team, "ca/receipts-key.pem", 0600);
    assert_mode(&team, "server/key.pem", 0600);
    assert_mode(&team, "crl.pem", 0644);
    verify_by_command(&team);
    assert_int_equal(
        shell("openssl verify -verify_hostname localhost -CAfile %s -untrusted %s %s >/dev/null && "
              "openssl verify -verify_ip ::1 -CAfile %s -untrusted %s %s >/dev/null",
              team_path(&team, "ca/root.pem"), team_path(&team, "ca/issuing.pem"),
              team_path(&team, "server/cert.pem"), team_path(&team, "ca/root.pem"),
              team_path(&team, "ca/issuing.pem"), team_path(&team, "server/cert.pem")),
        0);
    team_remove(&team);
}

/* Field by field what make-test-ca makes, but for keys, numbers and times. */
static void test_profiles(void **state)
{
    static const char *const pairs[][2] = {{"ca/root.pem", "root.pem"},
                                           {"ca/issuing.pem", "issuing/cert.pem"},
                                           {"server/cert.pem", "server/cert.pem"},
                                           {"ca/receipts.pem", "receipts/cert.pem"}};
    static const char show[] = "openssl x509 -noout -text -in %s | sed 's/ours/test/g' | grep -vE "
                               "'[0-9A-F]{2}:[0-9A-F]{2}|[0-9a-f]{2}:[0-9a-f]{2}|Not |Serial' > %s";

    (void)state;
    struct team team;
    team_make(&team, NULL);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_int_equal(shell(show, team_path(&team, pairs[i][0]), team_path(&team, "a")), 0);
        char theirs[PATH_BYTES];
        (void)snprintf(theirs, sizeof(theirs), "%s/%s", TEST_CA, pairs[i][1]);
        assert_int_equal(shell(show, theirs, team_path(&team, "b")), 0);
        assert_int_equal(shell("diff %s %s", team_path(&team, "a"), team_path(&team, "b")), 0);
    }
    team_remove(&team);
}

static void test_adopt(void **state)
{
    struct team team;
    char reason[CA_TEAM_REASON_BYTES] = "";
    size_t revoked = 0;

    (void)state;
    team_make(&team, ADOPT);
    assert_string_equal(team.made.team, "test");
    assert_true(team.made.withdrawn > 0);
    if (open_authority(&team, team.now_ms, &revoked, reason) != SP_OK) {
        fail_msg("%s", reason);
    }
    assert_int_equal(revoked, team.made.withdrawn); /* the root has withdrawn nothing */
    assert_int_equal(shell("test -e %s", team_path(&team, "ca/root-key.pem")) != 0, 1);
    verify_by_command(&team);
    team_remove(&team);
    assert_int_equal(team_try(&team, ADOPT, "other", reason), SP_ENAME);
    assert_non_null(strstr(reason, "'test'"));
    team_remove(&team);
    assert_int_equal(team_try(&team, "/nowhere", NULL, reason), SP_ENOTFOUND);
    team_remove(&team);
    assert_int_equal(team_try(&team, NULL, "No Name", reason), SP_ENAME);
    team_remove(&team);
}

static enum sp_error refresh_list(const struct team *team, int64_t now_ms, bool *made)
{
    char reason[512] = "";
    const struct ca_refresh refresh = {.issuer_cert = team_path(team, "ca/issuing.pem"),
                                       .issuer_key = team_path(team, "ca/issuing-key.pem"),
                                       .now_ms = now_ms};

    return ca_crl_refresh(&refresh, team_path(team, "crl.pem"), made, reason, sizeof(reason));
}

static enum sp_error refresh_server(const struct team *team, int64_t now_ms, bool *made)
{
    char reason[512] = "";
    const struct ca_refresh refresh = {.issuer_cert = team_path(team, "ca/issuing.pem"),
                                       .issuer_key = team_path(team, "ca/issuing-key.pem"),
                                       .now_ms = now_ms};

    return ca_server_refresh(&refresh, team->made.team, team_path(team, "crl.pem"),
                             team_path(team, "server/cert.pem"), made, reason, sizeof(reason));
}

/* A server that is looked after by nobody for most of a year is never locked out. */
static void test_fresh_for_long(void **state)
{
    struct team team;
    char reason[AUTHORITY_REASON_BYTES] = "";
    bool made = false;
    size_t before = 0;
    size_t revoked = 0;

    (void)state;
    team_make(&team, ADOPT);
    assert_int_equal(open_authority(&team, team.now_ms, &before, reason), SP_OK);
    assert_int_equal(refresh_list(&team, team.now_ms, &made), SP_OK);
    assert_false(made);
    assert_int_equal(refresh_server(&team, team.now_ms, &made), SP_OK);
    assert_false(made);
    for (int64_t day = 2; day < 300; day += 25) {
        int64_t now_ms = team.now_ms + day * DAY_MS;

        assert_int_equal(refresh_list(&team, now_ms, &made), SP_OK);
        assert_true(made);
        assert_int_equal(refresh_list(&team, now_ms, &made), SP_OK);
        assert_false(made);
        assert_int_equal(refresh_server(&team, now_ms, &made), SP_OK);
        if (open_authority(&team, now_ms, &revoked, reason) != SP_OK) {
            fail_msg("day %d: %s", (int)day, reason);
        }
        assert_int_equal(revoked, before);
    }
    assert_mode(&team, "crl.pem", 0644);
    /* The clock was wrong, and is right again. */
    assert_int_equal(refresh_list(&team, team.now_ms, &made), SP_OK);
    assert_true(made);
    team_remove(&team);
}

/* A list that another CA has made, one of the same name too, is none to go on from. */
static void test_no_list(void **state)
{
    struct team team;
    struct team other;
    bool made = true;

    (void)state;
    team_make(&team, NULL);
    team_make(&other, NULL);
    assert_int_equal(shell("cp %s %s", team_path(&other, "crl.pem"), team_path(&team, "crl.pem")),
                     0);
    assert_int_equal(refresh_list(&team, team.now_ms + 2 * DAY_MS, &made), SP_ENOCRL);
    assert_false(made);
    assert_int_equal(shell("cmp %s %s", team_path(&other, "crl.pem"), team_path(&team, "crl.pem")),
                     0);
    team_remove(&other);
    team_remove(&team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),     cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_adopt),   cmocka_unit_test(test_fresh_for_long),
        cmocka_unit_test(test_no_list),
    };
    return cmocka_run_group_tests_name("ca/team", tests, NULL, NULL);
}
