#include "bench/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/process.h"

#define TEAM "bench"
#define START_TIMEOUT_MS 20000
#define START_STEP_MS 5

static enum sp_error complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "sealpost-bench: error: %s: %s\n", what, why);
    return SP_EINTERNAL;
}

int lab_server_cpu(const struct lab *lab)
{
    return lab->options->pin ? PROCESS_SERVER_CPU : -1;
}

int lab_generator_cpu(const struct lab *lab)
{
    return lab->options->pin ? PROCESS_GENERATOR_CPU : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void member_name(uint64_t number, char *out, size_t capacity)
{
    (void)snprintf(out, capacity, "m%03llu", (unsigned long long)number);
}

static enum sp_error run_tool(const struct lab *lab, const char *command, const char *argument)
{
    char tool[LAB_PATH_BYTES];
    (void)snprintf(tool, sizeof tool, "%s/make-test-ca", lab->options->tools);
    const char *const argv[] = {tool, "-d", lab->ca, "--team", TEAM, command, argument, NULL};
    return process_run(argv);
}

static enum sp_error make_certificates(const struct lab *lab)
{
    enum sp_error error = run_tool(lab, "init", NULL);
    if (error == SP_OK) {
        error = run_tool(lab, "server", "127.0.0.1");
    }
    for (uint64_t i = 0; error == SP_OK && i < lab->options->members; i++) {
        char name[LIMIT_USERNAME_BYTES + 1];
        member_name(i, name, sizeof name);
        error = run_tool(lab, "member", name);
    }
    return error;
}

static enum sp_error load_member(struct lab *lab, uint64_t number)
{
    char name[LIMIT_USERNAME_BYTES + 1];
    char files[3][2 * LAB_PATH_BYTES];
    static const char *const names[] = {"ca.pem", "cert.pem", "key.pem"};
    char reason[AUTHORITY_REASON_BYTES];
    member_name(number, name, sizeof name);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(files[i], sizeof files[i], "%s/members/%s/%s", lab->ca, name, names[i]);
    }
    const struct authority_client_config config = {
        .ca_file = files[0],
        .cert_file = files[1],
        .key_file = files[2],
        .clock = clock_system(),
    };
    enum sp_error error =
        authority_new_client(&config, &lab->members[number], reason, sizeof reason);
    return error == SP_OK ? SP_OK : complain("certificates", reason);
}

static enum sp_error write_config(const struct lab *lab)
{
    char path[2 * LAB_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/server.conf", lab->directory);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return complain(path, strerrordesc_np(errno));
    }
    (void)fprintf(file,
                  "listen = 127.0.0.1:0\nteam = " TEAM "\nca = %s/ca.pem\n"
                  "cert = %s/server/cert.pem\nkey = %s/server/key.pem\ncrl = %s/crl.pem\n"
                  "state = state\nlog_level = %s\nmessage_rate = 0\n",
                  lab->ca, lab->ca, lab->ca, lab->ca, lab->options->log_level);
    return fclose(file) == 0 ? SP_OK : complain(path, strerrordesc_np(errno));
}

static enum sp_error make_directory(struct lab *lab)
{
    char template[LAB_PATH_BYTES / 2];
    char resolved[PATH_MAX];
    (void)snprintf(template, sizeof template, "%s/sealpost-bench.XXXXXX", lab->options->state);
    if (mkdtemp(template) == NULL || realpath(template, resolved) == NULL) {
        return complain(template, strerrordesc_np(errno));
    }
    (void)snprintf(lab->directory, sizeof lab->directory, "%.512s", resolved);
    if (lab->options->ca == NULL) {
        (void)snprintf(lab->ca, sizeof lab->ca, "%.512s/ca", lab->directory);
        return SP_OK;
    }
    if ((mkdir(lab->options->ca, 0700) != 0 && errno != EEXIST) ||
        realpath(lab->options->ca, resolved) == NULL) {
        return complain(lab->options->ca, strerrordesc_np(errno));
    }
    (void)snprintf(lab->ca, sizeof lab->ca, "%.512s", resolved);
    return SP_OK;
}

