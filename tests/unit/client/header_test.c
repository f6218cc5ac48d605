/* The public headers and nothing else, by C99 and by C++; and the shared library's symbols. */
#include <sealpost/blocking.h>
#include <sealpost/client.h>
#include <sealpost/error.h>
#include <sealpost/join.h>
#include <sealpost/store.h>
#include <sealpost/team.h>

#include <stdio.h>

int main(void)
{
    struct sp_client_config config;
    struct sp_client *client = NULL;
    struct sp_join_code code;
    struct sp_once once;
    char message[256];
    enum sp_error error;

    config.host = "";
    config.port = 0;
    config.ca_file = config.cert_file = config.key_file = config.program = NULL;
    config.connect_timeout_ms = 0;
    config.passphrase = NULL;
    config.passphrase_context = NULL;
    sp_once_new(&once);
    error = sp_client_new(&config, &client, message, sizeof(message));
    (void)printf("%s: %s: %s\n", sp_version(), sp_error_name(error), message);
    sp_client_free(client);
    sp_store_close(NULL);
    if (error != SP_EINVALID || client != NULL) {
        return 1;
    }
    error = sp_join_code_read("no code", 7, &code, message, sizeof(message));
    (void)printf("%s: %s\n", sp_error_name(error), message);
    return error == SP_EINVALID && code.port == 0 ? 0 : 1;
}
