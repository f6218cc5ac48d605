/* A program as others write them: built by .ci/run with the installed headers and library alone. */
#include <sealpost/blocking.h>
#include <sealpost/client.h>
#include <sealpost/error.h>
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
    return error != SP_OK && client == NULL && message[0] != '\0' ? 0 : 1;
}
