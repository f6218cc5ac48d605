/*
 * Uploads that were offered and not stored yet: one (device, client id) is not sent twice at the
 * same time. In memory only: after a restart no upload is under way. Domain thread only.
 */
#ifndef SP_DOMAIN_OFFERS_H
#define SP_DOMAIN_OFFERS_H

#include "base/base.h"

struct offer;

struct offers {
    struct offer *pending;
};

/* In BATCH. SP_EBUSY when it is there already, SP_ELIMIT, SP_ENOMEM. */
SP_CHECK enum sp_error offers_add(struct offers *offers, int64_t device, const struct id *client_id,
                                  uint64_t batch);
/* It led to something or it did not; it may be unknown. */
void offers_remove(struct offers *offers, int64_t device, const struct id *client_id);
/* BATCH was undone: what was offered in it was not. */
void offers_undo(struct offers *offers, uint64_t batch);
void offers_deinit(struct offers *offers);

#endif
