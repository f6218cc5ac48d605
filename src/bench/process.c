#include "bench/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_TIMEOUT_MS 30000
#define STOP_STEP_MS 5

uint64_t now_ns(void)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void process_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (cpu < 0 || i == cpu) {
            CPU_SET(i, &set);
        }
    }
    (void)sched_setaffinity(0, sizeof set, &set);
}

void process_raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void process_become_child(int cpu)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    process_pin(cpu);
}

/* In the child. The strings are only read: execvp() does not say so for reasons of its age. */
static void become(const char *const *argv, int error_fd)
{
    char *arguments[16] = {strdup(argv[0])};
    size_t count = 1;
    while (argv[count] != NULL && count + 1 < COUNT_OF(arguments)) {
        arguments[count] = strdup(argv[count]);
        count++;
    }
    arguments[count] = NULL;
    if (arguments[0] == NULL) {
        _exit(127);
    }
    (void)dup2(error_fd, STDOUT_FILENO);
    (void)dup2(error_fd, STDERR_FILENO);
    (void)execvp(arguments[0], arguments);
    (void)dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerrordesc_np(errno));
    _exit(127);
}

enum sp_error process_start(const char *const *argv, const char *log, int cpu, pid_t *out)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    *out = 0;
    if (fd < 0) {
        (void)fprintf(stderr, "sealpost-bench: error: %s: %s\n", log, strerrordesc_np(errno));
        return SP_EINTERNAL;
    }
    pid_t pid = fork();
    if (pid == 0) {
        process_become_child(cpu);
        become(argv, fd);
    }
    (void)close(fd);
    *out = pid > 0 ? pid : 0;
    return pid > 0 ? SP_OK : SP_EINTERNAL;
}

enum sp_error process_run(const char *const *argv)
{
    FILE *said = tmpfile();
    int status = -1;
    char text[4096];
    if (said == NULL) {
        return SP_EINTERNAL;
    }
    pid_t pid = fork();
    if (pid == 0) {
        become(argv, fileno(said));
    }
    bool ended = pid > 0 && waitpid(pid, &status, 0) == pid;
    bool good = ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good) {
        rewind(said);
        size_t size = fread(text, 1, sizeof text, said);
        (void)fprintf(stderr, "sealpost-bench: error: %s failed: %.*s\n", argv[0], (int)size, text);
    }
    (void)fclose(said);
    return good ? SP_OK : SP_EINTERNAL;
}

bool process_has_ended(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == pid;
}

enum sp_error process_stop(pid_t pid)
{
    int status = -1;
    if (pid <= 0) {
        return SP_OK;
    }
    (void)kill(pid, SIGTERM);
    for (int waited = 0; waited < STOP_TIMEOUT_MS; waited += STOP_STEP_MS) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? SP_OK : SP_EINTERNAL;
        }
        (void)usleep(STOP_STEP_MS * 1000);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return SP_EINTERNAL;
}

/* The first number of a schedstat file: nanoseconds on a processor. */
static uint64_t read_schedstat(const char *path)
{
    unsigned long long ns = 0;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%llu", &ns) != 1) { /* NOLINT(cert-err34-c): the kernel wrote it */
            ns = 0;
        }
        (void)fclose(file);
    }
    return ns;
}

struct process_cost process_cost(pid_t pid)
{
    struct process_cost cost = {0, 0};
    char path[64];
    pid = pid == 0 ? getpid() : pid;
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) {
        return cost;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a directory stream of our own */
    for (const struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        long number = strtol(task->d_name, NULL, 10);
        if (number > 0) {
            (void)snprintf(path, sizeof path, "/proc/%d/task/%ld/schedstat", (int)pid, number);
            uint64_t ns = read_schedstat(path);
            cost.cpu_ns += ns;
            cost.main_ns += number == pid ? ns : 0;
        }
    }
    (void)closedir(tasks);
    return cost;
}

struct process_cost process_cost_since(pid_t pid, struct process_cost before)
{
    struct process_cost cost = process_cost(pid);
    cost.cpu_ns -= before.cpu_ns;
    cost.main_ns -= before.main_ns;
    return cost;
}

uint64_t process_resident(pid_t pid)
{
    char path[64];
    char line[256];
    unsigned long long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "Rss:", 4) == 0) {
            kib = strtoull(line + 4, NULL, 10);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib * 1024;
}
