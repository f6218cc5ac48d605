#include "unit/tls/raw.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#define STEPS 200

/* Every protocol is fine with it, or rather the first that is offered. */
static int select_first(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                        const unsigned char *offered, unsigned int size, void *unused)
{
    (void)ssl;
    (void)size;
    (void)unused;
    *out = offered + 1;
    *out_size = offered[0];
    return SSL_TLSEXT_ERR_OK;
}

static void add_root(SSL_CTX *context, const char *name)
{
    char path[PATH_BYTES];
    BIO *bio = BIO_new_file(ca_path(path, ".", name), "r");
    X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(root);
    assert_int_equal(SSL_CTX_add1_chain_cert(context, root), 1);
    X509_free(root);
    BIO_free(bio);
}

SSL *raw_new(const struct raw_config *config, bool is_server, int fd)
{
    SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    SSL *ssl = NULL;
    char path[PATH_BYTES];

    assert_non_null(context);
    SSL_CTX_set_security_level(context, 0);
    if (config->directory != NULL) {
        assert_int_equal(SSL_CTX_use_certificate_chain_file(
                             context, ca_path(path, config->directory, "cert.pem")),
                         1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(context,
                                                     ca_path(path, config->directory, "key.pem"),
                                                     SSL_FILETYPE_PEM),
                         1);
    }
    if (config->root != NULL) {
        add_root(context, config->root);
    }
    if (config->groups != NULL) {
        assert_int_equal(SSL_CTX_set1_groups_list(context, (char *)(uintptr_t)config->groups), 1);
    }
    if (config->max_version != 0) {
        assert_int_equal(SSL_CTX_set_max_proto_version(context, config->max_version), 1);
    }
    if (is_server && config->alpn != NULL) {
        SSL_CTX_set_alpn_select_cb(context, select_first, NULL);
    } else if (config->alpn != NULL) {
        assert_int_equal(SSL_CTX_set_alpn_protos(context, (const unsigned char *)config->alpn,
                                                 (unsigned int)strlen(config->alpn)),
                         0);
    }
    ssl = SSL_new(context);
    SSL_CTX_free(context); /* the SSL keeps it */
    assert_non_null(ssl);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    if (is_server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return ssl;
}

void raw_free(SSL *ssl)
{
    SSL_free(ssl);
    ERR_clear_error();
}

/* The alert that made the last call fail, or -1. */
static int alert_of_failure(void)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());

    return reason >= SSL_AD_REASON_OFFSET ? reason - SSL_AD_REASON_OFFSET : -1;
}

int raw_handshake(SSL *raw, struct stream *ours, enum sp_error *our_result)
{
    int alert = -1;
    char byte = 0;

    *our_result = SP_EAGAIN;
    for (int i = 0; i < STEPS && alert < 0; i++) {
        ERR_clear_error();
        if (SSL_is_init_finished(raw)) {
            (void)SSL_read(raw, &byte, 1);
        } else {
            (void)SSL_do_handshake(raw);
        }
        alert = alert_of_failure();
        if (*our_result == SP_EAGAIN) {
            *our_result = stream_handshake(ours);
        }
        (void)!stream_flush(ours);
    }
    return alert;
}
