/* A device's own side of joining, against a real issuing CA: what it makes, and what it lets pass;
 * and its key under a passphrase. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "crypto/sealed_key.h"
#include "crypto/secret.h"
#include "tls/enrol.h"
#include "unit/ca/support.h"

/* A device that has asked and been answered. */
struct device {
    struct secret *key;
    uint8_t chain[16384];
    struct enrol_answer answer;
    char *root; /* DER; owned */
};

static struct team team;
static struct team other;
static struct device device;

static struct slice read_der(const struct team *of, const char *name, char **out)
{
    char reason[256];
    size_t size = 0;

    assert_int_equal(shell("openssl x509 -in %s -outform DER -out %s", team_path(of, name),
                           team_path(of, "out.der")),
                     0);
    assert_int_equal(file_read(team_path(of, "out.der"), 65536, out, &size, reason, sizeof reason),
                     SP_OK);
    return (struct slice){(const uint8_t *)*out, size};
}

static int set_up(void **state)
{
    uint8_t request[LIMIT_REQUEST_BYTES];
    char reason[256];
    size_t size = 0;
    struct issuer_chain chain = {.der = device.chain, .capacity = sizeof device.chain};

    (void)state;
    team_make(&team, NULL);
    team_make(&other, NULL);
    struct issuer *issuer = team_issuer(&team);
    assert_int_equal(enrol_key_new(&device.key), SP_OK);
    assert_int_equal(enrol_request(device.key, request, &size), SP_OK);
    assert_int_equal(issuer_issue(issuer, (struct slice){request, size}, "ann", team.now_ms, &chain,
                                  reason, sizeof reason),
                     SP_OK);
    issuer_free(issuer);
    device.answer = (struct enrol_answer){
        .key = device.key,
        .root = read_der(&team, "ca/root.pem", &device.root),
        .issued = {device.chain, chain.size},
        .team = "ours",
        .username = "ann",
        .wall_ms = team.now_ms,
    };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(device.root);
    secret_free(device.key);
    team_remove(&team);
    team_remove(&other);
    return 0;
}

/* What comes of ANSWER; a sentence comes with every refusal. */
static enum sp_error check(const struct enrol_answer *answer)
{
    struct enrol_files files;
    char reason[256] = "";
    enum sp_error error = enrol_check(answer, &files, reason, sizeof reason);

    assert_int_equal(error == SP_OK, reason[0] == '\0');
    assert_int_equal(error == SP_OK, files.chain != NULL && files.root != NULL);
    enrol_files_deinit(&files);
    return error;
}

static void test_what_is_ours(void **state)
{
    struct enrol_files files;
    char reason[256];

    (void)state;
    assert_int_equal(enrol_check(&device.answer, &files, reason, sizeof reason), SP_OK);
    assert_string_equal(files.info.username, "ann");
    assert_string_equal(files.info.team, "ours");
    assert_memory_equal(files.chain, "-----BEGIN CERTIFICATE-----\n", 28);
    assert_non_null(strstr(files.chain + 28, "-----BEGIN CERTIFICATE-----\n")); /* the issuing CA */
    assert_null(strstr(files.root + 28, "-----BEGIN CERTIFICATE-----\n"));
    enrol_files_deinit(&files);
}

static void test_a_certificate_for_another_key(void **state)
{
    struct enrol_answer answer = device.answer;
    struct secret *key = NULL;

    (void)state;
    assert_int_equal(enrol_key_new(&key), SP_OK);
    assert_int_not_equal(memcmp(key->data, device.key->data, key->size), 0);
    answer.key = key;
    assert_int_equal(check(&answer), SP_EKEY);
    secret_free(key);
}

static void test_names_that_were_not_said(void **state)
{
    struct enrol_answer answer = device.answer;

    (void)state;
    answer.username = "bob";
    assert_int_equal(check(&answer), SP_EIDENTITY);
    answer.username = "ann";
    answer.team = "theirs";
    assert_int_equal(check(&answer), SP_EIDENTITY);
}

/* Another authority of the same name. */
static void test_another_root(void **state)
{
    struct enrol_answer answer = device.answer;
    char *root = NULL;

    (void)state;
    answer.root = read_der(&other, "ca/root.pem", &root);
    assert_int_equal(check(&answer), SP_EUNTRUSTED);
    free(root);
}

static void test_times(void **state)
{
    struct enrol_answer answer = device.answer;

    (void)state;
    answer.wall_ms = team.now_ms - DAY_MS;
    assert_int_equal(check(&answer), SP_ENOTYET);
    answer.wall_ms = team.now_ms + 91 * DAY_MS;
    assert_int_equal(check(&answer), SP_EEXPIRED);
}

