/* Devices, open invitations and join codes, as they are printed; part of show.h. */
#ifndef SP_CLI_SHOW_TEAM_H
#define SP_CLI_SHOW_TEAM_H

#include "cli/output.h"
#include "sealpost/team.h"

const char *role_text(enum sp_role role);
void show_device(struct output *output, const struct sp_device *device);
void show_invitation(struct output *output, const struct sp_invitation *invitation);

/* What came of inviting somebody. */
struct shown_code {
    const char *name;
    enum sp_role role; /* not of one for a DEVICE: that has its member's */
    bool device;
    const char *status; /* "invited" and what is to be said of it, or why there is no code */
    const char *code;   /* NULL: there is none to be shown */
    int64_t expires_ms; /* 0: there is none */
};
void show_code(struct output *output, const struct shown_code *code, bool csv);

#endif
