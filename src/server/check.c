/*
 * `sealpostd check`: everything that can be wrong with a server, looked at one by one, whether or
 * not one is running. Nothing is changed, and a server that runs does not notice.
 */
#include "server/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "ca/issuer.h"
#include "server/command.h"
#include "server/internal.h"
#include "tls/inspect.h"

#define DAY_MS INT64_C(86400000)
#define CERTIFICATE_WARNING_MS (14 * DAY_MS)
#define LIST_WARNING_MS (7 * DAY_MS)
#define OTHER_DESCRIPTORS 64 /* database, files, listeners and the like */

static void check_cas(struct checking *checking)
{
    char reason[REPORT_TEXT_BYTES] = "";
    const char *path = checking->settings->ca;
    enum sp_error error = inspection_read_cas(checking->inspection, path, reason, sizeof reason);
    if (error != SP_OK) {
        report_add(checking->report, FINDING_ERROR, error, "ca",
                   "put the team's root, then its issuing CAs, there in PEM form", "%s", reason);
        return;
    }
    report_add(checking->report, FINDING_OK, SP_OK, "ca", "", "%s", path);
}

/* Certificate and key: the second is judged only if the first is one. */
static void check_own(struct checking *checking)
{
    char reason[REPORT_TEXT_BYTES] = "";
    const struct settings *settings = checking->settings;
    enum sp_error error = inspection_read_own(checking->inspection, settings->cert, settings->key,
                                              reason, sizeof reason);
    if (inspection_own(checking->inspection) == NULL) {
        report_add(checking->report, FINDING_ERROR, error, "certificate",
                   "put the server's certificate, then its issuing CA, there in PEM form", "%s",
                   reason);
        int fd = -1;
        enum sp_error opened = file_open_private(settings->key, &fd, reason, sizeof reason);
        if (fd >= 0) {
            (void)close(fd);
        }
        if (opened != SP_OK) {
            report_add(checking->report, FINDING_ERROR, SP_EKEY, "key", "", "%s: %s", settings->key,
                       reason);
        } else {
            report_add(checking->report, FINDING_SKIPPED, SP_OK, "key", "",
                       "without a certificate nobody knows whether it fits");
        }
        return;
    }
    report_add(checking->report, FINDING_OK, SP_OK, "certificate", "", "%s", settings->cert);
    if (error != SP_OK) {
        report_add(checking->report, FINDING_ERROR, error, "key",
                   "its private key must lie there, readable by the server's user alone", "%s",
                   reason);
    } else {
        report_add(checking->report, FINDING_OK, SP_OK, "key", "", "%s fits the certificate",
                   settings->key);
    }
}

static void check_chain(struct checking *checking)
{
    char reason[REPORT_TEXT_BYTES] = "";
    enum sp_error error = inspection_check_chain(checking->inspection, reason, sizeof reason);
    if (error == SP_EINVALID) {
        report_add(checking->report, FINDING_SKIPPED, SP_OK, "chain", "",
                   "needs the CAs and the certificate");
    } else if (error != SP_OK) {
        report_add(checking->report, FINDING_ERROR, error, "chain",
                   "have a certificate for TLS servers issued by this team's CA", "%s: %s",
                   checking->settings->cert, reason);
    } else {
        report_add(checking->report, FINDING_OK, SP_OK, "chain", "",
                   "the certificate is a server's and leads to the root");
    }
}

static void check_names(struct checking *checking)
{
    char names[512];
    char host[LIMIT_HOST_BYTES + 1];
    uint16_t port = 0;
    const char *wanted = checking->settings->host;
    if (inspection_own(checking->inspection) == NULL) {
        report_add(checking->report, FINDING_SKIPPED, SP_OK, "names", "",
                   "there is no certificate");
        return;
    }
    inspection_names(checking->inspection, names, sizeof names);
    if (wanted == NULL || config_parse_host_port(wanted, host, &port) != SP_OK) {
        report_add(checking->report, FINDING_OK, SP_OK, "names", "",
                   "the certificate is for: %s; no 'host' is set to compare", names);
    } else if (inspection_is_for(checking->inspection, host)) {
        report_add(checking->report, FINDING_OK, SP_OK, "names", "", "the certificate is for: %s",
                   names);
    } else {
        report_add(checking->report, FINDING_ERROR, SP_EHOST, "names",
                   "set 'host' to one of them, or have a certificate issued for it",
                   "'host' is %s, but the certificate is for: %s", wanted, names);
    }
}

