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
    enum sp_role role;
    bool device;
    const char *status; /* "invited", or why there is no code */
    const char *code;   /* NULL: there is none */
    int64_t expires_ms;
};
void show_code(struct output *output, const struct shown_code *code, bool csv);

#endif
