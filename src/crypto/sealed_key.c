#include "crypto/sealed_key.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/bytes.h"
#include "crypto/secret.h"

#define BEGIN_LINE "-----BEGIN SEALPOST SEALED KEY-----\n"
#define END_LINE "-----END SEALPOST SEALED KEY-----\n"
#define VERSION 1
#define HEADER_BYTES (1U + 4U + 4U + crypto_pwhash_SALTBYTES + crypto_secretbox_NONCEBYTES)
#define SEALED_BYTES (HEADER_BYTES + LIMIT_SEALED_PLAIN_BYTES + crypto_secretbox_MACBYTES)
#define LINE_CHARACTERS ((size_t)64)
#define BASE64_BYTES sodium_base64_ENCODED_LEN(SEALED_BYTES, sodium_base64_VARIANT_ORIGINAL)
#define BYTES_PER_KIB 1024

static_assert(sizeof(((struct sealed_key *)0)->salt) == crypto_pwhash_SALTBYTES &&
                  sizeof(((struct sealed_key *)0)->nonce) == crypto_secretbox_NONCEBYTES &&
                  sizeof(((struct sealed_key *)0)->sealed) ==
                      LIMIT_SEALED_PLAIN_BYTES + crypto_secretbox_MACBYTES,
              "sizes as in libsodium");
static_assert(sizeof(BEGIN_LINE) + sizeof(END_LINE) + BASE64_BYTES +
                      BASE64_BYTES / LINE_CHARACTERS + 1 <=
                  SEALED_TEXT_BYTES,
              "the text fits");

static bool cost_is_allowed(const struct sealed_key_cost *cost)
{
    const struct sealed_key_cost least = SEALED_COST_INTERACTIVE;
    const struct sealed_key_cost most = SEALED_COST_MODERATE;

    return cost->passes >= least.passes && cost->passes <= most.passes &&
           cost->memory_kib >= least.memory_kib && cost->memory_kib <= most.memory_kib;
}

/* ---- Text ---- */

static bool begins_with(struct slice text, const char *line)
{
    size_t size = strlen(line);

    return text.size >= size && memcmp(text.data, line, size) == 0;
}

bool sealed_key_is(struct slice text)
{
    return begins_with(text, BEGIN_LINE);
}

/* What stands between the two lines; empty when they are not there. */
static struct slice find_body(struct slice text)
{
    size_t begin = strlen(BEGIN_LINE);
    size_t end = strlen(END_LINE);

    if (!sealed_key_is(text) || text.size < begin + end ||
        memcmp(text.data + text.size - end, END_LINE, end) != 0) {
        return (struct slice){0};
    }
    return (struct slice){text.data + begin, text.size - begin - end};
}

static enum sp_error parse_bytes(const uint8_t *data, size_t size, struct sealed_key *out,
                                 char *reason, size_t capacity)
{
    struct reader reader;

    reader_init(&reader, data, size);
    if (reader_u8(&reader) != VERSION) {
        (void)snprintf(reason, capacity, "is sealed in a way that this version does not know");
        return SP_EKEY;
    }
    out->cost.passes = reader_u32(&reader);
    out->cost.memory_kib = reader_u32(&reader);
    reader_copy(&reader, out->salt, sizeof(out->salt));
    reader_copy(&reader, out->nonce, sizeof(out->nonce));
    out->sealed_size = reader_left(&reader);
    if (out->sealed_size > sizeof(out->sealed) || out->sealed_size <= crypto_secretbox_MACBYTES) {
        (void)snprintf(reason, capacity, "is a sealed key, but damaged");
        return SP_EKEY;
    }
    reader_copy(&reader, out->sealed, out->sealed_size);
    if (!cost_is_allowed(&out->cost)) {
        (void)snprintf(reason, capacity, "is a sealed key whose cost is out of bounds");
        return SP_EKEY;
    }
    return SP_OK;
}

enum sp_error sealed_key_parse(struct slice text, struct sealed_key *out, char *reason,
                               size_t capacity)
{
    uint8_t bytes[SEALED_BYTES];
    struct slice body = find_body(text);
    size_t size = 0;
    enum sp_error error = SP_EKEY;

    *out = (struct sealed_key){0};
    if (secret_init() != SP_OK) {
        return SP_EINTERNAL;
    }
    (void)snprintf(reason, capacity, "is a sealed key, but damaged");
    /* With no end to be told, all of it must be base 64. */
    if (body.size > 0 &&
        sodium_base642bin(bytes, sizeof(bytes), (const char *)body.data, body.size, "\n", &size,
                          NULL, sodium_base64_VARIANT_ORIGINAL) == 0) {
        error = parse_bytes(bytes, size, out, reason, capacity);
    }
    if (error != SP_OK) {
        *out = (struct sealed_key){0};
    }
    return error;
}

