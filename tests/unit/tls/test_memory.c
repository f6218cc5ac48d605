/* What an idle connection costs the server: counted, and held to a limit. */
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "unit/tls/support.h"

#define CONNECTIONS 100

/* Of these OpenSSL takes all but 600: 7,600 for its SSL, 4,000 or so for the client's certificate
 * as it has parsed it. With malloc's own overhead. */
#define LIMIT_IDLE_BYTES ((size_t)22 * 1024)

/* Sanitizers have an allocator of their own, which counts nothing here. */
static size_t allocated_bytes(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static void test_idle_connection(void **state)
{
    struct authority *server = NULL;
    struct authority *client = NULL;
    struct pair pairs[CONNECTIONS + 1];
    size_t before = 0;
    size_t each = 0;

    (void)state;
    if (allocated_bytes() == 0) {
        skip();
    }
    server = server_authority(NULL);
    client = client_authority("members/alice", NULL);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        if (i == 1) {
            before = allocated_bytes(); /* the first one pays for what is made once */
        }
        pair_open_streams(&pairs[i], authority_ref(server), authority_ref(client), "localhost");
        pair_connect(&pairs[i]);
        assert_transfer(pairs[i].client, pairs[i].server, 50000, STREAM_RECORD_BYTES);
        assert_transfer(pairs[i].server, pairs[i].client, 50000, STREAM_RECORD_BYTES);
        stream_free(pairs[i].client);
        pairs[i].client = NULL;
    }
    each = (allocated_bytes() - before) / CONNECTIONS;
    print_message("an idle connection takes %zu bytes\n", each);
    assert_true(each <= LIMIT_IDLE_BYTES);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        pair_close(&pairs[i]);
    }
    authority_unref(server);
    authority_unref(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
