/* Sealed private keys: reading one never goes beyond its bounds, and costs stay within theirs. */
#include "names.h"

#include "crypto/sealed_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sealed_key parsed;
    const struct sealed_key_cost least = SEALED_COST_INTERACTIVE;
    const struct sealed_key_cost most = SEALED_COST_MODERATE;
    char reason[256] = "";

    if (sealed_key_parse((struct slice){data, size}, &parsed, reason, sizeof reason) != SP_OK) {
        require(reason[0] != '\0' && parsed.sealed_size == 0);
        return 0;
    }
    require(sealed_key_is((struct slice){data, size}));
    require(parsed.sealed_size > 16 && parsed.sealed_size <= sizeof parsed.sealed);
    require(parsed.cost.passes >= least.passes && parsed.cost.passes <= most.passes);
    require(parsed.cost.memory_kib >= least.memory_kib &&
            parsed.cost.memory_kib <= most.memory_kib);
    return 0;
}
