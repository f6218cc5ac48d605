/* What the checks of `sealpostd check` share. Only check.c and check_host.c include it. */
#ifndef SP_SERVER_CHECK_H
#define SP_SERVER_CHECK_H

#include "base/report.h"
#include "server/settings.h"
#include "tls/inspect.h"

struct checking {
    const struct settings *settings;
    struct report *report;
    struct inspection *inspection; /* what the checks so far have read */
    int64_t wall_ms;
    bool is_running; /* a server uses the state directory */
};

/* check_host.c: what of this machine the server needs. */
bool check_is_running(const struct settings *settings);
void check_state(struct checking *checking);
void check_database(struct checking *checking);
void check_listen(struct checking *checking);

#endif
