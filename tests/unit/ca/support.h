/* What the tests of src/ca share: a team in a directory of its own, and requests. */
#ifndef TESTS_UNIT_CA_SUPPORT_H
#define TESTS_UNIT_CA_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ca/issuer.h"
#include "ca/team.h"
#include "tls/authority.h"

#define PATH_BYTES 512
#define DAY_MS INT64_C(86400000)

struct evp_pkey_st;

struct team {
    char directory[64];
    struct ca_team made;
    int64_t now_ms;
};

/* A team "ours" for localhost, 127.0.0.1 and ::1, or one that is adopted. */
enum sp_error team_try(struct team *team, const char *adopt, const char *name, char *reason);
void team_make(struct team *team, const char *adopt);
void team_remove(struct team *team);
/* DIRECTORY/NAME, in a buffer that the next but seven calls use again. */
const char *team_path(const struct team *team, const char *name);

struct issuer *team_issuer(const struct team *team);

/* A request for KEY in DER; its size. DIGEST NULL: SHA-256; of Ed25519 it does not matter. */
size_t request_of(struct evp_pkey_st *key, const char *digest, uint8_t *out, size_t capacity);

/* Whether a shell command succeeds. */
int shell(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

#endif