/* BYTES as text between the two lines. */
static void write_text(const uint8_t *bytes, size_t size, char out[SEALED_TEXT_BYTES])
{
    char base64[BASE64_BYTES];
    size_t left = 0;
    char *at = stpcpy(out, BEGIN_LINE);

    (void)sodium_bin2base64(base64, sizeof(base64), bytes, size, sodium_base64_VARIANT_ORIGINAL);
    left = strlen(base64);
    for (const char *from = base64; left > 0;) {
        size_t line = left < LINE_CHARACTERS ? left : LINE_CHARACTERS;

        memcpy(at, from, line);
        at += line;
        from += line;
        left -= line;
        *at++ = '\n';
    }
    (void)stpcpy(at, END_LINE);
}

/* ---- Sealing ---- */

/* The key that PASSPHRASE makes. SP_ENOMEM: also when there is not so much memory as it costs. */
static enum sp_error derive(const struct sealed_key *sealed, struct slice passphrase,
                            struct secret **out)
{
    enum sp_error error = secret_new(crypto_secretbox_KEYBYTES, out);

    if (error == SP_OK &&
        crypto_pwhash((*out)->data, crypto_secretbox_KEYBYTES, (const char *)passphrase.data,
                      passphrase.size, sealed->salt, sealed->cost.passes,
                      (size_t)sealed->cost.memory_kib * BYTES_PER_KIB,
                      crypto_pwhash_ALG_ARGON2ID13) != 0) {
        secret_free(*out);
        *out = NULL;
        error = SP_ENOMEM;
    }
    return error;
}

enum sp_error sealed_key_seal(struct slice key, struct slice passphrase,
                              const struct sealed_key_cost *cost, char out[SEALED_TEXT_BYTES])
{
    uint8_t bytes[SEALED_BYTES];
    struct sealed_key sealed = {.cost = *cost};
    struct secret *derived = NULL;
    struct writer writer;
    enum sp_error error = SP_OK;

    out[0] = '\0';
    if (passphrase.size == 0) {
        return SP_EPASSPHRASE;
    }
    if (!cost_is_allowed(cost)) {
        return SP_EINVALID;
    }
    if (key.size == 0 || key.size > LIMIT_SEALED_PLAIN_BYTES) {
        return SP_ETOOLARGE;
    }
    error = secret_init();
    if (error != SP_OK) {
        return error;
    }
    random_bytes(sealed.salt, sizeof(sealed.salt));
    random_bytes(sealed.nonce, sizeof(sealed.nonce));
    error = derive(&sealed, passphrase, &derived);
    if (error != SP_OK) {
        return error;
    }
    (void)crypto_secretbox_easy(sealed.sealed, key.data, key.size, sealed.nonce, derived->data);
    secret_free(derived);
    writer_init(&writer, bytes, sizeof(bytes));
    writer_u8(&writer, VERSION);
    writer_u32(&writer, cost->passes);
    writer_u32(&writer, cost->memory_kib);
    writer_copy(&writer, sealed.salt, sizeof(sealed.salt));
    writer_copy(&writer, sealed.nonce, sizeof(sealed.nonce));
    writer_copy(&writer, sealed.sealed, key.size + crypto_secretbox_MACBYTES);
    error = writer_finish(&writer);
    if (error == SP_OK) {
        write_text(bytes, writer_used(&writer), out);
    }
    return error;
}

enum sp_error sealed_key_open(struct slice text, struct slice passphrase, struct secret **out,
                              char *reason, size_t capacity)
{
    struct sealed_key sealed;
    struct secret *derived = NULL;
    enum sp_error error = sealed_key_parse(text, &sealed, reason, capacity);

    *out = NULL;
    if (error != SP_OK) {
        return error;
    }
    error = derive(&sealed, passphrase, &derived);
    if (error == SP_OK) {
        error = secret_new(sealed.sealed_size - crypto_secretbox_MACBYTES, out);
    }
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "needs %u MiB of memory to be opened, which there are not",
                       sealed.cost.memory_kib / BYTES_PER_KIB);
    } else if (crypto_secretbox_open_easy((*out)->data, sealed.sealed, sealed.sealed_size,
                                          sealed.nonce, derived->data) != 0) {
        (void)snprintf(reason, capacity, "does not open: the passphrase is wrong");
        secret_free(*out);
        *out = NULL;
        error = SP_EPASSPHRASE;
    }
    secret_free(derived);
    return error;
}
