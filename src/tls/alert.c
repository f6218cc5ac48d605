#include "tls/alert.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define LAST_ALERT 255 /* an alert is one byte */

/* Alerts that a peer sends, and what they mean to a client. See verify.c for what our server means
 * by them. */
static const struct alert {
    int number;
    enum sp_error error;
    const char *name;
    const char *text; /* goes on from "the server " */
} alerts[] = {
    {SSL_AD_BAD_CERTIFICATE, SP_ECERT, "bad_certificate",
     "does not accept the certificate; it may not be valid yet: is this machine's clock right?"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, SP_EPROFILE, "unsupported_certificate",
     "does not accept this kind of certificate; it must be for TLS clients only, and its key "
     "P-256, "
     "RSA of 3072 bits or more, or Ed25519"},
    {SSL_AD_CERTIFICATE_REVOKED, SP_EREVOKED, "certificate_revoked",
     "says that the certificate has been revoked"},
    {SSL_AD_CERTIFICATE_EXPIRED, SP_EEXPIRED, "certificate_expired",
     "says that the certificate, or its issuer's, has expired"},
    {SSL_AD_CERTIFICATE_UNKNOWN, SP_EIDENTITY, "certificate_unknown",
     "finds no member of its team named in the certificate"},
    {SSL_AD_UNKNOWN_CA, SP_EUNTRUSTED, "unknown_ca",
     "does not trust the certificate authority that issued the certificate"},
    {SSL_AD_ACCESS_DENIED, SP_ENOTADMITTED, "access_denied", "does not admit this certificate"},
    {SSL_AD_CERTIFICATE_REQUIRED, SP_ENOCERT, "certificate_required",
     "demands a client certificate, and got none that it could use"},
    {SSL_AD_NO_APPLICATION_PROTOCOL, SP_EUNSUPPORTED, "no_application_protocol",
     "does not speak this version of the Sealpost protocol"},
    {SSL_AD_PROTOCOL_VERSION, SP_EUNSUPPORTED, "protocol_version", "does not speak TLS 1.3"},
    {SSL_AD_INTERNAL_ERROR, SP_ETLS, "internal_error",
     "cannot judge certificates at present (a revocation list may be missing, or memory); tell its "
     "administrator"},
    {SSL_AD_HANDSHAKE_FAILURE, SP_ETLS, "handshake_failure", "found no common TLS parameters"},
    {SSL_AD_ILLEGAL_PARAMETER, SP_ETLS, "illegal_parameter", "refused a TLS message"},
    {SSL_AD_DECRYPT_ERROR, SP_ETLS, "decrypt_error", "could not verify a signature"},
    {SSL_AD_DECODE_ERROR, SP_ETLS, "decode_error", "could not read a TLS message"},
    {SSL_AD_BAD_RECORD_MAC, SP_ETLS, "bad_record_mac",
     "received damaged data; something between changes it"},
    {SSL_AD_UNEXPECTED_MESSAGE, SP_ETLS, "unexpected_message", "did not expect a TLS message"},
    {SSL_AD_RECORD_OVERFLOW, SP_ETLS, "record_overflow", "received a TLS record that is too long"},
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
        if (number >= SSL_AD_REASON_OFFSET && number <= SSL_AD_REASON_OFFSET + LAST_ALERT) {
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
