/*
 * Memory runs out while the server shakes hands with a member whose certificate is good: at every
 * allocation, or every seventh, once and for good. The server may give up, and then says why; it
 * never says that something is wrong with the certificate, neither in its log nor, as far as it is
 * asked, to the member.
 */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/openssl.h"
#include "unit/tls/support.h"

#define STEPS 200

static struct {
    unsigned count; /* allocations while armed */
    unsigned first; /* the one that fails; 0: none */
    bool for_good;  /* and all behind it */
    bool armed;
    unsigned mistold;
} memory;

static bool fails(void)
{
    if (!memory.armed) {
        return false;
    }
    memory.count++;
    return memory.first != 0 &&
           (memory.for_good ? memory.count >= memory.first : memory.count == memory.first);
}

/* The linker calls these by names that are not ours to choose. */
void *__real_malloc(size_t size);             /* NOLINT */
void *__real_realloc(void *old, size_t size); /* NOLINT */
void *__wrap_malloc(size_t size);             /* NOLINT */
void *__wrap_realloc(void *old, size_t size); /* NOLINT */

void *__wrap_malloc(size_t size) /* NOLINT */
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *old, size_t size) /* NOLINT */
{
    return fails() ? NULL : __real_realloc(old, size);
}

static void handshake(struct pair *pair)
{
    uint8_t byte = 0;
    size_t size = 0;

    for (int i = 0;
         i < STEPS && (pair->server_result == SP_EAGAIN || pair->client_result == SP_EAGAIN); i++) {
        if (pair->client_result == SP_EAGAIN) {
            pair->client_result = stream_handshake(pair->client);
        }
        (void)!stream_flush(pair->client);
        memory.armed = true;
        if (pair->server_result == SP_EAGAIN) {
            pair->server_result = stream_handshake(pair->server);
        }
        memory.armed = false;
        (void)!stream_flush(pair->server);
    }
    if (pair->client_result == SP_OK) {
        pair->client_result = stream_read(pair->client, &byte, 1, &size);
    }
}

static bool is_about_certificate(enum sp_error error)
{
    return error >= SP_ECERT && error <= SP_ENOTADMITTED;
}

/*
 * Whether it came to the failure. In a few places OpenSSL itself tells the client that the
 * certificate is unknown, before we are asked; the server knows better, and does not count it.
 */
static bool try_one(struct authority *server, struct authority *client, unsigned first,
                    bool for_good, unsigned *refused)
{
    struct pair pair;

    memory.count = 0;
    memory.first = first;
    memory.for_good = for_good;
    pair_open_streams(&pair, authority_ref(server), authority_ref(client), "localhost");
    handshake(&pair);
    bool reached = memory.count >= first;
    bool mistold = is_about_certificate(pair.client_result);
    memory.mistold += mistold;
    if (is_about_certificate(pair.server_result) ||
        (mistold && (pair.server_result != SP_ENOMEM || pair.client_result != SP_EIDENTITY)) ||
        (pair.server_result != SP_OK && sp_error_class(pair.server_result) == SP_CLASS_REFUSED)) {
        fail_msg("allocation %u%s: server: %s (%s), client: %s (%s)", first,
                 for_good ? " and all behind it" : "", sp_error_name(pair.server_result),
                 stream_reason(pair.server), sp_error_name(pair.client_result),
                 stream_reason(pair.client));
    }
    *refused += pair.server_result != SP_OK;
    pair_close(&pair);
    return reached;
}

static void test_handshake(void **state)
{
    const unsigned *stride = *state;
    struct authority *server = server_authority(NULL);
    struct authority *client = client_authority("members/alice", NULL);
    unsigned tried = 0;
    unsigned refused = 0;

    assert_false(try_one(server, client, 1000000, false, &refused)); /* what is made once */
    assert_int_equal(refused, 0);
    for (int for_good = 0; for_good < 2; for_good++) {
        for (unsigned first = 1; try_one(server, client, first, for_good == 1, &refused);
             first += *stride) {
            tried++;
        }
    }
    print_message(
        "%u handshakes without memory, of which the server gave up %u; OpenSSL misled the "
        "client in %u\n",
        tried, refused, memory.mistold);
    assert_true(tried > 2000 / *stride);
    assert_true(refused > tried / 2);
    assert_true(memory.mistold < 10);
    assert_false(try_one(server, client, 1000000, false, &refused));
    authority_unref(server);
    authority_unref(client);
}

/* The argument: every so many allocations; 1: all of them. */
int main(int argc, char **argv)
{
    unsigned stride = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 7;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_handshake, &stride),
    };

    if (openssl_watch_memory() != SP_OK) {
        (void)fprintf(stderr, "OpenSSL has allocated already\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
