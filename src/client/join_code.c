/* Join codes for who invites and for who looks before joining: sealpost/join.h over
 * base/join_code.h. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/join_code.h"
#include "client/enrol.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "sealpost/join.h"
#include "tls/enrol.h"

#define SECRET_LABEL "sealpost join secret 1"

static_assert(SP_JOIN_SECRET_BYTES == JOIN_SECRET_BYTES &&
                  SP_JOIN_FINGERPRINT_BYTES == JOIN_FINGERPRINT_BYTES &&
                  SP_JOIN_HOST_BYTES == LIMIT_HOST_BYTES + 1 &&
                  SP_JOIN_LABEL_BYTES == LIMIT_LABEL_BYTES &&
                  SP_JOIN_CODE_TEXT_BYTES >= LIMIT_JOIN_CODE_BYTES,
              "the public header says what limits.h does");

enum sp_error enrol_secret_digest(const uint8_t secret[JOIN_SECRET_BYTES], struct digest *out)
{
    /* The label's NUL is part of what is hashed. */
    const struct slice parts[] = {{(const uint8_t *)SECRET_LABEL, sizeof SECRET_LABEL},
                                  {secret, JOIN_SECRET_BYTES}};

    return digest_of(parts, COUNT_OF(parts), out);
}

enum sp_error sp_join_secret_new(uint8_t secret[SP_JOIN_SECRET_BYTES], uint8_t digest[32])
{
    struct digest made = {{0}};
    enum sp_error error = secret_init();

    memset(digest, 0, sizeof made.bytes);
    memset(secret, 0, SP_JOIN_SECRET_BYTES);
    if (error == SP_OK) {
        random_bytes(secret, SP_JOIN_SECRET_BYTES);
        error = enrol_secret_digest(secret, &made);
    }
    if (error == SP_OK) {
        memcpy(digest, made.bytes, sizeof made.bytes);
    }
    return error;
}

enum sp_error sp_join_code_make(const char *host, uint16_t port, const char *ca_file,
                                const uint8_t secret[SP_JOIN_SECRET_BYTES],
                                char code[SP_JOIN_CODE_TEXT_BYTES], char *message, size_t capacity)
{
    struct join_code made = {.port = port == 0 ? DEFAULT_PORT : port};
    struct digest root;
    enum sp_error error = enrol_root_fingerprint(ca_file, &root, message, capacity);

    code[0] = '\0';
    if (error == SP_OK && strlen(host) > LIMIT_HOST_BYTES) {
        error = SP_EINVALID;
    } else if (error == SP_OK) {
        (void)snprintf(made.host, sizeof made.host, "%s", host);
        memcpy(made.fingerprint, root.bytes, sizeof made.fingerprint);
        memcpy(made.secret, secret, sizeof made.secret);
        error = join_code_format(&made, code, SP_JOIN_CODE_TEXT_BYTES);
    }
    if (error == SP_EINVALID) {
        (void)snprintf(message, capacity,
                       "the server's name '%.*s' cannot stand in a join code: a host name or an "
                       "address is needed",
                       LIMIT_HOST_BYTES, host);
    }
    secret_wipe(&made, sizeof made);
    return error;
}

enum sp_error sp_join_code_read(const char *code, size_t size, struct sp_join_code *out,
                                char *message, size_t capacity)
{
    struct join_code read;
    enum sp_error error = enrol_code_read(code, size, &read, message, capacity);

    *out = (struct sp_join_code){0};
    if (error == SP_OK) {
        memcpy(out->host, read.host, sizeof out->host);
        out->port = read.port;
        memcpy(out->fingerprint, read.fingerprint, sizeof out->fingerprint);
    }
    secret_wipe(&read, sizeof read);
    return error;
}
