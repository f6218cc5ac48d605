/*
 * Who signs, as far as the domain knows, for tests of what is around it: a request is "key:" and
 * anything, a certificate a line that counts up. It keeps to the port's rules (domain/issue.h);
 * X.509 is tested with src/ca.
 */
#ifndef TESTS_UNIT_DOMAIN_SIGNER_H
#define TESTS_UNIT_DOMAIN_SIGNER_H

#include "domain/issue.h"

struct signer {
    unsigned issued;
    enum sp_error fails; /* what the next one fails with; SP_OK: it does not */
};

void signer_init(struct signer *signer, struct issue_port *port);

#endif
