#include "server/issue.h"

#include <string.h>

#include "ca/refresh.h"
#include "ca/request.h"

static enum sp_error check(void *context, struct slice request, struct digest *key, char *reason,
                           size_t capacity)
{
    (void)context;
    return ca_request_read(request, NULL, key, reason, capacity);
}

static enum sp_error issue(void *context, struct slice request, const char *username,
                           int64_t now_ms, struct issued *out, char *reason, size_t capacity)
{
    struct issuer_chain chain = {.der = out->chain, .capacity = sizeof out->chain};
    enum sp_error error =
        issuer_issue(context, request, username, now_ms, &chain, reason, capacity);
    out->fingerprint = chain.info.fingerprint;
    memcpy(out->serial, chain.info.serial, sizeof out->serial);
    out->serial_bytes = chain.info.serial_bytes;
    out->issuer = chain.info.issuer;
    out->not_after_ms = chain.info.not_after_ms;
    out->size = chain.size;
    return error;
}

enum sp_error issue_open(const struct settings *settings, struct issuer **out,
                         struct issue_port *port, char *reason, size_t capacity)
{
    *out = NULL;
    *port = (struct issue_port){0};
    if (settings->issuer_cert == NULL) {
        return SP_OK;
    }
    const struct issuer_config config = {
        .team = settings->team,
        .cert_file = settings->issuer_cert,
        .key_file = settings->issuer_key,
        .ca_file = settings->ca,
    };
    enum sp_error error = issuer_new(&config, out, reason, capacity);
    *port = (struct issue_port){check, issue, *out};
    return error;
}

static void tell(struct log *log, const char *what, const char *path, enum sp_error error,
                 bool made, const char *why)
{
    char file[256];
    char reason[512];
    (void)log_value(path, strlen(path), file, sizeof file);
    if (error != SP_OK) {
        log_line(log, LOG_WARNING, "event=refresh_failed what=%s file=%s error=%s reason=%s", what,
                 file, sp_error_name(error), log_value(why, strlen(why), reason, sizeof reason));
    } else if (made) {
        log_line(log, LOG_INFO, "event=refreshed what=%s file=%s", what, file);
    }
}

void issue_refresh(const struct settings *settings, int64_t now_ms, struct log *log)
{
    char reason[SETTINGS_MESSAGE_BYTES] = "";
    bool made = false;
    if (settings->issuer_cert == NULL) {
        return;
    }
    const struct ca_refresh refresh = {
        .issuer_cert = settings->issuer_cert,
        .issuer_key = settings->issuer_key,
        .now_ms = now_ms,
    };
    enum sp_error error = ca_crl_refresh(&refresh, settings->crl, &made, reason, sizeof reason);
    tell(log, "crl", settings->crl, error, made, reason);
    error = ca_server_refresh(&refresh, settings->team, settings->crl, settings->cert, &made,
                              reason, sizeof reason);
    tell(log, "certificate", settings->cert, error, made, reason);
}
