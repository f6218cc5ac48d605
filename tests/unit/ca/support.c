#include "unit/ca/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/clock.h"

const char *team_path(const struct team *team, const char *name)
{
    static char paths[8][PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % COUNT_OF(paths)];

    (void)snprintf(path, PATH_BYTES, "%s/%s", team->directory, name);
    return path;
}

enum sp_error team_try(struct team *team, const char *adopt, const char *name, char *reason)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    struct ca_hosts hosts = {0};
    const struct ca_team_order order = {
        .directory = team->directory,
        .team = name,
        .hosts = &hosts,
        .adopt = adopt,
        .now_ms = clock_wall_ms(clock_system()),
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(ca_hosts_add(&hosts, names[i], strlen(names[i]), reason, 128), SP_OK);
    }
    (void)strcpy(team->directory, "/tmp/sealpost-ca-XXXXXX");
    assert_non_null(mkdtemp(team->directory));
    team->now_ms = order.now_ms;
    return ca_team_make(&order, &team->made, reason, CA_TEAM_REASON_BYTES);
}

void team_make(struct team *team, const char *adopt)
{
    char reason[CA_TEAM_REASON_BYTES] = "";

    if (team_try(team, adopt, adopt == NULL ? "ours" : NULL, reason) != SP_OK) {
        fail_msg("%s", reason);
    }
}

void team_remove(struct team *team)
{
    assert_int_equal(shell("rm -r %s", team->directory), 0);
}

struct issuer *team_issuer(const struct team *team)
{
    char reason[AUTHORITY_REASON_BYTES] = "";
    struct issuer *issuer = NULL;
    const struct issuer_config config = {
        .team = team->made.team,
        .cert_file = team_path(team, "ca/issuing.pem"),
        .key_file = team_path(team, "ca/issuing-key.pem"),
        .ca_file = team_path(team, "ca.pem"),
    };

    if (issuer_new(&config, &issuer, reason, sizeof(reason)) != SP_OK) {
        fail_msg("%s", reason);
    }
    return issuer;
}

size_t request_of(struct evp_pkey_st *key, const char *digest, uint8_t *out, size_t capacity)
{
    X509_REQ *request = X509_REQ_new();
    bool is_ed25519 = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
    const EVP_MD *used = digest == NULL ? EVP_sha256() : EVP_get_digestbyname(digest);
    unsigned char *at = out;
    int size = 0;

    assert_int_equal(X509_REQ_set_pubkey(request, key), 1);
    assert_true(X509_REQ_sign(request, key, is_ed25519 ? NULL : used) > 0);
    size = i2d_X509_REQ(request, NULL);
    assert_true(size > 0 && (size_t)size <= capacity);
    assert_int_equal(i2d_X509_REQ(request, &at), size);
    X509_REQ_free(request);
    return (size_t)size;
}

int shell(const char *format, ...)
{
    char command[4 * PATH_BYTES];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    return system(command); /* NOLINT(cert-env33-c): of a test */
}