static void check_dates(struct checking *checking)
{
    const struct certificate_info *own = inspection_own(checking->inspection);
    char when[RFC3339_BYTES];
    if (own == NULL) {
        report_add(checking->report, FINDING_SKIPPED, SP_OK, "dates", "",
                   "there is no certificate");
        report_add(checking->report, FINDING_SKIPPED, SP_OK, "clock", "",
                   "there is no certificate");
        return;
    }
    clock_format_rfc3339(own->not_after_ms, when);
    if (checking->wall_ms >= own->not_after_ms) {
        report_add(checking->report, FINDING_ERROR, SP_EEXPIRED, "dates",
                   "have a new one issued, or set the clock", "the certificate expired at %s",
                   when);
    } else if (own->not_after_ms - checking->wall_ms < CERTIFICATE_WARNING_MS) {
        report_add(checking->report, FINDING_WARNING, SP_OK, "dates", "have a new one issued",
                   "the certificate is valid until %s only", when);
    } else {
        report_add(checking->report, FINDING_OK, SP_OK, "dates", "",
                   "the certificate is valid until %s", when);
    }
    char now[RFC3339_BYTES];
    clock_format_rfc3339(checking->wall_ms, now);
    clock_format_rfc3339(own->not_before_ms, when);
    if (checking->wall_ms < own->not_before_ms) {
        report_add(checking->report, FINDING_ERROR, SP_ENOTYET, "clock",
                   "set this machine's clock, and keep it right (timedatectl set-ntp true)",
                   "it is %s here, and the certificate begins at %s", now, when);
    } else {
        report_add(checking->report, FINDING_OK, SP_OK, "clock", "",
                   "it is %s, after the certificate's begin", now);
    }
}

static void check_lists(struct checking *checking)
{
    char reason[REPORT_TEXT_BYTES] = "";
    char name[256];
    enum sp_error listed = SP_OK;
    enum sp_error later = SP_OK;
    enum sp_error error =
        inspection_read_lists(checking->inspection, checking->settings->crl, reason, sizeof reason);
    if (error == SP_EINVALID) {
        report_add(checking->report, FINDING_SKIPPED, SP_OK, "lists", "", "needs the CAs");
        return;
    }
    if (error != SP_OK) {
        report_add(checking->report, FINDING_ERROR, error, "lists",
                   "put the revocation lists of all CAs there in PEM form", "%s", reason);
        return;
    }
    for (size_t i = 0;
         inspection_ca(checking->inspection, i, checking->wall_ms, name, sizeof name, &listed);
         i++) {
        (void)inspection_ca(checking->inspection, i, checking->wall_ms + LIST_WARNING_MS, name,
                            sizeof name, &later);
        if (listed != SP_OK) {
            report_add(checking->report, FINDING_ERROR, listed, "lists",
                       "make a new one: nobody whom this CA has certified gets in without",
                       "%s: has no fresh revocation list of \"%s\"", checking->settings->crl, name);
        } else if (later != SP_OK) {
            report_add(checking->report, FINDING_WARNING, SP_OK, "lists", "make a new list",
                       "%s: the list of \"%s\" runs out within 7 days", checking->settings->crl,
                       name);
        } else {
            report_add(checking->report, FINDING_OK, SP_OK, "lists", "", "fresh: %s", name);
        }
    }
}

static void check_issuer(struct checking *checking)
{
    char reason[REPORT_TEXT_BYTES] = "";
    const struct settings *settings = checking->settings;
    struct issuer *issuer = NULL;
    if (settings->issuer_cert == NULL || settings->issuer_key == NULL) {
        report_add(checking->report, FINDING_SKIPPED, SP_OK, "issuer", "",
                   "issuer_cert and issuer_key are not set: nobody can join by a code");
        return;
    }
    const struct issuer_config config = {.team = settings->team,
                                         .cert_file = settings->issuer_cert,
                                         .key_file = settings->issuer_key,
                                         .ca_file = settings->ca};
    enum sp_error error = issuer_new(&config, &issuer, reason, sizeof reason);
    if (error == SP_OK && issuer_not_after_ms(issuer) <= checking->wall_ms) {
        error = SP_EEXPIRED;
        (void)snprintf(reason, sizeof reason, "%s: the CA's certificate has expired",
                       settings->issuer_cert);
    }
    issuer_free(issuer);
    if (error != SP_OK) {
        report_add(checking->report, FINDING_ERROR, error, "issuer",
                   "the issuing CA's certificate and its key must lie there, and ca must have it",
                   "%s", reason);
    } else {
        report_add(checking->report, FINDING_OK, SP_OK, "issuer", "", "%s fits its certificate",
                   settings->issuer_key);
    }
}

