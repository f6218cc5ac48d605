#include "server/address.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"

struct address_key {
    uint8_t bytes[8]; /* IPv6: its first 64 bits; IPv4: 0, 0, 0, 1 and the address */
};

struct address {
    struct address_key key;
    unsigned unauthenticated;
    int64_t failures_milli;      /* failures times 1,000; one is forgotten a second */
    int64_t join_failures_milli; /* wrong join codes, likewise */
    int64_t forgotten_ms;        /* up to when that was done */
    UT_hash_handle hh;
};

struct address_table {
    struct address *addresses;
};

enum sp_error address_table_new(struct address_table **out)
{
    *out = calloc(1, sizeof **out);
    return *out == NULL ? SP_ENOMEM : SP_OK;
}

static void drop(struct address_table *table, struct address *address)
{
    HASH_DEL(table->addresses, address);
    free(address);
}

void address_table_free(struct address_table *table)
{
    if (table == NULL) {
        return;
    }
    struct address *address = NULL;
    struct address *next = NULL;
    HASH_ITER (hh, table->addresses, address, next) {
        drop(table, address);
    }
    free(table);
}

static struct address_key key_of(const struct sockaddr_storage *sockaddr)
{
    struct address_key key = {{0}};
    if (sockaddr->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sockaddr;
        key.bytes[3] = 1;
        memcpy(key.bytes + 4, &in->sin_addr, 4);
        return key;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sockaddr;
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        key.bytes[3] = 1;
        memcpy(key.bytes + 4, in6->sin6_addr.s6_addr + 12, 4);
    } else {
        memcpy(key.bytes, in6->sin6_addr.s6_addr, sizeof key.bytes);
    }
    return key;
}

static void reduce(int64_t *milli, int64_t by)
{
    *milli -= by < *milli ? by : *milli;
}

static void forget(struct address *address, int64_t now_ms)
{
    int64_t elapsed_ms = now_ms - address->forgotten_ms;
    address->forgotten_ms = now_ms;
    reduce(&address->failures_milli, elapsed_ms);
    reduce(&address->join_failures_milli, elapsed_ms);
}

static bool is_forgotten(const struct address *address)
{
    return address->unauthenticated == 0 && address->failures_milli == 0 &&
           address->join_failures_milli == 0;
}

enum sp_error address_take(struct address_table *table, const struct sockaddr_storage *sockaddr,
                           int64_t now_ms, struct address **out)
{
    *out = NULL;
    struct address_key key = key_of(sockaddr);
    struct address *address = NULL;
    HASH_FIND(hh, table->addresses, &key, sizeof key, address);
    if (address == NULL) {
        address = calloc(1, sizeof *address);
        if (address == NULL) {
            return SP_ENOMEM;
        }
        address->key = key;
        address->forgotten_ms = now_ms;
        HASH_ADD(hh, table->addresses, key, sizeof address->key, address);
        if (!TABLE_ADDED(address, hh)) {
            free(address);
            return SP_ENOMEM;
        }
    }
    forget(address, now_ms);
    if (address->unauthenticated >= LIMIT_UNAUTHENTICATED_PER_ADDRESS ||
        address->failures_milli >= LIMIT_FAILURES_PER_ADDRESS * INT64_C(1000)) {
        return SP_EBUSY;
    }
    address->unauthenticated++;
    *out = address;
    return SP_OK;
}

void address_release(struct address_table *table, struct address *address, bool failed,
                     int64_t now_ms)
{
    address->unauthenticated--;
    forget(address, now_ms);
    if (failed) {
        address->failures_milli += 1000;
    } else if (is_forgotten(address)) {
        drop(table, address);
    }
}

bool address_may_join(struct address *address, int64_t now_ms)
{
    forget(address, now_ms);
    return address->join_failures_milli < LIMIT_JOIN_FAILURES_PER_ADDRESS * INT64_C(1000);
}

void address_join_failed(struct address *address, int64_t now_ms)
{
    forget(address, now_ms);
    address->join_failures_milli += 1000;
}

void address_table_sweep(struct address_table *table, int64_t now_ms)
{
    struct address *address = NULL;
    struct address *next = NULL;
    HASH_ITER (hh, table->addresses, address, next) {
        forget(address, now_ms);
        if (is_forgotten(address)) {
            drop(table, address);
        }
    }
}

size_t address_table_count(const struct address_table *table)
{
    return HASH_COUNT(table->addresses);
}
