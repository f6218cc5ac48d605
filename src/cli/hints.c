/* What to do about an error: a table, so that adding a hint is one line. */
#include <stdio.h>
#include <string.h>

#include "cli/output.h"

/* '%' stands for the subject; such a hint is left out when there is none. */
static const struct {
    enum sp_error error;
    const char *hint;
} hints[] = {
    {SP_ENOTJOINED, "come in first: sealpost room join %"},
    {SP_ENOTFOUND, "see what there is: sealpost room list, box list, file list"},
    {SP_EEXISTS, "choose another name; % is taken"},
    {SP_EFORBIDDEN, "its owner may: see sealpost room members or box show"},
    {SP_ETOOLARGE, "see the server's limits: sealpost whoami"},
    {SP_ECHANGED, "try again when nothing writes to the file"},
    {SP_EDIGEST, "the bytes changed on the way, or the file did while it was read: try again"},
    {SP_EINTEGRITY, "tell the server's administrator; nothing of it was kept here"},
    {SP_EUNSUPPORTED, "check that --server HOST:PORT is a Sealpost server of this version"},
    {SP_ECERT,
     "check cert.pem, key.pem and ca.pem in --cert DIR, or ask the server's administrator "
     "for a new certificate"},
    {SP_EREVOKED, "ask the server's administrator for a new certificate"},
    {SP_EEXPIRED, "ask the server's administrator for a new certificate, and check this clock"},
    {SP_ENOTYET, "check the clocks of this machine and of the server"},
    {SP_EUNTRUSTED, "--ca must be the root certificate of this server's team, and --cert be issued "
                    "by it; do not go on with another server's"},
    {SP_EIDENTITY, "the certificate must hold one name sealpost://TEAM/USERNAME of this team"},
    {SP_EPROFILE, "ask the server's administrator for a client certificate of the team's CA"},
    {SP_ENOCERT, "use --cert DIR, a directory with cert.pem, key.pem and ca.pem"},
    {SP_ENOCRL, "the server's administrator must install a fresh revocation list (crl)"},
    {SP_EHOST, "use the name or address in --server that is in the server's certificate"},
    {SP_ENOTADMITTED, "ask the server's administrator to admit this device"},
    {SP_EDISABLED, "ask the server's administrator"},
    {SP_ETLS, "check that --server HOST:PORT is a Sealpost server and that nothing is in between"},
    {SP_EKEY, "the key must belong to the certificate and be readable by you alone: chmod 600"},
    {SP_ECODE,
     "copy the code again, whole; or ask whoever sent it for a new one (a newer code makes "
     "the older ones void)"},
    {SP_ECODEUSED, "a code works once; if that was not you, tell an administrator at once, and ask "
                   "for a new one"},
    {SP_ECODEEXPIRED, "ask whoever sent it for a new one"},
    {SP_EPASSPHRASE, "give the passphrase on the terminal, or with --passphrase-file FILE"},
    {SP_EBUSY, "try again in a moment"},
    {SP_ESLOWDOWN, "try again in a moment"},
    {SP_EFULL, "tell the server's administrator: its disk is full"},
    {SP_ESHUTDOWN, "try again in a moment"},
    {SP_EUNREACHABLE, "check that sealpostd runs there and that nothing is in between: --server "
                      "HOST:PORT"},
    {SP_EIDLE, "try again"},
    {SP_ETIMEOUT, "check the network, and that sealpostd runs there: --server HOST:PORT"},
};

void hint_for_error(enum sp_error error, const char *subject, char *out, size_t capacity)
{
    out[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(hints); i++) {
        const char *hint = hints[i].hint;
        size_t before = strcspn(hint, "%");

        if (hints[i].error != error || (hint[before] == '%' && subject[0] == '\0')) {
            continue;
        }
        (void)snprintf(out, capacity, "%.*s%s%s", (int)before, hint,
                       hint[before] == '%' ? subject : "",
                       hint[before] == '%' ? hint + before + 1 : "");
        return;
    }
}
