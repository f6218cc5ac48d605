#include "tls/alert.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

/* Alerts that a peer sends, and what they mean to a client. See verify.c for what our server means
 * by them. */
static const struct alert {
    int number;
    const char *name;
    enum sp_error error;
    const char *text; /* goes on from "the server " */
} alerts[] = {
    {SSL_AD_BAD_CERTIFICATE, "bad_certificate", SP_ECERT,
     "does not accept the certificate; it may not be valid yet: is this machine's clock right?"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, "unsupported_certificate", SP_EPROFILE,
     "does not accept this kind of certificate; it must be for TLS clients only, and its key "
     "P-256, "
     "RSA of 3072 bits or more, or Ed25519"},
    {SSL_AD_CERTIFICATE_REVOKED, "certificate_revoked", SP_EREVOKED,
     "says that the certificate has been revoked"},
    {SSL_AD_CERTIFICATE_EXPIRED, "certificate_expired", SP_EEXPIRED,
     "says that the certificate, or its issuer's, has expired"},
    {SSL_AD_CERTIFICATE_UNKNOWN, "certificate_unknown", SP_EIDENTITY,
     "finds no member of its team named in the certificate"},
    {SSL_AD_UNKNOWN_CA, "unknown_ca", SP_EUNTRUSTED,
     "does not trust the certificate authority that issued the certificate"},
    {SSL_AD_ACCESS_DENIED, "access_denied", SP_ENOTADMITTED, "does not admit this certificate"},
    {SSL_AD_CERTIFICATE_REQUIRED, "certificate_required", SP_ENOCERT,
     "demands a client certificate, and got none that it could use"},
    {SSL_AD_NO_APPLICATION_PROTOCOL, "no_application_protocol", SP_EUNSUPPORTED,
     "does not speak this version of the Sealpost protocol"},
    {SSL_AD_PROTOCOL_VERSION, "protocol_version", SP_EUNSUPPORTED, "does not speak TLS 1.3"},
    {SSL_AD_INTERNAL_ERROR, "internal_error", SP_ETLS,
     "cannot judge certificates at present (a revocation list may be missing); tell its "
     "administrator"},
    {SSL_AD_HANDSHAKE_FAILURE, "handshake_failure", SP_ETLS, "found no common TLS parameters"},
    {SSL_AD_ILLEGAL_PARAMETER, "illegal_parameter", SP_ETLS, "refused a TLS message"},
    {SSL_AD_DECRYPT_ERROR, "decrypt_error", SP_ETLS, "could not verify a signature"},
    {SSL_AD_DECODE_ERROR, "decode_error", SP_ETLS, "could not read a TLS message"},
    {SSL_AD_BAD_RECORD_MAC, "bad_record_mac", SP_ETLS,
     "received damaged data; something between changes it"},
    {SSL_AD_UNEXPECTED_MESSAGE, "unexpected_message", SP_ETLS, "did not expect a TLS message"},
    {SSL_AD_RECORD_OVERFLOW, "record_overflow", SP_ETLS, "received a TLS record that is too long"},
};

/* Failures that OpenSSL itself sees, on either side. */
static const struct {
    int reason;
    enum sp_error error;
    const char *text;
} failures[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SP_ENOCERT, "the client presents no certificate"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, SP_ETLS,
     "the peer's certificate chain, or another handshake message, is too large"},
    {SSL_R_UNSUPPORTED_PROTOCOL, SP_EUNSUPPORTED, "the peer does not speak TLS 1.3"},
    {SSL_R_WRONG_VERSION_NUMBER, SP_ETLS, "the peer does not speak TLS"},
    {SSL_R_HTTP_REQUEST, SP_ETLS, "the peer does not speak TLS, but HTTP"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, SP_ETLS,
     "damaged data arrived; something between changes it"},
};

static const struct alert *find_alert(int number)
{
    for (size_t i = 0; i < COUNT_OF(alerts); i++) {
        if (alerts[i].number == number) {
            return &alerts[i];
        }
    }
    return NULL;
}

static enum sp_error explain_alert(int number, bool is_server, char *reason, size_t capacity)
{
    const struct alert *alert = find_alert(number);

    if (is_server) {
        (void)snprintf(reason, capacity,
                       "the client ended the handshake or the connection: alert "
                       "%d (%s)",
                       number, alert == NULL ? "unknown" : alert->name);
        return SP_ETLS;
    }
    if (alert == NULL) {
        (void)snprintf(reason, capacity, "the server ended the connection: alert %d", number);
        return SP_ETLS;
    }
    (void)snprintf(reason, capacity, "the server %s (alert %s)", alert->text, alert->name);
    return alert->error;
}

enum sp_error alert_explain(unsigned long code, bool is_server, char *reason, size_t capacity)
{
    int number = ERR_GET_REASON(code);
    const char *text = ERR_reason_error_string(code);

    if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
        if (number >= SSL_AD_REASON_OFFSET) {
            return explain_alert(number - SSL_AD_REASON_OFFSET, is_server, reason, capacity);
        }
        for (size_t i = 0; i < COUNT_OF(failures); i++) {
            if (failures[i].reason == number) {
                (void)snprintf(reason, capacity, "%s", failures[i].text);
                return failures[i].error;
            }
        }
    }
    (void)snprintf(reason, capacity, "TLS failed: %s", text == NULL ? "unknown reason" : text);
    return SP_ETLS;
}
