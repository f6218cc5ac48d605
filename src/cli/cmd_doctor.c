/* doctor: everything between us and a login, one thing after the other. */
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/report.h"
#include "cli/cli.h"
#include "cli/passphrase.h"

#define DAY_MS INT64_C(86400000)
#define CERTIFICATE_WARNING_MS (14 * DAY_MS)
#define LIST_WARNING_MS (7 * DAY_MS)
#define CLOCK_WARNING_MS INT64_C(60000)
#define CONNECT_TIMEOUT_S 10
#define ADDRESSES_BYTES 512
#define NUMERIC_BYTES 64

struct doctor {
    struct cli *cli;
    struct report report;
    struct sp_client *client; /* NULL: the files are no good */
    int timeout_ms;
    bool reachable;
    bool logged_in;
    struct sp_notice notice; /* the login, or why there is none */
};

#define OK(doctor, ...) report_add(&(doctor)->report, FINDING_OK, SP_OK, __VA_ARGS__)

static void skip(struct doctor *doctor, const char *subject, const char *why)
{
    report_add(&doctor->report, FINDING_SKIPPED, SP_OK, subject, "", "%s", why);
}

static const char *from_environment(void *context, const char *name)
{
    (void)context;
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

/* ---- What lies here ---- */

static bool check_profile(struct doctor *doctor)
{
    struct settings *settings = &doctor->cli->settings;
    char message[SETTINGS_PATH_BYTES + 512];
    char hint[SETTINGS_PATH_BYTES + 512];
    enum sp_error error = settings_resolve(doctor->cli->options, from_environment, NULL, settings,
                                           message, sizeof(message), hint, sizeof(hint));
    bool is_there = settings->profile[0] != '\0' && access(settings->profile, F_OK) == 0;

    if (error != SP_OK) {
        report_add(&doctor->report, FINDING_ERROR, error, "profile",
                   hint[0] != '\0' ? hint : "correct it there", "%s", message);
        return false;
    }
    OK(doctor, "profile", "", "%s%s; server %s:%u from the %s, certificate from the %s",
       settings->profile, is_there ? "" : " (not there)", settings->server, settings->port,
       settings->server_from, settings->cert_from);
    return true;
}

/* Whether the file of SUBJECT can be read; says so if not. */
static bool check_file(struct doctor *doctor, const char *subject, const char *path, bool is_key)
{
    char reason[512];
    int fd = -1;

    if (is_key) {
        enum sp_error error = file_open_private(path, &fd, reason, sizeof(reason));

        if (fd >= 0) {
            (void)close(fd);
        }
        if (error != SP_OK) {
            report_add(&doctor->report, FINDING_ERROR, error == SP_ENOTFOUND ? SP_ECONFIG : error,
                       subject,
                       "--key must name your private key, which belongs to you and has mode 600",
                       "%s: %s", path, reason);
        }
        return error == SP_OK;
    }
    if (access(path, R_OK) != 0) {
        report_add(&doctor->report, FINDING_ERROR, SP_ECONFIG, subject,
                   "use --cert DIR with a directory that has cert.pem, key.pem and ca.pem",
                   "%s: %s", path, error_text(errno));
        return false;
    }
    return true;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void tell_certificate(struct doctor *doctor)
{
    struct sp_certificate own;
    char when[RFC3339_BYTES];
    int64_t left_ms = 0;

    sp_client_certificate(doctor->client, &own);
    clock_format_rfc3339(own.not_after_ms, when);
    left_ms = own.not_after_ms - clock_wall_ms(clock_system());
    if (own.username[0] == '\0') {
        report_add(&doctor->report, FINDING_ERROR, SP_EIDENTITY, "certificate",
                   "ask the server's administrator for a member's certificate",
                   "%s names no member", doctor->cli->settings.cert);
    } else if (left_ms < CERTIFICATE_WARNING_MS) {
        report_add(&doctor->report, FINDING_WARNING, SP_OK, "certificate",
                   "ask the server's administrator for a new one in time",
                   "%s of the team %s, until %s only", own.username, own.team, when);
    } else {
        OK(doctor, "certificate", "", "%s of the team %s, until %s", own.username, own.team, when);
    }
}

/* What of the three files the first error is about; the others are then not judged. */
static void check_files(struct doctor *doctor)
{
    const struct settings *settings = &doctor->cli->settings;
    struct passphrase passphrase = {
        .output = &doctor->cli->out,
        .file = doctor->cli->options->text[OPTION_PASSPHRASE_FILE],
        .may_ask = !option_given(doctor->cli->options, OPTION_NO_INPUT),
        .stop = doctor->cli->stop,
    };
    const struct sp_client_config config = {.host = settings->server,
                                            .port = settings->port,
                                            .ca_file = settings->ca,
                                            .cert_file = settings->cert,
                                            .key_file = settings->key,
                                            .connect_timeout_ms = doctor->timeout_ms,
                                            .passphrase = passphrase_get,
                                            .passphrase_context = &passphrase};
    char message[SETTINGS_PATH_BYTES + 512];
    bool ca = check_file(doctor, "ca", settings->ca, false);
    bool cert = check_file(doctor, "certificate", settings->cert, false);
    bool key = check_file(doctor, "key", settings->key, true);

    if (!ca || !cert || !key) {
        return;
    }
    enum sp_error error = sp_client_new(&config, &doctor->client, message, sizeof(message));
    passphrase_forget(&passphrase);
    if (error != SP_OK) {
        char hint[512];
        bool sealed = error == SP_EPASSPHRASE;
        const char *subject = starts_with(message, settings->ca)              ? "ca"
                              : sealed || starts_with(message, settings->key) ? "key"
                                                                              : "certificate";
        hint_for_error(error, "", hint, sizeof(hint));
        report_add(&doctor->report, FINDING_ERROR, error, subject, hint, "%s", message);
        return;
    }
    OK(doctor, "ca", "", "%s", settings->ca);
    tell_certificate(doctor);
    OK(doctor, "key", "", "%s fits the certificate", settings->key);
}

/* ---- The way there ---- */

static void numeric(const struct addrinfo *info, char *out)
{
    if (getnameinfo(info->ai_addr, info->ai_addrlen, out, NUMERIC_BYTES, NULL, 0, NI_NUMERICHOST) !=
        0) {
        (void)snprintf(out, NUMERIC_BYTES, "?");
    }
}

/* 0, or the errno with which connecting to INFO failed. */
static int try_connect(const struct addrinfo *info, int timeout_ms)
{
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int wrong = fd < 0 ? errno : 0;
    socklen_t size = sizeof(wrong);

    if (fd < 0) {
        return wrong;
    }
    if (connect(fd, info->ai_addr, info->ai_addrlen) != 0) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};

        wrong = errno;
        if (wrong == EINPROGRESS) {
            int count = poll(&ready, 1, timeout_ms);

            wrong = count == 0 ? ETIMEDOUT : errno;
            if (count > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &wrong, &size) != 0) {
                wrong = errno;
            }
        }
    }
    (void)close(fd);
    return wrong;
}