static void check_descriptors(struct checking *checking)
{
    struct rlimit limit;
    unsigned long long needed = checking->settings->max_sessions + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        report_add(checking->report, FINDING_SKIPPED, SP_OK, "descriptors", "",
                   "the limit cannot be read");
    } else if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < needed) {
        report_add(checking->report, FINDING_WARNING, SP_OK, "descriptors",
                   "raise it (LimitNOFILE= of the systemd unit), or set max_sessions lower",
                   "%llu are allowed, and %llu needed for max_sessions",
                   (unsigned long long)limit.rlim_max, needed);
    } else {
        report_add(checking->report, FINDING_OK, SP_OK, "descriptors", "",
                   "enough for %llu sessions",
                   (unsigned long long)checking->settings->max_sessions);
    }
}

/* What shows only when all is put together, such as an issuing CA that its root has revoked. */
static void check_whole(struct checking *checking)
{
    char reason[AUTHORITY_REASON_BYTES] = "";
    struct authority *authority = NULL;
    if (checking->report->error != SP_OK) {
        report_add(checking->report, FINDING_SKIPPED, SP_OK, "whole", "", "first the errors above");
        return;
    }
    enum sp_error error =
        reload_load(checking->settings, clock_system(), &authority, reason, sizeof reason);
    if (error != SP_OK) {
        report_add(checking->report, FINDING_ERROR, error, "whole",
                   "have certificates and lists that fit together", "%s", reason);
    } else {
        report_add(checking->report, FINDING_OK, SP_OK, "whole", "",
                   "a server would start with these certificates; %zu are revoked",
                   authority_revoked_count(authority));
    }
    authority_unref(authority);
}

/* In this order; each does without what the ones before it did not find. */
static void (*const checks[])(struct checking *checking) = {
    check_cas,   check_own,    check_chain, check_names,    check_dates,  check_lists,
    check_whole, check_issuer, check_state, check_database, check_listen, check_descriptors,
};

static int check(const struct settings *settings, struct report *report)
{
    struct checking checking = {
        .settings = settings, .report = report, .wall_ms = clock_wall_ms(clock_system())};
    if (inspection_new(clock_system(), &checking.inspection) != SP_OK) {
        return command_fail(SP_ENOMEM, sp_error_text(SP_ENOMEM));
    }
    checking.is_running = check_is_running(settings);
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        checks[i](&checking);
    }
    inspection_free(checking.inspection);
    return report_finish(report);
}

/* "--json" may stand anywhere. Takes it off the arguments. */
static bool take_json(int *argc, char **argv)
{
    int kept = 0;
    bool json = false;
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    return json;
}

int command_check(int argc, char **argv)
{
    struct report report;
    struct settings_source source;
    struct settings settings;
    char message[SETTINGS_MESSAGE_BYTES] = "";
    if (command_wants_help(argc, argv)) {
        printf("Usage: sealpostd check [DIR | --config FILE] [--json] [--KEY VALUE...]\n"
               "\n"
               "Looks at everything that `run` with the same arguments needs, running server or "
               "not, and\nsays of each thing whether it is good, and what to do if not. The exit "
               "code is that of\nthe first error.\n");
        command_print_keys();
        return EXIT_SUCCESS;
    }
    report_init(&report, stdout, take_json(&argc, argv));
    enum sp_error error = command_take_source(argc, argv, &source, message, sizeof message);
    if (error != SP_OK) {
        return command_fail(error, message);
    }
    error = settings_load(&source, &settings, message, sizeof message);
    int code = 0;
    if (error != SP_OK) {
        report_add(&report, FINDING_ERROR, error, "configuration",
                   "the rest can be looked at when this is good", "%s", message);
        code = report_finish(&report);
    } else {
        report_add(&report, FINDING_OK, SP_OK, "configuration", "", "%s",
                   source.config_file != NULL ? source.config_file : "from flags alone");
        code = check(&settings, &report);
        settings_deinit(&settings);
    }
    settings_source_deinit(&source);
    return code;
}
