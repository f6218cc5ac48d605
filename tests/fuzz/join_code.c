/* Join codes: whatever is taken for one is written again as the same code. */
#include "names.h"

#include <string.h>

#include "base/join_code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct join_code code;
    struct join_code again;
    char reason[256];
    char text[LIMIT_JOIN_CODE_BYTES];

    if (join_code_parse((const char *)data, size, &code, reason, sizeof reason) != SP_OK) {
        require(reason[0] != '\0' && code.host[0] == '\0');
        return 0;
    }
    require(join_code_format(&code, text, sizeof text) == SP_OK);
    require(join_code_parse(text, strlen(text), &again, reason, sizeof reason) == SP_OK);
    require(strcmp(code.host, again.host) == 0 && code.port == again.port);
    require(memcmp(code.fingerprint, again.fingerprint, sizeof code.fingerprint) == 0);
    require(memcmp(code.secret, again.secret, sizeof code.secret) == 0);
    return 0;
}
