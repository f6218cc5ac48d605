/* From the wire's structs to the public ones. Strings stay borrowed from the wire's. Pure. */
#ifndef SP_CLIENT_CONVERT_H
#define SP_CLIENT_CONVERT_H

#include "base/base.h"
#include "event/event.h"
#include "sealpost/client.h"
#include "wire/frame.h"

void convert_log(const sealpost_v1_LogInfo *in, struct sp_log *out);
void convert_file(const sealpost_v1_FileInfo *in, struct sp_file *out);
void convert_welcome(const sealpost_v1_Welcome *in, struct sp_login *out);
void convert_device(const sealpost_v1_RowDevice *in, struct sp_device *out);
void convert_invitation(const sealpost_v1_RowInvitation *in, struct sp_invitation *out);
void convert_status(const sealpost_v1_StatusResult *in, struct sp_status *out);
void convert_read_state(const sealpost_v1_ReadState *in, struct sp_read_state *out);

/* What the strings of one event need: each with a NUL. */
#define CONVERT_STRINGS_BYTES (LIMIT_EVENT_BODY_BYTES + 4)
/* An event with the chain up to it, HASH. *EVENT is part of a fresh notice; it points to AUTHOR,
 * LOG_NAME and STRINGS. */
void convert_event(const struct event_view *view, const char *author, const char *log_name,
                   const struct digest *hash, char *strings, struct sp_event *event);

/* The server's number; 0, which no error has, becomes SP_EINTERNAL. */
enum sp_error convert_error(uint32_t number);

#endif
