/* The configuration's parser, and each reader of values on each value that it finds. */
#include <string.h>

#include "names.h"

#include "base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_values(const char *value)
{
    char host[LIMIT_HOST_BYTES + 1];
    uint64_t number = 0;
    uint16_t port = 0;
    bool flag = false;

    if (config_parse_u64(value, 10, 1000, &number) == SP_OK) {
        require(number >= 10 && number <= 1000);
        require(strspn(value, "0123456789") == strlen(value));
    } else {
        require(number == 0);
    }
    if (config_parse_size(value, 1, UINT64_MAX - 1, &number) == SP_OK) {
        require(number >= 1 && number < UINT64_MAX);
        require(strspn(value, "0123456789KMGT") == strlen(value));
    } else {
        require(number == 0);
    }
    require(config_parse_bool(value, &flag) == SP_OK || !flag);
    if (config_parse_host_port(value, host, &port) == SP_OK) {
        require(host[0] != '\0' && strlen(host) <= LIMIT_HOST_BYTES);
        require(strstr(value, host) == value + (value[0] == '['));
    } else {
        require(host[0] == '\0' && port == 0);
    }
}

struct context {
    unsigned last_line;
};

/* The first letter of the key chooses the answer, so that each kind of message is made. */
static enum sp_error take_pair(void *context, const struct config_pair *pair, char *reason,
                               size_t capacity)
{
    static const char key_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    struct context *seen = context;
    size_t length = strlen(pair->value);

    require(pair->key[0] != '\0' && strspn(pair->key, key_letters) == strlen(pair->key));
    require(length <= LIMIT_CONFIG_LINE_BYTES && strchr(pair->value, '\n') == NULL);
    require(length == 0 || strchr(" \t\r", pair->value[0]) == NULL);
    require(length == 0 || strchr(" \t\r", pair->value[length - 1]) == NULL);
    require(pair->line > seen->last_line);
    seen->last_line = pair->line;
    try_values(pair->value);
    switch (pair->key[0]) {
    case 'x':
        return SP_ENOTFOUND;
    case 'y':
        return SP_EEXISTS;
    case 'z':
        memset(reason, 'r', capacity - 1);
        reason[capacity - 1] = '\0';
        return SP_EINVALID;
    default:
        return SP_OK;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct context context = {0};
    char message[100];
    enum sp_error error = config_parse("fuzz", (const char *)data, size, take_pair, &context,
                                       message, sizeof(message));

    require(error == SP_OK || error == SP_ECONFIG);
    require((error == SP_OK) == (message[0] == '\0'));
    require(error == SP_OK || strncmp(message, "fuzz:", 5) == 0);
    return 0;
}
