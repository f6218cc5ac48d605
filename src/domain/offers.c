#include "domain/offers.h"

#include <stdlib.h>

#include "base/table.h"

#define PENDING_OFFERS (LIMIT_SESSIONS * LIMIT_TRANSFERS_PER_SESSION)

struct offer_key {
    int64_t device;
    struct id client_id;
};

struct offer {
    struct offer_key key;
    uint64_t batch;
    UT_hash_handle handle;
};

static struct offer *find(const struct offers *offers, int64_t device, const struct id *client_id)
{
    struct offer_key key = {device, *client_id};
    struct offer *offer = NULL;

    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): the key has no padding */
    HASH_FIND(handle, offers->pending, &key, sizeof key, offer);
    return offer;
}

static void drop(struct offers *offers, struct offer *offer)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed is in no list any more */
    HASH_DELETE(handle, offers->pending, offer);
    free(offer);
}

enum sp_error offers_add(struct offers *offers, int64_t device, const struct id *client_id,
                         uint64_t batch)
{
    struct offer *offer = NULL;

    if (find(offers, device, client_id) != NULL) {
        return SP_EBUSY;
    }
    if (HASH_CNT(handle, offers->pending) >= PENDING_OFFERS) {
        return SP_ELIMIT;
    }
    offer = calloc(1, sizeof *offer);
    if (offer == NULL) {
        return SP_ENOMEM;
    }
    offer->key.device = device;
    offer->key.client_id = *client_id;
    offer->batch = batch;
    HASH_ADD(handle, offers->pending, key, sizeof offer->key, offer);
    if (!TABLE_ADDED(offer, handle)) {
        free(offer);
        return SP_ENOMEM;
    }
    return SP_OK;
}

void offers_remove(struct offers *offers, int64_t device, const struct id *client_id)
{
    struct offer *offer = find(offers, device, client_id);

    if (offer != NULL) {
        drop(offers, offer);
    }
}

void offers_undo(struct offers *offers, uint64_t batch)
{
    struct offer *offer = NULL;
    struct offer *next = NULL;

    HASH_ITER (handle, offers->pending, offer, next) {
        if (offer->batch == batch) {
            drop(offers, offer);
        }
    }
}

void offers_deinit(struct offers *offers)
{
    struct offer *offer = NULL;
    struct offer *next = NULL;

    HASH_ITER (handle, offers->pending, offer, next) {
        drop(offers, offer);
    }
}