/* Cut anywhere but between the two certificates, or with anything behind it, it cannot be read; and
 * without its issuing CA it leads nowhere. */
static void test_every_truncation(void **state)
{
    struct enrol_answer answer = device.answer;
    size_t whole = device.answer.issued.size;
    size_t without_ca = 0;

    (void)state;
    for (size_t size = 0; size < whole; size++) {
        answer.issued.size = size;
        enum sp_error error = check(&answer);
        without_ca += error == SP_EUNTRUSTED ? 1 : 0;
        assert_true(error == SP_ECERT || error == SP_EUNTRUSTED);
    }
    assert_int_equal(without_ca, 1);
    answer.issued.size = whole + 1;
    assert_int_equal(check(&answer), SP_ECERT);
    answer = device.answer;
    answer.root.size--;
    assert_int_equal(check(&answer), SP_ECERT);
    answer.root = (struct slice){NULL, 0};
    assert_int_equal(check(&answer), SP_ECERT);
}

/* ---- The key under a passphrase, as a client loads it ---- */

struct asker {
    const char *passphrase; /* NULL: there is none to be had */
    unsigned asked;
};

static enum sp_error give(void *context, const char *path, char *out, size_t capacity)
{
    struct asker *asker = context;

    asker->asked++;
    assert_non_null(strstr(path, "key.pem"));
    if (asker->passphrase == NULL) {
        return SP_EPASSPHRASE;
    }
    (void)snprintf(out, capacity, "%s", asker->passphrase);
    return SP_OK;
}

static void write_files(struct slice key)
{
    struct enrol_files files;
    char reason[256];
    const char *const names[] = {"cert.pem", "ca-client.pem", "key.pem"};

    assert_int_equal(enrol_check(&device.answer, &files, reason, sizeof reason), SP_OK);
    const struct slice contents[] = {slice_of_string(files.chain), slice_of_string(files.root),
                                     key};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)remove(team_path(&team, names[i]));
        assert_int_equal(file_write_new(team_path(&team, names[i]), 0600, contents[i].data,
                                        contents[i].size, reason, sizeof reason),
                         SP_OK);
    }
    enrol_files_deinit(&files);
}

static enum sp_error load(struct asker *asker)
{
    struct authority *authority = NULL;
    char reason[512] = "";
    const struct authority_client_config config = {
        .ca_file = team_path(&team, "ca-client.pem"),
        .cert_file = team_path(&team, "cert.pem"),
        .key_file = team_path(&team, "key.pem"),
        .passphrase = asker != NULL ? give : NULL,
        .passphrase_context = asker,
        .clock = clock_system(),
    };
    enum sp_error error = authority_new_client(&config, &authority, reason, sizeof reason);

    assert_int_equal(error == SP_OK, authority != NULL);
    if (error != SP_OK) {
        assert_non_null(strstr(reason, "key.pem"));
    }
    authority_unref(authority);
    return error;
}

static void test_a_sealed_key(void **state)
{
    const struct sealed_key_cost cost = SEALED_COST_INTERACTIVE;
    static char sealed[SEALED_TEXT_BYTES];
    struct asker asker = {.passphrase = "open sesame"};

    (void)state;
    write_files((struct slice){device.key->data, device.key->size});
    assert_int_equal(load(&asker), SP_OK);
    assert_int_equal(asker.asked, 0); /* one that is not sealed needs nothing */
    assert_int_equal(sealed_key_seal((struct slice){device.key->data, device.key->size},
                                     slice_of_string("open sesame"), &cost, sealed),
                     SP_OK);
    write_files(slice_of_string(sealed));
    assert_int_equal(load(&asker), SP_OK);
    assert_int_equal(asker.asked, 1);
    asker.passphrase = "open barley";
    assert_int_equal(load(&asker), SP_EPASSPHRASE);
    asker.passphrase = NULL;
    assert_int_equal(load(&asker), SP_EPASSPHRASE);
    assert_int_equal(load(NULL), SP_EPASSPHRASE);
    sealed[strlen(sealed) - 40] = '*';
    write_files(slice_of_string(sealed));
    asker.passphrase = "open sesame";
    assert_int_equal(load(&asker), SP_EKEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_ours),
        cmocka_unit_test(test_a_certificate_for_another_key),
        cmocka_unit_test(test_names_that_were_not_said),
        cmocka_unit_test(test_another_root),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_a_sealed_key),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
