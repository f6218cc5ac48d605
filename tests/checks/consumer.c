/* A program as others write them: built by .ci/run with the installed headers and library alone. */
#include <sealpost/blocking.h>
#include <sealpost/client.h>
#include <sealpost/error.h>
#include <sealpost/join.h>
#include <sealpost/store.h>
#include <sealpost/team.h>
#include <stdio.h>

int main(void)
{
    struct sp_client_config config = {
        .host = "localhost",
        .ca_file = "/nonexistent/ca.pem",
        .cert_file = "/nonexistent/cert.pem",
        .key_file = "/nonexistent/key.pem",
    };
    struct sp_client *client = NULL;
    char message[512] = "";
    enum sp_error error = sp_client_new(&config, &client, message, sizeof message);

    printf("without certificates: %s: %s\n", sp_error_name(error), message);
    sp_client_free(client);
    if (error == SP_OK || client != NULL || message[0] == '\0') {
        return 1;
    }

    struct sp_store *store = NULL;

    error =
        sp_store_open("/nonexistent/store.db", SP_STORE_EXISTING, &store, message, sizeof message);
    printf("without a store: %s: %s\n", sp_error_name(error), message);
    if (error != SP_ENOTFOUND || store != NULL) {
        return 1;
    }

    struct sp_enrolled enrolled;
    const struct sp_enrol_config joining = {
        .code = "no code",
        .code_size = sizeof "no code" - 1,
        .label = "consumer",
        .directory = "/nonexistent/profile",
    };

    error = sp_enrol(&joining, &enrolled, message, sizeof message);
    printf("without a join code: %s: %s\n", sp_error_name(error), message);
    return error == SP_EINVALID && enrolled.username[0] == '\0' ? 0 : 1;
}
