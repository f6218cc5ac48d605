/* Addresses: what counts, what is forgotten, whose room is whose. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "server/address.h"

static struct sockaddr_storage parse(const char *text)
{
    struct sockaddr_storage storage;
    memset(&storage, 0, sizeof storage);
    if (strchr(text, ':') != NULL) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&storage;
        in6->sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)&storage;
        in->sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
    }
    return storage;
}

static enum sp_error take(struct address_table *table, const char *text, int64_t now_ms,
                          struct address **out)
{
    struct sockaddr_storage storage = parse(text);
    return address_take(table, &storage, now_ms, out);
}

static void only_the_unauthenticated_count(void **state)
{
    (void)state;
    struct address_table *table = NULL;
    struct address *held[LIMIT_UNAUTHENTICATED_PER_ADDRESS];
    struct address *one = NULL;
    assert_int_equal(address_table_new(&table), SP_OK);
    /* An office: thousands log in, one after the other, and stay. */
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(take(table, "192.0.2.1", 0, &one), SP_OK);
        address_release(table, one, false, 0);
    }
    for (size_t i = 0; i < LIMIT_UNAUTHENTICATED_PER_ADDRESS; i++) {
        assert_int_equal(take(table, "192.0.2.1", 0, &held[i]), SP_OK);
    }
    assert_int_equal(take(table, "192.0.2.1", 0, &one), SP_EBUSY);
    assert_null(one);
    assert_int_equal(take(table, "192.0.2.2", 0, &one), SP_OK);
    address_release(table, one, false, 0);
    address_release(table, held[0], false, 0);
    assert_int_equal(take(table, "192.0.2.1", 0, &held[0]), SP_OK);
    for (size_t i = 0; i < LIMIT_UNAUTHENTICATED_PER_ADDRESS; i++) {
        address_release(table, held[i], false, 0);
    }
    assert_int_equal(address_table_count(table), 0);
    address_table_free(table);
}

static void failures_count_and_are_forgotten(void **state)
{
    (void)state;
    struct address_table *table = NULL;
    struct address *one = NULL;
    assert_int_equal(address_table_new(&table), SP_OK);
    for (int i = 0; i < LIMIT_FAILURES_PER_ADDRESS; i++) {
        assert_int_equal(take(table, "2001:db8::1", 0, &one), SP_OK);
        address_release(table, one, true, 0);
    }
    assert_int_equal(take(table, "2001:db8::1", 0, &one), SP_EBUSY);
    assert_int_equal(take(table, "2001:db8::ffff", 0, &one), SP_EBUSY); /* the same network */
    assert_int_equal(take(table, "2001:db8:0:1::1", 0, &one), SP_OK);
    address_release(table, one, false, 0);
    assert_int_equal(take(table, "2001:db8::1", 999, &one), SP_OK);
    address_release(table, one, true, 1000);
    assert_int_equal(take(table, "2001:db8::1", 1000, &one), SP_EBUSY);
    address_table_sweep(table, (LIMIT_FAILURES_PER_ADDRESS + 1) * 1000);
    assert_int_equal(address_table_count(table), 0);
    address_table_free(table);
}

static void a_mapped_address_is_the_same(void **state)
{
    (void)state;
    struct address_table *table = NULL;
    struct address *a = NULL;
    struct address *b = NULL;
    assert_int_equal(address_table_new(&table), SP_OK);
    assert_int_equal(take(table, "192.0.2.1", 0, &a), SP_OK);
    assert_int_equal(take(table, "::ffff:192.0.2.1", 0, &b), SP_OK);
    assert_ptr_equal(a, b);
    address_release(table, a, false, 0);
    address_release(table, b, false, 0);
    address_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_unauthenticated_count),
        cmocka_unit_test(failures_count_and_are_forgotten),
        cmocka_unit_test(a_mapped_address_is_the_same),
    };
    return cmocka_run_group_tests_name("server/address", tests, NULL, NULL);
}