static const char *hint_of_connect(int wrong)
{
    switch (wrong) {
    case ECONNREFUSED:
        return "the machine answers, but nothing listens on that port: is sealpostd running, and "
               "is the port right?";
    case ETIMEDOUT:
        return "no answer: a firewall in between, the wrong address, or the machine is off";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "there is no way to that address: is this machine on the network?";
    default:
        return "check the network and --server HOST:PORT";
    }
}

static void check_addresses(struct doctor *doctor, const struct addrinfo *infos)
{
    char text[ADDRESSES_BYTES] = "";
    int wrong = 0;

    for (const struct addrinfo *info = infos; info != NULL; info = info->ai_next) {
        char address[NUMERIC_BYTES];
        size_t used = strlen(text);

        numeric(info, address);
        wrong = try_connect(info, doctor->timeout_ms);
        (void)snprintf(text + used, sizeof(text) - used, "%s%s: %s", used > 0 ? "; " : "", address,
                       wrong == 0 ? "connected" : error_text(wrong));
        if (wrong == 0) {
            doctor->reachable = true;
            OK(doctor, "port", "", "%u at %s", doctor->cli->settings.port, text);
            return;
        }
    }
    report_add(&doctor->report, FINDING_ERROR, SP_EUNREACHABLE, "port", hint_of_connect(wrong),
               "%u at %s", doctor->cli->settings.port, text);
}

static void check_network(struct doctor *doctor)
{
    const struct settings *settings = &doctor->cli->settings;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *infos = NULL;
    char service[8];
    char text[ADDRESSES_BYTES] = "";
    int failed = 0;

    (void)snprintf(service, sizeof(service), "%u", settings->port);
    failed = getaddrinfo(settings->server, service, &hints, &infos);
    if (failed != 0) {
        report_add(&doctor->report, FINDING_ERROR, SP_EUNREACHABLE, "name",
                   "is it spelt right, and can this machine look up other names?", "%s: %s",
                   settings->server, gai_strerror(failed));
        skip(doctor, "port", "needs the name");
        return;
    }
    for (const struct addrinfo *info = infos; info != NULL; info = info->ai_next) {
        char address[NUMERIC_BYTES];
        size_t used = strlen(text);

        numeric(info, address);
        (void)snprintf(text + used, sizeof(text) - used, " %s", address);
    }
    OK(doctor, "name", "", "%s is%s", settings->server, text);
    check_addresses(doctor, infos);
    freeaddrinfo(infos);
}

/* ---- The server ---- */

/* Whether ERROR, in the handshake, is about the server's certificate. */
static bool is_about_certificate(enum sp_error error)
{
    static const enum sp_error errors[] = {SP_EUNTRUSTED, SP_EEXPIRED, SP_ENOTYET, SP_EHOST,
                                           SP_EREVOKED,   SP_EPROFILE, SP_ECERT};

    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        if (errors[i] == error) {
            return true;
        }
    }
    return false;
}

