/* The client's side of the control socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "server/control_internal.h"

#define ANSWER_BYTES 65536

void control_set_address(int directory_fd, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/" CONTROL_SOCKET,
                   directory_fd);
}

static enum sp_error connect_to(const char *state, int *out_fd)
{
    struct sockaddr_un address;
    int directory_fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *out_fd = -1;
    if (directory_fd < 0) {
        return errno == EACCES ? SP_EFORBIDDEN : SP_EUNREACHABLE;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    control_set_address(directory_fd, &address);
    int result = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&address, sizeof address);
    int failure = errno;
    close(directory_fd);
    if (result != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return failure == EACCES || failure == EPERM ? SP_EFORBIDDEN : SP_EUNREACHABLE;
    }
    *out_fd = fd;
    return SP_OK;
}

enum sp_error control_ask(const char *state, const char *request, char **out)
{
    char line[CONTROL_REQUEST_BYTES];
    size_t used = 0;
    ssize_t count = 1;
    int fd = -1;
    *out = NULL;
    enum sp_error error = connect_to(state, &fd);
    if (error != SP_OK) {
        return error;
    }
    snprintf(line, sizeof line, "%s\n", request);
    error = file_write_all(fd, line, strlen(line));
    char *answer = calloc(1, ANSWER_BYTES);
    if (answer == NULL) {
        error = SP_ENOMEM;
    }
    while (error == SP_OK && count > 0 && used < ANSWER_BYTES - 1) {
        count = read(fd, answer + used, ANSWER_BYTES - 1 - used);
        used += count > 0 ? (size_t)count : 0;
        error = count < 0 ? SP_EIO : SP_OK;
    }
    if (error == SP_OK && (used == 0 || answer[used - 1] != '\n')) {
        error = SP_EFORBIDDEN; /* it has hung up on us */
    }
    close(fd);
    if (error != SP_OK) {
        free(answer);
        return error;
    }
    *out = answer;
    return SP_OK;
}
