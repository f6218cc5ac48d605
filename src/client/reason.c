#include "client/reason.h"

#include <stdio.h>
#include <string.h>

struct sentence {
    enum sp_error error;
    const char *before; /* the file's name */
    const char *after;
};

/* What the server says about our certificate. */
static const struct sentence own_sentences[] = {
    {SP_EREVOKED, "the server says that the certificate ",
     " has been revoked; ask an administrator for a new one"},
    {SP_EEXPIRED, "the server says that the certificate ",
     " has expired; ask an administrator for a new one"},
    {SP_ENOTYET, "the server says that the certificate ",
     " is not valid yet; check this machine's and the server's clocks"},
    {SP_EUNTRUSTED, "the server does not trust the issuer of the certificate ",
     "; check that it is for this server's team and that its issuing CA's certificate follows "
     "it in the file"},
    {SP_EIDENTITY, "the server finds no member of its team in the certificate ",
     "; check that it is for this server's team"},
    {SP_EPROFILE, "the server says that this is not a member's certificate: ",
     "; ask an administrator for a new one"},
    {SP_ECERT, "the server does not accept the certificate ",
     "; ask an administrator for a new one"},
    {SP_ENOCERT, "the server got no certificate from us; check the file ", ""},
    {SP_ENOCRL, "the server has no fresh revocation list of the issuer of the certificate ",
     "; an administrator of the server must renew the list"},
    {SP_ENOTADMITTED, "the certificate ",
     " is valid, but the server has not admitted its device; ask an administrator"},
    {SP_EDISABLED, "the server has shut out the member or the device of the certificate ",
     "; ask an administrator"},
};

/* What is wrong with the server's certificate, after "the certificate of HOST:PORT ". */
static const struct sentence server_sentences[] = {
    {SP_EHOST, "is for another host name or address; check the server's name", ""},
    {SP_EUNTRUSTED, "does not come from the team's authority in ",
     "; either this is not your team's server, or the file is not your team's"},
    {SP_EEXPIRED, "has expired; tell the server's administrator", ""},
    {SP_ENOTYET, "is not valid yet; check this machine's clock", ""},
    {SP_EREVOKED, "has been revoked; tell the server's administrator", ""},
    {SP_EPROFILE, "is not a server's certificate; this may be somebody else's machine", ""},
    {SP_ECERT, "is not acceptable", ""},
    {SP_ENOCERT, "is missing", ""},
};

/* What keeps from joining, after "HOST:PORT ". */
static const struct sentence join_sentences[] = {
    {SP_EUNTRUSTED,
     "is not the server of this join code: it comes from another certificate authority than the "
     "code names; somebody may be in between, or the team was set up anew",
     ""},
    {SP_EUNSUPPORTED,
     "lets nobody join by code: it issues no certificates, or is of another version", ""},
};

static const struct sentence *find(const struct sentence *sentences, size_t count,
                                   enum sp_error error)
{
    for (size_t i = 0; i < count; i++) {
        if (sentences[i].error == error) {
            return &sentences[i];
        }
    }
    return NULL;
}

/* Appends " (DETAIL)" unless it says nothing that TEXT or the error's name does not say. */
static void append_detail(char *text, size_t capacity, enum sp_error error, const char *detail)
{
    size_t used = strlen(text);

    if (detail[0] != '\0' && strcmp(detail, sp_error_text(error)) != 0 && used < capacity) {
        (void)snprintf(text + used, capacity - used, " (%s)", detail);
    }
}

void reason_refused(const struct peer_names *names, enum sp_error error, const char *detail,
                    char *out, size_t capacity)
{
    const struct sentence *sentence = find(own_sentences, COUNT_OF(own_sentences), error);

    if (sentence == NULL) {
        (void)snprintf(out, capacity, "%s", detail[0] != '\0' ? detail : sp_error_text(error));
        return;
    }
    (void)snprintf(out, capacity, "%s%s%s", sentence->before, names->cert_file, sentence->after);
    append_detail(out, capacity, error, detail);
}

/* "HOST:PORT", with brackets around an IPv6 address. */
static void format_peer(const struct peer_names *names, char *out, size_t capacity)
{
    bool v6 = strchr(names->host, ':') != NULL;

    (void)snprintf(out, capacity, "%s%s%s:%u", v6 ? "[" : "", names->host, v6 ? "]" : "",
                   (unsigned)names->port);
}

#define PEER_BYTES (LIMIT_HOST_BYTES + 16)

void reason_server(const struct peer_names *names, enum sp_error error, const char *detail,
                   char *out, size_t capacity)
{
    const struct sentence *sentence = find(server_sentences, COUNT_OF(server_sentences), error);
    char peer[PEER_BYTES];

    format_peer(names, peer, sizeof peer);
    if (error == SP_EDISCONNECTED) {
        (void)snprintf(out, capacity,
                       "%s ended the connection during the TLS handshake; is it a Sealpost server?",
                       peer);
        return;
    }
    if (sentence == NULL) {
        (void)snprintf(out, capacity, "the TLS handshake with %s failed: %s", peer,
                       detail[0] != '\0' ? detail : sp_error_text(error));
        return;
    }
    (void)snprintf(out, capacity, "the certificate of %s %s%s%s", peer, sentence->before,
                   error == SP_EUNTRUSTED ? names->ca_file : "", sentence->after);
    append_detail(out, capacity, error, detail);
}

void reason_join(const struct peer_names *names, enum sp_error error, const char *detail, char *out,
                 size_t capacity)
{
    const struct sentence *sentence = find(join_sentences, COUNT_OF(join_sentences), error);
    char peer[PEER_BYTES];

    if (sentence == NULL) {
        reason_server(names, error, detail, out, capacity);
        return;
    }
    format_peer(names, peer, sizeof peer);
    (void)snprintf(out, capacity, "%s %s", peer, sentence->before);
    append_detail(out, capacity, error, detail);
}

void reason_connect(const struct peer_names *names, const char *problem, char *out, size_t capacity)
{
    char peer[PEER_BYTES];

    format_peer(names, peer, sizeof peer);
    (void)snprintf(out, capacity, "cannot connect to %s: %s", peer, problem);
}
