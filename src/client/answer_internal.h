/* What the handlers of frames share. For answer.c and answer_rows.c only. */
#ifndef SP_CLIENT_ANSWER_INTERNAL_H
#define SP_CLIENT_ANSWER_INTERNAL_H

#include "client/answer.h"

/* A frame that has been decoded into core->message. */
struct arrival {
    struct request *request; /* whose stream it came on; NULL for stream 0 */
    struct slice raw;
};

/* answer_rows.c. True: *OUT is a notice; false: the connection has been ended. */
bool answer_row_log(struct core *core, const struct arrival *arrival, struct sp_notice *out);
bool answer_row_member(struct core *core, const struct arrival *arrival, struct sp_notice *out);
bool answer_row_device(struct core *core, const struct arrival *arrival, struct sp_notice *out);
bool answer_row_invitation(struct core *core, const struct arrival *arrival, struct sp_notice *out);
bool answer_row_file(struct core *core, const struct arrival *arrival, struct sp_notice *out);

#endif
