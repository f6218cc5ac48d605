#include "sealpost/blocking.h"

#include <poll.h>
#include <string.h>

#include "client/internal.h"

/* A signal may come just before poll(2): STOP is looked at this often anyway. */
#define STOP_LOOK_MS 200

/* ---- Waiting ---- */

/* How long somebody waits, counted from the last byte that moved. */
struct wait {
    struct sp_client *client;
    const volatile int *stop;
    int timeout_ms; /* 0: no limit */
    int64_t since_ms;
    uint64_t moved_bytes;
};

static int64_t now_ms(void)
{
    return clock_monotonic_ms(clock_system());
}

static void wait_begin(struct wait *wait, struct sp_client *client, int timeout_ms,
                       const volatile int *stop)
{
    *wait = (struct wait){.client = client,
                          .stop = stop,
                          .timeout_ms = timeout_ms,
                          .since_ms = now_ms(),
                          .moved_bytes = client_bytes_moved(client)};
}

static enum sp_error wait_check(struct wait *wait)
{
    uint64_t moved_bytes = client_bytes_moved(wait->client);

    if (wait->stop != NULL && *wait->stop != 0) {
        return SP_ECANCELLED;
    }
    if (moved_bytes != wait->moved_bytes) {
        wait->moved_bytes = moved_bytes;
        wait->since_ms = now_ms();
    } else if (wait->timeout_ms > 0 && now_ms() - wait->since_ms >= wait->timeout_ms) {
        return SP_ETIMEOUT;
    }
    return SP_OK;
}

static int shorter(int a, int64_t b)
{
    return a < 0 || b < a ? (int)(b < 0 ? 0 : b) : a;
}

static void wait_for_socket(const struct wait *wait)
{
    struct pollfd fd = {sp_client_fd(wait->client), sp_client_poll_events(wait->client), 0};
    int timeout = sp_client_timeout_ms(wait->client);

    if (wait->timeout_ms > 0) {
        timeout = shorter(timeout, wait->since_ms + wait->timeout_ms - now_ms());
    }
    if (wait->stop != NULL) {
        timeout = shorter(timeout, STOP_LOOK_MS);
    }
    (void)poll(&fd, 1, timeout); /* EINTR is a reason to look around, like any other */
}

/* The next notice, whatever it is. SP_EDISCONNECTED: there is no connection to wait for. */
static enum sp_error wait_next(struct wait *wait, struct sp_notice *notice)
{
    while (!sp_client_next(wait->client, notice)) {
        enum sp_error error = client_is_idle(wait->client) ? SP_EDISCONNECTED : wait_check(wait);

        if (error != SP_OK) {
            core_notice(notice, SP_NOTICE_RESULT, 0);
            notice->error = error;
            notice->text = sp_error_text(error);
            return error;
        }
        wait_for_socket(wait);
        sp_client_service(wait->client);
    }
    return SP_OK;
}

enum sp_error sp_wait_any(struct sp_client *client, int timeout_ms, const volatile int *stop,
                          struct sp_notice *notice)
{
    struct wait wait;

    wait_begin(&wait, client, timeout_ms, stop);
    return wait_next(&wait, notice);
}

enum sp_error sp_wait(struct sp_client *client, uint32_t request, int timeout_ms,
                      const volatile int *stop, sp_notice_fn fn, void *context,
                      struct sp_notice *notice)
{
    struct wait wait;

    wait_begin(&wait, client, timeout_ms, stop);
    for (;;) {
        enum sp_error error = wait_next(&wait, notice);

        if (error != SP_OK) {
            notice->request = request;
            return error;
        }
        if (notice->type == SP_NOTICE_RESULT && notice->request == request) {
            return notice->error;
        }
        if (fn != NULL) {
            fn(context, notice);
        }
        /* A program that never stops taking notices can still be stopped. */
        error = wait.stop != NULL && *wait.stop != 0 ? SP_ECANCELLED : SP_OK;
        if (error != SP_OK) {
            core_notice(notice, SP_NOTICE_RESULT, request);
            notice->error = error;
            notice->text = sp_error_text(error);
            return error;
        }
    }
}

enum sp_error sp_wait_login(struct sp_client *client, struct sp_notice *notice)
{
    enum sp_error error = SP_OK;
    struct wait wait;

    core_notice(notice, SP_NOTICE_CLOSED, 0);
    if (client->core.phase == CORE_OPEN) {
        return SP_EINVALID;
    }
    if (client_is_idle(client)) {
        error = sp_client_connect(client);
    }
    wait_begin(&wait, client, 0, NULL);
    while (error == SP_OK) {
        error = wait_next(&wait, notice);
        if (error == SP_OK && notice->type == SP_NOTICE_LOGIN) {
            return SP_OK;
        }
        if (error == SP_OK && notice->type == SP_NOTICE_CLOSED) {
            return notice->error != SP_OK ? notice->error : SP_EDISCONNECTED;
        }
    }
    return error;
}

void sp_goodbye(struct sp_client *client, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    struct sp_notice notice;

    sp_client_close(client);
    while (!client_is_idle(client)) {
        int64_t left = deadline - now_ms();

        if (left <= 0 || sp_wait_any(client, (int)left, NULL, &notice) == SP_ETIMEOUT) {
            return;
        }
    }
}