static void check_login(struct doctor *doctor)
{
    static const char *const subjects[] = {"tls", "server-cert", "login"};
    size_t reached = 0;
    char hint[512];

    if (doctor->client == NULL || !doctor->reachable) {
        for (size_t i = 0; i < COUNT_OF(subjects); i++) {
            skip(doctor, subjects[i],
                 doctor->reachable ? "needs certificate, key and CA" : "needs a connection");
        }
        return;
    }
    enum sp_error error = sp_wait_login(doctor->client, &doctor->notice);
    doctor->logged_in = error == SP_OK;
    reached = sp_client_stage(doctor->client) == SP_STAGE_LOGIN ? 2
              : is_about_certificate(error)                     ? 1
                                                                : 0;
    if (reached > 0) {
        OK(doctor, "tls", "", "a server with TLS 1.3 answers");
    }
    if (reached > 1) {
        OK(doctor, "server-cert", "", "is for %s and comes from your team's CA",
           doctor->cli->settings.server);
    }
    if (doctor->logged_in) {
        OK(doctor, "login", "", "%s of the team %s", doctor->notice.login.username,
           doctor->notice.login.team);
        return;
    }
    hint_for_error(error, "", hint, sizeof(hint));
    if (hint[0] == '\0') { /* whatever it was, it did not do what our server does */
        hint_for_error(SP_ETLS, "", hint, sizeof(hint));
    }
    report_add(&doctor->report, FINDING_ERROR, error, subjects[reached], hint, "%s",
               doctor->notice.text);
    for (size_t i = reached + 1; i < COUNT_OF(subjects); i++) {
        skip(doctor, subjects[i], "needs what is above");
    }
}

static void check_lists(struct doctor *doctor)
{
    struct sp_notice notice;
    uint32_t request = 0;
    char when[RFC3339_BYTES];
    enum sp_error error = sp_get_status(doctor->client, &request);

    if (error == SP_OK) {
        error = sp_wait(doctor->client, request, doctor->timeout_ms, doctor->cli->stop, NULL, NULL,
                        &notice);
    }
    if (error != SP_OK) {
        report_add(&doctor->report, FINDING_ERROR, error, "lists", "try again", "%s",
                   sp_error_text(error));
        return;
    }
    clock_format_rfc3339(notice.status.crl_next_update_ms, when);
    if (notice.status.crl_next_update_ms - notice.status.time_ms < LIST_WARNING_MS) {
        report_add(&doctor->report, FINDING_WARNING, SP_OK, "lists",
                   "tell the server's administrator: without a fresh list nobody gets in",
                   "the server's revocation lists are fresh until %s only", when);
    } else {
        OK(doctor, "lists", "", "the server's revocation lists are fresh until %s", when);
    }
}

/* What the server has told us at the login. */
static void check_server(struct doctor *doctor)
{
    static const char *const subjects[] = {"clock", "version", "role", "lists"};
    const struct sp_login *login = &doctor->notice.login;

    if (!doctor->logged_in) {
        for (size_t i = 0; i < COUNT_OF(subjects); i++) {
            skip(doctor, subjects[i], "needs a login");
        }
        return;
    }
    int64_t ahead_ms = login->time_ms - clock_wall_ms(clock_system());
    if (ahead_ms > CLOCK_WARNING_MS || ahead_ms < -CLOCK_WARNING_MS) {
        report_add(&doctor->report, FINDING_WARNING, SP_OK, "clock",
                   "set the clock that is wrong: certificates begin and end by it",
                   "the server's clock is %" PRId64 " s %s this machine's",
                   (ahead_ms < 0 ? -ahead_ms : ahead_ms) / 1000,
                   ahead_ms < 0 ? "behind" : "ahead of");
    } else {
        OK(doctor, "clock", "", "within a minute of the server's");
    }
    OK(doctor, "version", "", "%s here, %s there", sp_version(), login->server);
    OK(doctor, "role", "", "%s", login->role == SP_ROLE_ADMINISTRATOR ? "administrator" : "member");
    check_lists(doctor); /* last: the login is gone afterwards */
}

int cmd_doctor(struct cli *cli)
{
    uint64_t seconds = CONNECT_TIMEOUT_S;
    struct doctor doctor = {.cli = cli};

    if (option_given(cli->options, OPTION_TIMEOUT) && cli->options->number[OPTION_TIMEOUT] > 0) {
        seconds = cli->options->number[OPTION_TIMEOUT];
    }
    doctor.timeout_ms = (int)seconds * 1000;
    report_init(&doctor.report, cli->out.data, cli->out.mode == OUTPUT_JSON);
    if (check_profile(&doctor)) {
        check_files(&doctor);
        check_network(&doctor);
        check_login(&doctor);
        check_server(&doctor);
    }
    if (doctor.client != NULL) {
        sp_goodbye(doctor.client, 1000);
        sp_client_free(doctor.client);
    }
    return report_finish(&doctor.report);
}
