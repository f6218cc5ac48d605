/* TLS alerts (RFC 8446, 6) and OpenSSL's own failures, as errors of ours and in words. For src/tls
 * only. */
#ifndef SP_TLS_ALERT_H
#define SP_TLS_ALERT_H

#include "base/base.h"

/*
 * What the failure CODE, from OpenSSL's error queue, means to a client or to a server, with a
 * sentence in REASON. A client is told by alerts what the server has against its certificate; a
 * server only learns that its client has gone: SP_ETLS.
 */
SP_CHECK enum sp_error alert_explain(unsigned long code, bool is_server, char *reason,
                                     size_t capacity);

#endif
