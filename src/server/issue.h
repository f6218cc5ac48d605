/* The issuing CA in the server: the port through which the domain has certificates made, and what
 * the CA makes anew by itself. */
#ifndef SP_SERVER_ISSUE_H
#define SP_SERVER_ISSUE_H

#include "base/log.h"
#include "ca/issuer.h"
#include "domain/issue.h"
#include "server/settings.h"

/*
 * The issuer that SETTINGS name, and PORT to it, which lives as long. *OUT is NULL when they name
 * none: nobody can join by a code then. Blocks. Errors as of issuer_new().
 */
SP_CHECK enum sp_error issue_open(const struct settings *settings, struct issuer **out,
                                  struct issue_port *port, char *reason, size_t capacity);

/*
 * Before the files are loaded: makes the issuing CA's list and the server's certificate anew, where
 * it is time (ca/refresh.h). That it cannot is said in the log, and no more: what is there may be
 * good for days. Blocks.
 */
void issue_refresh(const struct settings *settings, int64_t now_ms, struct log *log);

#endif