enum sp_error lab_open(const struct options *options, struct lab *out)
{
    *out = (struct lab){.options = options};
    enum sp_error error = make_directory(out);
    if (error == SP_OK) {
        error = make_certificates(out);
    }
    if (error == SP_OK) {
        error = write_config(out);
    }
    out->members = calloc(options->members, sizeof(struct authority *));
    if (error == SP_OK && out->members == NULL) {
        error = SP_ENOMEM;
    }
    for (uint64_t i = 0; error == SP_OK && i < options->members; i++) {
        error = load_member(out, i);
    }
    if (error != SP_OK) {
        lab_close(out);
    }
    return error;
}

void lab_close(struct lab *lab)
{
    lab_stop(lab);
    for (uint64_t i = 0; lab->members != NULL && i < lab->options->members; i++) {
        authority_unref(lab->members[i]);
    }
    free(lab->members);
    if (lab->directory[0] != '\0') {
        remove_tree(lab->directory);
    }
    *lab = (struct lab){0};
}

void lab_settle(const struct lab *lab)
{
    int fd = open(lab->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)syncfs(fd);
        (void)close(fd);
    }
}

/* What the server has said, for whoever wonders why it does not run. */
static void show(const char *log)
{
    char *text = NULL;
    size_t size = 0;
    char reason[128];
    if (file_read(log, LIMIT_CONFIG_FILE_BYTES, &text, &size, reason, sizeof reason) == SP_OK) {
        (void)fputs(text, stderr);
    }
    free(text);
}

/* The port that the server has said it listens on; 0: not yet. */
static uint16_t find_port(const char *log)
{
    static const char *const marks[] = {"event=listening", " port="};
    char *text = NULL;
    size_t size = 0;
    char reason[128];
    unsigned long port = 0;
    if (file_read(log, LIMIT_CONFIG_FILE_BYTES, &text, &size, reason, sizeof reason) != SP_OK) {
        return 0;
    }
    const char *at = text;
    for (size_t i = 0; at != NULL && i < COUNT_OF(marks); i++) {
        at = strstr(at, marks[i]);
        at = at == NULL ? NULL : at + strlen(marks[i]);
    }
    if (at != NULL && strchr(at, '\n') != NULL) {
        port = strtoul(at, NULL, 10);
    }
    free(text);
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static enum sp_error start(struct lab *lab, const char *const *argv)
{
    char log[2 * LAB_PATH_BYTES];
    (void)snprintf(log, sizeof log, "%s/server.log", lab->directory);
    (void)unlink(log); /* what the last one has said is not for this one */
    enum sp_error error = process_start(argv, log, lab_server_cpu(lab), &lab->server);
    lab->port = 0;
    for (int ms = 0; lab->server > 0 && lab->port == 0 && ms < START_TIMEOUT_MS;
         ms += START_STEP_MS) {
        (void)usleep(START_STEP_MS * 1000);
        lab->port = find_port(log);
        lab->server = process_has_ended(lab->server) ? 0 : lab->server;
    }
    if (error == SP_OK && (lab->port == 0 || lab->server == 0)) {
        show(log);
        lab_stop(lab);
        return complain(argv[0], "it does not start; is --sealpostd right?");
    }
    return error;
}

enum sp_error lab_start_server(struct lab *lab)
{
    char state[2 * LAB_PATH_BYTES];
    (void)snprintf(state, sizeof state, "%s/state", lab->directory);
    remove_tree(state);
    lab_settle(lab);
    return lab_restart_server(lab);
}

enum sp_error lab_restart_server(struct lab *lab)
{
    char found[LAB_PATH_BYTES];
    char config[2 * LAB_PATH_BYTES];
    const char *server = options_find_sealpostd(lab->options, found, sizeof found);
    (void)snprintf(config, sizeof config, "%s/server.conf", lab->directory);
    const char *const argv[] = {server, "run", "--config", config, NULL};
    return start(lab, argv);
}

enum sp_error lab_start_bare(struct lab *lab)
{
    const char *const argv[] = {"/proc/self/exe", BARE_COMMAND, lab->ca, NULL};
    lab_settle(lab);
    return start(lab, argv);
}

void lab_stop(struct lab *lab)
{
    if (lab->server > 0 && process_stop(lab->server) != SP_OK) {
        (void)complain("the server", "it did not end well");
    }
    lab->server = 0;
}
